//! Desired against observed: which command a base gets next.
//!
//! [`crate::ordering`] decides for one bizName; here its situation is gathered from what is known,
//! and its steps become commands: one at a time per bizName, because Arklet locks no more than
//! name and version (rule 1), and no more than `workers` in all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arklet::{Command, CommandKind, WireStrategy};
use model::{BizId, BizName, BizState, ModuleSpec, TunnelKind};

use super::{Context, Standing, VNode};
use crate::{
    event::Now,
    ordering::{
        self, Arrangement, AtWork, Claim, Situation, Step,
        newest::{Revisions, newest_first},
        permits::{Bar, Claimant},
    },
    pod::ModulePod,
    view::{Owner, PodRef, PodView, RestartPolicy},
};

/// What was arranged for a bizName, as far as statuses show it.
#[derive(Debug)]
pub(super) struct Arranged {
    /// The claim whose version shall serve.
    pub(super) target: Claim,
    /// Claims for other versions are not Ready.
    pub(super) others_yield: bool,
    /// The target is not Ready yet, because another still is.
    pub(super) target_waits: bool,
    /// The target gets no permit, because the same failed as a replacement on another base.
    pub(super) spoilt: bool,
    /// The permit that was asked for, and is held or waited for.
    permit: Option<Permit>,
}

/// A permit: whose Pod is to have it, and its UID.
type Permit = (Owner, Arc<str>);

/// What the situation of every bizName is made of, gathered once: a base may hold a thousand.
struct Overview {
    /// What is there.
    held: BTreeMap<BizName, Vec<(BizId, BizState)>>,
    /// What may be uninstalled.
    removable: BTreeMap<BizName, Vec<BizId>>,
    leaving: BTreeMap<BizName, Vec<BizId>>,
    draining: BTreeMap<BizName, Vec<BizId>>,
    /// Of all names; nearly always none.
    strays: Vec<BizId>,
}

impl Overview {
    fn of(vnode: &VNode, now: Now) -> Self {
        let mut held: BTreeMap<BizName, Vec<(BizId, BizState)>> = BTreeMap::new();
        for biz in vnode.inventory.all() {
            held.entry(biz.id.name.clone()).or_default().push((biz.id.clone(), biz.state));
        }
        let removable = |(id, managed): &(&BizId, &super::Managed)| {
            let stays = vnode.modules.is_in_place(id) || vnode.evicted.keeps(id, now.mono);
            now.mono >= managed.next_try && !stays
        };
        let strays = vnode.managed.iter().filter(|(_, managed)| managed.stray).map(|(id, _)| id.clone());
        let in_time = |pod: &&ModulePod| pod.view.deletion.is_some_and(|end| end > now.wall);
        let drains = |pod: &&ModulePod| pod.is_draining(now.mono) || (pod.is_served() && pod.is_ready());
        let leaving = vnode.pods.values().filter(in_time);
        Self {
            held,
            removable: by_name(vnode.managed.iter().filter(removable).map(|(id, _)| id)),
            draining: by_name(leaving.clone().filter(drains).flat_map(|pod| pod.biz())),
            leaving: by_name(leaving.flat_map(|pod| pod.biz())),
            strays: strays.collect(),
        }
    }
}

fn by_name<'a>(ids: impl Iterator<Item = &'a BizId>) -> BTreeMap<BizName, Vec<BizId>> {
    let mut all: BTreeMap<BizName, Vec<BizId>> = BTreeMap::new();
    for id in ids {
        all.entry(id.name.clone()).or_default().push(id.clone());
    }
    all
}

/// What live Pods ask for, by bizName, the newest Pod first.
pub(super) type Claims = BTreeMap<BizName, Vec<Claim>>;

impl VNode {
    /// Sends every command that is due.
    pub(super) fn plan(&mut self, ctx: &mut Context<'_>) {
        if self.life.standing(ctx.now.mono, &ctx.config.times) != Standing::Alive
            || !self.inventory.is_known()
        {
            self.give_unused_permits_back(ctx);
            return;
        }
        let claims = self.claims(ctx.now.mono, ctx.revisions);
        let all = Overview::of(self, ctx.now);
        let names: BTreeSet<BizName> = claims
            .keys()
            .chain(self.managed.keys().map(|id| &id.name))
            .chain(self.arranged.keys())
            .cloned()
            .collect();
        for name in names {
            if self.inventory.is_doubtful(&name) || self.playback.holds(&name, ctx.now.mono) {
                continue;
            }
            let claims = claims.get(&name).map(Vec::as_slice).unwrap_or_default();
            let arrangement = self.arrange(&name, claims, &all, ctx);
            self.notice_loss(&name, claims, &arrangement, ctx.now.mono);
            if let Some(step) = arrangement.step
                && self.ops.len() < ctx.config.workers
            {
                self.take_step(step, claims, ctx);
            }
        }
    }

    /// What live Pods ask for, by bizName, the newest Pod first. What they name is managed from
    /// then on.
    pub(super) fn claims(&mut self, now: Duration, revisions: &Revisions) -> Claims {
        let ids = self.pods.values().filter(|pod| !pod.is_foreign).flat_map(|pod| pod.biz());
        for id in ids {
            if !self.managed.contains_key(id) {
                self.managed.insert(id.clone(), super::Managed::default());
            }
        }
        for id in self.modules.managed() {
            if !self.managed.contains_key(id) {
                self.managed.insert(id.clone(), super::Managed::default());
            }
        }
        // A Pod of before names it no more, and it is not there and not on its way: nothing is left
        // to answer for.
        let named: BTreeSet<&BizId> = self.pods.values().flat_map(|pod| pod.biz()).collect();
        let at_work = |id: &BizId| self.ops.get(&id.name).is_some_and(|op| op.key.biz.as_ref() == Some(id));
        let (inventory, modules) = (&self.inventory, &self.modules);
        self.managed.retain(|id, _| {
            inventory.find(id).is_some() || modules.is_told_managed(id) || at_work(id) || named.contains(id)
        });

        let mut live: Vec<&PodView> =
            self.pods.values().filter(|pod| pod.is_live()).map(|pod| &pod.view).collect();
        newest_first(&mut live, revisions);
        let live = live.into_iter().filter_map(|view| self.pods.get(&view.pod.uid));
        let mut claims = Claims::new();
        for pod in live {
            let never = pod.view.restart_policy == RestartPolicy::Never;
            let is_done = |id: &BizId| {
                let stopped = self.inventory.find(id).is_some_and(|biz| biz.state == BizState::Stopped);
                stopped && super::pods::ends_when_stopped(pod)
            };
            for (index, container) in pod.containers.iter().enumerate() {
                let Ok(spec) = &container.wanted else { continue };
                claims.entry(spec.id.name.clone()).or_default().push(Claim {
                    uid: pod.view.pod.uid.clone(),
                    index,
                    spec: spec.clone(),
                    created: pod.view.created,
                    owner: pod.view.owner.clone(),
                    ready: pod.is_ready(),
                    draining: pod.is_draining(now),
                    due: container.run.is_due(now)
                        && !(container.run.has_begun() && (never || is_done(&spec.id))),
                    failed: container.run.fault().is_some(),
                    barred: container.run.is_barred(),
                    stale: self.inventory.find(&spec.id).is_some()
                        && self.is_of_another_package(&spec.id, &spec.url),
                    replaces: container.run.must_replace(),
                });
            }
        }
        self.remember_losses(&claims);
        for claims in claims.values_mut() {
            self.bar_losers(claims);
        }
        claims
    }

    fn arrange(
        &mut self,
        name: &BizName,
        claims: &[Claim],
        all: &Overview,
        ctx: &mut Context<'_>,
    ) -> Arrangement {
        let activated = |id: &BizId| (id.clone(), BizState::Activated);
        let of_name = |all: &BTreeMap<BizName, Vec<BizId>>| all.get(name).cloned().unwrap_or_default();
        let [removable, leaving, draining] = [&all.removable, &all.leaving, &all.draining].map(of_name);
        let held = all.held.get(name).map(Vec::as_slice).unwrap_or_default();
        let tunnel =
            self.links.target(&self.identity, ctx.config.times.not_ready_after).map(|target| target.tunnel);
        let mut permit = self.arranged.get(name).and_then(|arranged| arranged.permit.clone());
        let mut situation = Situation {
            claims,
            held,
            removable: &removable,
            strays: &all.strays,
            leaving: &leaving,
            draining: &draining,
            at_work: self
                .ops
                .get(name)
                .map(|op| if op.displacing { AtWork::Displacing } else { AtWork::Harmless }),
            can_switch: tunnel == Some(TunnelKind::Http),
            permit: permit.as_ref().is_some_and(|(whose, uid)| ctx.permits.holds(whose, uid)),
        };
        let mut arrangement = ordering::arrange(&situation);
        let target = arrangement.target.and_then(|index| claims.get(index));
        let displaces = situation.at_work == Some(AtWork::Displacing);
        // The Pod that it was for has gone, or asks for another module: its permit ends with it.
        let is_over = |(_, uid): &Permit| !displaces && !claims.iter().any(|claim| claim.uid == *uid);
        if let Some((whose, uid)) = permit.take_if(|permit| is_over(permit)) {
            ctx.permits.give_back(&whose, &uid);
            situation.permit = false;
            arrangement = ordering::arrange(&situation);
        }
        if let (None, Some(target)) = (&permit, target.filter(|target| !target.ready)) {
            permit = self.inherit_permit(target, ctx);
            if permit.is_some() {
                situation.permit = true;
                arrangement = ordering::arrange(&situation);
            }
        }
        let mut spoilt = false;
        // While the others have not yielded nothing was done with it, and the same may have failed elsewhere meanwhile.
        let unused = !situation.permit
            || !(displaces || self.arranged.get(name).is_some_and(|arranged| arranged.others_yield));
        if let (true, true, Some(target)) = (arrangement.wants_permit, unused, target) {
            // What nobody asks for any more needs no protection.
            let protected = claims
                .iter()
                .any(|claim| claim.spec.id != target.spec.id && held.contains(&activated(&claim.spec.id)));
            let before = permit.take();
            (permit, spoilt) = self.take_permit(target, protected, ctx);
            if let Some((whose, uid)) = before.filter(|before| permit.as_ref() != Some(before)) {
                ctx.permits.give_back(&whose, &uid);
            }
            situation.permit = permit.as_ref().is_some_and(|(whose, uid)| ctx.permits.holds(whose, uid));
            arrangement = ordering::arrange(&situation);
        }
        let settled = target.is_some_and(|target| held.contains(&activated(&target.spec.id)));
        // Nothing serves, and the one that shall is on its way.
        let is_gap = situation.permit
            && !held.iter().any(|(_, state)| *state == BizState::Activated)
            && target.is_some_and(|target| !target.failed);
        let under_way = arrangement.wants_permit
            || displaces
            || is_gap
            || (settled && target.is_some_and(|target| !target.ready));
        // Where nobody asks for the module any more, nobody would give the permit back later.
        let under_way = under_way && target.is_some();
        if let (false, Some((whose, uid))) = (under_way, &permit) {
            ctx.permits.give_back(whose, uid);
            permit = None;
        }
        match target {
            Some(target) => {
                let arranged = Arranged {
                    target: target.clone(),
                    others_yield: arrangement.others_yield,
                    target_waits: arrangement.target_waits,
                    spoilt,
                    permit,
                };
                self.arranged.insert(name.clone(), arranged);
            }
            None => {
                self.arranged.remove(name);
            }
        }
        arrangement
    }

    /// What failed here as a replacement is not tried as one on other bases either (rule 9).
    pub(super) fn tell_bars(&self, ctx: &mut Context<'_>) {
        let failed = |pod: &ModulePod| {
            let containers = pod.containers.iter().filter(|container| container.run.has_failed_over());
            let specs = containers.filter_map(|container| container.wanted.as_ref().ok());
            specs.map(|spec| (bar(pod, spec), pod.view.pod.uid.clone())).collect::<Vec<_>>()
        };
        let live = self.pods.values().filter(|pod| pod.is_live());
        ctx.permits.bars(&self.identity, live.flat_map(failed).collect());
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

    /// While nothing can be done here, what was asked for is for others, and so is what was not made use of yet.
    fn give_unused_permits_back(&mut self, ctx: &mut Context<'_>) {
        for arranged in self.arranged.values_mut().filter(|arranged| !arranged.others_yield) {
            if let Some((whose, uid)) = arranged.permit.take() {
                ctx.permits.give_back(&whose, &uid);
            }
        }
    }

    /// Gives back what is held, when the base goes.
    pub(crate) fn give_permits_back(&mut self, permits: &mut ordering::permits::Permits) {
        for arranged in std::mem::take(&mut self.arranged).into_values() {
            if let Some((whose, uid)) = arranged.permit {
                permits.give_back(&whose, &uid);
            }
        }
    }

    /// Tells the claims that want to be served that their biz is not there any more.
    fn notice_loss(&mut self, name: &BizName, claims: &[Claim], arrangement: &Arrangement, now: Duration) {
        let Some(target) = arrangement.target.and_then(|index| claims.get(index)) else { return };
        let there = self.inventory.find(&target.spec.id).is_some_and(|biz| biz.state != BizState::Stopped);
        if there || self.ops.contains_key(name) {
            return;
        }
        for claim in claims.iter().filter(|claim| claim.spec.id == target.spec.id) {
            if let Some(container) = self.container(&claim.uid, claim.index) {
                container.run.disappeared(now);
            }
        }
    }

    fn take_step(&mut self, step: Step, claims: &[Claim], ctx: &mut Context<'_>) {
        let (command, index) = match step {
            Step::Uninstall(id, index) => (Command::UninstallBiz(id), index),
            Step::Install(index, strategy) => {
                let Some(claim) = claims.get(index) else { return };
                if !self.intend(&claim.spec.id, ctx) {
                    return;
                }
                (Command::InstallBiz { spec: claim.spec.clone(), strategy }, Some(index))
            }
            Step::Switch(index) => {
                let Some(claim) = claims.get(index) else { return };
                (Command::SwitchBiz(claim.spec.id.clone()), Some(index))
            }
        };
        let displacing = match &command {
            Command::InstallBiz { strategy, spec } => {
                let stale = index.and_then(|index| claims.get(index)).is_some_and(|claim| claim.stale);
                *strategy == WireStrategy::UninstallThenInstall
                    && (stale || self.inventory.of(&spec.id.name).any(|biz| biz.id != spec.id))
            }
            other => other.kind() == CommandKind::SwitchBiz,
        };
        let claim = index.and_then(|index| claims.get(index)).map(|claim| (claim.uid.clone(), claim.index));
        self.send(command, claim, displacing, ctx);
    }
}

/// What a Pod asks for, as a permit names it. A bare Pod is an owner of its own, of no kind.
fn bar(pod: &ModulePod, spec: &ModuleSpec) -> Bar {
    let PodRef { namespace, name, .. } = &pod.view.pod;
    let itself = || Owner { namespace: namespace.clone(), kind: "".into(), name: name.clone() };
    (pod.view.owner.clone().unwrap_or_else(itself), spec.clone())
}
