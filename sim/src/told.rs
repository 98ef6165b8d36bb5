//! What one process has been told of objects: nothing twice, nothing older than what it knows, and
//! nothing of an object after its end, although watches and responses tell side by side
//! (`crates/cluster/src/delivery.rs`).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use engine::{ClusterEvent, Event, ReplicaEvent, Watched};

/// Where a view comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A list, which has all there is.
    List,
    /// A watch.
    Watch,
    /// The response to a write.
    Response,
}

/// The objects that a process knows.
#[derive(Debug, Default)]
pub struct Told(HashMap<Watched, Table>);

#[derive(Debug, Default)]
struct Table {
    /// By UID: the version, and what its end is told by.
    known: BTreeMap<Arc<str>, (u64, Event)>,
    ended: BTreeSet<Arc<str>>,
}

impl Told {
    /// Whether this is to be told; if so, it counts as told.
    pub fn tells(&mut self, event: &Event, source: Source) -> bool {
        if let Some((kind, uid)) = end(event) {
            let response = source == Source::Response;
            // A response that something is not there names no object.
            if response && uid.is_empty() {
                return true;
            }
            let table = self.0.entry(kind).or_default();
            table.ended.insert(uid.clone());
            return table.known.remove(&uid).is_some();
        }
        let Some((kind, uid, version)) = subject(event) else { return true };
        if source == Source::Response && matches!(kind, Watched::Leases | Watched::Members | Watched::Permits)
        {
            return true;
        }
        let table = self.0.entry(kind).or_default();
        if source == Source::Response && table.ended.contains(&uid) {
            return false;
        }
        let newer = table.known.get(&uid).is_none_or(|(known, _)| match source {
            Source::List => version != *known,
            Source::Watch | Source::Response => version > *known,
        });
        if newer && let Some(gone) = gone(event) {
            table.known.insert(uid, (version, gone));
        }
        newer
    }

    /// What a list that has only these lacks: the ends of all others that are known.
    pub fn vanished(&mut self, kind: Watched, listed: &[Event]) -> Vec<Event> {
        let there: BTreeSet<Arc<str>> = listed.iter().filter_map(subject).map(|(_, uid, _)| uid).collect();
        let table = self.0.entry(kind).or_default();
        let gone: Vec<Event> = table
            .known
            .iter()
            .filter(|(uid, _)| !there.contains(*uid))
            .map(|(_, (_, gone))| gone.clone())
            .collect();
        table.known.retain(|uid, _| there.contains(uid));
        table.ended.extend(gone.iter().filter_map(end).map(|(_, uid)| uid));
        gone
    }
}

/// Which object a view is of, and its version.
pub fn subject(event: &Event) -> Option<(Watched, Arc<str>, u64)> {
    Some(match event {
        Event::Cluster(ClusterEvent::Node(node)) => (Watched::Nodes, node.uid.clone(), node.resource_version),
        Event::Cluster(ClusterEvent::Pod(pod)) => (Watched::Pods, pod.pod.uid.clone(), pod.resource_version),
        Event::Cluster(ClusterEvent::Module(module)) => {
            (Watched::Modules, module.module.uid.clone(), module.resource_version)
        }
        Event::Replica(ReplicaEvent::Member(member)) => {
            (Watched::Members, member.uid.clone(), member.resource_version)
        }
        Event::Replica(ReplicaEvent::Lease(lease)) => {
            (Watched::Leases, lease.uid.clone(), lease.resource_version)
        }
        Event::Replica(ReplicaEvent::Permits(permits)) => {
            (Watched::Permits, permits.uid.clone(), permits.resource_version)
        }
        Event::Cluster(ClusterEvent::Service(service)) => {
            (Watched::Services, service.uid.clone(), service.resource_version)
        }
        Event::Cluster(ClusterEvent::Revision { replica_set, revision }) => {
            (Watched::ReplicaSets, replica_set.clone(), *revision)
        }
        Event::Cluster(ClusterEvent::Workload(view)) => {
            (Watched::Deployments, view.workload.uid.clone(), view.resource_version)
        }
        Event::Cluster(ClusterEvent::Plan(view)) => {
            (Watched::Plans, view.plan.uid.clone(), view.resource_version)
        }
        _ => return None,
    })
}

/// Which object's end it is.
pub fn end(event: &Event) -> Option<(Watched, Arc<str>)> {
    Some(match event {
        Event::Cluster(ClusterEvent::NodeGone { uid, .. }) => (Watched::Nodes, uid.clone()),
        Event::Cluster(ClusterEvent::PodGone(pod)) => (Watched::Pods, pod.uid.clone()),
        Event::Cluster(ClusterEvent::ModuleGone { module, .. }) => (Watched::Modules, module.uid.clone()),
        Event::Cluster(ClusterEvent::WorkloadGone(workload)) => (Watched::Deployments, workload.uid.clone()),
        Event::Cluster(ClusterEvent::PlanGone(plan)) => (Watched::Plans, plan.uid.clone()),
        Event::Replica(ReplicaEvent::MemberGone { uid, .. }) => (Watched::Members, uid.clone()),
        Event::Replica(ReplicaEvent::LeaseGone { uid, .. }) => (Watched::Leases, uid.clone()),
        Event::Replica(ReplicaEvent::PermitsGone { uid, .. }) => (Watched::Permits, uid.clone()),
        _ => return None,
    })
}

/// The kind whose watch tells this.
pub fn kind(event: &Event) -> Option<Watched> {
    subject(event).map(|(kind, ..)| kind).or_else(|| end(event).map(|(kind, _)| kind))
}

/// By what the end of an object is told.
fn gone(event: &Event) -> Option<Event> {
    Some(match event {
        Event::Cluster(ClusterEvent::Node(node)) => {
            Event::Cluster(ClusterEvent::NodeGone { name: node.name.clone(), uid: node.uid.clone() })
        }
        Event::Cluster(ClusterEvent::Pod(pod)) => Event::Cluster(ClusterEvent::PodGone(pod.pod.clone())),
        Event::Cluster(ClusterEvent::Module(module)) => Event::Cluster(ClusterEvent::ModuleGone {
            key: module.key.clone(),
            module: module.module.clone(),
        }),
        Event::Replica(ReplicaEvent::Member(member)) => {
            Event::Replica(ReplicaEvent::MemberGone { name: member.name.clone(), uid: member.uid.clone() })
        }
        Event::Replica(ReplicaEvent::Lease(lease)) => {
            Event::Replica(ReplicaEvent::LeaseGone { node: lease.node.clone(), uid: lease.uid.clone() })
        }
        Event::Replica(ReplicaEvent::Permits(permits)) => {
            Event::Replica(ReplicaEvent::PermitsGone { name: permits.name.clone(), uid: permits.uid.clone() })
        }
        Event::Cluster(ClusterEvent::Service(service)) => Event::Cluster(ClusterEvent::ServiceGone {
            namespace: service.namespace.clone(),
            uid: service.uid.clone(),
        }),
        Event::Cluster(ClusterEvent::Workload(view)) => {
            Event::Cluster(ClusterEvent::WorkloadGone(view.workload.clone()))
        }
        Event::Cluster(ClusterEvent::Plan(view)) => Event::Cluster(ClusterEvent::PlanGone(view.plan.clone())),
        Event::Cluster(ClusterEvent::Revision { replica_set, .. }) => {
            Event::Cluster(ClusterEvent::RevisionGone { replica_set: replica_set.clone() })
        }
        _ => return None,
    })
}
