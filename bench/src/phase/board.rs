//! KouplelessBoard with all modules online: how soon a browser shows them, what that takes, and what viewers cost.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use testkit::board::Board;
use testkit::cluster::Cluster;

use crate::report::Unit;
use crate::usage::{cpu_seconds, memory};

/// Those who look on at once.
const VIEWERS: u32 = 50;

/// The board's own account, in its own namespace: it may see everything, and so may who has its token.
const ACCOUNT: &str = "koupleless-board";

/// A base that comes while somebody looks.
const NEW_NODE: &str = "virtual-node-bench-new";

/// One figure: of what, in what, and how much.
pub type Found = (String, Unit, f64);

/// What the board and a browser take with so many bases; viewers look on for so long while nothing is done.
pub fn run(cluster: &Cluster, bases: u32, idle_for: Duration) -> Result<Vec<Found>> {
    let began = Instant::now();
    let mut board = Board::start(cluster, &[])?;
    let started = began.elapsed();
    let mut found = vec![("the board serves".to_owned(), Unit::Millis, started.as_secs_f64() * 1e3)];
    let (viewer, bases, viewers) = (token(cluster)?, bases.to_string(), VIEWERS.to_string());
    let variables = [("VIEWER", &*viewer), ("BASES", &bases), ("NEW_NODE", NEW_NODE), ("VIEWERS", &viewers)];
    board.browse("scale", &variables, |board, what| {
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        match verb {
            "figure" => found.push(figure(rest)?),
            "node" => cluster.apply(&new_node().to_string())?,
            "token" => return token(cluster),
            "watches" => return Ok(cluster.open_watches()?.to_string()),
            "idle" => found.extend(idle(board.id(), idle_for)?),
            other => bail!("nobody knows how to {other}"),
        }
        Ok(String::new())
    })?;
    cluster.kubectl(&["delete", "node", NEW_NODE])?;
    Ok(found)
}

/// `ms 12.5 bases: first useful view`, as the script says it.
fn figure(said: &str) -> Result<Found> {
    let mut words = said.splitn(3, ' ');
    let mut word = || words.next().with_context(|| format!("{said:?} is no figure"));
    let (unit, value, what) = (word()?, word()?, word()?);
    let unit = match unit {
        "ms" => Unit::Millis,
        "KiB" => Unit::Kib,
        "MiB" => Unit::Mib,
        "count" => Unit::Count,
        other => bail!("{other:?} is no unit"),
    };
    Ok((what.to_owned(), unit, value.parse().with_context(|| format!("{value:?} is no number"))?))
}

/// What the board takes while all viewers look on.
fn idle(pid: u32, length: Duration) -> Result<[Found; 3]> {
    let before = cpu_seconds(pid)?;
    thread::sleep(length);
    let used = (cpu_seconds(pid)? - before) / length.as_secs_f64().max(1e-9) * 100.0;
    let (rss, peak) = memory(pid)?;
    Ok([
        (format!("the board's processor time with {VIEWERS} viewers"), Unit::Percent, used),
        (format!("the board's memory (RSS) with {VIEWERS} viewers"), Unit::Mib, rss),
        ("the most that it was so far".to_owned(), Unit::Mib, peak),
    ])
}

fn token(cluster: &Cluster) -> Result<String> {
    Ok(cluster.kubectl(&["-n", ACCOUNT, "create", "token", ACCOUNT])?.trim().to_owned())
}

/// A Node that says it is a base, in an environment that no controller has.
fn new_node() -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": NEW_NODE, "labels": {
            "module-controller.koupleless.io/component": "vnode",
            "module-controller.koupleless.io/env": "none",
        }},
        "spec": {"taints": [{"key": "none", "value": "x", "effect": "NoSchedule"}]},
    })
}
