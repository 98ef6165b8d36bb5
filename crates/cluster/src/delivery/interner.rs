//! An interner: what objects have alike is kept once, as the labels of the Pods of one Deployment, the package that a thousand bases have,
//! or the words of conditions. Of ten thousand modules nearly every text is one of a few.

use std::{
    collections::{BTreeMap, HashSet},
    hash::Hash,
    mem,
    sync::Arc,
};

use engine::view::{Common, Condition, ContainerState, ContainerView, ModuleView, NodeView, PodView, Taint};
use litemap::LiteMap;

/// Longer texts are told of one object and hardly ever of another: a stack trace.
const LONGEST: usize = 256;
/// How many objects come and go before it is looked what nobody has any more, at the least; where much is in use, an eighth
/// of that, so that looking costs little for each.
const FEW: usize = 250;

/// The parts of all objects that the engine knows.
#[derive(Debug, Default)]
pub(super) struct Interner {
    texts: Kept<Arc<str>>,
    maps: Kept<Common<BTreeMap<String, String>>>,
    quantities: Kept<Common<LiteMap<Arc<str>, Arc<str>>>>,
    containers: Kept<Common<Vec<ContainerView>>>,
    lists: Kept<Common<Vec<String>>>,
    taints: Kept<Common<Vec<Taint>>>,
    /// Objects that came or went since what nobody has was taken away.
    passed: usize,
    /// What was in use then.
    used: usize,
}

impl Interner {
    /// A Pod that came.
    pub(super) fn pod(&mut self, view: &mut PodView) {
        self.passed();
        let PodView { pod, node, labels, annotations, owner, controller, containers, .. } = view;
        self.maps.share(labels);
        self.maps.share(annotations);
        self.containers.share(containers);
        self.lists.share(&mut view.aside);
        self.lists.share(&mut view.readiness_gates);
        let owner = owner.iter_mut().flat_map(|of| [&mut of.namespace, &mut of.kind, &mut of.name]);
        self.texts([&mut pod.namespace, node].into_iter().chain(owner).chain(controller));
        let status = &mut view.status;
        self.texts([&mut status.reason, &mut status.message, &mut status.host_ip, &mut status.pod_ip]);
        self.conditions(&mut status.conditions);
        for container in &mut status.containers {
            self.texts([&mut container.name, &mut container.image, &mut container.image_id]);
            match &mut container.state {
                ContainerState::Waiting { reason, message }
                | ContainerState::Terminated { reason, message, .. } => self.texts([reason, message]),
                ContainerState::Running { .. } => {}
            }
        }
    }

    /// A Module object that came.
    pub(super) fn module(&mut self, view: &mut ModuleView) {
        self.passed();
        self.maps.share(&mut view.labels);
        let status = &mut view.status;
        self.texts([&mut view.module.namespace, &mut view.key.vnode, &mut view.url]);
        self.texts([&mut status.error_code, &mut status.suggestion]);
        self.conditions(&mut status.conditions);
    }

    /// A Node that came. Its labels are its own, but for a few their keys and values are everybody's.
    pub(super) fn node(&mut self, view: &mut NodeView) {
        self.passed();
        for map in [&mut view.labels, &mut view.annotations] {
            *map = mem::take(map).into_iter().map(|pair| self.pair(pair)).collect();
        }
        self.quantities.share(&mut view.capacity);
        self.quantities.share(&mut view.allocatable);
        self.taints.share(&mut view.taints);
        self.texts([&mut view.name, &mut view.kubelet_version]);
        self.conditions(&mut view.conditions);
    }

    /// An object came or went: from time to time what nobody has any more is taken away.
    pub(super) fn passed(&mut self) {
        self.passed += 1;
        if self.passed > FEW.max(self.used / 8) {
            self.passed = 0;
            self.texts.sweep();
            self.maps.sweep();
            self.quantities.sweep();
            self.containers.sweep();
            self.lists.sweep();
            self.taints.sweep();
            self.used = self.len();
        }
    }

    fn len(&self) -> usize {
        let lists = self.lists.all.len() + self.taints.all.len() + self.containers.all.len();
        self.texts.all.len() + self.maps.all.len() + self.quantities.all.len() + lists
    }

    fn conditions(&mut self, conditions: &mut [Condition]) {
        for Condition { kind, reason, message, .. } in conditions {
            self.texts([kind, reason, message]);
        }
    }

    fn pair(&mut self, (mut key, mut value): (Arc<str>, Arc<str>)) -> (Arc<str>, Arc<str>) {
        self.texts([&mut key, &mut value]);
        (key, value)
    }

    fn texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a mut Arc<str>>) {
        for text in texts.into_iter().filter(|text| text.len() <= LONGEST) {
            self.texts.share(text);
        }
    }
}

/// A part that several may hold.
trait Part: Clone + Eq + Hash {
    /// How many hold it.
    fn holders(&self) -> usize;
}

impl Part for Arc<str> {
    fn holders(&self) -> usize {
        Arc::strong_count(self)
    }
}

impl<T: Eq + Hash> Part for Common<T> {
    fn holders(&self) -> usize {
        self.holders()
    }
}

/// All different parts of one kind.
#[derive(Debug)]
struct Kept<P> {
    all: HashSet<P>,
}

impl<P> Default for Kept<P> {
    fn default() -> Self {
        Self { all: HashSet::new() }
    }
}

impl<P: Part> Kept<P> {
    /// Makes it one with its like.
    fn share(&mut self, part: &mut P) {
        match self.all.get(part) {
            Some(kept) => *part = kept.clone(),
            None => drop(self.all.insert(part.clone())),
        }
    }

    /// Takes away what nobody else holds.
    fn sweep(&mut self) {
        self.all.retain(|part| part.holders() > 1);
        if self.all.capacity() > 4 * self.all.len() {
            self.all.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slim::pod::read_pod;

    fn pod(name: &str, version: &str) -> PodView {
        let json = format!(
            r#"{{"metadata":{{"namespace":"ns","name":"{name}","uid":"{name}","labels":{{"app":"biz1","v":"{version}"}}}},
            "spec":{{"nodeName":"n","containers":[{{"name":"biz1","image":"file:///{version}.jar"}}]}},
            "status":{{"hostIP":"192.0.2.2","podIP":"192.0.2.2","conditions":[{{"type":"Ready","status":"True"}}]}}}}"#
        );
        read_pod(&json).unwrap()
    }

    #[test]
    fn two_pods_of_one_template_have_what_is_alike_once() {
        let mut interner = Interner::default();
        let (mut one, mut other, mut newer) = (pod("p", "1"), pod("q", "1"), pod("r", "2"));
        let before = (one.clone(), newer.clone());
        for view in [&mut one, &mut other, &mut newer] {
            interner.pod(view);
        }
        assert!(one.labels.is_same(&other.labels) && one.containers.is_same(&other.containers));
        assert!(!one.labels.is_same(&newer.labels) && !one.containers.is_same(&newer.containers));
        assert!(one.annotations.is_same(&newer.annotations), "both have none");
        assert!(Arc::ptr_eq(&one.status.host_ip, &newer.status.pod_ip));
        let ready = |view: &PodView| view.status.conditions[0].kind.clone();
        assert!(Arc::ptr_eq(&ready(&one), &ready(&newer)));
        assert_eq!((one, newer), before, "and say what they said");
    }

    #[test]
    fn what_nobody_has_any_more_is_forgotten() {
        let mut interner = Interner::default();
        let mut stays = pod("p", "1");
        interner.pod(&mut stays);
        for version in 0..10 * FEW {
            interner.pod(&mut pod("q", &version.to_string()));
            assert!(
                interner.len() < 3 * FEW,
                "after {version} versions that came and went: {}",
                interner.len()
            );
        }
        (0..=FEW).for_each(|_| interner.passed());
        let mut again = pod("p", "1");
        let left = interner.len();
        interner.pod(&mut again);
        assert!(again.labels.is_same(&stays.labels));
        assert_eq!(interner.len(), left, "what is in use is known still");
        assert!(left < 20, "{:?}", interner.texts.all);
    }

    #[test]
    fn a_long_text_is_left_to_its_object() {
        let mut interner = Interner::default();
        let mut view = pod("p", "1");
        view.status.message = "x".repeat(LONGEST + 1).into();
        interner.pod(&mut view);
        assert_eq!(Arc::strong_count(&view.status.message), 1);
    }
}
