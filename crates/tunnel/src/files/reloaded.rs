//! What is made of files, and made again when they change.
//!
//! The content is compared, not the time: Kubernetes swaps a link when it brings a Secret up to date,
//! and the file behind it may be as old as it likes.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use super::{FileError, read};

/// How often the files are looked at. A Secret reaches a Pod's files within a minute or two, so a few
/// seconds more are nothing; reading some KiB is nothing either.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A file that a setting names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The variable that names it.
    pub variable: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// How large it may be.
    pub max_bytes: u64,
}

/// Makes a value of the files' contents, in their order.
pub type Make<T> = Box<dyn Fn(&[NamedFile], &[Vec<u8>]) -> Result<T, FileError> + Send + Sync>;

struct Inner<T> {
    files: Vec<NamedFile>,
    make: Make<T>,
    current: RwLock<Arc<T>>,
    /// What was read last, whether it was good or not: the same is not judged twice.
    last: Mutex<Result<Vec<Vec<u8>>, String>>,
}

/// A value that follows its files. Clones are the same.
pub struct Reloaded<T>(Arc<Inner<T>>);

impl<T> Clone for Reloaded<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0.files).finish()
    }
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// The value of the files as they are.
    ///
    /// # Errors
    /// Where a file cannot be read or used.
    pub fn load(files: Vec<NamedFile>, make: Make<T>) -> Result<Self, FileError> {
        let contents = read_all(&files)?;
        let current = RwLock::new(Arc::new(make(&files, &contents)?));
        Ok(Self(Arc::new(Inner { files, make, current, last: Mutex::new(Ok(contents)) })))
    }

    /// The value of now.
    pub fn current(&self) -> Arc<T> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the files once. What is no good is said once, and what was good goes on.
    pub fn look(&self) {
        let Inner { files, make, current, last } = &*self.0;
        let read = read_all(files);
        let seen = read.as_ref().map(Vec::clone).map_err(ToString::to_string);
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == seen {
            return;
        }
        *last = seen;
        match read.and_then(|contents| make(files, &contents)) {
            Ok(made) => {
                *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
                tracing::info!(files = %self.names(), "read again, and used from now on");
            }
            Err(cause) => tracing::error!(%cause, "a changed file is no good; what was read before goes on"),
        }
    }

    /// Follows the files until the future is dropped.
    pub async fn follow(self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let this = self.clone();
            // A file system may take its time.
            let _ = tokio::task::spawn_blocking(move || this.look()).await;
        }
    }

    fn names(&self) -> String {
        self.0.files.iter().map(|file| file.variable).collect::<Vec<_>>().join(", ")
    }
}

fn read_all(files: &[NamedFile]) -> Result<Vec<Vec<u8>>, FileError> {
    files.iter().map(|file| read(file.variable, &file.path, file.max_bytes)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_link_is_followed_and_what_is_no_good_changes_nothing() {
        let directory = std::env::temp_dir().join(format!("tunnel-reloaded-{}", std::process::id()));
        let version = |name: &str, content: &str| {
            let to = directory.join(name);
            std::fs::create_dir_all(&to).unwrap();
            std::fs::write(to.join("number"), content).unwrap();
        };
        // As Kubernetes does it: `number` -> `..data/number`, `..data` -> the version.
        let swap = |name: &str| {
            let link = directory.join("..new");
            std::os::unix::fs::symlink(name, &link).unwrap();
            std::fs::rename(link, directory.join("..data")).unwrap();
        };
        version("v1", "1");
        version("v2", "2");
        version("bad", "no number");
        version("large", &"9".repeat(100));
        swap("v1");
        let path = directory.join("number");
        std::os::unix::fs::symlink("..data/number", &path).unwrap();
        let file = NamedFile { variable: "NUMBER", path, max_bytes: 20 };
        let make: Make<u32> = Box::new(|files, contents| {
            let text = String::from_utf8_lossy(contents.first().map_or(&[], Vec::as_slice)).into_owned();
            let bad = |_| super::super::content("NUMBER", &files.first().unwrap().path, "is no number");
            text.parse().map_err(bad)
        });
        let number = Reloaded::load(vec![file], make).unwrap();
        assert_eq!(*number.current(), 1);
        for (name, wanted) in [("v2", 2), ("bad", 2), ("v1", 1), ("large", 1), ("gone", 1), ("v2", 2)] {
            swap(name);
            number.look();
            assert_eq!(*number.current(), wanted, "{name}");
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
