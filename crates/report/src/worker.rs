//! The one who brings reports to one robot, a message at a time.

use std::{sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    config::Config,
    counts::Counters,
    hook::Hook,
    pace::Pace,
    report::Report,
    send::{Client, Verdict},
    text::Message,
};

/// Everything that a worker works with.
pub(crate) struct Worker {
    /// Which hook it is, the first being 1: all that is ever shown of it.
    pub(crate) index: usize,
    pub(crate) hook: Hook,
    pub(crate) queue: mpsc::Receiver<Arc<Report>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) client: Client,
    pub(crate) config: Arc<Config>,
    /// Becomes true when there is no time left to wait for anything.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Worker {
    /// Works until the queue is closed and empty.
    pub(crate) async fn run(mut self) {
        let (begun, mut pace) = (Instant::now(), Pace::default());
        let mut held = None;
        loop {
            let first = match held.take() {
                Some(report) => report,
                None => match self.queue.recv().await {
                    Some(report) => report,
                    None => return,
                },
            };
            let has_turn = self.turn(&mut pace, begun).await;
            // What came meanwhile goes along.
            let mut message = Message::default();
            message.push(&first, &self.config.env);
            while let Ok(report) = self.queue.try_recv() {
                if !message.push(&report, &self.config.env) {
                    held = Some(report);
                    break;
                }
            }
            if has_turn {
                self.deliver(&message, &mut pace, begun).await;
            } else {
                self.give_up(&message, "the controller ends");
            }
        }
    }

    /// Sends until it arrives or is given up. The first attempt has its turn already.
    async fn deliver(&mut self, message: &Message, pace: &mut Pace, begun: Instant) {
        let reports = message.len();
        let missing = self.counters.missing.load(Relaxed);
        let deadline = self.config.times.deadline;
        let mut attempt = 0;
        loop {
            let verdict = self.client.send(&self.hook, message.body(missing), deadline).await;
            let (pauses, reason) = match verdict {
                Verdict::Sent => {
                    self.counters.missing.fetch_sub(missing, Relaxed);
                    self.counters.sent.fetch_add(reports, Relaxed);
                    return;
                }
                Verdict::Again(reason) => (&self.config.times.retries[..], reason),
                Verdict::Throttled(reason) => (&self.config.times.throttled_retries[..], reason),
                Verdict::Refused(reason) => (&[][..], reason),
            };
            let pause = pauses.get(attempt).copied().filter(|_| !*self.stop.borrow());
            let Some(pause) = pause else {
                return self.give_up(message, &reason);
            };
            tracing::debug!(hook = self.index, reports, reason, ?pause, "a report is tried again");
            attempt += 1;
            self.pause(pause).await;
            if !self.turn(pace, begun).await {
                return self.give_up(message, &reason);
            }
        }
    }

    fn give_up(&self, message: &Message, reason: &str) {
        let reports = message.len();
        self.counters.fail(reports);
        tracing::warn!(hook = self.index, reports, reason, "reports were given up");
    }

    /// Waits for the turn of a message; false where there is no time left to wait.
    async fn turn(&mut self, pace: &mut Pace, begun: Instant) -> bool {
        while let Err(wait) = pace.take(begun.elapsed()) {
            if *self.stop.borrow() {
                return false;
            }
            self.pause(wait).await;
        }
        true
    }

    async fn pause(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            // A sender that is gone means the end, too.
            _ = self.stop.wait_for(|stop| *stop) => {}
        }
    }
}
