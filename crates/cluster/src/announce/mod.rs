//! What people are told: a line in the log at once, and a Kubernetes Event a little later.
//!
//! Events go one after the other through a short queue of their own, at a limited rate, so that a
//! thousand bases that fall silent at once slow nothing down. What does not fit is counted and
//! stays in the log.

mod log;
mod object;
mod repeats;

use model::Language;
use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use engine::{Announcement, WriteError};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, timeout_at},
};

pub(crate) use self::object::cut;
use self::repeats::{Key, Repeats, Seen, Series};
use crate::write::api::{Api, Collection, How};

/// How many Events wait at most: at the default rate the last one is a minute late, and what is
/// later than that is history.
const QUEUE: usize = 1024;

/// How often counts that were held back are looked at.
const FLUSH: Duration = Duration::from_secs(15);

/// A burst is this many seconds of the average.
const BURST_SECONDS: u32 = 10;

/// Takes announcements and never blocks.
pub(crate) struct Announcer {
    api: Api,
    /// None once it has been shut down.
    running: Mutex<Option<(mpsc::Sender<Announcement>, JoinHandle<()>)>>,
}

impl Announcer {
    /// Starts the task that writes Events, in the name of `identity`.
    pub(crate) fn start(api: Api, identity: &str, language: Language, per_second: u32) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let recorder = Recorder {
            api: api.clone(),
            instance: object::cut(identity, object::MAX_WORD).into(),
            language,
            repeats: Repeats::default(),
            bucket: Bucket::new(per_second, Duration::ZERO),
            begun: Instant::now(),
            written: 0,
        };
        let task = tokio::spawn(recorder.run(receiver));
        Self { api, running: Mutex::new(Some((sender, task))) }
    }

    /// Logs it and queues its Event.
    pub(crate) fn announce(&self, announcement: Announcement) {
        log::write(&announcement);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let queued = running.as_ref().is_some_and(|(sender, _)| sender.try_send(announcement).is_ok());
        if !queued {
            self.api.counters.announcements_dropped.fetch_add(1, Relaxed);
        }
    }

    /// Writes what is queued until then, and ends. True where everything was written.
    pub(crate) async fn shutdown(&self, until: Instant) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((sender, mut task)) = running else { return true };
        drop(sender);
        let ended = timeout_at(until, &mut task).await.is_ok();
        task.abort();
        ended
    }
}

/// Writes Events, one after the other.
struct Recorder {
    language: Language,
    api: Api,
    instance: Arc<str>,
    repeats: Repeats,
    bucket: Bucket,
    begun: Instant,
    written: u16,
}

impl Recorder {
    async fn run(mut self, mut queue: mpsc::Receiver<Announcement>) {
        let mut flush = tokio::time::interval(FLUSH);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                next = queue.recv() => match next {
                    Some(announcement) => self.record(&announcement).await,
                    None => break,
                },
                _ = flush.tick() => {
                    for due in self.repeats.due(self.begun.elapsed()) {
                        self.count(due).await;
                    }
                }
            }
        }
        for due in self.repeats.pending(self.begun.elapsed()) {
            self.count(due).await;
        }
    }

    async fn record(&mut self, announcement: &Announcement) {
        let wall = Timestamp::now();
        let key = Key::of(announcement);
        match self.repeats.see(&key, self.begun.elapsed(), wall) {
            Seen::First => self.create(key, announcement, wall).await,
            Seen::Again(series) => {
                self.api.counters.repeated.fetch_add(1, Relaxed);
                self.count(series).await;
            }
            Seen::Held => {
                self.api.counters.repeated.fetch_add(1, Relaxed);
            }
        }
    }

    async fn create(&mut self, key: Key, announcement: &Announcement, wall: Timestamp) {
        self.place().await;
        self.written = self.written.wrapping_add(1);
        let namespace = object::namespace(&announcement.regarding);
        let name = object::name(&announcement.regarding, wall, self.written);
        let body = object::event(announcement, &name, namespace, (&self.instance, self.language), wall);
        match self.api.create::<IgnoredAny>(&Collection::events(namespace), &body).await {
            Ok(_) => {
                self.api.counters.announced.fetch_add(1, Relaxed);
                let place = (namespace.into(), name.into());
                self.repeats.written(key, place, self.begun.elapsed(), wall);
            }
            Err(error) => self.dropped(&error),
        }
    }

    /// Sets how often it was seen on the Event that is there.
    async fn count(&mut self, series: Series) {
        self.place().await;
        let (namespace, name) = &series.place;
        let patch = object::series(series.count, series.last);
        match self.api.patch::<IgnoredAny>(&Collection::events(namespace), name, How::Merge, &patch).await {
            Ok(_) => {}
            Err(error) => {
                // Events live for an hour only: the next one is a first again.
                self.repeats.forget(&series.key);
                self.dropped(&error);
            }
        }
    }

    fn dropped(&self, error: &WriteError) {
        self.api.counters.announcements_dropped.fetch_add(1, Relaxed);
        tracing::debug!(%error, "an Event could not be written");
    }

    async fn place(&mut self) {
        let wait = self.bucket.take(self.begun.elapsed());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// Tokens that come back with time.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    most: f64,
    tokens: f64,
    at: Duration,
}

impl Bucket {
    fn new(per_second: u32, now: Duration) -> Self {
        let per_second = per_second.max(1);
        let most = f64::from(per_second.saturating_mul(BURST_SECONDS));
        Self { per_second: per_second.into(), most, tokens: most, at: now }
    }

    /// Takes one, and says how long to wait for it.
    fn take(&mut self, now: Duration) -> Duration {
        let back = now.saturating_sub(self.at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + back).min(self.most) - 1.0;
        self.at = self.at.max(now);
        Duration::from_secs_f64((-self.tokens).max(0.0) / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_only_the_average() {
        let mut bucket = Bucket::new(2, Duration::ZERO);
        for n in 0..20 {
            assert_eq!(bucket.take(Duration::ZERO), Duration::ZERO, "{n}");
        }
        assert_eq!(bucket.take(Duration::ZERO), Duration::from_millis(500));
        assert_eq!(bucket.take(Duration::ZERO), Duration::from_secs(1));
        assert_eq!(bucket.take(Duration::from_secs(100)), Duration::ZERO);
    }
}
