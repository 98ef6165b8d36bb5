//! An API server: objects with resource versions, writes with preconditions, and what watches tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use engine::{
    Action, Event, Write, WriteError,
    view::{ModuleKey, ModuleView, NodeView, Phase, PodView, ServiceView},
};

/// The objects.
#[derive(Debug, Default)]
pub struct Api {
    version: u64,
    /// Pods by UID.
    pub pods: BTreeMap<Arc<str>, PodView>,
    /// Nodes by name.
    pub nodes: BTreeMap<Arc<str>, NodeView>,
    /// Module objects, by biz and VNode.
    pub modules: BTreeMap<ModuleKey, ModuleView>,
    /// Services.
    pub services: Vec<ServiceView>,
    /// The revisions of ReplicaSets by UID.
    pub revisions: BTreeMap<Arc<str>, u64>,
    /// When each Lease was renewed last, by Node name.
    pub leases: BTreeMap<Arc<str>, std::time::Duration>,
    /// Status writes of Pods that were accepted.
    pub status_writes: usize,
    /// Writes that changed nothing, and deletions of what was gone already by the controller's doing.
    pub idle_writes: usize,
    /// Pods that somebody deleted by force: the controller may be deleting them in the same moment.
    forced: BTreeSet<Arc<str>>,
}

/// What a write did: the events for the watchers, and its answer.
#[derive(Debug)]
pub struct Written {
    /// What watches tell.
    pub watch: Vec<Event>,
    /// What comes before the answer: the object that the server returned.
    pub returned: Option<Event>,
    /// The end.
    pub end: Event,
}

impl Api {
    /// A number that was never given before.
    pub fn next_number(&mut self) -> u64 {
        self.next()
    }

    /// A Service that sends requests to every module.
    pub fn serve_all_modules(&mut self) {
        let selector = [("module-controller.koupleless.io/component".to_owned(), "module".to_owned())].into();
        let resource_version = self.next();
        self.services.push(ServiceView {
            namespace: "default".into(),
            uid: "service".into(),
            resource_version,
            selector,
        });
    }

    fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Carries an action out, or only says what its answer would be.
    pub fn write_if(
        &mut self,
        action: &Action,
        now: std::time::Duration,
        carried_out: bool,
    ) -> Option<Written> {
        if carried_out {
            return self.write(action, now);
        }
        let write = match action {
            Action::CreateNode(desired) => Write::CreateNode(desired.name.clone()),
            Action::PatchNode { desired } => Write::PatchNode(desired.name.clone()),
            Action::PatchNodeStatus { desired } => Write::PatchNodeStatus(desired.name.clone()),
            Action::DeleteNode { name, .. } => Write::DeleteNode(name.clone()),
            Action::RenewLease { node, .. } => Write::RenewLease(node.clone()),
            Action::PatchPodStatus { pod, .. } => Write::PatchPodStatus(pod.clone()),
            Action::DeletePod { pod } => Write::DeletePod(pod.clone()),
            Action::CreateModule(desired) => Write::CreateModule(desired.key.clone()),
            Action::PatchModule { desired } => Write::PatchModule(desired.key.clone()),
            Action::PatchModuleStatus { key, .. } => Write::PatchModuleStatus(key.clone()),
            Action::DeleteModule { key, .. } => Write::DeleteModule(key.clone()),
            Action::FindBasePod { .. } => return self.write(action, now),
            // There are no peer Deployments here, and no other replicas.
            Action::Call { .. }
            | Action::AnswerBaseline { .. }
            | Action::Announce(_)
            | Action::ScaleDeployment { .. }
            | Action::WriteMember(_)
            | Action::ReadMember { .. }
            | Action::DeleteMember { .. }
            | Action::TakeLease { .. }
            | Action::ReleaseLease { .. }
            | Action::Fence { .. }
            | Action::Forward { .. }
            | Action::Replicas { .. } => return None,
        };
        Some(Written { watch: vec![], returned: None, end: Event::Written { write, result: Ok(()) } })
    }

    /// Carries an action out.
    pub fn write(&mut self, action: &Action, now: std::time::Duration) -> Option<Written> {
        let done = |write, watch: Vec<Event>, returned, result| {
            Some(Written { watch, returned, end: Event::Written { write, result } })
        };
        match action {
            Action::CreateNode(desired) => {
                let write = Write::CreateNode(desired.name.clone());
                if self.nodes.contains_key(&desired.name) {
                    return done(write, vec![], None, Err(WriteError::Conflict("exists".into())));
                }
                let version = self.next();
                let uid = format!("node-{version}").into();
                let node = NodeView { uid, resource_version: version, ..(**desired).clone() };
                self.nodes.insert(node.name.clone(), node.clone());
                let event = Event::Node(Box::new(node));
                done(write, vec![event.clone()], Some(event), Ok(()))
            }
            Action::PatchNode { desired } => self.patch_node(Write::PatchNode(desired.name.clone()), desired),
            Action::PatchNodeStatus { desired } => {
                self.patch_node(Write::PatchNodeStatus(desired.name.clone()), desired)
            }
            Action::DeleteNode { name, uid } => {
                let write = Write::DeleteNode(name.clone());
                self.leases.remove(name);
                match self.nodes.get(name) {
                    Some(node) if node.uid == *uid => {
                        self.nodes.remove(name);
                        let gone = Event::NodeGone { name: name.clone(), uid: uid.clone() };
                        done(write, vec![gone], None, Ok(()))
                    }
                    _ => done(write, vec![], None, Ok(())),
                }
            }
            Action::RenewLease { node, .. } => {
                self.leases.insert(node.clone(), now);
                done(Write::RenewLease(node.clone()), vec![], None, Ok(()))
            }
            Action::PatchPodStatus { pod, status } => {
                let write = Write::PatchPodStatus(pod.clone());
                let version = self.next();
                let Some(known) = self.pods.get_mut(&pod.uid) else {
                    return done(write, vec![], None, Err(WriteError::NotFound("no such Pod".into())));
                };
                self.status_writes += 1;
                let mut merged = (**status).clone();
                merged.conditions.extend(
                    known.status.conditions.iter().filter(|c| status.condition(&c.kind).is_none()).cloned(),
                );
                if merged == known.status {
                    self.idle_writes += 1;
                } else {
                    known.status = merged;
                    known.resource_version = version;
                }
                let event = Event::Pod(Box::new(known.clone()));
                done(write, vec![event.clone()], Some(event), Ok(()))
            }
            Action::DeletePod { pod } => {
                let gone = self.pods.remove(&pod.uid).map(|_| Event::PodGone(pod.clone()));
                self.idle_writes += usize::from(gone.is_none() && !self.forced.contains(&pod.uid));
                done(Write::DeletePod(pod.clone()), gone.into_iter().collect(), None, Ok(()))
            }
            Action::CreateModule(desired) => {
                let write = Write::CreateModule(desired.key.clone());
                if let Some(known) = self.modules.get(&desired.key) {
                    // Whoever finds it there reads it.
                    let known = Event::Module(Box::new(known.clone()));
                    return done(write, vec![], Some(known), Err(WriteError::Conflict("exists".into())));
                }
                let mut module = (**desired).clone();
                module.resource_version = self.next();
                module.module.uid = format!("module-{}", module.resource_version).into();
                self.modules.insert(module.key.clone(), module.clone());
                let event = Event::Module(Box::new(module));
                done(write, vec![event.clone()], Some(event), Ok(()))
            }
            Action::PatchModule { desired } => self.patch_module(
                Write::PatchModule(desired.key.clone()),
                &desired.key,
                &desired.module.uid,
                |known| {
                    *known = ModuleView { status: known.status.clone(), ..(**desired).clone() };
                },
            ),
            Action::PatchModuleStatus { key, module, status } => {
                self.patch_module(Write::PatchModuleStatus(key.clone()), key, &module.uid, |known| {
                    known.status = (**status).clone();
                })
            }
            Action::DeleteModule { key, module } => {
                let there = self.modules.get(key).is_some_and(|known| known.module.uid == module.uid);
                self.idle_writes += usize::from(!there);
                let gone = there.then(|| Event::ModuleGone { key: key.clone(), module: module.clone() });
                if there {
                    self.modules.remove(key);
                }
                done(Write::DeleteModule(key.clone()), gone.into_iter().collect(), None, Ok(()))
            }
            Action::FindBasePod { base, .. } => Some(Written {
                watch: vec![],
                returned: None,
                end: Event::BasePod { base: base.clone(), found: Ok(None) },
            }),
            Action::Call { .. }
            | Action::AnswerBaseline { .. }
            | Action::Announce(_)
            | Action::ScaleDeployment { .. }
            | Action::WriteMember(_)
            | Action::ReadMember { .. }
            | Action::DeleteMember { .. }
            | Action::TakeLease { .. }
            | Action::ReleaseLease { .. }
            | Action::Fence { .. }
            | Action::Forward { .. }
            | Action::Replicas { .. } => None,
        }
    }

    fn patch_node(&mut self, write: Write, desired: &NodeView) -> Option<Written> {
        let version = self.next();
        let result = match self.nodes.get_mut(&desired.name) {
            Some(node) if node.uid == desired.uid => {
                *node = NodeView { resource_version: version, uid: node.uid.clone(), ..desired.clone() };
                Ok(Event::Node(Box::new(node.clone())))
            }
            _ => Err(WriteError::Conflict("another Node".into())),
        };
        let returned = result.as_ref().ok().cloned();
        Some(Written {
            watch: returned.iter().cloned().collect(),
            returned,
            end: Event::Written { write, result: result.map(|_| ()) },
        })
    }

    fn patch_module(
        &mut self,
        write: Write,
        key: &ModuleKey,
        uid: &Arc<str>,
        change: impl FnOnce(&mut ModuleView),
    ) -> Option<Written> {
        let version = self.next();
        let Some(known) = self.modules.get_mut(key).filter(|known| known.module.uid == *uid) else {
            let result = Err(WriteError::NotFound("no such Module".into()));
            return Some(Written { watch: vec![], returned: None, end: Event::Written { write, result } });
        };
        let before = known.clone();
        change(known);
        known.resource_version = before.resource_version;
        if *known == before {
            self.idle_writes += 1;
        } else {
            known.resource_version = version;
        }
        let event = Event::Module(Box::new(known.clone()));
        let end = Event::Written { write, result: Ok(()) };
        Some(Written { watch: vec![event.clone()], returned: Some(event), end })
    }

    /// A user, or a controller, makes a Pod that is bound already.
    pub fn create_pod(&mut self, mut pod: PodView) -> Event {
        pod.resource_version = self.next();
        self.pods.insert(pod.pod.uid.clone(), pod.clone());
        Event::Pod(Box::new(pod))
    }

    /// Somebody deletes a Pod with its grace period: the node agent has to finish it.
    pub fn delete_pod(&mut self, uid: &str, wall: jiff::Timestamp) -> Option<Event> {
        let version = self.next();
        let pod = self.pods.get_mut(uid)?;
        pod.deletion = Some(wall);
        pod.resource_version = version;
        Some(Event::Pod(Box::new(pod.clone())))
    }

    /// Somebody deletes a Pod by force.
    pub fn delete_pod_by_force(&mut self, uid: &str) -> Option<Event> {
        let pod = self.pods.remove(uid)?.pod;
        self.forced.insert(pod.uid.clone());
        Some(Event::PodGone(pod))
    }

    /// The Pods that ask for something: not being deleted, not over.
    pub fn live_pods(&self) -> impl Iterator<Item = &PodView> {
        let over = |pod: &PodView| matches!(pod.status.phase, Phase::Failed | Phase::Succeeded);
        self.pods.values().filter(move |pod| pod.deletion.is_none() && !over(pod))
    }
}
