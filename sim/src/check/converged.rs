//! After the last fault everything comes to rest, as the users want it.

use std::{collections::BTreeSet, time::Duration};

use engine::view::{ConditionStatus, ContainerState, ModuleKey, ModuleState, Phase, PodStatus, PodView};
use model::{BaseIdentity, BizId, BizState};

use super::biz_of;
use crate::{
    base::{Base, Package},
    deployment::Deployment,
    world::World,
};

/// Compares the whole world with what was asked for.
///
/// # Errors
/// The first thing that is not as it shall be.
pub fn converged(
    world: &World,
    deployments: &[Deployment],
    forgiven: &BTreeSet<BizId>,
) -> Result<(), String> {
    for (identity, base) in &world.bases {
        let node = world.api.nodes.get(&World::node_of(identity));
        let ready = node.and_then(|node| node.condition("Ready")).map(|ready| ready.status);
        match (base.up, ready) {
            (true, Some(ConditionStatus::True)) | (false, None) => {}
            (up, ready) => return Err(format!("base {identity}: up is {up}, its Node's Ready is {ready:?}")),
        }
        if !base.up {
            continue;
        }
        let pods = || world.api.pods.values().filter(|pod| pod.node == World::node_of(identity));
        if let Some(pod) = pods().find(|pod| pod.deletion.is_some() && !is_held_at_its_end(pod)) {
            return Err(format!("{} is still being deleted: {:?}", pod.pod, pod.status));
        }
        let pods = || pods().filter(|pod| pod.deletion.is_none());
        let mut wanted = BTreeSet::new();
        // What waits beside a version that serves may be installed, or not.
        let mut named = BTreeSet::new();
        for pod in pods() {
            for container in &pod.containers {
                let Some(id) = biz_of(container) else { continue };
                named.insert(id.clone());
                let good =
                    [Package::Good, Package::OwnPath].iter().any(|package| package.url() == container.image);
                // An older version serves on only as long as the present one cannot be had.
                if let Some(deployment) = deployments.iter().find(|d| d.name == container.name) {
                    let is_present = deployment.revision.to_string() == id.version.as_str();
                    let present_is_good = matches!(deployment.package, Package::Good | Package::OwnPath);
                    if !is_present && present_is_good {
                        return Err(format!(
                            "{} is of an older revision, and the update is not over",
                            pod.pod
                        ));
                    }
                    if !is_present && !good {
                        continue;
                    }
                    if !is_present && serves_older(world, deployment, pod) {
                        continue;
                    }
                }
                check_status(&pod.status, good).map_err(|why| format!("{} on {identity}: {why}", pod.pod))?;
                if good {
                    wanted.insert(id);
                }
            }
        }
        for id in &wanted {
            if base.biz.get(id).map(|biz| biz.state) != Some(BizState::Activated) {
                return Err(format!("{id} is not activated on {identity}: {:?}", base.biz));
            }
        }
        check_modules(world, identity, base, &wanted)?;
        if let Some(left) = base.biz.keys().find(|id| !named.contains(*id) && !forgiven.contains(*id)) {
            return Err(format!("{left} is left on {identity}, and nobody wants it"));
        }
    }
    Ok(())
}

/// All is done for it: its ending is told, and it waits for somebody else only.
pub(super) fn is_held_at_its_end(pod: &PodView) -> bool {
    let ready = pod.status.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::True);
    let has_ended = matches!(pod.status.phase, Phase::Failed | Phase::Succeeded);
    pod.held && pod.deletion == Some(Duration::ZERO) && has_ended && !ready
}

/// Every biz has its Module object, which says how it stands, and there are no others.
fn check_modules(
    world: &World,
    identity: &BaseIdentity,
    base: &Base,
    wanted: &BTreeSet<BizId>,
) -> Result<(), String> {
    let node = World::node_of(identity);
    for id in base.biz.keys() {
        let key = ModuleKey { vnode: node.clone(), id: id.clone() };
        let Some(module) = world.api.modules.get(&key) else {
            return Err(format!("{id} is on {identity} without a Module object"));
        };
        if wanted.contains(id) && module.status.state != Some(ModuleState::Available) {
            return Err(format!("{id} serves on {identity}, and its Module object says {module:?}"));
        }
    }
    let mut here = world.api.modules.values().filter(|module| module.key.vnode == node);
    let asked = |id: &BizId| {
        let mut pods = world.api.live_pods().filter(|pod| pod.node == node);
        pods.any(|pod| pod.containers.iter().any(|container| container.name == id.name.as_str()))
    };
    match here.find(|module| !base.biz.contains_key(&module.key.id) && !asked(&module.key.id)) {
        Some(left) => Err(format!("a Module object is left of nothing: {left:?}")),
        None => Ok(()),
    }
}

/// A Pod of an intermediate revision, beside one of an older revision that serves the base.
fn serves_older(world: &World, deployment: &Deployment, pod: &engine::view::PodView) -> bool {
    world.api.live_pods().any(|other| {
        other.node == pod.node
            && other.pod.uid != pod.pod.uid
            && other.containers.first().is_some_and(|container| container.name == deployment.name)
            && other.status.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::True)
    })
}

fn check_status(status: &PodStatus, good: bool) -> Result<(), String> {
    let ready = status.condition("Ready").is_some_and(|ready| ready.status == ConditionStatus::True);
    let told = status.containers.iter().any(|container| {
        matches!(&container.state, ContainerState::Waiting { reason, .. } if reason.contains('.'))
    });
    match (good, ready, told) {
        (true, true, _) | (false, false, true) => Ok(()),
        (true, false, _) => Err(format!("it is not Ready: {status:?}")),
        (false, _, _) => Err(format!("its failure is not told: {status:?}")),
    }
}
