//! Seeds without a broken invariant. A failing one prints its story; replay it by
//! `SIM_SEED=<seed> cargo test -p sim --test seeds replay -- --nocapture`.

use sim::{Plan, run};

/// How many seeds are run. More, and others, by `SIM_SEEDS=<first>..<end>`.
const SEEDS: std::ops::Range<u64> = 0..2_000;

fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("SIM_SEEDS").ok();
    let parsed = given.as_deref().and_then(|text| {
        let (first, end) = text.split_once("..")?;
        Some(first.parse().ok()?..end.parse().ok()?)
    });
    parsed.unwrap_or(SEEDS)
}

#[test]
fn no_seed_breaks_an_invariant() {
    let mut installs = 0;
    for seed in seeds() {
        match run(seed, Plan::of(seed)) {
            Ok(outcome) => installs += outcome.installs,
            Err(story) => panic!("{story}"),
        }
    }
    assert!(installs > 0, "nothing was ever installed, so nothing was shown");
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
