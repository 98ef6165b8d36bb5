//! Module objects: created, patched and deleted by the process that acts for their VNode, or takes away what is left of it.

use std::sync::Arc;

use engine::{
    ClusterEvent, Event, Request, Write, WriteError,
    view::{ModuleKey, ModuleView},
};

use super::{Api, Written};

impl Api {
    /// Carries out what is about a Module object; none where it is about something else.
    pub(super) fn write_module(&mut self, request: &Request, write: &Write) -> Option<Written> {
        let done = |watch, returned, result| Some(Written::new(write.clone(), watch, returned, result));
        match request {
            Request::CreateModule(desired) => {
                // One in another namespace is another object. It is not kept here: nobody goes by it any more.
                let is_it = |known: &&ModuleView| known.module.namespace == desired.module.namespace;
                if let Some(known) = self.modules.get(&desired.key).filter(is_it) {
                    // Whoever finds it there reads it.
                    let known = Event::Cluster(ClusterEvent::Module(Box::new(known.clone())));
                    return done(vec![], Some(known), Err(WriteError::Conflict("exists".into())));
                }
                let mut module = (**desired).clone();
                module.resource_version = self.next();
                module.module.uid = format!("module-{}", module.resource_version).into();
                self.modules.insert(module.key.clone(), module.clone());
                let event = Event::Cluster(ClusterEvent::Module(Box::new(module)));
                done(vec![event.clone()], Some(event), Ok(()))
            }
            Request::PatchModule { desired, by } => {
                let is_by_another = *by != self.written_by.get(&desired.module.uid).cloned();
                if let Some(by) = by {
                    self.written_by.insert(desired.module.uid.clone(), by.clone());
                }
                self.patch_module(write, &desired.key, &desired.module.uid, is_by_another, |known| {
                    *known = ModuleView { status: known.status.clone(), ..(**desired).clone() };
                })
            }
            Request::PatchModuleStatus { key, module, status } => {
                self.patch_module(write, key, &module.uid, false, |known| {
                    known.status = (**status).clone();
                })
            }
            Request::DeleteModule { key, module, resource_version } => {
                let there = self.modules.get(key).is_some_and(|known| {
                    known.module.uid == module.uid
                        && resource_version.is_none_or(|version| version == known.resource_version)
                });
                self.idle_writes += usize::from(!there);
                let gone = there.then(|| {
                    Event::Cluster(ClusterEvent::ModuleGone { key: key.clone(), module: module.clone() })
                });
                if there {
                    self.modules.remove(key);
                }
                done(gone.into_iter().collect(), None, Ok(()))
            }
            _ => None,
        }
    }

    fn patch_module(
        &mut self,
        write: &Write,
        key: &ModuleKey,
        uid: &Arc<str>,
        is_by_another: bool,
        change: impl FnOnce(&mut ModuleView),
    ) -> Option<Written> {
        let version = self.next();
        let Some(known) = self.modules.get_mut(key).filter(|known| known.module.uid == *uid) else {
            let result = Err(WriteError::NotFound("no such Module".into()));
            return Some(Written::new(write.clone(), vec![], None, result));
        };
        let before = known.clone();
        change(known);
        known.resource_version = before.resource_version;
        if *known == before && !is_by_another {
            self.idle_writes += 1;
        } else {
            known.resource_version = version;
        }
        let event = Event::Cluster(ClusterEvent::Module(Box::new(known.clone())));
        Some(Written::new(write.clone(), vec![event.clone()], Some(event), Ok(())))
    }
}
