//! Counting, and the table at the end.

use std::fmt::Write as _;
use std::iter::Sum;
use std::ops::Add;
use std::time::Duration;

use super::stage::{Outcome, Stage};

/// How many tests passed, failed, and were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) ignored: u64,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            ignored: self.ignored + other.ignored,
        }
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// The counts of a line with which a test binary closes; none of any other line.
pub(super) fn of_line(line: &str) -> Option<Counts> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |of: &str| {
        let part = numbers.split("; ").find_map(|part| part.strip_suffix(of))?;
        part.trim().parse().ok()
    };
    Some(Counts { passed: number(" passed")?, failed: number(" failed")?, ignored: number(" ignored")? })
}

/// All stages together.
pub(super) fn sum<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Counts {
    outcomes.map(Outcome::counts).sum()
}

/// One line per stage: name, time, result.
pub(super) fn table(outcomes: &[(Stage, Outcome)]) -> String {
    let width = outcomes.iter().map(|(stage, _)| stage.name.len()).max().unwrap_or_default();
    let mut table = String::new();
    for (stage, outcome) in outcomes {
        let time = outcome.time.as_secs_f64();
        let _ = writeln!(table, "{:width$}  {time:>7.1} s  {outcome}", stage.name);
    }
    table
}

/// As cargo's own tests close. Checks that are no tests count as one each.
pub(super) fn closing_line(sum: Counts, time: Duration) -> String {
    let word = if sum.failed == 0 { "ok" } else { "FAILED" };
    let Counts { passed, failed, ignored } = sum;
    let time = time.as_secs_f64();
    format!(
        "test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; finished in {time:.2}s"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted_and_no_others() {
        let line = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(of_line(line), Some(Counts { passed: 12, failed: 1, ignored: 2 }));
        assert_eq!(of_line("test a ... ok"), None);
        assert_eq!(of_line("running 12 tests"), None);
    }

    #[test]
    fn our_own_closing_line_is_one() {
        let sum = Counts { passed: 3, failed: 1, ignored: 0 };
        let line = closing_line(sum, Duration::from_millis(1500));
        assert_eq!(of_line(&line), Some(sum), "{line}");
        assert!(line.starts_with("test result: FAILED. ") && line.ends_with("finished in 1.50s"), "{line}");
    }
}
