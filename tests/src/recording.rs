//! Everything that happened to some objects, in the order in which the API server made it happen.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use testkit::{
    cluster::Cluster,
    process::{Process, Tie},
    wait::wait_for,
    work_dir::WorkDir,
};

/// A watch of objects that goes on until it is dropped. Unlike a look every now and then it misses no
/// version of an object.
#[derive(Debug)]
pub struct Recording {
    process: Process,
    _dir: WorkDir,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub kind: String,
    /// The object after it.
    pub object: Value,
    /// When it happened. The API server counts the changes of all objects, of whatever kind, in one row:
    /// of two changes the one with the smaller number came first.
    pub at: u64,
}

impl Recording {
    /// Watches a list, `/api/v1/nodes?labelSelector=…`, and waits until as many objects as are known to be
    /// there were told: from then on nothing is missed.
    pub fn start(cluster: &Cluster, list: &str, there: usize) -> Result<Self> {
        let dir = WorkDir::new("recording")?;
        let joint = if list.contains('?') { '&' } else { '?' };
        let mut command = cluster.kubectl_command();
        command.args(["get", "--raw", &format!("{list}{joint}watch=true")]);
        let process = Process::spawn("kubectl", command, &dir.join("changes"), Tie::Guard)?;
        let recording = Self { process, _dir: dir };
        wait_for(&format!("{there} objects in the watch of {list}"), Duration::from_secs(20), || {
            Ok((recording.changes()?.len() >= there).then_some(()))
        })?;
        Ok(recording)
    }

    /// What happened so far.
    pub fn changes(&self) -> Result<Vec<Change>> {
        let text = fs::read_to_string(self.process.log()).context("reading the watch")?;
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        whole.lines().map(change).collect()
    }

    /// The first change of the object of this name after which `is_so`.
    pub fn first(&self, name: &str, is_so: impl Fn(&Change) -> bool) -> Result<Option<Change>> {
        let changes = self.changes()?;
        Ok(changes.into_iter().find(|change| change.object["metadata"]["name"] == name && is_so(change)))
    }
}

fn change(line: &str) -> Result<Change> {
    let event: Value = serde_json::from_str(line).with_context(|| format!("the watch says {line:?}"))?;
    let at = event["object"]["metadata"]["resourceVersion"].as_str().and_then(|at| at.parse().ok());
    Ok(Change {
        kind: event["type"].as_str().unwrap_or_default().to_owned(),
        at: at.with_context(|| format!("the watch says {line:?}"))?,
        object: event["object"].clone(),
    })
}
