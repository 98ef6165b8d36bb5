//! What commands to bases took and how they ended, counted for the metrics page.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use arklet::{AnswerKey, CallError, CommandKind, Outcome};
use model::BaseIdentity;
use prometheus_client::metrics::{family::Family, histogram::Histogram};

/// The most commands whose beginning is remembered: those of 8,192 bases that do all they may at once. One more is
/// counted when it ends, and its time is not.
const MOST_OPEN: usize = 65_536;

/// Bounds of the histograms, in seconds: a question is answered in milliseconds, and an install may take minutes.
const BOUNDS: [f64; 15] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// How many ended, by the command's name and the error code, which is `ok` where there is none.
pub(crate) type EndedCounts = BTreeMap<(&'static str, String), u64>;

/// How long commands took, by the command's name and how they ended.
pub(crate) type Durations = Family<[(&'static str, &'static str); 2], Histogram>;

/// The counts. Clones are handles of the same.
#[derive(Debug, Clone)]
pub(crate) struct Commands {
    counts: Arc<Mutex<Counts>>,
    durations: Durations,
}

#[derive(Debug, Default)]
struct Counts {
    // No hash map: that keeps what a burst has needed.
    open: BTreeMap<(BaseIdentity, AnswerKey), Instant>,
    ended: EndedCounts,
}

impl Default for Commands {
    fn default() -> Self {
        Self { counts: Arc::default(), durations: Durations::new_with_constructor(|| Histogram::new(BOUNDS)) }
    }
}

/// How a command ended, as a label has it.
fn ending(outcome: &Outcome) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(CallError::Refused(_)) => "refused",
        Err(CallError::Unreachable(_)) => "unreachable",
        Err(CallError::NotArklet(_)) => "not_arklet",
        Err(CallError::TimedOut) => "timed_out",
        Err(CallError::Malformed(_)) => "malformed",
    }
}

impl Commands {
    /// A command goes out. What was sent before of the same, and never ended, is forgotten.
    pub(crate) fn sent(&self, base: &BaseIdentity, key: AnswerKey, now: Instant) {
        let mut counts = self.counts();
        let key = (base.clone(), key);
        if counts.open.len() < MOST_OPEN || counts.open.contains_key(&key) {
            counts.open.insert(key, now);
        }
    }

    /// Its end came.
    pub(crate) fn ended(&self, base: &BaseIdentity, key: &AnswerKey, outcome: &Outcome, now: Instant) {
        let mut counts = self.counts();
        let sent = counts.open.remove(&(base.clone(), key.clone()));
        let kind: CommandKind = key.command;
        let code = match outcome {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.code(kind).to_string(),
        };
        *counts.ended.entry((kind.name(), code)).or_default() += 1;
        drop(counts);
        if let Some(sent) = sent {
            let labels = [("command", kind.name()), ("outcome", ending(outcome))];
            let took = now.saturating_duration_since(sent);
            self.durations.get_or_create(&labels).observe(took.as_secs_f64());
        }
    }

    /// How long they took.
    pub(crate) fn durations(&self) -> &Durations {
        &self.durations
    }

    /// How many are under way, and what has ended so far.
    pub(crate) fn read(&self) -> (usize, EndedCounts) {
        let counts = self.counts();
        (counts.open.len(), counts.ended.clone())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arklet::{Answer, CallError};

    use super::*;

    #[test]
    fn commands_are_counted_by_kind_and_code_with_the_time_they_took() {
        let (commands, base, start) = (Commands::default(), "b".parse().unwrap(), Instant::now());
        let key = |command| AnswerKey { command, biz: None };
        let at = |seconds| start + Duration::from_secs(seconds);
        commands.sent(&base, key(CommandKind::QueryAllBiz), at(0));
        commands.sent(&base, key(CommandKind::Health), at(0));
        assert_eq!(commands.read().0, 2);
        commands.ended(&base, &key(CommandKind::QueryAllBiz), &Ok(Answer::Biz(vec![])), at(2));
        commands.ended(&base, &key(CommandKind::Health), &Err(CallError::TimedOut), at(8));
        // Nobody asked for it.
        commands.ended(&base, &key(CommandKind::QueryAllBiz), &Ok(Answer::Biz(vec![])), at(9));
        let (open, ended) = commands.read();
        assert_eq!(open, 0);
        assert_eq!(ended[&("queryAllBiz", "ok".to_owned())], 2);
        assert_eq!(ended.len(), 2, "{ended:?}");
        assert!(ended.keys().any(|(kind, code)| *kind == "health" && code != "ok"), "{ended:?}");
        let took = |command, outcome| {
            let seen = commands.durations().get(&[("command", command), ("outcome", outcome)]);
            seen.map(|seen| (seen.count(), seen.sum()))
        };
        assert_eq!(took("queryAllBiz", "ok"), Some((1, 2.0)), "what nobody asked for took no time");
        assert_eq!(took("health", "timed_out"), Some((1, 8.0)));
    }
}
