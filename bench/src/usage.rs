//! Processor time and memory of processes, from `/proc`.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The processes that are told apart.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    /// The controller; 0 where none runs.
    pub controller: u32,
    /// The control plane.
    pub server: u32,
}

/// Processor seconds used up to a moment.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    at: Instant,
    controller: f64,
    server: f64,
    bench: f64,
    machine: f64,
    bytes: f64,
}

/// What a phase used. Processor time is in cores: 1 is one core all the time.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// How long it took.
    pub seconds: f64,
    /// The controller.
    pub controller_cores: f64,
    /// etcd, the API server, the scheduler and the controller manager together.
    pub server_cores: f64,
    /// The simulated bases and the watcher: this process.
    pub bench_cores: f64,
    /// Everything else on the machine: how much to believe the other figures. Holds the MQTT broker too.
    pub other_cores: f64,
    /// Bytes that went over the loopback interface: of everybody, for all talk over it here.
    #[serde(default)]
    pub loopback_bytes: f64,
    /// The controller's resident memory at the end.
    pub controller_rss_mib: f64,
    /// The most that it was so far.
    pub controller_peak_mib: f64,
}

impl Mark {
    /// Another process is the controller since then.
    pub fn controller_began_anew(&mut self) {
        self.controller = 0.0;
    }
}

impl Processes {
    /// What was used up to now.
    pub fn mark(&self) -> Result<Mark> {
        Ok(Mark {
            at: Instant::now(),
            controller: cpu_seconds(self.controller)?,
            server: cpu_seconds(self.server)?,
            bench: cpu_seconds(std::process::id())?,
            machine: machine_seconds()?,
            bytes: loopback_bytes()?,
        })
    }

    /// What was used since then.
    pub fn since(&self, before: &Mark) -> Result<Usage> {
        let now = self.mark()?;
        let seconds = now.at.duration_since(before.at).as_secs_f64();
        let cores = |used: f64| if seconds > 0.0 { used.max(0.0) / seconds } else { 0.0 };
        let [controller, server, bench] =
            [now.controller - before.controller, now.server - before.server, now.bench - before.bench];
        let (rss, peak) = if self.controller == 0 { (0.0, 0.0) } else { memory(self.controller)? };
        Ok(Usage {
            seconds,
            controller_cores: cores(controller),
            server_cores: cores(server),
            bench_cores: cores(bench),
            other_cores: cores(now.machine - before.machine - controller - server - bench),
            loopback_bytes: now.bytes - before.bytes,
            controller_rss_mib: rss,
            controller_peak_mib: peak,
        })
    }
}

fn ticks_per_second() -> f64 {
    // A hundred on every Linux that we know.
    u32::try_from(rustix::param::clock_ticks_per_second()).map_or(100.0, f64::from)
}

/// Processor seconds that a process has used; none where its id is 0.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    if pid == 0 {
        return Ok(0.0);
    }
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    Ok(process_ticks(&text).with_context(|| format!("reading {path}: {text:?}"))? / ticks_per_second())
}

/// `utime` and `stime`, the fields 14 and 15; the name in field 2 may hold anything.
fn process_ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// What all processes of the machine used: neither idle nor waiting for a disk, nor taken away by a hypervisor.
fn machine_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    Ok(machine_ticks(&text).context("reading /proc/stat")? / ticks_per_second())
}

fn machine_ticks(stat: &str) -> Option<f64> {
    let fields: Vec<f64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq; then steal, and guests that user and nice hold already.
    Some(fields.iter().take(7).sum::<f64>() - fields.get(3)? - fields.get(4)?)
}

/// Bytes that the loopback interface has received, which are all that were sent over it.
fn loopback_bytes() -> Result<f64> {
    let text = fs::read_to_string("/proc/net/dev").context("reading /proc/net/dev")?;
    received(&text, "lo").context("no loopback interface in /proc/net/dev")
}

fn received(dev: &str, interface: &str) -> Option<f64> {
    let line = dev.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Resident memory and its peak, in MiB.
pub(crate) fn memory(pid: u32) -> Result<(f64, f64)> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let mib = |field: &str| {
        kib(&text, field).map(|kib| kib / 1024.0).with_context(|| format!("no {field} in {path}"))
    };
    Ok((mib("VmRSS:")?, mib("VmHWM:")?))
}

fn kib(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 100 200 300";
        assert_eq!(process_ticks(stat), Some(200.0));
        assert_eq!(machine_ticks("cpu  10 2 3 1000 50 1 4 9 0 0\ncpu0 1\n"), Some(20.0));
        assert_eq!(received("face |bytes\n    lo: 1234 5 0\n  eth0: 9 1\n", "lo"), Some(1234.0));
        assert_eq!(kib("VmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n", "VmRSS:"), Some(1024.0));
    }

    #[test]
    fn this_process_uses_something() {
        let own = Processes { controller: std::process::id(), server: std::process::id() };
        let mark = own.mark().unwrap();
        let usage = own.since(&mark).unwrap();
        assert!(usage.controller_rss_mib > 1.0 && usage.controller_peak_mib >= usage.controller_rss_mib);
    }
}
