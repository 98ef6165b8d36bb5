//! The end-to-end tests. Most of their time is waiting, so that more of them run at a time than there are processors.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::artifacts;

use crate::cargo;

/// How many tests run at a time for each processor. With more the machine is busy, and deadlines are missed.
const PER_PROCESSOR: usize = 2;

/// The test program, started not by cargo: the variable that has it tell how long each test took would have cargo build
/// everything anew. With `all` it runs also those that `cargo xtask test --long` runs and the usual run does not.
pub(super) fn command(filter: Option<&str>, all: bool) -> Result<Command> {
    let mut command = Command::new(program()?);
    command.current_dir(artifacts::repository().join("tests"));
    if env::var_os("RUST_TEST_THREADS").is_none() {
        let threads = available_parallelism().map_or(1, usize::from) * PER_PROCESSOR;
        command.env("RUST_TEST_THREADS", threads.to_string());
    }
    command.env("RUSTC_BOOTSTRAP", "1").args(["-Z", "unstable-options", "--report-time"]).args(filter);
    command.args(all.then_some("--include-ignored"));
    Ok(command)
}

/// Where cargo has put it.
fn program() -> Result<PathBuf> {
    let args =
        ["test", "--workspace", "--test", "e2e", "--no-run", "--message-format", "json-render-diagnostics"];
    let output =
        cargo::command(&args).stderr(std::process::Stdio::inherit()).output().context("starting cargo")?;
    ensure!(output.status.success(), "cargo {} failed ({})", args.join(" "), output.status);
    let messages = String::from_utf8(output.stdout).context("reading what cargo says")?;
    executable(&messages).context("cargo names no program of the end-to-end tests")
}

fn executable(messages: &str) -> Option<PathBuf> {
    let is_it = |message: &Value| {
        let is = |pointer: &str, what: &str| message.pointer(pointer).and_then(Value::as_str) == Some(what);
        is("/target/name", "e2e") && is("/target/kind/0", "test")
    };
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs =
        messages.filter(is_it).filter_map(|it| Some(PathBuf::from(it.get("executable")?.as_str()?)));
    programs.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_the_tests_is_found_and_no_library_of_the_name() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"e2e"},"executable":"/t/e2e-1"}
{"reason":"compiler-artifact","target":{"kind":["test"],"name":"seeds"},"executable":"/t/seeds-1"}
a line of something else
{"reason":"compiler-artifact","target":{"kind":["test"],"name":"e2e"},"executable":"/t/e2e-2"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/e2e-2")));
        assert_eq!(executable(""), None);
    }
}
