//! The broker, tried as the controller would: connect, sign in, and look at what somebody has retained for bases.

use std::{collections::BTreeSet, io, path::PathBuf, sync::Arc, time::Duration};

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Incoming, MqttOptions, QoS,
    SubscribeReasonCode, TlsConfiguration, Transport,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{Evidence, Finding, code::Code};
use crate::{client::chain, text::Text};

/// Who does not take a connection by then is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// What is retained comes at once; this allows for a slow way.
const LOOK: Duration = Duration::from_secs(2);
/// The environment of a controller that is told none.
const DEFAULT_ENV: &str = "dev";
/// How long it is looked at most, however much is said there meanwhile.
const LONGEST: Duration = Duration::from_secs(15);
/// More messages nobody looks through.
const MOST: usize = 10_000;

/// The broker to try; by the settings of the controller, so that in its Pod nothing has to be said.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Broker {
    /// Try this broker from here: host, host:port or URL, as the controller's setting. `embedded` is not tried
    #[arg(long = "mqtt-broker", value_name = "HOST", env = "MQTT_BROKER", help_heading = "Broker")]
    host: Option<String>,
    /// Its port. [default: 1883, with TLS 8883]
    #[arg(long = "mqtt-port", value_name = "PORT", env = "MQTT_PORT", help_heading = "Broker")]
    port: Option<u16>,
    /// The user
    #[arg(long = "mqtt-username", value_name = "NAME", env = "MQTT_USERNAME", help_heading = "Broker")]
    username: Option<String>,
    /// The password
    #[arg(
        long = "mqtt-password",
        value_name = "PASSWORD",
        env = "MQTT_PASSWORD",
        hide_env_values = true,
        help_heading = "Broker"
    )]
    password: Option<String>,
    /// PEM file of the authority that its certificate is verified against; turns TLS on
    #[arg(long = "mqtt-ca-path", value_name = "FILE", env = "MQTT_CA_PATH", help_heading = "Broker")]
    ca: Option<PathBuf>,
}

impl Broker {
    /// Where it is; none where none is to be tried.
    fn place(&self) -> Option<(String, u16)> {
        let told = self.host.as_deref().map(str::trim).filter(|host| !host.is_empty())?;
        if told.eq_ignore_ascii_case("embedded") {
            return None;
        }
        let bare = told.split_once("://").map_or(told, |(_, rest)| rest).trim_end_matches('/');
        let default = if self.ca.is_some() { 8883 } else { 1883 };
        // An IPv6 address has colons of its own, and stands in brackets where a port follows.
        let (host, port) = match bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => match bare.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, Some(port)),
                _ => (bare, None),
            },
        };
        let in_place = port.and_then(|port| port.parse().ok());
        Some((host.to_owned(), self.port.or(in_place).unwrap_or(default)))
    }

    /// Tries it. Where none is named nothing is said. What is retained is looked at for one environment, or for those of all
    /// controllers.
    pub(crate) async fn check(&self, env: Option<&str>, evidence: &mut Evidence) {
        let Some((host, port)) = self.place() else { return };
        let of_controllers = evidence.controllers.iter().map(|controller| controller.env().to_owned());
        let mut envs: BTreeSet<String> = match env {
            Some(env) => BTreeSet::from([env.to_owned()]),
            None => of_controllers.collect(),
        };
        if envs.is_empty() {
            envs.insert(DEFAULT_ENV.to_owned());
        }
        let about = Text::from(format!("broker {host}:{port}"));
        let mut add =
            |code: Code, message: String| evidence.found.push(Finding::new(code, about.clone(), message));
        match timeout(CONNECT, TcpStream::connect((host.as_str(), port)))
            .await
            .map_err(io::Error::from)
            .flatten()
        {
            Ok(stream) => drop(stream),
            Err(error) => {
                return add(
                    Code::BrokerUnreachable,
                    format!("no connection within {} s: {error}", CONNECT.as_secs()),
                );
            }
        }
        let options = match self.options(&host, port) {
            Ok(options) => options,
            Err(why) => return add(Code::BrokerUntrusted, why),
        };
        let (client, events) = AsyncClient::builder(options).capacity(256).build();
        match look(&client, events, &envs).await {
            Ok(Seen::Retained(retained)) if retained.is_empty() => {}
            Ok(Seen::Retained(retained)) => {
                let first: Vec<&str> = retained.iter().take(3).map(String::as_str).collect();
                let more = if retained.len() > first.len() { " …" } else { "" };
                let message = format!("{} commands are retained: {}{more}", retained.len(), first.join(", "));
                add(Code::CommandsRetained, message);
            }
            Ok(Seen::Hidden) => {
                let why = "the broker does not let this user see it (its access rules?)".into();
                evidence.skip("what the broker has retained for bases", why);
            }
            Err((code, why)) => add(code, why),
        }
    }

    fn options(&self, host: &str, port: u16) -> Result<MqttOptions, String> {
        let id = format!("module-controller-check-{}", std::process::id());
        let mut options = MqttOptions::new(id, (host, port));
        options.set_keep_alive(30).set_clean_session(true).set_max_packet_size(1 << 20, 1 << 20);
        match (&self.username, &self.password) {
            (Some(user), Some(password)) => drop(options.set_credentials(user, password.clone())),
            (Some(user), None) => drop(options.set_username(user)),
            (None, _) => {}
        }
        let Some(ca) = &self.ca else { return Ok(options) };
        let wrong = |why: &dyn std::error::Error| format!("the authority {}: {}", ca.display(), chain(why));
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).map_err(|error| wrong(&error))? {
            let certificate = certificate.map_err(|error| wrong(&error))?;
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(config))));
        Ok(options)
    }
}

/// What came of a look.
enum Seen {
    /// The topics on which a command is retained.
    Retained(BTreeSet<String>),
    /// The broker does not show them to this user.
    Hidden,
}

/// Looks at what is retained for the bases of these environments.
async fn look(
    client: &AsyncClient,
    mut events: EventLoop,
    envs: &BTreeSet<String>,
) -> Result<Seen, (Code, String)> {
    let (mut retained, mut patience) = (BTreeSet::new(), CONNECT);
    let end = Instant::now() + LONGEST;
    while retained.len() < MOST && Instant::now() < end {
        let event = match timeout(patience, events.poll()).await {
            Ok(event) => event.map_err(|error| refusal(&error))?,
            // It has shown what there is.
            Err(_) if patience == LOOK => break,
            Err(_) => {
                return Err((Code::BrokerUnreachable, "it takes connections and does not speak MQTT".into()));
            }
        };
        match event {
            Event::Incoming(Incoming::ConnAck(_)) => {
                for env in envs {
                    let subscribed =
                        client.try_subscribe(arklet::command_subscription(env), QoS::AtLeastOnce);
                    subscribed.map_err(|error| (Code::BrokerRefuses, error.to_string()))?;
                }
            }
            Event::Incoming(Incoming::SubAck(ack)) => match ack.return_codes.first() {
                Some(SubscribeReasonCode::Success(_)) => patience = LOOK,
                _ => return Ok(Seen::Hidden),
            },
            Event::Incoming(Incoming::Publish(message)) if message.retain => {
                let topic = String::from_utf8_lossy(&message.topic).into_owned();
                if envs.iter().any(|env| arklet::command_of_topic(env, &topic).is_some()) {
                    retained.insert(topic);
                }
            }
            _ => {}
        }
    }
    Ok(Seen::Retained(retained))
}

fn refusal(error: &ConnectionError) -> (Code, String) {
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => (Code::BrokerRefuses, "it does not let this user in".into()),
        ConnectionError::ConnectionRefused(code) => (Code::BrokerRefuses, format!("it refuses: {code:?}")),
        ConnectionError::Tls(error) => (Code::BrokerUntrusted, chain(error).to_string()),
        other => (Code::BrokerRefuses, format!("it ended the connection: {}", chain(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_read_as_the_controller_reads_it() {
        let place = |host: &str, ca: bool| {
            Broker { host: Some(host.into()), ca: ca.then(|| "ca.pem".into()), ..Broker::default() }.place()
        };
        let at = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(place("broker.example", false), at("broker.example", 1883));
        assert_eq!(place("ssl://broker.example:8884/", true), at("broker.example", 8884));
        assert_eq!(place("[2001:db8::1]:1884", false), at("2001:db8::1", 1884));
        assert_eq!(place("2001:db8::1", true), at("2001:db8::1", 8883));
        assert_eq!(place("Embedded", false), None);
        assert_eq!(place("", false), None);
    }
}
