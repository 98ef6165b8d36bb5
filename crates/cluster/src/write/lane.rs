//! Writes that run at once, and those that wait for their turn.
//!
//! What waits is no task: a write that runs takes some 15 KiB, which ten thousand that wait must not.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::Ordering::{Relaxed, SeqCst},
    },
};

use super::Job;
use crate::counters::Counters;

/// So many writes at once, the others in the order in which they came.
pub(super) struct Lane {
    most: usize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    running: usize,
    waiting: VecDeque<Job>,
}

/// How many may wait, in all lanes together, and where they are counted.
pub(super) struct Room<'a> {
    pub(super) counters: &'a Counters,
    pub(super) max_waiting: usize,
}

/// What became of a write that came.
pub(super) enum Taken {
    /// It waits, and whoever has a place in the lane takes it up.
    Waits,
    /// Somebody is to take a place ([`Lane::place`]) and begin with it.
    Runs(Job),
    /// Too many wait.
    Refused(Job),
}

/// A place in a lane; given back when it is dropped, whatever happened to its holder.
pub(super) struct Place<'a> {
    lane: &'a Lane,
    counters: &'a Counters,
    is_given_back: bool,
}

impl Lane {
    /// One in which so many run at once.
    pub(super) fn new(most: usize) -> Self {
        Self { most, queue: Mutex::default() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a write.
    pub(super) fn take(&self, job: Job, room: Room<'_>) -> Taken {
        let mut queue = self.queue();
        if queue.running < self.most {
            queue.running += 1;
            return Taken::Runs(job);
        }
        let limit = u64::try_from(room.max_waiting).unwrap_or(u64::MAX);
        let waiting = &room.counters.waiting;
        if waiting.fetch_update(SeqCst, Relaxed, |all| (all < limit).then_some(all + 1)).is_err() {
            return Taken::Refused(job);
        }
        queue.waiting.push_back(job);
        Taken::Waits
    }

    /// The place of one that [`Taken::Runs`].
    pub(super) fn place<'a>(&'a self, counters: &'a Counters) -> Place<'a> {
        counters.running.fetch_add(1, Relaxed);
        Place { lane: self, counters, is_given_back: false }
    }
}

impl Place<'_> {
    /// The next that waits, for the same place; where none does, the place is given back in the same moment, or one
    /// that comes just then would wait for nobody.
    pub(super) fn next(&mut self) -> Option<Job> {
        let mut queue = self.lane.queue();
        let next = queue.waiting.pop_front();
        match next {
            Some(_) => drop(self.counters.waiting.fetch_sub(1, SeqCst)),
            None => {
                queue.running -= 1;
                self.is_given_back = true;
            }
        }
        next
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_given_back {
            self.lane.queue().running -= 1;
        }
        self.counters.running.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use engine::{Action, view::PodRef};
    use model::Fence;

    use super::*;

    fn job(name: &str) -> Job {
        let pod = PodRef { namespace: "ns".into(), name: name.into(), uid: "u".into() };
        (Action::DeletePod { pod }, Fence::open().pass())
    }

    fn name(job: Option<Job>) -> String {
        match job {
            Some((Action::DeletePod { pod }, _)) => pod.name.to_string(),
            other => format!("{:?}", other.map(|(action, _)| action)),
        }
    }

    #[test]
    fn what_waits_goes_on_in_its_order_and_one_too_many_is_refused() {
        let (lane, counters) = (Lane::new(1), Counters::default());
        let take = |name| lane.take(job(name), Room { counters: &counters, max_waiting: 2 });
        let Taken::Runs(_) = take("a") else { panic!("there was room") };
        let mut place = lane.place(&counters);
        assert!(matches!(take("b"), Taken::Waits) && matches!(take("c"), Taken::Waits));
        assert!(matches!(take("d"), Taken::Refused(_)), "two wait");
        assert_eq!((name(place.next()), name(place.next())), ("b".to_owned(), "c".to_owned()));
        assert!(place.next().is_none());
        assert!(matches!(take("e"), Taken::Runs(_)), "the place is free although its holder is still there");
        drop(place);
        let place = lane.place(&counters);
        assert!(matches!(take("f"), Taken::Waits));
        // As after a panic.
        drop(place);
        assert!(matches!(take("g"), Taken::Runs(_)));
        assert_eq!(name(lane.place(&counters).next()), "f", "whoever comes next goes on with what waits");
    }
}
