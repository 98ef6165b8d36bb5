//! One connection to the broker, from its first byte to its end. A new one starts from nothing:
//! no session, no queue, so that nothing that was asked before is sent to a base later.

use std::{sync::Arc, time::Duration};

use rumqttc::{
    AsyncClient, ClientError, ConnectReturnCode, ConnectionError, Event, EventLoop, Incoming, MqttOptions,
    Publish, PublishOptions, QoS, StateError, SubscribeReasonCode, TlsConfiguration, TlsError, Transport,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::{
    HANDOVER_BYTES, MAX_PACKET_BYTES, MqttConfig, READ_AT_ONCE, batching::ReadBatching, stats::MqttCounts,
};
use crate::broker::Lag;

/// Messages between the connection and the worker: enough to hide that they take turns.
const HANDOVER: usize = 32;

/// Publishes that wait for the socket. A rollout over 5,000 bases sends one to each at once.
const MAX_UNSENT: usize = 16 * 1024;

/// Publishes that wait for the broker's acknowledgement at a time.
const INFLIGHT: u16 = 1024;

/// How long TCP, TLS and the broker's CONNACK together may take, and then the SUBACK again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a goodbye to the broker may take.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What a connection says.
#[derive(Debug)]
pub(super) enum Inbound {
    /// Connected, and the subscription is acknowledged.
    Up,
    /// A message came; its bytes count until the permit is dropped.
    Message(Publish, OwnedSemaphorePermit),
    /// The broker does not show what it has retained of commands.
    Hidden,
    /// It is over; nothing follows.
    Lost(String),
}

/// A connection: its sending half and what comes from it. Dropped, it is cut off.
pub(super) struct Link {
    client: AsyncClient,
    inbound: mpsc::Receiver<Inbound>,
    task: JoinHandle<()>,
    batching: Arc<ReadBatching>,
    /// When the broker acknowledged the subscription.
    pub(super) up_since: Option<Instant>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Starts to connect.
    pub(super) fn open(config: &MqttConfig, counts: Arc<MqttCounts>) -> Self {
        let (client, event_loop) = AsyncClient::builder(options(config)).capacity(MAX_UNSENT).build();
        let (sender, inbound) = mpsc::channel(HANDOVER);
        let filter = arklet::subscription(&config.env);
        let batching = Arc::new(ReadBatching::new(counts));
        let room = Arc::new(Semaphore::new(HANDOVER_BYTES as usize));
        let out = Handover { sender, room, lag: config.lag.clone() };
        let task = tokio::spawn(run(event_loop, client.clone(), filter, out, batching.clone()));
        Self { client, inbound, task, batching, up_since: None }
    }

    /// The next thing that it says. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Inbound {
        // A task that ended without a word has panicked, in the library.
        self.inbound.recv().await.unwrap_or_else(|| Inbound::Lost("the connection's task ended".into()))
    }

    /// Hands a message over for sending, at QoS 1, not retained. Never waits.
    ///
    /// # Errors
    /// Where it was surely not sent: why, in a few words.
    pub(super) fn publish(&self, topic: String, payload: Vec<u8>) -> Result<(), &'static str> {
        // Topic and header take part of the packet too.
        if topic.len() + payload.len() + 16 > MAX_PACKET_BYTES {
            return Err("the message is too large");
        }
        let handed_over = self.client.try_publish(topic, payload, PublishOptions::at_least_once());
        self.batching.ends();
        handed_over.map_err(|error| match error {
            ClientError::RequestChannelFull(_) => "too many messages wait to be sent to the broker",
            ClientError::RequestChannelDisconnected(_) => "the connection to the broker is ending",
            _ => "the topic is impossible",
        })
    }

    /// Takes away what the broker has retained on a topic.
    ///
    /// # Errors
    /// Where it was surely not sent.
    pub(super) fn clear_retained(&self, topic: String) -> Result<(), ClientError> {
        let handed_over =
            self.client.try_publish(topic, Vec::new(), PublishOptions::at_least_once().retained());
        self.batching.ends();
        handed_over
    }

    /// Begins to be shown what the broker has retained on such topics, and all that is said there; or ends it.
    pub(super) fn look_at(&self, filter: String, look: bool) {
        // A connection that takes nothing any more is about to be lost; the next one looks again.
        let _ = match look {
            true => self.client.try_subscribe(filter, QoS::AtLeastOnce),
            false => self.client.try_unsubscribe(filter),
        };
        self.batching.ends();
    }

    /// Sends what is left and says goodbye.
    pub(super) async fn close(mut self) {
        if self.client.try_disconnect_with_timeout(DISCONNECT_TIMEOUT).is_ok() {
            self.batching.ends();
            // What still comes in is thrown away, so that the task is not held up by it.
            let ended = async { while self.inbound.recv().await.is_some() {} };
            let _ = timeout(2 * DISCONNECT_TIMEOUT, ended).await;
        }
    }
}

fn options(config: &MqttConfig) -> MqttOptions {
    let mut options = MqttOptions::new(&*config.client_id, (&*config.host, config.port));
    options
        .set_keep_alive(config.keep_alive_seconds)
        .set_clean_session(true)
        .set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES)
        .set_inflight(INFLIGHT)
        .set_read_batch_size(READ_AT_ONCE);
    match (&config.username, &config.password) {
        (Some(user), Some(password)) => {
            options.set_credentials(user, password.expose().to_owned());
        }
        (Some(user), None) => {
            options.set_username(user);
        }
        (None, _) => {}
    }
    if let Some(tls) = &config.tls {
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls((*tls.0.current()).clone())));
    }
    options
}

async fn run(
    mut event_loop: EventLoop,
    client: AsyncClient,
    filter: String,
    out: Handover,
    batching: Arc<ReadBatching>,
) {
    let mut network = event_loop.network_options();
    network.set_connection_timeout(CONNECT_TIMEOUT.as_secs());
    network.set_tcp_nodelay(true);
    event_loop.set_network_options(network);
    let reason = match connect(&mut event_loop, &client, filter, &out).await {
        // Our own sender would keep the library from seeing that nobody sends any more.
        Ok(()) => {
            drop(client);
            forward(&mut event_loop, &out, &batching).await
        }
        Err(reason) => reason,
    };
    let _ = out.sender.send(Inbound::Lost(reason)).await;
}

/// CONNECT and SUBSCRIBE, both acknowledged.
async fn connect(
    event_loop: &mut EventLoop,
    client: &AsyncClient,
    filter: String,
    out: &Handover,
) -> Result<(), String> {
    let subscribed = async {
        loop {
            match event_loop.poll().await.map_err(|error| describe(&error))? {
                Event::Incoming(Incoming::ConnAck(_)) => client
                    .try_subscribe(filter.clone(), QoS::AtLeastOnce)
                    .map_err(|error| format!("the subscription cannot be sent: {error}"))?,
                Event::Incoming(Incoming::SubAck(ack)) => {
                    return match ack.return_codes.first() {
                        Some(SubscribeReasonCode::Success(_)) => Ok(()),
                        _ => Err(format!("the broker refuses the subscription {filter} (its access rules?)")),
                    };
                }
                // A broker may send before it acknowledges.
                Event::Incoming(Incoming::Publish(publish)) => out.message(publish).await?,
                _ => {}
            }
        }
    };
    timeout(2 * CONNECT_TIMEOUT, subscribed)
        .await
        .unwrap_or_else(|_| Err("the broker does not acknowledge the subscription".into()))?;
    out.say(Inbound::Up).await
}

/// Passes messages on until the end, and says why it came. Waits where the worker does not keep
/// up: then nothing is read from the socket either, and the broker holds the rest.
async fn forward(event_loop: &mut EventLoop, out: &Handover, batching: &ReadBatching) -> String {
    let mut came = 0;
    loop {
        let passed = match event_loop.poll().await {
            Ok(Event::Incoming(Incoming::Publish(publish))) => {
                came += 1;
                out.message(publish).await
            }
            // The only other subscription is for what is retained.
            Ok(Event::Incoming(Incoming::SubAck(ack)))
                if !matches!(ack.return_codes.first(), Some(SubscribeReasonCode::Success(_))) =>
            {
                out.say(Inbound::Hidden).await
            }
            Ok(_) => Ok(()),
            Err(error) => Err(describe(&error)),
        };
        if let Err(reason) = passed {
            return reason;
        }
        if event_loop.state.events.is_empty() {
            batching.rest(std::mem::take(&mut came)).await;
        }
    }
}

/// The way to the worker: so many messages, and so many bytes.
struct Handover {
    sender: mpsc::Sender<Inbound>,
    room: Arc<Semaphore>,
    lag: Option<Lag>,
}

impl Handover {
    async fn message(&self, publish: Publish) -> Result<(), String> {
        let bytes = publish.payload.len();
        if let Some(lag) = self.lag.as_ref().filter(|_| publish.qos != QoS::AtMostOnce) {
            lag.read(bytes, std::time::Instant::now());
        }
        // One is always let through: no packet is larger than all the room.
        let room = u32::try_from(bytes).unwrap_or(u32::MAX).min(HANDOVER_BYTES);
        let permit = self.room.clone().acquire_many_owned(room).await.map_err(|_| gone())?;
        self.say(Inbound::Message(publish, permit)).await
    }

    async fn say(&self, inbound: Inbound) -> Result<(), String> {
        self.sender.send(inbound).await.map_err(|_| gone())
    }
}

fn gone() -> String {
    "the tunnel ended".into()
}

/// The library's error in a user's words.
fn describe(error: &ConnectionError) -> String {
    match error {
        ConnectionError::NetworkTimeout => "it does not answer".into(),
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => "it refuses user name or password (MQTT_USERNAME, MQTT_PASSWORD)".into(),
        ConnectionError::ConnectionRefused(code) => format!("it refuses the connection: {code:?}"),
        // Certificates are judged within reading and writing, so that is where it is said.
        ConnectionError::Tls(TlsError::Io(cause)) => format!("TLS: {cause}"),
        ConnectionError::MqttState(StateError::Io(cause)) | ConnectionError::Io(cause) => cause.to_string(),
        other => other.to_string(),
    }
}
