//! What a Pod says whose version gives way on its base to that of another owner. Whoever acts for a base next, or for
//! another, knows from it who lost to whom.

use std::sync::Arc;

use crate::view::{Owner, PodRef, PodStatus, PodView};

/// The reason of a container whose biz does not serve because another version does, and of a Pod whose version gave way
/// to that of another owner.
pub(crate) const DISPLACED: &str = "BizDeactivate";

const LOST_BEFORE: &str = "a newer version of this module, of another owner (";
const LOST_AFTER: &str = "), serves on this base";

/// What one says that lost to this rival. [`rival_of`] reads it.
pub(crate) fn lost_to(rival: &str) -> Arc<str> {
    format!("{LOST_BEFORE}{rival}{LOST_AFTER}").into()
}

/// What one says that waits because its bizName belongs to another namespace on this base.
pub(crate) fn belongs_to(namespace: &str) -> Arc<str> {
    format!(
        "on this base the module belongs to namespace {namespace}, which serves it, as long as it does; this Pod takes it over \
         when no Pod there asks for it any more. Use another bizName or another base, or set \
         TAKEOVER_ACROSS_NAMESPACES=true where the newer shall win across namespaces"
    )
    .into()
}

/// To whom a Pod says that it lost: [`title`].
pub(crate) fn rival_of(status: &PodStatus) -> Option<&str> {
    let says_so = *status.reason == *DISPLACED;
    let message = says_so.then_some(&*status.message)?;
    message.strip_prefix(LOST_BEFORE)?.strip_suffix(LOST_AFTER)
}

/// Its version gave way to that of another owner, or waits for it.
pub(crate) fn gave_way(pod: &PodView) -> bool {
    *pod.status.reason == *DISPLACED
}

/// How an owner is called there; a bare Pod is an owner of its own.
pub(crate) fn title(owner: Option<&Owner>, pod: &PodRef) -> String {
    match owner {
        Some(owner) => format!("{} {}/{}", owner.kind, owner.namespace, owner.name),
        None => format!("Pod {pod}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Phase;

    #[test]
    fn whom_it_lost_to_is_read_as_it_was_written() {
        let says = |reason: &str, message| PodStatus {
            phase: Phase::Failed,
            reason: reason.into(),
            message,
            ..PodStatus::default()
        };
        let owner = Owner { namespace: "ns".into(), kind: "Deployment".into(), name: "d".into() };
        let pod = PodRef { namespace: "ns".into(), name: "p".into(), uid: "1".into() };
        for title in [title(Some(&owner), &pod), title(None, &pod)] {
            assert_eq!(rival_of(&says(DISPLACED, lost_to(&title))), Some(&*title));
            assert_eq!(rival_of(&says("Evicted", lost_to(&title))), None);
        }
        assert_eq!(
            rival_of(&says(DISPLACED, belongs_to("ns"))),
            None,
            "who waits for a namespace lost nothing"
        );
    }
}
