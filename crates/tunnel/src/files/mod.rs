//! Files that settings name: certificates, keys, tokens and users, and how they are read again when
//! they change.

pub mod pem;
mod reloaded;

use std::{
    io,
    io::Read as _,
    path::{Path, PathBuf},
};

pub use reloaded::{Make, NamedFile, Reloaded};

/// Why a file is no good. Not worth a retry at the start; later the file of before goes on.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{variable}: {} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The variable that names it.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It holds something else.
    #[error("{variable}: {} {what}", path.display())]
    Content {
        /// The variable that names it.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never what is in it.
        what: String,
    },
}

/// What is wrong with a file's content.
pub fn content(variable: &'static str, path: &Path, what: impl Into<String>) -> FileError {
    FileError::Content { variable, path: path.to_owned(), what: what.into() }
}

/// The whole file, where it has no more than so many bytes.
pub(crate) fn read(variable: &'static str, path: &Path, max_bytes: u64) -> Result<Vec<u8>, FileError> {
    let unreadable = |cause| FileError::Unreadable { variable, path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    // One more, to know that there is more: a size that is asked for first may be another by now.
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > max_bytes) {
        return Err(content(variable, path, format!("has more than {max_bytes} bytes")));
    }
    Ok(bytes)
}
