//! The condition that tells which of a Pod's versions failed as a replacement, so that this survives the controller.

use jiff::Timestamp;
use model::ModuleSpec;

use super::{Container, ModulePod, translate};
use crate::view::{Condition, ConditionStatus, PodView};

/// The condition that says which of the Pod's versions failed as a replacement, so that this
/// survives a restart of the controller (rule O9).
pub(super) const BARRED: &str = "module-controller.koupleless.io/Barred";

/// The condition about bars; none where there is none and never was.
pub(super) fn condition(pod: &ModulePod, wall: Timestamp) -> Option<Condition> {
    let barred = pod.containers.iter().filter(|container| container.run.is_barred());
    let message = barred.filter_map(bar_text).collect::<Vec<_>>().join("\n");
    let seen = pod.view.status.condition(BARRED);
    if message.is_empty() && seen.is_none_or(|seen| seen.status == ConditionStatus::False) {
        return None;
    }
    let status = ConditionStatus::from(!message.is_empty());
    let reason = if message.is_empty() { "Lifted" } else { "ReplacementFailed" };
    let changed = seen.filter(|seen| seen.status == status).and_then(|seen| seen.changed).or(Some(wall));
    Some(Condition { kind: BARRED.into(), status, reason: reason.into(), message: message.into(), changed })
}

/// What a bar is about: the version and its package.
fn bar_text(container: &Container) -> Option<String> {
    container.wanted.as_deref().ok().map(text_of)
}

fn text_of(spec: &ModuleSpec) -> String {
    format!("{} {}", spec.id, spec.url)
}

/// What a Pod's condition says has failed as a replacement, whoever acts for its base.
pub(crate) fn specs(pod: &PodView) -> Vec<ModuleSpec> {
    let seen = pod.status.condition(BARRED).filter(|seen| seen.status == ConditionStatus::True);
    let Some(text) = seen.map(|seen| &seen.message) else { return Vec::new() };
    translate::specs(pod).into_iter().filter(|spec| text.lines().any(|line| line == text_of(spec))).collect()
}

/// Something of it failed as a replacement, and is not tried again until somebody acts.
pub(crate) fn is_barred(pod: &PodView) -> bool {
    pod.status.condition(BARRED).is_some_and(|seen| seen.status == ConditionStatus::True)
}

/// Takes up the bars that a controller of before has written.
pub(super) fn read(pod: &mut ModulePod) {
    let seen = pod.view.status.condition(BARRED).filter(|seen| seen.status == ConditionStatus::True);
    let Some(text) = seen.map(|seen| seen.message.clone()) else { return };
    for container in &mut pod.containers {
        if bar_text(container).is_some_and(|bar| text.lines().any(|line| line == bar)) {
            container.run.bar();
        }
    }
}
