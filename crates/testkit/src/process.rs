//! Child processes that do not outlive us.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait::wait_for;

/// Reads the process group to guard; a second line means that the group has ended. Its input ends without that line
/// only when we died, however we died, and then the group is killed.
const GUARD: &str = r#"read -r group || exit 0; read -r done && exit 0; kill -s KILL -- "-$group""#;

/// How a child is made to end when we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// A guard kills it. For any program.
    Guard,
    /// It ends by itself when its standard input is closed, and can clean up.
    Stdin,
}

/// A running child, in a process group of its own (Ctrl-C at a terminal does not reach it), with its output in a file.
/// Dropping it kills the group.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    guard: Option<(Child, ChildStdin)>,
    log: PathBuf,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`, its output appended to the file `log`. `name` is used in errors.
    pub fn spawn(name: &str, mut command: Command, log: &Path, tie: Tie) -> Result<Self> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("{name}: opening {}", log.display()))?;
        let err = out.try_clone().with_context(|| format!("{name}: opening {}", log.display()))?;
        let guard = match tie {
            Tie::Guard => Some(start_guard().with_context(|| format!("{name}: starting its guard"))?),
            Tie::Stdin => None,
        };
        command
            .stdin(if tie == Tie::Stdin { Stdio::piped() } else { Stdio::null() })
            .stdout(out)
            .stderr(err)
            .process_group(0);
        let child =
            command.spawn().with_context(|| format!("{name}: starting {:?}", command.get_program()))?;
        let mut process = Self { name: name.to_owned(), child, guard, log: log.to_owned(), status: None };
        let id = process.id();
        if let Some((_, pipe)) = &mut process.guard {
            writeln!(pipe, "{id}").with_context(|| format!("{name}: telling its guard"))?;
        }
        Ok(process)
    }

    /// The process id, and the id of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file with its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last `lines` lines of its output, for an error message.
    pub fn log_tail(&self, lines: usize) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
    }

    /// Its exit status, once it has ended.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait().with_context(|| format!("{}: waiting", self.name))?;
            if self.status.is_some() {
                self.dismiss_guard();
            }
        }
        Ok(self.status)
    }

    /// An error with the end of its log when it has ended: to be called while waiting for it to do something.
    pub fn ensure_running(&mut self) -> Result<()> {
        match self.exited()? {
            None => Ok(()),
            Some(status) => {
                bail!(
                    "{} ended ({status}); the end of {}:\n{}",
                    self.name,
                    self.log.display(),
                    self.log_tail(30)
                )
            }
        }
    }

    /// Waits until `look` gives a value, as [`wait_for`], but no longer than it runs.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let mut ended = None;
        let found = wait_for(what, limit, || match self.ensure_running() {
            Ok(()) => look().map(|seen| seen.map(Some)),
            Err(e) => {
                ended = Some(e);
                Ok(Some(None))
            }
        });
        match (found, ended) {
            (_, Some(e)) => Err(e).with_context(|| what.to_owned()),
            (Ok(Some(value)), None) => Ok(value),
            (Ok(None), None) => bail!("{what}: ended"),
            (Err(e), None) => Err(e).with_context(|| {
                format!("{}: the end of {}:\n{}", self.name, self.log.display(), self.log_tail(30))
            }),
        }
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        wait_for(&format!("{name} to end"), limit, || self.exited())
    }

    /// Sends SIGTERM and does not wait.
    pub fn terminate(&mut self) -> Result<()> {
        self.signal(Signal::TERM, kill_process)
    }

    /// Sends SIGTERM, waits for `grace`, then kills. Gives how it ended.
    pub fn stop(&mut self, grace: Duration) -> Result<ExitStatus> {
        self.terminate()?;
        match self.wait(grace) {
            Ok(status) => Ok(status),
            Err(_) => self.kill(),
        }
    }

    /// Kills it and its group (SIGKILL), and waits until it is gone.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::KILL, kill_process_group)?;
        self.wait(Duration::from_secs(10))
    }

    /// Freezes it (SIGSTOP): its connections stay, and it answers nothing.
    pub fn pause(&mut self) -> Result<()> {
        self.signal(Signal::STOP, kill_process_group)
    }

    /// Lets it go on after [`Process::pause`].
    pub fn resume(&mut self) -> Result<()> {
        self.signal(Signal::CONT, kill_process_group)
    }

    /// Sends it, and not its group, a signal that means what the program says.
    pub(crate) fn tell(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal, kill_process)
    }

    /// One that has ended is not signalled: until it was waited for its number is not given to another.
    fn signal(&mut self, signal: Signal, send: fn(Pid, Signal) -> Result<(), Errno>) -> Result<()> {
        if self.exited()?.is_some() {
            return Ok(());
        }
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        match send(pid, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(e) => Err(e).with_context(|| format!("{}: sending {signal:?}", self.name)),
        }
    }

    fn dismiss_guard(&mut self) {
        if let Some((mut guard, mut pipe)) = self.guard.take() {
            let _ = writeln!(pipe, "ended");
            drop(pipe);
            let _ = guard.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(e) = self.kill() {
            eprintln!("testkit: {e:#}");
        }
    }
}

fn start_guard() -> Result<(Child, ChildStdin)> {
    let mut guard = Command::new("sh")
        .args(["-c", GUARD])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("starting sh")?;
    let pipe = guard.stdin.take().context("the guard's input")?;
    Ok((guard, pipe))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work_dir::WorkDir;

    fn sleeper(dir: &WorkDir) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", "echo up; sleep 1000 & wait"]);
        Process::spawn("sleeper", command, &dir.join("log"), Tie::Guard).unwrap()
    }

    #[test]
    fn stops_and_tells_its_log() {
        let dir = WorkDir::new("process").unwrap();
        let mut process = sleeper(&dir);
        wait_for("up", Duration::from_secs(5), || Ok(process.log_tail(1).eq("up").then_some(()))).unwrap();
        assert!(process.exited().unwrap().is_none());
        let status = process.stop(Duration::from_secs(5)).unwrap();
        assert!(!status.success());
        assert!(process.ensure_running().unwrap_err().to_string().contains("up"));
    }

    #[test]
    fn pauses() {
        let dir = WorkDir::new("process").unwrap();
        let mut process = sleeper(&dir);
        let state = |id: u32| -> Result<Option<char>> {
            let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
            Ok(stat.rsplit(") ").next().and_then(|s| s.chars().next()))
        };
        let id = process.id();
        process.pause().unwrap();
        wait_for("stopped", Duration::from_secs(5), || Ok((state(id)? == Some('T')).then_some(()))).unwrap();
        process.resume().unwrap();
        wait_for("running", Duration::from_secs(5), || Ok((state(id)? == Some('S')).then_some(()))).unwrap();
    }

    #[test]
    fn a_missing_program_is_named() {
        let dir = WorkDir::new("process").unwrap();
        let e =
            Process::spawn("x", Command::new("/no/such/program"), &dir.join("log"), Tie::Guard).unwrap_err();
        assert!(format!("{e:#}").contains("/no/such/program"), "{e:#}");
    }
}
