//! Error codes of the manual's 5.6: a source and a type, composed freely, written `Source.Type`.

mod language;
mod pages;
mod parse;
mod table;

use std::fmt;

pub use language::Language;
pub use pages::Page;
pub use parse::UnknownCode;
pub use table::StandardCode;

/// Where a fault comes from: the first half of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorSource {
    /// The user's package, manifest or machine.
    User,
    /// The base's agent.
    Arklet,
    /// This controller.
    ModuleController,
    /// The board above the controllers.
    KouplelessBoard,
    /// Whoever called, unknown.
    OtherUpstream,
    /// Whatever was called, unknown.
    OtherDownstream,
    /// The Kubernetes API server.
    KubeAPIServer,
}

impl ErrorSource {
    /// Every source.
    pub const ALL: &[Self] = &[
        Self::User,
        Self::Arklet,
        Self::ModuleController,
        Self::KouplelessBoard,
        Self::OtherUpstream,
        Self::OtherDownstream,
        Self::KubeAPIServer,
    ];

    /// The name as codes write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Arklet => "Arklet",
            Self::ModuleController => "ModuleController",
            Self::KouplelessBoard => "KouplelessBoard",
            Self::OtherUpstream => "OtherUpstream",
            Self::OtherDownstream => "OtherDownstream",
            Self::KubeAPIServer => "KubeAPIServer",
        }
    }
}

macro_rules! error_types {
    ($($name:ident),+ $(,)?) => {
        /// What went wrong: the second half of a code. Names are the manual's, spelling included.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the meaning of each is in codes.tsv, in two languages")]
        pub enum ErrorType { $($name),+ }

        impl ErrorType {
            /// Every type, in the manual's order.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name as codes write it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

error_types!(
    UnknownError,
    InvalidParameter,
    InvalidRequest,
    DecodeURLFailed,
    NoMatchedBiz,
    InvalidBizName,
    InstallationRequirementNotMet,
    PullBizError,
    PullBizTimeOut,
    DiskFull,
    MachineMalfunction,
    MetaspaceFull,
    InstallBizExecuting,
    InstallBizTimedOut,
    InstallBizFailed,
    InstallBizUserError,
    UninstallBizFailed,
    UnInstallationRequirementNotMet,
    ArkletServiceNotFound,
    NetworkError,
    SecretAKError,
    DBAccessError,
    RetryTimesExceeded,
    ProcessNodeMissed,
    ServiceMissed,
    ResourceConstraned,
    InstallModuleTimedOut,
    InstallModuleFailed,
    InstallModuleExecuting,
    EmptyIPList,
    UninstallBizTimedOut,
    BaseInstanceNotFound,
    GetBaseInstanceFailed,
    BaseInstanceInOperation,
    BaseInstanceNotReady,
    BaseInstanceHasBeenReplaced,
    InsufficientHealthyBaseInstance,
    RescaleRequirementNotMet,
    OperationPlanNotFound,
    OperationPlanMutualExclusion,
    InternalError,
    ThreadPoolError,
    BaseInstanceOperationFailed,
    BaseInstanceUnderOperation,
    BaseInstanceOperationTimeOut,
    OverFiftyPercentBaseInstancesUnavaliable,
    BaselineInconsistency,
    ExternalError,
);

/// A code: any source with any type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode {
    /// The first half.
    pub source: ErrorSource,
    /// The second half.
    pub kind: ErrorType,
}

impl ErrorCode {
    /// The code of a source and a type.
    pub const fn new(source: ErrorSource, kind: ErrorType) -> Self {
        Self { source, kind }
    }

    /// What it means, one English sentence without full stop.
    pub fn meaning(self) -> &'static str {
        table::row(self).map_or("Unknown error", |row| row.meaning(Language::English))
    }

    /// What to do about it; empty where the manual knows nothing to do.
    pub fn suggestion(self) -> &'static str {
        table::row(self).map_or("Investigate", |row| row.suggestion(Language::English))
    }

    /// [`Self::meaning`] in the manual's own Chinese words.
    pub fn meaning_zh(self) -> &'static str {
        table::row(self).map_or("未知错误", |row| row.meaning(Language::Chinese))
    }

    /// [`Self::suggestion`] in the manual's own Chinese words.
    pub fn suggestion_zh(self) -> &'static str {
        table::row(self).map_or("请排查", |row| row.suggestion(Language::Chinese))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.source.as_str(), self.kind.as_str())
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A fault as a user sees it: the code, what was being done and the cause in one line. A stack
/// trace goes into `detail`, which only a log shows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct Fault {
    /// The code.
    pub code: ErrorCode,
    /// What was being done, as `installing biz1:1.0.0`.
    pub doing: String,
    /// The cause, one line.
    pub cause: String,
    /// The whole story, several lines; empty where there is no more than the cause.
    pub detail: String,
}

impl Fault {
    /// A fault without a longer story.
    pub fn new(code: ErrorCode, doing: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { code, doing: doing.into(), cause: cause.into(), detail: String::new() }
    }

    /// What a status or an Event says: what was being done, the cause, the meaning, the suggestion.
    pub fn message(&self) -> String {
        let mut text =
            format!("{}: {}. {}", self.doing, self.cause.trim_end_matches('.'), self.code.meaning());
        let suggestion = self.code.suggestion();
        if !suggestion.is_empty() {
            text.push_str(". Suggestion: ");
            text.push_str(suggestion);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_source_dot_type() {
        let code = ErrorCode::new(ErrorSource::Arklet, ErrorType::InstallModuleFailed);
        assert_eq!(code.to_string(), "Arklet.InstallModuleFailed");
        assert_eq!(code.meaning(), "Installing the module failed");
        assert_eq!(code.suggestion(), "Check the reason of the failure");
        assert_eq!((code.meaning_zh(), code.suggestion_zh()), ("模块安装失败", "请检查失败原因"));
    }

    #[test]
    fn a_composed_code_takes_the_meaning_of_its_type() {
        let code = ErrorCode::new(ErrorSource::OtherDownstream, ErrorType::PullBizError);
        assert_eq!(code.meaning(), "Pulling the package failed");
    }

    #[test]
    fn a_fault_says_code_meaning_suggestion_and_what_was_being_done() {
        let fault = Fault::new(
            ErrorCode::new(ErrorSource::Arklet, ErrorType::PullBizError),
            "installing biz1:1.0.0",
            "/nowhere.jar (No such file or directory)",
        );
        assert_eq!(
            fault.message(),
            "installing biz1:1.0.0: /nowhere.jar (No such file or directory). \
             Pulling the package failed. Suggestion: Retry"
        );
    }
}
