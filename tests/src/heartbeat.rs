//! Heartbeats and other requests to the HTTP tunnel that no base sends.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use testkit::http;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Between two heartbeats.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// A heartbeat as a Java base sends it.
pub fn heartbeat(identity: &str, version: &str, address: SocketAddr) -> Value {
    json!({
        "baseMetadata": {"identity": identity, "name": "base", "version": version, "clusterName": "default"},
        "localHostName": "test-host",
        "localIP": address.ip().to_string(),
        "port": address.port(),
        "state": "activated",
    })
}

/// Sends heartbeats until it is dropped.
#[derive(Debug)]
pub struct Heart {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    /// Begins to send all of these to a tunnel (`http://host:port`), once a second.
    pub fn beat(tunnel: &str, heartbeats: Vec<Value>) -> Self {
        let voices = heartbeats.into_iter().map(|heartbeat| move |say: &dyn Fn(&Value)| say(&heartbeat));
        Self::take_turns(tunnel, PERIOD, voices.collect())
    }

    /// Begins to let each of these say something to a tunnel, one after the other: each once in `period`.
    pub(crate) fn take_turns<Voice>(tunnel: &str, period: Duration, voices: Vec<Voice>) -> Self
    where
        Voice: Fn(&dyn Fn(&Value)) + Send + 'static,
    {
        let url = format!("{tunnel}/heartbeat");
        let (stop, stopped) = mpsc::channel();
        let pause = period / u32::try_from(voices.len()).unwrap_or(u32::MAX).max(1);
        let thread = thread::spawn(move || {
            let mut due = Instant::now();
            for voice in voices.iter().cycle() {
                voice(&|heartbeat| {
                    // A controller that is away for a moment hears the next one.
                    let _ = http::post(&url, heartbeat, LIMIT);
                });
                due = (due + pause).max(Instant::now());
                let left = due.saturating_duration_since(Instant::now());
                if stopped.recv_timeout(left) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A base that takes every connection and never says a word. It is there until the process ends.
#[derive(Debug)]
pub struct SilentBase {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
}

impl SilentBase {
    /// Begins to listen on a port of its own on 127.0.0.1.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
        let address = listener.local_addr().context("listening")?;
        let taken = Arc::<AtomicUsize>::default();
        let counter = taken.clone();
        thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                held.push(stream);
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Self { address, taken })
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A base whose every answer is a list of so many bytes. It is there until the process ends.
#[derive(Debug)]
pub struct LargeBase {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl LargeBase {
    /// Begins to listen on a port of its own on 127.0.0.1.
    pub fn start(bytes: usize) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
        let address = listener.local_addr().context("listening")?;
        let asked = Arc::<AtomicUsize>::default();
        let counter = asked.clone();
        let biz = r#"{"bizName":"biz","bizVersion":"1","bizState":"activated"},"#;
        let text = format!(
            "HTTP/1.1 200 OK\r\n\r\n{{\"code\":\"SUCCESS\",\"data\":[{}",
            biz.repeat(bytes / biz.len())
        );
        let answer = Arc::new(text.into_bytes());
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::Relaxed);
                let answer = answer.clone();
                // Whoever hangs up early has its reason.
                thread::spawn(move || {
                    let _ = stream.read(&mut [0; 4096]);
                    let _ = stream.write_all(&answer);
                });
            }
        });
        Ok(Self { address, asked })
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often it was asked something.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Sends these bytes to the tunnel (`http://host:port`) and gives what it answers until it closes.
pub fn raw(tunnel: &str, request: &[u8]) -> Result<String> {
    let address = tunnel.strip_prefix("http://").context("a tunnel's URL")?;
    let mut stream = connect(address)?;
    // Who refuses a large body may answer and close before all of it was written.
    let written = stream.write_all(request);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(_) if !answer.is_empty() => {}
        Err(error) => return Err(error).context(format!("reading the answer (writing: {written:?})")),
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Sends these bytes to a port of 127.0.0.1 and waits for nothing.
pub fn shout(port: u16, bytes: &[u8]) -> Result<()> {
    connect((Ipv4Addr::LOCALHOST, port))?.write_all(bytes).context("shouting")
}

fn connect(address: impl ToSocketAddrs) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).context("connecting")?;
    stream.set_read_timeout(Some(LIMIT)).context("setting a deadline")?;
    stream.set_write_timeout(Some(LIMIT)).context("setting a deadline")?;
    Ok(stream)
}
