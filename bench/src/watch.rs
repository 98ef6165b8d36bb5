//! One watcher that sees both ends: when a Pod is bound and when it is Ready arrive on the same stream, so that the
//! stream's own delay is in neither.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// How many objects a failure tells of.
const TOLD: usize = 5;

/// How often something long says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// What was seen of one Pod or Node, and when it arrived here.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its UID.
    pub uid: String,
    /// The Node that it is bound to.
    pub node: String,
    /// The first that was seen of it.
    pub created: Instant,
    /// First seen bound to a Node.
    pub bound: Option<Instant>,
    /// First seen Ready.
    pub ready: Option<Instant>,
    /// First seen with a deletion time.
    pub deleting: Option<Instant>,
    /// Seen gone.
    pub gone: Option<Instant>,
    /// It is Ready now.
    pub is_ready: bool,
    /// How often it was Ready and then was not.
    pub flaps: u32,
    /// How many states of it were seen.
    pub changes: u32,
    /// The image that its status tells of its first container.
    pub image: String,
    /// What it says of itself now: for the message when it does not become what it shall.
    pub says: String,
}

/// Everything seen of one kind, by name.
#[derive(Debug, Default)]
pub struct Board {
    traces: HashMap<String, Trace>,
    present: usize,
    ready: usize,
    /// Errors of the watch itself, and the last one.
    errors: (u64, String),
}

impl Board {
    /// What was seen of this one.
    pub fn trace(&self, name: &str) -> Option<&Trace> {
        self.traces.get(name)
    }

    /// All of them.
    pub fn traces(&self) -> impl Iterator<Item = (&String, &Trace)> {
        self.traces.iter()
    }

    /// How many are there.
    pub fn present(&self) -> usize {
        self.present
    }

    /// How many are there and Ready.
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// How often any of them was Ready and then was not.
    pub fn flaps(&self) -> u32 {
        self.traces.values().map(|trace| trace.flaps).sum()
    }

    /// What a failed wait tells: the counts, and the first that are not Ready.
    pub fn summary(&self) -> String {
        let mut text = format!("{} there, {} of them Ready", self.present, self.ready);
        let mut open: Vec<_> =
            self.traces.iter().filter(|(_, trace)| trace.gone.is_none() && !trace.is_ready).collect();
        open.sort_by_key(|(name, _)| (*name).clone());
        for (name, trace) in open.iter().take(TOLD) {
            let ago = |at: Option<Instant>| at.map(|at| format!("{:.1} s ago", at.elapsed().as_secs_f64()));
            let _ = write!(
                text,
                "\n  {name}: bound to {:?} {}, {} changes, {} flaps; it says: {}",
                trace.node,
                ago(trace.bound).unwrap_or_else(|| "never".into()),
                trace.changes,
                trace.flaps,
                trace.says
            );
        }
        if open.len() > TOLD {
            let _ = write!(text, "\n  and {} more that are not Ready", open.len() - TOLD);
        }
        if self.errors.0 > 0 {
            let _ = write!(text, "\n  the watch failed {} times, last: {}", self.errors.0, self.errors.1);
        }
        text
    }

    fn see(&mut self, name: String, look: Look, now: Instant) -> Option<What> {
        let fresh = |trace: &Trace| trace.uid != look.uid;
        if self.traces.get(&name).is_none_or(fresh) {
            self.forget(&name, now);
            self.present += 1;
            let trace = Trace {
                uid: look.uid,
                node: String::new(),
                created: now,
                bound: None,
                ready: None,
                deleting: None,
                gone: None,
                is_ready: false,
                flaps: 0,
                changes: 0,
                image: String::new(),
                says: String::new(),
            };
            self.traces.insert(name.clone(), trace);
        }
        let trace = self.traces.get_mut(&name)?;
        trace.changes += 1;
        trace.says = look.says;
        trace.image = look.image;
        let mut what = None;
        if !look.node.is_empty() && trace.bound.is_none() {
            trace.bound = Some(now);
            trace.node = look.node;
            what = Some(What::Bound);
        }
        if look.ready != trace.is_ready {
            trace.is_ready = look.ready;
            if look.ready {
                self.ready += 1;
                trace.ready.get_or_insert(now);
            } else {
                self.ready -= 1;
                // A Pod that goes may well say first that it does not serve any more.
                trace.flaps += u32::from(!look.deleting);
            }
        }
        if look.deleting && trace.deleting.is_none() {
            trace.deleting = Some(now);
            what = Some(What::Deleting);
        }
        what
    }

    fn forget(&mut self, name: &str, now: Instant) {
        if let Some(trace) = self.traces.get_mut(name).filter(|trace| trace.gone.is_none()) {
            trace.gone = Some(now);
            self.present -= 1;
            if trace.is_ready {
                trace.is_ready = false;
                self.ready -= 1;
            }
        }
    }
}

/// What happened to a Pod that the bare client of the floor acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was bound.
    Bound,
    /// Its deletion was asked for.
    Deleting,
}

/// News of a Pod.
#[derive(Clone, Debug)]
pub struct News {
    /// Which.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// What happened.
    pub what: What,
    /// The Node that it is bound to.
    pub node: String,
    /// The module, and its URL: the first container's name and image.
    pub container: (String, String),
}

/// What is read of an object.
struct Look {
    uid: String,
    node: String,
    ready: bool,
    deleting: bool,
    container: (String, String),
    image: String,
    says: String,
}

/// A kind that is watched.
trait Watched:
    kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send
{
    fn look(&self) -> Look;
}

impl Watched for Pod {
    fn look(&self) -> Look {
        let status = self.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let ready = conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
        let says = if ready {
            String::new()
        } else {
            let containers = status.and_then(|status| status.container_statuses.as_ref());
            let waiting =
                containers.into_iter().flatten().find_map(|one| one.state.as_ref()?.waiting.clone());
            let failed = conditions.iter().find(|one| one.status == "False");
            format!(
                "phase {:?}, waiting {:?}, condition {:?}",
                status.and_then(|status| status.phase.as_deref()).unwrap_or_default(),
                waiting.map(|waiting| (waiting.reason, waiting.message)),
                failed.map(|one| (&one.type_, &one.reason, &one.message)),
            )
        };
        let told = status.and_then(|status| status.container_statuses.as_ref()?.first());
        let first = self.spec.as_ref().and_then(|spec| spec.containers.first());
        Look {
            uid: self.uid().unwrap_or_default(),
            node: self.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            ready,
            deleting: self.metadata.deletion_timestamp.is_some(),
            image: told.map(|one| one.image_id.clone()).unwrap_or_default(),
            container: first
                .map(|one| (one.name.clone(), one.image.clone().unwrap_or_default()))
                .unwrap_or_default(),
            says,
        }
    }
}

impl Watched for Node {
    fn look(&self) -> Look {
        let conditions = self.status.as_ref().and_then(|status| status.conditions.as_deref());
        let ready = conditions.unwrap_or_default().iter().find(|one| one.type_ == "Ready");
        let taints = self.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
        let kept_off = taints.iter().find(|taint| taint.key.starts_with("node.kubernetes.io/"));
        Look {
            uid: self.uid().unwrap_or_default(),
            node: String::new(),
            // A Node whose base has not told its name yet is of no use to the modules that select it by name; nor is
            // one that bears the taint of a new Node still, which the node lifecycle controller takes off.
            ready: ready.is_some_and(|ready| ready.status == "True")
                && kept_off.is_none()
                && self.labels().contains_key("base.koupleless.io/name"),
            deleting: self.metadata.deletion_timestamp.is_some(),
            container: Default::default(),
            image: String::new(),
            says: format!("Ready is {ready:?}, taint {kept_off:?}, labels {:?}", self.labels()),
        }
    }
}

/// A running watch.
#[derive(Debug)]
pub struct Watch {
    kind: &'static str,
    board: watch::Receiver<Board>,
    news: Option<mpsc::UnboundedReceiver<News>>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// Watches the Pods of a namespace.
    pub fn pods(client: Client, namespace: &str) -> Self {
        Self::start("Pods", Api::<Pod>::namespaced(client, namespace), watcher::Config::default())
    }

    /// Watches the Nodes with this label (`key=value`).
    pub fn nodes(client: Client, label: &str) -> Self {
        Self::start("Nodes", Api::<Node>::all(client), watcher::Config::default().labels(label))
    }

    fn start<K: Watched + Sync + 'static>(kind: &'static str, api: Api<K>, config: watcher::Config) -> Self {
        let (board, seen) = watch::channel(Board::default());
        let (sender, news) = mpsc::unbounded_channel();
        let task = tokio::spawn(run(api, config, board, sender));
        Self { kind, board: seen, news: Some(news), task }
    }

    /// The news of Pods from the beginning on; they can be taken once.
    pub fn take_news(&mut self) -> Option<mpsc::UnboundedReceiver<News>> {
        self.news.take()
    }

    /// What was seen so far.
    pub fn board(&self) -> watch::Ref<'_, Board> {
        self.board.borrow()
    }

    /// Waits until what was seen is as wanted, and fails with what was seen when time is up.
    pub async fn until(&self, what: &str, limit: Duration, wanted: impl FnMut(&Board) -> bool) -> Result<()> {
        let mut board = self.board.clone();
        match tokio::time::timeout(limit, board.wait_for(wanted)).await {
            Ok(seen) => seen.map(drop).with_context(|| format!("{what}: the watch of {} ended", self.kind)),
            Err(_) => bail!("{what}: not within {limit:?}; {}: {}", self.kind, self.board().summary()),
        }
    }

    /// Runs `work` and says from time to time how far it is.
    pub async fn telling<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let far =
            || format!("{} {} there, {} Ready", self.board().present(), self.kind, self.board().ready());
        telling(what, far, work).await
    }
}

/// Runs `work` and says from time to time how `far` it is.
pub async fn telling<T>(what: &str, far: impl Fn() -> String, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut tick = tokio::time::interval(PROGRESS);
    tick.tick().await;
    loop {
        tokio::select! {
            result = &mut work => return result,
            _ = tick.tick() => eprintln!("bench: {what} ... {}", far()),
        }
    }
}

async fn run<K: Watched + Sync + 'static>(
    api: Api<K>,
    config: watcher::Config,
    board: watch::Sender<Board>,
    news: mpsc::UnboundedSender<News>,
) {
    let mut stream = std::pin::pin!(watcher::watcher(api, config).default_backoff());
    while let Some(event) = stream.next().await {
        let now = Instant::now();
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                let (name, look) = (object.name_any(), object.look());
                let (uid, node, container) = (look.uid.clone(), look.node.clone(), look.container.clone());
                board.send_modify(|board| {
                    if let Some(what) = board.see(name.clone(), look, now) {
                        // Nobody may want them.
                        let _ = news.send(News { name, uid, what, node, container });
                    }
                });
            }
            Ok(watcher::Event::Delete(object)) => {
                board.send_modify(|board| board.forget(&object.name_any(), now));
            }
            Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
            Err(error) => board.send_modify(|board| {
                board.errors = (board.errors.0 + 1, error.to_string());
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(uid: &str, node: &str, ready: bool, deleting: bool) -> Look {
        Look {
            uid: uid.into(),
            node: node.into(),
            ready,
            deleting,
            container: Default::default(),
            image: String::new(),
            says: "phase".into(),
        }
    }

    #[test]
    fn both_ends_are_seen_once() {
        let (mut board, start) = (Board::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(board.see("p".into(), look("1", "", false, false), at(0)), None);
        assert_eq!(board.see("p".into(), look("1", "n", false, false), at(1)), Some(What::Bound));
        assert_eq!(board.see("p".into(), look("1", "n", true, false), at(2)), None);
        assert_eq!((board.present(), board.ready()), (1, 1));
        assert_eq!(board.see("p".into(), look("1", "n", false, false), at(3)), None);
        assert_eq!(board.see("p".into(), look("1", "n", true, false), at(4)), None);
        assert_eq!(board.see("p".into(), look("1", "n", true, true), at(5)), Some(What::Deleting));
        board.forget("p", at(6));
        let trace = board.trace("p").unwrap();
        assert_eq!((trace.bound, trace.ready), (Some(at(1)), Some(at(2))));
        assert_eq!((trace.deleting, trace.gone, trace.flaps), (Some(at(5)), Some(at(6)), 1));
        assert_eq!((board.present(), board.ready()), (0, 0));
    }

    #[test]
    fn another_of_the_name_is_another() {
        let (mut board, now) = (Board::default(), Instant::now());
        board.see("p".into(), look("1", "n", true, false), now);
        board.see("p".into(), look("2", "", false, false), now);
        assert_eq!((board.present(), board.ready()), (1, 0));
        assert_eq!(board.trace("p").unwrap().uid, "2");
    }

    #[test]
    fn what_is_missing_is_told() {
        let (mut board, now) = (Board::default(), Instant::now());
        for n in 0..7 {
            board.see(format!("p{n}"), look("1", "n", false, false), now);
        }
        let summary = board.summary();
        assert!(summary.starts_with("7 there, 0 of them Ready\n  p0: bound to \"n\""), "{summary}");
        assert!(summary.ends_with("and 2 more that are not Ready"), "{summary}");
    }
}
