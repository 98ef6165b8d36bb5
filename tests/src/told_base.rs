//! A base whose modules do what a test says: for what no Java base can be brought to.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use testkit::names;

use crate::{
    Scene,
    heartbeat::{Heart, heartbeat},
    seen::text,
};

#[derive(Debug, Default)]
struct State {
    /// `name:version` to its state.
    biz: BTreeMap<String, String>,
    /// Installs and uninstalls so far.
    commands: Vec<String>,
    /// So many uninstalls are refused before one is done.
    refused: usize,
}

/// A base that speaks Arklet's HTTP and has no modules but in name. It listens until the process ends.
#[derive(Debug)]
pub struct ToldBase {
    identity: String,
    state: Arc<Mutex<State>>,
    _heart: Heart,
}

impl ToldBase {
    /// Starts one in a scene that talks HTTP, and has it send heartbeats.
    pub fn start(scene: &Scene) -> Result<Self> {
        let listener = TcpListener::bind((names::loopback_ip(), 0)).context("listening")?;
        let address: SocketAddr = listener.local_addr().context("listening")?;
        let (identity, state) = (names::unique("told"), Arc::<Mutex<State>>::default());
        let heartbeats = vec![heartbeat(&identity, &scene.base_version, address)];
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // Whoever hangs up early does not matter here.
                thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Ok(Self { identity, state, _heart: Heart::beat(&scene.controller.http_tunnel(), heartbeats) })
    }

    /// The Node that stands for it.
    pub fn node(&self) -> String {
        format!("virtual-node-{}", self.identity)
    }

    /// Installs and uninstalls so far, as `installBiz biz1:1.0.0`.
    pub fn commands(&self) -> Vec<String> {
        lock(&self.state).commands.clone()
    }

    /// From now on the module `name:version` is in this state.
    pub fn put(&self, id: &str, state: &str) {
        lock(&self.state).biz.insert(id.to_owned(), state.to_owned());
    }

    /// The next uninstalls fail.
    pub fn refuse_uninstalls(&self, count: usize) {
        lock(&self.state).refused = count;
    }

    /// The modules that it has.
    pub fn biz(&self) -> Vec<String> {
        lock(&self.state).biz.keys().cloned().collect()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// One request; the end of the answer is the end of the connection, as with Arklet.
fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let command = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let answer = answer(command, &serde_json::from_slice(&body).unwrap_or_default(), &mut lock(state));
    write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{answer}")?;
    Ok(())
}

fn answer(command: &str, body: &Value, state: &mut State) -> Value {
    let id = format!("{}:{}", text(body, "/bizName"), text(body, "/bizVersion"));
    match command {
        "queryAllBiz" => json!({"code": "SUCCESS", "data": state.biz.iter().map(entry).collect::<Vec<_>>()}),
        "health" => json!({"code": "SUCCESS", "data": {"healthData": {
            "jvm": {"java max metaspace": -1, "java committed metaspace": 1},
            "masterBizInfo": {"bizName": "base", "bizState": "activated", "bizVersion": "1", "webContextPath": "/"},
        }}}),
        "installBiz" => {
            state.commands.push(format!("{command} {id}"));
            state.biz.insert(id.clone(), "activated".into());
            let there: Vec<Value> = state.biz.iter().filter(|(key, _)| **key == id).map(entry).collect();
            json!({"code": "SUCCESS", "data": {"bizInfos": there, "code": "SUCCESS", "message": "done"}})
        }
        "uninstallBiz" => {
            state.commands.push(format!("{command} {id}"));
            if state.refused > 0 {
                state.refused -= 1;
                return json!({"code": "FAILED", "message": "the module does not let go"});
            }
            state.biz.remove(&id);
            json!({"code": "SUCCESS", "data": {"code": "SUCCESS", "message": "done"}})
        }
        _ => json!({"code": "CMD_NOT_FOUND"}),
    }
}

fn entry((id, state): (&String, &String)) -> Value {
    let (name, version) = id.split_once(':').unwrap_or((id, ""));
    json!({"bizName": name, "bizVersion": version, "bizState": state, "webContextPath": name})
}
