//! The controller as one file that needs no other: what the image has in it.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{artifacts, cargo, controller};

/// Everything is linked in, the C library too.
const STATIC: &str = "-Ctarget-feature=+crt-static";

/// Builds it as it is released: small, and without a path of the machine in it.
pub fn release() -> Result<PathBuf> {
    let (repository, target) = (artifacts::repository(), target()?);
    // It is in the program; a debug build reads it from its folder.
    artifacts::page()?;
    // With a target that is named the flags are not those of build scripts and macros, which cannot be linked so.
    let package = ["--package", "controller", "--bin", "module-controller"];
    let args = [&["build", "--quiet", "--locked", "--target", target, "--release"][..], &package].concat();
    let mut command = cargo::command(&repository, &args);
    command.env("CARGO_ENCODED_RUSTFLAGS", release_flags(&repository).join("\x1f"));
    run(command, "build")?;
    let program = cargo::target_dir(&repository).join(target).join("release/module-controller");
    ensure!(program.is_file(), "cargo built no {}", program.display());
    Ok(program)
}

/// The one of tests, made of the libraries that their own program is made of: only the last crate is compiled again. It is built
/// where it is not there, or older than that program.
pub fn of_tests() -> Result<PathBuf> {
    target()?;
    let repository = artifacts::repository();
    let folder = cargo::target_dir(&repository).join("static");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let program = folder.join("module-controller");
    // Tests run beside each other.
    let lock = File::create(folder.join("lock")).context("the lock of the static program")?;
    lock.lock().context("locking the static program")?;
    let built = |path: &Path| path.metadata().and_then(|file| file.modified());
    if built(&program).ok() > Some(built(&controller::program()?).context("the program of tests")?) {
        return Ok(program);
    }
    let new = folder.join("module-controller.new");
    let args =
        ["rustc", "--quiet", "--locked", "--package", "controller", "--bin", "module-controller", "--"];
    let mut command = cargo::command(&repository, &args);
    // The program that tests run stays where it is.
    command.args([STATIC, "-Cstrip=symbols", &format!("--emit=link={}", new.display())]);
    run(command, "rustc")?;
    fs::rename(&new, &program).with_context(|| format!("cargo built no {}", new.display()))?;
    Ok(program)
}

fn run(mut command: Command, what: &str) -> Result<()> {
    let status = command.status().context("starting cargo")?;
    ensure!(status.success(), "cargo {what} of the static program failed ({status})");
    Ok(())
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
fn release_flags(repository: &Path) -> Vec<String> {
    let mut flags: Vec<String> = match (env::var("CARGO_ENCODED_RUSTFLAGS"), env::var("RUSTFLAGS")) {
        (Ok(encoded), _) if !encoded.is_empty() => encoded.split('\x1f').map(str::to_owned).collect(),
        (_, plain) => plain.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
    };
    flags.push(STATIC.to_owned());
    // A panic names its place in the sources: not where these were, so that two machines make the same program.
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    for (from, to) in [(cargo, "/cargo"), (Some(repository.to_owned()), "/src")] {
        flags.extend(from.map(|from| format!("--remap-path-prefix={}={to}", from.display())));
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
