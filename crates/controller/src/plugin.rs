//! The program under other names: `kubectl-koupleless`, which kubectl runs for `kubectl koupleless`, and
//! `kubectl_complete-koupleless`, which it asks how that goes on. Both are links to the one program, so that whoever has the
//! controller has the plugin of the same version. It has the commands, and no settings of a controller.

use std::{env, ffi::OsString, path::Path, process::ExitCode};

use ask::for_kubectl;
use clap::{CommandFactory, Parser, Subcommand};

use crate::{asking, explain::Explain, log, settings::Log};

/// What kubectl runs.
const PLUGIN: &str = "kubectl-koupleless";
/// What kubectl asks for completion.
const COMPLETER: &str = "kubectl_complete-koupleless";

/// Shows, explains and checks the bases of a cluster and the modules on them.
#[derive(Debug, Parser)]
#[command(name = PLUGIN, bin_name = "kubectl koupleless", version, max_term_width = 110, disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Explain(Explain),
    Board(board::Board),
    #[command(flatten)]
    Ask(ask::Command),
}

/// As what it was started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plugin {
    /// As a command of kubectl.
    Run,
    /// To complete one.
    Complete,
}

impl Plugin {
    /// As the name says that it was started by; none by its own.
    pub(crate) fn of_name() -> Option<Self> {
        Self::of(&env::args_os().next()?)
    }

    fn of(name: &OsString) -> Option<Self> {
        match Path::new(name).file_stem()?.to_str()? {
            PLUGIN => Some(Self::Run),
            COMPLETER => Some(Self::Complete),
            _ => None,
        }
    }

    /// Does what it was started for.
    pub(crate) fn run(&self) -> ExitCode {
        match self {
            Self::Complete => for_kubectl(Args::command(), env::args_os().skip(1).collect()),
            Self::Run => match Args::parse().command {
                Command::Explain(explain) => explain.run(),
                Command::Board(board) => {
                    log::start(&Log::default());
                    board.run()
                }
                Command::Ask(asked) => asked.run(&asking::program(Args::command)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_what_it_is_to_be() {
        let of = |name: &str| Plugin::of(&name.into());
        assert_eq!(of("/usr/local/bin/kubectl-koupleless"), Some(Plugin::Run));
        assert_eq!(of("kubectl_complete-koupleless"), Some(Plugin::Complete));
        assert_eq!(of("/module-controller"), None);
    }
}
