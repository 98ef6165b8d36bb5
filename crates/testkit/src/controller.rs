//! The controller under test, as its own process.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Error, Result, ensure};

use crate::artifacts;
use crate::cargo;
use crate::cluster::Cluster;
use crate::http::{self, Answer};
use crate::names;
use crate::process::{Process, Tie};
use crate::work_dir::WorkDir;

/// It has its watches within a second; this allows for a busy machine.
const START: Duration = Duration::from_secs(60);

/// What makes it one of several replicas that share the bases, and take what others heard of theirs.
pub const REPLICA: [(&str, &str); 3] =
    [("IS_CLUSTER", "true"), ("POD_IP", "127.0.0.1"), ("FORWARD_PORT", "0")];

/// Where the tests' bases are: on this host, which has to be said, and at addresses that are made up.
const BASES: (&str, &str) = (
    "BASE_ADDRESS_CIDRS",
    "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,192.0.2.0/24,198.51.100.0/24,203.0.113.0/24,fd00::/8,2001:db8::/32",
);

/// What the controller is started with.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// How it reaches the cluster.
    pub kubeconfig: PathBuf,
    /// Its environment variables, besides `KUBECONFIG`, `ADMIN_LISTEN` and `HTTP_TUNNEL_LISTEN_PORT`, which are set, and
    /// `BASE_ADDRESS_CIDRS`, which has the addresses of tests.
    pub env: Vec<(String, String)>,
}

impl ControllerOptions {
    /// For this cluster, with the account and the rights of `deploy/`.
    pub fn new(cluster: &Cluster) -> Result<Self> {
        Ok(Self { kubeconfig: cluster.account()?.to_owned(), env: Vec::new() })
    }

    /// With one more environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }
}

/// A controller. It keeps its ports and settings when it is started again. Dropping it kills it.
#[derive(Debug)]
pub struct Controller {
    options: ControllerOptions,
    process: Option<Process>,
    program: PathBuf,
    admin_port: u16,
    tunnel_port: u16,
    dir: WorkDir,
}

impl Controller {
    /// Starts one and waits until it says that it is ready.
    pub fn start(options: ControllerOptions) -> Result<Self> {
        let mut controller = Self::prepare(options)?;
        controller.start_again()?;
        Ok(controller)
    }

    /// One that is not started yet: for one that is not expected to be ready.
    pub fn prepare(options: ControllerOptions) -> Result<Self> {
        Ok(Self {
            program: program()?,
            admin_port: names::free_port()?,
            tunnel_port: names::free_port()?,
            dir: WorkDir::new("controller")?,
            process: None,
            options,
        })
    }

    /// Where bases send their HTTP heartbeats.
    pub fn http_tunnel(&self) -> String {
        format!("http://127.0.0.1:{}", self.tunnel_port)
    }

    /// Where its health and metrics are: `host:port`.
    pub fn admin_address(&self) -> String {
        format!("127.0.0.1:{}", self.admin_port)
    }

    /// Another program in its place, from the next start on: the same built in another way.
    pub fn run_from(&mut self, program: PathBuf) {
        self.program = program;
    }

    /// The process id; 0 when it does not run.
    pub fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// What it was started with: for another of the same kind.
    pub fn options(&self) -> &ControllerOptions {
        &self.options
    }

    /// What it will be started with the next time.
    pub fn options_mut(&mut self) -> &mut ControllerOptions {
        &mut self.options
    }

    /// `GET path` of its admin endpoint: `/healthz`, `/readyz`, `/metrics`.
    pub fn admin(&self, path: &str) -> Result<Answer> {
        http::get(&format!("http://{}{path}", self.admin_address()), Duration::from_secs(5))
    }

    /// Everything it has logged since it was first started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("controller.log")).unwrap_or_default()
    }

    /// Stops it (SIGTERM) and gives how it ended; an error when it does not run.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.process.take().context("the controller does not run")?.stop(Duration::from_secs(30))
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill().map(drop),
            None => Ok(()),
        }
    }

    /// Freezes it: its leases run out, and it learns it only when it goes on.
    pub fn pause(&mut self) -> Result<()> {
        self.process.as_mut().context("the controller does not run")?.pause()
    }

    /// Lets it go on after [`Controller::pause`].
    pub fn resume(&mut self) -> Result<()> {
        self.process.as_mut().context("the controller does not run")?.resume()
    }

    /// How it ended, if it has by itself.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.process.as_mut().context("the controller does not run")?.exited()
    }

    /// Starts it again, with the same ports and settings, and waits until it says that it is ready.
    pub fn start_again(&mut self) -> Result<()> {
        self.spawn()?;
        let url = format!("http://127.0.0.1:{}/readyz", self.admin_port);
        let process = self.process.as_mut().context("the controller does not run")?;
        process.wait_for("the controller to be ready", START, || {
            let answer = http::get(&url, Duration::from_secs(2))?;
            ensure!(answer.status == 200, "/readyz: {} {}", answer.status, answer.body.trim());
            Ok(Some(()))
        })
    }

    /// Starts it again and does not wait: for one that is expected to refuse its settings, or to find no cluster.
    pub fn spawn(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the controller runs already");
        let mut command = Command::new(&self.program);
        command
            .env("KUBECONFIG", &self.options.kubeconfig)
            .env("ADMIN_LISTEN", format!("127.0.0.1:{}", self.admin_port))
            .env("HTTP_TUNNEL_LISTEN_PORT", self.tunnel_port.to_string())
            .env(BASES.0, BASES.1)
            .envs(self.options.env.iter().map(|(k, v)| (k, v)));
        self.process =
            Some(Process::spawn("controller", command, &self.dir.join("controller.log"), Tie::Guard)?);
        Ok(())
    }
}

/// `$MODULE_CONTROLLER_BIN`, or the binary beside the running one, which cargo brings up to date
/// first: a test of one crate would else run yesterday's controller.
pub fn program() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    if let Some(path) = env::var_os("MODULE_CONTROLLER_BIN") {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "MODULE_CONTROLLER_BIN is {}, which is no file", path.display());
        return Ok(path);
    }
    BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}"))).clone().map_err(Error::msg)
}

fn build() -> Result<PathBuf> {
    let own = env::current_exe().context("where this program is")?;
    // target/debug/program, or target/debug/deps/test.
    let dir = own.ancestors().skip(1).find(|dir| dir.file_name().is_some_and(|name| name != "deps"));
    let dir = dir.context("this program is in no target directory")?;
    let release = dir.file_name().is_some_and(|name| name == "release");
    // The whole workspace decides on features, as in `cargo test --workspace`: else each of the two would build half the
    // tree anew.
    let args = ["build", "--quiet", "--workspace", "--bin", "module-controller"];
    let mut cargo = cargo::command(&artifacts::repository(), &args);
    if release {
        cargo.arg("--release");
    }
    let built = cargo.status().context("cargo build --package controller")?;
    ensure!(built.success(), "cargo build --bin module-controller: {built}");
    let program = dir.join("module-controller");
    ensure!(program.is_file(), "cargo built no {}", program.display());
    Ok(program)
}
