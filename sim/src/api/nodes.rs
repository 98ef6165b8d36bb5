//! Nodes: patches merge as the server merges them, so what others wrote stays.

use engine::{
    ClusterEvent, Event, Request, Write, WriteError,
    view::{NodeView, OFFERED},
};

use super::{Api, Written};

impl Api {
    /// Carries out what is about a Node; none for any other request.
    pub(super) fn write_node(&mut self, request: &Request, write: &Write) -> Option<Written> {
        let done =
            |watch: Vec<Event>, returned, result| Some(Written::new(write.clone(), watch, returned, result));
        match request {
            Request::CreateNode(desired) => {
                if self.nodes.contains_key(&desired.name) {
                    return done(vec![], None, Err(WriteError::Conflict("exists".into())));
                }
                let version = self.next();
                let uid = format!("node-{version}").into();
                let node = NodeView { uid, resource_version: version, ..(**desired).clone() };
                self.nodes.insert(node.name.clone(), node.clone());
                let event = Event::Cluster(ClusterEvent::Node(Box::new(node)));
                done(vec![event.clone()], Some(event), Ok(()))
            }
            Request::PatchNode { desired } => Some(self.patch_node(write.clone(), desired)),
            Request::PatchNodeStatus { desired } => Some(self.patch_node_status(write.clone(), desired)),
            Request::DeleteNode { name, uid } => {
                let mut watch = Vec::new();
                match self.nodes.get(name) {
                    Some(node) if node.uid == *uid => {
                        self.nodes.remove(name);
                        watch.push(Event::Cluster(ClusterEvent::NodeGone {
                            name: name.clone(),
                            uid: uid.clone(),
                        }));
                    }
                    // The Lease is another Node's by now.
                    Some(_) => return done(watch, None, Ok(())),
                    None => {}
                }
                watch.extend(self.delete_lease(name));
                done(watch, None, Ok(()))
            }
            _ => None,
        }
    }

    /// Labels and annotations merge; the taints are a whole list, of the version that was seen.
    fn patch_node(&mut self, write: Write, desired: &NodeView) -> Written {
        self.change_node(write, desired, true, |node| {
            node.labels.extend(desired.labels.clone());
            node.annotations.extend(desired.annotations.clone());
            node.taints = desired.taints.clone();
        })
    }

    /// Conditions merge by type and resources by name; addresses are a whole list, where there are any.
    fn patch_node_status(&mut self, write: Write, desired: &NodeView) -> Written {
        self.change_node(write, desired, !desired.addresses.is_empty(), |node| {
            if !desired.addresses.is_empty() {
                node.addresses = desired.addresses.clone();
            }
            for name in OFFERED {
                let kinds =
                    [(&mut node.capacity, &desired.capacity), (&mut node.allocatable, &desired.allocatable)];
                for (there, wanted) in kinds {
                    match wanted.get(name) {
                        Some(quantity) => drop(there.insert(name.into(), spelt(quantity).into())),
                        None => drop(there.remove(name)),
                    }
                }
            }
            for wanted in &desired.conditions {
                match node.conditions.iter_mut().find(|condition| condition.kind == wanted.kind) {
                    Some(condition) => *condition = wanted.clone(),
                    None => node.conditions.push(wanted.clone()),
                }
            }
            node.kubelet_port = desired.kubelet_port;
            node.kubelet_version = desired.kubelet_version.clone();
        })
    }

    fn change_node(
        &mut self,
        write: Write,
        desired: &NodeView,
        as_seen: bool,
        change: impl FnOnce(&mut NodeView),
    ) -> Written {
        let version = self.next();
        let refused = |why: &str| Err(WriteError::Conflict(why.to_owned()));
        let result = match self.nodes.get_mut(&desired.name) {
            Some(node) if node.uid != desired.uid => refused("another Node"),
            Some(node) if as_seen && node.resource_version != desired.resource_version => {
                refused("it changed")
            }
            Some(node) => {
                change(node);
                node.resource_version = version;
                Ok(Event::Cluster(ClusterEvent::Node(Box::new(node.clone()))))
            }
            None => refused("gone"),
        };
        let returned = result.as_ref().ok().cloned();
        let watch = returned.iter().cloned().collect();
        Written { watch, returned, end: Event::Written { write, result: result.map(|_| ()) } }
    }
}

/// The server spells amounts in its own words: here, in others than a client does.
fn spelt(quantity: &str) -> String {
    match quantity.strip_suffix('k') {
        Some(thousands) => format!("{thousands}000"),
        None => quantity.to_owned(),
    }
}
