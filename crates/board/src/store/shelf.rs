//! The objects of one kind, and how the watch of them stands.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use ask::{Text, read::Failure};
use jiff::Timestamp;
use kube::runtime::watcher::{Error, Event};

use super::{Topic, interner::Interner, kinds::Kept};
use crate::watched::Watched;

/// What the pause before an attempt and an attempt that nobody answers take at most.
const ATTEMPT: jiff::SignedDuration = jiff::SignedDuration::from_secs(20);

/// How long all is held back for a kind that cannot be listed.
const WAITED: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

/// The objects of one kind.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    topic: Topic,
    /// Whether viewers see no difference.
    same: fn(&T, &T) -> bool,
    state: RwLock<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    objects: BTreeMap<Box<str>, Arc<T>>,
    /// Those of a list that is not yet at its end.
    coming: BTreeMap<Box<str>, Arc<T>>,
    version: u64,
    listed: bool,
    failing: Option<Failing>,
    missing: Option<Text>,
    /// What it failed with last.
    trouble: Option<Text>,
}

/// The watch failed, again and again.
#[derive(Debug, Clone, Copy)]
struct Failing {
    since: Timestamp,
    last: Timestamp,
}

impl<T> State<T> {
    /// Why there is still nothing of it: the others are shown without it.
    fn never_listed(&self) -> Option<Text> {
        let failing = self.failing.filter(|_| !self.listed)?;
        (Timestamp::now().duration_since(failing.since) >= WAITED).then(|| self.trouble.clone()).flatten()
    }
}

impl Failing {
    /// A watch that did not fail for longer than an attempt takes is on, even if nothing changed since.
    fn lasts(self, now: Timestamp) -> bool {
        now.duration_since(self.last) < ATTEMPT
    }
}

/// How the watch of a kind stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) name: &'static str,
    pub(super) topic: Topic,
    pub(super) version: u64,
    pub(super) listed: bool,
    pub(super) failing_since: Option<Timestamp>,
    /// Why there is nothing of it: it may not be read, or is no kind of this cluster.
    pub(super) missing: Option<Text>,
}

impl<T: Kept> Shelf<T> {
    pub(super) fn new(topic: Topic, same: fn(&T, &T) -> bool) -> Self {
        let state = State {
            objects: BTreeMap::new(),
            coming: BTreeMap::new(),
            version: 0,
            listed: false,
            failing: None,
            missing: None,
            trouble: None,
        };
        Self { topic, same, state: RwLock::new(state) }
    }

    /// All of it.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.read().objects.values().cloned().collect()
    }

    /// One by `namespace/name`.
    pub(crate) fn get(&self, key: &str) -> Option<Arc<T>> {
        self.read().objects.get(key).cloned()
    }

    pub(super) fn standing(&self) -> Standing {
        let state = self.read();
        Standing {
            name: T::NAME,
            topic: self.topic,
            version: state.version,
            listed: state.listed,
            failing_since: state
                .failing
                .filter(|failing| failing.lasts(Timestamp::now()))
                .map(|failing| failing.since),
            missing: state.missing.clone().or_else(|| state.never_listed()),
        }
    }

    /// What the watch brings.
    pub(super) fn take(&self, event: Event<Watched<T>>, texts: &Interner) {
        let mut state = self.write();
        // A list that begins has not succeeded yet.
        if !matches!(event, Event::Init) {
            state.failing = None;
            if state.missing.take().is_some() {
                state.version += 1;
            }
        }
        match event {
            Event::Init => state.coming.clear(),
            Event::InitApply(object) => {
                let key = object.key();
                if let Some(body) = kept(object, texts) {
                    state.coming.insert(key, body);
                }
            }
            Event::InitDone => {
                state.objects = std::mem::take(&mut state.coming);
                state.listed = true;
                state.version += 1;
            }
            Event::Apply(object) => {
                let key = object.key();
                let new = kept(object, texts);
                let is_same = match (state.objects.get(&key), &new) {
                    (Some(old), Some(new)) => (self.same)(old, new),
                    (old, new) => old.is_none() && new.is_none(),
                };
                match new {
                    Some(new) => state.objects.insert(key, new),
                    None => state.objects.remove(&key),
                };
                state.version += u64::from(!is_same);
            }
            Event::Delete(object) => {
                let was_there = state.objects.remove(&object.key()).is_some();
                state.version += u64::from(was_there);
            }
        }
    }

    /// The watch failed, and is tried again.
    pub(super) fn failed(&self, error: &Error) {
        let mut state = self.write();
        let why = match error {
            Error::InitialListFailed(error) | Error::WatchStartFailed(error) | Error::WatchFailed(error) => {
                Failure::from(error)
            }
            // It was told to list anew (410), or sent what is no event; either is mended by the next list.
            Error::WatchError(_) | Error::NoResourceVersion => return,
        };
        match why {
            Failure::Forbidden(why) | Failure::Unknown(why) => {
                state.version += u64::from(state.missing.as_ref() != Some(&why));
                state.missing = Some(why);
                // The API server is there, and said so.
                state.failing = None;
            }
            failure => {
                if state.failing.is_none() {
                    tracing::warn!(kind = T::NAME, cause = %failure.why(), "a watch failed, and is tried again");
                }
                state.trouble = Some(failure.why().clone());
                let now = Timestamp::now();
                let since =
                    state.failing.filter(|failing| failing.lasts(now)).map_or(now, |failing| failing.since);
                state.failing = Some(Failing { since, last: now });
            }
        }
    }

    // Nothing under the lock panics; were it so, what is there is still whole objects.
    fn read(&self) -> RwLockReadGuard<'_, State<T>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<T>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// None of one that cannot be read, or is not wanted.
fn kept<T: Kept>(object: Watched<T>, texts: &Interner) -> Option<Arc<T>> {
    let mut body = object.body.filter(T::is_kept)?;
    texts.share(&mut body);
    Some(Arc::new(body))
}
