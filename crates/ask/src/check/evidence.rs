//! What a check goes by, gathered from the cluster and from manifests.

use std::collections::BTreeMap;

use kube::Client;
use serde_json::Value;

use super::{
    Finding,
    clock::Renewal,
    controller::Controller,
    ports::{Policy, Service},
    surroundings::{Defaults, Namespace, Quota, Webhooks},
};
use crate::{
    client::{Cluster, Connection, Unreachable, chain},
    manifest,
    picture::{NotShown, Picture},
    read::{self, Failure, NODE_LEASES, Object, Plan, Site, VNODES, Workload, list},
    text::Text,
};

/// What is known.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// The minor version of Kubernetes; none where it is not known.
    pub(super) server: Option<u32>,
    /// The definitions of our own kinds, by name; none in one where it is not there. What is not known is left out.
    pub(super) definitions: BTreeMap<&'static str, Option<Value>>,
    pub(super) picture: Picture,
    pub(super) sites: Vec<Site>,
    pub(super) controllers: Vec<Controller>,
    pub(super) workloads: Vec<Workload>,
    pub(super) plans: Vec<Plan>,
    pub(super) defaults: Vec<Defaults>,
    pub(super) quotas: Vec<Quota>,
    pub(super) namespaces: Vec<Namespace>,
    pub(super) webhooks: Vec<Webhooks>,
    pub(super) renewals: Vec<Renewal>,
    /// None where they cannot be read: then none is missed.
    pub(super) services: Option<Vec<Service>>,
    pub(super) policies: Vec<Policy>,
    /// Only a manifest is to be checked.
    pub(super) of_manifest: bool,
    /// What was found while it was gathered: by asking whether something may be done, or by trying it.
    pub(crate) found: Vec<Finding>,
    /// What could not be checked, and why.
    pub(crate) skipped: Vec<NotShown>,
}

/// A workload of a list of one kind.
macro_rules! kinds {
    ($($wrapper:ident: $kind:literal, $name:literal;)+) => {$(
        struct $wrapper(Option<Workload>);

        impl Object for $wrapper {
            const NAME: &'static str = $name;

            fn read(json: &str) -> Result<Self, serde_json::Error> {
                Workload::of(Some($kind), json).map(|workload| Self(workload.filter(Workload::is_meant)))
            }
        }
    )+};
}

kinds! {
    OneDeployment: "Deployment", "Deployments";
    OneDaemonSet: "DaemonSet", "DaemonSets";
    OneStatefulSet: "StatefulSet", "StatefulSets";
}

/// The definition of Module objects, which every controller keeps.
pub(super) const MODULES: &str = "modules.koupleless.io";
/// The definition of operation plans, which matter where Deployments of modules are managed.
pub(super) const PLANS: &str = "operationplans.koupleless.io";
/// The definition of ModuleBaseline objects, which are written where Deployments of modules are managed.
pub(super) const BASELINES: &str = "modulebaselines.koupleless.io";
const DEFINITIONS: [&str; 3] = [MODULES, PLANS, BASELINES];

impl Evidence {
    /// Of a cluster: its version, its bases, controllers, workloads and what is in their way.
    pub(crate) async fn of_cluster(
        cluster: &Cluster,
        connection: &Connection,
        env: Option<&str>,
    ) -> Result<Self, Unreachable> {
        let mut evidence =
            Self { picture: read::picture(cluster, connection, env).await?, ..Self::default() };
        let client = &cluster.client;
        evidence.server = evidence.take("the version of the API server", minor(client).await);
        for name in DEFINITIONS {
            if let Some(found) =
                evidence.take("the definitions of our own kinds", definition(client, name).await)
            {
                evidence.definitions.insert(name, found);
            }
        }
        let scope = connection.namespace.as_deref();
        evidence.plans = evidence.plans(client, scope).await;
        let vnodes = env.map_or_else(
            || VNODES.to_owned(),
            |env| format!("{VNODES},module-controller.koupleless.io/env={env}"),
        );
        evidence.sites = evidence.all(client, "/api/v1/nodes".to_owned(), &vnodes).await;
        evidence.renewals = evidence.all(client, NODE_LEASES.to_owned(), "").await;
        let controllers = Controller::all(client).await;
        let controllers = evidence.take("the controllers", controllers).unwrap_or_default();
        evidence.controllers =
            controllers.into_iter().filter(|one| env.is_none_or(|env| one.env() == env)).collect();
        if !evidence.controllers.is_empty() {
            let services = list::<Service>(client, "/api/v1/services", "").await;
            evidence.services = evidence.take(Service::NAME, services).map(|found| found.items);
            let policies = "/apis/networking.k8s.io/v1/networkpolicies".to_owned();
            evidence.policies = evidence.all(client, policies, "").await;
        }
        evidence.deployments_and_daemon_sets(client, scope).await;
        let stateful = within("/apis/apps/v1", scope, "statefulsets");
        let one: Vec<OneStatefulSet> = evidence.all(client, stateful, "").await;
        evidence.workloads.extend(one.into_iter().filter_map(|one| one.0));
        evidence.surroundings(client, scope).await;
        Ok(evidence)
    }

    async fn deployments_and_daemon_sets(&mut self, client: &Client, scope: Option<&str>) {
        let apps = |plural: &str| within("/apis/apps/v1", scope, plural);
        let one: Vec<OneDeployment> = self.all(client, apps("deployments"), "").await;
        self.workloads.extend(one.into_iter().filter_map(|one| one.0));
        let one: Vec<OneDaemonSet> = self.all(client, apps("daemonsets"), "").await;
        self.workloads.extend(one.into_iter().filter_map(|one| one.0));
    }

    /// What is in the way of Pods.
    async fn surroundings(&mut self, client: &Client, scope: Option<&str>) {
        let core = |plural: &str| within("/api/v1", scope, plural);
        self.defaults = self.all(client, core("limitranges"), "").await;
        self.quotas = self.all(client, core("resourcequotas"), "").await;
        self.namespaces = self.all(client, "/api/v1/namespaces".to_owned(), "").await;
        let webhooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
        self.webhooks = self.all(client, webhooks.to_owned(), "").await;
    }

    /// From now on only these manifests are to be checked, in what is known of the cluster. What has no namespace goes into
    /// this one.
    pub(crate) fn of_manifests(&mut self, text: &str, namespace: &str) -> Result<(), Text> {
        self.workloads = workloads(text)?;
        for workload in &mut self.workloads {
            if workload.namespace.is_empty() {
                workload.namespace = namespace.into();
            }
        }
        self.of_manifest = true;
        Ok(())
    }

    /// What was read of bases and modules.
    pub(crate) fn picture(&self) -> &Picture {
        &self.picture
    }

    /// How many workloads are checked.
    pub(crate) fn workloads(&self) -> usize {
        self.workloads.len()
    }

    /// Notes what is skipped.
    pub(crate) fn skip(&mut self, what: &str, why: Text) {
        let skipped = NotShown { what: what.into(), why };
        if !self.skipped.contains(&skipped) {
            self.skipped.push(skipped);
        }
    }

    fn take<T>(&mut self, what: &str, result: Result<T, Failure>) -> Option<T> {
        result.inspect_err(|failure| self.skip(what, failure.why().clone())).ok()
    }

    async fn plans(&mut self, client: &Client, scope: Option<&str>) -> Vec<Plan> {
        let plans = within("/apis/koupleless.io/v1alpha1", scope, "operationplans");
        match list::<Plan>(client, &plans, "").await {
            // Nobody has one where the cluster has no such kind.
            Err(Failure::Unknown(_)) => Vec::new(),
            found => self.take(Plan::NAME, found).map(|found| found.items).unwrap_or_default(),
        }
    }

    async fn all<T: Object>(&mut self, client: &Client, path: String, labels: &str) -> Vec<T> {
        let found = list::<T>(client, &path, labels).await;
        self.take(T::NAME, found).map(|found| found.items).unwrap_or_default()
    }
}

/// By what bases are held against what is wanted of them.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    /// The workloads that want a Pod on every base.
    pub(crate) workloads: Vec<Workload>,
    /// The Nodes of bases.
    pub(crate) sites: Vec<Site>,
    pub(crate) plans: Vec<Plan>,
    /// What of these was not seen.
    pub(crate) not_seen: Vec<NotShown>,
}

impl Wants {
    pub(crate) async fn read(cluster: &Cluster, connection: &Connection) -> Self {
        let (mut evidence, client) = (Evidence::default(), &cluster.client);
        let scope = connection.namespace.as_deref();
        evidence.deployments_and_daemon_sets(client, scope).await;
        evidence.workloads.retain(Workload::is_on_every_base);
        let sites = evidence.all(client, "/api/v1/nodes".to_owned(), VNODES).await;
        let plans = evidence.plans(client, scope).await;
        Self { workloads: evidence.workloads, sites, plans, not_seen: evidence.skipped }
    }
}

fn within(group: &str, namespace: Option<&str>, plural: &str) -> String {
    match namespace {
        Some(namespace) => format!("{group}/namespaces/{namespace}/{plural}"),
        None => format!("{group}/{plural}"),
    }
}

/// The minor version; a cloud writes a `+` behind it.
async fn minor(client: &Client) -> Result<u32, Failure> {
    let version = client.apiserver_version().await.map_err(Failure::of)?;
    version
        .minor
        .trim_end_matches('+')
        .parse()
        .map_err(|_| Failure::Refused(format!("it says {:?}", version.minor).into()))
}

async fn definition(client: &Client, name: &str) -> Result<Option<Value>, Failure> {
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
    let request =
        http::Request::get(path).body(Vec::new()).map_err(|error| Failure::Refused(chain(&error)))?;
    match client.request::<Value>(request).await.map_err(Failure::of) {
        Ok(definition) => Ok(Some(definition)),
        Err(Failure::Unknown(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What makes Pods of modules, in manifests one after another; Lists are opened.
fn workloads(text: &str) -> Result<Vec<Workload>, Text> {
    let mut found = Vec::new();
    for object in manifest::objects(text)? {
        let workload = Workload::of(None, &object.to_string()).map_err(|error| chain(&error))?;
        found.extend(workload.filter(Workload::is_meant));
    }
    Ok(found)
}
