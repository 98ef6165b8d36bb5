//! What a list of a kind has, for a watch that begins or begins anew.

use std::sync::Arc;

use engine::{ClusterEvent, Event, ReplicaEvent, Watched};

use super::Api;

impl Api {
    /// All objects of a kind, as they are now.
    pub fn list(&self, kind: Watched) -> Vec<Event> {
        /// Each in the event that tells of it.
        fn told<'a, T: Clone + 'a>(
            all: impl Iterator<Item = &'a T>,
            event: impl Fn(T) -> Event,
        ) -> Vec<Event> {
            all.cloned().map(event).collect()
        }
        let cluster = Event::Cluster;
        match kind {
            Watched::Nodes => told(self.nodes.values(), |node| cluster(ClusterEvent::Node(Box::new(node)))),
            Watched::Pods => told(self.pods.values(), |pod| cluster(ClusterEvent::Pod(Box::new(pod)))),
            Watched::Modules => {
                told(self.modules.values(), |module| cluster(ClusterEvent::Module(Box::new(module))))
            }
            Watched::Services => told(self.services.iter(), |view| cluster(ClusterEvent::Service(view))),
            Watched::Members => {
                told(self.members.values(), |member| Event::Replica(ReplicaEvent::Member(Box::new(member))))
            }
            Watched::Leases => told(self.leases.values(), |view| Event::Replica(ReplicaEvent::Lease(view))),
            Watched::Permits => told(self.permits.values(), |permits| {
                Event::Replica(ReplicaEvent::Permits(Box::new(permits)))
            }),
            Watched::ReplicaSets => {
                let revision = |(set, revision): (&Arc<str>, &u64)| {
                    cluster(ClusterEvent::Revision { replica_set: set.clone(), revision: *revision })
                };
                self.revisions.iter().map(revision).collect()
            }
            Watched::Deployments => {
                told(self.workloads.values(), |view| cluster(ClusterEvent::Workload(Box::new(view))))
            }
            Watched::Plans => told(self.plans.values(), |view| cluster(ClusterEvent::Plan(Box::new(view)))),
            Watched::UnplacedPods
            | Watched::UpstreamUnplacedPods
            | Watched::UpstreamReplicaSets
            | Watched::DaemonSets
            | Watched::Baselines => vec![],
        }
    }
}
