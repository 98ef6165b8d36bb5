//! What a Module object says of how its module stands.

use std::time::Duration;

use arklet::CommandKind;
use jiff::{Timestamp, Unit};
use model::{BizId, BizState, Fault, Language};

use super::{
    super::{Context, VNode},
    Asking, NextWrite,
};
use crate::{
    request::Request,
    view::{Condition, ConditionStatus, ModuleState, ModuleStatus, ModuleView},
};

/// The condition that tells the story of a state.
const READY: &str = "Ready";

impl VNode {
    /// Writes the status where it says something else: at once where it is what things came to,
    /// after a moment where it may pass by.
    pub(super) fn tell_module(
        &self,
        id: &BizId,
        asking: Option<Asking<'_>>,
        seen: &ModuleView,
        ctx: &Context<'_>,
    ) -> Option<NextWrite> {
        let now = ctx.now;
        let (state, fault) = self.module_state(id, asking, now.mono);
        let status = status(state, fault.as_ref(), &seen.status, ctx.config.language, now.wall);
        let passing = self.modules.records.get(id).and_then(|record| record.passing);
        if is_same(&status, &seen.status) {
            return passing.map(|_| NextWrite::Pass(None));
        }
        let settled =
            matches!(state, ModuleState::Available | ModuleState::Failed | ModuleState::Deactivated);
        let since = passing.filter(|(passing, _)| *passing == state).map_or(now.mono, |(_, since)| since);
        if !settled && now.mono < since + ctx.config.times.passing {
            let passes = Some((state, since));
            return (passing != passes).then_some(NextWrite::Pass(passes));
        }
        let (key, module) = (seen.key.clone(), seen.module.clone());
        Some(NextWrite::Act(Request::PatchModuleStatus { key, module, status: Box::new(status) }))
    }

    /// How it stands, and what is wrong with it.
    fn module_state(
        &self,
        id: &BizId,
        asking: Option<Asking<'_>>,
        now: Duration,
    ) -> (ModuleState, Option<Fault>) {
        let op = self.ops.get(&id.name).filter(|op| op.key.biz.as_ref() == Some(id));
        let stays = self.modules.in_place.contains(id) || self.evicted.keeps(id, now);
        let goes = asking.is_none() && self.managed.contains_key(id) && !stays;
        let target = self.arranged.get(&id.name).filter(|arranged| arranged.target.spec.id == *id);
        let state = match (op.map(|op| op.key.command), self.inventory.find(id).map(|biz| biz.state)) {
            (Some(CommandKind::InstallBiz), _) => ModuleState::Upgrading,
            (Some(CommandKind::UninstallBiz), _) => ModuleState::Terminating,
            (Some(_), _) => ModuleState::Completing,
            (None, Some(_)) if goes => ModuleState::Terminating,
            (None, Some(BizState::Activated)) => match target {
                Some(target) if target.target_waits => ModuleState::Completing,
                _ => ModuleState::Available,
            },
            (None, Some(BizState::Deactivated)) if target.is_some() => ModuleState::Prepare,
            (None, Some(BizState::Deactivated)) => ModuleState::Deactivated,
            (None, Some(BizState::Resolved | BizState::Unresolved | BizState::Unknown)) => {
                ModuleState::Upgrading
            }
            (None, Some(BizState::Broken | BizState::Stopped)) => ModuleState::Failed,
            (None, None) => ModuleState::Pending,
        };
        let of_pod = || asking.and_then(|(_, container)| container.run.fault().cloned());
        match state {
            ModuleState::Terminating => {
                (state, self.managed.get(id).and_then(|managed| managed.fault.as_deref().cloned()))
            }
            ModuleState::Pending | ModuleState::Failed => match of_pod().or_else(|| self.broken(id)) {
                Some(fault) => (ModuleState::Failed, Some(fault)),
                None => (state, None),
            },
            _ => (state, None),
        }
    }
}

/// The status of a state. What was told before keeps its times where it has not changed.
fn status(
    state: ModuleState,
    fault: Option<&Fault>,
    seen: &ModuleStatus,
    language: Language,
    wall: Timestamp,
) -> ModuleStatus {
    let wall =
        wall.round(jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc)).ok();
    let ready = ConditionStatus::from(state == ModuleState::Available);
    let since = ready_of(seen).filter(|told| told.status == ready).and_then(|told| told.changed);
    let condition = Condition {
        kind: READY.into(),
        status: ready,
        reason: fault.map_or_else(|| state.as_str().into(), |fault| fault.code.to_string().into()),
        message: fault.map(|fault| fault.message().of(language).into()).unwrap_or_default(),
        changed: since.or(wall),
    };
    ModuleStatus {
        state: Some(state),
        error_code: fault.map(|fault| fault.code.to_string().into()).unwrap_or_default(),
        suggestion: fault.map(|fault| fault.code.suggestion(language).into()).unwrap_or_default(),
        // The list is written whole: those of others stay in it.
        conditions: [condition]
            .into_iter()
            .chain(seen.conditions.iter().filter(|c| *c.kind != *READY).cloned())
            .collect(),
        changed: (seen.state == Some(state)).then_some(seen.changed).flatten().or(wall),
    }
}

/// The condition that is ours.
pub(super) fn ready_of(status: &ModuleStatus) -> Option<&Condition> {
    status.conditions.iter().find(|condition| *condition.kind == *READY)
}

/// They say the same, as far as it is ours. What nothing has been told of is being installed.
fn is_same(wanted: &ModuleStatus, seen: &ModuleStatus) -> bool {
    let told =
        |status| ready_of(status).map(|ready| (ready.status, ready.reason.clone(), ready.message.clone()));
    match seen.state {
        None => wanted.state == Some(ModuleState::Upgrading),
        Some(_) => {
            wanted.state == seen.state && wanted.error_code == seen.error_code && told(wanted) == told(seen)
        }
    }
}
