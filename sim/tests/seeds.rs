//! Seeds without a broken invariant. The first of those that fail prints its story; replay it by
//! `SIM_SEED=<seed> cargo test -p sim --test seeds replay -- --nocapture`.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use sim::{Plan, run};

/// How many seeds are run. More, and others, by `SIM_SEEDS=<first>..<end>`.
const SEEDS: std::ops::Range<u64> = 0..10_000;

fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("SIM_SEEDS").ok();
    let parsed = given.as_deref().and_then(|text| {
        let (first, end) = text.split_once("..")?;
        Some(first.parse().ok()?..end.parse().ok()?)
    });
    parsed.unwrap_or(SEEDS)
}

/// Every seed is a world of its own, so they run side by side, in as many threads as there are cores.
#[test]
fn no_seed_breaks_an_invariant() {
    let (seeds, installs) = (Mutex::new(seeds()), AtomicUsize::new(0));
    let failed = Mutex::new(BTreeMap::new());
    let next = || seeds.lock().unwrap().next();
    let work = || {
        while let Some(seed) = next() {
            match run(seed, Plan::of(seed)) {
                Ok(outcome) => drop(installs.fetch_add(outcome.installs, Ordering::Relaxed)),
                Err(story) => drop(failed.lock().unwrap().insert(seed, story)),
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    let story = failed.values().next();
    assert!(failed.is_empty(), "{:?}, of which the first:\n{}", failed.keys(), story.unwrap());
    assert!(installs.into_inner() > 0, "nothing was ever installed, so nothing was shown");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        assert_eq!(run(seed, Plan::of(seed)), run(seed, Plan::of(seed)));
    }
}

#[test]
fn replay() {
    if let Some(seed) = std::env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok()) {
        println!("{:?}", run(seed, Plan::of(seed)));
    }
}
