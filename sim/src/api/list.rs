//! What a list of a kind has, for a watch that begins or begins anew.

use engine::{ClusterEvent, Event, ReplicaEvent, Watched};

use super::Api;

impl Api {
    /// All objects of a kind, as they are now.
    pub fn list(&self, kind: Watched) -> Vec<Event> {
        match kind {
            Watched::Nodes => self
                .nodes
                .values()
                .cloned()
                .map(|node| Event::Cluster(ClusterEvent::Node(Box::new(node))))
                .collect(),
            Watched::Pods => self
                .pods
                .values()
                .cloned()
                .map(|pod| Event::Cluster(ClusterEvent::Pod(Box::new(pod))))
                .collect(),
            Watched::Modules => self
                .modules
                .values()
                .cloned()
                .map(|module| Event::Cluster(ClusterEvent::Module(Box::new(module))))
                .collect(),
            Watched::Services => self
                .services
                .iter()
                .cloned()
                .map(|view| Event::Cluster(ClusterEvent::Service(view)))
                .collect(),
            Watched::Members => self
                .members
                .values()
                .cloned()
                .map(|member| Event::Replica(ReplicaEvent::Member(Box::new(member))))
                .collect(),
            Watched::Leases => {
                self.leases.values().cloned().map(|view| Event::Replica(ReplicaEvent::Lease(view))).collect()
            }
            Watched::Permits => self
                .permits
                .values()
                .cloned()
                .map(|permits| Event::Replica(ReplicaEvent::Permits(Box::new(permits))))
                .collect(),
            Watched::ReplicaSets => {
                let revisions = self.revisions.iter();
                revisions
                    .map(|(set, revision)| {
                        Event::Cluster(ClusterEvent::Revision {
                            replica_set: set.clone(),
                            revision: *revision,
                        })
                    })
                    .collect()
            }
            Watched::Deployments => self
                .workloads
                .values()
                .cloned()
                .map(|view| Event::Cluster(ClusterEvent::Workload(Box::new(view))))
                .collect(),
            Watched::Plans => self
                .plans
                .values()
                .cloned()
                .map(|view| Event::Cluster(ClusterEvent::Plan(Box::new(view))))
                .collect(),
            Watched::UnplacedPods
            | Watched::UpstreamUnplacedPods
            | Watched::UpstreamReplicaSets
            | Watched::DaemonSets
            | Watched::Baselines => vec![],
        }
    }
}
