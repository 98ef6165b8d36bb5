//! What the demo says: numbered steps, what came of each, and how long it took.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::Result;
use testkit::wait::wait_for;

/// A step that takes longer says what it waits for, this often.
const PROGRESS: Duration = Duration::from_secs(5);

/// The demo's voice, with its clock.
#[derive(Debug)]
pub(crate) struct Narration {
    start: Instant,
    step: Instant,
    number: u32,
}

impl Narration {
    /// Begins.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        println!("module-controller: every running base a Node, every module a Pod");
        Self { start: now, step: now, number: 0 }
    }

    /// The next step begins.
    pub(crate) fn step(&mut self, title: impl Display) {
        self.step = Instant::now();
        self.number += 1;
        println!("\n{:>2}. {title}", self.number);
    }

    /// A line about it.
    pub(crate) fn say(&self, line: impl Display) {
        println!("    {line}");
    }

    /// What a command printed.
    pub(crate) fn show(&self, command: &str, output: &str) {
        println!("    $ {command}");
        for line in output.lines() {
            println!("      {}", line.trim_end());
        }
    }

    /// The step has come true.
    pub(crate) fn done(&self, what: impl Display) {
        println!("    ok: {what} ({:.1} s)", self.step.elapsed().as_secs_f64());
    }

    /// Everything has.
    pub(crate) fn end(&self) {
        println!("\nAll of it came true, in {:.1} s.", self.start.elapsed().as_secs_f64());
    }

    /// Waits as [`wait_for`] does, and says from time to time what it sees.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let start = Instant::now();
        let mut told = start;
        let mut last = String::new();
        wait_for(what, limit, || {
            let seen = look();
            if told.elapsed() >= PROGRESS && !matches!(seen, Ok(Some(_))) {
                told = Instant::now();
                let news = seen.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
                println!("    ... {} s, waiting for {what}", start.elapsed().as_secs());
                if news != last {
                    println!("        {news}");
                    last = news;
                }
            }
            seen
        })
    }
}
