//! The loop: events go into the engine, its actions to the tunnels, to the cluster and to people.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arklet::AnswerKey;
use cluster::{Watches, Writer};
use engine::{
    Action, Census, ClusterEvent, Engine, Event, Fencing, Now, Request, Summary, ToBase, ToReplica,
    TunnelEvent, Twin, VNodeSnapshot, view::MemberView,
};
use jiff::Timestamp;
use metric::Asker;
use model::Fence;
use report::Reporter;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    clock::Clock,
    commands::Commands,
    health::HealthAsker,
    pod_starts::PodStarts,
    tunnels::{self, Asked, Tunnels},
};

/// Events of the cluster that wait: a page of a list, and the ends of as many writes as run.
pub(crate) const CLUSTER_EVENTS: usize = 4_096;
/// Events of the tunnels that wait: the heartbeats of 5,000 bases that all come at once.
pub(crate) const TUNNEL_EVENTS: usize = 8_192;
/// People who look at VNodes at a time; who comes then waits.
pub(crate) const QUESTIONS: usize = 4;
/// The loop looks up at least this often, so that [`Pulse`] tells that it is alive.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// How often modules are counted: it goes through all of them.
const CENSUS_PERIOD: Duration = Duration::from_secs(1);

/// What the loop shows of itself.
#[derive(Debug, Clone)]
pub(crate) struct Pulse(Arc<Mutex<Beat>>);

#[derive(Debug)]
struct Beat {
    at: Instant,
    summary: Summary,
    census: Census,
    twin: Option<Twin>,
}

impl Pulse {
    /// A loop that begins now.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Beat {
            at: Instant::now(),
            summary: Summary::default(),
            census: Census::default(),
            twin: None,
        })))
    }

    fn beat(&self, summary: Summary) {
        let mut beat = self.beats();
        (beat.at, beat.summary) = (Instant::now(), summary);
    }

    /// How many modules stand how, as of a second ago at most while anything happens.
    pub(crate) fn census(&self) -> Census {
        self.beats().census.clone()
    }

    /// Another replica that lives under the same `CLIENT_ID`.
    pub(crate) fn twin(&self) -> Option<Twin> {
        self.beats().twin.clone()
    }

    /// Notes another of the same name, and says it where that is new.
    fn see_twin(&self, twin: Option<Twin>) {
        let before = std::mem::replace(&mut self.beats().twin, twin.clone());
        match (before, twin) {
            (before, Some(twin)) if before.as_ref() != Some(&twin) => {
                tracing::warn!(twin = describe(&twin), "two replicas have one CLIENT_ID; give each its own");
            }
            (Some(before), None) => {
                tracing::info!(pod_uid = %before.pod_uid, "the other replica of this CLIENT_ID is gone");
            }
            _ => {}
        }
    }

    fn beats(&self) -> MutexGuard<'_, Beat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago the loop last came round, and what the engine's state was.
    pub(crate) fn read(&self) -> (Duration, Summary) {
        let beat = self.beats();
        (beat.at.elapsed(), beat.summary)
    }
}

/// Which other replica has the name of this one, and what comes of it.
pub(crate) fn describe(twin: &Twin) -> String {
    let Twin { client_id, pod_uid, incarnation, yields } = twin;
    let which = if *yields {
        "it was there first, so this one acts for no base"
    } else {
        "that one acts for no base"
    };
    format!(
        "CLIENT_ID {client_id} is also that of incarnation {incarnation} in the Pod with UID {pod_uid}; {which}"
    )
}

/// Somebody wants to see VNodes as they are.
#[derive(Debug)]
pub(crate) struct Question {
    /// The Node of the only one that is meant.
    pub(crate) node: Option<String>,
    pub(crate) answer: oneshot::Sender<Vec<VNodeSnapshot>>,
}

/// Everything that the loop works with.
pub(crate) struct Loop {
    pub(crate) engine: Engine,
    pub(crate) cluster_events: mpsc::Receiver<Event>,
    pub(crate) tunnel_events: mpsc::Receiver<tunnel::Event>,
    pub(crate) tunnels: Tunnels,
    pub(crate) asked: Asked,
    pub(crate) watches: Arc<Watches>,
    pub(crate) writer: Writer,
    pub(crate) reporter: Reporter,
    pub(crate) metrics: Asker,
    pub(crate) health: HealthAsker,
    pub(crate) commands: Commands,
    pub(crate) pod_starts: PodStarts,
    pub(crate) pulse: Pulse,
    pub(crate) questions: mpsc::Receiver<Question>,
    pub(crate) clock: Clock,
    pub(crate) fence: Fence,
    /// Becomes true when it is time to end.
    pub(crate) stop: watch::Receiver<bool>,
    /// Told, at the end, what is to be written when nothing else is any more.
    pub(crate) last: oneshot::Sender<Option<MemberView>>,
}

impl Loop {
    /// Runs until it is told to stop; after that it only takes what the writer still tells, so
    /// that no task of it waits for a place.
    pub(crate) async fn run(mut self) {
        let mut counted = None;
        loop {
            let wait =
                self.engine.next_wake().map_or(LONGEST_SLEEP, |at| at.saturating_sub(self.clock.elapsed()));
            let event = tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => break,
                Some(event) = self.cluster_events.recv() => event,
                Some(event) = self.tunnel_events.recv() => tunnels::translate(event, &mut self.asked),
                Some(Question { node, answer }) = self.questions.recv() => {
                    // Whoever asked may be gone.
                    let _ = answer.send(self.engine.snapshot(node.as_deref(), self.clock.elapsed()));
                    continue;
                }
                () = tokio::time::sleep(wait.min(LONGEST_SLEEP)) => Event::Tick,
            };
            let now = Now { mono: self.clock.elapsed(), wall: Timestamp::now() };
            self.measure(&event, now.mono);
            for action in self.engine.step(event, now) {
                self.act(action, now.wall);
            }
            if counted.is_none_or(|at: Duration| now.mono.saturating_sub(at) >= CENSUS_PERIOD) {
                counted = Some(now.mono);
                self.pulse.beats().census = self.engine.census(now.mono);
                self.pulse.see_twin(self.engine.twin());
            }
            self.pulse.beat(self.engine.summary(now.mono));
        }
        let release = self.engine.release();
        if release.is_some() {
            // What others may take over is not acted for any more.
            self.fence.close();
        }
        // Nobody waits for it where the controller ends by a fault.
        let _ = self.last.send(release);
        self.tunnel_events.close();
        while self.cluster_events.recv().await.is_some() {}
    }

    /// Notices what an event says of how long something took.
    fn measure(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Tunnel(TunnelEvent::Answer { base, key, outcome, .. }) => {
                self.commands.ended(base, key, outcome, Instant::now());
            }
            Event::Cluster(ClusterEvent::Pod(view)) => {
                self.pod_starts.see(view, self.pulse.read().1.synced, now)
            }
            Event::Cluster(ClusterEvent::PodGone(pod)) => self.pod_starts.lose(pod),
            _ => {}
        }
    }

    fn act(&mut self, action: Action, wall: Timestamp) {
        match action {
            Action::Request(request) => {
                if let Request::PatchPodStatus { pod, status } = &request {
                    self.pod_starts.tell(pod, status);
                }
                self.writer.submit(request);
            }
            Action::AskMetric(asked) => self.metrics.ask(*asked),
            Action::AskHealth(asked) => self.health.ask(*asked),
            Action::Base(message) => self.tell_base(message),
            Action::Replica(ToReplica::Forward { to, report }) => self.tunnels.forward(&to, &report),
            Action::Replica(ToReplica::Replicas { own, others }) => self.tunnels.meet(&own, others),
            Action::Fence(Fencing::OpenUntil { epoch, until }) => self.fence.open_until(epoch, until),
            Action::Fence(Fencing::Shut { epoch }) => {
                self.fence.shut(epoch);
                tracing::warn!(
                    epoch,
                    "another replica has taken this one for dead; it drops what it owned, and it begins anew"
                );
                self.watches.begin_anew();
            }
            Action::Announce(said) => {
                self.reporter.report(&said, wall);
                self.writer.announce(*said);
            }
        }
    }

    fn tell_base(&mut self, message: ToBase) {
        match message {
            ToBase::Call { target, command, deadline, trace } => {
                let biz = command.biz().map(tracing::field::display);
                tracing::debug!(base = %target.base, command = %command.kind(), biz, %trace, "command");
                let key = AnswerKey { command: command.kind(), biz: command.biz().cloned() };
                self.commands.sent(&target.base, key, Instant::now());
                self.tunnels.call(target, command, deadline);
            }
            ToBase::AnswerBaseline { tunnel, base, ask, modules } => {
                tracing::debug!(%base, modules = modules.len(), "the baseline is answered");
                self.tunnels.answer_baseline(tunnel, base, modules, self.asked.take(ask));
            }
        }
    }
}
