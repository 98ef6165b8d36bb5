//! Arklet's tunnel over MQTT: a connection and a thread for each simulated base.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use rumqttc::{Client, Event, Incoming, MqttOptions, Publish, PublishOptions, QoS};
use serde_json::{Value, json};

use super::{arklet::Arklet, last_word};
use crate::seen::text;

/// Between two heartbeats, and between two attempts to connect.
const PERIOD: Duration = Duration::from_secs(1);

/// What waits for the socket: more than commands are at work on one base.
const UNSENT: usize = 256;

/// A base at a broker, until it is dropped.
#[derive(Debug)]
pub(super) struct Connected {
    ended: Arc<AtomicBool>,
    last_word: Arc<AtomicBool>,
}

/// What the thread of a base works with.
struct Base {
    arklet: Arc<Arklet>,
    /// What its topics begin with.
    topics: String,
    heartbeat: Value,
    /// It has yet to say its last word.
    last_word: Arc<AtomicBool>,
}

impl Connected {
    /// Connects to the broker on this port of 127.0.0.1, and does so again whenever the connection ends.
    pub(super) fn start(port: u16, topics: String, heartbeat: Value, arklet: Arc<Arklet>) -> Self {
        let (ended, last_word) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let end = ended.clone();
        let base = Arc::new(Base { arklet, topics, heartbeat, last_word: last_word.clone() });
        thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                // A broker that is away for a while is found again.
                if base.connect(port, &end).is_err() {
                    thread::sleep(PERIOD);
                }
            }
        });
        Self { ended, last_word }
    }

    /// Within a second it publishes its last word, on its own connection: what it said before comes before.
    pub(super) fn say_goodbye(&self) {
        self.last_word.store(true, Ordering::Relaxed);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

impl Base {
    /// Until the connection ends, or the base does.
    fn connect(self: &Arc<Self>, port: u16, end: &AtomicBool) -> Result<()> {
        // Not every broker takes a slash in a client id.
        let mut options = MqttOptions::new(self.topics.replace('/', "-"), ("127.0.0.1", port));
        options.set_clean_session(true);
        let (client, mut connection) = Client::builder(options).capacity(UNSENT).build();
        let mut due = None::<Instant>;
        while !end.load(Ordering::Relaxed) {
            let wait = due.map_or(PERIOD, |due| due.saturating_duration_since(Instant::now()));
            // An error is that nothing came.
            if let Ok(event) = connection.recv_timeout(wait) {
                match event.context("the broker")? {
                    Event::Incoming(Incoming::ConnAck(_)) => {
                        client.try_subscribe(format!("{}/+", self.topics), QoS::AtLeastOnce)?;
                    }
                    Event::Incoming(Incoming::SubAck(_)) => due = Some(Instant::now()),
                    Event::Incoming(Incoming::Publish(message)) => {
                        let (base, client) = (self.clone(), client.clone());
                        // What becomes of an answer is the connection's to tell.
                        thread::spawn(move || drop(base.take(&client, &message)));
                    }
                    Event::Incoming(Incoming::Disconnect) => bail!("the broker says goodbye"),
                    _ => {}
                }
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                due = Some(Instant::now() + PERIOD);
                if self.last_word.swap(false, Ordering::Relaxed) {
                    self.arklet.be_silent(true);
                    self.publish(&client, "heart", last_word(&self.heartbeat))?;
                } else if !self.arklet.is_silent() {
                    self.publish(&client, "heart", self.heartbeat.clone())?;
                }
            }
        }
        Ok(())
    }

    fn take(&self, client: &Client, message: &Publish) -> Result<()> {
        let topic = String::from_utf8_lossy(&message.topic);
        let command = topic.rsplit('/').next().unwrap_or_default();
        let asked: Value = serde_json::from_slice(&message.payload).context("a command")?;
        let Some(answer) = self.arklet.answer(command, &asked) else { return Ok(()) };
        match command {
            "health" => self.publish(client, "health", answer),
            // As bases before 2.1.11 told it: the whole answer.
            "queryAllBiz" if self.arklet.is_as_go_has_it() => self.publish(client, "biz", answer),
            "queryAllBiz" => {
                let simple = |biz: &Value| json!({"name": biz["bizName"], "version": biz["bizVersion"], "state": biz["bizState"]});
                let all = answer["data"].as_array().map(|all| all.iter().map(simple).collect());
                self.publish(client, "simpleBiz", all.unwrap_or_default())
            }
            _ => {
                let (name, version) = (text(&asked, "/bizName"), text(&asked, "/bizVersion"));
                let data =
                    json!({"bizName": name, "bizVersion": version, "command": command, "response": answer});
                self.publish(client, "bizOperation", data)
            }
        }
    }

    fn publish(&self, client: &Client, channel: &str, data: Value) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let envelope = json!({"data": data, "publishTimestamp": u64::try_from(now).unwrap_or_default()});
        let topic = format!("{}/base/{channel}", self.topics);
        client
            .try_publish(topic, envelope.to_string(), PublishOptions::at_least_once())
            .with_context(|| format!("publishing on {channel}"))
    }
}
