//! KouplelessBoard, as its own process.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cluster::Cluster;
use crate::controller;
use crate::process::{Process, Tie};
use crate::work_dir::WorkDir;
use crate::{account, artifacts, http, names};

/// It serves within a second; this allows for a busy machine.
const START: Duration = Duration::from_secs(60);

/// Its namespace in `deploy/board`, and its name there.
const NAME: &str = "koupleless-board";

/// A board with the account and the rights of `deploy/board`. It keeps its port when it is started again. Dropping it kills it.
#[derive(Debug)]
pub struct Board {
    process: Option<Process>,
    kubeconfig: PathBuf,
    arguments: Vec<String>,
    port: u16,
    dir: WorkDir,
}

impl Board {
    /// Starts one for this cluster, and waits until it serves.
    pub fn start(cluster: &Cluster, arguments: &[&str]) -> Result<Self> {
        artifacts::page()?;
        for file in ["namespace", "service-account", "role"] {
            let file = artifacts::repository().join(format!("deploy/board/{file}.yaml"));
            // Tests of one cluster do this at the same time: the server decides who makes it.
            cluster.kubectl(&["apply", "--server-side", "-f", &file.to_string_lossy()])?;
        }
        for right in [&["list", "nodes"][..], &["watch", "deployments.apps", "--all-namespaces"]] {
            account::may(cluster, NAME, NAME, right)?;
        }
        let dir = WorkDir::new("board")?;
        let kubeconfig = account::kubeconfig(cluster, NAME, NAME, dir.join("kubeconfig"))?;
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut board = Self { process: None, kubeconfig, arguments, port: names::free_port()?, dir };
        board.start_again()?;
        Ok(board)
    }

    /// Where it is served.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The process id; 0 when it does not run.
    pub fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("board.log")).unwrap_or_default()
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the board does not run")?.kill().map(drop)
    }

    /// Starts it again on the same port, and waits until it serves.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the board runs already");
        let mut command = Command::new(controller::program()?);
        command
            .args(["board", "--listen", &format!("127.0.0.1:{}", self.port)])
            .args(&self.arguments)
            .env("KUBECONFIG", &self.kubeconfig);
        let mut process = Process::spawn("board", command, &self.dir.join("board.log"), Tie::Guard)?;
        let url = format!("{}/api/v1/codes", self.url());
        process.wait_for("the board to serve", START, || {
            let answer = http::get(&url, Duration::from_secs(2))?;
            ensure!(answer.status == 200, "{} {}", answer.status, answer.body.trim());
            Ok(Some(()))
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Has a script of `board/tests/cluster` click in a browser, to its end, with these variables. What it needs done outside it
    /// says in a line `>> what`: `does` does it, and gives what the script is answered.
    pub fn browse(
        &mut self,
        script: &str,
        variables: &[(&str, &str)],
        mut does: impl FnMut(&mut Self, &str) -> Result<String>,
    ) -> Result<()> {
        let child = Command::new(artifacts::node()?)
            .arg(format!("tests/cluster/{script}.mjs"))
            .current_dir(artifacts::page()?.folder())
            .env("BOARD_URL", self.url())
            .env("CHROMIUM", artifacts::chromium()?)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the script")?;
        let mut child = Script(child);
        let mut input = child.0.stdin.take().context("its input")?;
        let output = BufReader::new(child.0.stdout.take().context("its output")?);
        let mut said = Vec::new();
        for line in output.lines() {
            let line = line.context("reading what it says")?;
            let Some(what) = line.strip_prefix(">> ") else {
                said.push(line);
                continue;
            };
            let answer = does(self, what).with_context(|| format!("{what}, after: {}", said.join("; ")))?;
            writeln!(input, "{}", answer.trim()).context("answering")?;
        }
        let status = child.0.wait().context("waiting for the script")?;
        ensure!(status.success(), "{script} failed after: {}\nthe board: {}", said.join("; "), self.log());
        Ok(())
    }
}

/// A script that runs; it ends with whoever asked for it.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
