//! `module-controller install`: everything that the controller needs in a cluster, as manifests. It needs no settings and
//! no cluster.

mod check;
mod deployment;
mod embedded;
mod network;
mod rights;

use std::process::ExitCode;

use anyhow::{Context, Result};
use ask::print;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::definitions;

/// What the namespace is called by default, and the objects in it always.
const NAME: &str = "module-controller";
/// The namespace that every cluster has: its rules are not ours to set.
const DEFAULT: &str = "default";

/// Prints the manifests that install the controller, for `kubectl apply -f -`: Namespace, definition of Module objects,
/// ServiceAccount, roles, Deployment, Service, NetworkPolicy, and what several replicas need.
///
/// Needs no settings and no cluster. `kubectl apply --server-side -f -` takes them too. Given again with other flags
/// it prints what to apply for an update. From one replica to several the Deployment is scaled to 0 first: one that runs
/// alone does not share its bases. Ends with code 2 where the controller would refuse a setting.
#[derive(Debug, clap::Args)]
pub(crate) struct Install {
    /// The namespace, which is to have nothing else in it: whoever may write there may stop the controller. It gets the Pod Security
    /// level `restricted`; only `default` is left as it is
    #[arg(long, default_value = NAME)]
    namespace: String,
    /// How many replicas. More than one share the bases (IS_CLUSTER), spread over the machines, and are drained one at a time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=99))]
    replicas: u16,
    /// Peer Deployments and the baseline (ENABLE_MODULE_DEPLOYMENT_CONTROLLER), with the rights for them
    #[arg(long)]
    peers: bool,
    /// The kubelet API, for `kubectl logs` of modules (KUBELET_PROXY_ENABLED), with the rights and the Service for it
    #[arg(long)]
    kubelet_api: bool,
    /// How bases are talked to; `,` between both. mqtt needs `--env MQTT_BROKER=HOST`
    #[arg(long, value_enum, value_delimiter = ',', default_value = "http")]
    tunnel: Vec<Tunnel>,
    /// The controller's image
    #[arg(long, default_value = concat!("module-controller:", env!("CARGO_PKG_VERSION")))]
    image: String,
    /// A setting of the controller; as often as there are any. For passwords there is --env-from-secret, and settings that
    /// name files need a volume, which the Helm chart has values for
    #[arg(long, value_name = "NAME=VALUE", value_parser = check::variable)]
    env: Vec<(String, String)>,
    /// A Secret of that namespace; each of its keys is a setting, as MQTT_PASSWORD or REPORT_HOOKS
    #[arg(long, value_name = "SECRET")]
    env_from_secret: Option<String>,
    /// Also the policies that hold the controller's account to VNodes and what is on them. They need Kubernetes 1.30, and a
    /// cluster with no other controller of this kind
    #[arg(long)]
    account_policies: bool,
}

/// The ways to the bases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tunnel {
    /// Heartbeats over HTTP, commands to Arklet's port
    Http,
    /// Through a broker
    Mqtt,
}

/// The roles that it makes, by what they are for.
pub(crate) fn roles() -> Result<ask::Roles> {
    Ok(ask::Roles {
        base: embedded::base_roles()?,
        peers: embedded::peers_roles()?,
        kubelet: embedded::kubelet_roles()?,
        replicas: embedded::replicas_roles()?,
    })
}

impl Install {
    /// Prints them.
    pub(crate) fn run(&self) -> ExitCode {
        if let Err(refused) = check::check(self) {
            eprintln!("module-controller: the controller would not start with these settings:\n{refused}");
            return ExitCode::from(2);
        }
        match self.manifests() {
            Ok(text) => print(&text),
            Err(error) => {
                eprintln!("module-controller: writing the manifests: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    fn manifests(&self) -> Result<String> {
        let mut text = String::new();
        for object in self.objects()? {
            text.push_str("---\n");
            text.push_str(&serde_saphyr::to_string(&object).context("writing YAML")?);
        }
        Ok(text)
    }

    /// All objects, in an order in which they can be made.
    fn objects(&self) -> Result<Vec<Value>> {
        let mut objects = Vec::new();
        objects.extend(self.own_namespace());
        objects.extend(definitions::all());
        objects.extend(rights::objects(self)?);
        if self.account_policies {
            objects.extend(embedded::account_policies(&self.user())?);
        }
        objects.extend(network::objects(self)?);
        objects.push(deployment::object(self)?);
        for object in &mut objects {
            label(object)?;
        }
        Ok(objects)
    }

    fn own_namespace(&self) -> Option<Value> {
        let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let metadata = json!({"name": self.namespace, "labels": restricted});
        (self.namespace != DEFAULT)
            .then(|| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
    }

    fn http(&self) -> bool {
        self.tunnel.contains(&Tunnel::Http)
    }

    fn several(&self) -> bool {
        self.replicas > 1
    }

    /// What objects outside the own namespace are called: two controllers in two namespaces do not share them.
    fn name_outside(&self) -> String {
        if self.namespace == NAME { NAME.to_owned() } else { format!("{NAME}-{}", self.namespace) }
    }

    /// As whom the API server knows the controller.
    fn user(&self) -> String {
        format!("system:serviceaccount:{}:{NAME}", self.namespace)
    }

    /// The variables of the controller that are set as a text, where they are.
    fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find(|(given, _)| given == name).map(|(_, value)| &**value)
    }

    /// Where the broker that runs in the controller listens; none where it runs elsewhere.
    fn embedded_broker(&self) -> Option<u16> {
        let mqtt = self.tunnel.contains(&Tunnel::Mqtt);
        let embedded = self.variable("MQTT_BROKER").is_some_and(|at| at.eq_ignore_ascii_case("embedded"));
        (mqtt && embedded)
            .then(|| self.variable("MQTT_PORT").and_then(|port| port.parse().ok()).unwrap_or(1883))
    }
}

/// What tells the Pods from all others, and never changes.
fn selector() -> Value {
    json!({"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": NAME})
}

/// The labels that Kubernetes recommends, beside those that are there.
fn label(object: &mut Value) -> Result<()> {
    let labels = [
        ("name", NAME),
        ("instance", NAME),
        ("version", env!("CARGO_PKG_VERSION")),
        ("component", "controller"),
        ("part-of", "koupleless"),
        ("managed-by", "kubectl"),
    ];
    let metadata = object.pointer_mut("/metadata").and_then(Value::as_object_mut).context("no metadata")?;
    let all = metadata.entry("labels").or_insert_with(|| json!({}));
    let all = all.as_object_mut().context("labels that are no object")?;
    all.extend(labels.map(|(key, value)| (format!("app.kubernetes.io/{key}"), value.into())));
    Ok(())
}
