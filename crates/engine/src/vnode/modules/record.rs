//! One Module object: what is known of it, and how often it may be written.

use std::time::Duration;

use super::status::ready_of;
use crate::{
    contest::{Contest, LONGEST, mark},
    request::Request,
    view::{ModuleState, ModuleView},
    write_slot::WriteSlot,
};

/// One Module object.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    /// The newest view of it; none where it is being made.
    pub(super) view: Option<Box<ModuleView>>,
    pub(super) slot: WriteSlot,
    /// What others change back of what it says of the module, and of its status.
    pub(super) contests: (Contest, Contest),
    /// Its deletion was sent: it is as good as gone, until the watch says that it is, or its write failed.
    pub(super) ends: bool,
    /// It was written by this process, since it acts for the VNode.
    pub(super) is_own: bool,
    /// It is one that a controller wrote, by all that can be seen: see [`Modules::see`].
    pub(super) is_proven: bool,
    /// How often it was written lately.
    pub(super) pace: Pace,
    /// Until then an install that was sent before this VNode was taken up may still put it there.
    pub(super) may_come_until: Duration,
    /// A state that has not been told yet, and since when.
    pub(super) passing: Option<(ModuleState, Duration)>,
}

impl Record {
    /// A controller wrote it.
    pub(super) fn is_told(&self) -> bool {
        self.is_proven || self.is_own
    }

    pub(super) fn told(&self) -> Option<&ModuleView> {
        self.view.as_deref().filter(|_| self.is_told())
    }

    /// A patch is about to be sent: none where it waits because somebody changes it back, else whether to tell so.
    pub(super) fn corrects(&mut self, request: &Request, now: Duration) -> Option<bool> {
        let (contest, mark) = match request {
            Request::PatchModule { desired, .. } => {
                let flags = (desired.managed, desired.in_place, desired.kept);
                (&mut self.contests.0, mark((&*desired.labels, &desired.url, &desired.pod, flags)))
            }
            Request::PatchModuleStatus { status, .. } => {
                let ready = ready_of(status).map(|ready| (ready.status as u8, &ready.reason, &ready.message));
                let state = status.state.map(ModuleState::as_str);
                (&mut self.contests.1, mark((state, &status.error_code, &status.suggestion, ready)))
            }
            _ => return Some(false),
        };
        (now >= contest.due(mark, LONGEST, now)).then(|| contest.sent(mark, now))
    }
}

/// How often one object is written: who writes what we take back, again and again, is answered this often and no more.
/// A whole life of a module has two writes, and a change of its package two more.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    since: Duration,
    writes: u32,
}

impl Pace {
    const MOST: u32 = 8;
    const WHILE: Duration = Duration::from_secs(60);

    pub(super) fn wrote(&mut self, now: Duration) {
        if now >= self.since + Self::WHILE {
            *self = Self { since: now, writes: 0 };
        }
        self.writes += 1;
    }

    pub(super) fn allows(&self, now: Duration) -> bool {
        self.writes < Self::MOST || now >= self.since + Self::WHILE
    }

    pub(super) fn wake(&self) -> Option<Duration> {
        (self.writes >= Self::MOST).then_some(self.since + Self::WHILE)
    }
}
