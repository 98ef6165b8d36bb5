//! The watches of Deployments and DaemonSets whose template makes modules.
//!
//! The server selects by an object's own labels, and a DaemonSet (or a Deployment of before) need not
//! say anywhere but in its template that it makes modules. So every one of the cluster passes here,
//! a page at a time, and what makes no modules is dropped as it is read: what is kept is some two
//! kilobytes for each workload of modules, and nothing for any other.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex},
};

use engine::{
    Event,
    view::{WorkloadRef, WorkloadView},
};
use tokio::sync::mpsc;

use super::{Observer, is_module};
use crate::{
    slim::Kind,
    told::{Closed, Source, Table, lock},
};

/// What the label of a Deployment of modules says, in both families.
const DEPLOYMENT: &str = "module-deployment";
const COMPONENT: [&str; 2] =
    ["module-controller.koupleless.io/component", "virtual-kubelet.koupleless.io/component"];

pub(super) struct Workloads<B> {
    events: mpsc::Sender<Event>,
    table: Mutex<Table<WorkloadRef>>,
    body: PhantomData<fn() -> B>,
}

impl<B> Workloads<B> {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events, table: Mutex::default(), body: PhantomData }
    }

    /// Once told, a workload is told until its end, whatever becomes of it.
    fn matters(&self, view: &WorkloadView) -> bool {
        is_module(&view.template.labels)
            || COMPONENT.iter().any(|key| view.labels.get(*key).is_some_and(|value| value == DEPLOYMENT))
            || lock(&self.table).knows(&view.workload.uid)
    }

    async fn tell(&self, source: Source, view: WorkloadView) -> Result<(), Closed> {
        if !self.matters(&view) {
            return Ok(());
        }
        let place = self.events.reserve().await.map_err(|_| Closed)?;
        let mut table = lock(&self.table);
        if table.tell(&view.workload.uid, view.resource_version, source, || view.workload.clone()) {
            place.send(Event::Workload(Box::new(view)));
        }
        Ok(())
    }
}

impl<B> Observer for Workloads<B>
where
    B: Kind + Into<WorkloadView> + Clone + std::fmt::Debug + Send + 'static,
{
    type Body = B;

    fn begin(&self) {
        lock(&self.table).begin();
    }

    async fn listed(&self, body: B) -> Result<(), Closed> {
        self.tell(Source::List, body.into()).await
    }

    async fn done(&self) -> Result<(), Closed> {
        let vanished = lock(&self.table).vanished();
        for uid in vanished {
            self.gone(&uid).await?;
        }
        Ok(())
    }

    async fn applied(&self, body: B) -> Result<(), Closed> {
        self.tell(Source::Watch, body.into()).await
    }

    async fn gone(&self, uid: &Arc<str>) -> Result<(), Closed> {
        if !lock(&self.table).knows(uid) {
            return Ok(());
        }
        let place = self.events.reserve().await.map_err(|_| Closed)?;
        if let Some(workload) = lock(&self.table).remove(uid) {
            place.send(Event::WorkloadGone(workload));
        }
        Ok(())
    }

    fn unreadable(&self, uid: &str) {
        lock(&self.table).seen(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slim::workload::Deployment;

    fn deployment(name: &str, version: u64, own: &str, template: &str) -> Deployment {
        let json = format!(
            r#"{{"metadata": {{"namespace": "ns", "name": "{name}", "uid": "{name}", "resourceVersion": "{version}",
                    "labels": {own}}},
                "spec": {{"template": {{"metadata": {{"labels": {template}}}}}}}}}"#
        );
        Deployment::read(&json).unwrap()
    }

    #[tokio::test]
    async fn only_what_makes_modules_or_says_so_is_told_and_that_to_its_end() {
        let (events, mut received) = mpsc::channel(16);
        let watch = Workloads::<Deployment>::new(events);
        watch.begin();
        let module = r#"{"virtual-kubelet.koupleless.io/component": "module"}"#;
        let labelled = r#"{"module-controller.koupleless.io/component": "module-deployment"}"#;
        watch.listed(deployment("web", 1, "{}", r#"{"app": "web"}"#)).await.unwrap();
        watch.listed(deployment("a", 2, "{}", module)).await.unwrap();
        watch.listed(deployment("b", 3, labelled, "{}")).await.unwrap();
        watch.done().await.unwrap();
        watch.applied(deployment("b", 4, "{}", "{}")).await.unwrap();
        watch.gone(&"web".into()).await.unwrap();
        watch.gone(&"b".into()).await.unwrap();
        watch.begin();
        watch.done().await.unwrap();
        drop(watch);
        let mut told = Vec::new();
        while let Some(event) = received.recv().await {
            told.push(match event {
                Event::Workload(view) => format!("{} {}", view.workload.name, view.resource_version),
                Event::WorkloadGone(workload) => format!("{} gone", workload.name),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(told, ["a 2", "b 3", "b 4", "b gone", "a gone"]);
    }
}
