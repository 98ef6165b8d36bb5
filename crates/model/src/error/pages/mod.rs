//! What each code means at length: for every standard code, and for the composed ones that this
//! controller itself uses, a page in each language; for all others what source and type say.

use std::fmt;

use super::{ErrorCode, ErrorSource, ErrorType, Language, StandardCode};

/// One file per code and language, in `en` and `zh`: a code whose page is missing does not build.
macro_rules! pages {
    ($($source:ident.$kind:ident),+ $(,)?) => {
        /// Every code that has a page, in the manual's order, the composed ones at the end.
        const WITH_PAGE: &[ErrorCode] =
            &[$(ErrorCode::new(ErrorSource::$source, ErrorType::$kind)),+];

        fn text(code: ErrorCode, language: Language) -> Option<&'static str> {
            Some(match (code.source, code.kind, language) {
                $(
                    (ErrorSource::$source, ErrorType::$kind, Language::English) => {
                        include_str!(concat!("en/", stringify!($source), ".", stringify!($kind), ".md"))
                    }
                    (ErrorSource::$source, ErrorType::$kind, Language::Chinese) => {
                        include_str!(concat!("zh/", stringify!($source), ".", stringify!($kind), ".md"))
                    }
                )+
                _ => return None,
            })
        }
    };
}

pages! {
    Arklet.UnknownError,
    ModuleController.InvalidParameter,
    ModuleController.InvalidRequest,
    OtherUpstream.DecodeURLFailed,
    Arklet.NoMatchedBiz,
    Arklet.InvalidBizName,
    Arklet.InstallationRequirementNotMet,
    Arklet.PullBizError,
    Arklet.PullBizTimeOut,
    User.DiskFull,
    User.MachineMalfunction,
    User.MetaspaceFull,
    Arklet.InstallBizExecuting,
    Arklet.InstallBizTimedOut,
    Arklet.InstallBizFailed,
    User.InstallBizUserError,
    Arklet.UninstallBizFailed,
    Arklet.UnInstallationRequirementNotMet,
    ModuleController.UnknownError,
    OtherUpstream.InvalidParameter,
    Arklet.ArkletServiceNotFound,
    Arklet.NetworkError,
    OtherUpstream.SecretAKError,
    ModuleController.DBAccessError,
    ModuleController.RetryTimesExceeded,
    ModuleController.ProcessNodeMissed,
    ModuleController.ServiceMissed,
    ModuleController.ResourceConstraned,
    Arklet.InstallModuleTimedOut,
    Arklet.InstallModuleFailed,
    User.InstallModuleFailed,
    Arklet.InstallModuleExecuting,
    OtherUpstream.EmptyIPList,
    Arklet.UninstallBizTimedOut,
    ModuleController.BaseInstanceNotFound,
    KubeAPIServer.GetBaseInstanceFailed,
    ModuleController.BaseInstanceInOperation,
    ModuleController.BaseInstanceNotReady,
    ModuleController.BaseInstanceHasBeenReplaced,
    ModuleController.InsufficientHealthyBaseInstance,
    ModuleController.RescaleRequirementNotMet,
    KouplelessBoard.UnknownError,
    KouplelessBoard.OperationPlanNotFound,
    KouplelessBoard.OperationPlanMutualExclusion,
    KouplelessBoard.InternalError,
    KouplelessBoard.ThreadPoolError,
    ModuleController.BaseInstanceOperationFailed,
    ModuleController.BaseInstanceUnderOperation,
    ModuleController.BaseInstanceOperationTimeOut,
    ModuleController.OverFiftyPercentBaseInstancesUnavaliable,
    KouplelessBoard.BaselineInconsistency,
    OtherDownstream.ExternalError,
    KouplelessBoard.NetworkError,
    OtherUpstream.InvalidRequest,
}

/// What a code means at length. `Display` is Markdown, with the code as its title.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    code: ErrorCode,
    language: Language,
}

impl ErrorCode {
    /// Every code that has a page of its own.
    pub fn with_page() -> &'static [Self] {
        WITH_PAGE
    }

    /// What it means at length, whether it is in the manual's tables or not.
    pub fn page(self, language: Language) -> Page {
        Page { code: self, language }
    }
}

impl Page {
    /// What only this code's page says; none for a code that is explained by its parts.
    pub fn body(&self) -> Option<&'static str> {
        text(self.code, self.language)
    }

    fn standard(&self, row: &StandardCode, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let language = self.language;
        let (component, area, meaning) = (row.component, row.area(language), row.meaning(language));
        match (language, row.suggestion(language)) {
            (Language::English, "") => writeln!(f, "- {component}, {area}: {meaning}."),
            (Language::English, suggestion) => {
                writeln!(f, "- {component}, {area}: {meaning}. Suggestion: {suggestion}.")
            }
            (Language::Chinese, "") => writeln!(f, "- {component}，{area}：{meaning}。"),
            (Language::Chinese, suggestion) => {
                writeln!(f, "- {component}，{area}：{meaning}。解决方案：{suggestion}。")
            }
        }
    }

    /// A code that is not in the tables means what its halves mean.
    fn composed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, kind) = (self.code.source.as_str(), self.code.kind.as_str());
        let meaning = self.code.source.meaning(self.language);
        match self.language {
            Language::English => writeln!(
                f,
                "Not in the manual's tables: composed of a source and a type, as the manual allows.\n\n\
                 - Source `{source}`: {meaning}."
            )?,
            Language::Chinese => writeln!(
                f,
                "手册的表中没有这个错误码：它由来源和类型组合而成，手册允许任意组合。\n\n- 来源 `{source}`：{meaning}。"
            )?,
        }
        let mut told = Vec::new();
        for row in StandardCode::all().iter().filter(|row| row.code.kind == self.code.kind) {
            let texts = (row.meaning(self.language), row.suggestion(self.language));
            if told.contains(&texts) {
                continue;
            }
            told.push(texts);
            match (self.language, texts) {
                (Language::English, (meaning, "")) => writeln!(f, "- Type `{kind}`: {meaning}.")?,
                (Language::English, (meaning, suggestion)) => {
                    writeln!(f, "- Type `{kind}`: {meaning}. Suggestion: {suggestion}.")?;
                }
                (Language::Chinese, (meaning, "")) => writeln!(f, "- 类型 `{kind}`：{meaning}。")?,
                (Language::Chinese, (meaning, suggestion)) => {
                    writeln!(f, "- 类型 `{kind}`：{meaning}。解决方案：{suggestion}。")?;
                }
            }
        }
        let relatives = WITH_PAGE.iter().filter(|other| other.kind == self.code.kind && **other != self.code);
        let relatives = relatives.map(|code| format!("`{code}`")).collect::<Vec<_>>();
        match self.language {
            Language::English => writeln!(f, "- See also {}.", relatives.join(", ")),
            Language::Chinese => writeln!(f, "- 参见 {}。", relatives.join("、")),
        }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}\n", self.code)?;
        let mut rows = self.code.rows().peekable();
        if rows.peek().is_none() {
            self.composed(f)?;
        }
        for row in rows {
            self.standard(row, f)?;
        }
        match self.body() {
            Some(body) => write!(f, "\n{body}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
