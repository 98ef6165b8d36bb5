//! What commands to bases took and how they ended, counted for the metrics page.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use arklet::{AnswerKey, CommandKind, Outcome};
use model::BaseIdentity;

/// The most commands whose beginning is remembered: those of 8,192 bases that do all they may at once. One more is
/// counted when it ends, and its time is not.
const MOST_OPEN: usize = 65_536;

/// What is told of commands of one kind that ended with one code.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Ended {
    pub(crate) count: u64,
    /// The time that all of them took together.
    pub(crate) seconds: f64,
}

/// By the command's name and the error code, which is `ok` where there is none.
pub(crate) type EndedCounts = BTreeMap<(&'static str, String), Ended>;

/// The counts. Clones are handles of the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commands(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    // No hash map: that keeps what a burst has needed.
    open: BTreeMap<(BaseIdentity, AnswerKey), Instant>,
    ended: EndedCounts,
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
        let ended = counts.ended.entry((kind.name(), code)).or_default();
        ended.count += 1;
        ended.seconds += sent.map_or(0.0, |sent| now.saturating_duration_since(sent).as_secs_f64());
    }

    /// How many are under way, and what has ended so far.
    pub(crate) fn read(&self) -> (usize, EndedCounts) {
        let counts = self.counts();
        (counts.open.len(), counts.ended.clone())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(ended[&("queryAllBiz", "ok".to_owned())], Ended { count: 2, seconds: 2.0 });
        assert_eq!(ended.len(), 2, "{ended:?}");
        assert!(ended.keys().any(|(kind, code)| *kind == "health" && code != "ok"), "{ended:?}");
    }
}
