//! The Leases of VNodes and of replicas: compare-and-swap, as the ring that talks to the API server does it.

use std::sync::Arc;

use engine::{
    Event, ReplicaEvent, Request, Write, WriteError,
    view::{LeaseView, MemberState, MemberView},
};
use jiff::{SignedDuration, Timestamp};

use super::{Api, Written};

/// The smallest step of a Lease's time.
const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

impl Api {
    /// Carries out what is about a Lease; none for any other request.
    pub(super) fn write_lease(
        &mut self,
        request: &Request,
        write: &Write,
        wall: Timestamp,
    ) -> Option<Written> {
        let write = write.clone();
        Some(match request {
            Request::RenewLease { node, holder, .. } => self.renew(write, node, holder.as_ref(), wall),
            Request::TakeLease { seen, holder, .. } => self.take(write, seen, holder, wall),
            Request::ReleaseLease { node, holder, delete } => {
                if self.leases.get(node).is_none_or(|lease| lease.holder != *holder) {
                    let error = Err(WriteError::Conflict("another holds it".into()));
                    return Some(Written::new(write, vec![], None, error));
                }
                self.owners.insert(node.clone(), "".into());
                self.given_back.insert((node.clone(), holder.clone()));
                if *delete {
                    let gone = self.delete_lease(node);
                    return Some(Written::new(write, gone.into_iter().collect(), None, Ok(())));
                }
                let event = self.put_lease(node, "".into(), wall);
                Written::new(write, vec![event.clone()], Some(event), Ok(()))
            }
            Request::WriteMember(desired) => self.write_member(write, desired),
            Request::ReadMember { name } => match self.members.get(name) {
                Some(member) => {
                    let event = Event::Replica(ReplicaEvent::Member(Box::new(member.clone())));
                    Written::new(write, vec![], Some(event), Ok(()))
                }
                None => {
                    let gone =
                        Event::Replica(ReplicaEvent::MemberGone { name: name.clone(), uid: "".into() });
                    Written::new(write, vec![], Some(gone), Err(WriteError::NotFound("gone".into())))
                }
            },
            Request::DeleteMember { name, uid } => match self.members.get(name) {
                Some(member) if member.uid == *uid => {
                    self.members.remove(name);
                    let gone =
                        Event::Replica(ReplicaEvent::MemberGone { name: name.clone(), uid: uid.clone() });
                    Written::new(write, vec![gone], None, Ok(()))
                }
                Some(_) => Written::new(write, vec![], None, Err(WriteError::Conflict("another".into()))),
                None => Written::new(write, vec![], None, Err(WriteError::NotFound("gone".into()))),
            },
            _ => return None,
        })
    }

    /// A Lease is renewed where its holder still is the one; a single replica holds whatever there is.
    fn renew(
        &mut self,
        write: Write,
        node: &Arc<str>,
        holder: Option<&Arc<str>>,
        wall: Timestamp,
    ) -> Written {
        let there = self.leases.get(node);
        match (holder, there) {
            (Some(holder), Some(lease)) if lease.holder != *holder => {
                let told = Event::Replica(ReplicaEvent::Lease(lease.clone()));
                Written::new(write, vec![], Some(told), Err(WriteError::Conflict("another holds it".into())))
            }
            (Some(_), None) => {
                let gone = Event::Replica(ReplicaEvent::LeaseGone { node: node.clone(), uid: "".into() });
                Written::new(write, vec![], Some(gone), Err(WriteError::NotFound("gone".into())))
            }
            _ => {
                let holder = holder.cloned().unwrap_or_else(|| "alone".into());
                let event = self.put_lease(node, holder, wall);
                // Nothing of a renewal is told but its end.
                Written::new(write, vec![event], None, Ok(()))
            }
        }
    }

    fn take(&mut self, write: Write, seen: &LeaseView, holder: &Arc<str>, wall: Timestamp) -> Written {
        let there = self.leases.get(&seen.node);
        let same = match there {
            Some(lease) => (&lease.uid, lease.resource_version) == (&seen.uid, seen.resource_version),
            None => seen.uid.is_empty(),
        };
        if same {
            self.owners.insert(seen.node.clone(), holder.clone());
            self.given_back.remove(&(seen.node.clone(), holder.clone()));
            let event = self.put_lease(&seen.node, holder.clone(), wall);
            return Written::new(write, vec![event.clone()], Some(event), Ok(()));
        }
        match there {
            Some(lease) => {
                let told = Event::Replica(ReplicaEvent::Lease(lease.clone()));
                Written::new(write, vec![], Some(told), Err(WriteError::Conflict("it changed".into())))
            }
            None => {
                let gone =
                    Event::Replica(ReplicaEvent::LeaseGone { node: seen.node.clone(), uid: "".into() });
                Written::new(write, vec![], Some(gone), Err(WriteError::NotFound("gone".into())))
            }
        }
    }

    fn write_member(&mut self, write: Write, desired: &MemberView) -> Written {
        let there = self.members.get(&desired.name);
        let same = match there {
            Some(member) => {
                (&member.uid, member.resource_version) == (&desired.uid, desired.resource_version)
            }
            None => desired.uid.is_empty(),
        };
        match there {
            Some(member) if !same => {
                let told = Event::Replica(ReplicaEvent::Member(Box::new(member.clone())));
                Written::new(write, vec![], Some(told), Err(WriteError::Conflict("it changed".into())))
            }
            None if !same => Written::new(write, vec![], None, Err(WriteError::NotFound("gone".into()))),
            there => {
                let uid = there.map(|member| member.uid.clone());
                let event = self.put_member(MemberView { uid: uid.unwrap_or_default(), ..desired.clone() });
                Written::new(write, vec![event.clone()], Some(event), Ok(()))
            }
        }
    }

    /// The last word of a replica that ends: it left, whatever it renewed last; unless another has ended it.
    pub fn release_member(&mut self, desired: &MemberView) -> Option<Event> {
        let now = self.members.get(&desired.name)?;
        if now.uid != desired.uid || now.state != MemberState::Living {
            return None;
        }
        Some(self.put_member(desired.clone()))
    }

    fn put_member(&mut self, desired: MemberView) -> Event {
        let resource_version = self.next();
        let uid = match desired.uid.is_empty() {
            true => format!("member-{resource_version}").into(),
            false => desired.uid.clone(),
        };
        let member = MemberView { uid, resource_version, ..desired };
        self.members.insert(member.name.clone(), member.clone());
        Event::Replica(ReplicaEvent::Member(Box::new(member)))
    }

    /// Its time never goes back, whatever the clock of its holder does.
    fn put_lease(&mut self, node: &Arc<str>, holder: Arc<str>, wall: Timestamp) -> Event {
        let resource_version = self.next();
        let old = self.leases.get(node);
        let after = old.and_then(|lease| lease.renewed?.checked_add(MICROSECOND).ok());
        let lease = LeaseView {
            node: node.clone(),
            uid: old.map_or_else(|| format!("lease-{resource_version}").into(), |lease| lease.uid.clone()),
            resource_version,
            renewed: Some(after.map_or(wall, |after| after.max(wall))),
            transitions: old.map_or(0, |lease| {
                lease.transitions + i32::from(!lease.holder.is_empty() && lease.holder != holder)
            }),
            holder,
        };
        self.leases.insert(node.clone(), lease.clone());
        Event::Replica(ReplicaEvent::Lease(lease))
    }

    pub(super) fn delete_lease(&mut self, node: &Arc<str>) -> Option<Event> {
        let lease = self.leases.remove(node)?;
        // Anybody may take it from now on.
        self.given_back.insert((node.clone(), lease.holder));
        Some(Event::Replica(ReplicaEvent::LeaseGone { node: node.clone(), uid: lease.uid }))
    }
}
