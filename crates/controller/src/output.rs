//! What a subcommand prints.

use std::{
    io::{self, ErrorKind, Write},
    process::ExitCode,
};

/// To standard output; a reader that has seen enough (`| head`) is no failure.
pub(crate) fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("module-controller: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
