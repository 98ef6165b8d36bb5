//! What this process uses, under the names that Prometheus' own libraries give it.

use std::{fmt, fs};

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

/// This process, as `/proc` tells of it. Clones tell of the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    /// When it was started, in seconds since 1970; none where `/proc` does not say. It is read once: the system derives it from
    /// its clock, and a clock that is set would look like a restart.
    started: Option<f64>,
}

/// The figures of one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    resident_bytes: u64,
    /// When it was started, in seconds since the system was.
    started: f64,
}

impl Process {
    /// The one that runs.
    pub(crate) fn own() -> Self {
        let booted = fs::read_to_string("/proc/stat").ok().and_then(|text| boot_time(&text));
        Self { started: booted.zip(stat()).map(|(booted, stat)| booted + stat.started) }
    }

    /// Its rows, as far as the system says.
    pub(super) fn encode(self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(stat) = stat() {
            let cpu = ("process_cpu", "User and system CPU time spent", Some(&Unit::Seconds));
            let metric = encoder.encode_descriptor(cpu.0, cpu.1, cpu.2, MetricType::Counter)?;
            ConstCounter::new(stat.cpu_seconds).encode(metric)?;
            gauge(
                encoder,
                "process_resident_memory",
                "Resident memory",
                Some(&Unit::Bytes),
                stat.resident_bytes,
            )?;
        }
        // One of them is the directory that is read.
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            let open = u64::try_from(files.count().saturating_sub(1)).unwrap_or(u64::MAX);
            gauge(encoder, "process_open_fds", "Open file descriptors", None, open)?;
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            gauge(encoder, "process_max_fds", "The most file descriptors that may be open", None, most)?;
        }
        let Some(started) = self.started else { return Ok(()) };
        let help = "When the process was started, in seconds since 1970";
        let metric =
            encoder.encode_descriptor("process_start_time", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        ConstGauge::new(started).encode(metric)
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(metric)
}

fn stat() -> Option<Stat> {
    let ticks = u32::try_from(clock_ticks_per_second()).ok()?;
    let page = u64::try_from(page_size()).ok()?;
    parse(&fs::read_to_string("/proc/self/stat").ok()?, ticks, page)
}

/// `/proc/self/stat`, see proc(5): after the name, which is in parentheses and may hold any character, comes field 3.
fn parse(text: &str, ticks: u32, page: u64) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<u64>().ok();
    // Ticks of centuries are below 2^53.
    let seconds = |of: u64| of as f64 / f64::from(ticks);
    let (user, system, started, pages) = (field(14)?, field(15)?, field(22)?, field(24)?);
    Some(Stat {
        cpu_seconds: seconds(user.saturating_add(system)),
        resident_bytes: pages.saturating_mul(page),
        started: seconds(started),
    })
}

/// When the system was started, by `/proc/stat`.
fn boot_time(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn the_line_of_a_process_is_read_whatever_its_name() {
        let line = "42 (a) b (c)) S 1 42 42 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 5 0 12345 999 77 18446744073709551615 1";
        let stat = parse(line, 100, 4096).unwrap();
        assert_eq!(stat, Stat { cpu_seconds: 3.0, resident_bytes: 77 * 4096, started: 123.45 });
        assert_eq!(parse("42 (short) S 1", 100, 4096), None);
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\nprocesses 3\n"), Some(1_700_000_000.0));
    }

    #[test]
    fn this_process_was_started_a_while_ago_and_has_memory() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let started = Process::own().started.unwrap();
        assert!((now - 3600.0..now + 2.0).contains(&started), "{started} of {now}");
        assert!(stat().unwrap().resident_bytes > 100_000);
    }
}
