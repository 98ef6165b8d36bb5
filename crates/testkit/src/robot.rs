//! A robot of a DingTalk group, which takes messages or does not.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::tls::{SelfSigned, TlsListener};
use crate::wait::wait_for;

/// Everything here takes milliseconds; this allows for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// What a robot does with a request.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// Takes it.
    Take,
    /// Answers 200 with this body.
    Say(&'static str),
    /// Answers 200 with an error that quotes the request's path and query.
    Quote,
    /// Answers with this status.
    Status(u16),
    /// Answers nothing, as long as the client waits.
    Hang,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Heard {
    /// What follows the `?`, as it was sent.
    pub query: String,
    /// The header.
    pub content_type: String,
    /// The body; null where it is no JSON.
    pub body: Value,
}

impl Heard {
    /// The message's Markdown.
    pub fn text(&self) -> &str {
        self.body.pointer("/markdown/text").and_then(Value::as_str).unwrap_or_default()
    }

    /// How many reports are in it.
    pub fn reports(&self) -> usize {
        self.text().matches("### ").count()
    }
}

#[derive(Debug)]
struct Shared {
    heard: Vec<Heard>,
    /// The replies to the next requests; the last one goes on for ever.
    replies: VecDeque<Reply>,
}

/// A robot on a port of its own on 127.0.0.1. Dropping it stops it.
#[derive(Debug)]
pub struct Robot {
    address: SocketAddr,
    certificate: Option<String>,
    shared: Arc<Mutex<Shared>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Robot {
    /// Starts one that gives these replies in turn, and the last one ever after.
    pub fn start(replies: &[Reply]) -> Result<Self> {
        Self::serve(replies, None)
    }

    /// The same over TLS, with a certificate for 127.0.0.1 that nobody else trusts.
    pub fn start_tls(replies: &[Reply]) -> Result<Self> {
        let signed = SelfSigned::new()?;
        Self::serve(replies, Some((signed.certificate(), signed.acceptor()?)))
    }

    fn serve(replies: &[Reply], tls: Option<(String, TlsAcceptor)>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("starting a robot")?;
        // Not tokio's: the caller may be within a runtime of its own.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("starting a robot")?;
        listener.set_nonblocking(true).context("starting a robot")?;
        let address = listener.local_addr().context("starting a robot")?;
        let shared = Shared { heard: Vec::new(), replies: replies.iter().copied().collect() };
        let shared = Arc::new(Mutex::new(shared));
        let router = Router::new().route("/robot/send", post(take)).with_state(Arc::clone(&shared));
        let (certificate, acceptor) = tls.unzip();
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            runtime.block_on(async {
                let serve = async {
                    let listener = TcpListener::from_std(listener)?;
                    match acceptor {
                        Some(acceptor) => axum::serve(TlsListener { listener, acceptor }, router).await,
                        None => axum::serve(listener, router).await,
                    }
                };
                tokio::select! {
                    served = serve => drop(served),
                    _ = stopped => {}
                }
            });
        };
        let thread =
            thread::Builder::new().name("robot".to_owned()).spawn(work).context("starting a robot")?;
        Ok(Self { address, certificate, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Its URL with this token.
    pub fn url(&self, token: &str) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/robot/send?access_token={token}", self.address)
    }

    /// Its certificate as PEM, where it has one.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// Whatever comes from now on is answered like this.
    pub fn answer(&self, reply: Reply) {
        lock(&self.shared).replies = VecDeque::from([reply]);
    }

    /// All requests so far.
    pub fn heard(&self) -> Vec<Heard> {
        lock(&self.shared).heard.clone()
    }

    /// Waits until it has heard so many requests.
    pub fn wait_heard(&self, requests: usize) -> Result<Vec<Heard>> {
        wait_for(&format!("{requests} requests to a robot"), LIMIT, || {
            Ok(Some(self.heard()).filter(|heard| heard.len() >= requests))
        })
    }
}

impl Drop for Robot {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

async fn take(
    State(shared): State<Arc<Mutex<Shared>>>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let reply = {
        let mut shared = lock(&shared);
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        shared.heard.push(Heard {
            query: uri.query().unwrap_or_default().to_owned(),
            content_type: content_type.unwrap_or_default().to_owned(),
            body: serde_json::from_str(&body).unwrap_or_default(),
        });
        let next = if shared.replies.len() > 1 { shared.replies.pop_front() } else { None };
        next.or_else(|| shared.replies.back().copied()).unwrap_or(Reply::Take)
    };
    match reply {
        Reply::Take => r#"{"errcode":0,"errmsg":"ok"}"#.into_response(),
        Reply::Say(body) => body.into_response(),
        Reply::Quote => format!(r#"{{"errcode":300001,"errmsg":"no such robot: {uri}"}}"#).into_response(),
        Reply::Status(code) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, "sorry").into_response()
        }
        Reply::Hang => std::future::pending().await,
    }
}
