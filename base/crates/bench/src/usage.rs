//! What a process has, by `/proc`.

use std::fs;

use anyhow::{Context as _, Result};

/// What a process has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) rss_kib: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
}

impl Usage {
    pub(crate) fn of(process: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).context("the base's status")?;
        let number = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.context("a line of the status")?.parse().context("a number of the status")
        };
        let descriptors = fs::read_dir(format!("/proc/{process}/fd")).context("the base's files")?;
        Ok(Self {
            rss_kib: number("VmRSS:")?,
            threads: number("Threads:")?,
            descriptors: descriptors.count() as u64,
        })
    }
}
