//! Why something is not done.

use model::BizId;

use crate::event::CommandKind;

/// Why an operation was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another operation is at work on a biz of that name.
    #[error("{} {} conflict: {} is at work on a biz of that name", id, command.name(), running.name())]
    Conflict {
        /// What was asked for.
        id: BizId,
        /// The command that was refused.
        command: CommandKind,
        /// The command that is at work.
        running: CommandKind,
    },
    /// This name and version is there already.
    #[error("{0} has been installed already")]
    Repeat(BizId),
    /// This name and version is not there.
    #[error("{1} is not there")]
    NotFound(CommandKind, BizId),
    /// It is there, but in no state in which it could serve.
    #[error("{0} is {1} and cannot serve")]
    CannotServe(BizId, model::BizState),
    /// It was tried and failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// What went wrong in an installation. The texts are for people; none holds a URL's credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no such package.
    #[error("{0}")]
    PackageMissing(String),
    /// A URL that nothing is fetched from.
    #[error("{0}")]
    Scheme(String),
    /// The package's server cannot be reached, or sends no package.
    #[error("{0}")]
    Unreachable(String),
    /// The package did not come in time.
    #[error("{0}")]
    TimedOut(String),
    /// What came is no package, or not the one that was asked for.
    #[error("{0}")]
    BadPackage(String),
    /// Another biz serves at its path.
    #[error("the web context path {path:?} is taken by {owner}")]
    PathTaken {
        /// The path.
        path: String,
        /// Who has it.
        owner: BizId,
    },
    /// The module does not start, or says that it is not healthy.
    #[error("{0}")]
    StartUp(String),
    /// The base has as many modules as it takes.
    #[error("the base holds {0} modules and takes no more")]
    Full(usize),
    /// The base itself failed.
    #[error("{0}")]
    Internal(String),
}
