//! What operation plans promise: nothing is installed on a base that its plan has not released (rule P1), and what serves
//! stays until something else can.

use std::sync::Arc;

use arklet::Command;
use engine::view::{NodeView, PlanView, PodView};
use model::{BaseIdentity, BizId, BizState};
use plan::{Base, Condition, Phase, Release};

use super::{Known, biz_of, is_the_last};
use crate::world::World;

/// The annotation by which a Pod names its plan.
pub(crate) const NAMES: &str = "module-controller.koupleless.io/operation-plan";
/// The labels of the host name and the port, by which a plan tells bases apart.
const HOST: [&str; 2] = ["base.koupleless.io/host-name", "base.koupleless.io/tunnel-port"];

/// A command is sent.
pub(super) fn check(base: &BaseIdentity, command: &Command, known: &Known<'_>) -> Result<(), String> {
    let node = World::node_of(base);
    match command {
        Command::InstallBiz { spec, .. } => {
            // Who asks for it without a plan may have it.
            let free = |pod: &&PodView| !pod.annotations.contains_key(NAMES);
            let told = known.told.values().filter(|pod| pod.node == node);
            let is_free = told.clone().filter(free).any(|pod| asks(pod, |own| *own == spec.id));
            let by_plan = told.filter(|pod| !free(pod)).find(|pod| asks(pod, |own| *own == spec.id));
            // What was rolled out last stands in for what is held (rule P13), also where another Pod of it is held.
            let rolled_out = known.api.workloads.values().filter_map(|view| view.rolled_out.as_deref());
            let stands_in =
                rolled_out.flat_map(|rolled_out| &rolled_out.modules).any(|one| one.id == spec.id);
            match by_plan.filter(|_| !is_free && !stands_in) {
                Some(pod) if !is_released(base, pod, &spec.id, known) => Err(format!(
                    "{base} is told to install {}, which its plan has not released there",
                    spec.id
                )),
                _ => Ok(()),
            }
        }
        Command::UninstallBiz(id) if known.bases.get(base).is_some_and(|state| is_the_last(state, id)) => {
            // Where the base cannot hold both, one makes room for another that was released.
            let here = known.api.live_pods().filter(|pod| pod.node == node);
            let others: Vec<(&PodView, BizId)> = here
                .flat_map(|pod| pod.containers.iter().filter_map(biz_of).map(move |own| (pod, own)))
                .filter(|(_, own)| own.name == id.name)
                .collect();
            let is_held = |(pod, own): &(&PodView, BizId)| {
                pod.annotations.contains_key(NAMES) && *own != *id && !is_released(base, pod, own, known)
            };
            match others.first() {
                Some((pod, _)) if others.iter().all(is_held) => Err(format!(
                    "{base} is told to uninstall {id}, which serves alone, while a plan holds {}",
                    pod.pod
                )),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn asks(pod: &PodView, is_it: impl Fn(&BizId) -> bool) -> bool {
    pod.containers.iter().filter_map(biz_of).any(|id| is_it(&id))
}

/// The plan that a Pod names has released the base, as the API server has it: what a process has seen is as old or older, and
/// what was released stays released.
fn is_released(base: &BaseIdentity, pod: &PodView, id: &BizId, known: &Known<'_>) -> bool {
    let plan = pod.annotations.get(NAMES).and_then(|name| known.api.plans.get(name.as_str()));
    let Some(plan) = plan else { return false };
    // A base that has just come has no Node yet.
    let Some(node) = known.api.nodes.get(&World::node_of(base)) else {
        return plan.status.phase == Phase::Succeeded;
    };
    let serves = known.bases.get(base).is_some_and(|state| {
        state.biz.iter().any(|(own, biz)| own.name == id.name && biz.state == BizState::Activated)
    });
    let PlanView { spec, status, digest, plan, .. } = plan;
    let asked = as_base(&plan.uid, node, serves);
    plan::hold(spec.as_ref().ok(), status, digest, id, &asked) == Release::Released
}

/// A base as plans see it: here each has a host name.
fn as_base(uid: &str, node: &NodeView, serves: bool) -> Base {
    let [host, port] = HOST.map(|label| node.labels.get(label).cloned().unwrap_or_default());
    let key: Arc<str> = format!("{host}:{port}").into();
    Base {
        rank: plan::rank(uid, &key),
        key,
        address: None,
        labels: node.labels.clone(),
        available: true,
        serves,
        condition: Condition::Absent,
    }
}
