//! Seeds without a broken invariant. The first of those that fail prints its story; `cargo xtask sim --replay <seed>` runs
//! one again.

use sim::{Scenario, many::run_all, run};

/// How many seeds are run. More, and others, by `SIM_SEEDS=<first>..<end>`, by `cargo xtask test --long`, or by `cargo xtask sim`.
const SEEDS: std::ops::Range<u64> = 0..1_000;

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
    let tally = run_all(seeds(), |_| {});
    let reasons: Vec<&str> = tally.reasons().collect();
    assert!(
        tally.broken.is_empty(),
        "{reasons:#?}, of which the first:\n{}",
        tally.broken.first_key_value().unwrap().1
    );
    let shown = [tally.installs, tally.owned_acts, usize::try_from(tally.quiet).unwrap()];
    assert!(shown.iter().all(|count| *count > 0), "nothing was shown: {tally:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        assert_eq!(run(seed, Scenario::of(seed)), run(seed, Scenario::of(seed)));
    }
}
