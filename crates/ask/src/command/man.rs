//! `man`: the manual pages.

use std::{path::PathBuf, process::ExitCode};

use super::Program;
use crate::{
    client::complain,
    output::{NOT_WELL, print},
};

/// Prints the manual page of the program, or writes those of all its commands into a folder.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// The folder, as ~/.local/share/man/man1. Without it the program's own page is printed
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self, program: &Program) -> ExitCode {
        let command = (program.command)();
        let result = match &self.dir {
            Some(dir) => clap_mangen::generate_to(command, dir).map(|()| String::new()),
            None => {
                let mut page = Vec::new();
                let rendered = clap_mangen::Man::new(command).render(&mut page);
                rendered.map(|()| String::from_utf8_lossy(&page).into_owned())
            }
        };
        match result {
            Ok(page) => print(&page),
            Err(error) => {
                complain(&format!("the manual pages cannot be written: {error}"));
                ExitCode::from(NOT_WELL)
            }
        }
    }
}
