//! How much of all answers together is in memory: each base has a little for itself, and what is larger has to have a place.
//!
//! A base that has not answered well yet is a stranger, of whom there may be any number: little of what it says is
//! read, and strangers have places of their own, so that they keep nobody waiting but each other.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use arklet::{Sieve, SieveError, SieveLimits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What every answer may take without a place, in bytes: a list of some twenty modules that are well. Times the 8,192
/// commands that may be under way it is 32 MiB.
const SMALL: usize = 4 * 1024;

/// The largest answer of a base, in bytes. `queryAllBiz` carries a stack trace for each broken
/// biz: some tens of KiB each, for the hundred or so modules that a base may hold.
pub const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// The largest answer of a base that has not answered well before: a hundred modules without stack traces, and then some.
pub const MAX_ANSWER_OF_STRANGER_BYTES: usize = 512 * 1024;

/// What is read of a base that has answered well: some thousands of modules, with what is of use of their stack traces.
pub(crate) const KNOWN: SieveLimits =
    SieveLimits { read: MAX_ANSWER_BYTES, kept: 1024 * 1024, values: 32 * 1024 };

/// What is read of one that has not.
pub(crate) const STRANGER: SieveLimits =
    SieveLimits { read: MAX_ANSWER_OF_STRANGER_BYTES, kept: 128 * 1024, values: 8 * 1024 };

/// Large answers of bases that are known that are read at once: 24 MiB. They take some milliseconds each.
const KNOWN_AT_ONCE: usize = 24;

/// The same of strangers: 8 MiB.
const STRANGERS_AT_ONCE: usize = 64;

/// The places, and what is held in them.
#[derive(Debug)]
pub(crate) struct Bodies {
    known: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    held: Held,
}

/// Bytes of answers that are in memory, now and at most so far.
#[derive(Debug, Clone, Default)]
struct Held(Arc<(AtomicUsize, AtomicUsize)>);

impl Held {
    fn change(&self, from: usize, to: usize) {
        let (now, peak) = &*self.0;
        // Relaxed: nothing is ordered by a counter.
        let before = now.fetch_add(to, Ordering::Relaxed);
        now.fetch_sub(from, Ordering::Relaxed);
        peak.fetch_max((before + to).saturating_sub(from), Ordering::Relaxed);
    }
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            known: Arc::new(Semaphore::new(KNOWN_AT_ONCE)),
            strangers: Arc::new(Semaphore::new(STRANGERS_AT_ONCE)),
            held: Held::default(),
        }
    }
}

impl Bodies {
    /// An answer that begins.
    pub(crate) fn begin(&self, known: bool) -> Body {
        let (limits, places) = if known { (KNOWN, &self.known) } else { (STRANGER, &self.strangers) };
        Body {
            limits,
            places: places.clone(),
            held: self.held.clone(),
            counted: 0,
            small: Vec::new(),
            large: None,
        }
    }

    /// Bytes that are held now, and the most that ever were.
    pub(crate) fn held(&self) -> (usize, usize) {
        let (now, peak) = &*self.held.0;
        (now.load(Ordering::Relaxed), peak.load(Ordering::Relaxed))
    }
}

/// One answer on its way.
#[derive(Debug)]
pub(crate) struct Body {
    limits: SieveLimits,
    places: Arc<Semaphore>,
    held: Held,
    counted: usize,
    /// Its beginning, or all of it, as it came.
    small: Vec<u8>,
    large: Option<(Sieve, OwnedSemaphorePermit)>,
}

impl Body {
    /// Takes the next part. Waits for a place where it becomes large; whoever sends it waits too.
    ///
    /// # Errors
    /// Where it is more than it may be.
    pub(crate) async fn feed(&mut self, part: &[u8]) -> Result<(), SieveError> {
        if self.large.is_none() && self.small.len() + part.len() > SMALL {
            // Never closed, so there is always one in the end.
            if let Ok(place) = self.places.clone().acquire_owned().await {
                let mut sieve = Sieve::new(self.limits);
                sieve.feed(&std::mem::take(&mut self.small))?;
                self.large = Some((sieve, place));
            }
        }
        let fed = match &mut self.large {
            Some((sieve, _)) => sieve.feed(part),
            None => {
                self.small.extend_from_slice(part);
                Ok(())
            }
        };
        self.count();
        fed
    }

    fn count(&mut self) {
        let held = self.large.as_ref().map_or(self.small.len(), |(sieve, _)| sieve.kept());
        self.held.change(self.counted, held);
        self.counted = held;
    }

    /// What is read of it: all, where it is small.
    pub(crate) fn read<T>(mut self, read: impl FnOnce(&[u8]) -> T) -> T {
        match self.large.take() {
            // The place is given back when it is read.
            Some((sieve, _place)) => read(&sieve.finish()),
            None => read(&self.small),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.held.change(self.counted, 0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// A list of so many bytes, of which nothing can be left out.
    fn part(bytes: usize) -> Vec<u8> {
        "\"0123456789\",".bytes().cycle().take(bytes).collect()
    }

    #[tokio::test]
    async fn whatever_bases_answer_together_they_take_no_more_than_their_places() {
        let bodies = Bodies::default();
        let (mut answers, mut refused) = (Vec::new(), 0);
        for known in [false; 100].into_iter().chain([true; 100]) {
            let mut body = bodies.begin(known);
            for _ in 0..8 * 1024 {
                match timeout(Duration::from_millis(1), body.feed(&part(1024))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => {
                        refused += 1;
                        break;
                    }
                    // It waits for a place.
                    Err(_) => break,
                }
            }
            answers.push(body);
        }
        let most = KNOWN_AT_ONCE * KNOWN.kept + STRANGERS_AT_ONCE * STRANGER.kept + answers.len() * SMALL;
        assert_eq!(refused, KNOWN_AT_ONCE + STRANGERS_AT_ONCE, "each that had a place said too much");
        let (held, peak) = bodies.held();
        assert!(held <= peak && peak <= most, "{held} now, {peak} at most, {most} allowed");
        drop(answers);
        assert_eq!(bodies.held().0, 0);
    }

    #[tokio::test]
    async fn strangers_keep_no_base_waiting_that_is_known_and_small_answers_wait_for_nobody() {
        let bodies = Bodies::default();
        let mut strangers = Vec::new();
        for _ in 0..STRANGERS_AT_ONCE {
            let mut body = bodies.begin(false);
            timeout(SOON, body.feed(&part(2 * SMALL))).await.unwrap().unwrap();
            strangers.push(body);
        }
        let mut late = bodies.begin(false);
        timeout(Duration::from_millis(50), late.feed(&part(2 * SMALL))).await.unwrap_err();
        for (known, size) in [(true, 2 * SMALL), (false, SMALL)] {
            timeout(SOON, bodies.begin(known).feed(&part(size))).await.unwrap().unwrap();
        }
        strangers.pop();
        timeout(SOON, bodies.begin(false).feed(&part(2 * SMALL))).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_is_read_is_what_came() {
        let bodies = Bodies::default();
        for entries in [10, 1_000] {
            let text = format!("[{}]", vec!["\"0123456789\""; entries].join(", "));
            let mut body = bodies.begin(false);
            for part in text.as_bytes().chunks(100) {
                body.feed(part).await.unwrap();
            }
            let list: Vec<String> = body.read(|bytes| serde_json::from_slice(bytes).unwrap());
            assert_eq!(list.len(), entries);
        }
    }
}
