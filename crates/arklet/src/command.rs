//! What we ask a base to do.

use std::fmt;

use model::{BizId, ModuleSpec};

/// Arklet's `installStrategy`, as it goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WireStrategy {
    /// Another version of the biz is never touched.
    InstallOnly,
    /// Other versions of the biz are uninstalled first.
    UninstallThenInstall,
}

/// One command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `installBiz`.
    InstallBiz {
        /// What.
        spec: ModuleSpec,
        /// How.
        strategy: WireStrategy,
    },
    /// `uninstallBiz`.
    UninstallBiz(BizId),
    /// `switchBiz`: the version that serves from now on. A Java base knows it over HTTP only.
    SwitchBiz(BizId),
    /// `queryAllBiz`: every biz but the base itself.
    QueryAllBiz,
    /// `queryBizOps`: what became of an asynchronous command. HTTP only.
    QueryBizOps {
        /// The request's id, unique for the base's life.
        request_id: String,
    },
    /// `batchInstallBiz`: a baseline.
    BatchInstallBiz(Vec<ModuleSpec>),
    /// `health`: memory, processor, the base's own name.
    Health,
    /// `help`: the commands that the base knows.
    Help,
}

/// A command without its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the command of its name, see Command")]
pub enum CommandKind {
    InstallBiz,
    UninstallBiz,
    SwitchBiz,
    QueryAllBiz,
    QueryBizOps,
    BatchInstallBiz,
    Health,
    Help,
}

impl CommandKind {
    /// Every command.
    pub const ALL: [Self; 8] = [
        Self::InstallBiz,
        Self::UninstallBiz,
        Self::SwitchBiz,
        Self::QueryAllBiz,
        Self::QueryBizOps,
        Self::BatchInstallBiz,
        Self::Health,
        Self::Help,
    ];

    /// The command's name: its HTTP path and the last part of its MQTT topic.
    pub fn name(self) -> &'static str {
        match self {
            Self::InstallBiz => "installBiz",
            Self::UninstallBiz => "uninstallBiz",
            Self::SwitchBiz => "switchBiz",
            Self::QueryAllBiz => "queryAllBiz",
            Self::QueryBizOps => "queryBizOps",
            Self::BatchInstallBiz => "batchInstallBiz",
            Self::Health => "health",
            Self::Help => "help",
        }
    }

    /// The command of a name, in any letter case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.name().eq_ignore_ascii_case(name))
    }

    /// Whether the command is about one biz, see [`Command::biz`].
    pub fn is_about_one_biz(self) -> bool {
        matches!(self, Self::InstallBiz | Self::UninstallBiz | Self::SwitchBiz)
    }
}

impl fmt::Display for CommandKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Command {
    /// Which command it is.
    pub fn kind(&self) -> CommandKind {
        match self {
            Self::InstallBiz { .. } => CommandKind::InstallBiz,
            Self::UninstallBiz(_) => CommandKind::UninstallBiz,
            Self::SwitchBiz(_) => CommandKind::SwitchBiz,
            Self::QueryAllBiz => CommandKind::QueryAllBiz,
            Self::QueryBizOps { .. } => CommandKind::QueryBizOps,
            Self::BatchInstallBiz(_) => CommandKind::BatchInstallBiz,
            Self::Health => CommandKind::Health,
            Self::Help => CommandKind::Help,
        }
    }

    /// The biz that the command is about, where it is about one.
    pub fn biz(&self) -> Option<&BizId> {
        match self {
            Self::InstallBiz { spec, .. } => Some(&spec.id),
            Self::UninstallBiz(id) | Self::SwitchBiz(id) => Some(id),
            _ => None,
        }
    }
}
