//! The tunnels that are on, and what they say in the engine's words.

use std::{
    collections::{BTreeMap, HashMap},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use engine::{Event, Target, TunnelEvent, view::Door};
use model::{BaseIdentity, BaseReport, Fence, ModuleSpec, TunnelKind};
use tokio::sync::{mpsc, oneshot};
use tunnel::{
    Addresses, EmbeddedBroker, ForwardConfig, Forwarder, HttpConfig, HttpTunnel, MqttConfig, MqttTunnel,
    TlsConfig,
    broker::{Access, UsersFile},
    forward::ForwardStats,
    http::{HttpStats, ServerTls, TokenFile},
    mqtt::MqttStats,
};

use crate::settings::{Broker, Mqtt, Settings};

/// The tunnels. Clones are handles of the same.
#[derive(Debug, Clone)]
pub(crate) struct Tunnels {
    pub(crate) http: Option<HttpTunnel>,
    pub(crate) mqtt: Option<MqttTunnel>,
    /// The ways to other replicas, where what one hears is for another.
    pub(crate) forwarder: Option<Forwarder>,
}

impl Tunnels {
    /// Starts what is on; the embedded broker first, where it is wanted.
    pub(crate) async fn start(
        settings: &Settings,
        fence: &Fence,
        addresses: Addresses,
        events: mpsc::Sender<tunnel::Event>,
    ) -> anyhow::Result<(Self, Option<EmbeddedBroker>)> {
        if settings.is_open() {
            tracing::warn!(
                "whoever reaches the HTTP tunnel may speak as any base: set HTTP_TUNNEL_TOKEN_FILE, or BASE_ADDRESS_CIDRS at least"
            );
        }
        let http = match settings.http_port {
            Some(port) => {
                let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
                let mut config = HttpConfig {
                    addresses: addresses.clone(),
                    fence: fence.clone(),
                    ..HttpConfig::new(listen)
                };
                config.tokens = settings.doors.tokens.as_deref().map(TokenFile::load).transpose()?;
                let certificate = settings.doors.certificate.as_ref();
                config.tls = certificate.map(|(crt, key)| ServerTls::load(crt, key)).transpose()?;
                let tunnel = HttpTunnel::start(config, events.clone()).await?;
                tracing::info!(address = %tunnel.local_addr(), "the HTTP tunnel listens");
                Some(tunnel)
            }
            None => None,
        };
        let forwarder = match settings.forward {
            Some(listen) => {
                let config = ForwardConfig { listen, addresses: addresses.clone(), fence: fence.clone() };
                let forwarder = Forwarder::start(config, events.clone()).await?;
                tracing::info!(address = %forwarder.local_addr(), "other replicas may send heartbeats on");
                Some(forwarder)
            }
            None => None,
        };
        let Some(mqtt) = &settings.mqtt else { return Ok((Self { http, mqtt: None, forwarder }, None)) };
        let users = settings.doors.users.as_deref().map(UsersFile::load).transpose()?;
        let broker = match mqtt.broker {
            Broker::Embedded => Some(start_broker(settings, mqtt, users.clone()).await?),
            Broker::At(_) => None,
        };
        let mut config = mqtt_config(settings, mqtt)?;
        config.addresses = addresses;
        config.users = users;
        config.fence = fence.clone();
        if let Some(broker) = &broker {
            config.host = Ipv4Addr::LOCALHOST.to_string();
            config.port = broker.local_addr().port();
            config.lag = Some(broker.lag());
        }
        let mqtt = MqttTunnel::start(config, events).context("starting the MQTT tunnel")?;
        Ok((Self { http, mqtt: Some(mqtt), forwarder }, broker))
    }

    /// Sends a command to a base. Its end comes as an event.
    pub(crate) fn call(&self, target: Target, command: arklet::Command, deadline: Duration) {
        let Target { base, tunnel, address, known } = target;
        let to = tunnel::Target { base, tunnel, address, known };
        match (tunnel, &self.http, &self.mqtt) {
            (TunnelKind::Http, Some(http), _) => http.call(to, command, deadline),
            (TunnelKind::Mqtt, _, Some(mqtt)) => mqtt.call(to, command, deadline),
            // A VNode of a tunnel that was turned off since: the engine hears nothing, and its own
            // deadline tells it so.
            (_, _, _) => tracing::debug!(base = %to.base, %tunnel, "a command for a tunnel that is off"),
        }
    }

    /// Of each tunnel that is on, whether it carries messages.
    pub(crate) fn up(&self) -> Vec<(&'static str, bool)> {
        // What listens for HTTP does so until the end.
        let http = self.http.is_some().then_some(("http", true));
        let mqtt = self.mqtt_stats().map(|stats| ("mqtt", stats.up));
        http.into_iter().chain(mqtt).collect()
    }

    /// Where this replica takes what others heard in its stead.
    pub(crate) fn door(&self) -> Option<Door> {
        let forwarder = self.forwarder.as_ref()?;
        Some(Door { address: forwarder.local_addr(), key: forwarder.key().into() })
    }

    /// These replicas live, and this one is `own`.
    pub(crate) fn meet(&self, own: &Arc<str>, others: BTreeMap<Arc<str>, Door>) {
        if let Some(forwarder) = &self.forwarder {
            let others = others.into_iter().map(|(name, door)| (name, (door.address, door.key)));
            forwarder.meet(own, others.collect());
        }
    }

    /// Sends a heartbeat on to the replica that it is for.
    pub(crate) fn forward(&self, to: &str, report: &BaseReport) {
        if let Some(forwarder) = &self.forwarder {
            forwarder.forward(to, report);
        }
    }

    /// What was counted of that.
    pub(crate) fn forward_stats(&self) -> Option<ForwardStats> {
        self.forwarder.as_ref().map(Forwarder::stats)
    }

    /// Answers a base's question for its baseline; over HTTP to where it waits.
    pub(crate) fn answer_baseline(
        &self,
        tunnel: TunnelKind,
        base: BaseIdentity,
        modules: Vec<ModuleSpec>,
        reply: Option<Reply>,
    ) {
        match (tunnel, &self.mqtt, reply) {
            (TunnelKind::Mqtt, Some(mqtt), _) => mqtt.answer_baseline(base, &modules),
            // It may have given up waiting.
            (TunnelKind::Http, _, Some(reply)) => drop(reply.send(modules)),
            (_, _, _) => tracing::debug!(%base, %tunnel, "a baseline for nobody"),
        }
    }

    /// What the HTTP tunnel has counted.
    pub(crate) fn http_stats(&self) -> Option<HttpStats> {
        self.http.as_ref().map(HttpTunnel::stats)
    }

    /// What the MQTT tunnel has counted.
    pub(crate) fn mqtt_stats(&self) -> Option<MqttStats> {
        self.mqtt.as_ref().map(MqttTunnel::stats)
    }

    /// Ends the tunnels.
    pub(crate) async fn shutdown(self) {
        if let Some(http) = self.http {
            http.shutdown().await;
        }
        if let Some(mqtt) = self.mqtt {
            mqtt.shutdown().await;
        }
        if let Some(forwarder) = self.forwarder {
            forwarder.shutdown();
        }
    }
}

/// Where a base waits for its baseline.
type Reply = oneshot::Sender<Vec<ModuleSpec>>;

/// The questions for a baseline that wait for the engine, which answers each within seconds.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    last: u64,
    waiting: HashMap<u64, Reply>,
}

impl Asked {
    /// Keeps where the answer goes, where anybody waits for it; gives the question's number.
    fn keep(&mut self, reply: Option<Reply>) -> u64 {
        self.last += 1;
        if let Some(reply) = reply {
            self.waiting.insert(self.last, reply);
        }
        self.last
    }

    /// Where the answer goes.
    pub(crate) fn take(&mut self, ask: u64) -> Option<Reply> {
        self.waiting.remove(&ask)
    }
}

async fn start_broker(
    settings: &Settings,
    mqtt: &Mqtt,
    users: Option<UsersFile>,
) -> anyhow::Result<EmbeddedBroker> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, mqtt.port));
    let access = match (mqtt.username.clone(), mqtt.password.clone(), users) {
        (Some(username), Some(password), Some(users)) => {
            Access::Users { env: settings.engine.env.to_string(), username, password, users }
        }
        (Some(username), Some(password), None) => Access::Password { username, password },
        _ => Access::Anyone,
    };
    let broker = EmbeddedBroker::start(address, access, &client_id(settings, mqtt)).await?;
    tracing::info!(address = %broker.local_addr(), "the embedded broker listens");
    Ok(broker)
}

/// As the Go controller forms it, so that a broker's rules for client ids go on working by their beginning; and for this
/// process alone: of two clients of one id a broker cuts off the first whenever the second comes, without end.
pub(crate) fn client_id(settings: &Settings, mqtt: &Mqtt) -> String {
    format!("{}@@@{}@@@{}", mqtt.client_prefix, settings.client_id, settings.incarnation)
}

fn mqtt_config(settings: &Settings, mqtt: &Mqtt) -> anyhow::Result<MqttConfig> {
    let host = match &mqtt.broker {
        Broker::At(host) => host.as_str(),
        Broker::Embedded => "",
    };
    let mut config = MqttConfig::new(host, mqtt.port, client_id(settings, mqtt), &*settings.engine.env);
    config.username = mqtt.username.clone();
    config.password = mqtt.password.clone();
    config.tls = TlsConfig::load(mqtt.ca.as_deref(), mqtt.certificate.as_deref(), mqtt.key.as_deref())?;
    Ok(config)
}

/// What a tunnel said, in the engine's words.
pub(crate) fn translate(event: tunnel::Event, asked: &mut Asked) -> Event {
    match event {
        tunnel::Event::Heartbeat { tunnel, report } => {
            Event::Tunnel(TunnelEvent::Heartbeat { tunnel, report })
        }
        tunnel::Event::Forwarded(report) => Event::Tunnel(TunnelEvent::Forwarded(report)),
        tunnel::Event::Answer { tunnel, base, key, outcome } => {
            Event::Tunnel(TunnelEvent::Answer { tunnel, base, key, outcome })
        }
        tunnel::Event::BaselineQuery { tunnel, query, reply } => {
            Event::Tunnel(TunnelEvent::BaselineQuery { tunnel, query, ask: asked.keep(reply) })
        }
        tunnel::Event::Up(tunnel) => {
            tracing::info!(%tunnel, "the tunnel is up");
            Event::Tunnel(TunnelEvent::TunnelUp(tunnel))
        }
        tunnel::Event::Down { tunnel, reason } => {
            tracing::warn!(%tunnel, reason, "the tunnel is down");
            Event::Tunnel(TunnelEvent::TunnelDown(tunnel))
        }
    }
}
