//! Bases that asked before all that a baseline is made of was known.

use std::{collections::VecDeque, time::Duration};

use arklet::BaselineQuery;
use model::TunnelKind;

/// So long a question waits for the lists of the start: a base over HTTP is answered within 10 s.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many questions wait: a fleet that starts together with us. More are answered with nothing.
const MOST: usize = 8_192;

/// A question that waits for what is not known yet.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) tunnel: TunnelKind,
    pub(crate) query: BaselineQuery,
    pub(crate) ask: u64,
    due: Duration,
}

/// The questions that wait, in order.
#[derive(Debug, Default)]
pub(crate) struct Questions(VecDeque<Question>);

impl Questions {
    /// Keeps one for later; gives it back where too many wait.
    pub(crate) fn keep(
        &mut self,
        tunnel: TunnelKind,
        query: BaselineQuery,
        ask: u64,
        now: Duration,
    ) -> Option<Question> {
        let question = Question { tunnel, query, ask, due: now + PATIENCE };
        if self.0.len() >= MOST {
            return Some(question);
        }
        self.0.push_back(question);
        None
    }

    /// When the first has waited long enough.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.0.front().map(|question| question.due)
    }

    /// One that has waited long enough.
    pub(crate) fn next_due(&mut self, now: Duration) -> Option<Question> {
        self.0.pop_front_if(|question| question.due <= now)
    }

    /// All of them.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Question> + use<> {
        std::mem::take(&mut self.0).into_iter()
    }
}
