//! A command of kubectl that goes on, and what it has printed so far.

use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use testkit::{cluster::Cluster, wait::wait_for, work_dir::WorkDir};

/// Dropping it ends it.
#[derive(Debug)]
pub struct Follow {
    child: Child,
    dir: WorkDir,
}

impl Follow {
    /// Starts it.
    pub fn start(cluster: &Cluster, args: &[&str]) -> Result<Self> {
        let dir = WorkDir::new("follow")?;
        let file = |name: &str| File::create(dir.join(name)).context("a file for what kubectl prints");
        let mut command = cluster.kubectl_command();
        command.args(args).stdin(Stdio::null()).stdout(file("out")?).stderr(file("err")?);
        let child = command.spawn().context("starting kubectl")?;
        Ok(Self { child, dir })
    }

    /// What it has printed.
    pub fn printed(&self) -> String {
        ["out", "err"].map(|name| fs::read_to_string(self.dir.join(name)).unwrap_or_default()).concat()
    }

    /// Waits until it has printed this.
    pub fn wait_for(&self, text: &str) -> Result<()> {
        wait_for(&format!("kubectl to print {text:?}"), Duration::from_secs(30), || {
            let printed = self.printed();
            ensure!(printed.contains(text), "it printed {printed:?}");
            Ok(Some(()))
        })
    }

    /// From now on it reads and prints nothing.
    pub fn pause(&self) -> Result<()> {
        let id = self.child.id();
        let status =
            Command::new("kill").args(["-STOP", &id.to_string()]).status().context("pausing kubectl")?;
        ensure!(status.success(), "pausing kubectl: {status}");
        Ok(())
    }

    /// Waits until it ends by itself.
    pub fn wait_for_end(&mut self) -> Result<()> {
        wait_for("kubectl to end", Duration::from_secs(30), || {
            let ended = self.child.try_wait().context("waiting for kubectl")?;
            ensure!(ended.is_some(), "it printed {:?}", self.printed());
            Ok(Some(()))
        })
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
