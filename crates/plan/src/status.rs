//! How a plan stands: what the next replica needs to go on, and what people read.

use std::sync::Arc;

use model::ErrorCode;

use crate::{gate::MetricStatus, health::HealthStatus, spec::Spec};

/// More failures than this nobody reads in a status.
pub const MOST_FAILURES: usize = 20;

/// How a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// It waits to begin.
    #[default]
    Pending,
    /// Bases are released, or watched.
    Running,
    /// It goes on when somebody confirms.
    AwaitingConfirm,
    /// Nothing more is released until somebody says so.
    Paused,
    /// Every base has the version.
    Succeeded,
    /// It failed on too many bases; nothing more is released.
    Failed,
    /// It cannot be carried out as it is.
    Refused,
    /// The workload went back to a template that names no plan.
    RolledBack,
    /// The workload names another plan.
    Superseded,
    /// Somebody ended it.
    Aborted,
}

impl Phase {
    const ALL: [Self; 10] = [
        Self::Pending,
        Self::Running,
        Self::AwaitingConfirm,
        Self::Paused,
        Self::Succeeded,
        Self::Failed,
        Self::Refused,
        Self::RolledBack,
        Self::Superseded,
        Self::Aborted,
    ];

    /// As it is written in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::AwaitingConfirm => "AwaitingConfirm",
            Self::Paused => "Paused",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Refused => "Refused",
            Self::RolledBack => "RolledBack",
            Self::Superseded => "Superseded",
            Self::Aborted => "Aborted",
        }
    }

    /// What a status says; none where it is no phase that is known here.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }

    /// It never changes again.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::RolledBack | Self::Superseded | Self::Aborted)
    }
}

/// How a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchPhase {
    /// Its turn has not come.
    #[default]
    Waiting,
    /// Its bases may install, and not all have.
    Releasing,
    /// All of its bases serve, and are watched for a while.
    Soaking,
    /// Its metrics are asked for.
    Gating,
    /// Somebody is to confirm it.
    AwaitingConfirm,
    /// It is over.
    Done,
    /// It failed on too many bases.
    Failed,
}

impl BatchPhase {
    const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Releasing,
        Self::Soaking,
        Self::Gating,
        Self::AwaitingConfirm,
        Self::Done,
        Self::Failed,
    ];

    /// As it is written in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Releasing => "Releasing",
            Self::Soaking => "Soaking",
            Self::Gating => "Gating",
            Self::AwaitingConfirm => "AwaitingConfirm",
            Self::Done => "Done",
            Self::Failed => "Failed",
        }
    }

    /// What a status says; none where it is no phase that is known here.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }

    /// Its bases were released.
    pub fn is_begun(self) -> bool {
        self != Self::Waiting
    }
}

/// How one batch stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchStatus {
    /// Its name.
    pub name: Arc<str>,
    /// How it stands.
    pub phase: BatchPhase,
    /// Bases up to this rank are in it; none before it begins.
    pub threshold: Option<u64>,
    /// How many bases are in it.
    pub bases: u32,
    /// How many of them serve the version.
    pub ready: u32,
}

/// On which base it failed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The base.
    pub base: Arc<str>,
    /// The code.
    pub code: ErrorCode,
    /// The cause, one line.
    pub message: String,
}

/// How a plan stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// How it stands.
    pub phase: Phase,
    /// What is wrong; none where nothing is.
    pub code: Option<ErrorCode>,
    /// What it does or waits for, one sentence.
    pub message: String,
    /// What may not change once it has begun; empty before.
    pub digest: Arc<str>,
    /// The attempt that is under way.
    pub attempt: u64,
    /// The number by which it is confirmed, while it waits for that.
    pub confirmable: Option<u64>,
    /// The greatest number that was offered so far.
    pub offered: u64,
    /// Every batch, in its order.
    pub batches: Vec<BatchStatus>,
    /// How many bases the workload has.
    pub bases: u32,
    /// How many of them serve the version.
    pub ready: u32,
    /// How many of them are not there, or serve no version that they should.
    pub unavailable: u32,
    /// How many failed in this attempt.
    pub failed: u32,
    /// The first of them.
    pub failures: Vec<Failure>,
    /// What was read of the plan's metrics last, for the batch that is at work.
    pub metrics: Vec<MetricStatus>,
    /// What the bases of the batch at work said of the module's health last; none where they were not asked.
    pub health: Option<HealthStatus>,
    /// What may keep the plan from its end; empty where nothing is known to.
    pub warning: String,
}

impl Status {
    /// It was accepted: bases may have been released.
    pub fn is_begun(&self) -> bool {
        !self.digest.is_empty()
    }

    /// Any batch is over, so that the version has proved itself somewhere.
    pub fn any_done(&self) -> bool {
        self.batches.iter().any(|batch| batch.phase == BatchPhase::Done && batch.bases > 0)
    }

    /// Has an entry for each batch.
    pub(crate) fn fit(&mut self, spec: &Spec) {
        self.batches.truncate(spec.batches.len());
        for (place, batch) in spec.batches.iter().enumerate() {
            match self.batches.get_mut(place) {
                Some(status) => status.name = batch.name.clone(),
                None => self.batches.push(BatchStatus { name: batch.name.clone(), ..BatchStatus::default() }),
            }
        }
    }
}
