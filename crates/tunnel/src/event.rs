//! What a tunnel reports, and whom a command goes to.

use std::net::SocketAddr;

use arklet::{AnswerKey, Outcome};
use model::{BaseIdentity, BaseReport, ModuleSpec, TunnelKind};
use tokio::sync::{mpsc, oneshot};

/// Everything that a tunnel has to say.
#[derive(Debug)]
pub enum Event {
    /// A base spoke of itself. Dropped (and counted) where the channel is full: the next one
    /// comes within seconds.
    Heartbeat {
        /// The tunnel it came through.
        tunnel: TunnelKind,
        /// What it said. Over HTTP the address is the peer's where the base names none.
        report: BaseReport,
    },
    /// A base spoke over HTTP to another replica, which sent it on to this one. Dropped as a heartbeat is.
    Forwarded(BaseReport),
    /// How a command ended, or an answer that no command waits for any more (MQTT only): the
    /// truth about the base all the same. Never dropped.
    Answer {
        /// The tunnel that the command went through.
        tunnel: TunnelKind,
        /// The base that it was about.
        base: BaseIdentity,
        /// Which command.
        key: AnswerKey,
        /// The base's answer, or why there is none.
        outcome: Outcome,
    },
    /// A base asks what it should install before it takes traffic.
    BaselineQuery {
        /// The tunnel that it asks through.
        tunnel: TunnelKind,
        /// Who asks, with the labels' sources.
        query: arklet::BaselineQuery,
        /// HTTP: where the answer goes, within [`http::HttpLimits::reply`](crate::http::HttpLimits).
        /// MQTT: none, answer with [`MqttTunnel::answer_baseline`](crate::MqttTunnel::answer_baseline).
        reply: Option<oneshot::Sender<Vec<ModuleSpec>>>,
    },
    /// Commands can be sent and messages arrive. The HTTP tunnel says so once, when it listens.
    Up(TunnelKind),
    /// The tunnel's own connection is gone: silence says nothing about the bases.
    Down {
        /// Which.
        tunnel: TunnelKind,
        /// Why, one line; what failed and against which address, never a secret.
        reason: String,
    },
}

/// Whom a command goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The base.
    pub base: BaseIdentity,
    /// The tunnel it was heard through.
    pub tunnel: TunnelKind,
    /// Arklet's address; needed over HTTP only.
    pub address: Option<SocketAddr>,
    /// It has answered well before, so that a large answer of it is read.
    pub known: bool,
}

/// Reports an event that must not be lost from code that must not wait. The task that waits in
/// its stead exists only while the channel is full, one for each command that the caller itself
/// has open.
pub(crate) fn report(events: &mpsc::Sender<Event>, event: Event) {
    if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(event) {
        let events = events.clone();
        tokio::spawn(async move { events.send(event).await });
    }
}
