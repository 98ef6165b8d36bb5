//! Worlds in which several owners ask for one bizName: of one version or of two, from one package or from two, in one
//! namespace or in two; and whose controllers make another Pod for each that fails, as Kubernetes' do.

use std::{sync::Arc, time::Duration};

use engine::{
    ClusterEvent, DAEMON_SET_GENERATION, Event,
    view::{Owner, Phase, PodView, RestartPolicy},
};
use model::BaseIdentity;

use crate::{
    acts::crash,
    base::Package,
    check::{
        budget,
        rivals::{at_rest, owner_of},
    },
    deployment::pod,
    run::{FIRST_LOOK, LOOK, OWNED, REST, TROUBLE, come_to_rest, settle},
    scenario::Scenario,
    world::World,
};

/// The bizName that all ask for.
const BIZ: &str = "shared";
/// The most owners at a time.
const MOST_OWNERS: usize = 4;
/// A Job's `backoffLimit`, as Kubernetes sets it.
const BACKOFF_LIMIT: usize = 6;

/// How an owner makes Pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As many as it wants, wherever there is room; those that failed stay.
    Deployment,
    /// One on each base; one that failed is deleted and made again at once.
    DaemonSet,
    /// One, and again when it failed, a few times.
    Job,
    /// One bare Pod, made anew by somebody when it failed.
    Bare,
}

/// An owner.
#[derive(Debug, Clone)]
struct Rival {
    kind: Kind,
    namespace: &'static str,
    name: String,
    /// Its template counts up.
    revision: u32,
    version: &'static str,
    package: Package,
    wanted: usize,
}

/// Carries a scenario out.
pub(crate) fn carry_out(world: &mut World, scenario: &Scenario) -> Result<bool, String> {
    let mut rivals: Vec<Rival> = Vec::new();
    for _ in 0..scenario.acts {
        let pause = Duration::from_millis(world.rng().u64(0..30_000));
        let until = (world.now + pause).min(TROUBLE);
        reconcile_until(world, &rivals, until)?;
        act(world, &mut rivals, scenario);
    }
    let until = world.now.max(TROUBLE);
    reconcile_until(world, &rivals, until)?;
    settle(world, scenario.bases);
    let is_sure = !scenario.crashes && scenario.faults.loss == 0;
    let (soon, until) = (world.now + OWNED + FIRST_LOOK, world.now + REST);
    reconcile_until(world, &rivals, soon)?;
    while world.now < until && at_rest(world, is_sure).is_err() {
        let step = (world.now + LOOK).min(until);
        reconcile_until(world, &rivals, step)?;
    }
    come_to_rest(world, |world, until| reconcile_until(world, &rivals, until))?;
    at_rest(world, is_sure)?;
    let (before, commands) = (world.api.writes.clone(), world.checks.commands.sent);
    let until = world.now + budget::QUIET;
    reconcile_until(world, &rivals, until)?;
    budget::quiet(world, &before, commands)?;
    made(world, &rivals)?;
    Ok(true)
}

/// An owner has no more Pods made than it wants, for each that failed or was taken from it one more.
fn made(world: &World, rivals: &[Rival]) -> Result<(), String> {
    let checks = &world.checks.rivals;
    for rival in rivals.iter().filter(|rival| rival.kind != Kind::Bare) {
        let owner = rival.title();
        let count = |of: &std::collections::BTreeMap<String, usize>| of.get(&owner).copied().unwrap_or(0);
        let most = rival.wanted + count(&checks.failed) + count(&checks.taken);
        if count(&checks.made) > most {
            return Err(format!("{} Pods were made of {owner}, and {most} were to be", count(&checks.made)));
        }
    }
    Ok(())
}

fn reconcile_until(world: &mut World, rivals: &[Rival], until: Duration) -> Result<(), String> {
    while world.now < until {
        for rival in rivals {
            rival.reconcile(world);
        }
        let next = (world.now + Duration::from_secs(1)).min(until);
        world.run_until(next)?;
    }
    Ok(())
}

/// One thing that a user does, or that goes wrong.
fn act(world: &mut World, rivals: &mut Vec<Rival>, scenario: &Scenario) {
    let known = rivals.len();
    match world.rng().u8(0..12) {
        0..=5 if known < MOST_OWNERS => {
            let rival = Rival::any(world, scenario);
            world.tell(format_args!("a user makes {rival:?}"));
            rivals.push(rival);
            // Often two come at once.
            if known == 0 || world.rng().bool() {
                let rival = Rival::any(world, scenario);
                world.tell(format_args!("a user makes {rival:?}"));
                rivals.push(rival);
            }
        }
        0..=6 if known > 0 => {
            let at = world.rng().usize(0..known);
            let (version, package) = what(world);
            if let Some(rival) = rivals.get_mut(at).filter(|rival| rival.kind != Kind::Job) {
                rival.revision += 1;
                (rival.version, rival.package) = (version, package);
                let rival = rival.clone();
                world.tell(format_args!("a user changes it to {rival:?}"));
                rival.take(world, |_| true);
            }
        }
        7 if known > 1 => {
            let at = world.rng().usize(0..known);
            let rival = rivals.swap_remove(at);
            world.tell(format_args!("a user deletes {rival:?}"));
            rival.take(world, |_| true);
        }
        8 if known > 0 => {
            let at = world.rng().usize(0..known);
            let chosen = world.rng().u64(..);
            if let Some(rival) = rivals.get(at) {
                rival.take(world, |number| number == chosen % 3);
            }
        }
        9 if scenario.crashes => crash(world, scenario.bases),
        10.. if scenario.crashes && scenario.replicas > 1 => world.make_trouble(),
        _ => {}
    }
}

/// One of two versions, from one of two packages.
fn what(world: &mut World) -> (&'static str, Package) {
    let version = if world.rng().bool() { "1" } else { "2" };
    (version, if world.rng().bool() { Package::Good } else { Package::GoodToo })
}

impl Rival {
    fn any(world: &mut World, scenario: &Scenario) -> Self {
        let kind = match world.rng().u8(0..6) {
            0..=2 => Kind::Deployment,
            3 => Kind::DaemonSet,
            4 => Kind::Job,
            _ => Kind::Bare,
        };
        let namespace = if world.rng().u8(0..3) == 0 { "other" } else { "default" };
        let (version, package) = what(world);
        let bases = usize::from(scenario.bases);
        let wanted = match kind {
            Kind::Deployment => world.rng().usize(1..=bases),
            Kind::DaemonSet => bases,
            Kind::Job | Kind::Bare => 1,
        };
        let name = format!("r{}", world.api.next_number());
        Self { kind, namespace, name, revision: 1, version, package, wanted }
    }

    fn owner(&self) -> Option<Owner> {
        let kind = match self.kind {
            Kind::Deployment => "Deployment",
            Kind::DaemonSet => "DaemonSet",
            Kind::Job => "Job",
            Kind::Bare => return None,
        };
        Some(Owner { namespace: self.namespace.into(), kind: kind.into(), name: self.name.as_str().into() })
    }

    fn title(&self) -> String {
        self.owner()
            .map(|owner| format!("{} {}/{}", owner.kind, owner.namespace, owner.name))
            .unwrap_or_default()
    }

    fn owns(&self, pod: &PodView) -> bool {
        pod.pod.name.starts_with(&format!("{}-", self.name))
    }

    fn pods(&self, world: &World) -> Vec<PodView> {
        world.api.pods.values().filter(|pod| self.owns(pod)).cloned().collect()
    }

    /// One round of its controller.
    fn reconcile(&self, world: &mut World) {
        let over = |pod: &&PodView| matches!(pod.status.phase, Phase::Failed | Phase::Succeeded);
        let pods = self.pods(world);
        let failed: Vec<&PodView> = pods.iter().filter(over).collect();
        if matches!(self.kind, Kind::DaemonSet | Kind::Bare) {
            failed.iter().for_each(|pod| remove(world, &pod.pod.uid));
        }
        if self.kind == Kind::Job && failed.len() > BACKOFF_LIMIT {
            return;
        }
        let live: Vec<&PodView> = pods.iter().filter(|pod| !over(pod) && pod.deletion.is_none()).collect();
        let bases: Vec<BaseIdentity> = world.bases.keys().cloned().collect();
        let on = |base: &BaseIdentity| live.iter().filter(|pod| pod.node == World::node_of(base)).count();
        if self.kind == Kind::DaemonSet {
            let is_there =
                |base: &BaseIdentity| pods.iter().any(|pod| !over(&pod) && pod.node == World::node_of(base));
            let empty: Vec<&BaseIdentity> = bases.iter().filter(|base| !is_there(base)).collect();
            empty.into_iter().for_each(|base| self.create(world, base));
            return;
        }
        let mut count = live.len();
        while count < self.wanted {
            let least = bases.iter().map(on).min().unwrap_or(0);
            let emptiest: Vec<&BaseIdentity> = bases.iter().filter(|base| on(base) == least).collect();
            let Some(base) = world.rng().choice(emptiest) else { return };
            self.create(world, base);
            count += 1;
        }
    }

    fn create(&self, world: &mut World, base: &BaseIdentity) {
        let number = world.api.next_number();
        let name: Arc<str> = format!("{}-{number}", self.name).into();
        world.tell(format_args!("{name} ({} of {:?}) is made on {base}", self.version, self.package));
        let mut made = pod(world, &name, base, BIZ, self.version, self.package);
        made.pod.namespace = self.namespace.into();
        made.owner = self.owner();
        // A DaemonSet keeps its UID, of a Deployment each template has a ReplicaSet of its own.
        let set: Arc<str> = match self.kind {
            Kind::Deployment => format!("rs-{}-{}", self.name, self.revision).into(),
            _ => format!("uid-{}", self.name).into(),
        };
        if self.kind == Kind::Deployment
            && world.api.revisions.insert(set.clone(), self.revision.into()).is_none()
        {
            world.inform(Event::Cluster(ClusterEvent::Revision {
                replica_set: set.clone(),
                revision: self.revision.into(),
            }));
        }
        made.controller = made.owner.is_some().then_some(set);
        if self.kind == Kind::DaemonSet {
            made.labels.insert(DAEMON_SET_GENERATION.to_owned(), self.revision.to_string());
        }
        if self.kind == Kind::Job {
            made.restart_policy = RestartPolicy::Never;
        }
        *world.checks.rivals.made.entry(owner_of(&made)).or_default() += 1;
        let event = world.api.create_pod(made);
        world.inform(event);
    }

    /// Some of its Pods are taken away: one that is over goes at once.
    fn take(&self, world: &mut World, which: impl Fn(u64) -> bool) {
        for (number, pod) in (0..).zip(self.pods(world)) {
            if pod.deletion.is_some() || !which(number) {
                continue;
            }
            *world.checks.rivals.taken.entry(owner_of(&pod)).or_default() += 1;
            if matches!(pod.status.phase, Phase::Failed | Phase::Succeeded) {
                remove(world, &pod.pod.uid);
                continue;
            }
            let now = world.now;
            if let Some(event) = world.api.delete_pod(&pod.pod.uid, Duration::from_secs(30), now) {
                world.inform(event);
            }
        }
    }
}

fn remove(world: &mut World, uid: &str) {
    let now = world.now;
    if let Some(event) = world.api.delete_pod_by_force(uid, now) {
        world.inform(event);
    }
}
