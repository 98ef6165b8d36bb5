//! What goes into the life cycle, and what comes out.

use model::BizId;

use crate::{
    biz::Biz,
    failure::{Failure, Refusal},
};

/// An operation: one command from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// The code of a module as one installation loaded it. It has the number of the operation that did so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(pub u64);

/// What an installation does where other versions of the biz are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Nothing: where another one serves, the new one is there and does not.
    #[default]
    InstallOnly,
    /// They go. Here they go when the new one is known to work, so that there is no moment without one.
    UninstallThenInstall,
}

/// A command that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the command of its name")]
pub enum CommandKind {
    InstallBiz,
    UninstallBiz,
    SwitchBiz,
}

impl CommandKind {
    /// Its name in Arklet's protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::InstallBiz => "installBiz",
            Self::UninstallBiz => "uninstallBiz",
            Self::SwitchBiz => "switchBiz",
        }
    }
}

/// An order to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// Which biz is meant; none where whatever the package says is meant.
    pub id: Option<BizId>,
    /// Where the package is.
    pub url: String,
    /// What becomes of other versions.
    pub strategy: Strategy,
}

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Which biz it is.
    pub id: BizId,
    /// Where it serves.
    pub web_context_path: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An installation was ordered.
    Install(OpId, Install),
    /// An uninstallation was ordered.
    Uninstall(OpId, BizId),
    /// Another version was ordered to serve.
    Switch(OpId, BizId),
    /// [`Action::Fetch`] ended.
    Fetched(OpId, Result<Fetched, Failure>),
    /// [`Action::Load`] ended.
    Loaded(OpId, Result<(), Failure>),
    /// [`Action::KeepSilent`] ended.
    Silent(OpId),
    /// [`Action::Drain`] ended: nothing runs in it any more.
    Drained(Instance),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Bring a package and read what it says of itself.
    Fetch {
        /// Whose.
        op: OpId,
        /// Where it is.
        url: String,
    },
    /// Make the package of an operation ready to answer, and see that it does.
    Load {
        /// Whose; the code gets its number.
        op: OpId,
    },
    /// From now on requests at this path go to this code: one atomic exchange.
    Serve {
        /// The first segment of the path.
        web_context_path: String,
        /// Whose code.
        instance: Instance,
    },
    /// From now on requests at this path go nowhere.
    Close {
        /// The first segment of the path.
        web_context_path: String,
    },
    /// Wait as long as is set before an uninstallation, while what still comes is served.
    KeepSilent(OpId),
    /// Wait until the requests that are at work in this code end, and end those that do not.
    Drain(Instance),
    /// Forget this code.
    Drop(Instance),
    /// Forget the package of an operation that loaded nothing.
    Discard(OpId),
    /// An operation ended.
    Finish(OpId, Outcome),
}

/// How an operation ended.
pub type Outcome = Result<Done, Refusal>;

/// What an operation did: the biz as it is then, where it is there.
pub type Done = Option<Biz>;
