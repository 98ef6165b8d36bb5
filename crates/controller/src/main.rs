//! `module-controller`: every base a Node, every module a Pod. See `--help`.

mod admin;
mod args;
mod asking;
mod clock;
mod commands;
mod definitions;
mod dispatch;
mod explain;
mod health;
mod install;
mod log;
mod metrics;
mod plugin;
mod pod_starts;
mod run;
mod settings;
mod tunnels;

use std::process::ExitCode;

use clap::CommandFactory;
use model::{Language, bilingual};
use tikv_jemallocator::Jemalloc;

/// It gives back what a burst has needed; how soon is in `.cargo/config.toml`, which decides it when this is built.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    if let Some(plugin) = plugin::Plugin::of_name() {
        return plugin.run();
    }
    let args = args::Args::own();
    match &args.command {
        Some(args::Command::Explain(explain)) => return explain.run(),
        Some(args::Command::Install(install)) => return install.run(),
        Some(args::Command::Crd(crd)) => return crd.run(),
        Some(args::Command::Board(board)) => {
            return match settings::Log::of(&args) {
                Ok(log) => {
                    log::start(&log);
                    board.run()
                }
                Err(refusals) => refused(&refusals, args.language()),
            };
        }
        Some(args::Command::Ask(asked)) => {
            return asked.run(&asking::program(args::Args::command));
        }
        None => {}
    }
    let language = args.language();
    let settings = match settings::Settings::try_from(args) {
        Ok(settings) => settings,
        Err(refusals) => return refused(&refusals, language),
    };
    log::start(&settings.log);
    match run::run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped");
            ExitCode::FAILURE
        }
    }
}

fn refused(refusals: &settings::Refusals, language: Language) -> ExitCode {
    let why = bilingual!("it cannot start with these settings:", "无法以这些配置启动：");
    eprintln!("module-controller: {}\n{}", why.of(language), refusals.told(language));
    ExitCode::from(2)
}
