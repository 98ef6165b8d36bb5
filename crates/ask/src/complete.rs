//! Completion of what is typed: a script for a shell, and answers to kubectl, which asks a program called
//! `kubectl_complete-koupleless` for what may follow `kubectl koupleless`.

use std::{ffi::OsString, process::ExitCode};

use clap_complete::{Shell, engine, generate};

use crate::{client::complain, command::Program, output::print};

/// kubectl is told so that file names do not complete (the bit 4 of cobra's `ShellCompDirective`).
const NO_FILES: &str = ":4";

/// Prints the completion script of a shell.
///
/// For bash: `source <(module-controller completion bash)`. Completion of `kubectl koupleless` needs no script: kubectl's own
/// asks a program `kubectl_complete-koupleless` on the PATH, which is a link to this one.
#[derive(Debug, clap::Args)]
pub struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(&self, program: &Program) -> ExitCode {
        print(&script(self.shell, (program.command)()))
    }
}

/// The script of a shell for this command line.
pub fn script(shell: Shell, mut command: clap::Command) -> String {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Answers kubectl: what may come as the last of these words, the program's own name not among them.
pub fn for_kubectl(mut command: clap::Command, words: Vec<OsString>) -> ExitCode {
    let mut all = vec![OsString::from(command.get_name())];
    all.extend(words);
    let last = all.len().saturating_sub(1).max(1);
    all.resize(last + 1, OsString::new());
    let typed = all.get(last).cloned().unwrap_or_default();
    match engine::complete(&mut command, all, last, None) {
        Ok(candidates) => print(&answer(&candidates, &typed.to_string_lossy())),
        Err(error) => {
            complain(&format!("completion: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// In the words of cobra: each on a line, with what it is behind a tab, and last what to do about it. Flags are not
/// offered before one is begun.
fn answer(candidates: &[engine::CompletionCandidate], typed: &str) -> String {
    let mut text = String::new();
    for candidate in candidates.iter().filter(|candidate| !candidate.is_hide_set()) {
        let value = candidate.get_value().to_string_lossy();
        if value.starts_with('-') && !typed.starts_with('-') {
            continue;
        }
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default();
        text.push_str(&if help.is_empty() { format!("{value}\n") } else { format!("{value}\t{help}\n") });
    }
    text + NO_FILES + "\n"
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::command::Command;

    #[derive(Debug, Parser)]
    #[command(name = "kubectl-koupleless")]
    struct Plugin {
        #[command(subcommand)]
        _command: Command,
    }

    fn completed(words: &[&str]) -> Vec<String> {
        let mut command = <Plugin as clap::CommandFactory>::command();
        let mut all = vec![OsString::from("kubectl-koupleless")];
        all.extend(words.iter().map(OsString::from));
        let last = all.len() - 1;
        let candidates = engine::complete(&mut command, all, last, None).unwrap();
        let text = answer(&candidates, words.last().unwrap());
        text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn commands_flags_and_values_are_offered() {
        assert_eq!(completed(&["tr"]), ["tree", NO_FILES]);
        assert_eq!(completed(&["describe", ""]), ["base", "module", "help", NO_FILES]);
        assert_eq!(completed(&["tree", "--pro"]), ["--problems", NO_FILES]);
        assert_eq!(completed(&["bases", "--output", "y"]), ["yaml", NO_FILES]);
    }

    #[test]
    fn every_shell_has_a_script() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = script(shell, <Plugin as clap::CommandFactory>::command());
            assert!(script.contains("problems"), "{shell}: {script}");
        }
    }
}
