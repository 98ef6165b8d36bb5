//! Two replicas under one `CLIENT_ID` in two Pods: one of them is a mistake, and which one is not for us to say. The one that
//! was there first goes on; the other acts for nothing until the first is gone, and says why.
//!
//! It is a member all the same, which takes nothing: so it sees the first die as any other does.

use std::sync::Arc;

use crate::view::{MemberState, MemberView};

/// Another replica that lives under this one's `CLIENT_ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// The `CLIENT_ID` of both.
    pub client_id: Arc<str>,
    /// The other's `POD_UID`.
    pub pod_uid: Arc<str>,
    /// The other's incarnation.
    pub incarnation: Arc<str>,
    /// This one acts for nothing as long as the other lives.
    pub yields: bool,
}

/// Whether this replica yields to another of its name.
#[derive(Debug, Default)]
pub(super) struct Yielding {
    /// The other was there when this one joined.
    is_second: bool,
    yields: bool,
}

impl Yielding {
    /// Looks at the others. `joins`: this one's own Lease is not written yet.
    pub(super) fn look<'a>(
        &mut self,
        own: &MemberView,
        joins: bool,
        others: impl Iterator<Item = &'a MemberView>,
    ) {
        let (mut any, mut is_later) = (false, false);
        for twin in others.filter(|other| is_twin(other, own)) {
            any = true;
            // Of two that came at the same moment one has to yield; a second one takes nothing, and says so.
            is_later |= !twin.cut_off && twin.incarnation < own.incarnation;
        }
        self.is_second = any && (joins || self.is_second);
        self.yields = self.is_second || is_later;
    }

    /// This one acts for nothing.
    pub(super) fn yields(&self) -> bool {
        self.yields
    }
}

/// It lives under the same `CLIENT_ID` in another Pod. In the same Pod it would be this one's predecessor, and where a
/// `POD_UID` is not told nobody knows.
pub(super) fn is_twin(other: &MemberView, own: &MemberView) -> bool {
    let told = !own.pod_uid.is_empty() && !other.pod_uid.is_empty();
    let same = other.client_id == own.client_id && other.pod_uid != own.pod_uid;
    told && same && other.state == MemberState::Living
}
