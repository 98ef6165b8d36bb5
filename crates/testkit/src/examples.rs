//! The modules of `examples/`: made by the commands of their pages, installed on a base and asked.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::artifacts::{self, repository};
use crate::wasm_base::{WasmBase, WasmBaseOptions};
use crate::{cache, http};

/// The commands of a page that bring a tool begin so. Where one fails, the tool is not to be had here.
const TOOLS: [&str; 4] = ["rustup ", "python3 -m venv ", "venv/bin/pip ", "npm install"];

/// How long an install takes at most: what a scripting language brings along is compiled for seconds.
const INSTALL: Duration = Duration::from_secs(120);

/// A module in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Example {
    /// `examples/javascript`.
    JavaScript,
    /// `examples/python`.
    Python,
    /// `examples/rust`.
    Rust,
}

/// What came of trying one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It was built, installed and answered.
    Answered,
    /// This command of its page fails here, so that its tool is not to be had.
    NoTool(String),
}

impl Example {
    fn folder(self) -> &'static str {
        match self {
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Rust => "rust",
        }
    }

    /// Builds it by the commands of its page, installs it and asks it: once per state of its sources and the base's.
    pub fn test(self) -> Result<Tried> {
        let sources = repository().join("examples").join(self.folder());
        let page = fs::read_to_string(sources.join("README.md")).context("the page of an example")?;
        let commands = commands(&page).context("the page of an example has no commands")?;
        let mut no_tool = None;
        let all = [sources.clone(), repository().join("base"), repository().join("crates/model")];
        let tested = cache::entry_of(&format!("tested-{}", self.folder()), &all, |new| {
            let copy = new.join("src");
            cache::copy(&sources, &copy)?;
            for command in &commands {
                let ran = run(command, &copy);
                if ran.is_err() && TOOLS.iter().any(|tool| command.starts_with(tool)) {
                    no_tool = Some((*command).to_owned());
                }
                ran?;
            }
            let package = commands.last().and_then(|stamp| stamp.rsplit(' ').next()).context("a package")?;
            answers(&copy.join(package), &format!("hello-{}", self.name()))?;
            fs::remove_dir_all(&copy).context("removing the copy of the example")
        });
        match no_tool {
            Some(command) => Ok(Tried::NoTool(command)),
            None => tested.map(|_| Tried::Answered),
        }
    }

    /// What its module is called after.
    fn name(self) -> &'static str {
        match self {
            Self::JavaScript => "js",
            other => other.folder(),
        }
    }
}

/// What a reader of the page types.
fn commands(page: &str) -> Option<Vec<&str>> {
    let (_, rest) = page.split_once("```sh\n")?;
    let (block, _) = rest.split_once("```")?;
    Some(block.lines().filter(|line| !line.is_empty()).collect())
}

/// A command of the page, in the folder of the example, with `base` to be found.
fn run(command: &str, folder: &Path) -> Result<()> {
    let base = artifacts::wasm_base()?.program();
    let mut path = OsString::from(base.parent().unwrap_or(folder));
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder).env("PATH", path);
    // An example is built as its reader builds it, and where it is.
    for ours in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        shell.env_remove(ours);
    }
    cache::run(command, shell, &folder.join("command.log"))
}

fn answers(package: &Path, name: &str) -> Result<()> {
    let base = WasmBase::start(WasmBaseOptions::default())?;
    let order =
        json!({"bizName": name, "bizVersion": "1.0.0", "bizUrl": format!("file://{}", package.display())});
    let answer = http::post(&base.arklet_url("/installBiz"), &order, INSTALL)?.json()?;
    ensure!(answer.get("code") == Some(&"SUCCESS".into()), "{name} was not installed: {answer}");
    let serving = base.serving(name)?;
    ensure!(serving.as_deref() == Some("1.0.0"), "{name} serves {serving:?}");
    let health = base.http_get(&format!("/{name}/actuator/health"))?;
    ensure!(health.status == 200, "{name} is not well: {} {}", health.status, health.body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pages of both languages say the same, and what `test` looks for is there.
    #[test]
    fn the_commands_of_a_page_are_the_same_in_both_languages() {
        for example in [Example::JavaScript, Example::Python, Example::Rust] {
            let folder = repository().join("examples").join(example.folder());
            let read = |page: &str| fs::read_to_string(folder.join(page)).unwrap();
            let (english, chinese) = (read("README.md"), read("README.zh-CN.md"));
            let all = commands(&english).unwrap();
            assert_eq!(Some(&all), commands(&chinese).as_ref());
            assert!(all.last().unwrap().ends_with(&format!("hello-{}-1.0.0.wasm", example.name())));
        }
    }
}
