//! How many writes run at once, by what the API server says to them.
//!
//! Additive increase and multiplicative decrease, as TCP has it (RFC 5681): whoever shares a server that way comes to its
//! fair part of it, with no figure that would have to be set. Pure: answers and the time go in.

use std::time::{Duration, Instant};

/// One place more at most this often: a server that has enough says so at the next place too many, and asks for a pause of
/// a second or more with it, so that growing faster would be pauses for the most part. From 1 place to 64 it takes half a
/// minute.
const GROWTH: Duration = Duration::from_millis(500);

/// Between what a limit moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Places that stay, whatever the server says; 1 at least, or nothing would ever be asked again.
    pub(super) least: usize,
    /// Places that are never exceeded.
    pub(super) most: usize,
    /// The longest `Retry-After` that is believed.
    pub(super) longest_pause: Duration,
}

/// What an answer says of the server. A request without an answer says nothing: its connection may be broken, which fewer
/// requests do not cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// It took the request, whatever it decided.
    Bearable,
    /// It has enough, and would be asked again after this.
    TooMuch(Option<Duration>),
}

/// How many writes may run at once.
#[derive(Debug)]
pub(super) struct Limit {
    bounds: Bounds,
    places: usize,
    /// Requests that were taken since the last change.
    taken: usize,
    changed: Option<Instant>,
    /// What was begun before this was begun under a higher limit, and says nothing of the one of now.
    cut: Option<Instant>,
    closed_until: Option<Instant>,
}

impl Limit {
    pub(super) fn new(bounds: Bounds) -> Self {
        let places = bounds.most.max(1);
        let bounds = Bounds { least: bounds.least.clamp(1, places), most: places, ..bounds };
        Self { bounds, places, taken: 0, changed: None, cut: None, closed_until: None }
    }

    /// How many may run.
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// Until when none may begin.
    pub(super) fn closed(&self, now: Instant) -> Option<Instant> {
        self.closed_until.filter(|until| now < *until)
    }

    /// An answer came to a request. True where the number of places changed.
    pub(super) fn heard(&mut self, load: Load, begun: Instant, now: Instant) -> bool {
        let is_of_now = self.cut.is_none_or(|cut| cut < begun);
        match load {
            Load::TooMuch(retry_after) => {
                let pause = retry_after.unwrap_or_default().min(self.bounds.longest_pause);
                self.closed_until = self.closed_until.max(Some(now + pause));
                is_of_now && self.cut(now)
            }
            Load::Bearable => is_of_now && self.grow(now),
        }
    }

    fn cut(&mut self, now: Instant) -> bool {
        self.cut = Some(now);
        self.change((self.places / 2).max(self.bounds.least), now)
    }

    fn grow(&mut self, now: Instant) -> bool {
        self.taken = self.taken.saturating_add(1);
        // While it was closed nothing was learnt.
        let since = self.changed.max(self.closed_until);
        let is_time = since.is_none_or(|since| now.saturating_duration_since(since) >= GROWTH);
        // As many as there are places, or a slow server would be judged by the few that it has answered.
        is_time && self.taken >= self.places && self.change((self.places + 1).min(self.bounds.most), now)
    }

    fn change(&mut self, places: usize, now: Instant) -> bool {
        self.taken = 0;
        self.changed = Some(now);
        std::mem::replace(&mut self.places, places) != places
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const WRITES: Bounds = Bounds { least: 1, most: 64, longest_pause: Duration::from_secs(30) };

    #[test]
    fn one_wave_of_refusals_cuts_once_and_the_next_again_down_to_the_least() {
        let begun = Instant::now();
        let mut limit = Limit::new(Bounds { least: 4, ..WRITES });
        for millis in 1..=64 {
            limit.heard(Load::TooMuch(None), begun, begun + Duration::from_millis(millis));
        }
        assert_eq!(limit.places(), 32, "all of them were begun before the cut");
        let mut places = Vec::new();
        for second in 1..=5 {
            let begun = begun + second * SECOND;
            limit.heard(Load::TooMuch(None), begun, begun);
            places.push(limit.places());
        }
        assert_eq!(places, [16, 8, 4, 4, 4]);
    }

    #[test]
    fn none_begins_before_the_pause_is_over_and_no_pause_is_endless() {
        let now = Instant::now();
        let mut limit = Limit::new(WRITES);
        limit.heard(Load::TooMuch(Some(2 * SECOND)), now, now);
        limit.heard(Load::TooMuch(Some(SECOND)), now, now);
        assert_eq!(limit.closed(now + SECOND), Some(now + 2 * SECOND), "the longer one counts");
        assert_eq!(limit.closed(now + 2 * SECOND), None);
        limit.heard(Load::TooMuch(Some(3600 * SECOND)), now, now);
        assert_eq!(limit.closed(now), Some(now + WRITES.longest_pause));
    }

    #[test]
    fn a_pause_is_no_time_to_grow_in() {
        let now = Instant::now();
        let mut limit = Limit::new(WRITES);
        limit.heard(Load::TooMuch(Some(SECOND)), now, now);
        let mut after = |millis| {
            let begun = now + Duration::from_millis(millis);
            for _ in 0..64 {
                limit.heard(Load::Bearable, begun, begun);
            }
            limit.places()
        };
        assert_eq!((after(1_400), after(1_500)), (32, 33));
    }

    #[test]
    fn what_is_taken_brings_the_places_back_one_by_one() {
        let begun = Instant::now();
        let mut limit = Limit::new(WRITES);
        limit.heard(Load::TooMuch(None), begun, begun);
        for _ in 0..1000 {
            limit.heard(Load::Bearable, begun, begun + SECOND);
        }
        assert_eq!(limit.places(), 32, "begun before the cut");
        let mut now = begun;
        for _ in 0..32 * 64 {
            now += Duration::from_millis(20);
            let before = limit.places();
            limit.heard(Load::Bearable, now, now);
            assert!(limit.places() <= before + 1);
        }
        assert_eq!(limit.places(), 64);
        assert!(!limit.heard(Load::Bearable, now, now + SECOND), "and no further");
    }

    /// A server that takes so many at once, and refuses what is over.
    struct Server {
        takes: usize,
        takes_ms: u64,
        pause: Option<Duration>,
    }

    #[derive(Debug, Default)]
    struct Seen {
        taken: usize,
        refused: usize,
        most_places: usize,
    }

    /// What a client sees that always has something to write, from the minute on until which it may find its way.
    fn second_minute(server: &Server, limit: &mut Limit) -> Seen {
        const STEP_MS: u64 = 5;
        let (start, mut running, mut seen) = (Instant::now(), Vec::<(u64, u64)>::new(), Seen::default());
        let at = |ms| start + Duration::from_millis(ms);
        for ms in (0..120_000).step_by(usize::try_from(STEP_MS).unwrap()) {
            let (ended, still) = running.into_iter().partition::<Vec<_>, _>(|(_, end)| *end <= ms);
            running = still;
            for (begun, _) in &ended {
                limit.heard(Load::Bearable, at(*begun), at(ms));
            }
            let mut refused = 0;
            while running.len() + refused < limit.places() && limit.closed(at(ms)).is_none() {
                if running.len() < server.takes {
                    running.push((ms, ms + server.takes_ms));
                } else {
                    refused += 1;
                }
            }
            for _ in 0..refused {
                limit.heard(Load::TooMuch(server.pause), at(ms), at(ms + 1));
            }
            if ms >= 60_000 {
                seen.taken += ended.len();
                seen.refused += refused;
                seen.most_places = seen.most_places.max(limit.places());
            }
        }
        seen
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_comes_to_what_a_server_takes(
            takes in 1_usize..100,
            takes_ms in prop::sample::select(vec![5_u64, 20, 100, 250]),
            pause_s in prop::sample::select(vec![None, Some(1)]),
        ) {
            let server = Server { takes, takes_ms, pause: pause_s.map(Duration::from_secs) };
            let seen = second_minute(&server, &mut Limit::new(WRITES));
            let able = takes.min(64) * 60_000 / usize::try_from(takes_ms).unwrap();
            prop_assert!(seen.most_places <= takes.min(63) + 1, "{seen:?}");
            prop_assert!(seen.taken >= able / 4, "{seen:?} of {able}");
            prop_assert!(seen.refused <= 120, "{seen:?}: more than one for each half second");
        }

        #[test]
        fn it_stays_within_its_bounds(
            least in 0_usize..8,
            most in 0_usize..65,
            answers in prop::collection::vec((0_u64..5_000, prop::option::of(0_u64..100)), 0..300),
        ) {
            let mut now = Instant::now();
            let mut limit = Limit::new(Bounds { least, most, ..WRITES });
            for (wait_ms, too_much) in answers {
                let begun = now;
                now += Duration::from_millis(wait_ms);
                let load = too_much.map_or(Load::Bearable, |s| Load::TooMuch(Some(Duration::from_secs(s))));
                limit.heard(load, begun, now);
                prop_assert!((least.clamp(1, most.max(1))..=most.max(1)).contains(&limit.places()));
                prop_assert!(limit.closed(now).is_none_or(|until| until - now <= WRITES.longest_pause));
            }
        }
    }
}
