//! A real WebAssembly base: the program of `base/`.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::java_base::MqttAccess;
use crate::process::{Process, Tie};
use crate::work_dir::WorkDir;
use crate::{artifacts, names};

/// It listens within milliseconds; this allows for a machine that is busy.
const START: Duration = Duration::from_secs(30);

/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(60);

/// What a base says of itself, and where to.
#[derive(Clone, Debug)]
pub struct WasmBaseOptions {
    /// What it is known by.
    pub identity: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its address, at which its modules and Arklet answer. Best one of its own.
    pub local_ip: Ipv4Addr,
    /// Where it sends its HTTP heartbeats (`http://host:port`, without `/heartbeat`).
    pub http_tunnel: Option<String>,
    /// The broker it connects to.
    pub mqtt: Option<MqttAccess>,
    /// The environment in its MQTT topics.
    pub env: String,
    /// Between two heartbeats.
    pub heartbeat: Duration,
    /// Further properties.
    pub properties: Vec<(String, String)>,
}

impl Default for WasmBaseOptions {
    fn default() -> Self {
        Self {
            identity: names::unique("wasm"),
            name: "base".to_owned(),
            version: "1.0.0".to_owned(),
            local_ip: names::loopback_ip(),
            http_tunnel: None,
            mqtt: None,
            env: "default".to_owned(),
            heartbeat: Duration::from_secs(2),
            properties: Vec::new(),
        }
    }
}

/// A base. It keeps its identity, address and ports when it is started again. Dropping it kills it.
#[derive(Debug)]
pub struct WasmBase {
    options: WasmBaseOptions,
    process: Option<Process>,
    web_port: u16,
    arklet_port: u16,
    dir: WorkDir,
}

impl WasmBase {
    /// Starts one and waits until its Arklet answers.
    pub fn start(options: WasmBaseOptions) -> Result<Self> {
        let mut base = Self {
            web_port: names::free_port()?,
            arklet_port: names::free_port()?,
            dir: WorkDir::new(&options.identity)?,
            process: None,
            options,
        };
        base.start_again()?;
        Ok(base)
    }

    /// Starts it again after [`WasmBase::stop`] or [`WasmBase::kill`].
    pub fn start_again(&mut self) -> Result<()> {
        let mut command = Command::new(artifacts::wasm_base()?.program());
        command
            .arg("run")
            .args(self.properties().into_iter().map(|(name, value)| format!("--{name}={value}")))
            .current_dir(self.dir.path());
        let mut process = Process::spawn("the base", command, &self.dir.join("base.log"), Tie::Guard)?;
        let url = self.arklet_url("/queryAllBiz");
        process.wait_for("the base's Arklet to answer", START, || {
            http::post(&url, &json!({}), Duration::from_secs(2)).map(Some)
        })?;
        self.process = Some(process);
        Ok(())
    }

    fn properties(&self) -> Vec<(String, String)> {
        let o = &self.options;
        let mut all: Vec<(String, String)> = [
            ("spring.application.name", o.name.clone()),
            ("base.identity", o.identity.clone()),
            ("base.version", o.version.clone()),
            ("base.host-name", o.identity.clone()),
            ("base.data", self.dir.join("data").display().to_string()),
            ("base.heartbeat-ms", o.heartbeat.as_millis().to_string()),
            ("server.address", o.local_ip.to_string()),
            ("server.port", self.web_port.to_string()),
            ("koupleless.arklet.http.port", self.arklet_port.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if let Some(url) = &o.http_tunnel {
            all.push(("koupleless.arklet.http.heartbeat.endpoint".to_owned(), url.clone()));
        }
        if let Some(mqtt) = &o.mqtt {
            let mut set = |name: &str, value: &str| {
                all.push((format!("koupleless.arklet.mqtt.{name}"), value.to_owned()));
            };
            let (_, address) = mqtt.url.split_once("://").unwrap_or(("", &mqtt.url));
            let (host, port) = address.rsplit_once(':').unwrap_or((address, "1883"));
            set("enable", "true");
            set("broker", host);
            set("port", port);
            if let Some((user, password)) = &mqtt.user {
                set("username", user);
                set("password", password);
            }
            if let Some(ca) = &mqtt.ca {
                set("ca_path", &ca.display().to_string());
            }
            if let Some(own) = &mqtt.certificate {
                set("client_crt_path", &own.cert.display().to_string());
                set("client_key_path", &own.key.display().to_string());
            }
            all.push(("base.env".to_owned(), o.env.clone()));
        }
        all.extend(o.properties.iter().cloned());
        all
    }

    /// Its identity.
    pub fn identity(&self) -> &str {
        &self.options.identity
    }

    /// The name of its Node.
    pub fn node(&self) -> String {
        format!("virtual-node-{}", self.options.identity)
    }

    /// Its address.
    pub fn ip(&self) -> Ipv4Addr {
        self.options.local_ip
    }

    /// A path on Arklet's port.
    pub fn arklet_url(&self, path: &str) -> String {
        format!("http://{}:{}{path}", self.ip(), self.arklet_port)
    }

    /// The port of its modules and its actuator.
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

    /// Its modules, sorted: `name:version state`.
    pub fn biz(&self) -> Result<Vec<String>> {
        let url = self.arklet_url("/queryAllBiz");
        let answer = http::post(&url, &json!({}), COMMAND)?.json()?;
        let list =
            answer.get("data").and_then(Value::as_array).with_context(|| format!("no list: {answer}"))?;
        let text =
            |biz: &Value, key: &str| biz.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut all: Vec<String> = list
            .iter()
            .map(|biz| {
                format!("{}:{} {}", text(biz, "bizName"), text(biz, "bizVersion"), text(biz, "bizState"))
            })
            .collect();
        all.sort();
        Ok(all)
    }

    /// Stops it (SIGTERM): it says goodbye.
    pub fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the base does not run")?;
        let status = process.stop(Duration::from_secs(20))?;
        ensure!(status.success(), "the base ended with {status}: {}", process.log_tail(10));
        Ok(())
    }

    /// Kills it (SIGKILL), as a machine that fails does.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the base does not run")?.kill().map(drop)
    }
}
