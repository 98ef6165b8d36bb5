//! Of owners that ask for one bizName: no more Pods fail than may, no controller makes Pods without end, no namespace takes
//! a module from another, and all come to rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arklet::{Command, WireStrategy};
use engine::view::{Phase, PodRef, PodStatus, PodView};
use model::{BaseIdentity, BizState};

use super::{Known, biz_of};
use crate::{api::Api, base::Package, world::World};

/// The most Pods that one controller makes fail of all that count together.
const MOST_FAILED: usize = 16;
/// How long a controller may not know what serves: the period of its list, and what a slow network adds.
const LAG: Duration = Duration::from_secs(60);
/// The reason of what gave way.
const REASON: &str = "BizDeactivate";

/// What became of the Pods of each owner.
#[derive(Debug, Default)]
pub struct Rivals {
    /// Pods that a process made fail, by Node and owner.
    on_bases: BTreeMap<(u32, Arc<str>, String), usize>,
    /// The same, by all that count together.
    of_owners: BTreeMap<(u32, String), usize>,
    /// Pods of each owner that failed, for whatever reason.
    pub failed: BTreeMap<String, usize>,
    /// Pods that were made for each owner.
    pub made: BTreeMap<String, usize>,
    /// Pods of each owner that went because somebody wished it.
    pub taken: BTreeMap<String, usize>,
    /// Pods that were Ready once, by UID.
    served: BTreeSet<Arc<str>>,
}

/// Who made a Pod; a bare one is an owner of its own.
pub fn owner_of(pod: &PodView) -> String {
    match &pod.owner {
        Some(owner) => format!("{} {}/{}", owner.kind, owner.namespace, owner.name),
        None => format!("Pod {}", pod.pod),
    }
}

fn counts_with(pod: &PodView) -> String {
    match &pod.owner {
        Some(owner) if matches!(&*owner.kind, "Deployment" | "DaemonSet") => owner_of(pod),
        Some(owner) => format!("{} {}", owner.kind, owner.namespace),
        None => format!("Pod {}", pod.pod.namespace),
    }
}

impl Rivals {
    /// A status of a Pod is about to be written.
    ///
    /// # Errors
    /// Where one Pod too many fails.
    pub fn writes(
        &mut self,
        process: u32,
        pod: &PodRef,
        status: &PodStatus,
        api: &Api,
    ) -> Result<(), String> {
        let Some(seen) = api.pods.get(&pod.uid) else { return Ok(()) };
        if status.is_ready() {
            self.served.insert(pod.uid.clone());
        }
        if seen.status.phase == Phase::Failed || status.phase != Phase::Failed {
            return Ok(());
        }
        *self.failed.entry(owner_of(seen)).or_default() += 1;
        if *status.reason != *REASON {
            return Ok(());
        }
        let here = self.on_bases.entry((process, seen.node.clone(), owner_of(seen))).or_default();
        *here += 1;
        if *here > 1 {
            let (owner, node) = (owner_of(seen), &seen.node);
            return Err(format!("{here} Pods of {owner} failed on {node}, and one may: {pod}: {status:?}"));
        }
        let all = self.of_owners.entry((process, counts_with(seen))).or_default();
        *all += 1;
        if *all > MOST_FAILED {
            return Err(format!("{all} Pods of {} failed, and {MOST_FAILED} may", counts_with(seen)));
        }
        Ok(())
    }
}

/// A command is sent that ends what serves: it is of the same namespace, as far as the process was told. What serves is
/// of the namespace whose Pod was told so: that a base has taken another package may not be known.
pub(super) fn check(
    rivals: &Rivals,
    base: &BaseIdentity,
    command: &Command,
    known: &Known<'_>,
    now: Duration,
) -> Result<(), String> {
    let Command::InstallBiz { spec, strategy: WireStrategy::UninstallThenInstall } = command else {
        return Ok(());
    };
    let held = known.bases.get(base).map(|base| &base.biz).into_iter().flatten();
    let mut serving = held.filter(|(id, biz)| id.name == spec.id.name && biz.state == BizState::Activated);
    let Some((id, biz)) = serving.next().filter(|(_, biz)| now >= biz.activated + LAG) else { return Ok(()) };
    let node = World::node_of(base);
    let served = |pod: &&PodView| rivals.served.contains(&pod.pod.uid);
    let asking = |id: &model::BizId, package: Package| {
        let live = |pod: &&PodView| {
            pod.node == node
                && pod.deletion.is_none()
                && !matches!(pod.status.phase, Phase::Failed | Phase::Succeeded)
        };
        let pods = known.told.values().filter(live).filter(|pod| {
            let mut containers = pod.containers.iter();
            containers.any(|one| biz_of(one).as_ref() == Some(id) && one.image == package.url())
        });
        pods.collect::<Vec<_>>()
    };
    let namespace = |pod: &PodView| pod.pod.namespace.clone();
    let there: Vec<_> = asking(id, biz.package).into_iter().filter(served).map(namespace).collect();
    let comes = asking(&spec.id, Package::of(spec.url.as_written()));
    let comes: Vec<_> = comes.into_iter().map(namespace).collect();
    match there.is_empty() || comes.iter().any(|namespace| there.contains(namespace)) {
        true => Ok(()),
        false => Err(format!("{comes:?} takes {id} on {base} from {there:?}")),
    }
}

/// All have come to rest: whose package serves is Ready, and all others say that they wait. A base does not tell from which
/// package it has a version; unless `is_sure` an answer that did was lost with the controller that waited for it.
///
/// # Errors
/// The first that is not so.
pub fn at_rest(world: &World, is_sure: bool) -> Result<(), String> {
    for (identity, base) in world.bases.iter().filter(|(_, base)| base.up) {
        let node = World::node_of(identity);
        let pods: Vec<&PodView> = world.api.live_pods().filter(|pod| pod.node == node).collect();
        if let Some(pod) = world.api.pods.values().find(|pod| pod.node == node && pod.deletion.is_some()) {
            return Err(format!("{} is still being deleted", pod.pod));
        }
        let serving: Vec<_> = base.biz.iter().filter(|(_, biz)| biz.state == BizState::Activated).collect();
        let [(id, biz)] = serving[..] else {
            match pods.is_empty() && serving.is_empty() {
                true => continue,
                false => return Err(format!("on {identity} {serving:?} serves for {} Pods", pods.len())),
            }
        };
        let mut ready = 0;
        for pod in pods {
            let mut containers = pod.containers.iter();
            let is_ready = pod.status.is_ready();
            let waits = *pod.status.reason == *REASON || is_of_one_that_serves(world, pod, id);
            let may_serve = containers.clone().all(|one| biz_of(one).as_ref() == Some(id));
            let serves = may_serve && containers.all(|one| one.image == biz.package.url());
            ready += usize::from(is_ready);
            let is_right = match may_serve && !is_sure {
                true => is_ready || waits,
                false => serves == is_ready && (serves || waits),
            };
            if !is_right {
                return Err(format!("{} on {identity}, where {id} serves: {:?}", pod.pod, pod.status));
            }
        }
        if ready == 0 {
            let asking = world.api.live_pods().filter(|pod| pod.node == node);
            let statuses: Vec<_> = asking.map(|pod| (&pod.pod.name, &pod.status)).collect();
            return Err(format!("nobody is Ready on {identity}, where {id} serves: {statuses:?}"));
        }
    }
    Ok(())
}

/// A Pod of its own owner serves: it waits to be deleted.
fn is_of_one_that_serves(world: &World, pod: &PodView, id: &model::BizId) -> bool {
    world.api.live_pods().any(|other| {
        other.node == pod.node
            && owner_of(other) == owner_of(pod)
            && other.containers.iter().any(|one| biz_of(one).as_ref() == Some(id))
    })
}
