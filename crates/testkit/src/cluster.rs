//! A real Kubernetes control plane, with no nodes but ours.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{Process, Tie};
use crate::wait::wait_for;
use crate::work_dir::WorkDir;
use crate::{artifacts, names};

/// A start takes 4 s on two free cores; this allows for a machine that builds and tests something else too.
const START: Duration = Duration::from_secs(90);

/// How a cluster differs from the standard one.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// A node without a heartbeat is lost after 20 s instead of 50, and its pods are evicted 5 s later instead of 300.
    /// (A Lease is renewed every 10 s, so with less than twice that good nodes would be lost now and then.)
    pub quick_node_failure: bool,
    /// Further arguments of the dev cluster, for example `--kcm-arg=--node-monitor-period=1s`.
    pub args: Vec<String>,
    /// Further environment of the dev cluster, for example `GOGC=400`.
    pub env: Vec<(String, String)>,
}

/// A running control plane. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Cluster {
    process: Mutex<Process>,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    server: String,
    _dir: WorkDir,
}

impl Cluster {
    /// Starts one and waits until a pod can be made in it.
    pub fn start(options: &ClusterOptions) -> Result<Self> {
        let program = artifacts::devcluster()?;
        let dir = WorkDir::new("cluster")?;
        let (kubeconfig, ready) = (dir.join("kubeconfig"), dir.join("ready.json"));
        let mut command = Command::new(&program);
        command.arg("--exit-with-stdin").arg("--data-dir").arg(dir.join("data"));
        command.arg("--kubeconfig").arg(&kubeconfig).arg("--ready-file").arg(&ready);
        if options.quick_node_failure {
            command.args([
                "--kcm-arg=--node-monitor-period=1s",
                "--kcm-arg=--node-monitor-grace-period=20s",
                "--apiserver-arg=--default-not-ready-toleration-seconds=5",
                "--apiserver-arg=--default-unreachable-toleration-seconds=5",
            ]);
        }
        command.args(&options.args).envs(options.env.iter().map(|(k, v)| (k, v))).env_remove("KUBECONFIG");
        let mut process = Process::spawn("dev cluster", command, &dir.join("devcluster.out"), Tie::Stdin)?;
        let text = process
            .wait_for("the control plane to be ready", START, || Ok(fs::read_to_string(&ready).ok()))?;
        let ready: Value = serde_json::from_str(&text).context("reading the dev cluster's ready file")?;
        let server =
            ready.get("server").and_then(Value::as_str).context("no server in the ready file")?.to_owned();
        Ok(Self { process: Mutex::new(process), kubectl: program, kubeconfig, server, _dir: dir })
    }

    /// The one cluster of this test process, started at first use with quick node failure. It goes with the process.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let _starting = STARTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(cluster) = SHARED.get() {
            return Ok(cluster);
        }
        let options = ClusterOptions { quick_node_failure: true, ..ClusterOptions::default() };
        let cluster = Self::start(&options)?;
        Ok(SHARED.get_or_init(|| cluster))
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The address of the API, `https://127.0.0.1:<port>`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The process id of the control plane, for measuring it.
    pub fn id(&self) -> u32 {
        self.process.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).id()
    }

    /// Freezes the control plane: requests hang, watches fall silent.
    pub fn pause(&self) -> Result<()> {
        self.process.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pause()
    }

    /// Lets it go on after [`Cluster::pause`].
    pub fn resume(&self) -> Result<()> {
        self.process.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).resume()
    }

    /// A command for `kubectl`, set to this cluster, to be given arguments.
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("kubectl").env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Runs `kubectl` and gives its output, whether it failed or not.
    pub fn kubectl_output(&self, args: &[&str], input: &str) -> Result<Output> {
        let what = || format!("kubectl {}", args.join(" "));
        let mut child = self
            .kubectl_command()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(what)?;
        let mut stdin = child.stdin.take().with_context(what)?;
        let fed = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().with_context(what)?;
        // One that failed early may not have read its input: its own message says more than a broken pipe.
        if output.status.success() {
            fed.with_context(what)?;
        }
        Ok(output)
    }

    /// Runs `kubectl` and gives what it printed; an error has its message.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.kubectl_with(args, "")
    }

    /// As [`Cluster::kubectl`], and reads the answer to `-o json`, which it adds.
    pub fn kubectl_json(&self, args: &[&str]) -> Result<Value> {
        let text = self.kubectl(&[args, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {}: no JSON", args.join(" ")))
    }

    /// Applies manifests (YAML or JSON, any number).
    pub fn apply(&self, manifests: &str) -> Result<()> {
        self.kubectl_with(&["apply", "-f", "-"], manifests).map(drop)
    }

    /// Makes a namespace with a unique name that starts with `prefix`, and waits until pods can be made in it.
    pub fn namespace(&self, prefix: &str) -> Result<String> {
        let name = names::unique(prefix);
        self.kubectl(&["create", "namespace", &name])?;
        wait_for("the namespace's default service account", Duration::from_secs(20), || {
            self.kubectl(&["get", "serviceaccount", "default", "-n", &name]).map(Some)
        })?;
        Ok(name)
    }

    fn kubectl_with(&self, args: &[&str], input: &str) -> Result<String> {
        let output = self.kubectl_output(args, input)?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            bail!("kubectl {}: {}", args.join(" "), message.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        let stopped = process.resume().and_then(|()| process.stop(Duration::from_secs(10)));
        if let Err(e) = stopped {
            eprintln!("testkit: {e:#}");
        }
    }
}
