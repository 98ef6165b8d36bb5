//! The command line, as text: every flag is also an environment variable. [`crate::settings`]
//! makes values of it, because clap would name a flag where the user set a variable.

mod chinese;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use model::Language;

use crate::{definitions::Crd, explain::Explain, install::Install};

/// What else the program does than to be the controller.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(Explain),
    Install(Box<Install>),
    Crd(Crd),
    Board(board::Board),
    #[command(flatten)]
    Ask(ask::Command),
}

/// The values of MESSAGE_LANGUAGE.
pub(crate) const LANGUAGES: [(&str, Language); 2] = [("en", Language::English), ("zh", Language::Chinese)];

/// The one that is named; English where none is.
fn language(name: Option<&str>) -> Language {
    let name = name.unwrap_or_default().trim();
    LANGUAGES.iter().find(|(of, _)| of.eq_ignore_ascii_case(name)).map_or(Language::English, |(_, of)| *of)
}

macro_rules! args {
    ($($(#[$doc:meta])* $field:ident: $variable:literal $(, $attr:meta)*;)+) => {
        /// The Kubernetes control plane of modular applications: makes every running base a Node and
        /// every module a Pod, so that Deployments, Services and kubectl work on modules.
        ///
        /// Each flag can be set by the environment variable that stands beside it; a flag wins. At least
        /// one tunnel must be on: --enable-http-tunnel or --enable-mqtt-tunnel. The API server is found by
        /// KUBECONFIG or by the Pod's service account.
        #[derive(Debug, Parser)]
        #[command(name = "module-controller", version, max_term_width = 110, disable_help_subcommand = true)]
        pub(crate) struct Args {
            #[command(subcommand)]
            pub(crate) command: Option<Command>,
            $($(#[$doc])* #[arg(long, env = $variable $(, $attr)*)] pub(crate) $field: Option<String>,)+
        }

        impl Args {
            /// Every variable that there is.
            pub(crate) const VARIABLES: &[&str] = &[$($variable),+];

            /// Those of this process. `--help` is in the language that MESSAGE_LANGUAGE names.
            pub(crate) fn own() -> Self {
                let chosen = std::env::var("MESSAGE_LANGUAGE").ok();
                let command = match language(chosen.as_deref()) {
                    Language::Chinese => chinese::explained(Self::command()),
                    Language::English => Self::command(),
                };
                Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
            }

            /// In which language it is told what is wrong with them.
            pub(crate) fn language(&self) -> Language {
                language(self.message_language.as_deref())
            }

            /// As a process gets them that has these variables, and no flag.
            pub(crate) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
                Self { command: None, $($field: variable($variable),)+ }
            }
        }
    };
}

args! {
    /// The language of messages on Pods, Nodes, Events, Module objects, plans and baselines, and of this help: en or zh. The
    /// log stays English. [default: en]
    message_language: "MESSAGE_LANGUAGE";
    /// Talk to bases over HTTP: they send heartbeats here and take commands on Arklet's port. [default: false]
    enable_http_tunnel: "ENABLE_HTTP_TUNNEL", num_args = 0..=1, default_missing_value = "true";
    /// The port that bases send heartbeats to. [default: 7777]
    http_tunnel_listen_port: "HTTP_TUNNEL_LISTEN_PORT";
    /// File with the tokens that requests to the HTTP tunnel have to bear (`Authorization: Bearer`), one a
    /// line; read again when it changes. [default: none, anyone may speak]
    http_tunnel_token_file: "HTTP_TUNNEL_TOKEN_FILE";
    /// PEM file of the HTTP tunnel's certificate; turns TLS on. Read again when it changes.
    http_tunnel_tls_crt_path: "HTTP_TUNNEL_TLS_CRT_PATH";
    /// PEM file of that certificate's key.
    http_tunnel_tls_key_path: "HTTP_TUNNEL_TLS_KEY_PATH";
    /// The networks that bases may be in, comma separated, as `10.0.0.0/8,fd00::/8`: a heartbeat that names
    /// another address is refused. [default: any address but link-local and loopback ones; never the API
    /// server's, and a cloud's metadata service only where that very address is listed]
    base_address_cidrs: "BASE_ADDRESS_CIDRS";
    /// Talk to bases over MQTT. [default: false]
    enable_mqtt_tunnel: "ENABLE_MQTT_TUNNEL", num_args = 0..=1, default_missing_value = "true";
    /// The broker's host name or address, with a port or without, or its URL (`tcp://`, `mqtt://`; `ssl://` and
    /// `mqtts://` with MQTT_CA_PATH); `embedded` runs a broker in this process.
    mqtt_broker: "MQTT_BROKER";
    /// The broker's port, where MQTT_BROKER has none. [default: 1883, with TLS 8883]
    mqtt_port: "MQTT_PORT";
    /// The user name for the broker; with `embedded` the one that clients must give.
    mqtt_username: "MQTT_USERNAME";
    /// The password for the broker.
    mqtt_password: "MQTT_PASSWORD", hide_env_values = true;
    /// File with the embedded broker's other users, one a line: name, password and, where it is not the name,
    /// the identity (or `prefix*`) that this user speaks as; read again when it changes. MQTT_USERNAME and
    /// MQTT_PASSWORD are the controller's own then. [default: none, MQTT_USERNAME is everybody's]
    broker_users_file: "BROKER_USERS_FILE";
    /// What the client id at the broker begins with; CLIENT_ID and what tells this process from any other
    /// follow, with `@@@` between them. [default: koupleless]
    mqtt_client_prefix: "MQTT_CLIENT_PREFIX";
    /// PEM file of the authority that the broker's certificate is verified against; turns TLS on.
    mqtt_ca_path: "MQTT_CA_PATH";
    /// PEM file of our own certificate, for brokers that want one.
    mqtt_client_crt_path: "MQTT_CLIENT_CRT_PATH";
    /// PEM file of our certificate's key.
    mqtt_client_key_path: "MQTT_CLIENT_KEY_PATH";
    /// The environment: bases and VNodes of another one are left alone. [default: dev]
    env: "ENV";
    /// This instance's id, unique in its environment: with IS_CLUSTER a second replica of the same id, in another
    /// Pod, acts for nothing while the first lives. [default: a random UUID]
    client_id: "CLIENT_ID";
    /// The namespace that this controller runs in; Module objects of modules without a Pod live here.
    /// [default: default]
    namespace: "NAMESPACE";
    /// Commands at work on one base at a time; 1 is one after the other. [default: 8]
    vnode_worker_num: "VNODE_WORKER_NUM";
    /// How new VNodes are named: `manual` (`virtual-node-<identity>`) or `upstream`
    /// (`vnode.<identity>.<env>`). [default: manual]
    vnode_name_format: "VNODE_NAME_FORMAT";
    /// The zone of a VNode: `own` (each alone, so that zone anti-affinity means one per base), `base` (that of
    /// the Node on which the base's own Pod runs) or `none`. [default: own]
    vnode_zone_source: "VNODE_ZONE_SOURCE";
    /// Whether VNodes also get the taint `schedule.koupleless.io/node-env=<env>`. [default: false]
    vnode_env_taint: "VNODE_ENV_TAINT", num_args = 0..=1, default_missing_value = "true";
    /// Allocatable memory of a VNode: `remaining` (maximum less committed metaspace) or `max`.
    /// [default: remaining]
    vnode_allocatable: "VNODE_ALLOCATABLE";
    /// What VNodes offer beside Pods and metaspace, `name=quantity` with `,` between them, of `cpu`,
    /// `ephemeral-storage` and `memory` (that of bases whose metaspace has no limit); `none` for nothing. Modules
    /// share their base's process, so it limits nothing: it is there for Pods that request it, as a LimitRange
    /// makes them. [default: cpu=10k,ephemeral-storage=100Ti]
    vnode_resources: "VNODE_RESOURCES";
    /// How long requests under way are given to end before a module is taken away from a Pod that a
    /// Service or a readiness gate selects, in milliseconds. [default: 2000]
    module_drain_ms: "MODULE_DRAIN_MS";
    /// What becomes of a module on a base that nobody here asked for: `ignore`, `report` (shown as a
    /// Module object) or `uninstall` (unless it came within two minutes of the base being first seen,
    /// as a statically merged module does).
    /// [default: report]
    unmanaged_biz_policy: "UNMANAGED_BIZ_POLICY";
    /// The namespaces that bases run in, comma separated: a Pod of another one is never taken for the one that a base runs in.
    /// Module objects are labelled with its name then.
    /// [default: any]
    base_pod_namespaces: "BASE_POD_NAMESPACES";
    /// Which labels a base's VNode takes over from the Pod that the base runs in, or from its heartbeat, comma separated. By
    /// these, operation plans and selectors know groups of bases. [default: none]
    base_labels: "BASE_LABELS";
    /// The Prometheus servers that operation plans may ask for metrics, as URLs, comma separated; of another one, or behind
    /// another path, none is asked. [default: none]
    plan_metric_servers: "PLAN_METRIC_SERVERS";
    /// What such servers are to be shown, as `<URL>=<file>`, comma separated: the file holds one bearer token, or
    /// `<user>:<password>`, and is read for each question. [default: none]
    plan_metric_logins: "PLAN_METRIC_LOGINS";
    /// Whether a newer Pod may displace the module of another namespace, as it may within one; else a bizName on a base
    /// belongs to the namespace that serves it, as long as it does. [default: false]
    takeover_across_namespaces: "TAKEOVER_ACROSS_NAMESPACES", num_args = 0..=1, default_missing_value = "true";
    /// The most Pods of a VNode. [default: 2000]
    vnode_pod_capacity: "VNODE_POD_CAPACITY";
    /// Webhooks of DingTalk robots that faults are reported to, `;` between them. [default: none]
    report_hooks: "REPORT_HOOKS", hide_env_values = true;
    /// The secrets that messages to these robots are signed with, `;` between them, in the same order;
    /// nothing in the place of one that wants no signature.
    report_hook_secrets: "REPORT_HOOK_SECRETS", hide_env_values = true;
    /// Keep peer Deployments at as many replicas as there are bases for them, give bases their baseline
    /// when they start, and replace as many modules at a time as a maxUnavailable allows. [default: false]
    enable_module_deployment_controller: "ENABLE_MODULE_DEPLOYMENT_CONTROLLER", num_args = 0..=1, default_missing_value = "true";
    /// The Go controller's name for ENABLE_MODULE_DEPLOYMENT_CONTROLLER; either turns it on. [default: false]
    enable_module_replicas_sync_with_base: "ENABLE_MODULE_REPLICAS_SYNC_WITH_BASE", num_args = 0..=1, default_missing_value = "true";
    /// Where /healthz, /readyz and /metrics are served; `,` between several. [default: 0.0.0.0:9090]
    admin_listen: "ADMIN_LISTEN";
    /// Where KouplelessBoard is served from within the controller, as `127.0.0.1:7070`; see `module-controller board --help`. What
    /// the controller's account may not list the page says that it does not show. [default: nowhere]
    board_listen: "BOARD_LISTEN";
    /// How the log is written: `text` or `json`. [default: text]
    log_format: "LOG_FORMAT";
    /// What is logged: a level, or `target=level` pairs, comma separated. [default: info]
    log_level: "LOG_LEVEL";
    /// Whether several replicas share the bases: each is owned by one of them, and taken over by another
    /// when that one ends. Start each with the same settings. [default: false]
    is_cluster: "IS_CLUSTER", num_args = 0..=1, default_missing_value = "true";
    /// With IS_CLUSTER: in how many levels of work (bases owned of all) replicas are told apart; those of a
    /// lower one are first to take a base. [default: 3]
    workload_max_level: "WORKLOAD_MAX_LEVEL";
    /// With IS_CLUSTER: the UID of the Pod that this runs in (`fieldRef: metadata.uid`), by which a container
    /// that was started again takes over from the one before at once.
    pod_uid: "POD_UID";
    /// With IS_CLUSTER: the address of the Pod that this runs in (`fieldRef: status.podIP`), where a replica that
    /// hears a base of this one over HTTP sends its heartbeat on to. [default: none, nothing is sent on to this one]
    pod_ip: "POD_IP";
    /// The port at POD_IP for other replicas, and nobody else; 0 for any. [default: 7778]
    forward_port: "FORWARD_PORT";
    /// Serve the kubelet API for all VNodes: `kubectl logs` of modules, and figures of bases. It needs the rights of
    /// deploy/kubelet. [default: false]
    kubelet_proxy_enabled: "KUBELET_PROXY_ENABLED", num_args = 0..=1, default_missing_value = "true";
    /// The port of the kubelet API. [default: 10250]
    kubelet_proxy_port: "KUBELET_PROXY_PORT";
    /// The address at which API servers reach the kubelet API. [default: that of the Service in NAMESPACE with the
    /// label `virtual-kubelet.koupleless.io/kubelet-proxy-service=true`]
    kubelet_proxy_address: "KUBELET_PROXY_ADDRESS";
    /// PEM file of the authority that the client certificates of the kubelet API's callers are verified against. Read
    /// again when it changes. [default: `/var/run/secrets/kubernetes.io/serviceaccount/ca.crt`]
    kubelet_proxy_client_ca_path: "KUBELET_PROXY_CLIENT_CA_PATH";
    /// PEM file of the kubelet API's own certificate. Read again when it changes. [default: one that is made at the start]
    kubelet_proxy_tls_crt_path: "KUBELET_PROXY_TLS_CRT_PATH";
    /// PEM file of that certificate's key.
    kubelet_proxy_tls_key_path: "KUBELET_PROXY_TLS_KEY_PATH";
}
