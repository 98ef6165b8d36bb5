//! The same thing said again is counted on the Event that says it, and not said again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use engine::{Announcement, Regarding};
use jiff::Timestamp;

/// After so long a silence the same is news again.
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// The count on an Event is at most so old.
const STEP: Duration = Duration::from_secs(60);

/// How many Events are remembered. Each is some kilobytes at the worst, most are 300 bytes.
const MOST: usize = 4096;

/// What makes two announcements the same: about the same object, for the same reason, in the same
/// words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    object: Arc<str>,
    reason: Arc<str>,
    note: Arc<str>,
}

impl Key {
    pub(super) fn of(announcement: &Announcement) -> Self {
        let object = match &announcement.regarding {
            Regarding::Pod(pod) => pod.uid.clone(),
            Regarding::Workload(workload) => workload.uid.clone(),
            Regarding::Plan(plan) => plan.uid.clone(),
            Regarding::Node { name, .. } => name.clone(),
        };
        Self { object, reason: announcement.reason.as_str().into(), note: announcement.note.english().into() }
    }
}

/// Namespace and name of an Event.
pub(super) type Collection = (Arc<str>, Arc<str>);

/// A count that is to be written on an Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Series {
    /// What it counts.
    pub(super) key: Key,
    /// On which Event.
    pub(super) place: Collection,
    /// How often it was seen, the first time included.
    pub(super) count: u32,
    /// When last.
    pub(super) last: Timestamp,
}

/// What is to be done about an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Write it; then say so with [`Repeats::written`].
    First,
    /// Count it on the Event that is there.
    Again(Series),
    /// Nothing for now: it is counted, and written later.
    Held,
}

#[derive(Debug)]
struct Entry {
    place: Collection,
    count: u32,
    last: Duration,
    last_wall: Timestamp,
    written: u32,
    written_at: Duration,
}

impl Entry {
    fn series(&self, key: &Key) -> Series {
        Series { key: key.clone(), place: self.place.clone(), count: self.count, last: self.last_wall }
    }
}

/// What was said lately.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<Key, Entry>);

impl Repeats {
    /// An announcement comes.
    pub(super) fn see(&mut self, key: &Key, now: Duration, wall: Timestamp) -> Seen {
        let Some(entry) = self.0.get_mut(key) else { return Seen::First };
        if now.saturating_sub(entry.last) >= WINDOW {
            self.0.remove(key);
            return Seen::First;
        }
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
        entry.last_wall = wall;
        if now.saturating_sub(entry.written_at) < STEP {
            return Seen::Held;
        }
        entry.written = entry.count;
        entry.written_at = now;
        Seen::Again(entry.series(key))
    }

    /// Its first Event was written.
    pub(super) fn written(&mut self, key: Key, place: Collection, now: Duration, wall: Timestamp) {
        if self.0.len() >= MOST
            && let Some(oldest) =
                self.0.iter().min_by_key(|(_, entry)| entry.last).map(|(key, _)| key.clone())
        {
            self.0.remove(&oldest);
        }
        self.0
            .insert(key, Entry { place, count: 1, last: now, last_wall: wall, written: 1, written_at: now });
    }

    /// The Event is not there any more.
    pub(super) fn forget(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// Counts that were held back long enough; what is no news any more is forgotten.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Series> {
        let due = self.take(|entry| now.saturating_sub(entry.written_at) >= STEP, now);
        self.0.retain(|_, entry| now.saturating_sub(entry.last) < WINDOW);
        due
    }

    /// All counts that were held back.
    pub(super) fn pending(&mut self, now: Duration) -> Vec<Series> {
        self.take(|_| true, now)
    }

    fn take(&mut self, which: impl Fn(&Entry) -> bool, now: Duration) -> Vec<Series> {
        let held = self.0.iter_mut().filter(|(_, entry)| entry.count > entry.written && which(entry));
        held.map(|(key, entry)| {
            entry.written = entry.count;
            entry.written_at = now;
            entry.series(key)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(note: &str) -> Key {
        Key { object: "u".into(), reason: "R".into(), note: note.into() }
    }

    fn place() -> Collection {
        ("ns".into(), "e.1".into())
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn wall(seconds: u64) -> Timestamp {
        Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap()
    }

    fn said_at_zero() -> Repeats {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.see(&key("a"), s(0), wall(0)), Seen::First);
        repeats.written(key("a"), place(), s(0), wall(0));
        repeats
    }

    fn again(count: u32, last: u64) -> Series {
        Series { key: key("a"), place: place(), count, last: wall(last) }
    }

    #[test]
    fn the_same_again_is_counted_at_most_once_a_minute() {
        let mut repeats = said_at_zero();
        assert_eq!(repeats.see(&key("a"), s(10), wall(10)), Seen::Held);
        assert_eq!(repeats.see(&key("a"), s(59), wall(59)), Seen::Held);
        assert_eq!(repeats.see(&key("a"), s(60), wall(60)), Seen::Again(again(4, 60)));
        assert_eq!(repeats.see(&key("a"), s(61), wall(61)), Seen::Held);
        assert_eq!(repeats.see(&key("b"), s(61), wall(61)), Seen::First);
    }

    #[test]
    fn a_count_that_was_held_back_is_written_without_another_occurrence() {
        let mut repeats = said_at_zero();
        repeats.see(&key("a"), s(10), wall(10));
        assert_eq!(repeats.due(s(59)), []);
        assert_eq!(repeats.due(s(60)), [again(2, 10)]);
        assert_eq!(repeats.due(s(120)), []);
    }

    #[test]
    fn what_is_held_at_the_end_is_pending() {
        let mut repeats = said_at_zero();
        repeats.see(&key("a"), s(10), wall(10));
        assert_eq!(repeats.pending(s(11)), [again(2, 10)]);
        assert_eq!(repeats.pending(s(11)), []);
    }

    #[test]
    fn after_ten_quiet_minutes_it_is_news_again() {
        let mut repeats = said_at_zero();
        repeats.see(&key("a"), s(599), wall(599));
        assert_ne!(repeats.see(&key("a"), s(1198), wall(1198)), Seen::First);
        assert_eq!(repeats.see(&key("a"), s(1798), wall(1798)), Seen::First);
    }

    #[test]
    fn an_event_that_failed_or_expired_is_a_first_again() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.see(&key("a"), s(0), wall(0)), Seen::First);
        assert_eq!(repeats.see(&key("a"), s(1), wall(1)), Seen::First);
        let mut repeats = said_at_zero();
        repeats.forget(&key("a"));
        assert_eq!(repeats.see(&key("a"), s(1), wall(1)), Seen::First);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut repeats = Repeats::default();
        for n in 0..=MOST as u64 {
            repeats.written(key(&n.to_string()), place(), s(n), wall(n));
        }
        assert_eq!(repeats.0.len(), MOST);
        assert!(!repeats.0.contains_key(&key("0")));
        assert!(repeats.0.contains_key(&key("1")));
        repeats.due(s(100_000));
        assert!(repeats.0.is_empty());
    }
}
