//! The watch of Services that select Pods: requests to a module's Pod need time to end.

use std::sync::{Arc, Mutex};

use engine::{Event, view::ServiceView};
use kube::runtime::watcher;
use tokio::sync::mpsc;

use super::Observer;
use crate::told::{Closed, Source, Table, lock};

pub(super) struct Services {
    pub(super) events: mpsc::Sender<Event>,
    /// The namespace of each Service that was told.
    pub(super) table: Mutex<Table<Arc<str>>>,
}

impl Services {
    async fn tell(&self, source: Source, service: ServiceView) -> Result<(), Closed> {
        let place = self.events.reserve().await.map_err(|_| Closed)?;
        let mut table = lock(&self.table);
        if table.tell(&service.uid, service.resource_version, source, || service.namespace.clone()) {
            place.send(Event::Service(service));
        }
        Ok(())
    }
}

impl Observer for Services {
    type Body = ServiceView;

    fn narrow(&self, config: watcher::Config) -> watcher::Config {
        config
    }

    fn begin(&self) {
        lock(&self.table).begin();
    }

    async fn listed(&self, service: ServiceView) -> Result<(), Closed> {
        self.tell(Source::List, service).await
    }

    async fn done(&self) -> Result<(), Closed> {
        let vanished = lock(&self.table).vanished();
        for uid in vanished {
            self.gone(&uid).await?;
        }
        Ok(())
    }

    async fn applied(&self, service: ServiceView) -> Result<(), Closed> {
        self.tell(Source::Watch, service).await
    }

    async fn gone(&self, uid: &Arc<str>) -> Result<(), Closed> {
        let place = self.events.reserve().await.map_err(|_| Closed)?;
        if let Some(namespace) = lock(&self.table).remove(uid) {
            place.send(Event::ServiceGone { namespace, uid: uid.clone() });
        }
        Ok(())
    }

    fn unreadable(&self, uid: &str) {
        lock(&self.table).seen(uid);
    }
}
