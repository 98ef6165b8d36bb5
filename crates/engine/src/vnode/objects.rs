//! Objects of the cluster that concern this VNode: its Node, its Pods, its Module objects.

use std::time::Duration;

use model::{BizId, BizName};

use super::{VNode, evicted, modules};
use crate::{
    config::Config,
    orphans::Inherited,
    pod::ModulePod,
    view::{ModuleRef, ModuleView, NodeView, PodView},
};

impl VNode {
    /// A view of its Node came.
    pub(crate) fn see_node(&mut self, view: NodeView) {
        let older = |seen: &NodeView| view.uid == seen.uid && view.resource_version < seen.resource_version;
        if !self.node.as_ref().is_some_and(older) {
            self.note_offers(&view);
            self.node = Some(view);
            self.deleted_node = None;
        }
    }

    /// Its Node is gone.
    pub(crate) fn lose_node(&mut self, uid: &str) {
        if self.node.as_ref().is_some_and(|node| &*node.uid == uid) {
            let is_by_us = self.leaving.may_be_over();
            self.deleted_node = self.node.take().filter(|_| !is_by_us).map(Box::new);
            self.leaving.node_is_gone();
        }
    }

    /// A view of a Pod on it came.
    pub(crate) fn see_pod(&mut self, view: PodView) {
        let (uid, is_collected) = (view.pod.uid.clone(), evicted::is_collected(&view));
        match self.pods.get_mut(&uid) {
            Some(pod) => {
                // It may have asked for something else before.
                let names: Vec<BizName> = pod.biz().map(|id| id.name.clone()).collect();
                pod.update(view);
                self.concerns(names);
            }
            None => {
                self.pods.insert(uid.clone(), Box::new(ModulePod::new(view)));
            }
        }
        if let Some(pod) = self.pods.get(&uid) {
            pod.biz().for_each(|id| self.modules.is_asked_for(id, &pod.view.pod.namespace));
            if is_collected {
                pod.biz().for_each(|id| self.evicted.inherit(id));
            }
        }
        self.concerns_pod(&uid);
    }

    /// A Pod on it is gone.
    pub(crate) fn lose_pod(&mut self, uid: &str) {
        self.concerns_pod(uid);
        if let Some(pod) = self.pods.remove(uid) {
            for id in self.left_for_plan(&pod) {
                self.evicted.inherit(&id);
            }
        }
    }

    /// The Pods that are bound to it.
    pub(crate) fn pods(&self) -> impl Iterator<Item = &PodView> {
        self.pods.values().map(|pod| &pod.view)
    }

    /// A Module object of before it was taken up.
    pub(crate) fn inherit_module(&mut self, module: Inherited, now: Duration, config: &Config) {
        let Inherited { view, ends, base_ended } = module;
        let is_left = self.node.is_some();
        let (id, place) = (view.key.id.clone(), modules::Provenance { is_left, ..self.place(&view, config) });
        let may_stay = !base_ended && !ends && !view.deleting;
        self.modules.inherit(view, place, ends, now + config.times.install_deadline);
        // Without a Node nobody can say what became of its Pods.
        let is_without_node = self.node.is_none() && may_stay && self.modules.is_told_managed(&id);
        if is_without_node || self.modules.is_told_kept(&id) {
            self.evicted.inherit(&id);
        }
    }

    /// A view of one of its Module objects came.
    pub(crate) fn see_module(&mut self, view: ModuleView, config: &Config) {
        self.concerns_biz(&view.key.id);
        let place = self.place(&view, config);
        self.modules.see(view, place);
    }

    /// Where an object is.
    fn place<'a>(&self, view: &ModuleView, config: &'a Config) -> modules::Provenance<'a> {
        let namespace = &view.module.namespace;
        let asks =
            |pod: &ModulePod| pod.view.pod.namespace == *namespace && pod.biz().any(|id| *id == view.key.id);
        modules::Provenance {
            own: &config.namespace,
            is_ours: *namespace == config.namespace,
            has_pod: self.pods.values().any(|pod| asks(pod)),
            is_left: false,
        }
    }

    /// One of its Module objects is gone.
    pub(crate) fn lose_module(&mut self, id: &BizId, module: &ModuleRef) {
        self.concerns_biz(id);
        self.modules.lose(id, module);
    }

    /// Its Module objects, as they were told last.
    pub(crate) fn module_views(&self) -> impl Iterator<Item = &ModuleView> {
        self.modules.views()
    }

    /// Its Pods and its Module objects, when it goes.
    pub(crate) fn into_parts(self) -> (impl Iterator<Item = PodView>, impl Iterator<Item = ModuleView>) {
        (self.pods.into_values().map(|pod| pod.view), self.modules.into_views())
    }
}
