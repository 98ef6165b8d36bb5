//! `cleanup`: shows what a controller that is gone has left, asks, and deletes it.

use std::{
    io::{BufRead, IsTerminal, stdin},
    process::ExitCode,
};

use http::Request;
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    cleanup::{Acting, Deletions, Doomed, Left},
    client::{Server, Unreachable, chain, complain},
    output::{NOT_SEEN, NOT_WELL, USAGE, print},
    read::Failure,
};

/// Deletes what a controller that is gone has left: the Nodes of bases, their Leases, and those of its replicas.
///
/// It is for when the controller is uninstalled and before its definitions go. It shows what it would delete and asks. It
/// deletes nothing while a controller of these bases runs, which it may take 40 s to see, and never a Node that has not the label, the taint and the identity
/// of a base. Bases go on running with the modules that they have. Ends with 0 where nothing is left, 1 where something is, 3
/// where not all could be read.
#[derive(Debug, clap::Args)]
pub struct Cleanup {
    /// Do not ask
    #[arg(long, short, conflicts_with = "dry_run")]
    yes: bool,
    /// Show only what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Only of this environment. [default: all]
    #[arg(long, help_heading = "Cluster")]
    env: Option<String>,
    #[command(flatten)]
    server: Server,
}

impl Cleanup {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        let cluster = self.server.open().await?;
        let read = async || match Left::read(&cluster.client, self.env.as_deref()).await {
            Ok(left) => Ok(Ok(left)),
            Err(failure @ (Failure::Away(_) | Failure::Unauthorized(_))) => {
                Err(failure.unreachable(cluster.server.clone()))
            }
            Err(failure) => Ok(Err(failure)),
        };
        let not_seen = |failure: Failure| {
            complain(&format!("nothing is deleted where not all can be seen: {}", failure.why()));
            ExitCode::from(NOT_SEEN)
        };
        let mut deletions = match read().await? {
            Ok(left) => Deletions::of(&left, Timestamp::now()),
            Err(failure) => return Ok(not_seen(failure)),
        };
        if let Some(acting) = deletions.acting.take_if(|_| deletions.blocked.is_empty() && !self.dry_run) {
            complain(&acting.wait());
            sleep(acting.known_after()).await;
            deletions = match read().await? {
                Ok(left) => Deletions::of(&left, Timestamp::now()),
                Err(failure) => return Ok(not_seen(failure)),
            };
        }
        deletions.blocked.extend(deletions.acting.as_ref().map(Acting::block));
        print(&deletions.text());
        if deletions.doomed.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        if !deletions.blocked.is_empty() || self.dry_run {
            return Ok(ExitCode::from(NOT_WELL));
        }
        if !self.yes {
            if !stdin().is_terminal() {
                complain(&"nobody is there to ask: give --yes");
                return Ok(ExitCode::from(USAGE));
            }
            print("Delete them? Type yes: ");
            if !is_yes(&mut stdin().lock()) {
                print("Nothing was deleted.\n");
                return Ok(ExitCode::from(NOT_WELL));
            }
        }
        Ok(delete_all(&cluster.client, &deletions.doomed).await)
    }
}

fn is_yes(answer: &mut impl BufRead) -> bool {
    let mut line = String::new();
    answer.read_line(&mut line).is_ok() && ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str())
}

/// Deletes each, and says so. One that cannot be deleted does not hold up the others.
async fn delete_all(client: &Client, doomed: &[Doomed]) -> ExitCode {
    let mut failed = 0;
    for one in doomed {
        match delete(client, one).await {
            Ok(()) => drop(print(&format!("deleted: {} {}\n", one.kind, one.name))),
            // It went by itself.
            Err(Failure::Unknown(_)) => {}
            Err(failure) => {
                failed += 1;
                complain(&format!("not deleted: {} {}: {}", one.kind, one.name, failure.why()));
            }
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_WELL) }
}

/// Only the one that was seen, not another of its name.
async fn delete(client: &Client, doomed: &Doomed) -> Result<(), Failure> {
    let options =
        json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": &*doomed.uid}});
    let request = Request::delete(&doomed.path)
        .header("content-type", "application/json")
        .body(options.to_string().into_bytes())
        .map_err(|error| Failure::Refused(chain(&error)))?;
    client.request::<Value>(request).await.map(drop).map_err(Failure::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (answer, yes) in
            [("yes\n", true), ("Y\n", true), ("\n", false), ("", false), ("no\n", false), ("yess\n", false)]
        {
            assert_eq!(is_yes(&mut answer.as_bytes()), yes, "{answer:?}");
        }
    }
}
