//! What the commands that ask a cluster need to know of this program.

use crate::{definitions, explain, install};

/// The program with this command line.
pub(crate) fn program(command: fn() -> clap::Command) -> ask::Program {
    ask::Program { command, definitions: definitions::all, roles, language: explain::language }
}

/// The manifests are in the program: a test holds that they can be read.
fn roles() -> ask::Roles {
    install::roles().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_program_can_be_read() {
        let roles = roles();
        assert!(!roles.base.is_empty() && !roles.peers.is_empty() && !roles.replicas.is_empty());
        assert!(definitions::all().iter().all(|one| one.pointer("/metadata/annotations").is_some()));
    }
}
