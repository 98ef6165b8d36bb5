//! The loop: events go into the engine, its actions to the tunnels, to the cluster and to people.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use cluster::Writer;
use engine::{Action, Engine, Event, Now, Summary};
use jiff::Timestamp;
use model::Fence;
use report::Reporter;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    clock::Clock,
    tunnels::{self, Asked, Tunnels},
};

/// Events of the cluster that wait: a page of a list, and the ends of as many writes as run.
pub(crate) const CLUSTER_EVENTS: usize = 4_096;
/// Events of the tunnels that wait: the heartbeats of 5,000 bases that all come at once.
pub(crate) const TUNNEL_EVENTS: usize = 8_192;
/// The loop looks up at least this often, so that [`Pulse`] tells that it is alive.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// What the loop shows of itself.
#[derive(Debug, Clone)]
pub(crate) struct Pulse(Arc<Mutex<(Instant, Summary)>>);

impl Pulse {
    /// A loop that begins now.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new((Instant::now(), Summary::default()))))
    }

    fn beat(&self, summary: Summary) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), summary);
    }

    /// How long ago the loop last came round, and what the engine's state was.
    pub(crate) fn read(&self) -> (Duration, Summary) {
        let (at, summary) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (at.elapsed(), summary)
    }
}

/// Everything that the loop works with.
pub(crate) struct Loop {
    pub(crate) engine: Engine,
    pub(crate) cluster_events: mpsc::Receiver<Event>,
    pub(crate) tunnel_events: mpsc::Receiver<tunnel::Event>,
    pub(crate) tunnels: Tunnels,
    pub(crate) asked: Asked,
    pub(crate) writer: Writer,
    pub(crate) reporter: Reporter,
    pub(crate) pulse: Pulse,
    pub(crate) clock: Clock,
    pub(crate) fence: Fence,
    /// Becomes true when it is time to end.
    pub(crate) stop: watch::Receiver<bool>,
    /// Told, at the end, what is to be written when nothing else is any more.
    pub(crate) last: oneshot::Sender<Option<Action>>,
}

impl Loop {
    /// Runs until it is told to stop; after that it only takes what the writer still tells, so
    /// that no task of it waits for a place.
    pub(crate) async fn run(mut self) {
        loop {
            let wait =
                self.engine.next_wake().map_or(LONGEST_SLEEP, |at| at.saturating_sub(self.clock.elapsed()));
            let event = tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => break,
                Some(event) = self.cluster_events.recv() => event,
                Some(event) = self.tunnel_events.recv() => tunnels::translate(event, &mut self.asked),
                () = tokio::time::sleep(wait.min(LONGEST_SLEEP)) => Event::Tick,
            };
            let now = Now { mono: self.clock.elapsed(), wall: Timestamp::now() };
            for action in self.engine.step(event, now) {
                self.act(action, now.wall);
            }
            self.pulse.beat(self.engine.summary(now.mono));
        }
        let release = self.engine.release();
        if release.is_some() {
            // What others may take over is not acted for any more.
            self.fence.set(u64::MAX, Duration::ZERO);
        }
        // Nobody waits for it where the controller ends by a fault.
        let _ = self.last.send(release);
        self.tunnel_events.close();
        while self.cluster_events.recv().await.is_some() {}
    }

    fn act(&mut self, action: Action, wall: Timestamp) {
        if let Action::Announce(said) = &action {
            self.reporter.report(said, wall);
        }
        match self.writer.submit(action) {
            Some(Action::Call { target, command, deadline, trace }) => {
                let biz = command.biz().map(tracing::field::display);
                tracing::debug!(base = %target.base, command = %command.kind(), biz, %trace, "command");
                self.tunnels.call(target, command, deadline);
            }
            Some(Action::AnswerBaseline { tunnel, base, ask, modules }) => {
                tracing::debug!(%base, modules = modules.len(), "the baseline is answered");
                self.tunnels.answer_baseline(tunnel, base, modules, self.asked.take(ask));
            }
            Some(Action::Forward { to, report }) => self.tunnels.forward(&to, &report),
            Some(Action::Replicas { own, others }) => self.tunnels.meet(&own, others),
            Some(Action::Fence { epoch, until }) => {
                if until.is_zero() {
                    tracing::warn!(
                        epoch,
                        "another replica has taken this one for dead; it drops what it owned, and it begins anew"
                    );
                }
                self.fence.set(epoch, until);
            }
            Some(other) => tracing::error!(?other, "nobody carries this action out"),
            None => {}
        }
    }
}
