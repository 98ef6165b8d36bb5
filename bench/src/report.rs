//! What a run found: as data that is kept, and as a table for people.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metrics::Counts;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::stats::Latency;
use crate::table::Table;
use crate::usage::Usage;
use crate::writes::ModuleWrites;

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// When it began, RFC 3339.
    pub began: String,
    /// How many processors the machine has.
    pub processors: usize,
    /// The machine's load average over a minute before anything was started.
    pub load_before: f64,
    /// What was asked for.
    pub settings: Settings,
    /// One result for each scenario.
    pub ways: Vec<WayReport>,
}

/// What one scenario came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WayReport {
    /// Which.
    pub plan: Plan,
    /// Why it did not come to its end; the figures of before that are good.
    pub failed: Option<String>,
    /// The figures, in the order of their phases.
    pub figures: Vec<Figure>,
    /// What each phase used and wrote.
    pub costs: Vec<Cost>,
    /// What a module costs the API server in writes; nothing in results of before it was counted.
    #[serde(default)]
    pub writes: ModuleWrites,
}

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Milliseconds; less is better.
    #[serde(rename = "ms")]
    Millis,
    /// In a second; of what is done more is better, of what is asked less.
    #[serde(rename = "/s")]
    PerSecond,
    /// Mebibytes; less is better.
    #[serde(rename = "MiB")]
    Mib,
    /// Kibibytes; less is better.
    #[serde(rename = "KiB")]
    Kib,
    /// Hundredths of one core; less is better.
    #[serde(rename = "%")]
    Percent,
    /// For each module; less is better.
    #[serde(rename = "/module")]
    PerModule,
    /// So many; less is better.
    #[serde(rename = "")]
    Count,
}

impl Unit {
    /// As a reader sees it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Millis => "ms",
            Self::PerSecond => "/s",
            Self::Mib => "MiB",
            Self::Kib => "KiB",
            Self::Percent => "%",
            Self::PerModule => "/module",
            Self::Count => "",
        }
    }
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// In which phase.
    pub phase: String,
    /// Of what.
    pub what: String,
    /// In what.
    pub unit: Unit,
    /// The controller's.
    pub value: f64,
    /// The bare client's in the same run, where it does the same.
    pub floor: Option<f64>,
}

impl Figure {
    /// How often the floor goes into the figure.
    pub fn ratio(&self) -> Option<f64> {
        self.floor.filter(|floor| *floor > 0.0).map(|floor| self.value / floor)
    }
}

/// What a phase used, and who asked whom for what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cost {
    /// Which phase.
    pub phase: String,
    /// How many modules went online or offline in it: what the writes are divided by.
    pub modules: u64,
    /// How many bases there were.
    pub bases_there: u64,
    /// Processor time and memory.
    pub usage: Usage,
    /// Requests of the controller to the API server, by its own count.
    pub controller: Counts,
    /// Writes that the API server took, from anybody, by its count.
    pub server: Counts,
    /// Commands that the bases got, and heartbeats that they sent.
    pub bases: Counts,
}

impl Cost {
    /// The controller's processor time for each module, in milliseconds; 0 where there was none.
    pub fn cpu_ms_per_module(&self) -> f64 {
        self.per_module(self.usage.controller_cores * self.usage.seconds * 1e3)
    }

    /// Of all commands and heartbeats.
    fn messages(&self) -> u64 {
        self.bases.values().sum()
    }

    fn per_module(&self, what: f64) -> f64 {
        if self.modules == 0 { 0.0 } else { what / self.modules as f64 }
    }

    fn per_message(&self, what: f64) -> f64 {
        if self.messages() == 0 { 0.0 } else { what / self.messages() as f64 }
    }
}

impl WayReport {
    /// Nothing yet.
    pub fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            failed: None,
            figures: Vec::new(),
            costs: Vec::new(),
            writes: ModuleWrites::default(),
        }
    }

    /// Adds the percentiles of a latency.
    pub fn latency(&mut self, phase: &str, what: &str, latency: &Latency, floor: Option<&Latency>) {
        let parts = |one: &Latency| [("p50", one.p50_ms), ("p99", one.p99_ms), ("max", one.max_ms)];
        let floors = floor.map(parts);
        for (at, (name, value)) in parts(latency).into_iter().enumerate() {
            let what = format!("{what}, {name} of {}", latency.count);
            let floor = floors.and_then(|floors| floors.get(at).map(|(_, floor)| *floor));
            self.figure(phase, &what, Unit::Millis, value, floor);
        }
    }

    /// Adds a single figure.
    pub fn figure(&mut self, phase: &str, what: &str, unit: Unit, value: f64, floor: Option<f64>) {
        self.figures.push(Figure { phase: phase.to_owned(), what: what.to_owned(), unit, value, floor });
    }
}

/// The table.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { install_least_ms, install_most_ms, .. } = self.settings;
        writeln!(
            f,
            "An install takes {install_least_ms} to {install_most_ms} ms at the base and is taken off.\n\
             {} processors, load {:.1} before the start. The floor is a bare client with the same Pods and writes.",
            self.processors, self.load_before
        )?;
        self.ways.iter().try_for_each(|way| write!(f, "\n{way}"))
    }
}

impl fmt::Display for WayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["phase", "figure", "measured", "floor", "ratio"]);
        let mut last = "";
        for figure in &self.figures {
            let optional = |value: Option<f64>, unit| value.map_or_else(String::new, |it| number(it, unit));
            table.row([
                if figure.phase == last { String::new() } else { figure.phase.clone() },
                figure.what.clone(),
                number(figure.value, figure.unit.as_str()),
                optional(figure.floor, figure.unit.as_str()),
                optional(figure.ratio(), "x"),
            ]);
            last = &figure.phase;
        }
        let mut used = Table::new(&[
            "phase",
            "seconds",
            "controller",
            "control plane",
            "bench",
            "others",
            "RSS MiB",
            "peak MiB",
        ]);
        for Cost { phase, usage, .. } in &self.costs {
            let rest = [
                usage.seconds,
                usage.controller_cores,
                usage.server_cores,
                usage.bench_cores,
                usage.other_cores,
                usage.controller_rss_mib,
                usage.controller_peak_mib,
            ];
            used.row(std::iter::once(phase.clone()).chain(rest.map(|value| format!("{value:.2}"))));
        }
        let Plan { bases, modules, samples, rounds, .. } = self.plan;
        writeln!(
            f,
            "{}: {bases} bases, {modules} modules each, {samples} samples one by one, medians of {rounds} rounds",
            self.plan.title()
        )?;
        if let Some(failed) = &self.failed {
            writeln!(f, "IT DID NOT COME TO ITS END: {failed}")?;
        }
        writeln!(f, "{table}\nprocessor time, in cores\n{used}")?;
        writeln!(f, "{}", self.writes)?;
        for cost in &self.costs {
            cost.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = |counts: &Counts| {
            let each = counts.iter().map(|(what, count)| {
                if self.modules == 0 {
                    return format!("{count} {what}");
                }
                // Far below 2^53.
                format!("{count} {what} ({:.2})", *count as f64 / self.modules as f64)
            });
            each.collect::<Vec<_>>().join(", ")
        };
        let modules = if self.modules == 0 {
            String::new()
        } else {
            format!(", {} modules (for each in brackets)", self.modules)
        };
        writeln!(f, "{}{modules}", self.phase)?;
        writeln!(f, "  the controller asked the API server: {}", per(&self.controller))?;
        writeln!(f, "  the API server took, from anybody:   {}", per(&self.server))?;
        writeln!(f, "  the bases got, and sent heartbeats:  {}", per(&self.bases))?;
        let commands = self.bases.iter().filter(|(what, _)| !what.starts_with("heartbeats"));
        let commands: u64 = commands.map(|(_, count)| count).sum();
        let cpu_us = self.usage.controller_cores * self.usage.seconds * 1e6;
        writeln!(
            f,
            "  for each base {:.1} commands; for each command or heartbeat {:.0} us of the controller's processor time \
             and {:.0} bytes over loopback, of all there is",
            if self.bases_there == 0 { 0.0 } else { commands as f64 / self.bases_there as f64 },
            self.per_message(cpu_us),
            self.per_message(self.usage.loopback_bytes),
        )
    }
}

/// Every figure that both runs have, and what became of it.
pub fn compare(before: &Report, now: &Report) -> String {
    let key = |way: &WayReport, figure: &Figure| {
        // The number of samples is no part of what a figure is.
        let what = figure.what.split(" of ").next().unwrap_or_default().to_owned();
        (way.plan.title(), figure.phase.clone(), what)
    };
    let old: BTreeMap<_, _> = before
        .ways
        .iter()
        .flat_map(|way| way.figures.iter().map(move |figure| (key(way, figure), figure)))
        .collect();
    let mut table =
        Table::new(&["scenario", "phase", "figure", "before", "now", "change", "ratio before", "ratio now"]);
    for way in &now.ways {
        for figure in &way.figures {
            let Some(then) = old.get(&key(way, figure)) else { continue };
            let change = if then.value == 0.0 {
                String::new()
            } else {
                format!("{:+.0}%", (figure.value / then.value - 1.0) * 100.0)
            };
            let ratio = |figure: &Figure| figure.ratio().map_or_else(String::new, |it| number(it, "x"));
            table.row([
                way.plan.title(),
                figure.phase.clone(),
                figure.what.clone(),
                number(then.value, then.unit.as_str()),
                number(figure.value, figure.unit.as_str()),
                change,
                ratio(then),
                ratio(figure),
            ]);
        }
    }
    format!("compared with the run of {}\n{table}", before.began)
}

pub(crate) fn number(value: f64, unit: &str) -> String {
    let digits = if value.abs() >= 100.0 || unit.is_empty() {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    let space = if unit.is_empty() || unit == "x" { "" } else { " " };
    format!("{value:.digits$}{space}{unit}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn report(value: f64) -> Report {
        let settings = Settings::try_parse_from(["bench"]).unwrap();
        let mut way = WayReport::new(&crate::plan::plans(&settings)[0]);
        let latency = Latency { count: 100, p50_ms: value, p90_ms: 0.0, p99_ms: 30.0, max_ms: 99.9 };
        let floor = Latency { p50_ms: 5.0, ..latency };
        way.latency("one by one", "online", &latency, Some(&floor));
        way.figure("idle", "vnodes", Unit::Count, 20.0, None);
        way.costs.push(Cost {
            phase: "one by one".into(),
            modules: 100,
            bases_there: 20,
            usage: Usage { seconds: 3.0, ..Usage::default() },
            controller: Counts::from([("patch pods/status".into(), 100)]),
            server: Counts::new(),
            bases: Counts::new(),
        });
        Report {
            began: "2026-11-22T10:00:00Z".into(),
            processors: 2,
            load_before: 0.5,
            settings,
            ways: vec![way],
        }
    }

    #[test]
    fn the_table_has_the_ratio_to_the_floor() {
        let text = report(12.34).to_string();
        let line = text.lines().find(|line| line.contains("p50")).unwrap();
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells, ["one by one", "online, p50 of 100", "12.3 ms", "5.00 ms", "2.47x"]);
        assert!(text.contains("100 patch pods/status (1.00)"), "{text}");
    }

    #[test]
    fn it_is_kept_as_json_and_compared() {
        let before: Report = serde_json::from_str(&serde_json::to_string(&report(10.0)).unwrap()).unwrap();
        let text = compare(&before, &report(12.0));
        let line = text.lines().find(|line| line.contains("p50")).unwrap();
        assert!(line.contains("+20%") && line.contains("2.00x") && line.contains("2.40x"), "{text}");
    }

    #[test]
    fn numbers_are_as_long_as_they_are_of_use() {
        assert_eq!(number(1_234.5, "ms"), "1234 ms");
        assert_eq!(number(12.34, "/s"), "12.3 /s");
        assert_eq!(number(1.234, "x"), "1.23x");
        assert_eq!(number(7.0, ""), "7");
    }
}
