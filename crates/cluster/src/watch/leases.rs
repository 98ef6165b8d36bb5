//! The Leases that are watched where replicas share the VNodes: the VNodes', the replicas', and those of permits.
//! The engine puts their views in order by itself, because responses tell of Leases too.

use std::sync::Arc;

use engine::{
    Event, ReplicaEvent,
    view::{LeaseView, MemberView, PermitsView},
};

use super::views::View;
use crate::{
    modules::ENV,
    slim::lease::{MEMBER, PERMITS},
};

/// Which are the VNodes' of an environment.
pub(super) fn of_vnodes(env: &str) -> String {
    format!("{ENV}={env}")
}

/// Which are its replicas'.
pub(super) fn of_members(env: &str) -> String {
    format!("{}={},{ENV}={env}", MEMBER.0, MEMBER.1)
}

/// Which are those of the permits to displace what serves in it.
pub(super) fn of_permits(env: &str) -> String {
    format!("{}={},{ENV}={env}", PERMITS.0, PERMITS.1)
}

impl View for LeaseView {
    type Key = Arc<str>;

    fn uid(&self) -> &Arc<str> {
        &self.uid
    }

    fn version(&self) -> u64 {
        self.resource_version
    }

    fn key(&self) -> Arc<str> {
        self.node.clone()
    }

    fn event(self) -> Event {
        Event::Replica(ReplicaEvent::Lease(self))
    }

    fn gone(node: Arc<str>, uid: &Arc<str>) -> Event {
        Event::Replica(ReplicaEvent::LeaseGone { node, uid: uid.clone() })
    }
}

impl View for MemberView {
    type Key = Arc<str>;

    fn uid(&self) -> &Arc<str> {
        &self.uid
    }

    fn version(&self) -> u64 {
        self.resource_version
    }

    fn key(&self) -> Arc<str> {
        self.name.clone()
    }

    fn event(self) -> Event {
        Event::Replica(ReplicaEvent::Member(Box::new(self)))
    }

    fn gone(name: Arc<str>, uid: &Arc<str>) -> Event {
        Event::Replica(ReplicaEvent::MemberGone { name, uid: uid.clone() })
    }
}

impl View for PermitsView {
    type Key = Arc<str>;

    fn uid(&self) -> &Arc<str> {
        &self.uid
    }

    fn version(&self) -> u64 {
        self.resource_version
    }

    fn key(&self) -> Arc<str> {
        self.name.clone()
    }

    fn event(self) -> Event {
        Event::Replica(ReplicaEvent::Permits(Box::new(self)))
    }

    fn gone(name: Arc<str>, uid: &Arc<str>) -> Event {
        Event::Replica(ReplicaEvent::PermitsGone { name, uid: uid.clone() })
    }
}
