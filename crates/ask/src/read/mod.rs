//! What the API server says, page by page, each object as the few things of it that are shown.

mod base;
mod event;
mod json;
mod lease;
pub(crate) mod list;
mod module;
mod plan;
mod plan_spec;
mod pod;
pub(crate) mod raw;
mod selector;
mod site;
pub(crate) mod workload;

use std::sync::Arc;

use kube::Client;

pub use self::{
    base::{Base, Ready},
    event::Happened,
    lease::{Lease, Replica},
    list::{Failure, escaped},
    module::Module,
    plan::{Batch, Failed, Health, Metric, Plan, Reading, Status, Steering},
    plan_spec::{BatchJson, Written},
    pod::{Container, Owner, Pod, State},
    selector::{NoSelector, RequirementJson, SelectorJson},
    site::Site,
    workload::Workload,
};
pub(crate) use self::{
    event::events,
    json::{Meta, nothing},
    lease::LeaseSpec,
    list::list,
    pod::is_package,
};
use crate::{
    client::{Cluster, Connection, Unreachable},
    picture::{NotShown, Picture},
    text::Text,
};

/// The label of Nodes that are bases.
pub const VNODES: &str = "module-controller.koupleless.io/component=vnode";
/// The label of Module objects.
pub const MODULES: &str = "app.kubernetes.io/managed-by=module-controller";
/// The label of the Leases of the controller's replicas.
pub const REPLICAS: &str = "module-controller.koupleless.io/component=controller";
/// Module Pods of either family, each in one list only.
pub const PODS: [&str; 2] = [
    "module-controller.koupleless.io/component=module",
    "virtual-kubelet.koupleless.io/component=module,module-controller.koupleless.io/component!=module",
];
/// The label that says which environment something belongs to.
const ENV: &str = "module-controller.koupleless.io/env";
/// Where the Leases of Nodes are.
pub(crate) const NODE_LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

/// An object of which little is read.
pub trait Object: Sized {
    /// What kubectl calls several of it.
    const NAME: &'static str;

    /// Reads it. One that cannot be read is left out, and counted.
    fn read(json: &str) -> Result<Self, serde_json::Error>;

    /// Those of its texts that other objects are likely to have too: whoever keeps many objects may keep each text once.
    fn common_texts(&mut self) -> Vec<&mut Text> {
        Vec::new()
    }
}

/// Reads all that the screens show.
pub(crate) async fn picture(
    cluster: &Cluster,
    connection: &Connection,
    env: Option<&str>,
) -> Result<Picture, Unreachable> {
    let client = &cluster.client;
    let within = |label: &str| match env {
        Some(env) => format!("{label},{ENV}={env}"),
        None => label.to_owned(),
    };
    let (vnodes, module_objects, replicas) = (within(VNODES), within(MODULES), within(REPLICAS));
    let scoped = Scoped { client, cluster, connection };
    let (bases, leases, replicas, modules, ours, theirs) = tokio::join!(
        list::<Base>(client, "/api/v1/nodes", &vnodes),
        list::<Lease>(client, NODE_LEASES, ""),
        list::<Replica>(client, "/apis/coordination.k8s.io/v1/leases", &replicas),
        scoped.list::<Module>("/apis/koupleless.io/v1alpha1", "modules", &module_objects),
        scoped.list::<Pod>("/api/v1", "pods", PODS[0]),
        scoped.list::<Pod>("/api/v1", "pods", PODS[1]),
    );
    let mut taken = Taken::default();
    let leases = taken.of(leases.map(|found| (found, None)));
    let mut picture = Picture {
        bases: taken.of(bases.map(|found| (found, None))),
        replicas: taken.of(replicas.map(|found| (found, None))),
        modules: taken.of(modules).into_iter().map(Arc::new).collect(),
        pods: taken.of(ours).into_iter().map(Arc::new).collect(),
        not_shown: Vec::new(),
    };
    picture.pods.extend(taken.of(theirs).into_iter().map(Arc::new));
    taken.reached(cluster)?;
    picture.not_shown = taken.not_shown;
    picture.not_shown.dedup();
    picture.put_together(leases, env.is_some());
    Ok(picture)
}

/// The Pods of modules in all namespaces.
pub(crate) async fn pods(client: &Client) -> Result<Vec<Pod>, Failure> {
    let mut pods = Vec::new();
    for labels in PODS {
        pods.extend(list::<Pod>(client, "/api/v1/pods", labels).await?.items);
    }
    Ok(pods)
}

/// What came of several lists.
#[derive(Default)]
struct Taken {
    not_shown: Vec<NotShown>,
    answered: bool,
    failure: Option<Failure>,
}

impl Taken {
    /// What of a list was seen; what was not is noted.
    fn of<T: Object>(&mut self, result: Result<(list::Found<T>, Option<NotShown>), Failure>) -> Vec<T> {
        match result {
            Ok((found, narrowed)) => {
                self.answered = true;
                self.not_shown.extend(narrowed);
                self.not_shown.extend(found.missing());
                found.items
            }
            Err(failure) => {
                self.answered |= failure.is_an_answer();
                let why = match &failure {
                    Failure::Unknown(_) => {
                        "this cluster has no such kind; `module-controller check` says what is missing".into()
                    }
                    other => other.why().clone(),
                };
                self.not_shown.push(NotShown { what: T::NAME.into(), why });
                self.failure.get_or_insert(failure);
                Vec::new()
            }
        }
    }

    /// Whether anybody answered anything.
    fn reached(&mut self, cluster: &Cluster) -> Result<(), Unreachable> {
        match self.failure.take() {
            Some(failure) if !self.answered => Err(failure.unreachable(cluster.server.clone())),
            _ => Ok(()),
        }
    }
}

/// Lists of what has a namespace.
struct Scoped<'a> {
    client: &'a Client,
    cluster: &'a Cluster,
    connection: &'a Connection,
}

impl Scoped<'_> {
    /// Of all namespaces, of the one that was asked for, or, where all are forbidden, of the context's own.
    async fn list<T: Object>(
        &self,
        group: &str,
        plural: &str,
        labels: &str,
    ) -> Result<(list::Found<T>, Option<NotShown>), Failure> {
        let within = |namespace: &str| format!("{group}/namespaces/{namespace}/{plural}");
        if let Some(namespace) = &self.connection.namespace {
            return list(self.client, &within(namespace), labels).await.map(|found| (found, None));
        }
        match list(self.client, &format!("{group}/{plural}"), labels).await {
            Err(Failure::Forbidden(why)) if !self.connection.all_namespaces => {
                let own = &self.cluster.own_namespace;
                let found = list(self.client, &within(own), labels).await?;
                let what = Text::from(format!("{} outside the namespace {own}", T::NAME));
                Ok((found, Some(NotShown { what, why })))
            }
            all => all.map(|found| (found, None)),
        }
    }
}
