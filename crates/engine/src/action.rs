//! What is to be done outside: the engine's only output. Every action may be done twice without
//! harm, and carries what must still hold for it to be done at all.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use arklet::Command;
use model::{BaseIdentity, BaseReport, Bilingual, BizId, ErrorCode, ModuleSpec, TunnelKind};

use crate::{
    request::Request,
    trace::TraceId,
    view::{Door, PlanRef, PodRef, WorkloadRef},
};

/// Where a command goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which base.
    pub base: BaseIdentity,
    /// Over which tunnel.
    pub tunnel: TunnelKind,
    /// Arklet's address, where the tunnel is HTTP.
    pub address: Option<SocketAddr>,
    /// It has answered well before: of a stranger no large answer is read.
    pub known: bool,
}

/// What a Kubernetes Event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regarding {
    /// A Pod.
    Pod(PodRef),
    /// A Node, with its UID where it is known.
    Node {
        /// Its name.
        name: Arc<str>,
        /// Its UID; empty where it is not known (yet).
        uid: Arc<str>,
    },
    /// A Deployment or a DaemonSet.
    Workload(WorkloadRef),
    /// An operation plan.
    Plan(PlanRef),
}

/// What people are told: one `events.k8s.io/v1` Event, one line in the log, maybe one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// About what.
    pub regarding: Regarding,
    /// A `Warning` rather than `Normal`.
    pub warning: bool,
    /// `reason`: one word in CamelCase, or an error code.
    pub reason: String,
    /// `action`: what was being done, one word in CamelCase.
    pub action: &'static str,
    /// `note`: sentences.
    pub note: Bilingual,
    /// The error code, where it is a fault.
    pub code: Option<ErrorCode>,
    /// The whole story of a fault (a stack trace), for the log only; empty where there is none.
    pub detail: String,
    /// [`Self::note`] without what the code's meaning and suggestion say.
    pub what: Bilingual,
    /// The base that it happened on; none for a workload.
    pub base: Option<BaseIdentity>,
    /// The biz that a command was about, where it is about a command.
    pub biz: Option<BizId>,
    /// Ties it to the command and to whatever else is told of the same fault.
    pub trace: TraceId,
    /// People on call want to know it; none where the log and the Event are enough.
    pub alarm: Option<Alarm>,
}

/// What people on call want to know (the manual's 5.4, `REPORT_HOOKS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// A base refused to install a biz, or failed to.
    InstallFailed,
    /// A base refused to uninstall a biz, or failed to.
    UninstallFailed,
    /// A base did not say in time whether it installed or uninstalled a biz.
    TimedOut,
    /// Nothing is heard of a base any more, or it answers nothing. Not one that said goodbye.
    LostBase,
    /// So many bases are silent, or their tunnel is, that nothing is deleted. It is told of each of
    /// them, and is one fault.
    BlastRadius,
    /// An operation plan waits for a person.
    PlanWaits,
    /// An operation plan failed.
    PlanFailed,
    /// An operation plan has succeeded.
    PlanSucceeded,
}

/// The closed set of what can be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ask the API server.
    Request(Request),
    /// Ask a server for a metric of a plan. The answer is [`crate::Event::Metric`], always.
    AskMetric(Box<AskMetric>),
    /// Ask bases for the health of a plan's module. The answer is [`crate::Event::Health`], always.
    AskHealth(Box<AskHealth>),
    /// Tell a base.
    Base(ToBase),
    /// Tell other replicas.
    Replica(ToReplica),
    /// What may be sent from here on.
    Fence(Fencing),
    /// Tell it to people: an Event, a line in the log, and a report where it is an [`Alarm`].
    Announce(Box<Announcement>),
}

/// A question for a metric of an operation plan.
#[derive(Debug, Clone, PartialEq)]
pub struct AskMetric {
    /// Whose.
    pub plan: PlanRef,
    /// Which: to be given with the answer.
    pub question: plan::Question,
}

/// A question for the health of an operation plan's module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskHealth {
    /// Whose.
    pub plan: PlanRef,
    /// Which: its round is to be given with the answers.
    pub question: plan::HealthQuestion,
}

/// What goes to a base.
#[derive(Debug, Clone, PartialEq)]
pub enum ToBase {
    /// Send a command to a base. Its end comes as [`crate::TunnelEvent::Answer`], always.
    Call {
        /// To whom.
        target: Target,
        /// What.
        command: Command,
        /// Give up after this long.
        deadline: Duration,
        /// What is told of it bears this id.
        trace: TraceId,
    },
    /// Answer a base's question for its baseline; each is answered once, within seconds.
    AnswerBaseline {
        /// How it asked.
        tunnel: TunnelKind,
        /// Who.
        base: BaseIdentity,
        /// Which question: that of [`crate::TunnelEvent::BaselineQuery`].
        ask: u64,
        /// What it shall install.
        modules: Vec<ModuleSpec>,
    },
}

/// What goes to other replicas.
#[derive(Debug, Clone, PartialEq)]
pub enum ToReplica {
    /// Send a heartbeat that was heard here on to the replica that acts for the base. Whether it arrives is not told.
    Forward {
        /// Its incarnation.
        to: Arc<str>,
        /// What the base said, and from where.
        report: Box<BaseReport>,
    },
    /// From here on, what is sent on goes to these replicas, and what these send on counts.
    Replicas {
        /// This one's incarnation.
        own: Arc<str>,
        /// The others that live, by incarnation.
        others: BTreeMap<Arc<str>, Door>,
    },
}

/// A change of the fence ([`model::Fence`]) of this replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fencing {
    /// What this incarnation decides may be sent until then.
    OpenUntil {
        /// Which incarnation decides; each has another.
        epoch: u64,
        /// On the engine's clock.
        until: Duration,
    },
    /// Another has taken this replica for dead. Nothing may be sent; all that is watched is listed anew, and
    /// [`ClusterEvent::Synced`](crate::ClusterEvent::Synced) told again.
    Shut {
        /// The incarnation that begins.
        epoch: u64,
    },
}
