//! Latencies as percentiles.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is told of a set of latencies, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many.
    pub count: usize,
    /// Half are shorter.
    pub p50_ms: f64,
    /// One in ten is longer.
    pub p90_ms: f64,
    /// One in a hundred is longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Latency {
    /// Of these, in any order; none where there are none.
    pub fn of(mut samples: Vec<Duration>) -> Option<Self> {
        samples.sort_unstable();
        let max = samples.last()?;
        Some(Self {
            count: samples.len(),
            p50_ms: millis(rank(&samples, 50)?),
            p90_ms: millis(rank(&samples, 90)?),
            p99_ms: millis(rank(&samples, 99)?),
            max_ms: millis(*max),
        })
    }
}

/// The middle one of some numbers, the lower of two; 0 where there is none.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = numbers.into_iter().collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// The middle of each percentile over several rounds; none where there is no round.
pub fn median_latency(rounds: &[Latency]) -> Option<Latency> {
    let of = |field: fn(&Latency) -> f64| median(rounds.iter().map(field));
    Some(Latency {
        count: rounds.iter().map(|round| round.count).sum::<usize>().checked_div(rounds.len())?,
        p50_ms: of(|round| round.p50_ms),
        p90_ms: of(|round| round.p90_ms),
        p99_ms: of(|round| round.p99_ms),
        max_ms: of(|round| round.max_ms),
    })
}

/// The smallest sample that `percent` of all are not longer than (nearest rank); `sorted` is in ascending order.
fn rank(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let place = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(place - 1).copied()
}

/// Milliseconds with their fraction.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let ms = Duration::from_millis;
        let latency = Latency::of((1..=200).rev().map(ms).collect()).unwrap();
        assert_eq!((latency.count, latency.p50_ms, latency.p90_ms), (200, 100.0, 180.0));
        assert_eq!((latency.p99_ms, latency.max_ms), (198.0, 200.0));
        let one = Latency::of(vec![ms(7)]).unwrap();
        assert_eq!((one.p50_ms, one.p99_ms, one.max_ms), (7.0, 7.0, 7.0));
        assert_eq!(Latency::of(vec![]), None);
    }

    #[test]
    fn the_median_of_rounds_is_a_round() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!((median([4.0, 1.0]), median([])), (1.0, 0.0));
        let round = |p50_ms| Latency { count: 10, p50_ms, ..Latency::default() };
        let rounds = [round(9.0), round(1.0), round(5.0)];
        assert_eq!(median_latency(&rounds).map(|it| (it.count, it.p50_ms)), Some((10, 5.0)));
        assert_eq!(median_latency(&[]), None);
    }
}
