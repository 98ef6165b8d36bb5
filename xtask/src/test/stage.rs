//! One stage, and what came of it.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::tally::Counts;

/// What is done in a stage. A check that only passes or fails counts as one.
pub(super) type Work = Box<dyn Fn() -> Result<Verdict>>;

/// What a stage found, where nothing kept it from finding out.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Nothing wrong.
    Passed,
    /// It could not be run here, and need not be.
    Skipped(String),
    /// Tests ran, and so many passed and failed.
    Tests(Counts),
}

/// A part of `cargo xtask test`.
pub(super) struct Stage {
    pub(super) name: &'static str,
    /// The command, or what is done.
    pub(super) what: String,
    /// What has to have passed, by name.
    pub(super) after: &'static [&'static str],
    pub(super) work: Work,
}

/// What came of a stage.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) result: Result<Verdict>,
    pub(super) time: Duration,
}

impl Stage {
    /// It is of no use where `other` has failed.
    pub(super) fn needs(&self, other: &Self) -> bool {
        self.after.contains(&other.name)
    }

    /// Does the work.
    pub(super) fn run(&self) -> Outcome {
        let start = Instant::now();
        let result = (self.work)();
        if let Err(error) = &result {
            println!("{error:#}");
        }
        Outcome { result, time: start.elapsed() }
    }
}

impl Outcome {
    /// One that was passed over because of a stage that failed.
    pub(super) fn not_run(because_of: &str) -> Self {
        let result = Err(anyhow::anyhow!("not run, because {because_of} failed"));
        Self { result, time: Duration::ZERO }
    }

    /// Nothing failed.
    pub(super) fn is_ok(&self) -> bool {
        self.counts().failed == 0
    }

    /// How many checks or tests passed and failed.
    pub(super) fn counts(&self) -> Counts {
        match &self.result {
            Ok(Verdict::Passed) => Counts { passed: 1, ..Counts::default() },
            Ok(Verdict::Skipped(_)) => Counts { ignored: 1, ..Counts::default() },
            Ok(Verdict::Tests(counts)) => *counts,
            Err(_) => Counts { failed: 1, ..Counts::default() },
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(Verdict::Passed) => f.write_str("ok"),
            Ok(Verdict::Skipped(why)) => write!(f, "skipped: {why}"),
            Ok(Verdict::Tests(counts)) if counts.failed == 0 => write!(f, "ok: {} tests", counts.passed),
            Ok(Verdict::Tests(counts)) => {
                write!(f, "FAILED: {} of {} tests", counts.failed, counts.passed + counts.failed)
            }
            Err(error) => write!(f, "FAILED: {}", error.to_string().lines().next().unwrap_or_default()),
        }
    }
}
