//! One module as the base knows it.

use model::{BizId, BizState};

use crate::event::Instance;

/// The most changes of state that are kept of one biz: the first, and the latest.
const MAX_RECORDS: usize = 16;

/// A change of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The state that it came into.
    pub state: BizState,
    /// Why, in Arklet's words: `Created`, `Started`, `Switched`, `Install Failed`.
    pub reason: &'static str,
    /// What there is to say of it; for a broken one what went wrong.
    pub message: String,
}

/// A module on the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Biz {
    /// Which.
    pub id: BizId,
    /// Where it serves, or would.
    pub web_context_path: String,
    /// Its code, as it was loaded by one installation.
    pub instance: Instance,
    /// Its state.
    pub state: BizState,
    /// How it came to it, the oldest first.
    pub records: Vec<Record>,
    /// It is about to be uninstalled: it serves what still comes, and says that nothing shall come any more.
    pub is_leaving: bool,
}

impl Biz {
    pub(crate) fn created(id: BizId, web_context_path: String, instance: Instance, now_ms: i64) -> Self {
        let (state, records) = (BizState::Unresolved, Vec::new());
        let mut biz = Self { id, web_context_path, instance, state, records, is_leaving: false };
        biz.become_state(BizState::Resolved, "Created", String::new(), now_ms);
        biz
    }

    pub(crate) fn become_state(
        &mut self,
        state: BizState,
        reason: &'static str,
        message: String,
        at_ms: i64,
    ) {
        self.state = state;
        if self.records.len() == MAX_RECORDS {
            self.records.remove(1);
        }
        self.records.push(Record { at_ms, state, reason, message });
    }
}
