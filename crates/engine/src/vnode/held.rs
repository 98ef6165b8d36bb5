//! What operation plans hold back on this base, and what serves there meanwhile (`docs/design/plans.md`).

use std::{collections::BTreeSet, sync::Arc};

use model::{BizId, BizName, ModuleSpec, bilingual};

use super::{Context, News, Scope, VNode};
use crate::{
    ordering::Claim,
    plans::{self, Plans},
    pod::{self, Container, ModulePod},
    view::ContainerState,
};

impl VNode {
    /// Notes of each container whether a plan holds it. What serves, or is being installed, is never held (rule P1).
    pub(super) fn note_holds(&mut self, plans: &Plans, scope: &Scope) {
        // Somebody may have taken the name of the plan out of a Pod.
        let named = |pod: &&ModulePod| {
            (!pod.holds.is_empty() || plans::named_by(&pod.view).is_some()) && scope.holds_pod(pod)
        };
        let pods = self.pods.values().map(Box::as_ref);
        let uids: Vec<Arc<str>> = pods.filter(named).map(|pod| pod.view.pod.uid.clone()).collect();
        for uid in uids {
            let Some(pod) = self.pods.get(&uid) else { continue };
            let holds: Box<[Option<Arc<str>>]> = pod
                .containers
                .iter()
                .map(|container| {
                    let spec = container.wanted.as_ref().ok()?;
                    let at_work =
                        self.ops.get(&spec.id.name).is_some_and(|op| op.key.biz.as_ref() == Some(&spec.id));
                    let serves =
                        self.inventory.serves(&spec.id) && !self.is_of_another_package(&spec.id, &spec.url);
                    if at_work || serves {
                        return None;
                    }
                    plans.hold(&pod.view, spec, self.node.as_ref(), self.inventory.serves_any(&spec.id.name))
                })
                .collect();
            let stand_ins = self.stand_ins(pod, plans);
            let Some(pod) = self.pods.get_mut(&uid) else { continue };
            pod.holds = if holds.iter().all(Option::is_none) { Box::default() } else { holds };
            pod.stand_in(stand_ins);
        }
    }

    /// What is to serve for the containers of this Pod as long as they do not, each with its container's place: what was rolled
    /// out last, where nothing else serves. A base that starts anew under another identity has no older Pod that would bring it
    /// back (rule P13).
    fn stand_ins(&self, pod: &ModulePod, plans: &Plans) -> Vec<(usize, Arc<ModuleSpec>)> {
        let containers = pod.containers.iter().filter(|_| pod.is_live());
        let stand_ins = containers.filter_map(|container| {
            let own = container.wanted.as_ref().ok()?;
            // Nearly all serve, long after their plan.
            if !self.waits_for_plan(pod, &own.id.name) {
                return None;
            }
            let spec = plans.stand_in(&pod.view, own, self.node.as_ref()?)?;
            if self.inventory.serves_any(&own.id.name) && !self.inventory.serves(&spec.id) {
                return None;
            }
            let mut known = pod.stand_ins().filter_map(|one| one.wanted.as_ref().ok());
            let known = known.find(|known| known.id == spec.id && known.url == spec.url);
            Some((container.place, known.cloned().unwrap_or_else(|| Arc::new(spec.clone()))))
        });
        stand_ins.collect()
    }

    /// Tells of what is about to be installed in the place of a version that is held, the first time.
    pub(super) fn tell_of_stand_in(&mut self, claim: &Claim, ctx: &mut Context<'_>) {
        let is_first = |one: &Container| one.place == claim.index && !one.run.has_begun();
        let Some(pod) = self.pods.get(&claim.uid).filter(|pod| pod.stand_ins().any(is_first)) else { return };
        let mut held = pod.held().filter_map(|(container, _)| Some(&container.wanted.as_ref().ok()?.id));
        let Some(held) = held.find(|id| id.name == claim.spec.id.name) else { return };
        let last = &claim.spec.id;
        let note = bilingual!(
            "nothing serves on this base, so that {last} is installed, which was rolled out last, until the plan releases {held} here",
            "这个基座上没有版本在服务，因此先安装上一次发布的 {last}，直到工单在这里放行 {held}"
        );
        let news = News { warning: false, reason: "StandsIn", action: "Install", note };
        self.announce_of_pod(&claim.uid, news, ctx);
    }

    /// Tells once of a Pod that waits for a plan which nobody here will ever see.
    pub(super) fn tell_what_no_plan_releases(&mut self, scope: &Scope, ctx: &mut Context<'_>) {
        if ctx.plans.is_watched() || !self.inventory.is_known() {
            return;
        }
        let pods = self.pods.values().filter(|pod| !pod.hold_told && pod.is_live() && scope.holds_pod(pod));
        let waiting: Vec<(Arc<str>, Arc<str>)> = pods
            .filter_map(|pod| {
                let (container, why) = pod.held().next()?;
                (!says(pod, container, why)).then(|| (pod.view.pod.uid.clone(), why.clone()))
            })
            .collect();
        for (uid, why) in waiting {
            let news = News { warning: true, reason: "PlansNotWatched", action: "Hold", note: (*why).into() };
            self.announce_of_pod(&uid, news, ctx);
            if let Some(pod) = self.pods.get_mut(&uid) {
                pod.hold_told = true;
            }
        }
    }

    /// The names of which a plan holds a version here. What serves under them stays, whoever asked for it: what comes after it
    /// may take days.
    pub(super) fn held_names(&self, scope: &Scope) -> BTreeSet<&BizName> {
        let pods = self.pods.values().map(Box::as_ref);
        let live = pods.filter(|pod| pod.is_live() && scope.holds_pod(pod));
        let held = live.flat_map(ModulePod::held);
        held.filter_map(|(container, _)| Some(&container.wanted.as_ref().ok()?.id.name)).collect()
    }

    /// A Pod that replaces one of this owner's waits for a plan, or has been released and does not serve yet: what serves
    /// under the name stays, although the Pod that asked for it is gone. Deployments and DaemonSets delete an older Pod that
    /// is not Ready for a moment, and its replacement may be held for days.
    pub(super) fn is_kept_for_plan(&self, id: &BizId) -> bool {
        self.pods.values().any(|pod| self.waits_for_plan(pod, &id.name))
    }

    /// It names a plan, and does not serve yet.
    pub(super) fn waits_for_plan(&self, pod: &ModulePod, name: &BizName) -> bool {
        pod.is_live()
            && pod.biz().any(|own| own.name == *name && !self.inventory.serves(own))
            && plans::named_by(&pod.view).is_some()
    }

    /// The biz that this Pod leaves behind for another of its owner that waits for a plan.
    pub(super) fn left_for_plan(&self, pod: &ModulePod) -> Vec<BizId> {
        let waits = |name: &BizName| {
            self.pods.values().any(|other| {
                other.view.owner == pod.view.owner
                    && other.view.owner.is_some()
                    && self.waits_for_plan(other, name)
            })
        };
        pod.biz().filter(|id| waits(&id.name)).cloned().collect()
    }
}

/// The Pod's status says so already: it was told before, maybe by a controller of before.
fn says(pod: &ModulePod, container: &Container, why: &str) -> bool {
    let told = pod::told(&pod.view, container).map(|told| &told.state);
    matches!(told, Some(ContainerState::Waiting { message, .. }) if **message == *why)
}
