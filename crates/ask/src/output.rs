//! What is printed, and how it was meant: the exit codes.

use std::{
    io::{self, ErrorKind, Write},
    process::ExitCode,
};

/// Something is not well, or was found.
pub(crate) const NOT_WELL: u8 = 1;
/// It was asked for in a way that cannot be.
pub(crate) const USAGE: u8 = 2;
/// The cluster did not say, or not all.
pub(crate) const NOT_SEEN: u8 = 3;
/// It did not become so in the time that was given.
pub(crate) const TIMED_OUT: u8 = 4;

/// To standard output; a reader that has seen enough (`| head`) is no failure.
pub fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("module-controller: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Prints, and ends with this code where that could be done.
pub(crate) fn print_and_end(text: &str, code: u8) -> ExitCode {
    match print(text) {
        ExitCode::SUCCESS => ExitCode::from(code),
        failed => failed,
    }
}
