//! Commands, answers and heartbeats over MQTT: one connection for each base, as real ones have.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, Publish, PublishOptions, QoS};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{FleetOptions, Member, second_heartbeat, words};

/// How often a Java base publishes a heartbeat.
pub const PERIOD: Duration = Duration::from_secs(10);

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers that wait for the socket: far more than commands are at work on one base.
const UNSENT: usize = 256;

/// Starts the connections.
pub(super) fn start(members: &[Arc<Member>], options: &FleetOptions, broker: u16) -> Vec<JoinHandle<()>> {
    let count = members.len();
    let run = |(n, member): (usize, &Arc<Member>)| {
        let base = Connected {
            member: member.clone(),
            topics: format!("koupleless_{}/{}", options.env, member.identity),
            version: options.version.clone(),
            second: second_heartbeat(PERIOD, n, count),
        };
        tokio::spawn(base.run(broker))
    };
    members.iter().enumerate().map(run).collect()
}

/// A base at the broker.
#[derive(Clone)]
struct Connected {
    member: Arc<Member>,
    /// What its topics begin with.
    topics: String,
    version: String,
    second: Duration,
}

impl Connected {
    async fn run(self, broker: u16) {
        loop {
            let mut options = MqttOptions::new(self.topics.as_str(), ("127.0.0.1", broker));
            options.set_keep_alive(60).set_clean_session(true).set_inflight(100);
            let (client, mut events) = AsyncClient::builder(options).capacity(UNSENT).build();
            let mut network = events.network_options();
            network.set_tcp_nodelay(true);
            events.set_network_options(network);
            let mut heart = None;
            let ended = self.serve(&client, &mut events, &mut heart).await;
            if let Some(heart) = heart {
                JoinHandle::abort(&heart);
            }
            self.member.heartbeat_ended(ended.context("the connection to the broker"));
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Until the connection ends.
    async fn serve(
        &self,
        client: &AsyncClient,
        events: &mut EventLoop,
        heart: &mut Option<JoinHandle<()>>,
    ) -> Result<()> {
        loop {
            match events.poll().await.context("the broker")? {
                Event::Incoming(Incoming::ConnAck(_)) => {
                    for filter in [format!("{}/+", self.topics), format!("{}/base/baseline", self.topics)] {
                        client.try_subscribe(filter, QoS::AtLeastOnce).context("subscribing")?;
                    }
                }
                Event::Incoming(Incoming::SubAck(_)) if heart.is_none() => {
                    *heart = Some(tokio::spawn(self.clone().heartbeats(client.clone())));
                }
                Event::Incoming(Incoming::Publish(publish)) => {
                    let (base, client) = (self.clone(), client.clone());
                    tokio::spawn(async move { base.take(&client, &publish).await });
                }
                Event::Incoming(Incoming::Disconnect) => bail!("the broker says goodbye"),
                _ => {}
            }
        }
    }

    async fn heartbeats(self, client: AsyncClient) {
        let ip = self.member.ip.to_string();
        let heartbeat = words::heartbeat(&self.member.identity, &self.version, &ip, 0);
        let query = json!({
            "clusterName": "default", "identity": self.member.identity, "name": "base", "version": self.version,
        });
        self.member.heartbeat_begins();
        self.member.heartbeat_ended(self.publish(&client, "heart", heartbeat.clone()));
        // What becomes of it is the connection's to tell.
        let _ = self.publish(&client, "queryBaseline", query);
        let mut due = interval_at(Instant::now() + self.second, PERIOD);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            self.member.heartbeat_ended(self.publish(&client, "heart", heartbeat.clone()));
        }
    }

    /// A message for this base: a command, or the baseline.
    async fn take(&self, client: &AsyncClient, publish: &Publish) {
        let topic = String::from_utf8_lossy(&publish.topic);
        let Some(command) = topic.strip_prefix(&*self.topics).and_then(|rest| rest.strip_prefix('/')) else {
            return;
        };
        let sent = match command {
            // The bench gives no baseline; an empty one is answered as it was recorded.
            "base/baseline" => self.publish(
                client,
                "batchInstallBizResponse",
                json!({"command": "batchInstallBiz", "response": {"code": "SUCCESS", "data": {
                    "bizUrlToResponse": {}, "code": "SUCCESS", "elapsedSpace": 848, "message": "batch install success",
                }}}),
            ),
            // Arklet's MQTT tunnel knows these four; others are never answered.
            "installBiz" | "uninstallBiz" | "queryAllBiz" | "health" => {
                let Some(answer) = self.member.carry_out(command, &publish.payload).await else { return };
                let (channel, data) = self.message(command, &publish.payload, answer);
                self.publish(client, channel, data)
            }
            _ => return,
        };
        if let Err(error) = sent {
            self.member.heartbeat_ended(Err(error));
        }
    }

    /// An answer in MQTT's form, and where it goes.
    fn message(&self, command: &str, payload: &[u8], mut answer: Value) -> (&'static str, Value) {
        // Over MQTT an answer does not name the base.
        if let Some(answer) = answer.as_object_mut() {
            answer.remove("baseIdentity");
        }
        match command {
            "health" => ("health", answer),
            "queryAllBiz" => ("simpleBiz", self.member.simple_list()),
            _ => {
                let asked: Value = serde_json::from_slice(payload).unwrap_or_default();
                let field = |key: &str| asked.get(key).cloned().unwrap_or_default();
                let data = json!({
                    "bizName": field("bizName"), "response": answer, "command": command,
                    "bizVersion": field("bizVersion"),
                });
                ("bizOperation", data)
            }
        }
    }

    fn publish(&self, client: &AsyncClient, channel: &str, data: Value) -> Result<()> {
        let envelope = json!({"data": data, "publishTimestamp": Timestamp::now().as_millisecond()});
        let topic = format!("{}/base/{channel}", self.topics);
        client
            .try_publish(topic, envelope.to_string(), PublishOptions::at_least_once())
            .with_context(|| format!("publishing on {channel}"))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Mutex;

    use arklet::{Answer, Message, parse_message};

    use super::super::{State, base::Base, words::Case};
    use super::*;

    fn connected() -> Connected {
        let base = Base::new("b1", "v1", Case::Mqtt, (Duration::ZERO, Duration::ZERO));
        let state = State {
            base,
            first_heartbeat: None,
            heartbeats: 0,
            heartbeats_failed: 0,
            last_failure: String::new(),
        };
        let member = Member { identity: "b1".into(), ip: Ipv4Addr::LOCALHOST, state: Mutex::new(state) };
        Connected {
            member: Arc::new(member),
            topics: "koupleless_dev/b1".into(),
            version: "v1".into(),
            second: PERIOD,
        }
    }

    async fn ask(base: &Connected, command: &str, body: &str) -> Answer {
        let answer = base.member.carry_out(command, body.as_bytes()).await.unwrap();
        let (channel, data) = base.message(command, body.as_bytes(), answer);
        let payload = json!({"data": data, "publishTimestamp": 1}).to_string();
        let topic = format!("{}/base/{channel}", base.topics);
        match parse_message("dev", &topic, payload.as_bytes()).unwrap().unwrap() {
            Message::Answer { key, outcome, .. } => {
                assert_eq!(key.command.name(), command);
                outcome.unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn answers_are_understood() {
        let base = connected();
        let biz = r#"{"bizName":"biz1","bizVersion":"1","bizUrl":"file:///a.jar"}"#;
        assert!(
            matches!(ask(&base, "health", "{}").await, Answer::Health(health) if health.master.is_some())
        );
        assert!(matches!(ask(&base, "installBiz", biz).await, Answer::Installed(list) if list.len() == 1));
        assert!(
            matches!(ask(&base, "queryAllBiz", "{}").await, Answer::Biz(list) if list[0].changed_at.is_some())
        );
        assert_eq!(ask(&base, "uninstallBiz", biz).await, Answer::Uninstalled);
    }
}
