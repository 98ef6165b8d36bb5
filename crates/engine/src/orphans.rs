//! Module objects whose base is not there: they are kept for a while, because a base that comes
//! back with what it held is then still known to hold it, and collected after that.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use model::BizId;

use crate::{
    action::Action,
    request::{Request, WriteError},
    view::{ModuleKey, ModuleRef, ModuleView},
    write_slot::WriteSlot,
};

/// The deletion of an object.
#[derive(Debug, Default)]
struct Deletion {
    slot: WriteSlot,
    /// It was sent, and did not fail.
    sent: bool,
}

/// The objects of one VNode that is not there.
#[derive(Debug)]
struct Orphan {
    collect_at: Duration,
    /// Its base said goodbye: what it held ended with it.
    ended: bool,
    objects: BTreeMap<BizId, (ModuleView, Deletion)>,
}

/// An object that a VNode takes up.
#[derive(Debug)]
pub(crate) struct Inherited {
    pub(crate) view: ModuleView,
    /// Its deletion was sent.
    pub(crate) ends: bool,
    /// The base said goodbye after it was written.
    pub(crate) base_ended: bool,
}

/// All of them, by VNode.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    by_vnode: HashMap<Arc<str>, Orphan>,
}

impl Orphans {
    /// An object of a VNode that is not there; it is collected at `collect_at`, unless its VNode
    /// has objects here already.
    /// Of two for one biz that in our own namespace counts.
    pub(crate) fn see(&mut self, view: ModuleView, own: &str, collect_at: Duration) {
        let orphan = self.by_vnode.entry(view.key.vnode.clone()).or_insert_with(|| Orphan {
            collect_at,
            ended: false,
            objects: BTreeMap::new(),
        });
        let is_own = |view: &ModuleView| *view.module.namespace == *own;
        if orphan.objects.get(&view.key.id).is_some_and(|(seen, _)| is_own(seen)) && !is_own(&view) {
            return;
        }
        let deletion = orphan.objects.remove(&view.key.id).map(|(_, deletion)| deletion).unwrap_or_default();
        orphan.objects.insert(view.key.id.clone(), (view, deletion));
    }

    /// The base of these objects said goodbye.
    pub(crate) fn base_ended(&mut self, vnode: &str) {
        if let Some(orphan) = self.by_vnode.get_mut(vnode) {
            orphan.ended = true;
        }
    }

    /// Somebody writes objects of a VNode that is not there: another replica may act for it by now, of which ours is told by
    /// another watch. They stay until then at least.
    pub(crate) fn spare(&mut self, vnode: &str, until: Duration) {
        if let Some(orphan) = self.by_vnode.get_mut(vnode) {
            orphan.collect_at = orphan.collect_at.max(until);
        }
    }

    /// An object is gone.
    pub(crate) fn lose(&mut self, key: &ModuleKey, module: &ModuleRef) {
        let Some(orphan) = self.by_vnode.get_mut(&key.vnode) else { return };
        if orphan.objects.get(&key.id).is_some_and(|(view, _)| view.module.uid == module.uid) {
            orphan.objects.remove(&key.id);
        }
        if orphan.objects.is_empty() {
            self.by_vnode.remove(&key.vnode);
        }
    }

    /// The objects of a VNode that is not there.
    pub(crate) fn of(&self, vnode: &str) -> impl Iterator<Item = &ModuleView> {
        self.by_vnode.get(vnode).into_iter().flat_map(|orphan| orphan.objects.values().map(|(view, _)| view))
    }

    /// The VNode is there (again): its objects.
    pub(crate) fn take(&mut self, vnode: &Arc<str>) -> impl Iterator<Item = Inherited> + use<> {
        let orphan = self.by_vnode.remove(vnode);
        let base_ended = orphan.as_ref().is_some_and(|orphan| orphan.ended);
        let objects = orphan.map(|orphan| orphan.objects).unwrap_or_default();
        objects.into_values().map(move |(view, deletion)| Inherited { view, ends: deletion.sent, base_ended })
    }

    /// The deletion of an object ended.
    pub(crate) fn written(&mut self, key: &ModuleKey, now: Duration, result: &Result<(), WriteError>) {
        let object = self.by_vnode.get_mut(&key.vnode).and_then(|orphan| orphan.objects.get_mut(&key.id));
        if let Some((_, deletion)) = object {
            deletion.slot.ended(now, result);
            // An error may have come after the deletion.
            deletion.sent = !matches!(result, Err(WriteError::Refused(_)));
            if result.is_ok() {
                deletion.slot.was_the_last(now);
            }
        }
    }

    /// Deletes what is due, of the VNodes that nobody has anything to do with.
    pub(crate) fn collect(&mut self, now: Duration, is_orphan: impl Fn(&str) -> bool, out: &mut Vec<Action>) {
        for (vnode, orphan) in &mut self.by_vnode {
            if now < orphan.collect_at || !is_orphan(vnode) {
                continue;
            }
            for (view, deletion) in orphan.objects.values_mut() {
                if deletion.slot.is_free(now) && !view.deleting {
                    deletion.slot.sent();
                    deletion.sent = true;
                    let (key, module) = (view.key.clone(), view.module.clone());
                    let resource_version = Some(view.resource_version);
                    out.push(Action::Request(Request::DeleteModule { key, module, resource_version }));
                }
            }
        }
    }

    /// When something is to be deleted.
    pub(crate) fn wake(&self, now: Duration) -> Option<Duration> {
        let due = |orphan: &Orphan| {
            let objects = orphan.objects.values().filter(|(view, _)| !view.deleting);
            let earliest = objects.filter_map(|(_, deletion)| deletion.slot.wake()).min()?;
            Some(earliest.max(orphan.collect_at))
        };
        self.by_vnode.values().filter_map(due).filter(|&at| at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::module;

    /// Seed 26188: the base's next life is another replica's by now, of which the watch of Leases has not told yet.
    #[test]
    fn what_somebody_writes_for_is_spared_for_a_while() {
        let s = Duration::from_secs;
        let mut orphans = Orphans::default();
        orphans.see(module("biz1"), "default", s(25));
        for vnode in ["virtual-node-b", "virtual-node-of-nobody"] {
            orphans.spare(vnode, s(140));
            orphans.spare(vnode, s(130));
        }
        orphans.see(module("biz2"), "default", s(3_600));
        let mut collected = |at| {
            let mut out = Vec::new();
            orphans.collect(s(at), |_| true, &mut out);
            out.len()
        };
        assert_eq!((collected(139), collected(140)), (0, 2));
    }

    #[test]
    fn of_two_for_one_biz_that_in_the_own_namespace_counts_whichever_comes_first() {
        let mut tenants = module("biz1");
        tenants.module.namespace = "tenant".into();
        for views in [[module("biz1"), tenants.clone()], [tenants, module("biz1")]] {
            let mut orphans = Orphans::default();
            let vnode = views[0].key.vnode.clone();
            views.into_iter().for_each(|view| orphans.see(view, "default", Duration::ZERO));
            let kept: Vec<_> = orphans.take(&vnode).map(|left| left.view.module.namespace).collect();
            assert_eq!(kept, ["default".into()]);
        }
    }
}
