//! The watches of Leases, where replicas share the VNodes: one of the VNodes' and one of the replicas'.

use std::sync::{Arc, Mutex};

use engine::{
    Event,
    view::{LeaseView, MemberView},
};
use kube::runtime::watcher;
use tokio::sync::mpsc;

use super::Observer;
use crate::{
    modules::ENV,
    slim::{Kind, lease::MEMBER},
    told::{Closed, Source, Table, lock},
};

/// What Leases are told as.
pub(super) trait Told: Kind + Clone + std::fmt::Debug + Send + Sync + 'static {
    /// Which of those of an environment it is.
    fn selector(env: &str) -> String;
    fn key(&self) -> (&Arc<str>, &Arc<str>, u64);
    fn event(self) -> Event;
    fn gone(name: Arc<str>, uid: Arc<str>) -> Event;
}

impl Told for LeaseView {
    fn selector(env: &str) -> String {
        format!("{ENV}={env}")
    }

    fn key(&self) -> (&Arc<str>, &Arc<str>, u64) {
        (&self.node, &self.uid, self.resource_version)
    }

    fn event(self) -> Event {
        Event::Lease(self)
    }

    fn gone(node: Arc<str>, uid: Arc<str>) -> Event {
        Event::LeaseGone { node, uid }
    }
}

impl Told for MemberView {
    fn selector(env: &str) -> String {
        format!("{}={},{ENV}={env}", MEMBER.0, MEMBER.1)
    }

    fn key(&self) -> (&Arc<str>, &Arc<str>, u64) {
        (&self.name, &self.uid, self.resource_version)
    }

    fn event(self) -> Event {
        Event::Member(Box::new(self))
    }

    fn gone(name: Arc<str>, uid: Arc<str>) -> Event {
        Event::MemberGone { name, uid }
    }
}

/// The engine puts views in order by itself, because responses tell of Leases too.
pub(super) struct Leases<T> {
    env: Arc<str>,
    events: mpsc::Sender<Event>,
    /// The name of each that was told.
    table: Mutex<Table<Arc<str>>>,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T: Told> Leases<T> {
    pub(super) fn new(env: Arc<str>, events: mpsc::Sender<Event>) -> Self {
        Self { env, events, table: Mutex::default(), kind: std::marker::PhantomData }
    }

    async fn tell(&self, source: Source, lease: T) -> Result<(), Closed> {
        let place = self.events.reserve().await.map_err(|_| Closed)?;
        let (name, uid, version) = lease.key();
        if lock(&self.table).tell(uid, version, source, || name.clone()) {
            place.send(lease.event());
        }
        Ok(())
    }
}

impl<T: Told> Observer for Leases<T> {
    type Body = T;

    fn narrow(&self, config: watcher::Config) -> watcher::Config {
        config.labels(&T::selector(&self.env))
    }

    fn begin(&self) {
        lock(&self.table).begin();
    }

    async fn listed(&self, lease: T) -> Result<(), Closed> {
        self.tell(Source::List, lease).await
    }

    async fn done(&self) -> Result<(), Closed> {
        let vanished = lock(&self.table).vanished();
        for uid in vanished {
            self.gone(&uid).await?;
        }
        Ok(())
    }

    async fn applied(&self, lease: T) -> Result<(), Closed> {
        self.tell(Source::Watch, lease).await
    }

    async fn gone(&self, uid: &Arc<str>) -> Result<(), Closed> {
        let place = self.events.reserve().await.map_err(|_| Closed)?;
        if let Some(name) = lock(&self.table).remove(uid) {
            place.send(T::gone(name, uid.clone()));
        }
        Ok(())
    }

    fn unreadable(&self, uid: &str) {
        lock(&self.table).seen(uid);
    }
}
