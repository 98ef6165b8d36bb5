//! The HTTP tunnel: heartbeats come to our port, commands go to Arklet's.

mod client;
pub(crate) mod guarded;
mod limits;
mod listener;
pub(crate) mod peers;
mod tls;
mod token;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use arklet::{AnswerKey, CallError, Command};
use model::{Fence, TunnelKind};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, watch},
    time::Instant,
};

pub use self::limits::{CONNECT_TIMEOUT, HttpLimits, HttpStats, MAX_REQUEST_BYTES, Refusal};
pub use self::{
    tls::{SERVER_CERTIFICATE_VARIABLE, SERVER_KEY_VARIABLE, ServerTls},
    token::{TOKEN_VARIABLE, TokenFile},
};
pub use crate::bodies::{MAX_ANSWER_BYTES, MAX_ANSWER_OF_STRANGER_BYTES};
use crate::{
    Addresses, Event, SHUTDOWN_BOUND, Target, application,
    bodies::Bodies,
    event::report,
    files::Reloaded,
    log_limit::LogLimit,
    stop::{Phase, Stop},
};

/// How the HTTP tunnel is set up.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Where bases send their heartbeats (`HTTP_TUNNEL_LISTEN_PORT`, 7777, on every address).
    pub listen: SocketAddr,
    /// What it takes at most.
    pub limits: HttpLimits,
    /// Where bases may be.
    pub addresses: Addresses,
    /// What a request has to bear; anyone may speak where there is none.
    pub tokens: Option<TokenFile>,
    /// Our certificate; plain TCP where there is none.
    pub tls: Option<ServerTls>,
    /// Until when commands may be sent, where there are several replicas.
    pub fence: Fence,
}

impl HttpConfig {
    /// The default limits on this address.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            limits: HttpLimits::default(),
            addresses: Addresses::default(),
            tokens: None,
            tls: None,
            fence: Fence::open(),
        }
    }
}

/// Why the HTTP tunnel did not start.
#[derive(Debug, thiserror::Error)]
pub enum HttpStartError {
    /// The port is taken, forbidden, or the address is not ours. Not worth a retry.
    #[error("the HTTP tunnel cannot listen on {address}: {cause}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
}

/// The HTTP tunnel at work. Clones are handles of the same tunnel, which ends with the last.
#[derive(Debug, Clone)]
pub struct HttpTunnel {
    local_addr: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    stop: watch::Sender<Phase>,
    shared: Arc<Shared>,
    client: client::Client,
}

/// What the tunnel's tasks share.
#[derive(Debug)]
struct Shared {
    limits: HttpLimits,
    addresses: Addresses,
    tokens: Option<TokenFile>,
    tls: Option<ServerTls>,
    /// The bases that call themselves another application than their token is for.
    others: application::Refused,
    fence: Fence,
    events: mpsc::Sender<Event>,
    counts: limits::HttpCounts,
    /// All answers that are being read.
    bodies: Bodies,
    /// Who was spoken of for what it said.
    log_limit: LogLimit,
    /// One permit for each connection to the listener.
    connections: Arc<Semaphore>,
    /// One permit for each command under way, until its answer is delivered.
    calls: Arc<Semaphore>,
    stop: Stop,
}

impl HttpTunnel {
    /// Binds, says [`Event::Up`] and serves. Needs a tokio runtime with time and net.
    ///
    /// # Errors
    /// Where the port cannot be bound.
    pub async fn start(config: HttpConfig, events: mpsc::Sender<Event>) -> Result<Self, HttpStartError> {
        let failed = |cause| HttpStartError::Listen { address: config.listen, cause };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let (sender, stop) = Stop::new();
        let shared = Arc::new(Shared {
            connections: Arc::new(Semaphore::new(config.limits.connections)),
            calls: Arc::new(Semaphore::new(config.limits.calls)),
            limits: config.limits,
            addresses: config.addresses,
            tokens: config.tokens,
            others: application::Refused::default(),
            tls: config.tls,
            fence: config.fence,
            events,
            counts: limits::HttpCounts::default(),
            bodies: Bodies::default(),
            log_limit: LogLimit::default(),
            stop,
        });
        report(&shared.events, Event::Up(TunnelKind::Http));
        if let Some(tokens) = shared.tokens.clone() {
            follow(tokens.0, shared.stop.clone());
        }
        if let Some(tls) = shared.tls.clone() {
            follow(tls.0, shared.stop.clone());
        }
        tokio::spawn(listener::serve(listener, shared.clone()));
        Ok(Self {
            local_addr,
            inner: Arc::new(Inner { stop: sender, shared, client: client::Client::new() }),
        })
    }

    /// The address that is really listened on, with the port that was given for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Sends a command. Never waits: how it ended comes as [`Event::Answer`], once, at the latest
    /// when the deadline has passed and the channel has room.
    pub fn call(&self, target: Target, command: Command, deadline: Duration) {
        let shared = self.inner.shared.clone();
        let key = AnswerKey { command: command.kind(), biz: command.biz().cloned() };
        let answer =
            |base, outcome| Event::Answer { tunnel: TunnelKind::Http, base, key: key.clone(), outcome };
        let refuse = |base, cause: &str| {
            shared.counts.calls_refused.fetch_add(1, Ordering::Relaxed);
            report(&shared.events, answer(base, Err(CallError::Unreachable(cause.to_owned()))));
        };
        let Some(address) = target.address else {
            return refuse(target.base, "it has not told the address of its Arklet");
        };
        if let Err(cause) = shared.addresses.check(address) {
            return refuse(target.base, &cause.to_string());
        }
        if shared.stop.phase() != Phase::Running {
            return refuse(target.base, "the HTTP tunnel is shutting down");
        }
        let Ok(permit) = shared.calls.clone().try_acquire_owned() else {
            return refuse(target.base, "too many commands are under way");
        };
        shared.counts.calls.fetch_add(1, Ordering::Relaxed);
        let at = Instant::now() + deadline;
        let body = shared.bodies.begin(target.known);
        let call = self.inner.client.call(address, command, at, shared.fence.pass(), body);
        let mut stop = shared.stop.clone();
        let events = shared.events.clone();
        tokio::spawn(async move {
            let outcome = tokio::select! {
                outcome = call => outcome,
                // It may have reached the base: the same doubt as a deadline.
                () = stop.reached(Phase::Stopped) => Err(CallError::TimedOut),
            };
            // Of one that is known people are told on its Node.
            if let Err(CallError::Malformed(cause)) = &outcome
                && !target.known
                && shared.log_limit.is_news(target.base.as_str(), std::time::Instant::now())
            {
                let (base, command) = (&target.base, key.command);
                tracing::warn!(%base, %address, %command, cause, "the answer of a base that has no Node yet cannot be read");
            }
            let event = Event::Answer { tunnel: TunnelKind::Http, base: target.base, key, outcome };
            // The receiver is gone when the controller ends; nobody wants the answer then.
            let _ = events.send(event).await;
            drop(permit);
        });
    }

    /// What was counted so far.
    pub fn stats(&self) -> HttpStats {
        let shared = &self.inner.shared;
        shared.counts.snapshot(
            shared.limits.calls.saturating_sub(shared.calls.available_permits()),
            shared.bodies.held(),
            shared.limits.connections.saturating_sub(shared.connections.available_permits()),
        )
    }

    /// Stops listening, lets requests and commands under way end for at most
    /// [`SHUTDOWN_BOUND`], and ends the rest: their commands are
    /// answered with [`CallError::TimedOut`].
    pub async fn shutdown(self) {
        let Inner { stop, shared, .. } = &*self.inner;
        stop.send_replace(Phase::Draining);
        let idle = async {
            let _ = shared.connections.acquire_many(permits(shared.limits.connections)).await;
            let _ = shared.calls.acquire_many(permits(shared.limits.calls)).await;
        };
        if tokio::time::timeout(SHUTDOWN_BOUND, idle).await.is_err() {
            tracing::warn!(stats = ?self.stats(), "the HTTP tunnel ends with work under way");
        }
        stop.send_replace(Phase::Stopped);
    }
}

/// Follows the files until the tunnel ends.
fn follow<T: Send + Sync + 'static>(files: Reloaded<T>, mut stop: Stop) {
    tokio::spawn(async move {
        tokio::select! {
            () = files.follow() => {}
            () = stop.reached(Phase::Draining) => {}
        }
    });
}

fn permits(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}
