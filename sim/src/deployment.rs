//! The Deployment controller, as far as a rolling update shows it: maxSurge 100%, maxUnavailable 0,
//! one Pod of each revision on every base.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use engine::{
    ClusterEvent, Event,
    placement::{Placement, Toleration},
    view::{
        Common, ContainerView, CountOrPercent, EnvValue, EnvVar, Owner, PodRef, PodStatus, PodView,
        RestartPolicy, Rollout, TemplateView, WorkloadKind, WorkloadRef, WorkloadView,
    },
};
use model::{BaseIdentity, BizId};

use crate::{
    base::{Package, word},
    check::plans::NAMES,
    world::World,
};

/// What Kubernetes gives a Pod that says nothing else.
const GRACE: Duration = Duration::from_secs(30);

fn peer() -> BTreeMap<String, String> {
    [("module-controller.koupleless.io/component".to_owned(), "module-deployment".to_owned())].into()
}

/// A Deployment of one module.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Its name, and the module's.
    pub name: String,
    /// The present revision: the module's version.
    pub revision: u32,
    /// The present package.
    pub package: Package,
    /// The packages of all revisions, by version.
    pub packages: BTreeMap<u32, Package>,
    /// The operation plans that templates name, by version.
    pub plans: BTreeMap<u32, String>,
    /// It is to have a Pod on each base, and says so.
    pub is_peer: bool,
}

impl Deployment {
    /// A new one.
    pub fn new(name: &str, package: Package) -> Self {
        Self {
            name: name.into(),
            revision: 1,
            package,
            packages: [(1, package)].into(),
            plans: BTreeMap::new(),
            is_peer: false,
        }
    }

    /// The template is changed.
    pub fn update(&mut self, package: Package) {
        self.revision += 1;
        self.package = package;
        self.packages.insert(self.revision, package);
    }

    /// The biz of all its revisions.
    pub fn versions(&self) -> impl Iterator<Item = BizId> {
        self.packages
            .keys()
            .map(|version| BizId { name: word(&self.name), version: word(&version.to_string()) })
    }

    /// The annotations of its template.
    fn annotations(&self) -> BTreeMap<String, String> {
        let plan = self.plans.get(&self.revision).cloned();
        plan.map(|plan| (NAMES.to_owned(), plan)).into_iter().collect()
    }

    /// As the API server shows it.
    pub fn view(&self, world: &World) -> WorkloadView {
        let pods: Vec<&PodView> = world.api.live_pods().filter(|pod| self.owns(pod)).collect();
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let made = pod(world, "template", &word("any"), &self.name, &self.revision.to_string(), self.package);
        let updated = pods.iter().filter(|pod| version_of(pod) == Some(self.revision)).count();
        let everywhere = Toleration {
            key: String::new(),
            operator: "Exists".into(),
            value: String::new(),
            effect: String::new(),
        };
        WorkloadView {
            workload: WorkloadRef {
                kind: WorkloadKind::Deployment,
                namespace: "default".into(),
                name: self.name.as_str().into(),
                uid: format!("uid-{}", self.name).into(),
            },
            resource_version: 0,
            labels: if self.is_peer { peer() } else { BTreeMap::new() },
            created: jiff::Timestamp::UNIX_EPOCH,
            deleting: false,
            paused: false,
            replicas: count(world.bases.len()),
            max_unavailable: CountOrPercent::Count(0),
            max_surge: CountOrPercent::Percent(100),
            rollout: Rollout {
                generation: self.revision.into(),
                observed_generation: self.revision.into(),
                desired: count(world.bases.len()),
                total: count(pods.len()),
                updated: count(updated),
                available: count(pods.iter().filter(|pod| pod.status.is_ready()).count()),
            },
            template: TemplateView {
                labels: (*made.labels).clone(),
                annotations: self.annotations(),
                containers: (*made.containers).clone(),
                placement: Placement { tolerations: vec![everywhere], ..Placement::default() },
                anti_affinity: Vec::new(),
            },
            rolled_out: None,
        }
    }

    fn owns(&self, pod: &PodView) -> bool {
        pod.owner.as_ref().is_some_and(|owner| *owner.name == *self.name)
    }

    /// One round of the controller: Pods of the present revision are made, older ones are deleted
    /// as far as the present ones are Ready, those that are not Ready first.
    pub fn reconcile(&self, world: &mut World) {
        let bases: Vec<BaseIdentity> = world.bases.keys().cloned().collect();
        for base in &bases {
            let node = World::node_of(base);
            let there = world
                .api
                .live_pods()
                .any(|pod| self.owns(pod) && pod.node == node && version_of(pod) == Some(self.revision));
            if !there {
                self.create(world, base);
            }
        }
        let live: Vec<PodView> = world.api.live_pods().filter(|pod| self.owns(pod)).cloned().collect();
        let (new, old): (Vec<_>, Vec<_>) =
            live.iter().partition(|pod| version_of(pod) == Some(self.revision));
        let new_unready = new.iter().filter(|pod| !pod.status.is_ready()).count();
        let mut may_go = live.len().saturating_sub(bases.len() + new_unready);
        let (healthy, unhealthy): (Vec<_>, Vec<_>) = old.into_iter().partition(|pod| pod.status.is_ready());
        for pod in unhealthy.iter().take(may_go) {
            Self::delete(world, &pod.pod.uid);
        }
        may_go = may_go.saturating_sub(unhealthy.len());
        let spare = live.iter().filter(|pod| pod.status.is_ready()).count().saturating_sub(bases.len());
        for pod in healthy.iter().take(may_go.min(spare)) {
            Self::delete(world, &pod.pod.uid);
        }
    }

    /// The Deployment is deleted, and its Pods with it.
    pub fn delete_all(&self, world: &mut World) {
        let uids: Vec<Arc<str>> =
            world.api.live_pods().filter(|pod| self.owns(pod)).map(|pod| pod.pod.uid.clone()).collect();
        for uid in uids {
            Self::delete(world, &uid);
        }
    }

    fn delete(world: &mut World, uid: &Arc<str>) {
        world.tell(format_args!("the Deployment controller deletes {uid}"));
        let now = world.now;
        if let Some(event) = world.api.delete_pod(uid, GRACE, now) {
            world.inform(event);
        }
    }

    fn create(&self, world: &mut World, base: &BaseIdentity) {
        let number = world.api.next_number();
        let name: Arc<str> = format!("{}-{}-{number}", self.name, self.revision).into();
        world.tell(format_args!("the Deployment controller makes {name} on {base} ({:?})", self.package));
        let set: Arc<str> = format!("rs-{}-{}", self.name, self.revision).into();
        if world.api.revisions.insert(set.clone(), self.revision.into()).is_none() {
            world.inform(Event::Cluster(ClusterEvent::Revision {
                replica_set: set.clone(),
                revision: self.revision.into(),
            }));
        }
        let pod = PodView {
            controller: Some(set),
            owner: Some(Owner {
                namespace: "default".into(),
                kind: "Deployment".into(),
                name: self.name.as_str().into(),
            }),
            annotations: self.annotations().into(),
            ..pod(world, &name, base, &self.name, &self.revision.to_string(), self.package)
        };
        let event = world.api.create_pod(pod);
        world.inform(event);
    }
}

fn version_of(pod: &PodView) -> Option<u32> {
    match &pod.containers.first()?.env.first()?.value {
        EnvValue::Literal(version) => version.parse().ok(),
        _ => None,
    }
}

/// A module Pod that is bound to a base's Node.
pub fn pod(
    world: &World,
    name: &str,
    base: &BaseIdentity,
    biz: &str,
    version: &str,
    package: Package,
) -> PodView {
    PodView {
        pod: PodRef { namespace: "default".into(), name: name.into(), uid: format!("uid-{name}").into() },
        resource_version: 0,
        node: World::node_of(base),
        labels: [("module-controller.koupleless.io/component".to_owned(), "module".to_owned())]
            .into_iter()
            .collect(),
        annotations: Common::default(),
        created: world.wall(),
        deletion: None,
        held: false,
        owner: None,
        controller: None,
        restart_policy: RestartPolicy::Always,
        containers: vec![ContainerView {
            name: biz.to_owned(),
            image: package.url(),
            env: vec![EnvVar { name: "BIZ_VERSION".into(), value: EnvValue::Literal(version.to_owned()) }],
            has_probes: false,
        }]
        .into(),
        aside: Common::default(),
        readiness_gates: Common::default(),
        status: PodStatus::default(),
    }
}
