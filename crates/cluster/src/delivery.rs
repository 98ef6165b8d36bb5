//! The delivery filter: the one place where watches and the responses to writes meet on their way to the engine.
//!
//! The response to a write is delivered at once, so that nobody waits for the watch to say the same. With two sources a late
//! response could bring back an object that the watch has reported as gone, and nothing would ever end it. So the filter
//! delivers nothing of an object after its end, and of two views of one object only the newer. The watch's echo of our own
//! write says nothing new; it is dropped, which halves what the engine has to look at.

mod interner;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::{
    ClusterEvent, Event,
    view::{ModuleKey, ModuleRef, ModuleView, NodeView, PodRef, PodView},
};
use tokio::sync::mpsc;

use self::interner::Interner;

/// How many ended objects are remembered. A response is late by its deadline at most (15 s), and
/// 8,192 deletions in 15 s is more than any API server does for us.
const REMEMBERED: usize = 8192;

/// Where a view comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A list that tells every object there is.
    List,
    /// A watch.
    Watch,
    /// The response to a write, or a read that came with one.
    Response,
}

/// The objects of one kind that the engine knows, by UID.
#[derive(Debug)]
pub(crate) struct Table<K> {
    known: HashMap<Arc<str>, Entry<K>>,
    round: u64,
    /// What ended, as hashes of UIDs: a text of 36 letters for each would be a megabyte for each kind. Were two alike, a
    /// response would be left out that the watch tells a moment later.
    ended: HashSet<u64>,
    ended_order: VecDeque<u64>,
    hashes: RandomState,
}

#[derive(Debug)]
struct Entry<K> {
    key: K,
    version: u64,
    round: u64,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            round: 0,
            ended: HashSet::new(),
            ended_order: VecDeque::new(),
            hashes: RandomState::new(),
        }
    }
}

impl<K> Table<K> {
    /// Whether this view is to be told; if so, it counts as told.
    pub(crate) fn tell(
        &mut self,
        uid: &Arc<str>,
        version: u64,
        source: Source,
        key: impl FnOnce() -> K,
    ) -> bool {
        if source == Source::Response && self.has_ended(uid) {
            return false;
        }
        let round = self.round;
        let Some(entry) = self.known.get_mut(uid) else {
            self.known.insert(uid.clone(), Entry { key: key(), version, round });
            return true;
        };
        entry.round = round;
        let newer = match source {
            // A list is told whatever it says, except the same again: after a restore from a
            // backup versions go back.
            Source::List => version != entry.version,
            Source::Watch | Source::Response => version > entry.version,
        };
        // 0 is a version that could not be read: nothing can be said of its order.
        let told = newer || version == 0;
        if told {
            entry.version = version;
        }
        told
    }

    fn has_ended(&self, uid: &Arc<str>) -> bool {
        self.ended.contains(&self.hashes.hash_one(uid))
    }

    /// Whether the engine knows the object.
    pub(crate) fn knows(&self, uid: &str) -> bool {
        self.known.contains_key(uid)
    }

    /// The object exists, though nothing can be told of it.
    pub(crate) fn seen(&mut self, uid: &str) {
        let round = self.round;
        if let Some(entry) = self.known.get_mut(uid) {
            entry.round = round;
        }
    }

    /// A list begins: what is not told until [`Table::vanished`] is asked has vanished.
    pub(crate) fn begin(&mut self) {
        self.round += 1;
    }

    /// The objects that the list did not have.
    pub(crate) fn vanished(&self) -> Vec<Arc<str>> {
        let gone = self.known.iter().filter(|(_, entry)| entry.round != self.round);
        gone.map(|(uid, _)| uid.clone()).collect()
    }

    /// The object is gone; what it was, where the engine knew it.
    pub(crate) fn remove(&mut self, uid: &Arc<str>) -> Option<K> {
        let mark = self.hashes.hash_one(uid);
        if self.ended.insert(mark) {
            self.ended_order.push_back(mark);
            if self.ended_order.len() > REMEMBERED
                && let Some(oldest) = self.ended_order.pop_front()
            {
                self.ended.remove(&oldest);
            }
        }
        self.known.remove(uid).map(|entry| entry.key)
    }

    /// How many objects the engine knows.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

#[derive(Debug, Default)]
struct Nodes {
    table: Table<Arc<str>>,
    /// How many Nodes of a name are known: two for a moment, when one is made again.
    names: HashMap<Arc<str>, usize>,
}

/// Knows what was delivered to the engine. The watches and the writer share it.
#[derive(Debug, Default)]
pub struct DeliveryFilter {
    pods: Mutex<Table<PodRef>>,
    nodes: Mutex<Nodes>,
    modules: Mutex<Table<(ModuleKey, ModuleRef)>>,
    interner: Mutex<Interner>,
}

/// The engine no longer listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// A panic while a table is locked cannot leave it half changed in a way that matters.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DeliveryFilter {
    /// Nothing is delivered yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many Pods the engine knows.
    pub fn pods(&self) -> usize {
        lock(&self.pods).len()
    }

    /// How many Nodes the engine knows.
    pub fn nodes(&self) -> usize {
        lock(&self.nodes).table.len()
    }

    /// Whether a Node of this name stands for a base: by the forms that VNodes are named by, or
    /// because the Node watch has it.
    pub(crate) fn is_vnode(&self, name: &str) -> bool {
        name.starts_with("virtual-node-")
            || name.starts_with("vnode.")
            || lock(&self.nodes).names.contains_key(name)
    }

    /// Whether the engine knows this Pod.
    pub(crate) fn knows_pod(&self, uid: &str) -> bool {
        lock(&self.pods).knows(uid)
    }

    /// Tells a Pod, unless it says nothing new. The place in the queue is taken first, so that
    /// looking and telling are one step.
    pub(crate) async fn pod(
        &self,
        events: &mpsc::Sender<Event>,
        source: Source,
        mut view: PodView,
    ) -> Result<(), Closed> {
        let place = events.reserve().await.map_err(|_| Closed)?;
        lock(&self.interner).pod(&mut view);
        let mut pods = lock(&self.pods);
        if pods.tell(&view.pod.uid, view.resource_version, source, || view.pod.clone()) {
            place.send(Event::Cluster(ClusterEvent::Pod(Box::new(view))));
        }
        Ok(())
    }

    /// The Pod exists, though it could not be read.
    pub(crate) fn pod_seen(&self, uid: &str) {
        lock(&self.pods).seen(uid);
    }

    /// Tells that a Pod is gone, where the engine knew it.
    pub(crate) async fn pod_gone(&self, events: &mpsc::Sender<Event>, uid: &Arc<str>) -> Result<(), Closed> {
        let place = events.reserve().await.map_err(|_| Closed)?;
        lock(&self.interner).passed();
        let mut pods = lock(&self.pods);
        if let Some(pod) = pods.remove(uid) {
            place.send(Event::Cluster(ClusterEvent::PodGone(pod)));
        }
        Ok(())
    }

    /// A list of Pods begins.
    pub(crate) fn pods_begin(&self) {
        lock(&self.pods).begin();
    }

    /// A list of Pods is complete: tells those gone that it did not have.
    pub(crate) async fn pods_done(&self, events: &mpsc::Sender<Event>) -> Result<(), Closed> {
        let vanished = lock(&self.pods).vanished();
        for uid in vanished {
            self.pod_gone(events, &uid).await?;
        }
        Ok(())
    }

    /// Tells a Module object, unless it says nothing new.
    pub(crate) async fn module(
        &self,
        events: &mpsc::Sender<Event>,
        source: Source,
        mut view: ModuleView,
    ) -> Result<(), Closed> {
        let place = events.reserve().await.map_err(|_| Closed)?;
        lock(&self.interner).module(&mut view);
        let mut modules = lock(&self.modules);
        let key = || (view.key.clone(), view.module.clone());
        if modules.tell(&view.module.uid, view.resource_version, source, key) {
            place.send(Event::Cluster(ClusterEvent::Module(Box::new(view))));
        }
        Ok(())
    }

    /// The Module object exists, though it could not be read.
    pub(crate) fn module_seen(&self, uid: &str) {
        lock(&self.modules).seen(uid);
    }

    /// Tells that a Module object is gone, where the engine knew it.
    pub(crate) async fn module_gone(
        &self,
        events: &mpsc::Sender<Event>,
        uid: &Arc<str>,
    ) -> Result<(), Closed> {
        let place = events.reserve().await.map_err(|_| Closed)?;
        lock(&self.interner).passed();
        let mut modules = lock(&self.modules);
        if let Some((key, module)) = modules.remove(uid) {
            place.send(Event::Cluster(ClusterEvent::ModuleGone { key, module }));
        }
        Ok(())
    }

    /// A list of Module objects begins.
    pub(crate) fn modules_begin(&self) {
        lock(&self.modules).begin();
    }

    /// A list of Module objects is complete: tells those gone that it did not have.
    pub(crate) async fn modules_done(&self, events: &mpsc::Sender<Event>) -> Result<(), Closed> {
        let vanished = lock(&self.modules).vanished();
        for uid in vanished {
            self.module_gone(events, &uid).await?;
        }
        Ok(())
    }

    /// Tells a Node, unless it says nothing new.
    pub(crate) async fn node(
        &self,
        events: &mpsc::Sender<Event>,
        source: Source,
        mut view: NodeView,
    ) -> Result<(), Closed> {
        let place = events.reserve().await.map_err(|_| Closed)?;
        lock(&self.interner).node(&mut view);
        let mut nodes = lock(&self.nodes);
        let known = nodes.table.knows(&view.uid);
        if nodes.table.tell(&view.uid, view.resource_version, source, || view.name.clone()) {
            if !known {
                *nodes.names.entry(view.name.clone()).or_default() += 1;
            }
            place.send(Event::Cluster(ClusterEvent::Node(Box::new(view))));
        }
        Ok(())
    }

    /// The Node exists, though it could not be read.
    pub(crate) fn node_seen(&self, uid: &str) {
        lock(&self.nodes).table.seen(uid);
    }

    /// Tells that a Node is gone, where the engine knew it.
    pub(crate) async fn node_gone(&self, events: &mpsc::Sender<Event>, uid: &Arc<str>) -> Result<(), Closed> {
        let place = events.reserve().await.map_err(|_| Closed)?;
        lock(&self.interner).passed();
        let mut nodes = lock(&self.nodes);
        if let Some(name) = nodes.table.remove(uid) {
            if let Some(count) = nodes.names.get_mut(&name) {
                *count -= 1;
                if *count == 0 {
                    nodes.names.remove(&name);
                }
            }
            place.send(Event::Cluster(ClusterEvent::NodeGone { name, uid: uid.clone() }));
        }
        Ok(())
    }

    /// A list of Nodes begins.
    pub(crate) fn nodes_begin(&self) {
        lock(&self.nodes).table.begin();
    }

    /// A list of Nodes is complete: tells those gone that it did not have.
    pub(crate) async fn nodes_done(&self, events: &mpsc::Sender<Event>) -> Result<(), Closed> {
        let vanished = lock(&self.nodes).table.vanished();
        for uid in vanished {
            self.node_gone(events, &uid).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> Arc<str> {
        text.into()
    }

    #[test]
    fn of_two_views_only_the_newer_is_told() {
        let mut table = Table::default();
        assert!(table.tell(&uid("a"), 5, Source::Watch, || 'a'));
        assert!(table.tell(&uid("a"), 7, Source::Response, || 'a'));
        assert!(!table.tell(&uid("a"), 7, Source::Watch, || 'a'), "the watch's echo of our write");
        assert!(!table.tell(&uid("a"), 6, Source::Watch, || 'a'), "the watch lags behind");
        assert!(table.tell(&uid("a"), 8, Source::Watch, || 'a'));
    }

    #[test]
    fn versions_that_cannot_be_read_are_always_told() {
        let mut table = Table::default();
        assert!(table.tell(&uid("a"), 0, Source::Watch, || 'a'));
        assert!(table.tell(&uid("a"), 0, Source::Watch, || 'a'));
    }

    #[test]
    fn a_late_response_does_not_call_an_object_back() {
        let mut table = Table::default();
        table.tell(&uid("a"), 5, Source::Watch, || 'a');
        assert_eq!(table.remove(&uid("a")), Some('a'));
        assert!(!table.tell(&uid("a"), 6, Source::Response, || 'a'));
        assert!(!table.knows("a"));
        assert_eq!(table.remove(&uid("a")), None);
    }

    #[test]
    fn what_a_new_list_lacks_has_vanished() {
        let mut table = Table::default();
        for name in ["a", "b", "c", "d"] {
            table.tell(&uid(name), 5, Source::List, || name);
        }
        table.begin();
        assert!(!table.tell(&uid("a"), 5, Source::List, || "a"), "the same again is not told");
        assert!(table.tell(&uid("b"), 6, Source::List, || "b"));
        table.seen("c");
        assert_eq!(table.vanished(), [uid("d")]);
        assert_eq!(table.remove(&uid("d")), Some("d"));
        assert!(table.vanished().is_empty());
    }

    #[test]
    fn a_list_that_broke_off_says_nothing_of_what_vanished() {
        let mut table = Table::default();
        table.tell(&uid("a"), 5, Source::List, || ());
        table.begin();
        table.tell(&uid("a"), 5, Source::List, || ());
        table.begin();
        table.tell(&uid("a"), 5, Source::List, || ());
        assert!(table.vanished().is_empty());
    }

    #[test]
    fn what_was_made_while_the_list_went_on_has_not_vanished() {
        let mut table = Table::default();
        table.begin();
        table.tell(&uid("a"), 9, Source::Response, || ());
        assert!(table.vanished().is_empty());
    }

    #[test]
    fn after_a_restore_the_list_counts_although_its_versions_are_older() {
        let mut table = Table::default();
        table.tell(&uid("a"), 9, Source::Watch, || ());
        table.begin();
        assert!(table.tell(&uid("a"), 4, Source::List, || ()));
        assert!(table.tell(&uid("a"), 5, Source::Watch, || ()));
    }

    #[test]
    fn ended_objects_are_remembered_within_a_limit() {
        let mut table = Table::<()>::default();
        for n in 0..=REMEMBERED {
            table.remove(&uid(&n.to_string()));
        }
        assert_eq!(table.ended.len(), REMEMBERED);
        assert_eq!(table.ended_order.len(), REMEMBERED);
        assert!(!table.has_ended(&uid("0")) && table.has_ended(&uid("1")));
    }

    fn node(name: &str, uid: &str, version: u64) -> NodeView {
        NodeView { name: name.into(), uid: uid.into(), resource_version: version, ..NodeView::default() }
    }

    #[tokio::test]
    async fn names_of_nodes_outlive_a_node_that_is_made_again() {
        let (events, mut received) = mpsc::channel(16);
        let told = DeliveryFilter::new();
        assert!(!told.is_vnode("adopted"));
        told.node(&events, Source::Watch, node("adopted", "1", 1)).await.unwrap();
        told.node(&events, Source::Watch, node("adopted", "1", 2)).await.unwrap();
        told.node(&events, Source::Response, node("adopted", "2", 3)).await.unwrap();
        told.node_gone(&events, &uid("1")).await.unwrap();
        assert!(told.is_vnode("adopted"));
        told.node(&events, Source::Response, node("adopted", "1", 4)).await.unwrap();
        told.node_gone(&events, &uid("2")).await.unwrap();
        assert!(!told.is_vnode("adopted"));
        assert_eq!(told.nodes(), 0);
        drop(events);
        let mut kinds = Vec::new();
        while let Some(event) = received.recv().await {
            kinds.push(match event {
                Event::Cluster(ClusterEvent::Node(node)) => format!("{} {}", node.uid, node.resource_version),
                Event::Cluster(ClusterEvent::NodeGone { uid, .. }) => format!("{uid} gone"),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(kinds, ["1 1", "1 2", "2 3", "1 gone", "2 gone"]);
    }

    #[tokio::test]
    async fn the_two_forms_of_names_are_known_without_a_node() {
        let told = DeliveryFilter::new();
        assert!(told.is_vnode("virtual-node-192.0.2.2") && told.is_vnode("vnode.a.dev"));
        assert!(!told.is_vnode("node-1") && !told.is_vnode("vnode-1"));
    }

    #[tokio::test]
    async fn nobody_to_tell_is_said() {
        let (events, received) = mpsc::channel(1);
        drop(received);
        assert_eq!(DeliveryFilter::new().node(&events, Source::Watch, node("n", "1", 1)).await, Err(Closed));
    }
}
