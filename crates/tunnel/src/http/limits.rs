//! What the HTTP tunnel takes at most, and what it refused.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{
    bucket::Rate,
    counts::{Counts, reasons},
};

/// The largest request body, in bytes. A Java heartbeat has about 200; of all connections together it is 16 MiB.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// The largest buffer of a connection to a base, in bytes. What is larger comes in parts.
pub(super) const CONNECTION_BUFFER_BYTES: usize = 16 * 1024;

/// How long a base may take to accept a connection. A base in the same cluster does so in
/// milliseconds; two lost SYNs (1 s and 2 s) still fit.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Limits that an installation may change. The defaults are made for 5,000 bases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections to the listener at once. 5,000 bases that speak every 12 s make 420 short
    /// connections a second, of some milliseconds each; the rest is room for slow ones.
    pub connections: usize,
    /// Connections of one address at once: the half, so that nobody takes all. Bases behind a
    /// translation of addresses have one between them, and some milliseconds each.
    pub connections_of_one: usize,
    /// Connections that one address may open, each for one request: more than twice what 5,000 bases
    /// behind one translation of addresses need, and all of them at the same moment.
    pub opened_by_one: Rate,
    /// How long a client may take for its request's head.
    pub head: Duration,
    /// How long a client may take for its request's body, once the head is there.
    pub body: Duration,
    /// How long the answer to a baseline query may take before the base hears 503.
    pub reply: Duration,
    /// Commands under way at once. Each holds one connection, hence one file descriptor; a
    /// rollout over 5,000 bases installs on all of them at the same time.
    pub calls: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_of_one: 512,
            opened_by_one: Rate { a_second: 1_000, at_once: 5_000 },
            head: Duration::from_secs(5),
            body: Duration::from_secs(5),
            reply: Duration::from_secs(10),
            calls: 8192,
        }
    }
}

reasons!(
    /// Why the listener refused a request or a connection.
    Refusal {
        /// More connections than [`HttpLimits::connections`], or of one address than
        /// [`HttpLimits::connections_of_one`] or [`HttpLimits::opened_by_one`]: closed without an answer.
        Connections = "connections",
        /// Head or body did not come in time.
        Slow = "slow",
        /// Not HTTP, or cut off in the middle.
        Protocol = "protocol",
        /// A path that does not exist: 404.
        Path = "path",
        /// A method other than POST: 405.
        Method = "method",
        /// A body over [`MAX_REQUEST_BYTES`]: 413.
        TooLarge = "too_large",
        /// No token, or a wrong one: 401.
        Unauthorized = "unauthorized",
        /// A TLS handshake that failed.
        Tls = "tls",
        /// A heartbeat that names an address where no base may be: 403.
        Address = "address",
        /// A base that calls itself another application than its token is for: 403.
        Application = "application",
        /// A body that cannot be understood: 400.
        Malformed = "malformed",
        /// The controller does not keep up: 503, the event was dropped.
        Overload = "overload",
        /// A baseline query that the controller did not answer in time: 503.
        NoReply = "no_reply",
        /// The socket could not be accepted (no file descriptor left, …).
        Accept = "accept",
    }
);

/// What the tunnel has counted since its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpStats {
    /// Heartbeats passed on.
    pub heartbeats: u64,
    /// Baseline queries passed on.
    pub baseline_queries: u64,
    /// Commands sent, or tried to.
    pub calls: u64,
    /// Commands refused because [`HttpLimits::calls`] were under way.
    pub calls_refused: u64,
    /// Commands under way now.
    pub calls_open: usize,
    /// Bytes of answers in memory now.
    pub answer_bytes: usize,
    /// The most that there ever were.
    pub answer_bytes_peak: usize,
    /// Connections to the listener now.
    pub connections_open: usize,
    /// Requests and connections that the listener refused.
    pub refused: Vec<(Refusal, u64)>,
}

impl HttpStats {
    /// How often the listener refused for this reason.
    pub fn refused(&self, reason: Refusal) -> u64 {
        self.refused.iter().find(|(r, _)| *r == reason).map_or(0, |(_, count)| *count)
    }
}

/// The counters behind [`HttpStats`].
#[derive(Debug, Default)]
pub(crate) struct HttpCounts {
    pub(crate) heartbeats: AtomicU64,
    pub(crate) baseline_queries: AtomicU64,
    pub(crate) calls: AtomicU64,
    pub(crate) calls_refused: AtomicU64,
    refused: Counts<{ Refusal::ALL.len() }>,
}

impl HttpCounts {
    pub(crate) fn refuse(&self, reason: Refusal) {
        self.refused.add(reason as usize);
    }

    pub(crate) fn snapshot(
        &self,
        calls_open: usize,
        (answer_bytes, answer_bytes_peak): (usize, usize),
        connections_open: usize,
    ) -> HttpStats {
        HttpStats {
            heartbeats: self.heartbeats.load(Ordering::Relaxed),
            baseline_queries: self.baseline_queries.load(Ordering::Relaxed),
            calls: self.calls.load(Ordering::Relaxed),
            calls_refused: self.calls_refused.load(Ordering::Relaxed),
            calls_open,
            answer_bytes,
            answer_bytes_peak,
            connections_open,
            refused: Refusal::ALL.iter().copied().zip(self.refused.read()).collect(),
        }
    }
}
