//! The kubelet of a machine, as far as a log is read there: the part of an ordinary Node that `pods/log` needs.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::routing::get;
use futures::stream;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::tls::{SelfSigned, TlsListener};

/// A kubelet on a port of its own on 127.0.0.1, each container of which has the same log. Dropping it stops it.
#[derive(Debug)]
pub struct Machine {
    address: SocketAddr,
    log: Arc<Log>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Lines with the second at which they were written, beginning with 0.
#[derive(Debug)]
struct Log {
    lines: Mutex<Vec<String>>,
    changes: watch::Sender<usize>,
}

impl Log {
    /// From the line of a number on: as they stand in a log with times, a second apart.
    fn from(&self, first: usize) -> Vec<(String, String)> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let dated = |(number, line): (usize, &String)| {
            let (minute, second) = (number / 60, number % 60);
            (format!("2026-01-01T00:{minute:02}:{second:02}Z"), line.clone())
        };
        lines.iter().enumerate().map(dated).skip(first).collect()
    }
}

impl Machine {
    /// Starts one with nothing in its log.
    pub fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("starting a machine")?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("starting a machine")?;
        listener.set_nonblocking(true).context("starting a machine")?;
        let address = listener.local_addr().context("starting a machine")?;
        let log = Arc::new(Log { lines: Mutex::default(), changes: watch::Sender::new(0) });
        let router = Router::new()
            .route("/containerLogs/{namespace}/{pod}/{container}", get(read))
            .with_state(Arc::clone(&log));
        let acceptor = SelfSigned::new()?.acceptor()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            runtime.block_on(async {
                let serve = async {
                    let listener = TcpListener::from_std(listener)?;
                    axum::serve(TlsListener { listener, acceptor }, router).await
                };
                tokio::select! {
                    served = serve => drop(served),
                    _ = stopped => {}
                }
            });
        };
        let thread = thread::Builder::new().name("machine".to_owned()).spawn(work);
        let thread = thread.context("starting a machine")?;
        Ok(Self { address, log, stop: Some(stop), thread: Some(thread) })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Adds a line to the log of every container.
    pub fn print(&self, line: &str) {
        let mut lines = self.log.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.to_owned());
        self.log.changes.send_replace(lines.len());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn read(State(log): State<Arc<Log>>, Query(asked): Query<HashMap<String, String>>) -> Body {
    let is = |name: &str| asked.get(name).is_some_and(|value| value == "true");
    let (timestamps, follow) = (is("timestamps"), is("follow"));
    let since = asked.get("sinceTime").cloned().unwrap_or_default();
    let shown = move |lines: Vec<(String, String)>| {
        let mut text = String::new();
        for (at, line) in lines.into_iter().filter(|(at, _)| *at >= since) {
            let at = if timestamps { format!("{at} ") } else { String::new() };
            text.push_str(&format!("{at}{line}\n"));
        }
        text
    };
    let all = log.from(0);
    let tail = asked.get("tailLines").and_then(|lines| lines.parse().ok()).unwrap_or(all.len());
    let first = all.len().saturating_sub(tail);
    if !follow {
        return Body::from(shown(log.from(first)));
    }
    let changes = log.changes.subscribe();
    let pieces = stream::unfold((log, changes, first, shown), async |(log, mut changes, next, shown)| {
        changes.wait_for(|lines| *lines > next).await.ok()?;
        let lines = log.from(next);
        let after = next + lines.len();
        let piece = shown(lines);
        Some((Ok::<_, Infallible>(piece), (log, changes, after, shown)))
    });
    Body::from_stream(pieces)
}
