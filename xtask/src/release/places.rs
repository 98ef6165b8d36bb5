//! Files of the repository, copied into what becomes an archive.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testkit::artifacts;

/// One file, with its mode, and the folder that it is in.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))
        .with_context(|| format!("creating the folder of {}", to.display()))?;
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}

/// What git knows below a folder, as it is now: nothing that an editor or a build left there.
pub(super) fn copy_repository(folder: &str, to: &Path) -> Result<()> {
    let from = artifacts::repository().join(folder);
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--", "."]).current_dir(&from);
    let output = git.output().context("starting git")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git ls-files in {folder}: {}", said.trim());
    let names = String::from_utf8(output.stdout).context("a file's name that is no UTF-8")?;
    let files: Vec<&str> = names.split('\0').filter(|name| !name.is_empty()).collect();
    ensure!(!files.is_empty(), "git knows no file in {folder}");
    for file in files {
        copy(&from.join(file), &to.join(file))?;
    }
    Ok(())
}
