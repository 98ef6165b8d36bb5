//! What was measured, beside what was promised.

use std::{fmt, time::Duration};

use crate::times::Times;

/// Whether a promise is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Held,
    Missed,
    /// It could not be measured here.
    NotMeasured,
}

impl Verdict {
    pub(crate) fn of(is_held: bool) -> Self {
        if is_held { Self::Held } else { Self::Missed }
    }
}

/// A line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) promised: String,
    pub(crate) measured: String,
    pub(crate) verdict: Verdict,
}

impl Row {
    /// How long something may take in all but one of a hundred times.
    pub(crate) fn of_times(what: &str, times: &Times, limit: Duration) -> Self {
        Self {
            what: what.to_owned(),
            promised: format!("p99 <= {} ms", limit.as_millis()),
            measured: times.to_string(),
            verdict: Verdict::of(times.percentile(99) <= limit),
        }
    }
}

/// All of them, as Markdown.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    /// Says them at once, too: a later phase may fail.
    pub(crate) fn add(&mut self, rows: Vec<Row>) {
        rows.iter().for_each(|row| eprintln!("  {row}"));
        self.0.extend(rows);
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Held => "held",
            Verdict::Missed => "**missed**",
            Verdict::NotMeasured => "not measured",
        };
        write!(f, "| {} | {} | {} | {verdict} |", self.what, self.promised, self.measured)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | promised | measured | |\n|---|---|---|---|")?;
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}
