//! Cargo, called from programs that cargo itself may have started.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What cargo tells a program that it runs begins with this. Build scripts look at some of it (that of `ring` does), and
/// would be run anew, with all that depends on them, each time a cargo is started by a cargo.
const TOLD: [&str; 5] = ["CARGO_BIN_", "CARGO_CRATE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_"];

/// Where cargo puts what it builds of a workspace.
pub fn target_dir(workspace: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from)
}

/// The cargo that runs us, in a folder, with these arguments.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(args).current_dir(folder);
    let told = |name: &OsStr| TOLD.iter().any(|prefix| name.to_string_lossy().starts_with(prefix));
    for (name, _) in env::vars_os().filter(|(name, _)| told(name)) {
        command.env_remove(name);
    }
    // The end-to-end tests run with it, and a cargo of theirs would build everything anew.
    command.env_remove("RUSTC_BOOTSTRAP");
    command
}
