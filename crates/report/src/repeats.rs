//! The same fault is not reported again and again.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use engine::Alarm;
use model::{BaseIdentity, BizId, ErrorCode};

/// How many faults are remembered: each of 5,000 bases may be lost and fail to install something.
/// A key has some 200 bytes.
const MOST: usize = 10_000;

/// What makes two faults the same. Not the Pod: a Deployment replaces the Pods that fail by others
/// that fail. Not the words: they name ports and times.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) alarm: Alarm,
    pub(crate) code: Option<ErrorCode>,
    /// None where it is one fault for all bases.
    pub(crate) base: Option<BaseIdentity>,
    /// The operation plan that it is about.
    pub(crate) plan: Option<String>,
    pub(crate) biz: Option<BizId>,
}

/// What is to be done about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Report it, and that it was seen so often since it was last reported.
    Report(u32),
    /// It was reported lately.
    Repeat,
}

#[derive(Debug)]
struct Entry {
    reported: Duration,
    since: u32,
}

/// What was reported lately. Times are since any fixed moment.
#[derive(Debug)]
pub(crate) struct Repeats {
    window: Duration,
    entries: HashMap<Key, Entry>,
    /// When what was reported, the oldest first. A key that was reported again is in it twice.
    order: VecDeque<(Duration, Key)>,
}

impl Repeats {
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, entries: HashMap::new(), order: VecDeque::new() }
    }

    /// A fault comes.
    pub(crate) fn see(&mut self, key: Key, now: Duration) -> Seen {
        self.forget_old(now);
        let mut since = 0;
        if let Some(entry) = self.entries.get_mut(&key) {
            if now.saturating_sub(entry.reported) < self.window {
                entry.since = entry.since.saturating_add(1);
                return Seen::Repeat;
            }
            since = entry.since;
        }
        self.entries.insert(key.clone(), Entry { reported: now, since: 0 });
        self.order.push_back((now, key));
        Seen::Report(since)
    }

    /// An entry outlives its window by another, for the sake of its count.
    fn forget_old(&mut self, now: Duration) {
        while let Some((reported, _)) = self.order.front()
            && (now.saturating_sub(*reported) >= self.window * 2 || self.order.len() >= MOST)
            && let Some((reported, key)) = self.order.pop_front()
        {
            if self.entries.get(&key).is_some_and(|entry| entry.reported == reported) {
                self.entries.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(100);

    fn key(number: u32) -> Key {
        let base = format!("base-{number}").parse().unwrap();
        Key { alarm: Alarm::LostBase, code: None, base: Some(base), plan: None, biz: None }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_same_is_reported_once_per_window_with_the_count_since() {
        let mut repeats = Repeats::new(WINDOW);
        assert_eq!(repeats.see(key(1), s(0)), Seen::Report(0));
        assert_eq!(repeats.see(key(1), s(50)), Seen::Repeat);
        assert_eq!(repeats.see(key(2), s(50)), Seen::Report(0), "another base is another fault");
        assert_eq!(repeats.see(key(1), s(99)), Seen::Repeat);
        assert_eq!(repeats.see(key(1), s(100)), Seen::Report(2));
        assert_eq!(repeats.see(key(1), s(101)), Seen::Repeat);
        assert_eq!(repeats.see(key(1), s(500)), Seen::Report(0), "that was long ago");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten_first() {
        let mut repeats = Repeats::new(WINDOW);
        for number in 0..20_000 {
            assert_eq!(repeats.see(key(number), s(1)), Seen::Report(0));
        }
        assert!(repeats.entries.len() <= MOST && repeats.order.len() <= MOST);
        assert_eq!(repeats.see(key(19_999), s(2)), Seen::Repeat);
        assert_eq!(repeats.see(key(0), s(2)), Seen::Report(0));
    }

    proptest! {
        #[test]
        fn no_fault_is_reported_twice_within_a_window_and_each_sighting_counts_once(
            sightings in prop::collection::vec((0_u32..5, 0_u64..40), 1..300),
        ) {
            let mut repeats = Repeats::new(WINDOW);
            let mut last: HashMap<u32, (Duration, u32)> = HashMap::new();
            let mut now = Duration::ZERO;
            for (number, pause) in sightings {
                now += s(pause);
                let seen = repeats.see(key(number), now);
                let within = last.get(&number).filter(|(reported, _)| now - *reported < WINDOW).is_some();
                prop_assert_eq!(seen == Seen::Repeat, within);
                match seen {
                    Seen::Repeat => last.entry(number).or_default().1 += 1,
                    Seen::Report(since) => {
                        if let Some((reported, repeats)) = last.insert(number, (now, 0)) {
                            let remembered = now - reported < WINDOW * 2;
                            prop_assert_eq!(since, if remembered { repeats } else { 0 });
                        }
                    }
                }
            }
        }
    }
}
