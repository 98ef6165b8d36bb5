//! The handle: takes announcements, never waits, and ends in order.

use model::Language;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use engine::Announcement;
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::{
    config::Config,
    counts::{Counters, HookCounts},
    hook::Hook,
    repeats::{Repeats, Seen},
    report::Report,
    send::Client,
    worker::Worker,
};

/// Reports on their way to the desk: a fleet of 5,000 bases that falls silent in one moment.
const INTAKE: usize = 8_192;
/// Reports that wait for one robot: what it takes in a minute at the slowest, 15 messages of 20.
/// Whatever pours in faster is a landslide: its beginning tells the cause, and its size is counted.
const QUEUE: usize = 300;

/// Tells robots of faults. Clones are handles of the same.
#[derive(Clone)]
pub struct Reporter {
    language: Language,
    counters: Arc<[Arc<Counters>]>,
    running: Arc<Mutex<Option<Running>>>,
}

struct Running {
    intake: mpsc::Sender<Report>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("hooks", &self.counters.len()).finish_non_exhaustive()
    }
}

impl Reporter {
    /// Starts one worker per hook; nothing at all where there is none.
    ///
    /// # Errors
    ///
    /// Where neither the system nor this program has certificates to trust.
    pub fn start(hooks: Vec<Hook>, config: Config) -> Result<Self, rustls::Error> {
        let counters: Arc<[Arc<Counters>]> = hooks.iter().map(|_| Arc::default()).collect();
        if hooks.is_empty() {
            return Ok(Self { counters, language: config.language, running: Arc::default() });
        }
        let (client, config) = (Client::new()?, Arc::new(config));
        let (intake, incoming) = mpsc::channel(INTAKE);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut queues = Vec::new();
        for (index, (hook, counters)) in hooks.into_iter().zip(counters.iter()).enumerate() {
            let (sender, queue) = mpsc::channel(QUEUE);
            queues.push((sender, counters.clone()));
            let worker = Worker {
                index: index + 1,
                hook,
                queue,
                counters: counters.clone(),
                client: client.clone(),
                config: config.clone(),
                stop: stopped.clone(),
            };
            tasks.spawn(worker.run());
        }
        tasks.spawn(desk(incoming, queues, Repeats::new(config.times.window)));
        let running = Arc::new(Mutex::new(Some(Running { intake, stop, tasks })));
        Ok(Self { counters, language: config.language, running })
    }

    /// Takes an announcement where it is an alarm, at the wall clock's time. Never waits.
    pub fn report(&self, said: &Announcement, at: Timestamp) {
        if said.alarm.is_none() || self.counters.is_empty() {
            return;
        }
        let Some(report) = Report::of(said, self.language, at) else { return };
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = running.as_ref().is_some_and(|running| running.intake.try_send(report).is_ok());
        if !taken {
            for counters in self.counters.iter() {
                counters.drop_one();
            }
        }
    }

    /// What became of the reports, in the order of the hooks.
    pub fn counts(&self) -> Vec<HookCounts> {
        self.counters.iter().map(|counters| counters.snapshot()).collect()
    }

    /// Takes nothing more and tries once to send what waits, `bound` at most. True where nothing
    /// was cut off.
    pub async fn shutdown(&self, bound: Duration) -> bool {
        let until = Instant::now() + bound;
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { intake, stop, mut tasks }) = running else { return true };
        drop(intake);
        // A worker that is gone does not hear it.
        let _ = stop.send(true);
        let ended = timeout_at(until, async { while tasks.join_next().await.is_some() {} }).await.is_ok();
        tasks.shutdown().await;
        for (index, counters) in self.counters.iter().enumerate() {
            let reports = counters.waiting();
            if reports > 0 {
                counters.fail(reports);
                tracing::warn!(hook = index + 1, reports, "reports were cut off at the end");
            }
        }
        ended
    }
}

/// Hands every report that is no repeat to every hook.
async fn desk(
    mut incoming: mpsc::Receiver<Report>,
    queues: Vec<(mpsc::Sender<Arc<Report>>, Arc<Counters>)>,
    mut repeats: Repeats,
) {
    let begun = Instant::now();
    while let Some(mut report) = incoming.recv().await {
        match repeats.see(report.key(), begun.elapsed()) {
            Seen::Repeat => {
                for (_, counters) in &queues {
                    counters.suppressed.fetch_add(1, Relaxed);
                }
            }
            Seen::Report(repeated) => {
                report.repeated = repeated;
                let report = Arc::new(report);
                for (queue, counters) in &queues {
                    // The newest goes: what comes first in a landslide tells its cause.
                    match queue.try_send(report.clone()) {
                        Ok(()) => counters.queued.fetch_add(1, Relaxed),
                        Err(_) => {
                            counters.drop_one();
                            0
                        }
                    };
                }
            }
        }
    }
}
