use std::time::Duration;

use model::Secret;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, Incoming, MqttOptions, PublishOptions, QoS,
    SubscribeReasonCode,
};
use tokio::time::Instant;
use tunnel::{
    EmbeddedBroker, Event as Told, MqttConfig, MqttTunnel,
    broker::{Access, UsersFile},
    mqtt::Dropped,
};

use crate::{
    directory::Directory,
    mqtt::broker,
    support::{PATIENCE, events, mqtt_heartbeat, soon},
};

/// Connects with MQTT 3.1.1, as a Java base does, and says how it went.
async fn connect(broker: &EmbeddedBroker, user: Option<(&str, &str)>) -> Result<(), ConnectionError> {
    let address = broker.local_addr();
    let mut options = MqttOptions::new("client", (address.ip().to_string(), address.port()));
    if let Some((user, password)) = user {
        options.set_credentials(user, password.to_owned());
    }
    let (_client, mut events) = AsyncClient::builder(options).capacity(1).build();
    soon(events.poll()).await.map(|event| assert!(matches!(event, Event::Incoming(Incoming::ConnAck(_)))))
}

#[tokio::test]
async fn the_right_password_is_taken_and_others_are_not() {
    let access = Access::Password { username: "u".into(), password: Secret::new("secret") };
    let broker =
        EmbeddedBroker::start("127.0.0.1:0".parse().unwrap(), access, "controller@@@1").await.unwrap();
    connect(&broker, Some(("u", "secret"))).await.unwrap();
    for user in [None, Some(("u", "")), Some(("u", "secre")), Some(("u", "secretx")), Some(("v", "secret"))] {
        let begun = Instant::now();
        let refused = connect(&broker, user).await;
        assert!(begun.elapsed() >= Duration::from_secs(1), "who tries passwords shall not try many");
        assert!(
            matches!(
                refused,
                Err(ConnectionError::ConnectionRefused(ConnectReturnCode::BadUserNamePassword))
            ),
            "{user:?}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let broker = broker().await;
    let error =
        EmbeddedBroker::start(broker.local_addr(), Access::Anyone, "controller@@@1").await.unwrap_err();
    assert!(error.to_string().contains(&broker.local_addr().to_string()), "{error}");
}

#[tokio::test]
async fn after_the_shutdown_the_port_is_free() {
    let first = broker().await;
    let address = first.local_addr();
    connect(&first, None).await.unwrap();
    first.shutdown().await;
    let second = EmbeddedBroker::start(address, Access::Anyone, "controller@@@1").await.unwrap();
    connect(&second, None).await.unwrap();
}

const PASSWORD: &str = "0123456789abcdef";

/// A client of this name and client id that has connected, and what it is sent.
async fn client(broker: &EmbeddedBroker, user: &str, id: &str) -> (AsyncClient, rumqttc::EventLoop) {
    let address = broker.local_addr();
    let mut options = MqttOptions::new(id, (address.ip().to_string(), address.port()));
    options.set_credentials(user, PASSWORD);
    let (client, mut events) = AsyncClient::builder(options).capacity(16).build();
    assert!(matches!(soon(events.poll()).await.unwrap(), Event::Incoming(Incoming::ConnAck(_))));
    (client, events)
}

/// What the broker says to a subscription.
async fn subscribe((client, events): &mut (AsyncClient, rumqttc::EventLoop), filter: &str) -> bool {
    client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
    loop {
        if let Event::Incoming(Incoming::SubAck(ack)) = soon(events.poll()).await.unwrap() {
            return matches!(ack.return_codes[..], [SubscribeReasonCode::Success(_)]);
        }
    }
}

#[tokio::test]
async fn a_base_may_speak_as_itself_only_and_users_follow_their_file() {
    let directory = Directory::new();
    let file = directory.write("users", format!("b1 {PASSWORD}\nliar {PASSWORD}\n"));
    let access = Access::Users {
        env: "dev".into(),
        username: "controller".into(),
        password: Secret::new("secret"),
        users: UsersFile::load(&file).unwrap(),
    };
    let broker =
        EmbeddedBroker::start("127.0.0.1:0".parse().unwrap(), access, "controller@@@1").await.unwrap();
    let address = broker.local_addr();
    let (sender, mut told) = events(16);
    let mut config = MqttConfig::new(address.ip().to_string(), address.port(), "controller@@@1", "dev");
    (config.username, config.password) = (Some("controller".into()), Some(Secret::new("secret")));
    let tunnel = MqttTunnel::start(config, sender).unwrap();
    told.up().await;

    let mut liar = client(&broker, "liar", "liar").await;
    assert!(subscribe(&mut liar, "koupleless_dev/liar/+").await);
    for filter in ["#", "koupleless_dev/b1/+", "koupleless_dev/+/base/+"] {
        assert!(!subscribe(&mut liar, filter).await, "{filter}");
    }
    // In the name of another, as a command of the controller, and last as itself.
    for (topic, payload) in [
        ("koupleless_dev/b1/base/heart", mqtt_heartbeat("b1", "deactivated")),
        ("koupleless_dev/b1/uninstallBiz", "{}".into()),
        ("koupleless_dev/liar/base/heart", mqtt_heartbeat("liar", "activated")),
    ] {
        liar.0.publish(topic, payload, PublishOptions::at_least_once()).await.unwrap();
    }
    let polling = tokio::spawn(async move { while liar.1.poll().await.is_ok() {} });
    let Told::Heartbeat { report, .. } = told.next().await else { panic!() };
    assert_eq!(report.identity.as_str(), "liar");
    assert_eq!(tunnel.stats().heartbeats, 1);
    polling.abort();

    // The controller's client id is its own.
    let mut options = MqttOptions::new("controller@@@1", (address.ip().to_string(), address.port()));
    options.set_credentials("b1", PASSWORD);
    let (_client, mut thief) = AsyncClient::builder(options).capacity(1).build();
    let refused = soon(thief.poll()).await;
    assert!(matches!(refused, Err(ConnectionError::ConnectionRefused(_))), "{refused:?}");
    assert!(tunnel.stats().up);

    connect(&broker, Some(("b1", PASSWORD))).await.unwrap();
    directory.write("users", format!("b1 {PASSWORD}-2\n"));
    let deadline = Instant::now() + PATIENCE;
    while connect(&broker, Some(("b1", PASSWORD))).await.is_ok() {
        assert!(Instant::now() < deadline, "the changed file does not count");
    }
    connect(&broker, Some(("b1", &format!("{PASSWORD}-2")))).await.unwrap();
}

#[tokio::test]
async fn a_base_that_calls_itself_another_application_than_its_user_is_not_heard() {
    let directory = Directory::new();
    let text = format!(
        "web {PASSWORD} - base default\npay {PASSWORD} - pay\nany {PASSWORD}\nred {PASSWORD} - - red\n"
    );
    let users = UsersFile::load(&directory.write("users", text)).unwrap();
    let access = Access::Users {
        env: "dev".into(),
        username: "controller".into(),
        password: Secret::new("secret"),
        users: users.clone(),
    };
    let broker =
        EmbeddedBroker::start("127.0.0.1:0".parse().unwrap(), access, "controller@@@1").await.unwrap();
    let address = broker.local_addr();
    let (sender, mut told) = events(16);
    let mut config = MqttConfig::new(address.ip().to_string(), address.port(), "controller@@@1", "dev");
    (config.username, config.password) = (Some("controller".into()), Some(Secret::new("secret")));
    config.users = Some(users);
    let tunnel = MqttTunnel::start(config, sender).unwrap();
    told.up().await;
    // All of them say that they are `base` of the cluster `default`.
    for (user, heard) in [("pay", false), ("red", false), ("web", true), ("any", true)] {
        let mut base = client(&broker, user, user).await;
        let topic = format!("koupleless_dev/{user}/base/heart");
        let payload = mqtt_heartbeat(user, "activated");
        base.0.publish(topic, payload, PublishOptions::at_least_once()).await.unwrap();
        let polling = tokio::spawn(async move { while base.1.poll().await.is_ok() {} });
        if heard {
            let Told::Heartbeat { report, .. } = told.next().await else { panic!() };
            assert_eq!((report.identity.as_str(), report.name.as_deref()), (user, Some("base")));
        } else {
            let deadline = Instant::now() + PATIENCE;
            let refused = if user == "pay" { 1 } else { 2 };
            while tunnel.stats().dropped(Dropped::Application) < refused {
                assert!(Instant::now() < deadline, "{user}: {:?}", tunnel.stats());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        polling.abort();
    }
    assert_eq!(tunnel.stats().heartbeats, 2);
}

#[tokio::test]
async fn a_client_that_says_too_much_is_cut_short_and_others_are_not() {
    let broker = broker().await;
    let address = broker.local_addr();
    let (sender, mut told) = events(4_096);
    let config = MqttConfig::new(address.ip().to_string(), address.port(), "controller@@@1", "dev");
    let tunnel = MqttTunnel::start(config, sender).unwrap();
    told.up().await;
    let mut talks = client(&broker, "", "talks").await;
    let publishing = tokio::spawn(async move {
        for _ in 0..3_000 {
            let sent = talks.0.publish(
                "koupleless_dev/talks/base/heart",
                mqtt_heartbeat("talks", "activated"),
                PublishOptions::at_least_once(),
            );
            tokio::select! {
                sent = sent => sent.unwrap(),
                gone = async { loop { if let Err(gone) = talks.1.poll().await { return gone } } } => panic!("{gone}"),
            }
        }
        // All but the last few were acknowledged by now, those that were dropped too.
        talks
    });
    let talks = soon(publishing).await.unwrap();
    let honest = client(&broker, "", "honest").await;
    let said = mqtt_heartbeat("honest", "activated");
    honest
        .0
        .publish("koupleless_dev/honest/base/heart", said, PublishOptions::at_least_once())
        .await
        .unwrap();
    let (_, mut events) = honest;
    let polling = tokio::spawn(async move { while events.poll().await.is_ok() {} });
    let mut of_one = 0;
    loop {
        let Told::Heartbeat { report, .. } = told.next().await else { panic!() };
        if report.identity.as_str() == "honest" {
            break;
        }
        of_one += 1;
    }
    assert!((1_000..2_000).contains(&of_one), "{of_one} of 3,000 got through");
    assert!(tunnel.stats().up);
    polling.abort();
    drop(talks);
}
