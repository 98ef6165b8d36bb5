//! What computes for seconds when it starts, such as a Java base or a control plane, starts when it is its turn: no more of them
//! at a time than there are processors, because the tests beside them have deadlines.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;

/// The turns of this process.
static ALL: Turns = Turns::new();

/// First come, first served, or whoever wants several would wait for ever.
struct Turns {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, PartialEq, Eq)]
struct Queue {
    taken: usize,
    /// How many have come.
    came: u64,
    /// How many of them have got their turns.
    served: u64,
}

/// One or more turns, which come back when it is dropped.
pub(crate) struct Taken<'a> {
    turns: &'a Turns,
    count: usize,
}

/// How many there are.
pub(crate) fn all() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Waits for so many turns at once, or for all that there are.
pub(crate) fn take(count: usize) -> Taken<'static> {
    ALL.take(count, all())
}

impl Turns {
    const fn new() -> Self {
        Self { queue: Mutex::new(Queue { taken: 0, came: 0, served: 0 }), changed: Condvar::new() }
    }

    fn take(&self, count: usize, all: usize) -> Taken<'_> {
        let count = count.min(all);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let place = queue.came;
        queue.came += 1;
        let wait = |queue: &mut Queue| queue.served < place || queue.taken + count > all;
        let mut queue = self.changed.wait_while(queue, wait).unwrap_or_else(PoisonError::into_inner);
        queue.served += 1;
        queue.taken += count;
        // Whoever is next may want less than is left.
        self.changed.notify_all();
        Taken { turns: self, count }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.turns.queue.lock().unwrap_or_else(PoisonError::into_inner).taken -= self.count;
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread::{scope, yield_now};
    use std::time::Duration;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn whoever_comes_when_too_few_are_left_waits_and_nobody_passes() {
        let turns = Turns::new();
        let (one, other) = (turns.take(1, 2), turns.take(1, 2));
        let (tell, told) = channel();
        scope(|scope| {
            let came = |count: u64| {
                while turns.queue.lock().unwrap().came < count {
                    yield_now();
                }
            };
            scope.spawn(|| {
                // More than there are is all that there are.
                let both = turns.take(9, 2);
                tell.send("both").unwrap();
                drop(both);
            });
            came(3);
            drop(one);
            scope.spawn(|| {
                let _one = turns.take(1, 2);
                tell.send("one").unwrap();
            });
            came(4);
            assert_eq!(told.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
            drop(other);
            assert_eq!([told.recv_timeout(LONG), told.recv_timeout(LONG)], [Ok("both"), Ok("one")]);
        });
        assert_eq!(*turns.queue.lock().unwrap(), Queue { taken: 0, came: 4, served: 4 });
    }
}
