//! Answers that hold for a while, and no more of them than so many: callers ask the same again and again, and the API server
//! need not decide it each time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The most answers that are kept: some callers, each with some rights on some thousand VNodes. One more takes the places of
/// those that hold no longer, else of all.
const MOST: usize = 8_192;

/// What something is known by: a digest, so that no token is kept.
pub(crate) type Key = [u8; 32];

/// Answers by their questions.
#[derive(Debug)]
pub(crate) struct Cache<T>(Mutex<HashMap<Key, (T, Instant)>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Cache<T> {
    /// What was answered, where it still holds.
    pub(crate) fn get(&self, key: &Key, now: Instant) -> Option<T> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(key).filter(|(_, until)| *until > now).map(|(answer, _)| answer.clone())
    }

    /// Keeps an answer.
    pub(crate) fn put(&self, key: Key, answer: T, holds: Duration, now: Instant) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MOST {
            answers.retain(|_, (_, until)| *until > now);
        }
        if answers.len() >= MOST {
            answers.clear();
        }
        answers.insert(key, (answer, now + holds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_its_time_and_no_more_are_kept_than_so_many() {
        let (cache, now) = (Cache::default(), Instant::now());
        let key = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            key
        };
        let s = Duration::from_secs;
        cache.put(key(0), "a", s(10), now);
        assert_eq!(cache.get(&key(0), now + s(9)), Some("a"));
        assert_eq!(cache.get(&key(0), now + s(10)), None);
        assert_eq!(cache.get(&key(1), now), None);
        for number in 0..3 * MOST {
            cache.put(key(number), "b", s(10), now);
        }
        assert!(cache.0.lock().unwrap_or_else(PoisonError::into_inner).len() <= MOST);
        assert_eq!(cache.get(&key(3 * MOST - 1), now), Some("b"), "the last one is kept");
    }
}
