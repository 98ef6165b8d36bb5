//! What may be found, and its page: a section of docs/reference/checks.md, which is in the program.

use std::fmt;

use model::Language;

const ENGLISH: &str = include_str!("../../../../docs/reference/checks.md");
const CHINESE: &str = include_str!("../../../../docs/reference/checks.zh-CN.md");

/// How the paragraph of a page begins that says what to do.
const REMEDY: [&str; 2] = ["What to do: ", "怎么处理："];

macro_rules! codes {
    ($($code:ident: $severity:ident;)+) => {
        /// What is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Code {
            $(#[doc = stringify!($code)] $code,)+
        }

        impl Code {
            /// Each that there is.
            pub(crate) const ALL: &[Self] = &[$(Self::$code),+];

            /// As it is written.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)+
                }
            }

            /// How bad it is.
            pub(crate) fn severity(self) -> Severity {
                match self {
                    $(Self::$code => Severity::$severity,)+
                }
            }
        }
    };
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Something does not work.
    Error,
    /// Something may not work, or not as it was meant.
    Warning,
}

codes! {
    ApiTooOld: Warning;
    DefinitionMissing: Error;
    DefinitionOutdated: Warning;
    PermissionMissing: Error;
    InstallForbidden: Error;
    ControllerNotReady: Error;
    ReplicasNotSharing: Error;
    ClientIdShared: Error;
    EnvironmentShared: Error;
    ReplicaWithoutPlans: Error;
    ServiceMissing: Warning;
    PortClosed: Error;
    BrokerUnreachable: Error;
    BrokerUntrusted: Error;
    BrokerRefuses: Error;
    CommandsRetained: Warning;
    ClockSkewed: Warning;
    BaseSilent: Error;
    BaseUnanswering: Error;
    ModuleLabelMissing: Error;
    SelectorMismatch: Error;
    VersionMissing: Error;
    PackageUnreadable: Error;
    AnnotationUnreadable: Error;
    TolerationMissing: Error;
    NoMatchingBase: Warning;
    ResourcesNotOffered: Error;
    LimitRangeRequests: Error;
    QuotaExhausted: Error;
    ContainersInjected: Warning;
    UpdateDeadlock: Error;
    MatchLabelKeysIgnored: Error;
    PeerOfEveryEnvironment: Warning;
}

impl Code {
    /// As somebody types it, in upper or lower case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(name))
    }

    /// Its section, heading and all.
    pub(crate) fn page(self, language: Language) -> String {
        format!("# {self}\n\n{}\n", self.section(language))
    }

    /// What to do about it, in one line.
    pub(crate) fn remedy(self, language: Language) -> String {
        let paragraphs = self.section(language).split("\n\n");
        let words = REMEDY.map(|words| paragraphs.clone().find_map(|text| text.strip_prefix(words)));
        let remedy = words.into_iter().flatten().next().unwrap_or_default();
        remedy.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn section(self, language: Language) -> &'static str {
        let page = if language == Language::English { ENGLISH } else { CHINESE };
        let sections = page.split("\n## ").skip(1);
        let mut own = sections.filter_map(|section| section.split_once('\n'));
        own.find(|(heading, _)| *heading == self.as_str()).map(|(_, text)| text.trim()).unwrap_or_default()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The page of a finding's code, for `explain`; none where there is no such code.
pub fn page(name: &str, language: Language) -> Option<String> {
    Code::from_name(name).map(|code| code.page(language))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_with_its_remedy_and_no_page_is_left_over() {
        for language in Language::ALL {
            for code in Code::ALL {
                let page = code.page(*language);
                assert!(page.lines().count() > 4, "{code} in {language:?}: {page}");
                assert!(code.remedy(*language).len() > 20, "{code} in {language:?}: no remedy");
            }
        }
        for page in [ENGLISH, CHINESE] {
            let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
            let unknown: Vec<&str> = headings.filter(|name| Code::from_name(name).is_none()).collect();
            assert_eq!(unknown, [] as [&str; 0]);
        }
    }
}
