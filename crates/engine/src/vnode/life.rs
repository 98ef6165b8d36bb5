//! Liveness: the one question whether a base is there, asked in one place.
//!
//! Heartbeats, health answers and command answers all count as signs of life. Times are ours,
//! taken when a message arrives: the base's clock says nothing here.

use std::time::Duration;

use model::BaseState;

use crate::config::Times;

/// What is known of a base's life.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    /// The last sign of life.
    heard: Duration,
    /// The last heartbeat; none where it never sent one to this process.
    heartbeat: Option<Duration>,
    /// The gap between the last two heartbeats.
    usual_gap: Option<Duration>,
    /// Since when queries have gone unanswered; none where the last one was answered.
    unanswered_since: Option<Duration>,
    /// What it says of itself.
    state: BaseState,
    /// Something was really heard, by this process.
    proven: bool,
}

/// Whether a base is alive, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// It is well.
    Alive,
    /// It sends heartbeats, but answers no command.
    Unanswering,
    /// It says that it does not serve.
    NotServing,
    /// Nothing was heard of it for [`Times::not_ready_after`].
    Silent,
    /// It said goodbye.
    Gone,
}

impl Life {
    /// A base that is taken over from a Node: heard now for the sake of the deadlines only.
    pub(crate) fn assumed(now: Duration) -> Self {
        Self {
            heard: now,
            heartbeat: None,
            usual_gap: None,
            unanswered_since: None,
            state: BaseState::Activated,
            proven: false,
        }
    }

    /// What was known is kept, and the deadlines begin anew.
    pub(crate) fn assume(&mut self, now: Duration) {
        self.heard = now;
        self.unanswered_since = None;
        self.proven = false;
    }

    /// A heartbeat. Says whether the base may have been started anew since the last one: it came
    /// after a silence, much sooner than the ones before, or is the first.
    pub(crate) fn heartbeat(&mut self, now: Duration, state: BaseState, times: &Times) -> bool {
        let silent = now.saturating_sub(self.heard) >= times.ask_after;
        let gap = self.heartbeat.map(|last| now.saturating_sub(last));
        let early = matches!((gap, self.usual_gap), (Some(gap), Some(usual)) if gap * 2 < usual);
        let back = self.state != BaseState::Activated && state == BaseState::Activated;
        let first = self.heartbeat.is_none();
        self.usual_gap = gap;
        self.heartbeat = Some(now);
        self.heard = now;
        self.state = state;
        self.proven = true;
        silent || early || back || first
    }

    /// Somebody spoke who may be the base: a sign of life, and nothing else.
    pub(crate) fn echoed(&mut self, now: Duration) {
        self.heard = now;
        self.proven = true;
    }

    /// The base answered a command, whatever it said. An answer on its way while the base said
    /// goodbye does not bring it back.
    pub(crate) fn answered(&mut self, now: Duration) {
        self.heard = now;
        self.unanswered_since = None;
        self.proven = true;
    }

    /// A query that was sent at `sent` stayed without answer.
    pub(crate) fn unanswered(&mut self, sent: Duration) {
        self.unanswered_since.get_or_insert(sent);
    }

    /// How the base stands.
    pub(crate) fn liveness(&self, now: Duration, times: &Times) -> Liveness {
        let quiet = now.saturating_sub(self.heard) >= times.not_ready_after;
        let mute =
            self.unanswered_since.is_some_and(|since| now.saturating_sub(since) >= times.not_ready_after);
        match self.state {
            BaseState::Deactivated => Liveness::Gone,
            _ if quiet => Liveness::Silent,
            BaseState::NotServing => Liveness::NotServing,
            BaseState::Activated if mute => Liveness::Unanswering,
            BaseState::Activated => Liveness::Alive,
        }
    }

    /// Nothing was heard by this process yet, and the time to say so has not come: what others
    /// wrote of the base before stands.
    pub(crate) fn is_assumed(&self, now: Duration, times: &Times) -> bool {
        !self.proven && self.liveness(now, times) == Liveness::Alive
    }

    /// It sends heartbeats, answers and did not say goodbye. That somebody answers is not enough: an
    /// address that a base had may be another base's by now.
    pub(crate) fn is_heard_and_well(&self, now: Duration, times: &Times) -> bool {
        self.heartbeat.is_some_and(|at| now.saturating_sub(at) < times.not_ready_after)
            && matches!(self.liveness(now, times), Liveness::Alive | Liveness::NotServing)
    }

    /// A heartbeat is missing, so the base is asked.
    pub(crate) fn wants_asking(&self, now: Duration, times: &Times) -> bool {
        now.saturating_sub(self.heartbeat.unwrap_or_default()) >= times.ask_after
    }

    /// It was asked because a heartbeat is missing, and has said nothing for a moment; or it has let questions go
    /// unanswered for longer than one may take.
    pub(crate) fn is_unreached(&self, now: Duration, times: &Times) -> bool {
        let moment = Duration::from_secs(1);
        let mute = |since| now.saturating_sub(since) >= times.query_deadline + moment;
        now.saturating_sub(self.heard) >= times.ask_after + moment || self.unanswered_since.is_some_and(mute)
    }

    /// Something was really heard at that time or later.
    pub(crate) fn was_heard_since(&self, at: Duration) -> bool {
        self.proven && self.heard >= at
    }

    /// How long nothing was heard.
    pub(crate) fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(self.heard)
    }

    /// When the liveness changes if nothing is heard until then.
    pub(crate) fn wake(&self, now: Duration, times: &Times) -> Option<Duration> {
        [
            Some(self.heard + times.not_ready_after),
            Some(self.heard + times.leave_after),
            self.heartbeat.map(|at| at + times.ask_after),
            self.unanswered_since.map(|since| since + times.not_ready_after),
        ]
        .into_iter()
        .flatten()
        .filter(|&at| at > now)
        .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: fn() -> Times = Times::default;

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn silence_makes_not_ready_after_25_seconds_and_not_before() {
        let mut life = Life::assumed(s(0));
        life.heartbeat(s(10), BaseState::Activated, &TIMES());
        assert_eq!(life.liveness(s(34), &TIMES()), Liveness::Alive);
        assert_eq!(life.liveness(s(35), &TIMES()), Liveness::Silent);
        assert_eq!(life.wake(s(10), &TIMES()), Some(s(25)));
    }

    #[test]
    fn any_answer_is_a_sign_of_life() {
        let mut life = Life::assumed(s(0));
        life.answered(s(20));
        assert_eq!(life.liveness(s(44), &TIMES()), Liveness::Alive);
        life.answered(s(50));
        assert_eq!(life.liveness(s(51), &TIMES()), Liveness::Alive);
    }

    #[test]
    fn heartbeats_alone_do_not_make_it_well_for_ever() {
        let mut life = Life::assumed(s(0));
        life.unanswered(s(1));
        for t in (10..40).step_by(10) {
            life.heartbeat(s(t), BaseState::Activated, &TIMES());
        }
        assert_eq!(life.liveness(s(31), &TIMES()), Liveness::Unanswering);
        life.answered(s(32));
        assert_eq!(life.liveness(s(32), &TIMES()), Liveness::Alive);
    }

    #[test]
    fn goodbye_is_final_until_the_base_says_otherwise() {
        let mut life = Life::assumed(s(0));
        life.heartbeat(s(1), BaseState::Deactivated, &TIMES());
        life.answered(s(2));
        assert_eq!(life.liveness(s(2), &TIMES()), Liveness::Gone);
        assert!(life.heartbeat(s(3), BaseState::Activated, &TIMES()), "it was started anew");
        assert_eq!(life.liveness(s(3), &TIMES()), Liveness::Alive);
    }

    #[test]
    fn a_heartbeat_out_of_turn_may_be_a_restart() {
        let mut life = Life::assumed(s(0));
        assert!(life.heartbeat(s(0), BaseState::Activated, &TIMES()), "the first");
        assert!(!life.heartbeat(s(12), BaseState::Activated, &TIMES()));
        assert!(!life.heartbeat(s(24), BaseState::Activated, &TIMES()));
        assert!(life.heartbeat(s(27), BaseState::Activated, &TIMES()), "9 s too early");
        assert!(!life.heartbeat(s(39), BaseState::Activated, &TIMES()));
        assert!(life.heartbeat(s(60), BaseState::Activated, &TIMES()), "after a silence");
    }
}
