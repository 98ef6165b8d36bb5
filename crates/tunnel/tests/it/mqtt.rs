use std::{net::SocketAddr, time::Duration};

use arklet::{Answer, CallError, Command, CommandKind};
use model::{BaseState, TunnelKind};
use rumqttc::PublishOptions;
use tokio::{net::TcpListener, time::timeout};
use tunnel::{
    EmbeddedBroker, Event, MqttConfig, MqttTunnel,
    broker::Access,
    mqtt::{Dropped, MAX_PACKET_BYTES, MqttStartError},
};

use crate::support::{
    Events, FakeBase, NO_BIZ, PATIENCE, QUERY, biz, events, mqtt_heartbeat, mqtt_target, soon, until,
};

pub(crate) async fn broker() -> EmbeddedBroker {
    EmbeddedBroker::start("127.0.0.1:0".parse().unwrap(), Access::Anyone, "controller@@@1").await.unwrap()
}

fn config(broker: SocketAddr) -> MqttConfig {
    MqttConfig {
        reconnect_min: Duration::from_millis(20),
        reconnect_max: Duration::from_millis(200),
        ..MqttConfig::new(broker.ip().to_string(), broker.port(), "controller", "dev")
    }
}

async fn start(broker: SocketAddr) -> (MqttTunnel, Events) {
    let (sender, mut events) = events(64);
    let tunnel = MqttTunnel::start(config(broker), sender).unwrap();
    assert!(matches!(events.next().await, Event::Up(TunnelKind::Mqtt)));
    (tunnel, events)
}

#[tokio::test]
async fn a_heartbeat_becomes_an_event() {
    let broker = broker().await;
    let (tunnel, mut events) = start(broker.local_addr()).await;
    let base = FakeBase::start(broker.local_addr(), "b1", None).await;
    base.publish("b1", "heart", mqtt_heartbeat("b1", "activated")).await;
    let Event::Heartbeat { tunnel: TunnelKind::Mqtt, report } = events.next().await else { panic!() };
    assert_eq!((report.identity.as_str(), report.port), ("b1", None));
    assert_eq!((tunnel.stats().up, tunnel.stats().down), (true, None));
}

#[tokio::test]
async fn a_command_reaches_its_base_and_the_answer_comes_back() {
    let broker = broker().await;
    let (tunnel, mut events) = start(broker.local_addr()).await;
    let mut base = FakeBase::start(broker.local_addr(), "b1", Some(NO_BIZ)).await;
    let _other = FakeBase::start(broker.local_addr(), "b2", None).await;
    tunnel.call(mqtt_target("b1"), QUERY, PATIENCE);
    let (identity, key, outcome) = events.answer().await;
    assert_eq!((identity.as_str(), key.command), ("b1", CommandKind::QueryAllBiz));
    assert_eq!(outcome, Ok(Answer::Biz(vec![])));
    let (topic, payload) = soon(base.commands.recv()).await.unwrap();
    assert_eq!((topic.as_str(), payload.as_str()), ("koupleless_dev/b1/queryAllBiz", "{}"));
    let stats = tunnel.stats();
    assert_eq!((stats.calls, stats.answers, stats.answers_unsolicited, stats.timeouts), (1, 1, 0, 0));
}

#[tokio::test]
async fn an_operation_is_answered_by_command_and_biz() {
    let broker = broker().await;
    let (tunnel, mut events) = start(broker.local_addr()).await;
    let answer = r#"{"data":{"bizName":"biz2","response":{"code":"SUCCESS","data":{"code":"SUCCESS"}},"command":"uninstallBiz","bizVersion":"1.0.0"},"publishTimestamp":1}"#;
    let _base = FakeBase::start(broker.local_addr(), "b1", Some(("bizOperation", answer))).await;
    tunnel.call(mqtt_target("b1"), Command::UninstallBiz(biz("biz2", "1.0.0")), PATIENCE);
    let (_, key, outcome) = events.answer().await;
    assert_eq!((key.biz, outcome), (Some(biz("biz2", "1.0.0")), Ok(Answer::Uninstalled)));
    assert_eq!(tunnel.stats().answers_unsolicited, 0);
}

#[tokio::test]
async fn a_command_that_nobody_answers_times_out() {
    let broker = broker().await;
    let (tunnel, mut events) = start(broker.local_addr()).await;
    // A Java base knows no switchBiz over MQTT: the broker takes it and nobody answers.
    tunnel.call(mqtt_target("b1"), Command::SwitchBiz(biz("a", "1")), Duration::from_millis(100));
    let (_, key, outcome) = events.answer().await;
    assert_eq!((key.command, outcome), (CommandKind::SwitchBiz, Err(CallError::TimedOut)));
    assert_eq!((tunnel.stats().timeouts, tunnel.stats().calls_open), (1, 0));
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_delivered_all_the_same() {
    let broker = broker().await;
    let (tunnel, mut events) = start(broker.local_addr()).await;
    let base = FakeBase::start(broker.local_addr(), "b1", None).await;
    base.publish("b1", NO_BIZ.0, NO_BIZ.1).await;
    assert_eq!(events.outcome().await, Ok(Answer::Biz(vec![])));
    assert_eq!(tunnel.stats().answers_unsolicited, 1);
}

#[tokio::test]
async fn without_a_broker_a_command_fails_at_once_and_is_never_sent_later() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (sender, mut events) = events(64);
    let tunnel = MqttTunnel::start(config(free), sender).unwrap();
    let reason = events.down().await;
    assert!(reason.contains(&free.to_string()) && reason.contains("refused"), "{reason}");
    tunnel.call(mqtt_target("b1"), Command::UninstallBiz(biz("a", "1")), PATIENCE);
    assert_eq!(events.outcome().await, Err(CallError::Unreachable(reason)));
    let broker = EmbeddedBroker::start(free, Access::Anyone, "controller@@@1").await.unwrap();
    let mut base = FakeBase::start(free, "b1", Some(NO_BIZ)).await;
    events.up().await;
    tunnel.call(mqtt_target("b1"), QUERY, PATIENCE);
    assert!(events.outcome().await.is_ok());
    let first = soon(base.commands.recv()).await.unwrap();
    assert_eq!(first.0, "koupleless_dev/b1/queryAllBiz");
    broker.shutdown().await;
}

#[tokio::test]
async fn a_broker_that_restarts_is_down_then_up_and_what_was_under_way_is_in_doubt() {
    let first = broker().await;
    let address = first.local_addr();
    let (tunnel, mut events) = start(address).await;
    let mut silent = FakeBase::start(address, "b1", None).await;
    tunnel.call(mqtt_target("b1"), QUERY, PATIENCE);
    soon(silent.commands.recv()).await.unwrap();
    first.shutdown().await;
    assert_eq!(events.outcome().await, Err(CallError::TimedOut));
    let reason = events.down().await;
    assert_eq!((tunnel.stats().up, tunnel.stats().down), (false, Some(reason)));
    let second = EmbeddedBroker::start(address, Access::Anyone, "controller@@@1").await.unwrap();
    events.up().await;
    let _base = FakeBase::start(address, "b1", Some(NO_BIZ)).await;
    tunnel.call(mqtt_target("b1"), QUERY, PATIENCE);
    assert!(events.outcome().await.is_ok());
    assert_eq!(tunnel.stats().connections, 2);
    second.shutdown().await;
}

#[tokio::test]
async fn what_a_broker_retained_is_ignored() {
    let broker = broker().await;
    let base = FakeBase::start(broker.local_addr(), "b1", Some(NO_BIZ)).await;
    let retained = PublishOptions::at_least_once().retained();
    let heart = "koupleless_dev/b1/base/heart";
    let taken =
        base.client.publish_tracked(heart, mqtt_heartbeat("b1", "activated"), retained).await.unwrap();
    soon(taken.wait_async()).await.unwrap();
    let (tunnel, mut events) = start(broker.local_addr()).await;
    tunnel.call(mqtt_target("b1"), QUERY, PATIENCE);
    assert!(matches!(events.next().await, Event::Answer { .. }));
    assert_eq!((tunnel.stats().heartbeats, tunnel.stats().dropped(Dropped::Retained)), (0, 1));
}

#[tokio::test]
async fn commands_and_baselines_that_another_left_retained_are_taken_away_and_nothing_else() {
    let broker = broker().await;
    let other = FakeBase::start(broker.local_addr(), "other", None).await;
    let plant = async |topic: &str| {
        let retained = PublishOptions::at_least_once().retained();
        let taken = other.client.publish_tracked(topic, "{}", retained).await.unwrap();
        soon(taken.wait_async()).await.unwrap();
    };
    let commands =
        ["koupleless_dev/b1/uninstallBiz", "koupleless_dev/b1/base/baseline", "koupleless_dev/b2/installBiz"];
    let others =
        ["koupleless_dev/b1/base/heart", "koupleless_prod/b1/uninstallBiz", "koupleless_dev/b1/mine"];
    for topic in commands.into_iter().chain(others) {
        plant(topic).await;
    }
    // A base that is connected hears at most that nothing is there any more.
    let (tunnel, _events) = start(broker.local_addr()).await;
    until("all are taken away", || tunnel.stats().dropped(Dropped::RetainedCommand) == 3).await;
    soon(async {
        // The broker has what was sent once it shows nothing to one that comes now.
        loop {
            let mut late = FakeBase::start(broker.local_addr(), "b1", None).await;
            let heard = timeout(Duration::from_millis(200), late.commands.recv()).await;
            match heard {
                Ok(Some((topic, _))) if topic != "koupleless_dev/b1/mine" => {}
                _ => return,
            }
        }
    })
    .await;
    assert_eq!(tunnel.stats().dropped(Dropped::Retained), 1, "what a base said stays");
    let (again, _events) = start(broker.local_addr()).await;
    until("the heartbeat is there still", || again.stats().dropped(Dropped::Retained) == 1).await;
    assert_eq!(again.stats().dropped(Dropped::RetainedCommand), 0, "once is enough");
}

#[tokio::test]
async fn of_a_stranger_a_large_answer_is_not_read_and_whoever_asked_learns_it() {
    let broker = broker().await;
    let (tunnel, mut events) = start(broker.local_addr()).await;
    let biz = |number: usize| format!(r#"{{"name":"biz{number}","version":"1","state":"activated"}}"#);
    let list = |count: usize| {
        format!(r#"{{"data":[{}],"publishTimestamp":1}}"#, (0..count).map(biz).collect::<Vec<_>>().join(","))
    };
    let large = list(8_000);
    let _base = FakeBase::start(broker.local_addr(), "b1", Some(("simpleBiz", &large))).await;
    for (known, read) in [(false, None), (true, Some(8_000))] {
        tunnel.call(tunnel::Target { known, ..mqtt_target("b1") }, QUERY, PATIENCE);
        match events.outcome().await {
            Ok(Answer::Biz(biz)) => assert_eq!(Some(biz.len()), read),
            Err(CallError::Malformed(cause)) => {
                assert!(read.is_none() && cause.contains("more than"), "{cause}")
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tunnel.stats().dropped(Dropped::TooLarge), 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_counted_and_passed_over() {
    let broker = broker().await;
    let (tunnel, mut events) = start(broker.local_addr()).await;
    let base = FakeBase::start(broker.local_addr(), "b1", None).await;
    base.publish("b1", "heart", "not json").await;
    base.publish("b1", "heart", mqtt_heartbeat("b2", "activated")).await;
    base.publish("b1", "nosuch", "{}").await;
    base.publish("b1", "heart", mqtt_heartbeat("b1", "activated")).await;
    assert!(matches!(events.next().await, Event::Heartbeat { .. }));
    let stats = tunnel.stats();
    assert_eq!((stats.dropped(Dropped::Malformed), stats.dropped(Dropped::Foreign)), (2, 1));
}

#[tokio::test]
async fn where_nobody_reads_heartbeats_are_dropped_and_answers_and_goodbyes_are_kept() {
    let broker = broker().await;
    let (sender, mut events) = events(1);
    let tunnel = MqttTunnel::start(config(broker.local_addr()), sender).unwrap();
    soon(async {
        while !tunnel.stats().up {
            tokio::task::yield_now().await
        }
    })
    .await;
    let base = FakeBase::start(broker.local_addr(), "b1", None).await;
    // The channel is full of `Up`.
    base.publish("b1", "heart", mqtt_heartbeat("b1", "activated")).await;
    base.publish("b1", "heart", mqtt_heartbeat("b1", "deactivated")).await;
    for _ in 0..20 {
        base.publish("b1", NO_BIZ.0, NO_BIZ.1).await;
    }
    soon(async {
        while tunnel.stats().answers < 20 {
            tokio::task::yield_now().await
        }
    })
    .await;
    assert!(matches!(events.next().await, Event::Up(_)));
    let Event::Heartbeat { report, .. } = events.next().await else { panic!() };
    assert_eq!(report.state, BaseState::Deactivated);
    for _ in 0..20 {
        assert!(events.outcome().await.is_ok());
    }
    assert_eq!(tunnel.stats().dropped(Dropped::Heartbeat), 1);
}

#[tokio::test]
async fn more_answers_than_are_held_back_all_arrive_in_the_end() {
    let broker = broker().await;
    let (sender, mut events) = events(1);
    let tunnel = MqttTunnel::start(config(broker.local_addr()), sender).unwrap();
    soon(async {
        while !tunnel.stats().up {
            tokio::task::yield_now().await
        }
    })
    .await;
    let mut publishers = tokio::task::JoinSet::new();
    // Several bases, because one may not say as much.
    for name in ["b1", "b2", "b3", "b4"] {
        let base = FakeBase::start(broker.local_addr(), name, None).await;
        publishers.spawn(async move {
            for _ in 0..750 {
                base.publish(name, NO_BIZ.0, NO_BIZ.1).await;
            }
            base
        });
    }
    for _ in 0..3000 {
        assert!(events.outcome().await.is_ok());
    }
    soon(publishers.join_all()).await;
}

#[tokio::test]
async fn a_base_gets_its_baseline() {
    let broker = broker().await;
    let (tunnel, mut events) = start(broker.local_addr()).await;
    let mut base = FakeBase::start(broker.local_addr(), "b1", None).await;
    let question = r#"{"data":{"identity":"b1","name":"base","version":"1.0.0"},"publishTimestamp":1}"#;
    base.publish("b1", "queryBaseline", question).await;
    let Event::BaselineQuery { query, reply: None, .. } = events.next().await else { panic!() };
    tunnel.answer_baseline(query.identity, &[]);
    let (topic, payload) = soon(base.commands.recv()).await.unwrap();
    assert_eq!((topic.as_str(), payload.as_str()), ("koupleless_dev/b1/base/baseline", "[]"));
}

#[tokio::test]
async fn a_full_table_refuses_and_a_passed_deadline_is_not_sent() {
    let broker = broker().await;
    let (sender, mut events) = events(64);
    let config = MqttConfig { max_pending: 1, ..config(broker.local_addr()) };
    let tunnel = MqttTunnel::start(config, sender).unwrap();
    events.up().await;
    tunnel.call(mqtt_target("b1"), QUERY, PATIENCE);
    tunnel.call(mqtt_target("b2"), QUERY, PATIENCE);
    assert!(matches!(events.outcome().await, Err(CallError::Unreachable(_))));
    tunnel.call(mqtt_target("b1"), QUERY, Duration::ZERO);
    assert!(matches!(events.outcome().await, Err(CallError::Unreachable(_))));
    assert_eq!((tunnel.stats().calls, tunnel.stats().dropped(Dropped::CallRefused)), (1, 2));
}

#[tokio::test]
async fn a_message_over_the_limit_costs_its_sender_the_connection_and_not_us() {
    let broker = broker().await;
    let (tunnel, mut events) = start(broker.local_addr()).await;
    let mut abuser = FakeBase::start(broker.local_addr(), "b2", None).await;
    abuser.publish("b2", "simpleBiz", vec![b' '; MAX_PACKET_BYTES + 1]).await;
    assert_eq!(soon(abuser.commands.recv()).await, None);
    let base = FakeBase::start(broker.local_addr(), "b1", None).await;
    base.publish("b1", "heart", mqtt_heartbeat("b1", "activated")).await;
    assert!(matches!(events.next().await, Event::Heartbeat { .. }));
    assert_eq!(tunnel.stats().connections, 1);
}

#[tokio::test]
async fn a_wrong_password_is_said_once_and_not_shown() {
    let access =
        Access::Password { username: "koupleless".into(), password: model::Secret::new("open sesame") };
    let broker =
        EmbeddedBroker::start("127.0.0.1:0".parse().unwrap(), access, "controller@@@1").await.unwrap();
    let with = |password| MqttConfig {
        username: Some("koupleless".into()),
        password: Some(model::Secret::new(password)),
        ..config(broker.local_addr())
    };
    let (sender, mut refused) = events(64);
    let wrong = MqttTunnel::start(with("hunter2"), sender).unwrap();
    let reason = refused.down().await;
    assert!(reason.contains("MQTT_PASSWORD") && !reason.contains("hunter2"), "{reason}");
    soon(async {
        while wrong.stats().failures < 3 {
            tokio::task::yield_now().await
        }
    })
    .await;
    assert!(refused.0.try_recv().is_err(), "the same reason was said twice");
    let (sender, mut accepted) = events(64);
    let _right = MqttTunnel::start(with("open sesame"), sender).unwrap();
    accepted.up().await;
}

#[tokio::test]
async fn the_shutdown_answers_what_waits() {
    let broker = broker().await;
    let (tunnel, mut events) = start(broker.local_addr()).await;
    let mut base = FakeBase::start(broker.local_addr(), "b1", None).await;
    tunnel.call(mqtt_target("b1"), QUERY, PATIENCE);
    soon(base.commands.recv()).await.unwrap();
    let handle = tunnel.clone();
    soon(tunnel.shutdown()).await;
    assert_eq!(events.outcome().await, Err(CallError::TimedOut));
    handle.call(mqtt_target("b1"), QUERY, PATIENCE);
    assert!(matches!(events.outcome().await, Err(CallError::Unreachable(_))));
}

#[tokio::test]
async fn values_that_cannot_be_are_refused_by_name() {
    let refused = |config: MqttConfig| {
        let (sender, _events) = events(1);
        let MqttStartError::Value { what, .. } = MqttTunnel::start(config, sender).unwrap_err();
        what
    };
    let good = || MqttConfig::new("broker", 1883, "c", "dev");
    assert_eq!(refused(MqttConfig { host: " ".into(), ..good() }), "MQTT_BROKER");
    assert_eq!(refused(MqttConfig { port: 0, ..good() }), "MQTT_PORT");
    assert_eq!(refused(MqttConfig { client_id: String::new(), ..good() }), "CLIENT_ID");
    assert_eq!(refused(MqttConfig { env: "a/b".into(), ..good() }), "ENV");
    let password = Some(model::Secret::new("x"));
    assert_eq!(refused(MqttConfig { password, ..good() }), "MQTT_USERNAME");
    assert_eq!(refused(MqttConfig { reconnect_min: Duration::ZERO, ..good() }), "reconnect_min");
}
