//! One replica acts for a VNode: the one that took its Lease last. It is held at the moment of sending, and once more
//! when a command or a write arrives.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arklet::Command;
use engine::{Action, Request, ToBase};
use model::BaseIdentity;

use crate::{api::Api, world::World};

/// How long the one that takes away what is left of VNodes may not know that one has been taken: the longest that its
/// watches lag or are closed. What the owner has written since it does not touch; of the rest the owner sees that it is gone.
const LAG: Duration = Duration::from_secs(60);

/// Who was entitled to what.
#[derive(Debug, Default)]
pub struct Owner {
    /// Commands and writes that somebody was entitled to.
    pub acts: usize,
    /// When each VNode was taken last, and the newest version of all objects then.
    taken: BTreeMap<Arc<str>, (Duration, u64)>,
}

impl Owner {
    /// A command or a write that passed the fence is sent.
    pub(crate) fn sent(
        &mut self,
        action: &Action,
        who: &Arc<str>,
        api: &Api,
        now: Duration,
    ) -> Result<(), String> {
        let Some(node) = concerned(action, api) else { return Ok(()) };
        self.acts += 1;
        let owner = api.owners.get(&node);
        let cleans_up = |asked: &Request| self.may_clean_up(asked, &node, api, now);
        if owner == Some(who) || matches!(action, Action::Request(asked) if cleans_up(asked)) {
            return Ok(());
        }
        Err(format!("{who} sends {} at {now:?}, and {node} is {owner:?}'s", word(action)))
    }

    /// A request reaches the API server.
    pub(crate) fn arrived(
        &self,
        asked: &Request,
        who: &Arc<str>,
        api: &Api,
        now: Duration,
    ) -> Result<(), String> {
        // The server itself compares who holds it.
        let Some(node) = vnode_of(asked, api).filter(|_| !matches!(asked, Request::RenewLease { .. })) else {
            return Ok(());
        };
        if self.may_clean_up(asked, &node, api, now) {
            return Ok(());
        }
        let what = asked.write().map(|write| format!("{write:?}")).unwrap_or_default();
        still_its(&node, who, api).map_err(|why| format!("{who}'s {what} arrives at {now:?}: {why}"))
    }

    /// A command reaches its base.
    pub(crate) fn reached(
        &self,
        base: &BaseIdentity,
        command: &Command,
        who: &Arc<str>,
        api: &Api,
        now: Duration,
    ) -> Result<(), String> {
        still_its(&World::node_of(base), who, api)
            .map_err(|why| format!("{who}'s {} reaches {base} at {now:?}: {why}", command.kind()))
    }
}

impl Owner {
    /// Somebody has taken a VNode.
    pub(crate) fn taken(&mut self, node: &Arc<str>, version: u64, now: Duration) {
        self.taken.insert(node.clone(), (now, version));
    }

    /// What is left of a VNode that is no more is anybody's to take away.
    fn may_clean_up(&self, asked: &Request, node: &Arc<str>, api: &Api, now: Duration) -> bool {
        let nobodys = api.leases.get(node).is_none_or(|lease| lease.holder.is_empty());
        match asked {
            Request::DeletePod { .. } => nobodys,
            Request::DeleteModule { resource_version, .. } => {
                let is_older = |at: u64| resource_version.is_some_and(|version| version <= at);
                nobodys || self.taken.get(node).is_some_and(|(since, at)| now < *since + LAG && is_older(*at))
            }
            _ => false,
        }
    }
}

/// What was sent before its sender gave the VNode back may still be on its way.
fn still_its(node: &Arc<str>, who: &Arc<str>, api: &Api) -> Result<(), String> {
    let owner = api.owners.get(node);
    let entitled = owner == Some(who) || api.given_back.contains(&(node.clone(), who.clone()));
    if entitled { Ok(()) } else { Err(format!("{node} is {owner:?}'s by now")) }
}

/// The VNode that an action is for.
fn concerned(action: &Action, api: &Api) -> Option<Arc<str>> {
    match action {
        Action::Base(ToBase::Call { target, .. }) => Some(World::node_of(&target.base)),
        Action::Request(asked) => vnode_of(asked, api),
        _ => None,
    }
}

/// The VNode that a request is for.
fn vnode_of(asked: &Request, api: &Api) -> Option<Arc<str>> {
    match asked {
        Request::CreateNode(desired)
        | Request::PatchNode { desired }
        | Request::PatchNodeStatus { desired } => Some(desired.name.clone()),
        Request::DeleteNode { name, .. } => Some(name.clone()),
        Request::RenewLease { node, .. } => Some(node.clone()),
        Request::PatchPodStatus { pod, .. } | Request::DeletePod { pod } => {
            api.pods.get(&pod.uid).map(|pod| pod.node.clone())
        }
        Request::CreateModule(desired) | Request::PatchModule { desired, .. } => {
            Some(desired.key.vnode.clone())
        }
        Request::PatchModuleStatus { key, .. } | Request::DeleteModule { key, .. } => Some(key.vnode.clone()),
        // Taken and given back by compare-and-swap, and what is about no VNode.
        _ => None,
    }
}

fn word(action: &Action) -> String {
    match action {
        Action::Base(ToBase::Call { target, command, .. }) => {
            let id = command.biz().map(ToString::to_string).unwrap_or_default();
            format!("{} {id} to {}", command.kind(), target.base)
        }
        Action::Request(asked) => asked.write().map(|write| format!("{write:?}")).unwrap_or_default(),
        _ => String::new(),
    }
}
