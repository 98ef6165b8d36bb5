//! Bases that are nothing but answers over HTTP, for tests that need many.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::{http, names};

use crate::heartbeat::{Heart, heartbeat};

/// How long a request or an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A base: Arklet's commands on a port of its own, a heartbeat each second. Dropped, it is silent.
#[derive(Debug)]
pub struct Simulated {
    identity: String,
    heartbeat: Value,
    tunnel: String,
    heart: Option<Heart>,
    arklet: Arc<Arklet>,
}

#[derive(Debug, Default)]
struct Arklet {
    /// Version by name.
    biz: Mutex<BTreeMap<String, String>>,
    /// The commands that came, `installBiz biz1:1.0.0`.
    commands: Mutex<Vec<String>>,
    /// How many other requests came.
    questions: AtomicUsize,
    silent: AtomicBool,
}

impl Simulated {
    /// One named `base` of this version, heard by a tunnel (`http://host:port`).
    pub fn start(tunnel: &str, version: &str) -> Result<Self> {
        let (address, arklet) = Arklet::start()?;
        Ok(Self::heard(&names::unique("simulated"), tunnel, version, address, arklet))
    }

    /// As [`Simulated::start`], but first it asks for its baseline and has all of it.
    pub fn play_back(tunnel: &str, version: &str) -> Result<Self> {
        let (identity, (address, arklet)) = (names::unique("simulated"), Arklet::start()?);
        let query =
            json!({"identity": identity, "name": "base", "version": version, "clusterName": "default"});
        let answer = http::post(&format!("{tunnel}/queryBaseline"), &query, LIMIT)?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
        let baseline: Vec<Value> = serde_json::from_str(&answer.body).context("the baseline")?;
        for module in baseline {
            let word = |key: &str| module[key].as_str().unwrap_or_default().to_owned();
            arklet.biz().insert(word("bizName"), word("bizVersion"));
        }
        Ok(Self::heard(&identity, tunnel, version, address, arklet))
    }

    fn heard(identity: &str, tunnel: &str, version: &str, address: SocketAddr, arklet: Arc<Arklet>) -> Self {
        let identity = identity.to_owned();
        let heartbeat = heartbeat(&identity, version, address);
        let heart = Heart::beat(tunnel, vec![heartbeat.clone()]);
        Self { identity, heartbeat, tunnel: tunnel.to_owned(), heart: Some(heart), arklet }
    }

    /// The name of its Node.
    pub fn node(&self) -> String {
        format!("virtual-node-{}", self.identity)
    }

    /// Its identity.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The commands about biz that came so far, `installBiz biz1:1.0.0`.
    pub fn commands(&self) -> Vec<String> {
        self.arklet.commands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has, version by name.
    pub fn biz(&self) -> BTreeMap<String, String> {
        self.arklet.biz().clone()
    }

    /// Neither heard any more nor answering.
    pub fn fall_silent(&mut self) {
        self.heart = None;
        self.arklet.silent.store(true, Ordering::Relaxed);
    }

    /// How often it was asked for what it has, and how it is.
    pub fn questions(&self) -> usize {
        self.arklet.questions.load(Ordering::Relaxed)
    }

    /// Its last word.
    pub fn say_goodbye(&mut self) -> Result<()> {
        let tunnel = self.tunnel.clone();
        self.say_goodbye_to(&tunnel)
    }

    /// Its last word, to this tunnel.
    pub fn say_goodbye_to(&mut self, tunnel: &str) -> Result<()> {
        self.heart = None;
        let mut goodbye = self.heartbeat.clone();
        if let Some(goodbye) = goodbye.as_object_mut() {
            goodbye.insert("state".into(), json!("deactivated"));
        }
        let answer = http::post(&format!("{tunnel}/heartbeat"), &goodbye, LIMIT)?;
        ensure!(answer.status == 200, "a goodbye: {} {}", answer.status, answer.body);
        Ok(())
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.fall_silent();
    }
}

impl Arklet {
    /// Begins to serve on a port of its own.
    fn start() -> Result<(SocketAddr, Arc<Self>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
        let address = listener.local_addr().context("listening")?;
        let arklet = Arc::<Self>::default();
        let served = arklet.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who breaks off has its reason.
                let _ = served.serve(stream);
            }
        });
        Ok((address, arklet))
    }

    fn biz(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.biz.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(LIMIT))?;
        let (command, body) = request(&mut stream)?;
        if self.silent.load(Ordering::Relaxed) {
            return Ok(());
        }
        let data = self.answer(&command, &body);
        let answer = json!({"code": "SUCCESS", "data": data});
        // As a Java base: no length, the end is the end.
        stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{answer}").as_bytes())?;
        Ok(())
    }

    fn answer(&self, command: &str, body: &Value) -> Value {
        let word = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let (name, version) = (word("bizName"), word("bizVersion"));
        let state = |name: &str, version: &str| json!({"bizName": name, "bizVersion": version, "bizState": "activated"});
        if !name.is_empty() {
            let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
            commands.push(format!("{command} {name}:{version}"));
        } else {
            self.questions.fetch_add(1, Ordering::Relaxed);
        }
        match command {
            "queryAllBiz" => self.biz().iter().map(|(name, version)| state(name, version)).collect(),
            "installBiz" => {
                self.biz().insert(name.clone(), version.clone());
                json!({"code": "SUCCESS", "message": "", "bizInfos": [state(&name, &version)]})
            }
            "uninstallBiz" => {
                self.biz().remove(&name);
                json!({"code": "SUCCESS", "message": ""})
            }
            _ => json!({"healthData": {
                "jvm": {"java max metaspace": -1, "java committed metaspace": 1},
                "masterBizInfo": state("base", "1"),
            }}),
        }
    }
}

/// The command of the path, and the body.
fn request(stream: &mut TcpStream) -> Result<(String, Value)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
                return Ok((path.to_owned(), serde_json::from_str(body).unwrap_or_default()));
            }
        }
        let mut more = [0; 4096];
        let read = stream.read(&mut more).context("reading a request")?;
        ensure!(read > 0, "the request broke off");
        bytes.extend(more.iter().take(read));
    }
}
