//! Programs of the machine, and what to do about one that is missing.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

/// Where `program` is on the PATH (or in the sbin directories, which a plain user's PATH lacks).
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into(), "/usr/local/go/bin".into()])
        .map(|dir| dir.join(program))
        .find(is_executable)
}

fn is_executable(file: &PathBuf) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// `program`, or an error that says what it is for and how to get it.
pub(crate) fn require(program: &str, purpose: &str, remedy: &str) -> Result<PathBuf> {
    find(program).with_context(|| format!("`{program}` is needed to {purpose}: {remedy}"))
}

/// `program`, installed from the Debian package `package` when it is missing and we may do that.
pub(crate) fn require_debian(program: &str, package: &str, purpose: &str) -> Result<PathBuf> {
    if let Some(file) = find(program) {
        return Ok(file);
    }
    let remedy = format!("sudo apt-get install {package}");
    if !rustix::process::geteuid().is_root() || find("apt-get").is_none() {
        bail!("`{program}` is needed to {purpose}: {remedy}");
    }
    eprintln!("testkit: installing the Debian package {package}");
    for args in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends", package]] {
        let status = Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1") // a package that brings a service must not start it: we run our own
            .stdout(std::io::stderr())
            .status()
            .context("running apt-get")?;
        if !status.success() {
            bail!(
                "apt-get {} failed ({status}); `{program}` is needed to {purpose}: {remedy}",
                args.join(" ")
            );
        }
    }
    find(program).with_context(|| format!("the package {package} was installed, but brought no `{program}`"))
}
