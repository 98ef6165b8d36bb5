//! Desired against observed: which command a base gets next.
//!
//! [`crate::ordering`] decides for one bizName; here its situation is gathered from what is known,
//! and its steps become commands: one at a time per bizName, because Arklet locks no more than
//! name and version (rule O1), and no more than `workers` in all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arklet::{Command, CommandKind, WireStrategy};
use model::{BizId, BizName, BizState, ModuleSpec, TunnelKind};

use super::{
    Context, Liveness, Scope, VNode,
    permits::{Permit, Permitted},
    waits::held_up,
};
use crate::{
    ordering::{
        Arrangement, AtWork, Claim, Situation, Step,
        newest::{Revisions, newest_first},
    },
    pod::{Container, ModulePod, wait::Wait},
    view::{PodView, RestartPolicy},
};

/// What was arranged for a bizName, as far as statuses show it.
#[derive(Debug, Clone)]
pub(super) struct Arranged {
    /// The claim whose version shall serve.
    pub(super) target: Claim,
    /// Claims for other versions are not Ready.
    pub(super) others_yield: bool,
    /// The target is not Ready yet, because another still is.
    pub(super) target_waits: bool,
    /// The target gets no permit, because the same failed as a replacement on another base.
    pub(super) spoilt: bool,
    // In boxes, because nearly all the time there are none.
    /// The permit that was asked for, and is held or waited for.
    pub(super) permit: Option<Box<Permit>>,
    /// What keeps the next step from being taken.
    pub(super) wait: Option<Box<Wait>>,
}

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
    fn of(vnode: &VNode, scope: &Scope, now: Duration) -> Self {
        let mut held: BTreeMap<BizName, Vec<(BizId, BizState)>> = BTreeMap::new();
        for biz in vnode.inventory.all().filter(|biz| scope.holds(&biz.id.name)) {
            held.entry(biz.id.name.clone()).or_default().push((biz.id.clone(), biz.state));
        }
        let awaited = vnode.held_names(scope);
        let removable = |id: &BizId, managed: &super::Managed| {
            let is_spared =
                || awaited.contains(&id.name) && vnode.inventory.serves(id) && !vnode.is_unwanted(id);
            let stays = vnode.modules.is_in_place(id) || vnode.evicted.keeps(id, now) || is_spared();
            scope.holds(&id.name) && now >= managed.next_try && !stays
        };
        let strays = vnode.managed.iter().filter(|(_, managed)| managed.stray).map(|(id, _)| id.clone());
        let in_time = |pod: &&ModulePod| pod.grace_ends().is_some_and(|end| now < end);
        let drains = |pod: &&ModulePod| pod.is_draining(now) || (pod.is_served() && pod.is_ready());
        let leaving = vnode.pods.values().map(Box::as_ref).filter(in_time).filter(|pod| scope.holds_pod(pod));
        Self {
            held,
            removable: by_name(
                vnode.managed.iter().filter(|(id, managed)| removable(id, managed)).map(|(id, _)| id),
            ),
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
    /// Sends every command that is due. What waited for fewer to be at work comes into the scope with its turn.
    pub(super) fn reconcile(&mut self, scope: &mut Scope, ctx: &mut Context<'_>) {
        if self.life.liveness(ctx.now.mono, &ctx.config.times) != Liveness::Alive
            || !self.inventory.is_known()
        {
            self.give_unused_permits_back(ctx);
            return;
        }
        self.reconcile_names(scope, ctx);
        while self.ops.len() < ctx.config.workers
            && let Some(name) = self.queued.pop_first()
        {
            scope.add(name.clone());
            self.reconcile_names(&Scope::of(name), ctx);
        }
    }

    fn reconcile_names(&mut self, scope: &Scope, ctx: &mut Context<'_>) {
        self.note_holds(ctx.plans, scope);
        let mut claims = self.claims(ctx.now.mono, ctx.revisions, scope);
        self.bar_rivals(&mut claims, scope, ctx);
        let all = Overview::of(self, scope, ctx.now.mono);
        let names: BTreeSet<BizName> = claims
            .keys()
            .chain(self.managed.keys().map(|id| &id.name))
            .chain(self.arranged.keys())
            .filter(|name| scope.holds(name))
            .cloned()
            .collect();
        for name in names {
            self.queued.remove(&name);
            if self.inventory.is_doubtful(&name) || self.playback.holds(&name, ctx.now.mono) {
                continue;
            }
            let claims = claims.get(&name).map(Vec::as_slice).unwrap_or_default();
            let arrangement = self.arrange(&name, claims, &all, ctx);
            self.notice_loss(&name, claims, &arrangement, ctx.now.mono);
            match arrangement.step {
                Some(step) if self.ops.len() < ctx.config.workers => {
                    self.take_step(step, claims, ctx);
                    self.note_intent(&name);
                }
                Some(_) => drop(self.queued.insert(name)),
                None => {}
            }
        }
    }

    /// What live Pods ask for, by bizName, the newest Pod first. What they name is managed from
    /// then on.
    pub(super) fn claims(&mut self, now: Duration, revisions: &Revisions, scope: &Scope) -> Claims {
        self.manage(scope);
        let here = |pod: &&ModulePod| scope.holds_pod(pod);
        let mut live: Vec<&PodView> = self
            .pods
            .values()
            .map(Box::as_ref)
            .filter(here)
            .filter(|pod| pod.is_live())
            .map(|pod| &pod.view)
            .collect();
        newest_first(&mut live, revisions);
        let live = live.into_iter().filter_map(|view| self.pods.get(&view.pod.uid));
        let mut claims = Claims::new();
        let mut stand_ins = Vec::new();
        for pod in live {
            stand_ins.extend(pod.stand_ins().map(|container| (pod, container)));
            let never = pod.view.restart_policy == RestartPolicy::Never;
            let is_done = |id: &BizId| {
                let stopped = self.inventory.find(id).is_some_and(|biz| biz.state == BizState::Stopped);
                stopped && super::pods::ends_when_stopped(pod)
            };
            for container in &pod.containers {
                let Ok(spec) = &container.wanted else { continue };
                if !scope.holds(&spec.id.name) {
                    continue;
                }
                let ended = container.run.has_begun() && (never || is_done(&spec.id));
                claims.entry(spec.id.name.clone()).or_default().push(Claim {
                    ready: pod.is_ready(),
                    draining: pod.is_draining(now),
                    due: container.run.is_due(now) && !ended,
                    held: pod.held().any(|(held, _)| held.place == container.place),
                    ..self.claim(pod, container, spec, now)
                });
            }
        }
        for (pod, container) in stand_ins {
            let Ok(spec) = &container.wanted else { continue };
            let of_name = claims.entry(spec.id.name.clone()).or_default();
            // Where another Pod asks that may have what it asks for, that is what serves. The Pod's own version comes first, too,
            // and falls back to this where it fails.
            let gives_way = |other: &Claim| other.held || other.failed || other.uid == pod.view.pod.uid;
            if scope.holds(&spec.id.name) && of_name.iter().all(gives_way) {
                of_name.push(self.claim(pod, container, spec, now));
            }
        }
        claims
    }

    /// What a container asks for. The Pod is not Ready by it, and nothing holds it.
    fn claim(&self, pod: &ModulePod, container: &Container, spec: &Arc<ModuleSpec>, now: Duration) -> Claim {
        Claim {
            uid: pod.view.pod.uid.clone(),
            index: container.place,
            spec: spec.clone(),
            owner: pod.view.owner.clone(),
            ready: false,
            draining: false,
            due: container.run.is_due(now),
            failed: container.run.fault().is_some(),
            barred: container.run.is_barred(),
            held: false,
            stale: self.inventory.find(&spec.id).is_some() && self.is_of_another_package(&spec.id, &spec.url),
            replaces: container.run.must_replace(),
        }
    }

    /// What Pods name, and what objects say, is answered for from now on; what nothing is left of is no more.
    fn manage(&mut self, scope: &Scope) {
        let here = |pod: &&ModulePod| scope.holds_pod(pod);
        let ids = self
            .pods
            .values()
            .map(Box::as_ref)
            .filter(here)
            .filter(|pod| !pod.is_foreign)
            .flat_map(ModulePod::named);
        for id in ids {
            if !self.managed.contains_key(id) {
                self.managed.insert(id.clone(), Box::default());
            }
        }
        for id in self.modules.managed().filter(|id| scope.holds(&id.name)) {
            if !self.managed.contains_key(id) {
                self.managed.insert(id.clone(), Box::default());
            }
        }
        // A Pod of before names it no more, and it is not there and not on its way: nothing is left
        // to answer for.
        let named: BTreeSet<&BizId> =
            self.pods.values().map(Box::as_ref).filter(here).flat_map(ModulePod::named).collect();
        let at_work = |id: &BizId| self.ops.get(&id.name).is_some_and(|op| op.key.biz.as_ref() == Some(id));
        let (inventory, modules) = (&self.inventory, &self.modules);
        self.managed.retain(|id, _| {
            !scope.holds(&id.name)
                || inventory.find(id).is_some()
                || modules.is_told_managed(id)
                || at_work(id)
                || named.contains(id)
        });
    }

    fn arrange(
        &mut self,
        name: &BizName,
        claims: &[Claim],
        all: &Overview,
        ctx: &mut Context<'_>,
    ) -> Arrangement {
        let of_name = |all: &BTreeMap<BizName, Vec<BizId>>| all.get(name).cloned().unwrap_or_default();
        let [removable, leaving, draining] = [&all.removable, &all.leaving, &all.draining].map(of_name);
        let held = all.held.get(name).map(Vec::as_slice).unwrap_or_default();
        let tunnel =
            self.links.target(&self.identity, ctx.config.times.not_ready_after).map(|target| target.tunnel);
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
            can_replace: self.replacing.is_known(),
            permit: false,
        };
        let Permitted { arrangement, permit, spoilt } = self.arrange_with_permit(name, &mut situation, ctx);
        let target = arrangement.target.and_then(|index| claims.get(index));
        match target {
            Some(target) => {
                let arranged = Arranged {
                    target: target.clone(),
                    others_yield: arrangement.others_yield,
                    target_waits: arrangement.target_waits,
                    spoilt,
                    wait: held_up(&situation, &arrangement, target, permit.as_ref().map(|(whose, _)| whose))
                        .map(Box::new),
                    permit: permit.map(Box::new),
                };
                self.arranged.insert(name.clone(), Box::new(arranged));
            }
            None => {
                self.arranged.remove(name);
            }
        }
        arrangement
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
        let mut makes_room = false;
        let (command, index) = match step {
            Step::Uninstall(id, index) => (Command::UninstallBiz(id), index),
            Step::MakeRoom(id, index) => {
                makes_room = true;
                // The install that follows is the second half of a replacement, for whoever asks for it.
                let Some(spec) = claims.get(index).map(|claim| &claim.spec) else { return };
                for claim in claims.iter().filter(|claim| claim.is_for_same(spec)) {
                    if let Some(container) = self.container(&claim.uid, claim.index) {
                        container.run.makes_room();
                    }
                }
                (Command::UninstallBiz(id), Some(index))
            }
            Step::Install(index, strategy) => {
                let Some(claim) = claims.get(index) else { return };
                if !self.intend(&claim.spec.id, ctx) {
                    return;
                }
                self.tell_of_stand_in(claim, ctx);
                (Command::InstallBiz { spec: (*claim.spec).clone(), strategy }, Some(index))
            }
            Step::Switch(index) => {
                let Some(claim) = claims.get(index) else { return };
                (Command::SwitchBiz(claim.spec.id.clone()), Some(index))
            }
        };
        let claim = index.and_then(|index| claims.get(index));
        let displacing = match &command {
            Command::InstallBiz { strategy: WireStrategy::InstallOnly, .. } => {
                !self.replacing.is_known() && claim.is_some_and(|claim| claim.replaces)
            }
            Command::InstallBiz { strategy: WireStrategy::UninstallThenInstall, spec } => {
                claim.is_some_and(|claim| claim.stale)
                    || self.inventory.of(&spec.id.name).any(|biz| biz.id != spec.id)
            }
            other => makes_room || other.kind() == CommandKind::SwitchBiz,
        };
        let claim = claim.map(|claim| (claim.uid.clone(), claim.index));
        self.send(command, claim, displacing, ctx);
    }
}
