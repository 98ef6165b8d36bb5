//! The codes of the manual's 5.6 for what a base refuses, and for calls that found no answer.

use model::{Bilingual, ErrorCode, ErrorSource, ErrorType, Fault, bilingual};

use crate::{
    answer::{CallError, Failure, FailureKind},
    command::CommandKind,
};

const fn arklet(kind: ErrorType) -> ErrorCode {
    ErrorCode::new(ErrorSource::Arklet, kind)
}

const fn user(kind: ErrorType) -> ErrorCode {
    ErrorCode::new(ErrorSource::User, kind)
}

impl Failure {
    /// The code of this failure of a command.
    pub fn code(&self, command: CommandKind) -> ErrorCode {
        let installing = matches!(command, CommandKind::InstallBiz | CommandKind::BatchInstallBiz);
        match self.kind {
            FailureKind::NotFoundBiz => arklet(ErrorType::NoMatchedBiz),
            FailureKind::Conflict => arklet(ErrorType::InstallBizExecuting),
            FailureKind::CommandNotFound | FailureKind::InvalidRequest => {
                ErrorCode::new(ErrorSource::ModuleController, ErrorType::InvalidRequest)
            }
            FailureKind::DiskFull => user(ErrorType::DiskFull),
            FailureKind::MetaspaceFull => user(ErrorType::MetaspaceFull),
            _ if command == CommandKind::UninstallBiz && self.serves() => {
                arklet(ErrorType::UnInstallationRequirementNotMet)
            }
            _ if command == CommandKind::UninstallBiz => arklet(ErrorType::UninstallBizFailed),
            FailureKind::PullFailed => arklet(ErrorType::PullBizError),
            FailureKind::PullTimedOut => arklet(ErrorType::PullBizTimeOut),
            FailureKind::BadPackage => arklet(ErrorType::InstallationRequirementNotMet),
            FailureKind::StartUp | FailureKind::Unclear => user(ErrorType::InstallBizUserError),
            FailureKind::ContextPathTaken | FailureKind::RepeatBiz => arklet(ErrorType::InstallBizFailed),
            FailureKind::Other if installing => arklet(ErrorType::InstallBizFailed),
            FailureKind::Other => arklet(ErrorType::UnknownError),
        }
    }

    /// The version to uninstall is the one that serves, and there are others.
    fn serves(&self) -> bool {
        let said = self.detail.to_ascii_lowercase();
        said.contains("activated") && (said.contains("multiple version") || said.contains("multi version"))
    }

    /// The fault that a user sees; `doing` is as `installing biz1:1.0.0`.
    pub fn to_fault(&self, command: CommandKind, doing: impl Into<Bilingual>) -> Fault {
        let detail = self.detail.to_string();
        Fault { detail, ..Fault::new(self.code(command), doing, self.cause.clone()) }
    }
}

impl CallError {
    /// The code of this end of a command.
    pub fn code(&self, command: CommandKind) -> ErrorCode {
        match self {
            Self::Refused(failure) => failure.code(command),
            Self::Unreachable(_) => arklet(ErrorType::NetworkError),
            Self::NotArklet(_) => arklet(ErrorType::ArkletServiceNotFound),
            Self::TimedOut => match command {
                CommandKind::InstallBiz | CommandKind::BatchInstallBiz => {
                    arklet(ErrorType::InstallModuleTimedOut)
                }
                CommandKind::UninstallBiz => arklet(ErrorType::UninstallBizTimedOut),
                _ => arklet(ErrorType::NetworkError),
            },
            Self::Malformed(_) => arklet(ErrorType::UnknownError),
        }
    }

    /// The fault that a user sees; `doing` is as `installing biz1:1.0.0`.
    pub fn to_fault(&self, command: CommandKind, doing: impl Into<Bilingual>) -> Fault {
        let cause = match self {
            Self::Refused(failure) => return failure.to_fault(command, doing),
            Self::Unreachable(why) => bilingual!("{self}", "无法连接基座：{why}"),
            Self::NotArklet(why) => bilingual!("{self}", "在基座端口上应答的不是 Arklet：{why}"),
            Self::TimedOut => bilingual!("{self}", "基座没有及时应答"),
            Self::Malformed(why) => bilingual!("{self}", "无法解析基座的应答：{why}"),
        };
        Fault::new(self.code(command), doing, cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind) -> Failure {
        Failure { kind, cause: "why".into(), detail: "why\n\tat x".into() }
    }

    #[test]
    fn codes_are_the_manual_s() {
        use CommandKind::{Health, InstallBiz, QueryAllBiz, SwitchBiz, UninstallBiz};
        use FailureKind as K;
        for (kind, command, code) in [
            (K::PullFailed, InstallBiz, "Arklet.PullBizError"),
            (K::PullTimedOut, InstallBiz, "Arklet.PullBizTimeOut"),
            (K::BadPackage, InstallBiz, "Arklet.InstallationRequirementNotMet"),
            (K::DiskFull, InstallBiz, "User.DiskFull"),
            (K::MetaspaceFull, InstallBiz, "User.MetaspaceFull"),
            (K::ContextPathTaken, InstallBiz, "Arklet.InstallBizFailed"),
            (K::StartUp, InstallBiz, "User.InstallBizUserError"),
            (K::Unclear, InstallBiz, "User.InstallBizUserError"),
            (K::RepeatBiz, InstallBiz, "Arklet.InstallBizFailed"),
            (K::Conflict, InstallBiz, "Arklet.InstallBizExecuting"),
            (K::NotFoundBiz, UninstallBiz, "Arklet.NoMatchedBiz"),
            (K::CommandNotFound, SwitchBiz, "ModuleController.InvalidRequest"),
            (K::InvalidRequest, InstallBiz, "ModuleController.InvalidRequest"),
            (K::StartUp, UninstallBiz, "Arklet.UninstallBizFailed"),
            (K::Other, UninstallBiz, "Arklet.UninstallBizFailed"),
            (K::Other, InstallBiz, "Arklet.InstallBizFailed"),
            (K::Other, Health, "Arklet.UnknownError"),
        ] {
            assert_eq!(failure(kind).code(command).to_string(), code, "{kind:?} {command}");
        }
        for (error, command, code) in [
            (CallError::Unreachable("x".into()), InstallBiz, "Arklet.NetworkError"),
            (CallError::NotArklet("x".into()), InstallBiz, "Arklet.ArkletServiceNotFound"),
            (CallError::TimedOut, InstallBiz, "Arklet.InstallModuleTimedOut"),
            (CallError::TimedOut, UninstallBiz, "Arklet.UninstallBizTimedOut"),
            (CallError::TimedOut, QueryAllBiz, "Arklet.NetworkError"),
            (CallError::Malformed("x".into()), InstallBiz, "Arklet.UnknownError"),
        ] {
            assert_eq!(error.code(command).to_string(), code, "{error:?} {command}");
        }
    }

    #[test]
    fn the_serving_one_of_several_versions_may_not_go() {
        let mut failure = failure(FailureKind::Other);
        failure.detail = "biz1 is activated and has multiple versions".into();
        let code = failure.code(CommandKind::UninstallBiz).to_string();
        assert_eq!(code, "Arklet.UnInstallationRequirementNotMet");
    }

    #[test]
    fn a_fault_shows_the_cause_and_keeps_the_trace_for_the_log() {
        let error = CallError::Refused(failure(FailureKind::StartUp));
        let fault = error.to_fault(CommandKind::InstallBiz, "installing a:1");
        assert_eq!((fault.to_string(), fault.detail), ("installing a:1: why".into(), "why\n\tat x".into()));
        let fault = CallError::TimedOut.to_fault(CommandKind::Health, "asking b1");
        assert_eq!(fault.to_string(), "asking b1: the base did not answer in time");
    }
}
