//! What a base asks of a controller over HTTP: its baseline, and to be heard.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

/// A controller that says what it is told to.
pub(crate) struct Controller {
    address: SocketAddr,
    said: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said {
    /// None is a controller that does not know it yet.
    baseline: Option<Value>,
    asked: usize,
    /// It is away: nobody gets an answer.
    is_away: bool,
    unanswered: usize,
    heartbeats: Vec<Value>,
}

impl Controller {
    pub(crate) fn start(baseline: Option<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let said = Arc::new(Mutex::new(Said { baseline, ..Said::default() }));
        let shared = said.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || while answer(&stream, &shared).is_some() {});
            }
        });
        Self { address, said }
    }

    /// The property that has a base talk to it.
    pub(crate) fn property(&self) -> String {
        format!("--koupleless.arklet.http.heartbeat.endpoint=http://{}", self.address)
    }

    pub(crate) fn set_baseline(&self, baseline: Value) {
        self.said.lock().unwrap().baseline = Some(baseline);
    }

    /// How often it was asked for a baseline.
    pub(crate) fn asked(&self) -> usize {
        self.said.lock().unwrap().asked
    }

    /// Has it be away, or back.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.said.lock().unwrap().is_away = is_away;
    }

    /// How often somebody spoke to it while it was away.
    pub(crate) fn unanswered(&self) -> usize {
        self.said.lock().unwrap().unanswered
    }

    pub(crate) fn heartbeats(&self) -> Vec<Value> {
        self.said.lock().unwrap().heartbeats.clone()
    }
}

/// One request of a connection; none where it ended.
fn answer(mut stream: &TcpStream, said: &Mutex<Said>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((_, value)) =
            line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut said = said.lock().unwrap();
    if said.is_away {
        said.unanswered += 1;
        return None;
    }
    let (status, answer) = if first.contains("/queryBaseline") {
        said.asked += 1;
        match &said.baseline {
            Some(baseline) => ("200 OK", baseline.to_string()),
            None => ("503 Service Unavailable", String::new()),
        }
    } else {
        said.heartbeats.push(serde_json::from_slice(&body).unwrap());
        ("200 OK", String::new())
    };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len()).ok()
}
