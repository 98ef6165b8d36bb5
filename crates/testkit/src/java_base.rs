//! A real Java base: Spring Boot, SOFAArk, Arklet, and the two tunnels.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::broker::{Broker, Certificate};
use crate::http::{self, Answer};
use crate::process::{Process, Tie};
use crate::work_dir::WorkDir;
use crate::{artifacts, cache, names, turns};

/// A start takes 4 to 5 s on two free cores; this allows for a dozen that start at once.
const START: Duration = Duration::from_secs(120);

/// An install takes about 1 s, but one of the module `slow` takes as long as it is told to.
const COMMAND: Duration = Duration::from_secs(60);

/// How a base reaches an MQTT broker.
#[derive(Clone, Debug, Default)]
pub struct MqttAccess {
    /// `tcp://host:port` or `ssl://host:port`.
    pub url: String,
    /// User and password.
    pub user: Option<(String, String)>,
    /// The CA to trust (PEM). Needed for `ssl://`.
    pub ca: Option<PathBuf>,
    /// Its own certificate.
    pub certificate: Option<Certificate>,
}

impl From<&Broker> for MqttAccess {
    /// The broker's address and CA; no user, no certificate.
    fn from(broker: &Broker) -> Self {
        Self { url: broker.url(), ca: broker.ca().map(PathBuf::from), ..Self::default() }
    }
}

/// What a base says of itself, and where to.
#[derive(Clone, Debug)]
pub struct JavaBaseOptions {
    /// What it is known by; may be an IP.
    pub identity: String,
    /// Its name; upstream bases may say `TO_BE_IMPLEMENTED`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The cluster's name in its metadata.
    pub cluster: String,
    /// The environment in its MQTT topics.
    pub env: String,
    /// Its address, on which Tomcat and Arklet answer. Best one of its own.
    pub local_ip: Ipv4Addr,
    /// Its host name.
    pub hostname: String,
    /// Where it sends its HTTP heartbeats (`http://host:port`, without `/heartbeat`).
    pub http_tunnel: Option<String>,
    /// The broker it connects to.
    pub mqtt: Option<MqttAccess>,
    /// Between two heartbeats, over either tunnel. Upstream: 12 s over HTTP and 10 s over MQTT.
    pub heartbeat: Duration,
    /// Sends a last heartbeat with the state `deactivated` when told to stop.
    pub goodbye: bool,
    /// The most heap the JVM takes.
    pub heap_mib: u32,
    /// Further system properties.
    pub properties: Vec<(String, String)>,
}

impl Default for JavaBaseOptions {
    fn default() -> Self {
        Self {
            identity: names::unique("base"),
            name: "base".to_owned(),
            version: "1.0.0".to_owned(),
            cluster: "default".to_owned(),
            env: "default".to_owned(),
            local_ip: names::loopback_ip(),
            hostname: "test-host".to_owned(),
            http_tunnel: None,
            mqtt: None,
            heartbeat: Duration::from_secs(2),
            goodbye: true,
            heap_mib: 256,
            properties: Vec::new(),
        }
    }
}

/// A module as the base itself lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstalledBiz {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its state, in lower case.
    pub state: String,
    /// Its web context path.
    pub web_context_path: String,
}

/// A base. It keeps its identity, address and ports when it is started again. Dropping it kills it.
#[derive(Debug)]
pub struct JavaBase {
    options: JavaBaseOptions,
    process: Option<Process>,
    java: artifacts::Java,
    web_port: u16,
    arklet_port: u16,
    dir: WorkDir,
}

impl JavaBase {
    /// Starts one and waits until its Arklet answers.
    pub fn start(options: JavaBaseOptions) -> Result<Self> {
        class_archive()?;
        let mut base = Self::new(options)?;
        base.start_again()?;
        Ok(base)
    }

    /// Starts several, as many side by side as there are processors, and waits for all.
    pub fn start_all(options: Vec<JavaBaseOptions>) -> Result<Vec<Self>> {
        class_archive()?;
        let mut bases = options.into_iter().map(Self::new).collect::<Result<Vec<_>>>()?;
        for some in bases.chunks_mut(turns::all()) {
            let _turns = turns::take(some.len());
            for base in &mut *some {
                base.spawn(&[])?;
            }
            for base in some {
                base.wait_until_up()?;
            }
        }
        Ok(bases)
    }

    fn new(options: JavaBaseOptions) -> Result<Self> {
        Ok(Self {
            java: artifacts::java()?,
            web_port: names::free_port()?,
            arklet_port: names::free_port()?,
            dir: WorkDir::new(&format!("java-{}", options.identity))?,
            process: None,
            options,
        })
    }

    /// What it was started with.
    pub fn options(&self) -> &JavaBaseOptions {
        &self.options
    }

    /// What it will say of itself when it is started again.
    pub fn options_mut(&mut self) -> &mut JavaBaseOptions {
        &mut self.options
    }

    /// Its identity.
    pub fn identity(&self) -> &str {
        &self.options.identity
    }

    /// Its address.
    pub fn ip(&self) -> Ipv4Addr {
        self.options.local_ip
    }

    /// The port of its Arklet.
    pub fn arklet_port(&self) -> u16 {
        self.arklet_port
    }

    /// The port of its Tomcat.
    pub fn web_port(&self) -> u16 {
        self.web_port
    }

    /// Everything it has logged since it was first started.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("base.log")).unwrap_or_default()
    }

    /// `GET path` of its web port, for example `/biz1/who` or `/actuator/health`.
    pub fn http_get(&self, path: &str) -> Result<Answer> {
        http::get(&format!("http://{}:{}{path}", self.ip(), self.web_port), Duration::from_secs(10))
    }

    /// The version of the module that answers at `/<web context path>/who`; none when nothing answers there.
    pub fn serving(&self, web_context_path: &str) -> Result<Option<String>> {
        let answer = self.http_get(&format!("/{web_context_path}/who"))?;
        if answer.status != 200 {
            return Ok(None);
        }
        Ok(answer.json()?.get("version").and_then(Value::as_str).map(str::to_owned))
    }

    /// Sends a command straight to its Arklet and gives the answer.
    pub fn arklet(&self, command: &str, body: &Value) -> Result<Value> {
        let url = format!("http://{}:{}/{command}", self.ip(), self.arklet_port);
        http::post(&url, body, COMMAND)?.json()
    }

    /// The modules it has, sorted: Arklet's `queryAllBiz`.
    pub fn query_all_biz(&self) -> Result<Vec<InstalledBiz>> {
        let answer = self.arklet("queryAllBiz", &json!({}))?;
        let list =
            answer.get("data").and_then(Value::as_array).with_context(|| format!("no list: {answer}"))?;
        let text =
            |biz: &Value, key: &str| biz.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut all: Vec<_> = list
            .iter()
            .map(|biz| InstalledBiz {
                name: text(biz, "bizName"),
                version: text(biz, "bizVersion"),
                state: text(biz, "bizState").to_lowercase(),
                web_context_path: text(biz, "webContextPath"),
            })
            .collect();
        all.sort();
        Ok(all)
    }

    /// Installs one of our packages past the controller; an error unless the base says SUCCESS.
    pub fn install(&self, name: &str, version: &str) -> Result<()> {
        let url = format!("file://{}", self.java.package(name, version)?.display());
        let body = json!({"bizName": name, "bizVersion": version, "bizUrl": url});
        self.succeed("installBiz", &body)
    }

    /// Uninstalls a module past the controller; an error unless the base says SUCCESS.
    pub fn uninstall(&self, name: &str, version: &str) -> Result<()> {
        self.succeed("uninstallBiz", &json!({"bizName": name, "bizVersion": version}))
    }

    fn succeed(&self, command: &str, body: &Value) -> Result<()> {
        let answer = self.arklet(command, body)?;
        let code = answer.get("code").and_then(Value::as_str).unwrap_or_default();
        ensure!(code == "SUCCESS", "{command} {body}: {answer}");
        Ok(())
    }

    /// Stops it (SIGTERM, with a goodbye if it is set so).
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.stop(Duration::from_secs(15)).map(drop),
            None => Ok(()),
        }
    }

    /// Kills it: no goodbye.
    pub fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill().map(drop),
            None => Ok(()),
        }
    }

    /// Freezes it: no heartbeats, no answers, connections stay.
    pub fn pause(&mut self) -> Result<()> {
        self.process.as_mut().context("the base does not run")?.pause()
    }

    /// Lets it go on after [`JavaBase::pause`].
    pub fn resume(&mut self) -> Result<()> {
        self.process.as_mut().context("the base does not run")?.resume()
    }

    /// Starts it again, with the same identity, address and ports, and no module.
    pub fn start_again(&mut self) -> Result<()> {
        let _turn = turns::take(1);
        self.spawn(&[])?;
        self.wait_until_up()
    }

    fn spawn(&mut self, jvm_args: &[String]) -> Result<()> {
        ensure!(self.process.is_none(), "the base {} runs already", self.options.identity);
        let mut command = Command::new(artifacts::java_program()?);
        // Quick to start and small: the first compiler only, no parallel collector, classes from the shared archive.
        command
            .arg(format!("-Xmx{}m", self.options.heap_mib))
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xlog:cds=off"])
            .args(["-Xlog:cds+dynamic=off", "-Xlog:class+path=off"]);
        if jvm_args.is_empty() {
            command.arg(format!("-XX:SharedArchiveFile={}", self.java.class_archive().display()));
        }
        command
            .args(jvm_args)
            .args(self.properties().into_iter().map(|(key, value)| format!("-D{key}={value}")))
            .arg("-cp")
            .arg(self.java.class_path())
            .arg("modulecontroller.base.BaseApp")
            .current_dir(self.dir.path());
        let name = format!("base {}", self.options.identity);
        self.process = Some(Process::spawn(&name, command, &self.dir.join("base.log"), Tie::Guard)?);
        Ok(())
    }

    fn properties(&self) -> Vec<(String, String)> {
        let o = &self.options;
        let heartbeat_ms = o.heartbeat.as_millis().to_string();
        let mut all: Vec<(String, String)> = [
            ("server.address", o.local_ip.to_string()),
            ("server.port", self.web_port.to_string()),
            ("koupleless.arklet.http.port", self.arklet_port.to_string()),
            // One port for all bases of a machine (1234), and nobody needs it.
            ("sofa.ark.telnet.server.enable", "false".to_owned()),
            // Unpacked modules, Tomcat's work and SOFAArk's logs go with the base.
            ("java.io.tmpdir", self.dir.path().display().to_string()),
            ("logging.path", self.dir.path().display().to_string()),
            ("base.identity", o.identity.clone()),
            ("base.name", o.name.clone()),
            ("base.version", o.version.clone()),
            ("base.cluster", o.cluster.clone()),
            ("base.env", o.env.clone()),
            ("base.localip", o.local_ip.to_string()),
            ("base.hostname", o.hostname.clone()),
            ("base.heartbeat.http.ms", heartbeat_ms.clone()),
            ("base.heartbeat.mqtt.ms", heartbeat_ms),
            ("base.goodbye", o.goodbye.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        let mut set = |key: &str, value: &str| all.push((key.to_owned(), value.to_owned()));
        if let Some(url) = &o.http_tunnel {
            set("base.heartbeat.http", url);
        }
        if let Some(mqtt) = &o.mqtt {
            set("base.mqtt", &mqtt.url);
            if let Some((user, password)) = &mqtt.user {
                set("base.mqtt.user", user);
                set("base.mqtt.password", password);
            }
            if let Some(ca) = &mqtt.ca {
                set("base.mqtt.ca", &ca.display().to_string());
            }
            if let Some(own) = &mqtt.certificate {
                set("base.mqtt.cert", &own.cert.display().to_string());
                set("base.mqtt.key", &own.key.display().to_string());
            }
        }
        all.extend(o.properties.iter().cloned());
        all
    }

    /// Tomcat answers some time before Arklet does, so Arklet is the one to ask.
    fn wait_until_up(&mut self) -> Result<()> {
        let url = format!("http://{}:{}/queryAllBiz", self.ip(), self.arklet_port);
        let process = self.process.as_mut().context("the base does not run")?;
        process.wait_for("the base's Arklet to answer", START, || {
            http::post(&url, &json!({}), Duration::from_secs(2)).map(Some)
        })?;
        Ok(())
    }
}

/// Makes, once, the archive of the classes that a base loads, which takes a second off every later start: a base that
/// runs through an install and writes the archive when it stops.
pub(crate) fn class_archive() -> Result<()> {
    let java = artifacts::java()?;
    let archive = java.class_archive();
    if archive.is_file() {
        return Ok(());
    }
    let _lock = cache::lock(&cache::root()?, "java")?;
    if archive.is_file() {
        return Ok(());
    }
    eprintln!("testkit: starting a base to archive its classes (some 10 s, once)");
    let new = archive.with_extension("new");
    let mut base = JavaBase::new(JavaBaseOptions::default())?;
    base.spawn(&[format!("-XX:ArchiveClassesAtExit={}", new.display())])?;
    base.wait_until_up()?;
    base.install("biz1", "1.0.0")?;
    let mut process = base.process.take().context("the base does not run")?;
    process.stop(Duration::from_secs(60))?;
    std::fs::rename(&new, &archive)
        .with_context(|| format!("no class archive was written: {}", process.log_tail(10)))
}
