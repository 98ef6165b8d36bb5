//! The commands that wait for their answer, and until when. Pure: time is a parameter.

use std::collections::BTreeMap;

use arklet::{AnswerKey, CommandKind};
use model::BaseIdentity;
use tokio::time::Instant;

/// Whose answer to what. A base answers without naming the request, so this is all there is.
pub(super) type Waiting = (BaseIdentity, AnswerKey);

/// Until when, with a number that makes equal times differ, and whether the base has answered well before.
type Entry = ((Instant, u64), bool);

/// The table. Two commands of one base and key are one entry with the later deadline: the first
/// answer ends it, and a second one is delivered unsolicited.
#[derive(Debug)]
pub(super) struct Pending {
    limit: usize,
    // No hash maps: those keep what a burst has needed.
    deadlines: BTreeMap<Waiting, Entry>,
    /// The same by time. The number makes equal times differ without comparing keys.
    order: BTreeMap<(Instant, u64), Waiting>,
    next_number: u64,
}

impl Pending {
    /// A table of at most `limit` entries.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, deadlines: BTreeMap::new(), order: BTreeMap::new(), next_number: 0 }
    }

    /// Whether the entry is there already, or another one fits in.
    pub(super) fn has_room_for(&self, waiting: &Waiting) -> bool {
        self.deadlines.len() < self.limit || self.deadlines.contains_key(waiting)
    }

    /// Notes that an answer is awaited. Ask [`has_room_for`](Self::has_room_for) first.
    pub(super) fn insert(&mut self, waiting: Waiting, deadline: Instant, known: bool) {
        let earlier = self.deadlines.get(&waiting).map(|((deadline, _), _)| *deadline);
        self.remove(&waiting);
        let entry = (earlier.map_or(deadline, |earlier| earlier.max(deadline)), self.next_number);
        self.next_number += 1;
        self.order.insert(entry, waiting.clone());
        self.deadlines.insert(waiting, (entry, known));
    }

    /// Whether a base that has answered well before is asked something.
    pub(super) fn asks_known(&self, base: &BaseIdentity) -> bool {
        let first = AnswerKey { command: CommandKind::InstallBiz, biz: None };
        let of_base =
            self.deadlines.range((base.clone(), first)..).take_while(|((asked, _), _)| asked == base);
        of_base.into_iter().any(|(_, (_, known))| *known)
    }

    /// Takes an entry out; false where nothing waits for it.
    pub(super) fn remove(&mut self, waiting: &Waiting) -> bool {
        let Some((entry, _)) = self.deadlines.remove(waiting) else { return false };
        self.order.remove(&entry);
        true
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Takes out one whose deadline has come, the oldest first.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Waiting> {
        let first = self.order.first_entry().filter(|first| first.key().0 <= now)?;
        let waiting = first.remove();
        self.deadlines.remove(&waiting);
        Some(waiting)
    }

    /// Takes all out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Waiting> {
        self.order.clear();
        std::mem::take(&mut self.deadlines).into_keys()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.deadlines.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn waiting(base: &str, command: CommandKind) -> Waiting {
        (base.parse().unwrap(), AnswerKey { command, biz: None })
    }

    #[test]
    fn the_oldest_deadline_comes_first_and_only_when_it_is_due() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut pending = Pending::new(8);
        pending.insert(waiting("late", CommandKind::Health), now + 2 * second, false);
        pending.insert(waiting("soon", CommandKind::Health), now + second, false);
        pending.insert(waiting("also", CommandKind::Health), now + second, false);
        assert_eq!(pending.next(), Some(now + second));
        assert_eq!(pending.expired(now), None);
        assert_eq!(pending.expired(now + second), Some(waiting("soon", CommandKind::Health)));
        assert_eq!(pending.expired(now + second), Some(waiting("also", CommandKind::Health)));
        assert_eq!(pending.expired(now + second), None);
        assert_eq!((pending.len(), pending.next()), (1, Some(now + 2 * second)));
    }

    #[test]
    fn an_answer_ends_the_wait() {
        let now = Instant::now();
        let mut pending = Pending::new(8);
        pending.insert(waiting("a", CommandKind::Health), now, false);
        assert!(!pending.remove(&waiting("a", CommandKind::QueryAllBiz)));
        assert!(pending.remove(&waiting("a", CommandKind::Health)));
        assert!(!pending.remove(&waiting("a", CommandKind::Health)));
        assert_eq!((pending.expired(now), pending.next(), pending.len()), (None, None, 0));
    }

    #[test]
    fn the_same_command_twice_is_one_wait_with_the_later_deadline() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut pending = Pending::new(1);
        pending.insert(waiting("a", CommandKind::Health), now + 2 * second, false);
        pending.insert(waiting("a", CommandKind::Health), now + second, false);
        assert_eq!((pending.len(), pending.next()), (1, Some(now + 2 * second)));
    }

    #[test]
    fn of_whom_much_is_read_is_who_is_known_and_asked_something() {
        let now = Instant::now();
        let mut pending = Pending::new(8);
        for (base, known) in [("a", false), ("b", true), ("c", false)] {
            pending.insert(waiting(base, CommandKind::QueryAllBiz), now, known);
        }
        let known =
            |pending: &Pending| ["a", "b", "c", "d"].map(|base| pending.asks_known(&base.parse().unwrap()));
        assert_eq!(known(&pending), [false, true, false, false]);
        pending.remove(&waiting("b", CommandKind::QueryAllBiz));
        assert_eq!(known(&pending), [false; 4]);
    }

    #[test]
    fn a_full_table_has_room_for_what_it_holds_only() {
        let now = Instant::now();
        let mut pending = Pending::new(1);
        pending.insert(waiting("a", CommandKind::Health), now, false);
        assert!(!pending.has_room_for(&waiting("b", CommandKind::Health)));
        assert!(pending.has_room_for(&waiting("a", CommandKind::Health)));
        assert_eq!(pending.drain().count(), 1);
        assert_eq!((pending.len(), pending.next()), (0, None));
        assert!(pending.has_room_for(&waiting("b", CommandKind::Health)));
    }
}
