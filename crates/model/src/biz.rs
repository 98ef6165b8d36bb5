//! A biz: a module as a base knows it, by name and version.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::Timestamp;

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = WordError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let text = text.trim();
                if text.is_empty() {
                    return Err(WordError::Empty($what));
                }
                if text.len() > MAX_WORD_BYTES {
                    return Err(WordError::TooLong($what, text.len()));
                }
                if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
                    return Err(WordError::Blank($what));
                }
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

/// The longest biz name or version, in bytes: Kubernetes allows a container name 63, and a
/// version is a label value of the same length at most; the rest is room for other stacks.
pub const MAX_WORD_BYTES: usize = 253;

/// Why a name or a version is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// Nothing, or only white space.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// More than [`MAX_WORD_BYTES`].
    #[error("the {0} has {1} bytes; at most {MAX_WORD_BYTES} are taken")]
    TooLong(&'static str, usize),
    /// White space or a control character inside.
    #[error("the {0} holds white space or a control character")]
    Blank(&'static str),
}

word!(
    /// A module's name: the container's name in a Pod, the artifactId in a Java package.
    BizName,
    "biz name"
);
word!(
    /// A module's version: `BIZ_VERSION` in a Pod.
    BizVersion,
    "biz version"
);

/// A biz on a base: `name:version`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BizId {
    /// The module's name.
    pub name: BizName,
    /// The module's version.
    pub version: BizVersion,
}

impl fmt::Display for BizId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.version)
    }
}

impl fmt::Debug for BizId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The state that a base reports for a biz. Bases write it in any letter case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BizState {
    /// Known to the base, nothing done yet.
    Unresolved,
    /// Unpacked; it is being started.
    Resolved,
    /// Started, and the version that serves.
    Activated,
    /// Started, but another version is the one that serves.
    Deactivated,
    /// Its start failed and the base kept what is left.
    Broken,
    /// It stopped.
    Stopped,
    /// The base holds it in a state that it does not tell, or that has none of the names above: not known to serve.
    Unknown,
}

impl BizState {
    /// The state's name, lower case, as Arklet writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Resolved => "resolved",
            Self::Activated => "activated",
            Self::Deactivated => "deactivated",
            Self::Broken => "broken",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for BizState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no biz state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no biz state (unresolved, resolved, activated, deactivated, broken, stopped)")]
pub struct UnknownBizState(pub String);

impl FromStr for BizState {
    type Err = UnknownBizState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Unresolved, Self::Resolved, Self::Activated, Self::Deactivated, Self::Broken, Self::Stopped]
            .into_iter()
            .find(|state| state.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| UnknownBizState(text.chars().take(64).collect()))
    }
}

/// One biz in a base's answer to `queryAllBiz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BizStatus {
    /// Which.
    pub id: BizId,
    /// Its state.
    pub state: BizState,
    /// When it came into this state, by the base's clock; none where the base does not tell.
    pub changed_at: Option<Timestamp>,
    /// What the base says of the change: for [`BizState::Broken`] the stack trace of the failure.
    pub message: Arc<str>,
    /// Where its pages are served under the base's port, without slashes; none where unknown.
    pub web_context_path: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_in_any_case() {
        for (text, state) in [
            ("ACTIVATED", BizState::Activated),
            ("deActivated", BizState::Deactivated),
            ("broken", BizState::Broken),
            ("STOPPED", BizState::Stopped),
            ("Resolved", BizState::Resolved),
            ("unresolved", BizState::Unresolved),
        ] {
            assert_eq!(text.parse::<BizState>().unwrap(), state);
        }
        assert_eq!("running".parse::<BizState>(), Err(UnknownBizState("running".into())));
    }

    #[test]
    fn words_are_trimmed_and_blank_ones_refused() {
        assert_eq!(" 1.0.0 ".parse::<BizVersion>().unwrap().as_str(), "1.0.0");
        assert_eq!("".parse::<BizVersion>(), Err(WordError::Empty("biz version")));
        assert_eq!("a b".parse::<BizName>(), Err(WordError::Blank("biz name")));
    }
}
