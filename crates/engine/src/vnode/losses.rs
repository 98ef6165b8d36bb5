//! Who gives way where several owners ask for one bizName: a template that lost to another owner's does not fight back,
//! and a bizName belongs to the namespace that serves it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{BizName, bilingual};

use super::{Context, News, Scope, VNode, reconcile::Claims};
use crate::{
    ordering::{
        Claim,
        losses::{Losses, Verdict},
        newest::is_older,
    },
    pod::{
        ModulePod,
        displaced::{belongs_to, gave_way, lost_to, rival_of, title},
        status::Standing,
    },
    view::Phase,
};

impl VNode {
    /// Bars those who may not displace what is asked for by another owner.
    pub(super) fn bar_rivals(&mut self, claims: &mut Claims, scope: &Scope, ctx: &Context<'_>) {
        let before: BTreeMap<BizName, Arc<str>> =
            self.namespaces.extract_if(.., |name, _| scope.holds(name)).collect();
        for (name, claims) in claims.iter_mut().filter(|(_, claims)| claims.len() > 1) {
            if !ctx.config.takeover_across_namespaces
                && let Some(whose) = self.namespace_of_name(claims, before.get(name))
            {
                for claim in claims.iter_mut() {
                    claim.barred |= self.namespace(claim).is_some_and(|namespace| *namespace != whose);
                }
                self.namespaces.insert(name.clone(), whose);
            }
            if !ctx.losses.are_any() {
                continue;
            }
            // Who may not displace here, because the name is another namespace's, does not make whoever may wait.
            let whose = self.namespaces.get(name);
            let may_displace =
                |claim: &&Claim| whose.is_none_or(|whose| self.namespace(claim) == Some(whose));
            let rivals: Vec<&Claim> = claims.iter().filter(may_displace).collect();
            let losers: Vec<bool> =
                claims.iter().map(|claim| self.has_to_wait(claim, &rivals, ctx.losses)).collect();
            claims.iter_mut().zip(losers).for_each(|(claim, waits)| claim.barred |= waits);
        }
    }

    /// To which namespace a bizName belongs that several ask for: to the one that serves it. Where several name the package
    /// that serves, to the one that it belonged to `before`, or each version that both share would give it to the other;
    /// else to the one that its Module object is in, else to that of the oldest Pod. While nothing serves, as
    /// after a start of the base, to whose Pod did, unless that fails.
    fn namespace_of_name(&self, claims: &[Claim], before: Option<&Arc<str>>) -> Option<Arc<str>> {
        let namespaces: BTreeSet<&Arc<str>> =
            claims.iter().filter_map(|claim| self.namespace(claim)).collect();
        if namespaces.len() < 2 {
            return None;
        }
        let serving = || claims.iter().filter(|claim| self.may_serve(claim));
        if let Some(first) = serving().next() {
            let told = self.modules.namespace_of(&first.spec.id);
            let mut sharing = serving().filter_map(|claim| self.namespace(claim));
            let mut named = [before, told].into_iter().flatten();
            let shares = |namespace: &&Arc<str>| sharing.clone().any(|one| one == *namespace);
            return named.find(shares).or_else(|| sharing.next_back()).cloned();
        }
        let served = |claim: &&Claim| {
            let pod = self.pods.get(&claim.uid).map(|pod| &pod.view);
            pod.is_some_and(|pod| pod.status.phase == Phase::Running && !gave_way(pod)) && !claim.failed
        };
        claims.iter().rev().find(served).and_then(|claim| self.namespace(claim)).cloned()
    }

    fn namespace(&self, claim: &Claim) -> Option<&Arc<str>> {
        Some(&self.pods.get(&claim.uid)?.view.pod.namespace)
    }

    /// What it asks for is what serves, or one of two packages of which nobody knows which one does.
    fn may_serve(&self, claim: &Claim) -> bool {
        let id = &claim.spec.id;
        let is_active = self.inventory.serves(id);
        is_active && (!claim.stale || self.is_of_uncertain_package(id))
    }

    /// What it asks for is what serves.
    pub(super) fn serves(&self, claim: &Claim) -> bool {
        self.inventory.serves(&claim.spec.id) && !claim.stale
    }

    /// Its template lost to a rival that asks for the name here. Where each has lost to the other, on different bases or
    /// at different times, whose version serves here stays.
    fn has_to_wait(&self, claim: &Claim, all: &[&Claim], losses: &Losses) -> bool {
        let is_rival = |other: &&Claim| !other.is_for_same(&claim.spec) && !other.is_of_same_owner(claim);
        all.iter().copied().filter(is_rival).any(|rival| {
            let serves = || all.iter().any(|one| one.is_of_same_owner(rival) && self.serves(one));
            self.has_lost(claim, rival, losses) && (!self.has_lost(rival, claim, losses) || serves())
        })
    }

    fn has_lost(&self, claim: &Claim, rival: &Claim, losses: &Losses) -> bool {
        let (Some(pod), Some(rival)) = (self.pods.get(&claim.uid), self.pods.get(&rival.uid)) else {
            return false;
        };
        let Some(controller) = &pod.view.controller else { return false };
        losses.has_lost(controller, &claim.spec, &title(rival.view.owner.as_ref(), &rival.view.pod))
    }

    /// How a container stands that gives way to another owner's version, the one that shall serve; none where it does not
    /// yet. It fails where it was there before, so that its controller may make another elsewhere, and waits
    /// otherwise: for good, whatever becomes of the limits.
    pub(super) fn standing_of_loser(
        &self,
        pod: &ModulePod,
        target: &Claim,
        target_serves: bool,
        ctx: &mut Context<'_>,
    ) -> Option<Standing> {
        let winner = &self.pods.get(&target.uid)?.view;
        let namespace = &winner.pod.namespace;
        if self.namespaces.get(&target.spec.id.name) == Some(namespace)
            && pod.view.pod.namespace != *namespace
        {
            return Some(Standing::Waits(belongs_to(namespace, ctx.config.language)));
        }
        let title = title(winner.owner.as_ref(), &winner.pod);
        if rival_of(&pod.view.status) == Some(&title) {
            return Some(Standing::Waits(lost_to(&title, ctx.config.language)));
        }
        if !target_serves {
            return None;
        }
        if !is_older(&pod.view, winner) || gave_way(&pod.view) {
            return Some(Standing::Waits(lost_to(&title, ctx.config.language)));
        }
        match ctx.losses.judge(&pod.view, ctx.now.mono) {
            Verdict::Fails => {
                ctx.losses.failed(&pod.view, ctx.now.mono);
                return Some(Standing::Displaced(lost_to(&title, ctx.config.language)));
            }
            Verdict::TooMany { untold: true } => self.tell_limit(pod, &title, ctx),
            Verdict::FailedBefore | Verdict::TooMany { untold: false } => {}
        }
        Some(Standing::Waits(lost_to(&title, ctx.config.language)))
    }

    /// Tells once for each owner that its Pods do not fail any more.
    fn tell_limit(&self, pod: &ModulePod, winner: &str, ctx: &mut Context<'_>) {
        ctx.losses.told(&pod.view);
        let loser = title(pod.view.owner.as_ref(), &pod.view.pod);
        let note = bilingual!(
            "{loser} has lost its modules to other owners (here to {winner}) on so many bases that no more of its Pods are made \
             to fail: they wait, BizDeactivate, until the winner is gone. Delete one of the two, or give them other bases",
            "{loser} 的模块已在太多基座上被其他工作负载（此处为 {winner}）取代，因此不再让它的 Pod 失败：这些 Pod 以 BizDeactivate 等待，\
             直到对方消失。请删除两者之一，或让它们使用不同的基座"
        );
        self.announce_of_pod(
            &pod.view.pod.uid,
            News { warning: true, reason: "DisplacedTooOften", action: "Wait", note },
            ctx,
        );
    }
}

#[cfg(test)]
mod tests;
