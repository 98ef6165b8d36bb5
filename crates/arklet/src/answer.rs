//! What a base answers, in the domain's words: no wire type leaves this crate.

use std::{fmt, sync::Arc};

use model::{BizId, BizStatus};

use crate::command::CommandKind;

/// A command that the base carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// `installBiz`: what was really installed. The package's manifest decides, not the request:
    /// compare it with what was asked. Empty where the command runs on asynchronously, or where the base does not say:
    /// its list does.
    Installed(Vec<BizStatus>),
    /// `uninstallBiz`. Where it runs on asynchronously the answer is [`Self::Operation`].
    Uninstalled,
    /// `switchBiz`.
    Switched,
    /// `queryAllBiz`. Entries without a name or version are left out; where all are, there is a
    /// [`CallError::Malformed`] instead.
    Biz(Vec<BizStatus>),
    /// `health`.
    Health(Health),
    /// `queryBizOps`.
    Operation(Operation),
    /// `batchInstallBiz`: one result for each package, in the order of their URLs. The whole batch
    /// is refused instead where the base could not even begin with one of them.
    Batch(Vec<PackageResult>),
    /// `help`: the names of the commands that the base knows.
    Help(Vec<String>),
}

/// What became of one package of a batch: its URL as it was sent, credentials included, so not
/// for a log; and what was really installed.
pub type PackageResult = (String, Result<Vec<BizStatus>, Failure>);

/// A base's answer to `health`, as far as it is of use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// The base's own biz: its name and version.
    pub master: Option<BizId>,
    /// The most metaspace that classes may take, in bytes; none where no limit is set (-1).
    pub max_metaspace_bytes: Option<u64>,
    /// The metaspace that the JVM holds, in bytes.
    pub committed_metaspace_bytes: Option<u64>,
}

/// The state of an asynchronous command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Not begun, or running.
    Running,
    /// Done.
    Succeeded,
    /// Failed, with what the base says of it.
    Failed(Failure),
}

/// What kind of refusal or failure a base reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// `REPEAT_BIZ`: this very name and version is there already.
    RepeatBiz,
    /// `NOT_FOUND_BIZ`: the base does not have it.
    NotFoundBiz,
    /// Another command for the same biz is running on the base.
    Conflict,
    /// `CMD_NOT_FOUND`: the base's Arklet does not know the command.
    CommandNotFound,
    /// The request was incomplete (`should not be blank`, …).
    InvalidRequest,
    /// The package is not where the URL says, or cannot be reached.
    PullFailed,
    /// The package did not come in time.
    PullTimedOut,
    /// What was fetched is no module package.
    BadPackage,
    /// Another version serves on the same web context path.
    ContextPathTaken,
    /// The base's disk is full.
    DiskFull,
    /// The base has no metaspace left.
    MetaspaceFull,
    /// The module's own code failed while it started.
    StartUp,
    /// Its start failed, and the base says no more: over MQTT one of koupleless 2.1.6 does not tell whether the module's own
    /// code failed or its web context path is taken.
    Unclear,
    /// Anything else.
    Other,
}

/// A command that the base refused or failed to carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// The innermost cause, one line, without stack trace.
    pub cause: String,
    /// All that the base said, stack trace included; for the log only.
    pub detail: Arc<str>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

/// Why a command has no [`Answer`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The base answered that it did not do it. Retrying is the caller's choice, by kind.
    #[error("{0}")]
    Refused(Failure),
    /// The command did not reach the base; it was not carried out. Safe to retry.
    #[error("the base cannot be reached: {0}")]
    Unreachable(String),
    /// What answers at the base's port knows none of Arklet's commands (HTTP 404), so that the command was not carried out.
    /// Safe to retry.
    #[error("what answers at the base's port is no Arklet: {0}")]
    NotArklet(String),
    /// No answer in time: it may have been carried out or not. Ask `queryAllBiz` before retrying.
    #[error("the base did not answer in time")]
    TimedOut,
    /// The answer came, but it makes no sense: it may have been carried out or not.
    #[error("the base's answer cannot be read: {0}")]
    Malformed(String),
}

/// A command's end, as a tunnel reports it.
pub type Outcome = Result<Answer, CallError>;

/// Which command an answer belongs to. A base answers over MQTT without naming the request, so
/// command and biz are all there is; one command at a time per biz makes them enough.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AnswerKey {
    /// The command.
    pub command: CommandKind,
    /// The biz, for the commands that are about one.
    pub biz: Option<BizId>,
}
