//! What people are told of an operation plan.

use model::{Bilingual, Language, bilingual};
use plan::{Phase, Status};

use crate::{
    action::{Action, Alarm, Announcement, Regarding},
    trace::TraceId,
    view::PlanView,
};

/// What people are told of a plan that goes on, waits for them or has ended; none of what goes on by itself.
pub(super) fn of(view: &PlanView, next: &Status) -> Option<Action> {
    let (warning, action) = match next.phase {
        Phase::Pending if next.code.is_none() => return None,
        Phase::Running if next.code.is_none() => return None,
        Phase::Pending | Phase::Running => (true, "Wait"),
        Phase::Refused | Phase::Failed => (true, "Release"),
        Phase::Paused => (next.code.is_some(), "Pause"),
        Phase::AwaitingConfirm => (false, "Confirm"),
        Phase::Succeeded | Phase::RolledBack | Phase::Superseded | Phase::Aborted => (false, "End"),
    };
    let reason = next.code.map_or_else(|| format!("Plan{}", next.phase.as_str()), |code| code.to_string());
    let alarm = match next.phase {
        Phase::AwaitingConfirm => Some(Alarm::PlanWaits),
        Phase::Failed => Some(Alarm::PlanFailed),
        Phase::Succeeded => Some(Alarm::PlanSucceeded),
        _ => None,
    };
    let (name, message) = (&view.plan.name, &next.message);
    let what = bilingual!("operation plan {name}: {message}", "工单 {name}：{message}");
    let note = match next.code {
        Some(code) => Bilingual::each(|language| {
            let what = what.of(language);
            let (meaning, suggestion) = (code.meaning(language), code.suggestion(language));
            match language {
                Language::English => format!("{what} ({meaning}: {suggestion})"),
                Language::Chinese => format!("{what}（{meaning}：{suggestion}）"),
            }
        }),
        None => what.clone(),
    };
    Some(Action::Announce(Box::new(Announcement {
        regarding: Regarding::Plan(view.plan.clone()),
        warning,
        reason,
        action,
        note,
        what,
        code: next.code,
        detail: String::new(),
        base: None,
        biz: view.spec.as_ref().ok().map(|spec| spec.module.clone()),
        trace: TraceId::of(&[&view.plan.uid, next.phase.as_str()]),
        alarm,
    })))
}
