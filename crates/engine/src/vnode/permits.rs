//! The permit that a bizName of this base needs where one version takes the place of another: asked for, held, given back.
//!
//! [`crate::ordering::permits`] decides who gets it.

use std::sync::Arc;

use model::{BizName, BizState, ModuleSpec, bilingual};

use super::{Context, News, VNode};
use crate::{
    ordering::{
        self, Arrangement, AtWork, Claim, Situation,
        permits::{Bar, Claimant, Permits},
    },
    pod::ModulePod,
    view::{Owner, PodRef},
};

/// A permit: whose Pod is to have it, and its UID.
pub(super) type Permit = (Owner, Arc<str>);

/// What is to be, as far as permits allow it.
pub(super) struct Permitted {
    pub(super) arrangement: Arrangement,
    /// The permit that was asked for, and is held or waited for.
    pub(super) permit: Option<Permit>,
    /// There is none because the same failed as a replacement on another base.
    pub(super) spoilt: bool,
}

impl VNode {
    /// Arranges a bizName, and asks for the permit that this wants, or gives it back.
    pub(super) fn arrange_with_permit(
        &self,
        name: &BizName,
        situation: &mut Situation<'_>,
        ctx: &mut Context<'_>,
    ) -> Permitted {
        let before = self.arranged.get(name);
        let claims = situation.claims;
        let displaces = situation.at_work == Some(AtWork::Displacing);
        // The Pod that it was for has gone, or asks for another module: its permit ends with it.
        let is_over = |(_, uid): &Permit| !displaces && !claims.iter().any(|claim| claim.uid == *uid);
        let mut permit = before.and_then(|arranged| arranged.permit.as_deref().cloned());
        if let Some((whose, uid)) = permit.take_if(|permit| is_over(permit)) {
            ctx.permits.give_back(&whose, &uid);
        }
        let mut arrangement = arrange(situation, permit.as_ref(), ctx);
        let target = arrangement.target.and_then(|index| claims.get(index));
        if let (None, Some(target)) = (&permit, target.filter(|target| !target.ready)) {
            permit = self.inherit_permit(target, ctx);
            if permit.is_some() {
                arrangement = arrange(situation, permit.as_ref(), ctx);
            }
        }
        // While the others have not yielded nothing was done with it, and the same may have failed elsewhere meanwhile.
        let unused =
            !situation.permit || !(displaces || before.is_some_and(|arranged| arranged.others_yield));
        let mut spoilt = false;
        if let (true, true, Some(target)) = (arrangement.wants_permit, unused, target) {
            let other = permit.take();
            (permit, spoilt) = self.take_permit(target, is_protected(situation, target), ctx);
            if let Some((whose, uid)) = other.filter(|other| permit.as_ref() != Some(other)) {
                ctx.permits.give_back(&whose, &uid);
            }
            arrangement = arrange(situation, permit.as_ref(), ctx);
        }
        let under_way = arrangement.wants_permit || displaces;
        // Where nobody asks for the module any more, nobody would give the permit back later.
        let stays = target.is_some_and(|target| under_way || is_unfinished(situation, target));
        if let Some((whose, uid)) = permit.take_if(|_| !stays) {
            ctx.permits.give_back(&whose, &uid);
        }
        Permitted { arrangement, permit, spoilt }
    }

    /// What failed here as a replacement is not tried as one on other bases either (rule O9).
    pub(super) fn tell_bars(&self, ctx: &mut Context<'_>) {
        let failed = |pod: &ModulePod| {
            let containers = pod.containers.iter().filter(|container| container.run.has_failed_over());
            let specs = containers.filter_map(|container| container.wanted.as_deref().ok());
            specs.map(|spec| (bar(pod, spec), pod.view.pod.uid.clone())).collect::<Vec<_>>()
        };
        let live = self.pods.values().filter(|pod| pod.is_live());
        ctx.permits.bars(&self.identity, live.flat_map(|pod| failed(pod)).collect());
    }

    /// The permit to put what this claim asks for in the place of what serves, held or asked for; and whether there is
    /// none because the same failed elsewhere, and what serves is to be protected from it.
    fn take_permit(&self, target: &Claim, protected: bool, ctx: &mut Context<'_>) -> (Option<Permit>, bool) {
        let Some(pod) = self.pods.get(&target.uid) else { return (None, false) };
        let bar = bar(pod, &target.spec);
        if protected && ctx.permits.is_spoilt(&bar, &target.uid, &self.identity) {
            return (None, true);
        }
        let (whose, _) = bar;
        ctx.permits.take(self.claimant(&whose, pod), ctx.now.mono);
        (Some((whose, target.uid.clone())), false)
    }

    /// The permit that this claim's Pod got when another replica acted for this base.
    fn inherit_permit(&self, target: &Claim, ctx: &mut Context<'_>) -> Option<Permit> {
        let pod = self.pods.get(&target.uid)?;
        let whose = pod.view.owner.clone()?;
        let inherits = ctx.permits.inherit(self.claimant(&whose, pod), ctx.now.mono);
        inherits.then(|| (whose, target.uid.clone()))
    }

    fn claimant<'a>(&'a self, whose: &'a Owner, pod: &'a ModulePod) -> Claimant<'a> {
        Claimant {
            whose,
            pod: &pod.view.pod.uid,
            version: pod.view.resource_version,
            node: &self.name,
            base: &self.identity,
        }
    }

    /// The Lease that would say that this Pod has a permit cannot be written.
    pub(crate) fn permit_refused(&self, uid: &Arc<str>, why: &str, ctx: &mut Context<'_>) {
        let note = bilingual!(
            "it waits to take the place of the version that serves: writing the Lease of permits was refused: {why}",
            "它在等待替换正在服务的版本：写入许可 Lease 时被拒绝：{why}"
        );
        self.announce_of_pod(uid, News { warning: true, reason: "WriteRefused", action: "Write", note }, ctx);
    }

    /// While nothing can be done here, what was asked for is for others, and so is what was not made use of yet, or will
    /// not be: a Pod that Kubernetes deletes on a base that is lost may stay for ever.
    pub(super) fn give_unused_permits_back(&mut self, ctx: &mut Context<'_>) {
        let pods = &self.pods;
        for arranged in self.arranged.values_mut() {
            let lives = |(_, uid): &Permit| pods.get(uid).is_some_and(|pod| pod.is_live());
            let given = arranged.permit.take_if(|permit| !arranged.others_yield || !lives(permit));
            if let Some((whose, uid)) = given.map(|permit| *permit) {
                ctx.permits.give_back(&whose, &uid);
            }
        }
    }

    /// Gives back what is held, when the base goes.
    pub(crate) fn give_permits_back(&mut self, permits: &mut Permits) {
        for arranged in std::mem::take(&mut self.arranged).into_values() {
            if let Some((whose, uid)) = arranged.permit.map(|permit| *permit) {
                permits.give_back(&whose, &uid);
            }
        }
    }
}

/// What is to be, given that this permit was asked for.
fn arrange(situation: &mut Situation<'_>, permit: Option<&Permit>, ctx: &Context<'_>) -> Arrangement {
    situation.permit = permit.is_some_and(|(whose, uid)| ctx.permits.holds(whose, uid));
    ordering::arrange(situation)
}

/// What serves is asked for: what nobody asks for any more needs no protection.
fn is_protected(situation: &Situation<'_>, target: &Claim) -> bool {
    let serves = |claim: &Claim| {
        !claim.stale && situation.held.contains(&(claim.spec.id.clone(), BizState::Activated))
    };
    situation.claims.iter().any(|claim| !claim.is_for_same(&target.spec) && serves(claim))
}

/// What the permit was for is not over yet: the target is not Ready although it serves, or nothing serves and it is on its way.
fn is_unfinished(situation: &Situation<'_>, target: &Claim) -> bool {
    let mut serving = situation.held.iter().filter(|(_, state)| *state == BizState::Activated).peekable();
    match serving.peek() {
        Some(_) => !target.ready && serving.any(|(id, _)| *id == target.spec.id),
        None => situation.permit && !target.failed,
    }
}

/// What a Pod asks for, as a permit names it. A bare Pod is an owner of its own, of no kind.
fn bar(pod: &ModulePod, spec: &ModuleSpec) -> Bar {
    let PodRef { namespace, name, .. } = &pod.view.pod;
    let itself = || Owner { namespace: namespace.clone(), kind: "".into(), name: name.clone() };
    (pod.view.owner.clone().unwrap_or_else(itself), spec.clone())
}
