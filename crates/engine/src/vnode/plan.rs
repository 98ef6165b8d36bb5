//! Desired against observed: which command a base gets next.
//!
//! One command at a time per bizName, because Arklet locks no more than name and version
//! (ordering rule 1), and no more than `workers` in all.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arklet::{Command, WireStrategy};
use model::{BizId, BizName, BizState, InstallStrategy, ModuleSpec, TunnelKind};

use super::{Context, Standing, VNode};
use crate::view::RestartPolicy;

/// What a container of a live Pod asks for.
struct Claim {
    uid: Arc<str>,
    index: usize,
    spec: ModuleSpec,
}

/// A command, and for which container it is.
type Step = (Command, Option<(Arc<str>, usize)>);

impl VNode {
    /// Sends every command that is due.
    pub(super) fn plan(&mut self, ctx: &mut Context<'_>) {
        if self.life.standing(ctx.now.mono, &ctx.config.times) != Standing::Alive
            || !self.inventory.is_known()
        {
            return;
        }
        let claims = self.claims();
        self.notice_losses(&claims, ctx.now.mono);
        let mut names: Vec<BizName> = claims.keys().cloned().collect();
        names.extend(self.managed.keys().map(|id| id.name.clone()).filter(|name| !claims.contains_key(name)));
        names.dedup();
        for name in names {
            if self.ops.len() >= ctx.config.workers {
                return;
            }
            if self.ops.contains_key(&name) || self.inventory.is_doubtful(&name) {
                continue;
            }
            let claims = claims.get(&name).map(Vec::as_slice).unwrap_or_default();
            if let Some((command, claim)) = self.next(&name, claims, ctx) {
                self.send(command, claim, ctx);
            }
        }
    }

    /// What live Pods ask for, by bizName, the newest Pod first. What they name is managed from
    /// then on.
    fn claims(&mut self) -> BTreeMap<BizName, Vec<Claim>> {
        let mut live: Vec<_> = self.pods.values().filter(|pod| pod.is_live()).collect();
        live.sort_by_key(|pod| std::cmp::Reverse((pod.view.created, pod.view.pod.uid.clone())));
        let mut claims: BTreeMap<BizName, Vec<Claim>> = BTreeMap::new();
        for pod in live {
            for (index, container) in pod.containers.iter().enumerate() {
                if let Ok(spec) = &container.wanted {
                    let claim = Claim { uid: pod.view.pod.uid.clone(), index, spec: spec.clone() };
                    claims.entry(spec.id.name.clone()).or_default().push(claim);
                }
            }
        }
        let ids = self.pods.values().filter(|pod| !pod.is_foreign).flat_map(|pod| pod.biz());
        for id in ids {
            if !self.managed.contains_key(id) {
                self.managed.insert(id.clone(), super::Managed::default());
            }
        }
        // A Pod of before names it no more, and it is not there: nothing is left to answer for.
        let named = |id: &BizId| self.pods.values().any(|pod| pod.biz().any(|biz| biz == id));
        self.managed.retain(|id, _| self.inventory.find(id).is_some() || named(id));
        claims
    }

    /// Tells containers that their biz is there, or is not any more.
    fn notice_losses(&mut self, claims: &BTreeMap<BizName, Vec<Claim>>, now: Duration) {
        for claim in claims.values().flatten() {
            let name = &claim.spec.id.name;
            if self.ops.contains_key(name) || self.inventory.is_doubtful(name) {
                continue;
            }
            let there = self.inventory.find(&claim.spec.id).is_some_and(|biz| biz.state != BizState::Stopped);
            if !there && let Some(container) = self.container(&claim.uid, claim.index) {
                container.run.disappeared(now);
            }
        }
    }

    /// The next command for a bizName.
    fn next(&self, name: &BizName, claims: &[Claim], ctx: &Context<'_>) -> Option<Step> {
        let now = ctx.now.mono;
        let wanted = |id: &BizId| claims.iter().any(|claim| claim.spec.id == *id);
        let left = self.managed.iter().find(|(id, managed)| {
            id.name == *name && now >= managed.next_try && !wanted(id) && self.inventory.find(id).is_some()
        });
        if let Some((id, _)) = left {
            return Some((Command::UninstallBiz(id.clone()), None));
        }
        claims.iter().find_map(|claim| self.next_for(claim, claims, ctx))
    }

    fn next_for(&self, claim: &Claim, claims: &[Claim], ctx: &Context<'_>) -> Option<Step> {
        let now = ctx.now.mono;
        let pod = self.pods.get(&claim.uid)?;
        let run = &pod.containers.get(claim.index)?.run;
        let id = &claim.spec.id;
        let for_claim = Some((claim.uid.clone(), claim.index));
        let state = self.inventory.find(id).map(|biz| biz.state);
        let may_install =
            run.is_due(now) && !(pod.view.restart_policy == RestartPolicy::Never && run.has_begun());
        match state {
            Some(BizState::Activated | BizState::Resolved | BizState::Unresolved) => None,
            // What a failed start left behind: a new install over it would be refused as a repeat.
            Some(BizState::Broken) => may_install.then(|| (Command::UninstallBiz(id.clone()), for_claim)),
            Some(BizState::Deactivated) => {
                let another_serves = claims.iter().any(|other| {
                    other.spec.id != *id
                        && self
                            .inventory
                            .find(&other.spec.id)
                            .is_some_and(|biz| biz.state == BizState::Activated)
                });
                if another_serves || !run.is_due(now) {
                    return None;
                }
                // Over MQTT a Java base knows no switchBiz: the version is replaced by itself.
                let command =
                    match self.links.target(&self.identity, ctx.config.times.not_ready_after)?.tunnel {
                        TunnelKind::Http => Command::SwitchBiz(id.clone()),
                        TunnelKind::Mqtt => install(&claim.spec, WireStrategy::UninstallThenInstall),
                    };
                Some((command, for_claim))
            }
            None | Some(BizState::Stopped) => may_install.then(|| {
                let strategy = match claim.spec.strategy {
                    InstallStrategy::UninstallThenInstall => WireStrategy::UninstallThenInstall,
                    InstallStrategy::InstallOnly | InstallStrategy::Auto => WireStrategy::InstallOnly,
                };
                (install(&claim.spec, strategy), for_claim)
            }),
        }
    }
}

fn install(spec: &ModuleSpec, strategy: WireStrategy) -> Command {
    Command::InstallBiz { spec: spec.clone(), strategy }
}
