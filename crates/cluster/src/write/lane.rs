//! Writes that run at once, and those that wait for their turn.
//!
//! What waits is no task: a write that runs takes some 15 KiB, which ten thousand that wait must not. As long as something
//! waits, somebody has a place: who holds the last one keeps it also while the server wants to be left alone.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    time::{Duration, Instant},
};

use super::{
    Job,
    limit::{Bounds, Limit, Load},
};
use crate::counters::{Counters, LaneKind};

/// What gives way begins when the lane before it has been idle for so long: a rollout goes on in steps, and between two of
/// them the server works for those who make and place the Pods.
const QUIET: Duration = Duration::from_millis(100);

/// Nothing gives way for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many writes at once, the others in the order in which they came. How many, hangs on the server ([`Limit`]).
pub(crate) struct Lane {
    kind: LaneKind,
    counters: Arc<Counters>,
    /// The lane that this one gives way to.
    first: Option<Arc<Lane>>,
    queue: Mutex<Queue>,
}

struct Queue {
    running: usize,
    waiting: VecDeque<Job>,
    /// Since when something waits without a break.
    waits_since: Option<Instant>,
    /// Since when nothing runs; none where something does, or nothing ever did.
    idle_since: Option<Instant>,
    limit: Limit,
    /// Somebody waits until the lane opens.
    has_keeper: bool,
}

/// What became of a write that came.
pub(super) enum Taken {
    /// It waits, and whoever has a place in the lane takes it up.
    Waits,
    /// Somebody is to take a place ([`Lane::place`]) and begin with this, or look for it ([`Worker::next`]).
    Runs(Option<Job>),
    /// Too many wait.
    Refused(Job),
}

/// What the holder of a place does next.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each place, and a box would be one for each write"
)]
pub(super) enum Next {
    /// This.
    Begin(Job),
    /// It waits, because the server wants to be left alone until then.
    Opens(Instant),
    /// The place was given back.
    Ends,
}

/// A place in a lane; given back when it is dropped, whatever happened to its holder.
pub(super) struct Worker<'a> {
    lane: &'a Lane,
    is_keeper: bool,
    is_given_back: bool,
}

impl Lane {
    /// One in which at first as many run at once as ever may.
    pub(super) fn new(kind: LaneKind, bounds: Bounds, counters: Arc<Counters>) -> Self {
        let limit = Limit::new(bounds);
        counters.has_places(kind, limit.places());
        let (waiting, waits_since, idle_since) = (VecDeque::new(), None, None);
        let queue = Queue { running: 0, waiting, waits_since, idle_since, limit, has_keeper: false };
        Self { kind, counters, first: None, queue: Mutex::new(queue) }
    }

    /// The same, for what can wait: it gives way to another lane, for [`PATIENCE`] at most.
    pub(super) fn after(self, first: &Arc<Self>) -> Self {
        Self { first: Some(first.clone()), ..self }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a write. `max_waiting` is how many may wait, in all lanes together.
    pub(super) fn take(&self, job: Job, max_waiting: usize, now: Instant) -> Taken {
        let mut queue = self.queue();
        if self.has_room(&queue, now) {
            queue.begins();
            queue.waiting.push_back(job);
            return Taken::Runs(queue.pop());
        }
        let limit = u64::try_from(max_waiting).unwrap_or(u64::MAX);
        let waiting = &self.counters.waiting;
        if waiting.fetch_update(SeqCst, Relaxed, |all| (all < limit).then_some(all + 1)).is_err() {
            return Taken::Refused(job);
        }
        queue.waiting.push_back(job);
        queue.waits_since.get_or_insert(now);
        if queue.running == 0 {
            queue.begins();
            return Taken::Runs(None);
        }
        Taken::Waits
    }

    /// One that waits and for which there is a place that nobody holds; somebody is to take that place.
    pub(super) fn further(&self, now: Instant) -> Option<Job> {
        let mut queue = self.queue();
        if !self.has_room(&queue, now) {
            return None;
        }
        let job = queue.pop()?;
        queue.begins();
        self.counters.waiting.fetch_sub(1, SeqCst);
        Some(job)
    }

    /// Forgets what waits.
    pub(super) fn clear(&self) {
        let mut queue = self.queue();
        let waited = u64::try_from(queue.waiting.len()).unwrap_or(u64::MAX);
        queue.waiting.clear();
        queue.waits_since = None;
        self.counters.waiting.fetch_sub(waited, SeqCst);
    }

    /// The place of one that [`Taken::Runs`].
    pub(super) fn place(&self) -> Worker<'_> {
        self.counters.running.fetch_add(1, Relaxed);
        Worker { lane: self, is_keeper: false, is_given_back: false }
    }

    /// What an answer to a write of this lane says of the server.
    pub(super) fn heard(&self, load: Load, begun: Instant, now: Instant) {
        let mut queue = self.queue();
        let before = queue.limit.places();
        if !queue.limit.heard(load, begun, now) {
            return;
        }
        let places = queue.limit.places();
        drop(queue);
        self.counters.has_places(self.kind, places);
        tracing::debug!(lane = self.kind.as_str(), before, places, "writes that run at once");
    }

    fn has_room(&self, queue: &Queue, now: Instant) -> bool {
        queue.running < queue.limit.places() && self.closed(queue, now).is_none()
    }

    /// Until when none may begin: the server wants to be left alone, or what comes first is at it.
    fn closed(&self, queue: &Queue, now: Instant) -> Option<Instant> {
        queue.limit.closed(now).max(self.gives_way(queue, now))
    }

    fn gives_way(&self, queue: &Queue, now: Instant) -> Option<Instant> {
        let busy = self.first.as_ref()?.queue().busy(now)?;
        let patient = queue.waits_since.unwrap_or(now) + PATIENCE;
        Some(patient.min(busy + QUIET)).filter(|until| now < *until)
    }
}

impl Queue {
    fn begins(&mut self) {
        self.running += 1;
        self.idle_since = None;
    }

    fn ends(&mut self, now: Instant) {
        self.running -= 1;
        self.idle_since = (self.running == 0).then_some(now);
    }

    fn pop(&mut self) -> Option<Job> {
        let job = self.waiting.pop_front();
        self.waits_since = self.waits_since.filter(|_| !self.waiting.is_empty());
        job
    }

    /// When something ran last.
    fn busy(&self, now: Instant) -> Option<Instant> {
        if self.running > 0 { Some(now) } else { self.idle_since }
    }

    /// After a burst the room for what waited is given back.
    fn tidy(&mut self) {
        if self.running == 0 && self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
    }
}

impl Worker<'_> {
    /// The next that waits, for the same place; where none does, or there are fewer places now, it is given back in the
    /// same moment, or one that comes just then would wait for nobody.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let mut queue = self.lane.queue();
        if std::mem::take(&mut self.is_keeper) {
            queue.has_keeper = false;
        }
        let closed = self.lane.closed(&queue, now);
        if let Some(opens) = closed
            && !queue.has_keeper
            && !queue.waiting.is_empty()
        {
            (queue.has_keeper, self.is_keeper) = (true, true);
            return Next::Opens(opens);
        }
        let may = closed.is_none() && queue.running <= queue.limit.places();
        match may.then(|| queue.pop()).flatten() {
            Some(job) => {
                self.lane.counters.waiting.fetch_sub(1, SeqCst);
                Next::Begin(job)
            }
            None => {
                queue.ends(now);
                queue.tidy();
                self.is_given_back = true;
                Next::Ends
            }
        }
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        if !self.is_given_back {
            let mut queue = self.lane.queue();
            queue.ends(Instant::now());
            queue.has_keeper &= !self.is_keeper;
        }
        self.lane.counters.running.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use engine::{Request, view::PodRef};
    use model::Fence;
    use proptest::prelude::*;

    use super::*;

    fn lane(most: usize) -> Lane {
        let bounds = Bounds { least: 1, most, longest_pause: Duration::from_secs(30) };
        Lane::new(LaneKind::Writes, bounds, Arc::default())
    }

    fn job(name: &str) -> Job {
        let pod = PodRef { namespace: "ns".into(), name: name.into(), uid: "u".into() };
        Job { request: Request::DeletePod { pod }, pass: Fence::open().pass(), queued: Instant::now() }
    }

    fn name(job: &Job) -> String {
        match &job.request {
            Request::DeletePod { pod } => pod.name.to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn begun(next: &Next) -> Option<String> {
        match next {
            Next::Begin(job) => Some(name(job)),
            Next::Opens(_) | Next::Ends => None,
        }
    }

    #[test]
    fn what_waits_goes_on_in_its_order_and_one_too_many_is_refused() {
        let (lane, now) = (lane(1), Instant::now());
        let take = |name| lane.take(job(name), 2, now);
        let Taken::Runs(Some(_)) = take("a") else { panic!("there was room") };
        let mut place = lane.place();
        assert!(matches!(take("b"), Taken::Waits) && matches!(take("c"), Taken::Waits));
        assert!(matches!(take("d"), Taken::Refused(_)), "two wait");
        let mut next = || begun(&place.next(now));
        assert_eq!((next().as_deref(), next().as_deref(), next()), (Some("b"), Some("c"), None));
        let Taken::Runs(Some(_)) = take("e") else {
            panic!("the place is free although its holder is still there")
        };
        drop(place);
        let place = lane.place();
        assert!(matches!(take("f"), Taken::Waits));
        // As after a panic.
        drop(place);
        let Taken::Runs(Some(first)) = take("g") else { panic!("nobody has the place") };
        assert_eq!(name(&first), "f", "whoever comes next goes on with what waits");
        assert_eq!(begun(&lane.place().next(now)).as_deref(), Some("g"));
    }

    #[test]
    fn a_server_that_has_enough_is_left_alone_and_then_gets_less_at_once() {
        let (lane, begun) = (lane(4), Instant::now());
        let places: Vec<_> = (0..4)
            .map(|n| {
                assert!(matches!(lane.take(job(&n.to_string()), 100, begun), Taken::Runs(Some(_))));
                lane.place()
            })
            .collect();
        for n in 4..12 {
            assert!(matches!(lane.take(job(&n.to_string()), 100, begun), Taken::Waits));
        }
        let now = begun + Duration::from_millis(1);
        lane.heard(Load::TooMuch(Some(Duration::from_secs(1))), begun, now);
        let counts = lane.counters.snapshot();
        assert_eq!(counts.places, [(LaneKind::Writes, 2)]);

        let mut nexts: Vec<_> = places.into_iter().map(|mut place| (place.next(now), place)).collect();
        let (opens, mut keeper) = nexts.remove(0);
        assert!(matches!(opens, Next::Opens(at) if at == now + Duration::from_secs(1)), "one waits for all");
        assert!(
            nexts.iter().all(|(next, _)| matches!(next, Next::Ends)),
            "the others give their places back"
        );
        assert!(lane.further(now).is_none());
        assert!(matches!(lane.take(job("12"), 100, now), Taken::Waits), "the keeper takes it up");

        let later = now + Duration::from_secs(1);
        assert!(matches!(keeper.next(later), Next::Begin(_)));
        assert!(lane.further(later).is_some(), "the second of two places");
        assert!(lane.further(later).is_none(), "and no third");
    }

    #[test]
    fn what_comes_while_the_lane_is_closed_waits_for_it_to_open() {
        let (lane, now) = (lane(4), Instant::now());
        lane.heard(Load::TooMuch(Some(Duration::from_secs(1))), now, now);
        assert!(matches!(lane.take(job("a"), 100, now), Taken::Runs(None)), "nobody has a place");
        let mut place = lane.place();
        assert!(matches!(place.next(now), Next::Opens(_)));
        assert_eq!(begun(&place.next(now + Duration::from_secs(1))).as_deref(), Some("a"));
    }

    #[test]
    fn what_can_wait_begins_when_the_lane_before_it_is_quiet_and_after_two_seconds_anyway() {
        let (first, begun) = (Arc::new(lane(4)), Instant::now());
        let second = lane(4).after(&first);
        let at = |millis| begun + Duration::from_millis(millis);
        assert!(matches!(second.take(job("a"), 100, at(0)), Taken::Runs(Some(_))), "nothing came first");
        drop(second.place());

        assert!(matches!(first.take(job("pod"), 100, at(0)), Taken::Runs(Some(_))));
        let mut pod = first.place();
        assert!(
            matches!(second.take(job("b"), 100, at(10)), Taken::Runs(None)),
            "it waits, and keeps a place"
        );
        let mut keeper = second.place();
        assert!(matches!(keeper.next(at(10)), Next::Opens(until) if until == at(110)));
        assert!(matches!(second.take(job("c"), 100, at(20)), Taken::Waits));
        assert!(matches!(pod.next(at(50)), Next::Ends));
        assert!(
            matches!(keeper.next(at(110)), Next::Opens(until) if until == at(150)),
            "100 ms after its end"
        );
        assert_eq!(begun_of(keeper.next(at(150))), "b");

        assert!(matches!(first.take(job("pod"), 100, at(160)), Taken::Runs(Some(_))));
        let _pod = first.place();
        assert!(matches!(keeper.next(at(170)), Next::Opens(_)), "the pod comes first");
        assert!(
            matches!(keeper.next(at(2_009)), Next::Opens(until) if until == at(2_010)),
            "something waits since 10 ms"
        );
        assert_eq!(begun_of(keeper.next(at(2_010))), "c");
    }

    fn begun_of(next: Next) -> String {
        begun(&next).expect("it begins")
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Comes,
        /// The holder of a place, by its number, goes on.
        GoesOn(usize),
        Heard(Option<u64>),
        Passes(u64),
        /// The holder of a place looks whether another place is free.
        Looks,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Comes),
            4 => (0_usize..64).prop_map(Step::GoesOn),
            1 => prop::option::of(0_u64..3).prop_map(Step::Heard),
            1 => (1_u64..2_000).prop_map(Step::Passes),
            2 => Just(Step::Looks),
        ]
    }

    proptest! {
        #[test]
        fn nothing_waits_for_nobody_and_all_begin_in_their_order(
            steps in prop::collection::vec(step(), 0..300)
        ) {
            let lane = lane(8);
            let (mut now, mut come, mut order) = (Instant::now(), 0, Vec::new());
            let mut places = Vec::new();
            for step in steps {
                match step {
                    Step::Comes => {
                        come += 1;
                        if let Taken::Runs(first) = lane.take(job(&come.to_string()), 1_000, now) {
                            order.extend(first.as_ref().map(name));
                            places.push(lane.place());
                        }
                    }
                    Step::GoesOn(n) if !places.is_empty() => {
                        let n = n % places.len();
                        match places[n].next(now) {
                            Next::Begin(job) => order.push(name(&job)),
                            Next::Opens(at) => prop_assert!(now < at),
                            Next::Ends => drop(places.remove(n)),
                        }
                    }
                    Step::Looks => {
                        if let Some(job) = lane.further(now) {
                            order.push(name(&job));
                            places.push(lane.place());
                        }
                    }
                    Step::Heard(None) => lane.heard(Load::Bearable, now, now),
                    Step::Heard(Some(s)) => lane.heard(Load::TooMuch(Some(Duration::from_secs(s))), now, now),
                    Step::Passes(ms) => now += Duration::from_millis(ms),
                    Step::GoesOn(_) => {}
                }
                let queue = lane.queue();
                prop_assert!(queue.waiting.is_empty() || queue.running > 0);
                prop_assert_eq!(queue.running, places.len());
            }
            // Whoever holds a place goes on until all is done.
            for _ in 0..come + 100 {
                now += Duration::from_secs(30);
                let mut held = Vec::new();
                for mut place in places.drain(..) {
                    match place.next(now) {
                        Next::Begin(job) => order.push(name(&job)),
                        Next::Opens(_) => {}
                        Next::Ends => continue,
                    }
                    held.push(place);
                }
                places = held;
            }
            let all: Vec<_> = (1..=come).map(|n| n.to_string()).collect();
            prop_assert_eq!(order, all);
            prop_assert_eq!(lane.counters.snapshot().waiting, 0);
        }
    }
}
