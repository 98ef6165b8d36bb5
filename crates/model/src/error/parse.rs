//! From text to a code: as a user types it, in any case.

use std::str::FromStr;

use super::{ErrorCode, ErrorSource, ErrorType};

/// A text that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCode {
    /// It has no `.` in it.
    #[error("a code is written Source.Type")]
    Shape,
    /// What stands before the `.` is no source.
    #[error("{0:?} is no source of errors")]
    Source(String),
    /// What stands behind it is no type.
    #[error("{0:?} is no type of error")]
    Type(String),
}

/// The most characters of a foreign text that are shown.
const MAX_SHOWN_CHARS: usize = 64;

impl ErrorSource {
    /// The source of a name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|source| source.as_str().eq_ignore_ascii_case(name))
    }
}

impl ErrorType {
    /// The type of a name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }
}

impl FromStr for ErrorCode {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = |text: &str| text.chars().take(MAX_SHOWN_CHARS).collect();
        let (source, kind) = text.trim().split_once('.').ok_or(UnknownCode::Shape)?;
        let source = ErrorSource::from_name(source).ok_or_else(|| UnknownCode::Source(shown(source)))?;
        let kind = ErrorType::from_name(kind).ok_or_else(|| UnknownCode::Type(shown(kind)))?;
        Ok(Self::new(source, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_as_it_is_written() {
        for source in ErrorSource::ALL {
            for kind in ErrorType::ALL {
                let code = ErrorCode::new(*source, *kind);
                assert_eq!(code.to_string().parse(), Ok(code));
                assert_eq!(format!(" {} ", code.to_string().to_lowercase()).parse(), Ok(code));
            }
        }
    }

    #[test]
    fn what_is_no_code_says_which_half_is_wrong() {
        let error = |text: &str| text.parse::<ErrorCode>().unwrap_err().to_string();
        assert_eq!(error("DiskFull"), "a code is written Source.Type");
        assert_eq!(error("Disk.DiskFull"), "\"Disk\" is no source of errors");
        assert_eq!(error("User.Disk.Full"), "\"Disk.Full\" is no type of error");
        assert_eq!(
            error(&format!("User.{}", "x".repeat(1000))).chars().count(),
            66 + " is no type of error".len()
        );
    }
}
