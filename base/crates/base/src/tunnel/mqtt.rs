//! Arklet over MQTT: commands come and answers go on topics of the base's own, heartbeats among them.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions, Publish, PublishOptions, QoS, SubscribeFilter,
};
use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::MissedTickBehavior,
};

use super::{Life, Told, broker::Broker};
use crate::arklet::Commands;

/// Between two attempts to connect.
const RETRY: Duration = Duration::from_secs(1);

/// What waits for the socket.
const UNSENT: usize = 256;

/// Commands at work at one time: what comes beyond waits at the broker.
const MAX_COMMANDS: usize = 64;

/// The largest message: as a command over HTTP.
const MAX_BYTES: usize = 1024 * 1024;

/// How long the last word may take.
const LAST: Duration = Duration::from_secs(2);

/// Between two questions for the baseline that nobody answered.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A base at a broker.
pub(crate) struct Tunnel {
    pub(crate) broker: Broker,
    pub(crate) told: Told,
    pub(crate) commands: Arc<Commands>,
    pub(crate) period: Duration,
    /// Whether the base says that it lives: not before it is ready.
    pub(crate) ready: watch::Receiver<bool>,
    /// Where the first baseline that comes goes, where one is waited for.
    pub(crate) baseline: Option<mpsc::Sender<Value>>,
}

impl Tunnel {
    /// Talks with the broker until `end` says so, and then a last time. A broker that is away is found again.
    pub(crate) async fn run(self, mut end: watch::Receiver<bool>) {
        let this = Arc::new(self);
        let (client, mut events) = AsyncClient::builder(this.options()).capacity(UNSENT).build();
        let places = Arc::new(Semaphore::new(MAX_COMMANDS));
        let mut ticks = tokio::time::interval(this.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asking = tokio::time::interval(ASK_AGAIN);
        asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_heard = true;
        let mut is_subscribed = false;
        let mut ready = this.ready.clone();
        loop {
            let (is_ready, asks) = (*ready.borrow_and_update(), this.waits_for_baseline());
            tokio::select! {
                event = events.poll() => match event {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => this.subscribe(&client),
                    Ok(Event::Incoming(Incoming::SubAck(_))) => {
                        (is_subscribed, is_heard) = (true, true);
                        tracing::info!("the broker hears the base");
                        ticks.reset_immediately();
                        asking.reset_immediately();
                    }
                    Ok(Event::Incoming(Incoming::Publish(message))) => {
                        this.take(&client, &places, message).await;
                    }
                    Ok(_) => {}
                    Err(error) => {
                        is_subscribed = false;
                        // Each change is said once, and not every attempt.
                        if std::mem::take(&mut is_heard) {
                            tracing::warn!("the broker does not hear the base: {error}");
                        }
                        tokio::time::sleep(RETRY).await;
                    }
                },
                Ok(()) = ready.changed() => ticks.reset_immediately(),
                _ = asking.tick(), if is_subscribed && asks && !is_ready => {
                    this.say(&client, "queryBaseline", this.told.baseline_query());
                }
                _ = ticks.tick(), if is_subscribed && is_ready => this.say(&client, "heart", this.told.heartbeat(Life::Activated)),
                () = ended(&mut end) => break,
            }
        }
        if is_subscribed {
            this.say(&client, "heart", this.told.heartbeat(Life::Deactivated));
            last_word(&client, &mut events).await;
        }
    }

    fn waits_for_baseline(&self) -> bool {
        self.baseline.as_ref().is_some_and(|baseline| !baseline.is_closed())
    }

    fn options(&self) -> MqttOptions {
        let broker = &self.broker;
        let mut options = MqttOptions::new(&*broker.client_id, (&*broker.host, broker.port));
        options.set_clean_session(true).set_max_packet_size(MAX_BYTES, MAX_BYTES);
        if let Some((user, password)) = &broker.user {
            options.set_credentials(user, password.expose().to_owned());
        }
        if let Some(tls) = &broker.tls {
            options.set_transport(rumqttc::Transport::Tls(tls.clone()));
        }
        options
    }

    fn topic(&self, last: &str) -> String {
        format!("koupleless_{}/{}/{last}", self.broker.env, self.told.identity)
    }

    /// One request for both, so that one answer says that they are there.
    fn subscribe(&self, client: &AsyncClient) {
        let topics =
            ["+", "base/baseline"].map(|last| SubscribeFilter::new(self.topic(last), QoS::AtLeastOnce));
        if let Err(error) = client.try_subscribe_many(topics) {
            tracing::warn!("the base listens to no commands: {error}");
        }
    }

    fn say(&self, client: &AsyncClient, channel: &str, data: Value) {
        let envelope = json!({"data": data, "publishTimestamp": Timestamp::now().as_millisecond()});
        let topic = self.topic(&format!("base/{channel}"));
        let said = client.try_publish(topic, envelope.to_string(), PublishOptions::at_least_once());
        // Whoever waits for it asks again.
        if let Err(error) = said {
            tracing::warn!("nothing was said on {channel}: {error}");
        }
    }

    /// As many as may be are at work; one more is waited for, and nothing is read meanwhile.
    async fn take(self: &Arc<Self>, client: &AsyncClient, places: &Arc<Semaphore>, message: Publish) {
        let topic = String::from_utf8_lossy(&message.topic).into_owned();
        let Some(command) = topic.rsplit('/').next().map(str::to_owned) else { return };
        let Ok(body) = serde_json::from_slice::<Value>(&message.payload) else {
            tracing::warn!("a command {command} is no JSON, and there is nobody to tell");
            return;
        };
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (this, client) = (self.clone(), client.clone());
        tokio::spawn(async move {
            this.answer(&client, &command, &body).await;
            drop(place);
        });
    }

    async fn answer(&self, client: &AsyncClient, command: &str, body: &Value) {
        match command {
            "health" => self.say(client, "health", self.commands.run(command, body).await.over_mqtt()),
            "queryAllBiz" => self.say(client, "simpleBiz", self.commands.simple_biz()),
            "installBiz" | "uninstallBiz" | "switchBiz" => {
                let response = self.commands.run(command, body).await.over_mqtt();
                let data = json!({
                    "bizName": body["bizName"],
                    "bizVersion": body["bizVersion"],
                    "command": command,
                    "response": response,
                });
                self.say(client, "bizOperation", data);
            }
            "baseline" => self.take_baseline(client, body).await,
            // Nobody waits on a topic for what it does not know.
            other => tracing::warn!("a command {other:?} is not known over MQTT"),
        }
    }
}

impl Tunnel {
    /// The one that the base waits for, or one that a controller sends by itself.
    async fn take_baseline(&self, client: &AsyncClient, body: &Value) {
        if let Some(waits) = self.baseline.as_ref().filter(|waits| !waits.is_closed()) {
            // A second one before the first is read says the same.
            let _ = waits.try_send(body.clone());
            return;
        }
        let list = json!({"bizList": body});
        let response = self.commands.run("batchInstallBiz", &list).await.over_mqtt();
        self.say(
            client,
            "batchInstallBizResponse",
            json!({"command": "batchInstallBiz", "response": response}),
        );
    }
}

async fn ended(end: &mut watch::Receiver<bool>) {
    // Whoever would say so is gone: that is the end too.
    let _ = end.wait_for(|end| *end).await;
}

/// Until what was said is with the broker.
async fn last_word(client: &AsyncClient, events: &mut EventLoop) {
    // It is sent after what was said before.
    let _ = client.try_disconnect();
    let sent = async { while events.poll().await.is_ok() {} };
    if tokio::time::timeout(LAST, sent).await.is_err() {
        tracing::warn!("the broker did not hear that the base ends within {LAST:?}");
    }
}
