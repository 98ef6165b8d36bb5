//! Error codes of the manual's 5.6: a source and a type, composed freely, written `Source.Type`.

mod language;
mod pages;
mod parse;
mod table;

use std::fmt;

use crate::Bilingual;
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

    /// What it means, one sentence without full stop; in Chinese in the manual's own words.
    pub fn meaning(self, language: Language) -> &'static str {
        match (table::row(self), language) {
            (Some(row), _) => row.meaning(language),
            (None, Language::English) => "Unknown error",
            (None, Language::Chinese) => "未知错误",
        }
    }

    /// What to do about it; empty where the manual knows nothing to do.
    pub fn suggestion(self, language: Language) -> &'static str {
        match (table::row(self), language) {
            (Some(row), _) => row.suggestion(language),
            (None, Language::English) => "Investigate",
            (None, Language::Chinese) => "请排查",
        }
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

/// Who wants to know more of a code asks so.
const MORE: &str = "More: kubectl koupleless explain";
const MORE_ZH: &str = "详见：kubectl koupleless explain ";

/// A fault as a user sees it: the code, what was being done and the cause in one line. A stack
/// trace goes into `detail`, which only a log shows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct Fault {
    /// The code.
    pub code: ErrorCode,
    /// What was being done, as `installing biz1:1.0.0`.
    pub doing: Bilingual,
    /// The cause, one line.
    pub cause: Bilingual,
    /// The whole story, several lines; empty where there is no more than the cause.
    pub detail: String,
}

impl Fault {
    /// A fault without a longer story.
    pub fn new(code: ErrorCode, doing: impl Into<Bilingual>, cause: impl Into<Bilingual>) -> Self {
        Self { code, doing: doing.into(), cause: cause.into(), detail: String::new() }
    }

    /// What a log says beside the code: what was being done and the cause.
    pub fn what(&self) -> Bilingual {
        self.doing.with(&self.cause)
    }

    /// What a status or an Event says: what was being done, the cause, the meaning, the suggestion, and where there is more.
    pub fn message(&self) -> Bilingual {
        let what = self.what();
        Bilingual::each(|language| {
            let what = what.of(language).trim_end_matches(['.', '。']);
            let code = self.code;
            let (meaning, suggestion) = (code.meaning(language), code.suggestion(language));
            match (language, suggestion) {
                (Language::English, "") => format!("{what}. {meaning}. {MORE} {code}"),
                (Language::English, _) => {
                    format!("{what}. {meaning}. Suggestion: {suggestion}. {MORE} {code}")
                }
                (Language::Chinese, "") => format!("{what}。{meaning}。{MORE_ZH}{code}"),
                (Language::Chinese, _) => format!("{what}。{meaning}。建议：{suggestion}。{MORE_ZH}{code}"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bilingual;

    #[test]
    fn a_code_is_written_source_dot_type() {
        let code = ErrorCode::new(ErrorSource::Arklet, ErrorType::InstallModuleFailed);
        assert_eq!(code.to_string(), "Arklet.InstallModuleFailed");
        let told = |language| (code.meaning(language), code.suggestion(language));
        assert_eq!(
            told(Language::English),
            ("Installing the module failed", "Check the reason of the failure")
        );
        assert_eq!(told(Language::Chinese), ("模块安装失败", "请检查失败原因"));
    }

    #[test]
    fn a_composed_code_takes_the_meaning_of_its_type() {
        let code = ErrorCode::new(ErrorSource::OtherDownstream, ErrorType::PullBizError);
        assert_eq!(code.meaning(Language::English), "Pulling the package failed");
    }

    #[test]
    fn a_fault_says_code_meaning_suggestion_and_what_was_being_done() {
        let fault = Fault::new(
            ErrorCode::new(ErrorSource::Arklet, ErrorType::PullBizError),
            bilingual!("installing biz1:1.0.0", "安装 biz1:1.0.0"),
            "/nowhere.jar (No such file or directory)",
        );
        assert_eq!(
            fault.message().english(),
            "installing biz1:1.0.0: /nowhere.jar (No such file or directory). \
             Pulling the package failed. Suggestion: Retry. More: kubectl koupleless explain Arklet.PullBizError"
        );
        assert_eq!(
            fault.message().of(Language::Chinese),
            "安装 biz1:1.0.0：/nowhere.jar (No such file or directory)。拉包失败。建议：请重试。\
             详见：kubectl koupleless explain Arklet.PullBizError"
        );
    }
}
