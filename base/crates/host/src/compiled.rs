//! What was compiled: made in a process of its own, kept on disk, mapped from there.

use std::{
    fs,
    hash::{Hash as _, Hasher},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::SystemTime,
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    sync::Semaphore,
};
use wasmtime::{Engine, component::Component};

use crate::{
    compiler::CompilerLimits,
    error::{HostError, LoadError},
};

/// The most packages that are kept compiled. The one that was used least lately goes.
const MAX_KEPT: usize = 256;

/// The most that is read of what the compiler complains.
const MAX_COMPLAINT_BYTES: u64 = 16 * 1024;

/// The cache, and who fills it.
#[derive(Debug)]
pub(crate) struct Compiled {
    folder: PathBuf,
    compiler: (PathBuf, Vec<String>),
    limits: CompilerLimits,
    /// What code is good for: this wasmtime, these settings, this processor.
    compatibility: String,
    /// One process at a time: a compiler takes all processors that there are.
    compiling: Semaphore,
}

impl Compiled {
    pub(crate) fn open(
        engine: &Engine,
        folder: PathBuf,
        compiler: (PathBuf, Vec<String>),
        limits: CompilerLimits,
    ) -> Result<Self, HostError> {
        let io = |source| HostError::Io { what: format!("opening {}", folder.display()), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io)?;
        let metadata = fs::metadata(&folder).map_err(io)?;
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
        if metadata.mode() & 0o022 != 0 || !is_ours {
            return Err(HostError::Writable(folder.display().to_string()));
        }
        let mut hash = Digested(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hash);
        let compatibility = hex(&hash.0.finalize());
        Ok(Self { folder, compiler, limits, compatibility, compiling: Semaphore::new(1) })
    }

    /// The code of a package, compiled where it is not there yet.
    pub(crate) async fn component(&self, engine: &Engine, package: Bytes) -> Result<Component, LoadError> {
        let mut sha = Sha256::new();
        sha.update(&self.compatibility);
        sha.update(&package);
        let file = self.folder.join(format!("{}.code", hex(&sha.finalize())));
        if !file.is_file() {
            let _turn = self.compiling.acquire().await;
            if !file.is_file() {
                let code = self.compile(package).await?;
                self.keep(&file, &code)?;
                self.prune(&file);
            }
        }
        // What is used is young.
        let touched = fs::File::open(&file).and_then(|file| file.set_modified(SystemTime::now()));
        if let Err(error) = touched {
            tracing::debug!("{}: {error}", file.display());
        }
        map(engine, &file)
    }

    async fn compile(&self, package: Bytes) -> Result<Vec<u8>, LoadError> {
        let (program, args) = &self.compiler;
        let io =
            |source| HostError::Io { what: format!("starting the compiler {}", program.display()), source };
        let mut child = Command::new(program)
            .args(args)
            .args(["--memory-mib", &self.limits.memory_mib.to_string()])
            .args(["--cpu-seconds", &self.limits.cpu.as_secs().max(1).to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(io)?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut input), Some(mut output), Some(errors)) = (input, output, errors) else {
            return Err(io(std::io::Error::other("it has no pipes")).into());
        };
        let (mut code, mut complaint) = (Vec::new(), Vec::new());
        let mut errors = errors.take(MAX_COMPLAINT_BYTES);
        let work = async {
            let write = async {
                // A compiler that ends early says why on its own.
                let _ = input.write_all(&package).await;
                drop(input);
            };
            let (_, code, _) =
                tokio::join!(write, output.read_to_end(&mut code), errors.read_to_end(&mut complaint));
            code?;
            child.wait().await
        };
        let status = tokio::time::timeout(self.limits.time, work)
            .await
            .map_err(|_| LoadError::CompilerLimit(format!("{:?}", self.limits.time)))?
            .map_err(io)?;
        if status.success() {
            return Ok(code);
        }
        let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
        match status.code() {
            Some(1) if !complaint.is_empty() => Err(LoadError::Invalid(complaint)),
            _ => Err(LoadError::CompilerLimit(format!(
                "{} MiB, {:?} of processor time; it ended with {status}",
                self.limits.memory_mib, self.limits.cpu
            ))),
        }
    }

    /// All of it or nothing: whoever is killed here leaves no half file.
    fn keep(&self, file: &Path, code: &[u8]) -> Result<(), HostError> {
        let new = file.with_extension(format!("{}.new", std::process::id()));
        let io = |source| HostError::Io { what: format!("writing {}", file.display()), source };
        fs::write(&new, code).and_then(|()| fs::rename(&new, file)).map_err(io)
    }

    /// Failing at it harms nothing.
    fn prune(&self, newest: &Path) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter(|entry| entry.path() != newest)
            .filter_map(|entry| Some((entry.metadata().and_then(|m| m.modified()).ok()?, entry.path())))
            .collect();
        files.sort();
        for (_, old) in files.iter().rev().skip(MAX_KEPT - 1) {
            let _ = fs::remove_file(old);
        }
    }
}

#[expect(unsafe_code, reason = "code that was compiled before is believed to be what the compiler made")]
fn map(engine: &Engine, file: &Path) -> Result<Component, LoadError> {
    // SAFETY: the file was written by a compiler that we started, into a folder that only we can write to (`open` looks),
    // under a name that is the hash of its package. It is replaced by renaming only, so that what is mapped stays.
    let component = unsafe { Component::deserialize_file(engine, file) };
    component.map_err(|error| {
        // Half a disk's block, or a wasmtime of another build: the next install compiles anew.
        let _ = fs::remove_file(file);
        LoadError::Host(HostError::Engine(format!("{error:#}")))
    })
}

/// A hash that stays the same from one process to the next.
struct Digested(Sha256);

impl Hasher for Digested {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks: the digest is taken.
    fn finish(&self) -> u64 {
        0
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
