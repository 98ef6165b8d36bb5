//! What a list of a kind has, for a watch that begins or begins anew.

use engine::{Event, Watched};

use super::Api;

impl Api {
    /// All objects of a kind, as they are now.
    pub fn list(&self, kind: Watched) -> Vec<Event> {
        match kind {
            Watched::Nodes => self.nodes.values().cloned().map(|node| Event::Node(Box::new(node))).collect(),
            Watched::Pods => self.pods.values().cloned().map(|pod| Event::Pod(Box::new(pod))).collect(),
            Watched::Modules => {
                self.modules.values().cloned().map(|module| Event::Module(Box::new(module))).collect()
            }
            Watched::Services => self.services.iter().cloned().map(Event::Service).collect(),
            Watched::Members => {
                self.members.values().cloned().map(|member| Event::Member(Box::new(member))).collect()
            }
            Watched::Leases => self.leases.values().cloned().map(Event::Lease).collect(),
            Watched::Permits => {
                self.permits.values().cloned().map(|permits| Event::Permits(Box::new(permits))).collect()
            }
            Watched::ReplicaSets => {
                let revisions = self.revisions.iter();
                revisions
                    .map(|(set, revision)| Event::Revision { replica_set: set.clone(), revision: *revision })
                    .collect()
            }
            Watched::UnplacedPods
            | Watched::UpstreamUnplacedPods
            | Watched::UpstreamReplicaSets
            | Watched::Deployments
            | Watched::DaemonSets => vec![],
        }
    }
}
