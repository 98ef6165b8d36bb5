//! The watches of ReplicaSets of modules: metadata only, for their revisions.
//!
//! A ReplicaSet has the labels of its template, so that the server can select those of modules. It
//! cannot select by one label or another, so each family has a watch, and no ReplicaSet is in both.

use std::sync::{Arc, Mutex};

use engine::Event;
use tokio::sync::mpsc;

use super::Observer;
use crate::{
    slim::replica_set::ReplicaSet,
    told::{Closed, Source, Table, lock},
};

/// ReplicaSets of modules with the manual's label.
pub(super) const OURS: &str = "module-controller.koupleless.io/component=module";
/// Those that have the Go controller's label only.
pub(super) const UPSTREAM: &str =
    "virtual-kubelet.koupleless.io/component=module,module-controller.koupleless.io/component!=module";

pub(super) struct ReplicaSets {
    events: mpsc::Sender<Event>,
    /// Versions are not needed: the engine drops what says nothing new.
    table: Mutex<Table<()>>,
}

impl ReplicaSets {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events, table: Mutex::default() }
    }

    async fn tell(&self, source: Source, set: ReplicaSet) -> Result<(), Closed> {
        let place = self.events.reserve().await.map_err(|_| Closed)?;
        lock(&self.table).tell(&set.uid, 0, source, || ());
        place.send(match set.revision {
            Some(revision) => Event::Revision { replica_set: set.uid, revision },
            None => Event::RevisionGone { replica_set: set.uid },
        });
        Ok(())
    }
}

impl Observer for ReplicaSets {
    type Body = ReplicaSet;

    fn begin(&self) {
        lock(&self.table).begin();
    }

    async fn listed(&self, set: ReplicaSet) -> Result<(), Closed> {
        self.tell(Source::List, set).await
    }

    async fn done(&self) -> Result<(), Closed> {
        let vanished = lock(&self.table).vanished();
        for uid in vanished {
            self.gone(&uid).await?;
        }
        Ok(())
    }

    async fn applied(&self, set: ReplicaSet) -> Result<(), Closed> {
        self.tell(Source::Watch, set).await
    }

    async fn gone(&self, uid: &Arc<str>) -> Result<(), Closed> {
        let place = self.events.reserve().await.map_err(|_| Closed)?;
        if lock(&self.table).remove(uid).is_some() {
            place.send(Event::RevisionGone { replica_set: uid.clone() });
        }
        Ok(())
    }

    fn unreadable(&self, uid: &str) {
        lock(&self.table).seen(uid);
    }
}
