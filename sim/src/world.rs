//! The world around the engine: time, an API server, bases, and a network between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use arklet::{AnswerKey, CallError, Command, CommandKind};
use engine::{Action, Config, Engine, Event, Now, Target, Watched, Write, WriteError, view::PodView};
use jiff::{SignedDuration, Timestamp};
use model::{BaseIdentity, BaseReport, BaseState, TunnelKind};

use crate::{
    api::Api,
    base::{Base, word},
    check::{Checks, Known},
};

/// What can go wrong, and how often, in percent of the chances.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A message between controller and base is lost.
    pub loss: u8,
    /// An answer comes twice.
    pub doubled: u8,
    /// A write to the API server fails, half of them after having been carried out.
    pub write_errors: u8,
    /// The longest that a message, a write or a watch event takes.
    pub slowest: Duration,
}

impl Faults {
    /// Nothing goes wrong; everything takes some milliseconds.
    pub const NONE: Self = Self { loss: 0, doubled: 0, write_errors: 0, slowest: Duration::from_millis(5) };
}

/// More steps at one moment than any honest burst takes.
const BUSY: u32 = 10_000;

/// Something that happens at its time.
#[derive(Debug)]
enum Happening {
    /// The engine is told.
    Tell { to: u32, event: Box<Event> },
    /// A command reaches its base.
    Arrive { from: u32, target: Target, command: Command, gives_up: Duration },
    /// A base has carried a command out and answers.
    Answer { to: u32, target: Target, command: Command, gives_up: Duration, incarnation: u32 },
    /// A write reaches the API server.
    Write { from: u32, action: Action },
    /// A base's next heartbeat.
    Heartbeat { base: BaseIdentity, incarnation: u32 },
}

/// Everything.
pub struct World {
    /// Time since the beginning.
    pub now: Duration,
    /// The API server.
    pub api: Api,
    /// The bases, by identity.
    pub bases: BTreeMap<BaseIdentity, Base>,
    /// The faults at present.
    pub faults: Faults,
    /// The invariants.
    pub checks: Checks,
    /// What the engine was told of Pods, by UID.
    pub told: BTreeMap<Arc<str>, PodView>,
    /// Objects whose end the controller was told, by UID.
    ended: BTreeSet<Arc<str>>,
    rng: fastrand::Rng,
    engine: Engine,
    engine_since: Duration,
    generation: u32,
    queue: BTreeMap<(Duration, u64), Happening>,
    sequence: u64,
    pods_told_until: Duration,
    nodes_told_until: Duration,
    modules_told_until: Duration,
    story: String,
}

impl World {
    /// A world without bases, with a controller that has just been started.
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            api: Api::default(),
            bases: BTreeMap::new(),
            faults: Faults::NONE,
            checks: Checks::default(),
            told: BTreeMap::new(),
            ended: BTreeSet::new(),
            rng: fastrand::Rng::with_seed(seed),
            engine: Engine::new(Config::new("sim")),
            engine_since: Duration::ZERO,
            generation: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            pods_told_until: Duration::ZERO,
            nodes_told_until: Duration::ZERO,
            modules_told_until: Duration::ZERO,
            story: String::new(),
        };
        if seed.is_multiple_of(2) {
            world.api.serve_all_modules();
        }
        world.start_controller();
        world
    }

    /// The random numbers of this world.
    pub fn rng(&mut self) -> &mut fastrand::Rng {
        &mut self.rng
    }

    /// What happened, for a failing seed.
    pub fn story(&self) -> &str {
        &self.story
    }

    /// Writes a line of the story.
    pub fn tell(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.story, "{:9.3} {what}", self.now.as_secs_f64());
    }

    /// The Node's name of a base.
    pub fn node_of(base: &BaseIdentity) -> Arc<str> {
        format!("virtual-node-{base}").into()
    }

    /// Wall clock.
    pub fn wall(&self) -> Timestamp {
        let since = SignedDuration::try_from(self.now).unwrap_or_default();
        Timestamp::constant(1_800_000_000, 0).checked_add(since).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Starts a base of this identity.
    pub fn start_base(&mut self, name: &str) {
        let identity: BaseIdentity = word(name);
        let base = self.bases.entry(identity.clone()).or_default();
        base.start();
        let incarnation = base.incarnation;
        self.tell(format_args!("base {name} starts"));
        if tunnel_of(&identity) == TunnelKind::Mqtt && !self.chance(self.faults.loss) {
            let (transit, to) = (self.transit(), self.generation);
            let event = Box::new(Event::BaselineQuery {
                tunnel: TunnelKind::Mqtt,
                query: question(&identity),
                ask: 0,
            });
            self.later(transit, Happening::Tell { to, event });
        }
        self.later(Duration::ZERO, Happening::Heartbeat { base: identity, incarnation });
    }

    /// The controller ends at once and a new one starts: what was under way is told to nobody.
    pub fn restart_controller(&mut self) {
        self.tell(format_args!("the controller is killed and started"));
        self.start_controller();
    }

    fn start_controller(&mut self) {
        self.generation += 1;
        self.engine = Engine::new(Config::new("sim"));
        self.engine_since = self.now;
        self.told.clear();
        self.checks.restarted();
        for tunnel in [TunnelKind::Http, TunnelKind::Mqtt] {
            self.inform(Event::TunnelUp(tunnel));
        }
        let nodes: Vec<_> =
            self.api.nodes.values().cloned().map(|node| Event::Node(Box::new(node))).collect();
        let pods: Vec<_> = self.api.pods.values().cloned().map(|pod| Event::Pod(Box::new(pod))).collect();
        for event in nodes.into_iter().chain([Event::Synced(Watched::Nodes)]) {
            self.inform(event);
        }
        let services: Vec<_> = self.api.services.iter().cloned().map(Event::Service).collect();
        for event in services.into_iter().chain([Event::Synced(Watched::Services)]) {
            self.inform(event);
        }
        for (set, revision) in self.api.revisions.clone() {
            self.inform_of_revision(set, revision);
        }
        for kind in [Watched::ReplicaSets, Watched::UpstreamReplicaSets] {
            self.at_once(Event::Synced(kind));
        }
        for event in pods.into_iter().chain([Event::Synced(Watched::Pods)]) {
            self.inform(event);
        }
        let modules: Vec<_> =
            self.api.modules.values().cloned().map(|module| Event::Module(Box::new(module))).collect();
        for event in modules.into_iter().chain([Event::Synced(Watched::Modules)]) {
            self.inform(event);
        }
    }

    /// Lets time pass until `until`.
    ///
    /// # Errors
    /// The first invariant that was broken.
    pub fn run_until(&mut self, until: Duration) -> Result<(), String> {
        let mut same_moment = 0;
        loop {
            let next = self.queue.keys().next().map(|(at, _)| *at);
            let wake = self.engine.next_wake().map(|at| at.saturating_add(self.engine_since));
            let Some(at) = next.into_iter().chain(wake).min().filter(|&at| at <= until) else {
                self.now = until;
                return Ok(());
            };
            same_moment = if at > self.now { 0 } else { same_moment + 1 };
            if same_moment > BUSY {
                return Err(format!(
                    "{BUSY} steps without any time passing: the engine is busy with nothing"
                ));
            }
            self.now = self.now.max(at);
            match self.queue.first_key_value() {
                Some(((first, _), _)) if *first <= self.now => {
                    if let Some((_, happening)) = self.queue.pop_first() {
                        self.happen(happening)?;
                    }
                }
                _ => self.step(Event::Tick)?,
            }
        }
    }

    fn later(&mut self, wait: Duration, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now + wait, self.sequence), happening);
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    /// A transit time: mostly short, now and then as long as it gets.
    fn transit(&mut self) -> Duration {
        let most = u64::try_from(self.faults.slowest.as_millis()).unwrap_or(u64::MAX).max(1);
        let bound = if self.rng.u8(0..10) == 0 { most } else { most.min(5) };
        Duration::from_millis(self.rng.u64(0..=bound))
    }

    /// What a watch tells: in order, some time after it happened.
    pub fn inform(&mut self, event: Event) {
        let transit = self.transit();
        let last = match event {
            Event::Pod(_) | Event::PodGone(_) | Event::Synced(Watched::Pods) => &mut self.pods_told_until,
            Event::Module(_) | Event::ModuleGone { .. } | Event::Synced(Watched::Modules) => {
                &mut self.modules_told_until
            }
            _ => &mut self.nodes_told_until,
        };
        let at = (self.now + transit).max(*last);
        *last = at;
        let to = self.generation;
        self.later(at - self.now, Happening::Tell { to, event: Box::new(event) });
    }

    /// The watch of ReplicaSets tells of one.
    pub(crate) fn inform_of_revision(&mut self, replica_set: Arc<str>, revision: u64) {
        self.at_once(Event::Revision { replica_set, revision });
    }

    /// Tells something that was on its way before anything else that happens now.
    fn at_once(&mut self, event: Event) {
        let to = self.generation;
        self.later(Duration::ZERO, Happening::Tell { to, event: Box::new(event) });
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Tell { to, event } if to == self.generation => self.step(*event),
            Happening::Tell { .. } => Ok(()),
            Happening::Arrive { from, target, command, gives_up } => {
                self.arrive(from, target, command, gives_up);
                Ok(())
            }
            Happening::Answer { to, target, command, gives_up, incarnation } => {
                self.answer(to, target, command, gives_up, incarnation);
                Ok(())
            }
            Happening::Write { from, action } => self.write(from, &action),
            Happening::Heartbeat { base, incarnation } => {
                self.heartbeat(base, incarnation);
                Ok(())
            }
        }
    }

    fn step(&mut self, event: Event) -> Result<(), String> {
        if self.is_of_the_past(&event) {
            return Ok(());
        }
        match &event {
            Event::Pod(pod) => {
                let newer = |known: &PodView| known.resource_version <= pod.resource_version;
                if self.told.get(&pod.pod.uid).is_none_or(newer) {
                    self.told.insert(pod.pod.uid.clone(), (**pod).clone());
                }
            }
            Event::PodGone(pod) => {
                self.told.remove(&pod.uid);
            }
            Event::Answer { base, key, .. } => self.checks.commands.ended(base, key),
            Event::BaselineQuery { query, .. } => {
                self.checks.commands.given_up(|base| *base == query.identity)
            }
            _ => {}
        }
        let now = Now { mono: self.now - self.engine_since, wall: self.wall() };
        for action in self.engine.step(event, now) {
            self.act(action)?;
        }
        Ok(())
    }

    /// Nothing is told of an object after its end, although watch and writes tell side by side:
    /// the ring that talks to the API server sees to it.
    fn is_of_the_past(&mut self, event: &Event) -> bool {
        match event {
            Event::PodGone(pod) => {
                self.ended.insert(pod.uid.clone());
                false
            }
            Event::ModuleGone { module, .. } => {
                self.ended.insert(module.uid.clone());
                false
            }
            Event::NodeGone { uid, .. } => {
                self.ended.insert(uid.clone());
                false
            }
            Event::Pod(pod) => self.ended.contains(&pod.pod.uid),
            Event::Module(module) => self.ended.contains(&module.module.uid),
            Event::Node(node) => self.ended.contains(&node.uid),
            _ => false,
        }
    }

    fn act(&mut self, action: Action) -> Result<(), String> {
        let from = self.generation;
        match action {
            Action::Announce(announcement) => {
                self.tell(format_args!(
                    "says {} {:?}: {}",
                    announcement.reason, announcement.regarding, announcement.note
                ));
                Ok(())
            }
            Action::Call { target, command, deadline, .. } => {
                if command.biz().is_some() {
                    self.tell(format_args!("to {}: {} {:?}", target.base, command.kind(), command.biz()));
                }
                let wall = self.wall();
                let known = Known { told: &self.told, api: &self.api, bases: &self.bases, wall };
                self.checks.sent(&target.base, &command, known, self.now, deadline)?;
                let transit = self.transit();
                let gives_up = self.now + deadline;
                self.later(transit, Happening::Arrive { from, target, command, gives_up });
                Ok(())
            }
            action => {
                if let Action::DeleteNode { name, .. } = &action {
                    // It is given up with all that was at work there.
                    self.checks.commands.given_up(|base| Self::node_of(base) == *name);
                }
                let transit = self.transit();
                self.later(transit, Happening::Write { from, action });
                Ok(())
            }
        }
    }

    fn write(&mut self, from: u32, action: &Action) -> Result<(), String> {
        // A controller that was killed may still have had a request on its way.
        let fails = self.chance(self.faults.write_errors);
        let carried_out = !fails || self.rng.bool();
        let api_before = self.api.status_writes;
        let Some(mut written) = self.api.write_if(action, self.now, carried_out) else { return Ok(()) };
        if self.api.status_writes > api_before
            && let Action::PatchPodStatus { pod, status } = action
        {
            self.tell(format_args!(
                "status of {pod}: {:?} ready={:?}",
                status.phase,
                status.condition("Ready").map(|c| c.status)
            ));
            self.checks.drain.written(pod, status, self.now);
            self.checks.ready.written(pod, status, &self.api, &self.bases, self.now)?;
        }
        if let Event::Written { write, result } = &written.end
            && let Write::CreateModule(key) | Write::PatchModule(key) | Write::DeleteModule(key) = write
        {
            let what = format!("{write:?}").split('(').next().unwrap_or_default().to_owned();
            self.tell(format_args!("{what} {} on {}: {result:?}", key.id, key.vnode));
        }
        for event in written.watch.drain(..) {
            self.inform(event);
        }
        if fails {
            if let Event::Written { result, .. } = &mut written.end {
                *result = Err(WriteError::Unavailable { reason: "500".into(), retry_after: None });
            }
            written.returned = None;
        }
        if from == self.generation {
            // The answer and the object in it come together, whatever the watch tells meanwhile.
            let transit = self.transit();
            for event in written.returned.into_iter().chain([written.end]) {
                self.later(transit, Happening::Tell { to: from, event: Box::new(event) });
            }
        }
        Ok(())
    }

    fn reply(&mut self, to: u32, target: Target, command: &Command, outcome: arklet::Outcome) {
        let transit = self.transit();
        let key = AnswerKey { command: command.kind(), biz: command.biz().cloned() };
        let event = Event::Answer { tunnel: target.tunnel, base: target.base, key, outcome };
        if target.tunnel == TunnelKind::Mqtt && self.chance(self.faults.doubled) {
            let more = self.transit();
            self.later(transit + more, Happening::Tell { to, event: Box::new(event.clone()) });
        }
        self.later(transit, Happening::Tell { to, event: Box::new(event) });
    }

    /// The tunnel's own deadline.
    fn give_up(&mut self, to: u32, target: Target, command: &Command, gives_up: Duration) {
        let key = AnswerKey { command: command.kind(), biz: command.biz().cloned() };
        let event = Event::Answer {
            tunnel: target.tunnel,
            base: target.base,
            key,
            outcome: Err(CallError::TimedOut),
        };
        let wait = gives_up.saturating_sub(self.now);
        self.later(wait, Happening::Tell { to, event: Box::new(event) });
    }

    /// When the last of the commands arrives that controllers of before have sent to this base: connections end in
    /// order, and a broker keeps the order of what it is given.
    fn older_arrive(&self, than: u32, base: &BaseIdentity) -> Option<Duration> {
        let older = self.queue.iter().filter(|(_, happening)| {
            matches!(happening, Happening::Arrive { from, target, .. } if *from < than && target.base == *base)
        });
        older.map(|((at, _), _)| *at).max()
    }

    /// What is on its way to or from a base or the API server about a biz or a Pod, or at work on a base.
    pub fn at_work(&self) -> Option<String> {
        let (bases, present) = (&self.bases, self.generation);
        self.queue.values().find_map(|happening| match happening {
            Happening::Arrive { target, command, .. } | Happening::Answer { target, command, .. } => {
                let up = bases.get(&target.base).is_some_and(|base| base.up);
                let id = command.biz().filter(|_| up)?;
                Some(format!("{} {id} on {}", command.kind(), target.base))
            }
            Happening::Write { action: Action::RenewLease { .. }, .. } => None,
            Happening::Write { action, .. } => Some(format!("{:?}", action.write()?)),
            Happening::Tell { to, event } if *to == present => match &**event {
                Event::Answer { base, key, .. } => Some(format!("{} {} answers", base, key.biz.as_ref()?)),
                Event::Written { write: Write::RenewLease(_), .. } => None,
                Event::Written { write, .. } => Some(format!("{write:?} ends")),
                _ => None,
            },
            _ => None,
        })
    }

    fn arrive(&mut self, from: u32, target: Target, command: Command, gives_up: Duration) {
        if let Some(at) = self.older_arrive(from, &target.base) {
            return self.later(at - self.now, Happening::Arrive { from, target, command, gives_up });
        }
        let lost = self.chance(self.faults.loss);
        let Some(base) = self.bases.get_mut(&target.base) else { return };
        if !base.up && target.tunnel == TunnelKind::Http {
            let outcome = Err(CallError::Unreachable("refused".into()));
            return self.reply(from, target, &command, outcome);
        }
        if lost || !base.up {
            return self.give_up(from, target, &command, gives_up);
        }
        if base.paused {
            let again = Duration::from_secs(1);
            if self.now >= gives_up {
                return self.give_up(from, target, &command, gives_up);
            }
            return self.later(again, Happening::Arrive { from, target, command, gives_up });
        }
        if let Err(conflict) = base.take(&command) {
            return self.reply(from, target, &command, Err(conflict));
        }
        let incarnation = base.incarnation;
        let work = match command.kind() {
            CommandKind::InstallBiz => Duration::from_millis(self.rng.u64(20..3_000)),
            CommandKind::UninstallBiz => Duration::from_millis(self.rng.u64(5..200)),
            _ => Duration::from_millis(self.rng.u64(1..20)),
        };
        self.later(work, Happening::Answer { to: from, target, command, gives_up, incarnation });
    }

    fn answer(&mut self, to: u32, target: Target, command: Command, gives_up: Duration, incarnation: u32) {
        let now = self.now;
        let Some(base) = self.bases.get_mut(&target.base) else { return };
        if base.incarnation != incarnation || !base.up {
            return self.give_up(to, target, &command, gives_up);
        }
        let outcome = base.carry_out(&command, now);
        self.checks.carried_out(&target.base, &command, &outcome, &self.bases, now);
        if command.biz().is_some() {
            self.tell(format_args!(
                "base {} did {} {:?}: {}",
                target.base,
                command.kind(),
                command.biz(),
                match &outcome {
                    Ok(_) => "ok".to_owned(),
                    Err(error) => error.to_string(),
                }
            ));
        }
        if self.chance(self.faults.loss) || now >= gives_up {
            return self.give_up(to, target, &command, gives_up);
        }
        self.reply(to, target, &command, outcome);
    }

    fn heartbeat(&mut self, identity: BaseIdentity, incarnation: u32) {
        let Some(base) = self.bases.get(&identity) else { return };
        if base.incarnation != incarnation || !base.up {
            return;
        }
        if !base.paused && !self.chance(self.faults.loss) {
            let event = Event::Heartbeat {
                tunnel: tunnel_of(&identity),
                report: report(&identity, BaseState::Activated),
            };
            let (transit, to) = (self.transit(), self.generation);
            self.later(transit, Happening::Tell { to, event: Box::new(event) });
        }
        let period = Duration::from_secs(if tunnel_of(&identity) == TunnelKind::Http { 12 } else { 10 });
        self.later(period, Happening::Heartbeat { base: identity, incarnation });
    }

    /// A base says goodbye and ends.
    pub fn stop_base(&mut self, name: &str) {
        let identity: BaseIdentity = word(name);
        self.tell(format_args!("base {name} says goodbye"));
        let event = Event::Heartbeat {
            tunnel: tunnel_of(&identity),
            report: report(&identity, BaseState::Deactivated),
        };
        let (transit, to) = (self.transit(), self.generation);
        self.later(transit, Happening::Tell { to, event: Box::new(event) });
        self.crash_base(&identity);
    }

    /// A base ends at once.
    pub fn crash_base(&mut self, identity: &BaseIdentity) {
        if let Some(base) = self.bases.get_mut(identity) {
            base.crash();
        }
        self.checks.crashed(identity, &self.bases, self.now);
    }
}

/// Every second base talks over MQTT.
pub fn tunnel_of(identity: &BaseIdentity) -> TunnelKind {
    let odd = identity.as_str().bytes().last().is_some_and(|byte| byte % 2 == 1);
    if odd { TunnelKind::Mqtt } else { TunnelKind::Http }
}

/// What a base says of itself.
pub fn report(identity: &BaseIdentity, state: BaseState) -> BaseReport {
    let http = tunnel_of(identity) == TunnelKind::Http;
    BaseReport {
        identity: identity.clone(),
        name: Some("base".into()),
        version: "1.0.0".into(),
        cluster: "sim".into(),
        stack: "java".into(),
        host_name: identity.as_str().into(),
        ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        peer: None,
        port: http.then_some(1238),
        state,
    }
}

/// What a base asks when it starts.
fn question(identity: &BaseIdentity) -> arklet::BaselineQuery {
    arklet::BaselineQuery {
        identity: identity.clone(),
        name: None,
        version: Arc::default(),
        cluster: Arc::default(),
        peer: None,
    }
}
