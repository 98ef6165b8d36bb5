//! What a base is told: typed, and refused where it cannot be.

mod properties;

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    time::Duration,
};

use host::{Ceilings, Networks};
use model::Secret;
use url::Url;

pub(crate) use self::properties::SettingError;
use self::properties::{Property, Values};
use crate::{modules::Waits, web::Shown};

const fn property(name: &'static str, default: &'static str, meaning: &'static str) -> Property {
    Property { name, default, meaning }
}

const NAME: &str = "spring.application.name";
const VERSION: &str = "base.version";
const IDENTITY: &str = "base.identity";
const CLUSTER: &str = "base.cluster";
const LOCAL_IP: &str = "base.local-ip";
const HOST_NAME: &str = "base.host-name";
const DATA: &str = "base.data";
const WEB_ADDRESS: &str = "server.address";
const WEB_PORT: &str = "server.port";
const ARKLET_PORT: &str = "koupleless.arklet.http.port";
const HEARTBEAT: &str = "koupleless.arklet.http.heartbeat.endpoint";
const HEARTBEAT_MS: &str = "base.heartbeat-ms";
const MQTT_ENABLE: &str = "koupleless.arklet.mqtt.enable";
const MQTT_BROKER: &str = "koupleless.arklet.mqtt.broker";
const MQTT_PORT: &str = "koupleless.arklet.mqtt.port";
const MQTT_USER: &str = "koupleless.arklet.mqtt.username";
const MQTT_PASSWORD: &str = "koupleless.arklet.mqtt.password";
const MQTT_CA: &str = "koupleless.arklet.mqtt.ca_path";
const MQTT_CERTIFICATE: &str = "koupleless.arklet.mqtt.client_crt_path";
const MQTT_KEY: &str = "koupleless.arklet.mqtt.client_key_path";
const MQTT_PREFIX: &str = "koupleless.arklet.mqtt.client.prefix";
const ENV: &str = "base.env";
const PLAYBACK: &str = "base.playback";
const STATIC_DIR: &str = "com.alipay.sofa.ark.static.biz.dir";
const AUTO_UNINSTALL: &str = "sofa.ark.auto.uninstall.when.failed.enable";
const SILENCE: &str = "com.alipay.sofa.koupleless.runtime.operation.silenceSecondsBeforeUninstall";
const DRAIN: &str = "base.drain-seconds";
const EXPOSED: &str = "management.endpoints.web.exposure.include";
const SHOW_COMPONENTS: &str = "management.endpoint.health.show-components";
const SHOW_DETAILS: &str = "management.endpoint.health.show-details";
const WITH_ALL_BIZ: &str = "koupleless.healthcheck.base.readiness.withAllBizReadiness";
const THREADS: &str = "base.module.threads";
const INSTANCES: &str = "base.module.instances";
const MEMORY: &str = "base.module.memory-mib";
const TOTAL_MEMORY: &str = "base.module.total-memory-mib";
const REQUEST_MS: &str = "base.module.request-ms";
const CONCURRENT: &str = "base.module.concurrent-requests";
const RESPONSE: &str = "base.module.response-mib";
const OUTBOUND: &str = "base.module.outbound.networks";
const REUSE: &str = "base.module.reuse";
const LOG: &str = "base.module.log-kib";
const MAX_BIZ: &str = "base.module.max";
const AUTHORITIES: &str = "base.ca-path";

/// Every property of a base.
const PROPERTIES: &[Property] = &[
    property(NAME, "base", "The base's name; modules find it by the label base.koupleless.io/name."),
    property(
        VERSION,
        "1.0.0",
        "The base's version; modules find it by the label base.koupleless.io/version.",
    ),
    property(
        IDENTITY,
        "random",
        "What the base is known by: a word, `random` (a new one at each start), or `kept` (a random one that is kept in the data folder).",
    ),
    property(CLUSTER, "default", "The cluster that the base says it belongs to."),
    property(
        LOCAL_IP,
        "",
        "The address at which a controller reaches it; that of the route to the controller or the broker where it is not set.",
    ),
    property(HOST_NAME, "", "Its host name; that of the machine where it is not set."),
    property(DATA, "koupleless-base", "The folder of what it keeps: compiled modules and its identity."),
    property(WEB_ADDRESS, "0.0.0.0", "The address that it listens at, for modules and for Arklet."),
    property(WEB_PORT, "8080", "The port of its modules and its actuator; 0 has one chosen."),
    property(ARKLET_PORT, "1238", "The port of Arklet; 0 has one chosen."),
    property(HEARTBEAT, "", "The controller that it tells that it lives, http://host:port."),
    property(HEARTBEAT_MS, "10000", "Between two heartbeats, in milliseconds."),
    property(MQTT_ENABLE, "false", "Whether the base talks over MQTT."),
    property(MQTT_BROKER, "", "The broker's host."),
    property(MQTT_PORT, "1883", "The broker's port."),
    property(MQTT_USER, "", "The user at the broker."),
    property(MQTT_PASSWORD, "", "The user's password."),
    property(MQTT_CA, "", "The CA to trust, a PEM file: then the base talks TLS."),
    property(MQTT_CERTIFICATE, "", "The base's own certificate at the broker, a PEM file."),
    property(MQTT_KEY, "", "The key of that certificate, a PEM file."),
    property(MQTT_PREFIX, "base", "What the client id at the broker begins with."),
    property(ENV, "default", "The environment in the topics: as ENV of the controller."),
    property(
        PLAYBACK,
        "false",
        "Whether the base asks the controller for its baseline and installs it before it is ready.",
    ),
    property(
        STATIC_DIR,
        "",
        "A folder whose packages (*.wasm) are installed before the base is ready: static merge deployment.",
    ),
    property(
        AUTO_UNINSTALL,
        "true",
        "Whether a module whose start failed is forgotten; kept as broken otherwise.",
    ),
    property(
        SILENCE,
        "0",
        "How long a module still serves after its start-up status went DOWN, before it is uninstalled.",
    ),
    property(DRAIN, "30", "How long requests at work may take to end when their module is uninstalled."),
    property(EXPOSED, "health", "The endpoints of the actuator that are there: health, info, or *."),
    property(
        SHOW_COMPONENTS,
        "",
        "Whether health shows what it is made of: never or always; as show-details where it is not set.",
    ),
    property(SHOW_DETAILS, "never", "Whether health shows details: never or always."),
    property(
        WITH_ALL_BIZ,
        "false",
        "Whether the start of modules that are installed later counts for the base's health and readiness.",
    ),
    property(THREADS, "", "The threads that modules run on; as many as processors where it is not set."),
    property(INSTANCES, "500", "Requests at work of all modules together."),
    property(MEMORY, "256", "The most memory of one request, in MiB; a module that asks for none gets 64."),
    property(TOTAL_MEMORY, "1024", "The most memory of all requests together, in MiB."),
    property(
        REQUEST_MS,
        "60000",
        "The longest that a request may take; a module that asks for none gets 30000.",
    ),
    property(
        CONCURRENT,
        "256",
        "The most requests of one module at work at one time; a module that asks for none gets 64.",
    ),
    property(RESPONSE, "64", "The largest body of an answer, in MiB; a module that asks for none gets 16."),
    property(
        OUTBOUND,
        "",
        "The networks (CIDR, with commas between) that modules may reach; `none` for none. Where it is not set: all, but loopback and link-local addresses, the machine's own and clouds' metadata services, which have to be named by themselves.",
    ),
    property(
        REUSE,
        "1000",
        "The most requests that one instance answers, one after the other; a module that asks for none has a new one for each. 1 has every instance fresh.",
    ),
    property(LOG, "256", "What is kept of the output of each module, in KiB: its oldest lines give way."),
    property(MAX_BIZ, "500", "The most modules."),
    property(
        AUTHORITIES,
        "",
        "A PEM file of certificate authorities that are trusted beside the public ones: for packages over https, and for calls of modules to other hosts. It is read at the start.",
    ),
];

/// What a base is told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) identity: Identity,
    pub(crate) cluster: String,
    pub(crate) local_ip: Option<IpAddr>,
    pub(crate) host_name: Option<String>,
    pub(crate) data: PathBuf,
    pub(crate) web: SocketAddr,
    pub(crate) arklet: SocketAddr,
    pub(crate) heartbeat: Option<Url>,
    pub(crate) heartbeat_period: Duration,
    pub(crate) mqtt: Option<Mqtt>,
    pub(crate) playback: bool,
    pub(crate) static_dir: Option<PathBuf>,
    pub(crate) keeps_broken: bool,
    pub(crate) waits: Waits,
    pub(crate) shown: Shown,
    pub(crate) threads: Option<usize>,
    pub(crate) instances: u32,
    pub(crate) ceilings: Ceilings,
    pub(crate) networks: Networks,
    pub(crate) max_biz: usize,
    pub(crate) authorities: Option<PathBuf>,
}

/// A broker, and who the base is to it.
#[derive(Debug, Clone)]
pub(crate) struct Mqtt {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<(String, Secret)>,
    pub(crate) ca: Option<PathBuf>,
    /// Certificate and key.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) client_prefix: String,
    pub(crate) env: String,
}

/// What a base is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A new one at each start.
    Random,
    /// A random one that outlives the process.
    Kept,
    /// This one.
    Given(String),
}

impl Settings {
    /// From a file, where there is one, the environment, and flags `--name=value`.
    pub(crate) fn read(file: Option<&Path>, flags: &[String]) -> Result<Self, SettingError> {
        let mut values = Values::new(PROPERTIES);
        if let Some(file) = file {
            values.read_file(file)?;
        }
        values.read_environment(|name| std::env::var(name).ok());
        for flag in flags {
            values.read_flag(flag)?;
        }
        Self::of(&values)
    }

    /// The controller or the broker, where its name is known.
    pub(crate) fn talks_to(&self) -> Option<SocketAddr> {
        let controller = self.heartbeat.as_ref().and_then(|url| url.socket_addrs(|| None).ok());
        let broker = || {
            let mqtt = self.mqtt.as_ref()?;
            (&*mqtt.host, mqtt.port).to_socket_addrs().ok()?.next()
        };
        controller.and_then(|all| all.first().copied()).or_else(broker)
    }

    fn of(values: &Values) -> Result<Self, SettingError> {
        let text = |name| values.text(name).ok_or_else(|| values.wrong(name, "a text"));
        let port = |name| values.need::<u16>(name, "a port, 0 to 65535");
        let address: IpAddr = values.need(WEB_ADDRESS, "an IP address")?;
        let heartbeat = values.parse::<Url>(HEARTBEAT, "a URL, http://host:port")?;
        if heartbeat.as_ref().is_some_and(|url| url.scheme() != "http" || url.host().is_none()) {
            return Err(values.wrong(HEARTBEAT, "a URL, http://host:port"));
        }
        Ok(Self {
            name: text(NAME)?,
            version: text(VERSION)?,
            identity: match text(IDENTITY)?.as_str() {
                "random" => Identity::Random,
                "kept" => Identity::Kept,
                given => Identity::Given(given.to_owned()),
            },
            cluster: text(CLUSTER)?,
            local_ip: values.parse(LOCAL_IP, "an IP address")?,
            host_name: values.text(HOST_NAME),
            data: text(DATA)?.into(),
            web: SocketAddr::new(address, port(WEB_PORT)?),
            arklet: SocketAddr::new(address, port(ARKLET_PORT)?),
            heartbeat,
            heartbeat_period: Duration::from_millis(at_least_one(values, HEARTBEAT_MS)?.into()),
            mqtt: mqtt(values)?,
            playback: playback(values)?,
            static_dir: values.text(STATIC_DIR).map(PathBuf::from),
            keeps_broken: !values.need::<bool>(AUTO_UNINSTALL, "true or false")?,
            waits: Waits {
                silence: Duration::from_secs(values.need::<u32>(SILENCE, "seconds")?.into()),
                drain: Duration::from_secs(values.need::<u32>(DRAIN, "seconds")?.into()),
            },
            shown: shown(values)?,
            threads: values.parse::<usize>(THREADS, "a number of threads")?.map(|threads| threads.max(1)),
            instances: at_least_one(values, INSTANCES)?,
            ceilings: Ceilings {
                memory_mib: at_least_one(values, MEMORY)?,
                request: Duration::from_millis(at_least_one(values, REQUEST_MS)?.into()),
                concurrent_requests: at_least_one(values, CONCURRENT)?,
                response_mib: at_least_one(values, RESPONSE)?,
                total_memory_mib: at_least_one(values, TOTAL_MEMORY)?,
                log_kib: at_least_one(values, LOG)?,
                reuse: at_least_one(values, REUSE)?,
            },
            networks: networks(values)?,
            max_biz: usize::try_from(at_least_one(values, MAX_BIZ)?).unwrap_or(usize::MAX),
            authorities: values.text(AUTHORITIES).map(PathBuf::from),
        })
    }
}

fn mqtt(values: &Values) -> Result<Option<Mqtt>, SettingError> {
    if !values.need::<bool>(MQTT_ENABLE, "true or false")? {
        return Ok(None);
    }
    let host = || values.wrong(MQTT_BROKER, "the broker's host, because MQTT is enabled");
    let ca = values.text(MQTT_CA).map(PathBuf::from);
    let certificate = match (values.text(MQTT_CERTIFICATE), values.text(MQTT_KEY)) {
        (None, None) => None,
        (Some(_), Some(_)) if ca.is_none() => {
            return Err(values.wrong(MQTT_CA, "a PEM file, because there is a certificate"));
        }
        (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
        (Some(_), None) => return Err(values.wrong(MQTT_KEY, "a PEM file, because there is a certificate")),
        (None, Some(_)) => return Err(values.wrong(MQTT_CERTIFICATE, "a PEM file, because there is a key")),
    };
    let password = values.text(MQTT_PASSWORD).unwrap_or_default();
    Ok(Some(Mqtt {
        host: values.text(MQTT_BROKER).ok_or_else(host)?,
        port: values.need(MQTT_PORT, "a port, 1 to 65535")?,
        user: values.text(MQTT_USER).map(|user| (user, Secret::new(password))),
        ca,
        certificate,
        client_prefix: values.text(MQTT_PREFIX).unwrap_or_default(),
        env: values.text(ENV).unwrap_or_default(),
    }))
}

/// Somebody has to be there to ask.
fn playback(values: &Values) -> Result<bool, SettingError> {
    let wanted = values.need::<bool>(PLAYBACK, "true or false")?;
    let has_mqtt = values.need::<bool>(MQTT_ENABLE, "true or false")?;
    if wanted && values.text(HEARTBEAT).is_none() && !has_mqtt {
        return Err(
            values.wrong(PLAYBACK, "false, because there is neither a controller's endpoint nor MQTT")
        );
    }
    Ok(wanted)
}

/// Where modules may call to.
fn networks(values: &Values) -> Result<Networks, SettingError> {
    let expected = "networks as 10.0.0.0/8 with commas between, or none";
    match values.text(OUTBOUND).as_deref() {
        None => Ok(Networks::Public),
        Some("none") => Ok(Networks::Only(Vec::new())),
        Some(text) => {
            let networks = text.split(',').map(|network| network.trim().parse());
            networks
                .collect::<Result<_, _>>()
                .map(Networks::Only)
                .map_err(|_| values.wrong(OUTBOUND, expected))
        }
    }
}

fn at_least_one(values: &Values, name: &'static str) -> Result<u32, SettingError> {
    let expected = "a whole number, 1 or more";
    let number = values.need::<u32>(name, expected)?;
    if number == 0 { Err(values.wrong(name, expected)) } else { Ok(number) }
}

fn shown(values: &Values) -> Result<Shown, SettingError> {
    let always = |name: &'static str, default: bool| match values.text(name).as_deref() {
        None => Ok(default),
        Some("always") => Ok(true),
        Some("never") => Ok(false),
        Some(_) => Err(values.wrong(name, "never or always")),
    };
    let details = always(SHOW_DETAILS, false)?;
    let exposed = values.text(EXPOSED).unwrap_or_default();
    let exposed: Vec<&str> = exposed.split(',').map(str::trim).collect();
    if exposed.iter().any(|one| !matches!(*one, "health" | "info" | "*" | "")) {
        return Err(values.wrong(EXPOSED, "health, info or *, with commas between"));
    }
    let has = |name: &str| exposed.contains(&name) || exposed.contains(&"*");
    Ok(Shown {
        health: has("health"),
        info: has("info"),
        components: always(SHOW_COMPONENTS, details)?,
        details,
        with_all_biz: values.need(WITH_ALL_BIZ, "true or false")?,
    })
}

/// All properties, with defaults and meanings.
pub(crate) fn help() -> String {
    properties::table(PROPERTIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(flags: &[&str]) -> Result<Settings, String> {
        let mut values = Values::new(PROPERTIES);
        for flag in flags {
            values.read_flag(flag).map_err(|error| error.to_string())?;
        }
        Settings::of(&values).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_enough() {
        let settings = of(&[]).unwrap();
        assert_eq!(settings.web.port(), 8080);
        assert!(settings.shown.health && !settings.shown.info && !settings.shown.components);
        assert!(!settings.keeps_broken);
    }

    #[test]
    fn components_are_shown_as_details_are_unless_it_is_said() {
        let details = "--management.endpoint.health.show-details=always";
        assert!(of(&[details]).unwrap().shown.components);
        let components = "--management.endpoint.health.show-components=never";
        assert!(!of(&[details, components]).unwrap().shown.components);
    }

    #[test]
    fn networks_are_all_none_or_those_that_are_named() {
        assert_eq!(of(&[]).unwrap().networks, Networks::Public);
        let with = |value: &str| of(&[&format!("--base.module.outbound.networks={value}")]).unwrap().networks;
        assert_eq!(with("none"), Networks::Only(Vec::new()));
        let two = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        assert_eq!(with("10.0.0.0/8, fd00::/8"), Networks::Only(two.into()));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (flag, says) in [
            ("--server.port=70000", "expected a port"),
            ("--koupleless.arklet.http.heartbeat.endpoint=https://x", "expected a URL, http://host:port"),
            ("--management.endpoints.web.exposure.include=beans", "expected health, info or *"),
            ("--management.endpoint.health.show-details=when-authorized", "expected never or always"),
            ("--base.module.memory-mib=0", "1 or more"),
            ("--base.identity=", "a text"),
            ("--koupleless.arklet.mqtt.enable=true", "the broker's host"),
            ("--base.module.outbound.networks=10.0.0.0/8,localhost", "networks as 10.0.0.0/8"),
            ("--base.playback=true", "neither a controller's endpoint nor MQTT"),
        ] {
            let error = of(&[flag]).unwrap_err();
            assert!(error.contains(says), "{flag}: {error}");
        }
    }
}
