//! The engine in a flood: honest bases with their Pods, hostile bases that answer what they like, strangers without end, and
//! an API server that does what it is told.
//!
//! Whoever speaks as an honest base is believed by the engine, so no message here does: that is for the tunnels' doors.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt::{self, Write as _},
    io,
    sync::Arc,
    time::Duration,
};

use arklet::{AnswerKey, CallError, Command};
use engine::{
    Action, Announcement, ClusterEvent, Config, Engine, Event, Now, Regarding, Request, Target, ToBase,
    TunnelEvent, Watched, view::PodView,
};
use fastrand::Rng;
use model::{BaseIdentity, Language, TunnelKind};
use sim::{api::Api, base::word, clock::true_wall, network::tunnel_of};

use crate::{
    corpus::Corpus,
    honest::{self, Honest, Picture},
    message::{ENV, Made, Message, Source},
    read::{self, Read},
};

/// Bases that answer what they like, fewer than the honest ones.
const HOSTILE: u8 = 3;
/// Fuzzed Pods that are there at a time, and from which age on they are being deleted.
const PODS: (usize, usize) = (60, 40);
/// So many messages come at ten thousand a second, so that there are more strangers than are taken; and then as many at a
/// twentieth of that, so that the clocks of what is kept run out.
const WAVE: u64 = 100_000;
/// More steps in answer to one message than any honest one takes.
const BUSY: u32 = 100_000;
/// Longer than anything that the engine keeps of a base that is gone.
const REST: Duration = Duration::from_secs(2 * 3_600);
/// The longest note that any announcement has, in characters: a cause of 300, a meaning, a suggestion, and names.
const LONGEST_NOTE: usize = 3_000;

/// What was seen in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Messages that were sent.
    pub messages: u64,
    /// Those of them that were read: the engine was told.
    pub told: u64,
    /// Announcements that the engine made.
    pub announced: u64,
    /// The most bases at a time that it had heard and that had not answered.
    pub most_strangers: usize,
    /// Heartbeats that it did not take.
    pub turned_away: u64,
    /// Its state as text, in bytes: before, at the end of the flood, and when all was over.
    pub state_bytes: [usize; 3],
}

/// Everything.
pub struct Flood {
    engine: Engine,
    api: Api,
    honest: Honest,
    hostile: Vec<BaseIdentity>,
    /// Their heartbeats are due; none once they are gone.
    hostile_due: Option<Duration>,
    source: Source,
    rng: Rng,
    now: Duration,
    queue: VecDeque<Event>,
    pods: VecDeque<Arc<str>>,
    asked: BTreeSet<u64>,
    /// How the honest bases stood before; none until they do.
    before: Option<Picture>,
    tally: Tally,
}

impl Flood {
    /// Honest bases with Ready Pods, and hostile ones.
    ///
    /// # Errors
    /// Where the corpus cannot be read, or not even the honest bases come to rest.
    pub fn begin(seed: u64) -> io::Result<Self> {
        let config = Config { module_deployments: true, ..Config::new(ENV) };
        let hostile: Vec<String> = (0..HOSTILE).map(|number| format!("hostile-{number}")).collect();
        let mut flood = Self {
            engine: Engine::new(config),
            api: Api::default(),
            honest: Honest::new(),
            hostile: hostile.iter().map(|name| word(name)).collect(),
            hostile_due: None,
            source: Source::new(Corpus::default(), vec![], vec![]),
            rng: Rng::with_seed(seed),
            now: Duration::ZERO,
            queue: VecDeque::new(),
            pods: VecDeque::new(),
            asked: BTreeSet::new(),
            before: None,
            tally: Tally::default(),
        };
        flood.settle().map_err(io::Error::other)?;
        let borrowed = flood.api.nodes.keys().filter_map(|node| node.strip_prefix("virtual-node-"));
        let borrowed = borrowed.filter(|name| !flood.is_honest(&word(name))).map(str::to_owned).collect();
        flood.source = Source::new(Corpus::load()?, hostile, borrowed);
        flood.hostile_due = Some(flood.now);
        Ok(flood)
    }

    fn settle(&mut self) -> Result<(), String> {
        self.queue.extend(
            [TunnelKind::Http, TunnelKind::Mqtt].map(|tunnel| Event::Tunnel(TunnelEvent::TunnelUp(tunnel))),
        );
        let lists = Watched::NEEDED.into_iter().chain([Watched::Deployments, Watched::DaemonSets]);
        self.queue.extend(lists.map(|kind| Event::Cluster(ClusterEvent::Synced(kind))));
        self.run_until(Duration::from_secs(30))?;
        for pod in Honest::pods(&self.api) {
            let event = self.api.create_pod(pod);
            self.queue.push_back(event);
        }
        self.run_until(Duration::from_secs(120))?;
        let picture = self.honest.picture(&self.api);
        if !picture.is_whole() {
            return Err(format!("without any flood: {picture:?}"));
        }
        self.before = Some(picture);
        self.tally.state_bytes[0] = size(&self.engine);
        Ok(())
    }

    /// What was seen so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The next message: kept ones first.
    pub fn next_message(&mut self) -> Made {
        let index = usize::try_from(self.tally.messages).unwrap_or(usize::MAX);
        match self.source.kept().get(index) {
            Some((_, message)) => Made { message: message.clone(), whole: true },
            None => self.source.next(&mut self.rng),
        }
    }

    /// Lets a message in, and everything that comes of it.
    ///
    /// # Errors
    /// What must not be.
    pub fn take(&mut self, made: &Made) -> Result<(), String> {
        self.tally.messages += 1;
        match read::read(made)? {
            Read::Event(event) => self.hear(event),
            Read::Answer(command, outcome) => {
                let base = self.rng.choice(self.hostile.clone()).unwrap_or_else(|| word("hostile"));
                let key = AnswerKey { command, biz: None };
                self.hear(Event::Tunnel(TunnelEvent::Answer {
                    tunnel: tunnel_of(&base),
                    base,
                    key,
                    outcome,
                }));
            }
            Read::Pod(view) => self.see_pod(*view),
            Read::Nothing => {}
        }
        let slowest = if (self.tally.messages / WAVE).is_multiple_of(2) { 200 } else { 4_000 };
        let passes = Duration::from_micros(self.rng.u64(0..slowest));
        self.run_until(self.now + passes)?;
        let summary = self.engine.summary(self.now);
        self.tally.most_strangers = self.tally.most_strangers.max(summary.strangers);
        self.tally.turned_away = summary.turned_away;
        let known = self.honest.bases.len() + self.hostile.len();
        if summary.strangers > engine::MOST_STRANGERS || summary.vnodes > known {
            return Err(format!("{summary:?}, where {known} bases ever answered"));
        }
        Ok(())
    }

    /// The flood is over: hostile bases and their Pods are gone, and all comes to rest.
    ///
    /// # Errors
    /// Where something of the flood is left, or an honest base is not as before.
    pub fn end(&mut self) -> Result<(), String> {
        self.tally.state_bytes[1] = size(&self.engine);
        self.hostile_due = None;
        for uid in std::mem::take(&mut self.pods) {
            self.queue.extend(self.api.delete_pod_by_force(&uid, self.now));
        }
        self.run_until(self.now + REST)?;
        self.tally.state_bytes[2] = size(&self.engine);
        if !self.asked.is_empty() {
            return Err(format!("{} questions for the baseline were never answered", self.asked.len()));
        }
        let after = self.honest.picture(&self.api);
        if let Some(difference) = self.before.as_ref().and_then(|before| before.difference(&after)) {
            return Err(format!("an honest base is not as before: {difference}"));
        }
        let (summary, honest, nodes) =
            (self.engine.summary(self.now), self.honest.bases.len(), self.api.nodes.len());
        if (summary.vnodes, summary.strangers, nodes) != (honest, 0, honest) {
            return Err(format!("{summary:?} and {nodes} Nodes are left of {honest} honest bases"));
        }
        let [before, _, after] = self.tally.state_bytes;
        if after > before + before / 10 {
            return Err(format!(
                "{after} bytes of state are left, where {before} were before: {:?}",
                self.engine
            ));
        }
        Ok(())
    }

    /// A base speaks; not as an honest one.
    fn hear(&mut self, mut event: Event) {
        if read::speaker(&event).is_some_and(|base| self.is_honest(base)) {
            return;
        }
        match &mut event {
            Event::Tunnel(TunnelEvent::BaselineQuery { ask, .. }) => {
                *ask = self.tally.messages;
                self.asked.insert(*ask);
            }
            // Whoever answers is a base. On any topic but theirs nobody is there, whatever its name is by chance.
            Event::Tunnel(TunnelEvent::Answer { base, .. }) if !self.hostile.contains(base) => {
                *base = word("nobody")
            }
            _ => {}
        }
        self.tally.told += 1;
        self.queue.push_back(event);
    }

    fn is_honest(&self, base: &BaseIdentity) -> bool {
        self.honest.bases.contains_key(base)
    }

    /// A Pod is made or changed, on a hostile base or on none. It is deleted in time, as Pods are.
    fn see_pod(&mut self, mut view: PodView) {
        self.tally.told += 1;
        if concerns_honest(&view.node) || self.rng.u8(0..4) > 0 {
            view.node = format!("virtual-node-hostile-{}", self.rng.u8(0..HOSTILE)).into();
        }
        let known = self.rng.choice(&self.pods).and_then(|uid| self.api.pods.get(uid));
        if let (Some(known), 0) = (known, self.rng.u8(0..4)) {
            // What cannot change of a Pod does not.
            (view.pod, view.node) = (known.pod.clone(), known.node.clone());
            (view.created, view.deletion) = (known.created, known.deletion);
        } else {
            view.pod.uid = format!("fuzz-{}", self.tally.messages).into();
            view.deletion = None;
            self.pods.push_back(view.pod.uid.clone());
        }
        let event = self.api.create_pod(view);
        self.queue.push_back(event);
        let (most, old) = PODS;
        let leaving = self.pods.len().checked_sub(old).and_then(|index| self.pods.get(index)).cloned();
        if let Some(uid) = leaving {
            self.queue.extend(self.api.delete_pod(&uid, Duration::from_secs(30), self.now));
        }
        if self.pods.len() > most {
            let gone = self.pods.pop_front().and_then(|uid| self.api.delete_pod_by_force(&uid, self.now));
            self.queue.extend(gone);
        }
    }

    /// Lets time pass, with all that is due in it.
    fn run_until(&mut self, until: Duration) -> Result<(), String> {
        self.drain()?;
        loop {
            let due = [Some(self.honest.due()), self.hostile_due, self.engine.next_wake()];
            let next = due.into_iter().flatten().min().unwrap_or(until);
            if next > until {
                self.now = until;
                return Ok(());
            }
            self.now = self.now.max(next);
            self.queue.extend(self.honest.heartbeats(self.now));
            if self.hostile_due.is_some_and(|due| due <= self.now) {
                self.hostile_due = Some(self.now + Duration::from_secs(10));
                self.queue.extend(self.hostile.iter().map(honest::heartbeat));
            }
            if self.engine.next_wake().is_some_and(|at| at <= self.now) {
                self.queue.push_back(Event::Tick);
            }
            self.drain()?;
        }
    }

    fn drain(&mut self) -> Result<(), String> {
        let mut steps = 0;
        while let Some(event) = self.queue.pop_front() {
            steps += 1;
            if steps > BUSY {
                return Err(format!("{steps} steps at one moment, and no end of it: {event:?}"));
            }
            let now = Now { mono: self.now, wall: true_wall(self.now) };
            for action in self.engine.step(event, now) {
                self.guard(&action)?;
                self.act(action)?;
            }
        }
        Ok(())
    }

    /// Nothing is done to an honest base and its Pods in a flood but what is done every day.
    fn guard(&self, action: &Action) -> Result<(), String> {
        let everyday = match action {
            Action::Request(Request::RenewLease { .. }) | Action::Base(ToBase::AnswerBaseline { .. }) => true,
            Action::Base(ToBase::Call { command, .. }) => command.biz().is_none(),
            _ => false,
        };
        if self.before.is_some() && !everyday && whom(action).is_some_and(|name| concerns_honest(&name)) {
            return Err(format!("an honest base is not left in peace: {action:?}"));
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::Base(ToBase::Call { target, command, .. }) => self.call(&target, &command),
            Action::Base(ToBase::AnswerBaseline { ask, .. }) => {
                if !self.asked.remove(&ask) {
                    return Err(format!("the question {ask} for a baseline was answered twice"));
                }
                Ok(())
            }
            Action::Announce(announcement) => {
                self.tally.announced += 1;
                announced(&announcement)
            }
            Action::Request(request) => {
                let Some(written) = self.api.write(&request, true_wall(self.now)) else { return Ok(()) };
                self.queue.extend(written.watch);
                self.queue.extend(written.returned);
                self.queue.push_back(written.end);
                Ok(())
            }
            Action::Replica(_) | Action::Fence(_) | Action::AskMetric(_) | Action::AskHealth(_) => Ok(()),
        }
    }

    /// An honest base does what it is told, a hostile one answers what it likes, and a stranger says nothing.
    fn call(&mut self, target: &Target, command: &Command) -> Result<(), String> {
        let kind = command.kind();
        let outcome = if let Some(base) = self.honest.bases.get_mut(&target.base) {
            base.carry_out(command, self.now)
        } else if self.hostile.contains(&target.base) && self.hostile_due.is_some() {
            match self.rng.u8(0..10) {
                0 => Err(CallError::TimedOut),
                1 => Err(CallError::Unreachable("it does not want to".to_owned())),
                _ => {
                    let body = self.source.answer(kind, &mut self.rng);
                    let made = Made { message: Message::Answer(kind, body), whole: false };
                    let Read::Answer(_, outcome) = read::read(&made)? else { return Ok(()) };
                    outcome
                }
            }
        } else {
            return Ok(());
        };
        let key = AnswerKey { command: kind, biz: command.biz().cloned() };
        let base = target.base.clone();
        self.queue.push_back(Event::Tunnel(TunnelEvent::Answer {
            tunnel: target.tunnel,
            base,
            key,
            outcome,
        }));
        Ok(())
    }
}

/// What people are told is something, and not without end.
fn announced(said: &Announcement) -> Result<(), String> {
    let notes = || Language::ALL.iter().map(|language| said.note.of(*language));
    let empty = notes().chain([said.reason.as_str()]).any(|text| text.trim().is_empty());
    if empty || notes().any(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(format!("this is no news for people: {said:?}"));
    }
    Ok(())
}

fn concerns_honest(name: &str) -> bool {
    name.to_lowercase().contains("honest")
}

/// Whom an action is about, by a name that tells.
fn whom(action: &Action) -> Option<Arc<str>> {
    match action {
        Action::Request(request) => whom_asked(request),
        Action::Base(
            ToBase::Call { target: Target { base, .. }, .. } | ToBase::AnswerBaseline { base, .. },
        ) => Some(base.as_str().into()),
        Action::Announce(said) => match &said.regarding {
            Regarding::Pod(pod) => Some(pod.name.clone()),
            Regarding::Node { name, .. } => Some(name.clone()),
            Regarding::Workload(_) | Regarding::Plan(_) => None,
        },
        Action::Fence(_) | Action::Replica(_) | Action::AskMetric(_) | Action::AskHealth(_) => None,
    }
}

/// Whom a request is about.
fn whom_asked(request: &Request) -> Option<Arc<str>> {
    Some(match request {
        Request::CreateNode(desired)
        | Request::PatchNode { desired }
        | Request::PatchNodeStatus { desired } => desired.name.clone(),
        Request::DeleteNode { name, .. }
        | Request::RenewLease { node: name, .. }
        | Request::ReleaseLease { node: name, .. } => name.clone(),
        Request::TakeLease { seen, .. } => seen.node.clone(),
        Request::PatchPodStatus { pod, .. } | Request::DeletePod { pod } => pod.name.clone(),
        Request::CreateModule(desired) | Request::PatchModule { desired, .. } => desired.key.vnode.clone(),
        Request::PatchModuleStatus { key, .. } | Request::DeleteModule { key, .. } => key.vnode.clone(),
        Request::FindBasePod { base, .. } => base.as_str().into(),
        Request::ScaleDeployment { .. }
        | Request::RecordRollout { .. }
        | Request::PatchPlanStatus { .. }
        | Request::PatchBaselineStatus { .. }
        | Request::WriteMember(_)
        | Request::ReadMember { .. }
        | Request::DeleteMember { .. }
        | Request::WritePermits(_)
        | Request::DeletePermits { .. } => return None,
    })
}

/// The whole state, as text: what grows without end shows here.
fn size(engine: &Engine) -> usize {
    struct Count(usize);
    impl fmt::Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail.
    let _ = write!(count, "{engine:?}");
    count.0
}
