//! Settings: every value checked at the start, and refused with the variable's name, the value and
//! what is allowed. All that is wrong is said at once.

mod cluster;
mod doors;
mod hooks;
mod kubelet;
mod mqtt;
mod names;
mod plans;
mod resources;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ::kubelet::KubeletSettings;
use engine::{Allocatable, UnmanagedBiz, ZoneSource};
use metric::Login;
use model::{Bilingual, Language, bilingual, name::VNodeNameFormat};
use report::Hook;

pub(crate) use self::{
    doors::Doors,
    mqtt::{Broker, Mqtt},
};
use crate::args::{Args, LANGUAGES};

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// What is logged where nothing is said.
const DEFAULT_LEVEL: &str = "info";

/// What is logged, and how.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: DEFAULT_LEVEL.to_owned(), format: LogFormat::Text }
    }
}

impl Log {
    /// The same variables for whatever the program does.
    ///
    /// # Errors
    /// What of it is refused.
    pub(crate) fn of(args: &Args) -> Result<Self, Refusals> {
        let mut refused = Refusals::default();
        let log = Self::read(args, &mut refused);
        if refused.0.is_empty() { Ok(log) } else { Err(refused) }
    }

    fn read(args: &Args, refused: &mut Refusals) -> Self {
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let level = set(&args.log_level).unwrap_or(DEFAULT_LEVEL).to_owned();
        if let Err(error) = level.parse::<tracing_subscriber::filter::Targets>() {
            let allowed = bilingual!(
                "allowed is a level (error, warn, info, debug, trace) or target=level pairs: {error}",
                "可以写一个级别（error、warn、info、debug、trace），或 target=级别 的组合：{error}"
            );
            refused.add("LOG_LEVEL", Some(&level), allowed);
        }
        Self { level, format: refused.word("LOG_FORMAT", &args.log_format, LogFormat::Text, &formats) }
    }
}

/// All settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The HTTP tunnel's port; none where it is off.
    pub(crate) http_port: Option<u16>,
    /// The MQTT tunnel; none where it is off.
    pub(crate) mqtt: Option<Mqtt>,
    pub(crate) client_id: String,
    /// What tells this process from any other that ever was.
    pub(crate) incarnation: String,
    /// Where health and metrics are served.
    pub(crate) admin: Vec<SocketAddr>,
    /// Where the board is served; none where it is not.
    pub(crate) board: Option<SocketAddr>,
    pub(crate) log: Log,
    /// Where faults are reported to.
    pub(crate) hooks: Vec<Hook>,
    /// Who may come in.
    pub(crate) doors: Doors,
    /// How the kubelet API is served; none where it is off.
    pub(crate) kubelet: Option<KubeletSettings>,
    /// Where other replicas send on what they hear; none where nothing is sent on.
    pub(crate) forward: Option<SocketAddr>,
    /// What Prometheus servers are shown.
    pub(crate) metric_logins: Vec<Login>,
    pub(crate) engine: engine::Config,
    /// What is not wrong, and not as it was meant either: for the log, once.
    pub(crate) warnings: Vec<String>,
}

/// One value that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    variable: &'static str,
    /// As it was given; none where it is missing or secret.
    value: Option<String>,
    allowed: Bilingual,
}

/// Everything that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Refusals(Vec<Refusal>);

impl Refusal {
    fn told(&self, language: Language) -> String {
        let Self { variable, value, allowed } = self;
        let allowed = allowed.of(language);
        match (value, language) {
            (Some(value), Language::English) => format!("{variable} is {value:?}; {allowed}"),
            (Some(value), Language::Chinese) => format!("{variable} 为 {value:?}；{allowed}"),
            (None, Language::English) => format!("{variable}: {allowed}"),
            (None, Language::Chinese) => format!("{variable}：{allowed}"),
        }
    }
}

impl Refusals {
    /// One line for each.
    pub(crate) fn told(&self, language: Language) -> String {
        let lines: Vec<String> =
            self.0.iter().map(|refusal| format!("  {}", refusal.told(language))).collect();
        lines.join("\n")
    }

    fn add(&mut self, variable: &'static str, value: Option<&str>, allowed: impl Into<Bilingual>) {
        self.0.push(Refusal { variable, value: value.map(str::to_owned), allowed: allowed.into() });
    }

    /// The value of a word, or its default; refused where it is no such word.
    fn word<T: Copy>(
        &mut self,
        variable: &'static str,
        given: &Option<String>,
        default: T,
        words: &[(&str, T)],
    ) -> T {
        let Some(given) = set(given) else { return default };
        match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(given)) {
            Some((_, value)) => *value,
            None => {
                let words = |or: &str| words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(or);
                let allowed = Bilingual::new(
                    format!("allowed is {}", words(" or ")),
                    format!("可以写 {}", words(" 或 ")),
                );
                self.add(variable, Some(given), allowed);
                default
            }
        }
    }

    fn flag(&mut self, variable: &'static str, given: &Option<String>) -> bool {
        self.word(variable, given, false, &[("true", true), ("false", false)])
    }

    fn number(
        &mut self,
        variable: &'static str,
        given: &Option<String>,
        default: u32,
        allowed: (u32, u32),
    ) -> u32 {
        let Some(given) = set(given) else { return default };
        match given.parse() {
            Ok(number) if (allowed.0..=allowed.1).contains(&number) => number,
            _ => {
                let (least, most) = allowed;
                let allowed = bilingual!(
                    "allowed is a whole number from {least} to {most}",
                    "可以写 {least} 到 {most} 的整数"
                );
                self.add(variable, Some(given), allowed);
                default
            }
        }
    }

    fn port(&mut self, variable: &'static str, given: &Option<String>, default: u16) -> u16 {
        let number = self.number(variable, given, u32::from(default), (1, u32::from(u16::MAX)));
        u16::try_from(number).unwrap_or(default)
    }
}

/// A value that is there. Manifests often set a variable to nothing to leave it out.
fn set(given: &Option<String>) -> Option<&str> {
    given.as_deref().map(str::trim).filter(|given| !given.is_empty())
}

impl TryFrom<Args> for Settings {
    type Error = Refusals;

    fn try_from(args: Args) -> Result<Self, Refusals> {
        let mut refused = Refusals::default();
        let env = names::env(&args, &mut refused);
        let http = refused.flag("ENABLE_HTTP_TUNNEL", &args.enable_http_tunnel);
        let http_port = refused.port("HTTP_TUNNEL_LISTEN_PORT", &args.http_tunnel_listen_port, 7777);
        let mqtt = mqtt::mqtt(&args, &mut refused);
        if !http && mqtt.is_none() && refused.0.is_empty() {
            refused.add(
                "ENABLE_HTTP_TUNNEL, ENABLE_MQTT_TUNNEL",
                None,
                bilingual!(
                    "no tunnel is on; set one of them to true",
                    "没有启用任何管道；请把其中之一设为 true"
                ),
            );
        }
        let admin = admin(&args, &mut refused);
        let log = Log::read(&args, &mut refused);
        let client_id = names::client_id(&args, &mut refused);
        let incarnation = uuid::Uuid::new_v4().to_string();
        let mut engine = engine(&args, &env, &mut refused);
        let names = (&*client_id, &*incarnation);
        engine.cluster = cluster::cluster(&args, names, mqtt.is_some(), &mut refused);
        let doors = doors::doors(&args, &mut refused);
        engine.base_pods = !doors.base_namespaces.is_empty();
        let forward = cluster::forward(&args, engine.cluster.is_some(), http, &mut refused);
        let kubelet = kubelet::kubelet(&args, &mut refused);
        engine.kubelet = kubelet.as_ref().map(|(told, _)| *told);
        let (hooks, warning) = hooks::hooks(&args, &mut refused);
        let (metric_logins, mut warnings) = plans::metric_logins(&args, &engine.metric_servers, &mut refused);
        warnings.extend(warning);
        let settings = Self {
            http_port: http.then_some(http_port),
            mqtt,
            client_id,
            incarnation,
            admin,
            board: board(&args, &mut refused),
            log,
            hooks,
            doors,
            forward,
            kubelet: kubelet.map(|(_, served)| served),
            engine,
            metric_logins,
            warnings,
        };
        if refused.0.is_empty() { Ok(settings) } else { Err(refused) }
    }
}

impl Settings {
    /// Anybody may send heartbeats of any address.
    pub(crate) fn is_open(&self) -> bool {
        self.http_port.is_some() && self.doors.tokens.is_none() && self.doors.networks.is_empty()
    }
}

/// The most addresses of health and metrics: two ports, each for both families.
const MOST_ADMIN: usize = 4;

/// Where health and metrics are served: in more places than one where old probes look elsewhere.
fn board(args: &Args, refused: &mut Refusals) -> Option<SocketAddr> {
    let given = set(&args.board_listen)?;
    let address = given.parse().ok();
    if address.is_none() {
        let allowed = bilingual!(
            "allowed is an address and a port, as 127.0.0.1:7070",
            "可以写地址加端口，例如 127.0.0.1:7070"
        );
        refused.add("BOARD_LISTEN", Some(given), allowed);
    }
    address
}

fn admin(args: &Args, refused: &mut Refusals) -> Vec<SocketAddr> {
    let given = set(&args.admin_listen).unwrap_or("0.0.0.0:9090");
    let addresses: Result<Vec<SocketAddr>, _> =
        given.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect();
    match addresses {
        Ok(addresses) if (1..=MOST_ADMIN).contains(&addresses.len()) => addresses,
        _ => {
            let allowed = bilingual!(
                "allowed is ADDRESS:PORT, as 0.0.0.0:9090, or up to {MOST_ADMIN} of them with ',' between them",
                "可以写 地址:端口，例如 0.0.0.0:9090；最多 {MOST_ADMIN} 个，用 ',' 分隔"
            );
            refused.add("ADMIN_LISTEN", Some(given), allowed);
            Vec::new()
        }
    }
}

fn engine(args: &Args, env: &str, refused: &mut Refusals) -> engine::Config {
    let mut config = engine::Config::new(env);
    config.version = Arc::from(concat!("v", env!("CARGO_PKG_VERSION"), "-module-controller"));
    let workers = refused.number("VNODE_WORKER_NUM", &args.vnode_worker_num, 8, (1, 1_000));
    config.workers = usize::try_from(workers).unwrap_or(8);
    config.language = refused.word("MESSAGE_LANGUAGE", &args.message_language, Language::English, &LANGUAGES);
    let formats = [("manual", VNodeNameFormat::Manual), ("upstream", VNodeNameFormat::Upstream)];
    config.name_format =
        refused.word("VNODE_NAME_FORMAT", &args.vnode_name_format, VNodeNameFormat::Manual, &formats);
    let zones = [("own", ZoneSource::Own), ("base", ZoneSource::Base), ("none", ZoneSource::None)];
    config.zones = refused.word("VNODE_ZONE_SOURCE", &args.vnode_zone_source, ZoneSource::Own, &zones);
    config.env_taint = refused.flag("VNODE_ENV_TAINT", &args.vnode_env_taint);
    let memory = [("remaining", Allocatable::Remaining), ("max", Allocatable::Max)];
    config.allocatable =
        refused.word("VNODE_ALLOCATABLE", &args.vnode_allocatable, Allocatable::Remaining, &memory);
    config.offers = resources::offers(args, refused);
    let drain = refused.number("MODULE_DRAIN_MS", &args.module_drain_ms, 2_000, (0, 600_000));
    config.times.drain = Duration::from_millis(drain.into());
    let unmanaged = [
        ("ignore", UnmanagedBiz::Ignore),
        ("report", UnmanagedBiz::Report),
        ("uninstall", UnmanagedBiz::Uninstall),
    ];
    config.unmanaged =
        refused.word("UNMANAGED_BIZ_POLICY", &args.unmanaged_biz_policy, UnmanagedBiz::Report, &unmanaged);
    config.takeover_across_namespaces =
        refused.flag("TAKEOVER_ACROSS_NAMESPACES", &args.takeover_across_namespaces);
    config.group_labels = plans::base_labels(args, refused);
    config.metric_servers = plans::metric_servers(args, refused);
    config.namespace = names::namespace(args, refused).into();
    let names = [
        ("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", &args.enable_module_deployment_controller),
        ("ENABLE_MODULE_REPLICAS_SYNC_WITH_BASE", &args.enable_module_replicas_sync_with_base),
    ];
    for (variable, given) in names {
        config.module_deployments |= refused.flag(variable, given);
    }
    config.pod_capacity = refused.number("VNODE_POD_CAPACITY", &args.vnode_pod_capacity, 2_000, (1, 100_000));
    config
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    pub(super) fn settings(flags: &[&str]) -> Result<Settings, String> {
        let args = std::iter::once("module-controller").chain(flags.iter().copied());
        Settings::try_from(Args::try_parse_from(args).unwrap())
            .map_err(|refusals| refusals.told(Language::English))
    }

    #[test]
    fn no_tunnel_is_refused_with_the_variables_that_turn_one_on() {
        let refusal = settings(&[]).unwrap_err();
        assert!(refusal.contains("ENABLE_HTTP_TUNNEL, ENABLE_MQTT_TUNNEL: no tunnel is on"), "{refusal}");
    }

    #[test]
    fn the_manuals_defaults() {
        let settings = settings(&["--enable-http-tunnel"]).unwrap();
        assert_eq!(settings.http_port, Some(7777));
        assert_eq!((&*settings.engine.env, settings.engine.workers), ("dev", 8));
        assert!(settings.mqtt.is_none() && settings.client_id.len() == 36);
    }

    #[test]
    fn a_tunnel_without_tokens_and_networks_is_open() {
        let is_open = |flags: &[&str]| settings(flags).unwrap().is_open();
        assert!(is_open(&["--enable-http-tunnel"]));
        assert!(!is_open(&["--enable-http-tunnel", "--http-tunnel-token-file=f"]));
        assert!(!is_open(&["--enable-http-tunnel", "--base-address-cidrs=10.0.0.0/8"]));
        assert!(!is_open(&["--enable-mqtt-tunnel", "--mqtt-broker=b"]));
    }

    #[test]
    fn each_process_is_another_client_of_the_broker() {
        let flags = ["--enable-mqtt-tunnel", "--mqtt-broker=b", "--client-id=c1", "--mqtt-client-prefix=p"];
        let id = || {
            let settings = settings(&flags).unwrap();
            crate::tunnels::client_id(&settings, settings.mqtt.as_ref().unwrap())
        };
        let (first, second) = (id(), id());
        assert!(first.starts_with("p@@@c1@@@") && second.starts_with("p@@@c1@@@") && first != second);
    }

    #[test]
    fn both_tunnels_may_be_on() {
        let flags =
            ["--enable-http-tunnel", "true", "--enable-mqtt-tunnel", "true", "--mqtt-broker", "embedded"];
        let settings = settings(&flags).unwrap();
        assert!(settings.http_port.is_some());
        assert_eq!(settings.mqtt.map(|mqtt| (mqtt.broker, mqtt.port)), Some((Broker::Embedded, 1883)));
    }

    #[test]
    fn no_namespace_takes_a_module_over_from_another_unless_that_is_set() {
        let crosses = |flags: &[&str]| {
            settings(&[&["--enable-http-tunnel"], flags].concat())
                .map(|settings| settings.engine.takeover_across_namespaces)
        };
        assert_eq!(crosses(&[]), Ok(false));
        assert_eq!(crosses(&["--takeover-across-namespaces"]), Ok(true));
        let refusal = crosses(&["--takeover-across-namespaces", "some"]).unwrap_err();
        assert!(refusal.contains("TAKEOVER_ACROSS_NAMESPACES is \"some\""), "{refusal}");
    }

    #[test]
    fn module_deployments_are_off_until_either_name_turns_them_on() {
        let on = |flag: &str| settings(&["--enable-http-tunnel", flag]).unwrap().engine.module_deployments;
        assert!(!settings(&["--enable-http-tunnel"]).unwrap().engine.module_deployments);
        assert!(on("--enable-module-deployment-controller") && on("--enable-module-replicas-sync-with-base"));
        assert!(!on("--enable-module-deployment-controller=false"));
    }

    #[test]
    fn health_may_be_served_where_old_probes_look_too() {
        let admin = |given: &str| {
            let settings = settings(&["--enable-http-tunnel", "--admin-listen", given])?;
            Ok(settings.admin.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(admin(""), Ok("0.0.0.0:9090".to_owned()));
        assert_eq!(admin("0.0.0.0:9090, [::]:8081"), Ok("0.0.0.0:9090 [::]:8081".to_owned()));
        for bad in [",", ":9090", "0.0.0.0:1,0.0.0.0:2,0.0.0.0:3,0.0.0.0:4,0.0.0.0:5"] {
            let refusal: Result<String, String> = admin(bad);
            assert!(refusal.unwrap_err().contains("ADMIN_LISTEN is"), "{bad}");
        }
    }

    #[test]
    fn the_board_is_served_where_it_is_asked_for() {
        let board =
            |given: &str| settings(&["--enable-http-tunnel", "--board-listen", given]).map(|all| all.board);
        assert_eq!(board(""), Ok(None));
        assert_eq!(board("127.0.0.1:7070"), Ok(Some("127.0.0.1:7070".parse().unwrap())));
        assert!(board("7070").unwrap_err().contains("BOARD_LISTEN is"));
    }

    #[test]
    fn in_chinese_it_is_said_in_chinese_what_is_refused() {
        let args = ["x", "--enable-http-tunnel=yes", "--vnode-worker-num=0", "--message-language=ZH"];
        let args = Args::try_parse_from(args).unwrap();
        assert_eq!(args.language(), Language::Chinese);
        let refusals = Settings::try_from(args).unwrap_err();
        assert_eq!(
            refusals.told(Language::Chinese),
            "  ENABLE_HTTP_TUNNEL 为 \"yes\"；可以写 true 或 false\n  VNODE_WORKER_NUM 为 \"0\"；可以写 1 到 1000 的整数"
        );
    }

    #[test]
    fn every_bad_value_is_named_with_what_is_allowed() {
        let refusal = settings(&[
            "--enable-http-tunnel=yes",
            "--http-tunnel-listen-port=70000",
            "--vnode-worker-num=0",
            "--env=a b",
            "--vnode-name-format=mine",
            "--admin-listen=9090",
            "--log-format=xml",
            "--enable-module-replicas-sync-with-base=1",
        ])
        .unwrap_err();
        for said in [
            "ENABLE_HTTP_TUNNEL is \"yes\"; allowed is true or false",
            "HTTP_TUNNEL_LISTEN_PORT is \"70000\"; allowed is a whole number from 1 to 65535",
            "VNODE_WORKER_NUM is \"0\"; allowed is a whole number from 1 to 1000",
            "ENV is \"a b\"",
            "VNODE_NAME_FORMAT is \"mine\"; allowed is manual or upstream",
            "ADMIN_LISTEN is \"9090\"",
            "LOG_FORMAT is \"xml\"",
            "ENABLE_MODULE_REPLICAS_SYNC_WITH_BASE is \"1\"; allowed is true or false",
        ] {
            assert!(refusal.contains(said), "{said} is not in\n{refusal}");
        }
    }
}
