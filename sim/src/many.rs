//! Many seeds, side by side: every seed is a world of its own.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{Outcome, Scenario, run};

/// How often progress is told.
const PERIOD: Duration = Duration::from_secs(5);

/// What many seeds came to.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// Seeds that were run.
    pub seeds: u64,
    /// Those of them with several replicas.
    pub with_replicas: u64,
    /// Those that were watched while nothing happened.
    pub quiet: u64,
    /// Installs that bases carried out.
    pub installs: usize,
    /// Commands and writes that one of several replicas was entitled to.
    pub owned_acts: usize,
    /// The stories of those that broke an invariant, by seed.
    pub broken: BTreeMap<u64, String>,
}

impl Tally {
    fn add(&mut self, seed: u64, scenario: Scenario, result: Result<Outcome, String>) {
        self.seeds += 1;
        self.with_replicas += u64::from(scenario.replicas > 1);
        match result {
            Ok(outcome) => {
                self.installs += outcome.installs;
                self.owned_acts += outcome.owned_acts;
                self.quiet += u64::from(outcome.was_quiet);
            }
            Err(story) => drop(self.broken.insert(seed, story)),
        }
    }

    /// What broke, a line for each seed.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.broken.values().filter_map(|story| story.lines().next())
    }
}

/// Runs these seeds, in as many threads as there are cores.
pub fn run_all(seeds: Range<u64>, progress: impl Fn(&Tally) + Sync) -> Tally {
    let (seeds, tally) = (Mutex::new(seeds), Mutex::new(Tally::default()));
    let (shown, begun) = (Mutex::new(Duration::ZERO), std::time::Instant::now());
    let next = || seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(seed) = next() {
            let scenario = Scenario::of(seed);
            let result = run(seed, scenario);
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.add(seed, scenario, result);
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            if begun.elapsed() >= *shown + PERIOD {
                *shown = begun.elapsed();
                progress(&tally);
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}
