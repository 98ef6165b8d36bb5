//! Directories for logs, sockets and configuration of what is started.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{env, fs, thread};

use anyhow::{Context, Result};

use crate::names;

/// What a killed process or a failed test left is removed after this time; until then its logs can be read.
const KEEP: Duration = Duration::from_secs(3600);

/// A directory of its own, removed on drop, unless the thread is panicking (a failed test: its path is then printed)
/// or `TESTKIT_KEEP` is set.
#[derive(Debug)]
pub struct WorkDir(PathBuf);

impl WorkDir {
    /// A new, empty directory that only its owner can read, with `name` in its path.
    pub fn new(name: &str) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let parent = env::temp_dir().join("module-controller-tests");
        fs::create_dir_all(&parent).with_context(|| format!("creating {}", parent.display()))?;
        sweep(&parent);
        let path = parent.join(names::unique(name));
        let _ = fs::remove_dir_all(&path); // of an earlier process with our number
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of `name` in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if thread::panicking() || env::var_os("TESTKIT_KEEP").is_some() {
            eprintln!("testkit: kept {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Removes what nobody has touched for [`KEEP`]. Failing at it harms nothing.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let touched = entry.metadata().and_then(|m| m.modified()).unwrap_or_else(|_| SystemTime::now());
        let owner_lives = owner(&entry.file_name().to_string_lossy())
            .is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !owner_lives && touched.elapsed().is_ok_and(|age| age > KEEP) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The process number in a name that [`names::unique`] made.
fn owner(name: &str) -> Option<&str> {
    name.rsplit('-').nth(1)
}
