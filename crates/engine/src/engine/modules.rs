//! Module objects: those of VNodes, and those that are left over.

use model::name;

use super::Engine;
use crate::{
    action::Action,
    event::Now,
    view::{ModuleKey, ModuleRef, ModuleView},
};

impl Engine {
    pub(super) fn see_module(&mut self, view: ModuleView, now: Now, out: &mut Vec<Action>) {
        // What stands for no biz under this name is none of ours, whatever its labels say.
        if *view.module.name != *name::module_name(&view.key.vnode, &view.key.id) {
            return;
        }
        self.drifts.touch(&view.key.vnode, now.mono);
        match self.by_node.get(&view.key.vnode).cloned() {
            Some(base) => self.visit(&base, now, out, |vnode, ctx| vnode.see_module(view, ctx.config)),
            None => {
                if self.ownership.is_some() {
                    self.orphans.spare(&view.key.vnode, now.mono + self.config.times.spare);
                }
                self.orphans.see(view, &self.config.namespace, now.mono + self.config.times.collect_after);
                self.collect_orphans(now, out);
            }
        }
    }

    pub(super) fn lose_module(
        &mut self,
        key: &ModuleKey,
        module: &ModuleRef,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        self.drifts.touch(&key.vnode, now.mono);
        match self.by_node.get(&key.vnode).cloned() {
            Some(base) => self.visit(&base, now, out, |vnode, _| vnode.lose_module(&key.id, module)),
            None => self.orphans.lose(key, module),
        }
    }

    pub(super) fn collect_orphans(&mut self, now: Now, out: &mut Vec<Action>) {
        match &self.ownership {
            None => self.orphans.collect(now.mono, |_| true, out),
            // What another acts for, or may, is no orphan.
            Some(shared) if shared.leads => {
                self.orphans.collect(now.mono, |vnode| !shared.leases.is_known(vnode), out);
            }
            Some(_) => {}
        }
        self.orphans_wake = self.orphans.wake(now.mono);
    }
}
