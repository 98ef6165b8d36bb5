//! Objects of which nothing but their watch tells, or whose views the engine puts in order by itself:
//! they need no place in [`DeliveryFilter`](crate::DeliveryFilter).

use std::{
    fmt::Debug,
    marker::PhantomData,
    sync::{Arc, Mutex},
};

use engine::Event;
use kube::runtime::watcher;
use tokio::sync::mpsc;

use super::Observer;
use crate::{
    delivery::{Closed, Source, Table, lock},
    slim::Kind,
};

/// What is told of an object.
pub(super) trait View: Send + Sync + 'static {
    /// What must be known of it to tell its end.
    type Key: Send + 'static;

    /// Whether it is to be told at all. Once told, it is told until its end, whatever becomes of it.
    fn matters(&self) -> bool {
        true
    }
    fn uid(&self) -> &Arc<str>;
    /// 0 where every view is to be told.
    fn version(&self) -> u64;
    fn key(&self) -> Self::Key;
    fn event(self) -> Event;
    fn gone(key: Self::Key, uid: &Arc<str>) -> Event;
}

/// The objects that are read as `B` and told as `V`.
pub(super) struct Views<B, V: View = B> {
    events: mpsc::Sender<Event>,
    labels: Option<String>,
    fields: Option<&'static str>,
    table: Mutex<Table<V::Key>>,
    body: PhantomData<fn() -> B>,
}

impl<B: Into<V>, V: View> Views<B, V> {
    /// All objects of the kind.
    pub(super) fn all(events: mpsc::Sender<Event>) -> Self {
        Self { events, labels: None, fields: None, table: Mutex::default(), body: PhantomData }
    }

    /// Those that a label selector picks.
    pub(super) fn labelled(labels: String, events: mpsc::Sender<Event>) -> Self {
        Self { labels: Some(labels), ..Self::all(events) }
    }

    /// Those of them that a field selector picks.
    pub(super) fn with_fields(self, fields: &'static str) -> Self {
        Self { fields: Some(fields), ..self }
    }

    /// The place in the queue is taken first, so that looking and telling are one step.
    async fn tell(&self, source: Source, body: B) -> Result<(), Closed> {
        let view = body.into();
        if !view.matters() && !lock(&self.table).knows(view.uid()) {
            return Ok(());
        }
        let place = self.events.reserve().await.map_err(|_| Closed)?;
        let mut table = lock(&self.table);
        if table.tell(view.uid(), view.version(), source, || view.key()) {
            place.send(view.event());
        }
        Ok(())
    }
}

impl<B, V> Observer for Views<B, V>
where
    B: Kind + Into<V> + Clone + Debug + Send + 'static,
    V: View,
{
    type Body = B;

    fn narrow(&self, config: watcher::Config) -> watcher::Config {
        let config = match &self.labels {
            Some(labels) => config.labels(labels),
            None => config,
        };
        match self.fields {
            Some(fields) => config.fields(fields),
            None => config,
        }
    }

    fn begin(&self) {
        lock(&self.table).begin();
    }

    async fn listed(&self, body: B) -> Result<(), Closed> {
        self.tell(Source::List, body).await
    }

    async fn done(&self) -> Result<(), Closed> {
        let vanished = lock(&self.table).vanished();
        for uid in vanished {
            self.gone(&uid).await?;
        }
        Ok(())
    }

    async fn applied(&self, body: B) -> Result<(), Closed> {
        self.tell(Source::Watch, body).await
    }

    async fn gone(&self, uid: &Arc<str>) -> Result<(), Closed> {
        if !lock(&self.table).knows(uid) {
            return Ok(());
        }
        let place = self.events.reserve().await.map_err(|_| Closed)?;
        if let Some(key) = lock(&self.table).remove(uid) {
            place.send(V::gone(key, uid));
        }
        Ok(())
    }

    fn unreadable(&self, uid: &str) {
        lock(&self.table).seen(uid);
    }
}
