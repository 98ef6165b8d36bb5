//! The controller as one file that needs no other: what the image has in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::{artifacts, cargo, names, tools};

/// Everything is linked in, the C library too.
const STATIC: &str = "-Ctarget-feature=+crt-static";

/// How it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As for tests: quickly, and of the dependencies that they have.
    Dev,
    /// As it is released: small, and without a path of the machine in it.
    Release,
}

/// Builds it where it is not there as the sources are now, and says where it is.
pub fn build(profile: Profile) -> Result<PathBuf> {
    let (repository, target) = (artifacts::repository(), target()?);
    // With a target that is named the flags are not those of build scripts and macros, which cannot be linked so.
    let mut args = vec!["build", "--quiet", "--locked", "--target", target, "--bin", "module-controller"];
    args.extend(match profile {
        Profile::Dev => &["--workspace"][..],
        Profile::Release => &["--release", "--package", "controller"],
    });
    let mut command = cargo::command(&repository, &args);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(profile, &repository).join("\x1f"));
    let status = command.status().context("starting cargo")?;
    ensure!(status.success(), "cargo {} failed ({status})", args.join(" "));
    let dir = env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), PathBuf::from);
    let name = if profile == Profile::Dev { "debug" } else { "release" };
    let program = dir.join(target).join(name).join("module-controller");
    ensure!(program.is_file(), "cargo built no {}", program.display());
    if profile == Profile::Dev { without_symbols(&program) } else { Ok(program) }
}

/// A copy that is a third as large, for images and archives of tests. The release profile leaves symbols out by itself.
fn without_symbols(program: &Path) -> Result<PathBuf> {
    let (copy, new) = (program.with_extension("stripped"), program.with_extension(names::unique("new")));
    let strip = tools::require("strip", "make a small program", "it comes with every C compiler: binutils")?;
    let status = Command::new(strip).arg("-o").arg(&new).arg(program).status().context("starting strip")?;
    ensure!(status.success(), "strip failed ({status})");
    // At once, for tests that run beside each other.
    fs::rename(&new, &copy).with_context(|| format!("renaming {}", new.display()))?;
    Ok(copy)
}

/// What it is built for: this machine's kind, with glibc, whose static form resolves names by itself.
pub fn target() -> Result<&'static str> {
    match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => Ok("x86_64-unknown-linux-gnu"),
        ("linux", "aarch64") => Ok("aarch64-unknown-linux-gnu"),
        (os, arch) => {
            bail!("the static program is made on Linux, on x86_64 and aarch64; this is {os} on {arch}")
        }
    }
}

/// That kind by the name that images and Go have for it.
pub fn architecture() -> Result<&'static str> {
    Ok(if target()?.starts_with("x86_64") { "amd64" } else { "arm64" })
}

/// The caller's own flags, and ours.
fn flags(profile: Profile, repository: &Path) -> Vec<String> {
    let mut flags: Vec<String> = match (env::var("CARGO_ENCODED_RUSTFLAGS"), env::var("RUSTFLAGS")) {
        (Ok(encoded), _) if !encoded.is_empty() => encoded.split('\x1f').map(str::to_owned).collect(),
        (_, plain) => plain.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
    };
    flags.push(STATIC.to_owned());
    if profile == Profile::Release {
        // A panic names its place in the sources: not where these were, so that two machines make the same program.
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
        for (from, to) in [(cargo, "/cargo"), (Some(repository.to_owned()), "/src")] {
            flags.extend(from.map(|from| format!("--remap-path-prefix={}={to}", from.display())));
        }
    }
    flags
}

/// The C library that is linked in, as `glibc 2.36`.
pub fn c_library() -> Result<String> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().context("starting getconf")?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    ensure!(
        output.status.success() && said.starts_with("glibc "),
        "getconf tells no version of glibc: {said:?}"
    );
    Ok(said)
}
