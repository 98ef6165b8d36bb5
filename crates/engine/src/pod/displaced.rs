//! What a Pod says whose version gives way on its base to that of another owner. Whoever acts for a base next, or for
//! another, knows from it who lost to whom.

use std::sync::Arc;

use model::{Language, bilingual};

use crate::view::{Owner, PodRef, PodStatus, PodView};

/// The reason of a container whose biz does not serve because another version does, and of a Pod whose version gave way
/// to that of another owner.
pub(crate) const DISPLACED: &str = "BizDeactivate";

/// What stands before and after the rival, in each language: a controller of another language may have written it.
const LOST: [(Language, &str, &str); 2] = [
    (Language::English, "a newer version of this module, of another owner (", "), serves on this base"),
    (Language::Chinese, "这个基座上在服务的是该模块更新的版本，它属于另一个工作负载（", "）"),
];

/// What one says that lost to this rival. [`rival_of`] reads it.
pub(crate) fn lost_to(rival: &str, language: Language) -> Arc<str> {
    let said = LOST.iter().find(|(of, ..)| *of == language);
    said.map(|(_, before, after)| format!("{before}{rival}{after}").into()).unwrap_or_default()
}

/// What one says that waits because its bizName belongs to another namespace on this base.
pub(crate) fn belongs_to(namespace: &str, language: Language) -> Arc<str> {
    let told = bilingual!(
        "on this base the module belongs to namespace {namespace}, which serves it, as long as it does; this Pod takes it over \
         when no Pod there asks for it any more. Use another bizName or another base, or set \
         TAKEOVER_ACROSS_NAMESPACES=true where the newer shall win across namespaces",
        "在这个基座上，该模块属于正在提供服务的命名空间 {namespace}；那里没有 Pod 再需要它之后，才由这个 Pod 接管。\
         请换一个 bizName 或换一个基座；如果希望跨命名空间也以新版本为准，请设置 TAKEOVER_ACROSS_NAMESPACES=true"
    );
    told.of(language).into()
}

/// To whom a Pod says that it lost: [`title`].
pub(crate) fn rival_of(status: &PodStatus) -> Option<&str> {
    let says_so = *status.reason == *DISPLACED;
    let message = says_so.then_some(&*status.message)?;
    LOST.iter().find_map(|(_, before, after)| message.strip_prefix(before)?.strip_suffix(after))
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
            for language in Language::ALL {
                assert_eq!(rival_of(&says(DISPLACED, lost_to(&title, *language))), Some(&*title));
                assert_eq!(rival_of(&says("Evicted", lost_to(&title, *language))), None);
            }
        }
        for language in Language::ALL {
            let waits = says(DISPLACED, belongs_to("ns", *language));
            assert_eq!(rival_of(&waits), None, "who waits for a namespace lost nothing");
        }
    }
}
