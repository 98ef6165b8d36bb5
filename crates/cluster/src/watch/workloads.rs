//! Deployments and DaemonSets whose template makes modules.
//!
//! The server selects by an object's own labels, and a DaemonSet (or a Deployment of before) need not
//! say anywhere but in its template that it makes modules. So every one of the cluster passes here,
//! a page at a time, and what makes no modules is dropped as it is read: what is kept is some two
//! kilobytes for each workload of modules, and nothing for any other.

use std::sync::Arc;

use engine::{
    ClusterEvent, Event,
    view::{WorkloadRef, WorkloadView},
};

use super::{is_module, views::View};

/// What the label of a Deployment of modules says, in both families.
const DEPLOYMENT: &str = "module-deployment";
const COMPONENT: [&str; 2] =
    ["module-controller.koupleless.io/component", "virtual-kubelet.koupleless.io/component"];

impl View for WorkloadView {
    type Key = WorkloadRef;

    fn matters(&self) -> bool {
        is_module(&self.template.labels)
            || COMPONENT.iter().any(|key| self.labels.get(*key).is_some_and(|value| value == DEPLOYMENT))
    }

    fn uid(&self) -> &Arc<str> {
        &self.workload.uid
    }

    fn version(&self) -> u64 {
        self.resource_version
    }

    fn key(&self) -> WorkloadRef {
        self.workload.clone()
    }

    fn event(self) -> Event {
        Event::Cluster(ClusterEvent::Workload(Box::new(self)))
    }

    fn gone(workload: WorkloadRef, _: &Arc<str>) -> Event {
        Event::Cluster(ClusterEvent::WorkloadGone(workload))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::{
        super::{Observer, views::Views},
        *,
    };
    use crate::slim::{Kind, workload::Deployment};

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
        let watch = Views::<Deployment, WorkloadView>::all(events);
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
                Event::Cluster(ClusterEvent::Workload(view)) => {
                    format!("{} {}", view.workload.name, view.resource_version)
                }
                Event::Cluster(ClusterEvent::WorkloadGone(workload)) => format!("{} gone", workload.name),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(told, ["a 2", "b 3", "b 4", "b gone", "a gone"]);
    }
}
