//! A real Kubernetes control plane, with no nodes but ours.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Process, Tie};
use crate::reader::Reader;
use crate::rights::{self, Rights};
use crate::wait::wait_for;
use crate::work_dir::WorkDir;
use crate::{account, artifacts, names, turns};

/// A start takes 4 s on two free cores; this allows for a machine that builds and tests something else too.
const START: Duration = Duration::from_secs(90);

/// Control planes are a quarter of what the tests compute. With this they collect garbage less often, and take some hundreds of MiB
/// more.
const GARBAGE_COLLECTION: (&str, &str) = ("GOGC", "400");

/// What becomes of the audit log, which costs the server a line per request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditLog {
    /// There is none.
    #[default]
    None,
    /// It goes with the cluster: what is asked for there says nothing of what a controller needs.
    Own,
    /// It is left in `$TESTKIT_AUDIT` with those of other tests, for whoever set that.
    OfAllTests,
}

/// How a cluster differs from the standard one.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// A node without a heartbeat is lost after 20 s instead of 50, and its pods are evicted 5 s later instead of 300.
    /// (A Lease is renewed every 10 s, so with less than twice that good nodes would be lost now and then.)
    pub quick_node_failure: bool,
    /// Whether what the controller's account asks for is kept ([`Cluster::rights`]).
    pub audit: AuditLog,
    /// Further arguments of the dev cluster, for example `--kcm-arg=--node-monitor-period=1s`.
    pub args: Vec<String>,
    /// Further environment of the dev cluster, for example `GOGC=100`.
    pub env: Vec<(String, String)>,
}

/// A running control plane. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Cluster {
    process: Mutex<Process>,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    server: String,
    reader: OnceLock<Reader>,
    /// The kubeconfig of the controller's account, once it was asked for.
    account: OnceLock<PathBuf>,
    /// Where the audit log is, and beside it the roles of the account.
    audit: Option<PathBuf>,
    dir: WorkDir,
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
        let audit = audit_dir(options.audit, &dir)?;
        if let Some(audit) = &audit {
            let policy = dir.join("audit-policy.json");
            fs::write(&policy, rights::policy().to_string()).context("writing the audit policy")?;
            let log = audit.join("audit.log");
            command.arg(format!("--apiserver-arg=--audit-policy-file={}", policy.display()));
            command.arg(format!("--apiserver-arg=--audit-log-path={}", log.display()));
        }
        command.env(GARBAGE_COLLECTION.0, GARBAGE_COLLECTION.1);
        command.args(&options.args).envs(options.env.iter().map(|(k, v)| (k, v))).env_remove("KUBECONFIG");
        let turns = turns::take(turns::all());
        let mut process = Process::spawn("dev cluster", command, &dir.join("devcluster.out"), Tie::Stdin)?;
        let text = process
            .wait_for("the control plane to be ready", START, || Ok(fs::read_to_string(&ready).ok()))?;
        drop(turns);
        let ready: Value = serde_json::from_str(&text).context("reading the dev cluster's ready file")?;
        let server =
            ready.get("server").and_then(Value::as_str).context("no server in the ready file")?.to_owned();
        let process = Mutex::new(process);
        let (reader, account) = (OnceLock::new(), OnceLock::new());
        Ok(Self { process, kubectl: program, kubeconfig, server, reader, account, audit, dir })
    }

    /// The one cluster of this test process, started at first use with quick node failure and an audit log. It goes with
    /// the process.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let _starting = STARTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(cluster) = SHARED.get() {
            return Ok(cluster);
        }
        let audit = AuditLog::OfAllTests;
        let options = ClusterOptions { quick_node_failure: true, audit, ..ClusterOptions::default() };
        let cluster = Self::start(&options)?;
        Ok(SHARED.get_or_init(|| cluster))
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A file of its certificates: `ca.crt`, which those of all clients are signed with, or `apiserver-kubelet-client.crt` and
    /// `.key`, by which kubelets know the API server.
    pub fn pki(&self, file: &str) -> PathBuf {
        self.dir.join("data").join("pki").join(file)
    }

    /// As [`Cluster::account`], for one who reaches the API server by another way: a proxy to it. It is written to `file`.
    pub fn account_by(&self, way: SocketAddr, file: &Path) -> Result<()> {
        let text = fs::read_to_string(self.account()?).context("reading the account's kubeconfig")?;
        fs::write(file, text.replace(&self.server, &format!("https://{way}"))).context("writing a kubeconfig")
    }

    /// The kubeconfig of the controller's account, which has the rights of `deploy/` and no others. It is made at first
    /// use.
    pub fn account(&self) -> Result<&Path> {
        static MAKING: Mutex<()> = Mutex::new(());
        let _making = MAKING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(made) = self.account.get() {
            return Ok(made);
        }
        account::make(self)?;
        if let Some(audit) = &self.audit {
            let file = audit.join("roles.json");
            fs::write(&file, account::roles(self)?.to_string()).context("writing the account's roles")?;
        }
        let file = self.dir.join("account.kubeconfig");
        let file = account::kubeconfig(self, account::NAMESPACE, account::NAME, file)?;
        Ok(self.account.get_or_init(|| file))
    }

    /// What the controller's account was granted and what it asked for, until now; an error where there is no audit log.
    pub fn rights(&self) -> Result<Rights> {
        Rights::read(self.audit.as_ref().context("this cluster has no audit log")?)
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

    /// Takes the API server away, and nothing else of the control plane: its connections break, and new ones are
    /// refused.
    pub fn take_api_server_away(&self) -> Result<()> {
        self.tell(Signal::USR1)?;
        wait_for("connections to be refused", Duration::from_secs(20), || {
            let refused = TcpStream::connect(self.address()?).is_err();
            Ok(refused.then_some(()))
        })
    }

    /// Brings it back after [`Cluster::take_api_server_away`], and waits until it is ready. It remembers no history: what
    /// is watched from where it broke is answered 410.
    pub fn bring_api_server_back(&self) -> Result<()> {
        self.tell(Signal::USR2)?;
        wait_for("the API server to be ready again", START, || {
            self.kubectl(&["get", "--raw", "/readyz"]).map(Some)
        })?;
        Ok(())
    }

    /// Where the API listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.server.trim_start_matches("https://").parse().context("the API server's address")
    }

    fn tell(&self, signal: Signal) -> Result<()> {
        self.process.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).tell(signal)
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

    /// As [`Cluster::kubectl`], and reads the answer to `-o json`, which it adds. What is waited for often is read without a
    /// process of kubectl.
    pub fn kubectl_json(&self, args: &[&str]) -> Result<Value> {
        match self.reader()?.get(args)? {
            Some(object) => Ok(object),
            None => self.printed_json(args),
        }
    }

    fn printed_json(&self, args: &[&str]) -> Result<Value> {
        let text = self.kubectl(&[args, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {}: no JSON", args.join(" ")))
    }

    fn reader(&self) -> Result<&Reader> {
        if let Some(reader) = self.reader.get() {
            return Ok(reader);
        }
        let reader = Reader::new(&self.printed_json(&["config", "view", "--raw"])?)?;
        Ok(self.reader.get_or_init(|| reader))
    }

    /// How many watches are open at the API server, of anybody.
    pub fn open_watches(&self) -> Result<u64> {
        let page = self.kubectl(&["get", "--raw", "/metrics"])?;
        let is_watch =
            |line: &&str| line.starts_with("apiserver_longrunning_requests{") && line.contains("\"WATCH\"");
        let numbers =
            page.lines().filter(is_watch).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        // Counts, as the API server writes them.
        Ok(numbers.map(|number| number as u64).sum())
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
            self.kubectl_json(&["get", "serviceaccount", "default", "-n", &name]).map(Some)
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

/// A folder for the log, where there is one.
fn audit_dir(log: AuditLog, dir: &WorkDir) -> Result<Option<PathBuf>> {
    let kept = env::var_os(rights::DIRECTORY).map(PathBuf::from);
    let parent = match log {
        AuditLog::None => return Ok(None),
        AuditLog::Own => dir.path().to_owned(),
        AuditLog::OfAllTests => kept.unwrap_or_else(|| dir.path().to_owned()),
    };
    let audit = parent.join(names::unique("audit"));
    fs::create_dir_all(&audit).with_context(|| format!("creating {}", audit.display()))?;
    Ok(Some(audit))
}
