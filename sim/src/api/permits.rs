//! The Leases of permits: compare-and-swap, as the ring that talks to the API server does it.

use engine::{Event, ReplicaEvent, Request, Write, WriteError, view::PermitsView};

use super::{Api, Written};

impl Api {
    /// Carries out what is about a Lease of permits; none for any other request.
    pub(super) fn write_permits(&mut self, request: &Request, write: &Write) -> Option<Written> {
        let write = write.clone();
        match request {
            Request::WritePermits(desired) => Some(self.put_permits(write, desired)),
            Request::DeletePermits { name, uid, resource_version } => {
                let there = self.permits.get(name);
                let seen =
                    |there: &PermitsView| (&there.uid, there.resource_version) == (uid, *resource_version);
                Some(match there.map(seen) {
                    Some(true) => {
                        self.permits.remove(name);
                        let gone = Event::Replica(ReplicaEvent::PermitsGone {
                            name: name.clone(),
                            uid: uid.clone(),
                        });
                        Written::new(write, vec![gone], None, Ok(()))
                    }
                    Some(false) => {
                        Written::new(write, vec![], None, Err(WriteError::Conflict("it changed".into())))
                    }
                    None => Written::new(write, vec![], None, Err(WriteError::NotFound("gone".into()))),
                })
            }
            _ => None,
        }
    }

    fn put_permits(&mut self, write: Write, desired: &PermitsView) -> Written {
        let there = self.permits.get(&desired.name);
        let same = match there {
            Some(there) => (&there.uid, there.resource_version) == (&desired.uid, desired.resource_version),
            None => desired.uid.is_empty(),
        };
        match there {
            Some(there) if !same => {
                let told = Event::Replica(ReplicaEvent::Permits(Box::new(there.clone())));
                Written::new(write, vec![], Some(told), Err(WriteError::Conflict("it changed".into())))
            }
            None if !same => {
                let gone =
                    Event::Replica(ReplicaEvent::PermitsGone { name: desired.name.clone(), uid: "".into() });
                Written::new(write, vec![], Some(gone), Err(WriteError::NotFound("gone".into())))
            }
            there => {
                let uid = there.map(|there| there.uid.clone());
                let resource_version = self.next();
                let uid = uid.unwrap_or_else(|| format!("permits-{resource_version}").into());
                let permits = PermitsView { uid, resource_version, ..desired.clone() };
                self.permits.insert(permits.name.clone(), permits.clone());
                let event = Event::Replica(ReplicaEvent::Permits(Box::new(permits)));
                Written::new(write, vec![event.clone()], Some(event), Ok(()))
            }
        }
    }
}
