//! The MQTT tunnel: one connection to a broker, one subscription for all bases.

mod batching;
mod connection;
mod pending;
mod stats;
mod tls;
mod worker;

use std::{sync::Arc, time::Duration};

use arklet::{AnswerKey, CallError, Command};
use model::{BaseIdentity, Fence, ModuleSpec, Pass, Secret, TunnelKind};
use tokio::{
    sync::{Mutex, mpsc, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};

pub use self::{
    stats::{Dropped, MqttStats},
    tls::{CA_VARIABLE, CERTIFICATE_VARIABLE, KEY_VARIABLE, TlsConfig, TlsError},
};
use crate::{
    Addresses, Event, SHUTDOWN_BOUND, Target,
    broker::{Lag, UsersFile},
    event::report,
    stop::{Phase, Stop},
};

/// The largest MQTT packet, in either direction, in bytes: what a base answers that failed to install a hundred modules, with
/// their stack traces. MQTT 3.1.1 knows no other answer to a larger one than to close the connection; set the broker's own
/// limit to the same or less.
pub const MAX_PACKET_BYTES: usize = 4 * 1024 * 1024;

/// Packets that are read from the socket before they are looked at: 48 MiB, if all are as large as may be. More than come
/// together while the connection rests.
const READ_AT_ONCE: usize = 12;

/// Bytes of messages between the connection and the worker, which takes each in microseconds.
const HANDOVER_BYTES: u32 = 8 * 1024 * 1024;

/// Orders that wait for the worker, which takes each in microseconds: 5,000 bases with two or
/// three each at once.
const MAX_ORDERS: usize = 16 * 1024;

/// How the MQTT tunnel is set up.
#[derive(Debug, Clone)]
pub struct MqttConfig {
    /// The broker's host name or address (`MQTT_BROKER`); with TLS its certificate must be for it.
    pub host: String,
    /// The broker's port (`MQTT_PORT`).
    pub port: u16,
    /// `MQTT_USERNAME`.
    pub username: Option<String>,
    /// `MQTT_PASSWORD`.
    pub password: Option<Secret>,
    /// Unique among the broker's clients (`MQTT_CLIENT_PREFIX` and `CLIENT_ID`): of two that
    /// share one, a broker always cuts off the other.
    pub client_id: String,
    /// TLS; none for plain TCP.
    pub tls: Option<TlsConfig>,
    /// Where bases may be.
    pub addresses: Addresses,
    /// The users of the embedded broker, which say what bases may call themselves.
    pub users: Option<UsersFile>,
    /// The environment (`ENV`), part of every topic.
    pub env: String,
    /// How often the broker is asked whether it is there, in seconds; it, or we, give up after
    /// one and a half to two of them.
    pub keep_alive_seconds: u16,
    /// The shortest pause before a new connection.
    pub reconnect_min: Duration,
    /// The longest. Every pause is random between the shortest and a bound that doubles from
    /// twice the shortest to this, so that replicas do not come back all at once. A broker that was away for long is
    /// found within this: bases are silent until then.
    pub reconnect_max: Duration,
    /// The commands that may wait for answers at once: what 5,000 bases can be asked at once,
    /// with room. Each takes some hundred bytes.
    pub max_pending: usize,
    /// Until when commands may be sent, where there are several replicas.
    pub fence: Fence,
    /// Who is told what is read, where the broker is the embedded one.
    pub lag: Option<Lag>,
}

impl MqttConfig {
    /// Defaults for this broker: no user, no TLS.
    pub fn new(
        host: impl Into<String>,
        port: u16,
        client_id: impl Into<String>,
        env: impl Into<String>,
    ) -> Self {
        Self {
            host: host.into(),
            port,
            username: None,
            password: None,
            client_id: client_id.into(),
            tls: None,
            addresses: Addresses::default(),
            users: None,
            env: env.into(),
            keep_alive_seconds: 15,
            reconnect_min: Duration::from_millis(500),
            reconnect_max: Duration::from_secs(5),
            max_pending: 16 * 1024,
            fence: Fence::open(),
            lag: None,
        }
    }
}

/// Why the MQTT tunnel did not start. A broker that is not there is no such reason: the tunnel
/// reports [`Event::Down`] and keeps trying.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MqttStartError {
    /// A value that no broker and no pause can be made of.
    #[error("{what} is {value:?}; {allowed}")]
    Value {
        /// The value's variable or name.
        what: &'static str,
        /// The value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

/// The MQTT tunnel at work. Clones are handles of the same tunnel, which ends with the last.
#[derive(Debug, Clone)]
pub struct MqttTunnel {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    orders: mpsc::Sender<Order>,
    events: mpsc::Sender<Event>,
    counts: Arc<stats::MqttCounts>,
    stop: watch::Sender<Phase>,
    worker: Mutex<JoinHandle<()>>,
    fence: Fence,
}

/// What the worker is told to do.
#[derive(Debug)]
enum Order {
    Call { base: BaseIdentity, known: bool, command: Command, deadline: Instant, pass: Pass },
    Baseline { base: BaseIdentity, modules: Vec<ModuleSpec>, pass: Pass },
}

impl MqttTunnel {
    /// Checks the configuration and starts to connect; [`Event::Up`] says when the broker has
    /// acknowledged the subscription. Needs a tokio runtime with time and net.
    ///
    /// # Errors
    /// For an empty host or client id, an environment that no topic can carry, or a zero where
    /// none can be.
    pub fn start(config: MqttConfig, events: mpsc::Sender<Event>) -> Result<Self, MqttStartError> {
        check(&config)?;
        let (orders, received) = mpsc::channel(MAX_ORDERS);
        let (sender, stop) = Stop::new();
        let counts = Arc::new(stats::MqttCounts::default());
        let fence = config.fence.clone();
        let following = config.tls.clone();
        let worker = worker::Worker::new(config, received, events.clone(), counts.clone(), stop);
        let worker = Mutex::new(tokio::spawn(async move {
            match following {
                Some(tls) => tokio::select! { () = worker.run() => {}, () = tls.0.follow() => {} },
                None => worker.run().await,
            }
        }));
        Ok(Self { inner: Arc::new(Inner { orders, events, counts, stop: sender, worker, fence }) })
    }

    /// Publishes a command. Never waits: how it ended comes as [`Event::Answer`]. Without a
    /// connection that is [`CallError::Unreachable`] at once; nothing is kept for later.
    ///
    /// A base answers without naming the request. So two calls with the same base, command and
    /// biz at the same time are one wait with the later deadline, and a late answer to an earlier
    /// call ends the wait of a later one. A Java base knows no `switchBiz`, `queryBizOps` and
    /// `help` here: they time out.
    pub fn call(&self, target: Target, command: Command, deadline: Duration) {
        let (deadline, pass) = (Instant::now() + deadline, self.inner.fence.pass());
        let order = Order::Call { base: target.base, known: target.known, command, deadline, pass };
        let (order, cause) = match self.inner.orders.try_send(order) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(order)) => (order, "too many commands wait"),
            Err(mpsc::error::TrySendError::Closed(order)) => (order, "the MQTT tunnel has ended"),
        };
        self.inner.counts.dropped(Dropped::CallRefused);
        if let Order::Call { base, command, .. } = order {
            let key = AnswerKey { command: command.kind(), biz: command.biz().cloned() };
            let outcome = Err(CallError::Unreachable(cause.to_owned()));
            report(&self.inner.events, Event::Answer { tunnel: TunnelKind::Mqtt, base, key, outcome });
        }
    }

    /// Answers an [`Event::BaselineQuery`]. Never waits; without a connection the answer is
    /// dropped and counted, and the base asks again when it starts again.
    pub fn answer_baseline(&self, base: BaseIdentity, modules: &[ModuleSpec]) {
        let order = Order::Baseline { base, modules: modules.to_vec(), pass: self.inner.fence.pass() };
        if self.inner.orders.try_send(order).is_err() {
            self.inner.counts.dropped(Dropped::Baseline);
        }
    }

    /// What was counted so far.
    pub fn stats(&self) -> MqttStats {
        self.inner.counts.snapshot()
    }

    /// Takes nothing new, answers what waits with [`CallError::TimedOut`], lets the broker have
    /// what is on its way and says goodbye to it, all within
    /// [`SHUTDOWN_BOUND`].
    pub async fn shutdown(self) {
        self.inner.stop.send_replace(Phase::Draining);
        let mut worker = self.inner.worker.lock().await;
        if timeout(SHUTDOWN_BOUND, &mut *worker).await.is_err() {
            tracing::warn!("the MQTT tunnel ends with work under way");
            worker.abort();
        }
    }
}

fn check(config: &MqttConfig) -> Result<(), MqttStartError> {
    let refuse = |what, value: &dyn ToString, allowed| {
        Err(MqttStartError::Value { what, value: value.to_string(), allowed })
    };
    if config.host.trim().is_empty() {
        return refuse("MQTT_BROKER", &config.host, "a host name or an address is needed");
    }
    if config.port == 0 {
        return refuse("MQTT_PORT", &config.port, "1 to 65535 are allowed");
    }
    if config.client_id.is_empty() {
        return refuse("CLIENT_ID", &config.client_id, "at least one character is needed");
    }
    if config.env.is_empty() || config.env.contains(['/', '+', '#', '\0']) {
        return refuse("ENV", &config.env, "it is part of a topic: not empty, and without /, + and #");
    }
    if config.username.is_none() && config.password.is_some() {
        return refuse("MQTT_USERNAME", &"", "a password needs a user name");
    }
    if config.reconnect_min.is_zero() || config.reconnect_max < config.reconnect_min {
        return refuse(
            "reconnect_min",
            &config.reconnect_min.as_secs_f32(),
            "over 0 and not over the longest",
        );
    }
    Ok(())
}
