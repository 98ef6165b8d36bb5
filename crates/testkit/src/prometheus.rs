//! A Prometheus of one's own, and its tool that checks rules.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::process::{Process, Tie};
use crate::work_dir::WorkDir;
use crate::{artifacts, http, names};

/// It is there within a second; this allows for a busy machine.
const START: Duration = Duration::from_secs(60);

const LIMIT: Duration = Duration::from_secs(5);

/// A Prometheus on a port of its own on 127.0.0.1 that looks at its targets, and at its rules, every second.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    port: u16,
    _dir: WorkDir,
}

/// By which user and password a guarded one knows who may ask.
pub const LOGIN: &str = "koupleless:open sesame";

/// The same, as Prometheus is told it: a password as bcrypt keeps it.
const USER: (&str, &str) = ("koupleless", "$2b$05$koupleless.koupleless.5h/fACvWhbkPe5JsyGAFRMhUd7aSiBi");

impl Prometheus {
    /// Starts one that scrapes `targets` (`host:port`) under the job `job` and evaluates the rule file `rules`, and waits until
    /// it is ready.
    pub fn start(job: &str, targets: &[String], rules: &str) -> Result<Self> {
        Self::run(job, targets, rules, false)
    }

    /// Starts one that scrapes nothing, and answers nobody but with [`LOGIN`].
    pub fn guarded() -> Result<Self> {
        Self::run("none", &[], "", true)
    }

    fn run(job: &str, targets: &[String], rules: &str, is_guarded: bool) -> Result<Self> {
        let program = artifacts::prometheus()?;
        let (dir, port) = (WorkDir::new("prometheus")?, names::free_port()?);
        // JSON is YAML.
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": targets}]}],
        });
        let file = dir.join("prometheus.yml");
        fs::write(&file, config.to_string()).context("writing the configuration of Prometheus")?;
        fs::write(dir.join("rules.yaml"), rules).context("writing the rules of Prometheus")?;
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={}:{port}", Ipv4Addr::LOCALHOST));
        if is_guarded {
            let (user, password) = USER;
            let file = dir.join("web.yml");
            fs::write(&file, json!({"basic_auth_users": {user: password}}).to_string())
                .context("writing who may ask Prometheus")?;
            command.arg(format!("--web.config.file={}", file.display()));
        }
        let mut process = Process::spawn("prometheus", command, &dir.join("prometheus.log"), Tie::Guard)?;
        let ready = format!("http://127.0.0.1:{port}/-/ready");
        process.wait_for("Prometheus to be ready", START, || {
            let answer = http::get(&ready, LIMIT)?;
            // It asks for a login before anything else.
            let ready = if is_guarded { 401 } else { 200 };
            ensure!(answer.status == ready, "/-/ready: {} {}", answer.status, answer.body.trim());
            Ok(Some(()))
        })?;
        Ok(Self { process, port, _dir: dir })
    }

    /// Where it answers queries.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The alerts that are firing, or pending.
    pub fn alerts(&mut self) -> Result<Vec<Value>> {
        self.list("alerts", "alerts")
    }

    /// The targets, with how the last scrape of each went.
    pub fn targets(&mut self) -> Result<Vec<Value>> {
        self.list("targets", "activeTargets")
    }

    /// The groups of rules, with how each rule's last evaluation went.
    pub fn rules(&mut self) -> Result<Vec<Value>> {
        self.list("rules", "groups")
    }

    fn list(&mut self, page: &str, of: &str) -> Result<Vec<Value>> {
        self.process.ensure_running()?;
        let answer = http::get(&format!("http://127.0.0.1:{}/api/v1/{page}", self.port), LIMIT)?.json()?;
        let list = answer.pointer(&format!("/data/{of}")).and_then(Value::as_array).cloned();
        list.with_context(|| format!("no {of} in {answer}"))
    }
}

/// Runs promtool in a directory and gives what it said; an error where it fails.
pub fn promtool(dir: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(artifacts::promtool()?)
        .args(arguments)
        .current_dir(dir)
        .output()
        .context("running promtool")?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "promtool {} failed:\n{said}", arguments.join(" "));
    Ok(said)
}
