//! What takes long to build is built once per state of its sources, for all clones and processes of a user.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};
use std::{env, process, thread};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// Entries kept of one name: the current one, and the one of the branch that one comes from or goes back to.
const KEEP: usize = 2;

/// How often a long build says that it is still at it.
const PROGRESS: Duration = Duration::from_secs(5);

/// `$MODULE_CONTROLLER_CACHE`, or `module-controller` in the user's cache directory.
pub(crate) fn root() -> Result<PathBuf> {
    let dir = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    dir("MODULE_CONTROLLER_CACHE")
        .or_else(|| dir("XDG_CACHE_HOME").map(|d| d.join("module-controller")))
        .or_else(|| dir("HOME").map(|d| d.join(".cache/module-controller")))
        .context("no place for the cache: set MODULE_CONTROLLER_CACHE or HOME")
}

/// The directory of the artefact `name`, built from `sources` by `build` (given an empty directory) if it is not there.
pub(crate) fn entry(name: &str, sources: &Path, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    entry_of(name, &[sources.to_owned()], build)
}

/// As [`entry`], of sources in several folders.
pub(crate) fn entry_of(
    name: &str,
    sources: &[PathBuf],
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let root = root()?;
    let hash = hash(sources)?;
    let dir = root.join(format!("{name}-{hash}"));
    if dir.is_dir() {
        return Ok(dir);
    }
    fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
    let _lock = lock(&root, name)?;
    if dir.is_dir() {
        return Ok(dir); // another process built it while we waited
    }
    let new = root.join(format!(".{name}-{hash}-{}", process::id()));
    let _ = fs::remove_dir_all(&new);
    fs::create_dir_all(&new).with_context(|| format!("creating {}", new.display()))?;
    if let Err(e) = build(&new) {
        let _ = fs::remove_dir_all(&new);
        let first = sources.first().map(|dir| dir.display().to_string()).unwrap_or_default();
        return Err(e).with_context(|| format!("building {name} from {first}"));
    }
    fs::rename(&new, &dir).with_context(|| format!("renaming {} to {}", new.display(), dir.display()))?;
    prune(&root, name);
    Ok(dir)
}

/// Holds off other processes that build `name` until it is dropped.
pub(crate) fn lock(root: &Path, name: &str) -> Result<File> {
    let path = root.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("testkit: waiting for another process that builds {name}");
        file.lock().with_context(|| format!("locking {}", path.display()))?;
    }
    Ok(file)
}

/// Runs a build step, its output going to a log that is shown when it fails, and says from time to time that it runs.
pub(crate) fn run(what: &str, mut command: Command, log: &Path) -> Result<()> {
    let out = File::create(log).with_context(|| format!("opening {}", log.display()))?;
    let err = out.try_clone().with_context(|| format!("opening {}", log.display()))?;
    let start = Instant::now();
    eprintln!("testkit: {what} ...");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .with_context(|| format!("{what}: starting {:?}", command.get_program()))?;
    let (ended, end) = mpsc::channel::<()>();
    let status = thread::scope(|scope| {
        scope.spawn(move || {
            while end.recv_timeout(PROGRESS) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("testkit: {what} ... {} s", start.elapsed().as_secs());
            }
        });
        let status = child.wait();
        drop(ended);
        status
    })
    .with_context(|| format!("{what}: waiting"))?;
    if !status.success() {
        let text = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n");
        bail!(
            "{what} failed ({status}) after {} s; the end of its output:\n{tail}",
            start.elapsed().as_secs()
        );
    }
    eprintln!("testkit: {what}: done in {} s", start.elapsed().as_secs());
    Ok(())
}

/// All files below `dir`, as paths relative to it, sorted; without what a build or an editor leaves there.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(sub) = open.pop() {
        let path = dir.join(&sub);
        for entry in fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))? {
            let entry = entry.with_context(|| format!("reading {}", path.display()))?;
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if text.starts_with('.')
                || text == "target"
                || text == "node_modules"
                || text == "dist"
                || text == "README.md"
                || text.ends_with('~')
            {
                continue;
            }
            let kind = entry.file_type().with_context(|| format!("reading {}", path.display()))?;
            if kind.is_dir() {
                open.push(sub.join(name));
            } else if kind.is_file() {
                found.push(sub.join(name));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies what [`files`] finds: for builds that write beside their sources.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        let place = to.join(&file);
        let copied = fs::create_dir_all(place.parent().unwrap_or(to))
            .and_then(|()| fs::copy(from.join(&file), &place).map(drop));
        copied.with_context(|| format!("copying {} to {}", file.display(), to.display()))?;
    }
    Ok(())
}

/// The first 16 hex digits of the SHA-256 over every file's path and content.
fn hash(dirs: &[PathBuf]) -> Result<String> {
    let mut sha = Sha256::new();
    for dir in dirs {
        for file in files(dir)? {
            let path = dir.join(&file);
            let content = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            let name = file.to_string_lossy();
            for part in [name.as_bytes(), &content] {
                sha.update(part.len().to_le_bytes());
                sha.update(part);
            }
        }
    }
    Ok(sha.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// Removes the older entries of `name`. Failing at it harms nothing.
fn prune(root: &Path, name: &str) {
    let Ok(entries) = fs::read_dir(root) else { return };
    let prefix = format!("{name}-");
    let mut old: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().strip_prefix(&prefix).is_some_and(is_hash))
        .filter_map(|e| Some((e.metadata().and_then(|m| m.modified()).ok()?, e.path())))
        .collect();
    old.sort();
    for (_, path) in old.iter().rev().skip(KEEP) {
        let _: io::Result<()> = fs::remove_dir_all(path);
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
