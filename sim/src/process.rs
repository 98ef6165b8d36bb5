//! What happens in a process: it is started and ends, is told things, decides, and sends what it decided.

use std::{sync::Arc, time::Duration};

use arklet::{CallError, Outcome};
use engine::{
    Action, Event, Watched, WriteError,
    view::{MemberState, MemberView},
};
use model::TunnelKind;

use crate::{
    check::Known,
    replica::{Inside, Process, Running, Stream, WATCHES},
    told::Source,
    trouble::Mending,
    world::{Happening, World},
};

/// The broker is tried again after so long at most, in milliseconds.
const RECONNECT_MS: u64 = 5_000;

impl World {
    /// The process is the one that runs.
    pub(crate) fn runs(&self, process: Process) -> bool {
        self.running(process).is_some()
    }

    fn running(&self, process: Process) -> Option<&Running> {
        let running = self.replicas.get(process.replica)?.running.as_ref();
        running.filter(|running| running.number == process.number)
    }

    pub(crate) fn running_mut(&mut self, process: Process) -> Option<&mut Running> {
        let running = self.replicas.get_mut(process.replica)?.running.as_mut();
        running.filter(|running| running.number == process.number)
    }

    /// All processes that run, paused or not.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let running = self.replicas.iter().map(|replica| replica.running.as_ref());
        running
            .enumerate()
            .filter_map(|(replica, running)| Some(Process { replica, number: running?.number }))
            .collect()
    }

    /// The process of a replica.
    pub(crate) fn process(&self, replica: usize) -> Option<Process> {
        let running = self.replicas.get(replica)?.running.as_ref()?;
        Some(Process { replica, number: running.number })
    }

    /// The replica's process is started.
    pub fn start_replica(&mut self, place: usize) {
        let shares = self.replicas.len() > 1;
        self.processes += 1;
        let (number, now) = (self.processes, self.now);
        let Some(replica) = self.replicas.get_mut(place).filter(|replica| replica.running.is_none()) else {
            return;
        };
        replica.running = Some(Running::start(replica, number, shares, now));
        let process = Process { replica: place, number };
        let (name, who) = (replica.name.clone(), self.running(process).map(Running::who).unwrap_or_default());
        self.tell(format_args!("{name} is started as {who:?}"));
        let transit = self.way_back();
        self.inside(transit, process, Inside::Tell(Event::TunnelUp(TunnelKind::Http)));
        self.inside(transit, process, Inside::Connect);
        for kind in WATCHES {
            let transit = self.way_out();
            self.inside(transit, process, Inside::Relist { kind, stream: 0 });
        }
    }

    /// The replica's process ends at once: what it had decided and not sent is lost.
    pub fn kill_replica(&mut self, place: usize) {
        let Some(replica) = self.replicas.get_mut(place) else { return };
        let name = replica.name.clone();
        if let Some(running) = replica.running.take() {
            self.checks.commands.ended_with(running.number);
            self.tell(format_args!("{name} is killed"));
        }
    }

    /// The replica is told to end (SIGTERM): it sends nothing more, and says that it left.
    pub fn retire_replica(&mut self, place: usize) {
        let running = self.replicas.get_mut(place).and_then(|replica| replica.awake());
        let last = running.and_then(|running| running.engine.release());
        self.kill_replica(place);
        if let Some(Action::WriteMember(desired)) = last {
            // What it had sent is there, or has been given up, before it says so.
            let wait = self.faults.slowest + Duration::from_millis(1);
            self.later(wait, Happening::Mend(Mending::LastWord(place, desired)));
        }
    }

    /// A replica that was told to end says that it left.
    pub(crate) fn last_word(&mut self, place: usize, desired: &MemberView) {
        let reaches = self.replicas.get(place).is_some_and(|replica| !replica.without_api);
        if reaches
            && !self.api_away
            && let Some(event) = self.api.release_member(desired)
        {
            self.tell(format_args!("{} says that it left", desired.incarnation));
            self.inform(event);
        }
    }

    /// The replica is stopped (SIGSTOP).
    pub fn pause_replica(&mut self, place: usize) {
        if let Some(replica) = self.replicas.get_mut(place) {
            let name = replica.name.clone();
            if let Some(running) = replica.awake() {
                running.paused = true;
                self.tell(format_args!("{name} is paused"));
            }
        }
    }

    /// The replica is stopped between its next decision and sending it.
    pub fn pause_replica_at_decision(&mut self, place: usize) {
        if let Some(replica) = self.replicas.get_mut(place) {
            let name = replica.name.clone();
            if let Some(running) = replica.awake() {
                running.pauses_next = true;
                self.tell(format_args!("{name} is paused as soon as it decides something"));
            }
        }
    }

    /// The replica goes on where it was stopped; what came in meanwhile comes first.
    pub fn wake_replica(&mut self, place: usize) {
        let Some(process) = self.process(place) else { return };
        let Some(running) = self.running_mut(process) else { return };
        running.pauses_next = false;
        if std::mem::replace(&mut running.paused, false) {
            let waiting = std::mem::take(&mut running.waiting);
            let name = self.replicas.get(place).map(|replica| replica.name.clone()).unwrap_or_default();
            self.tell(format_args!("{name} goes on"));
            for what in waiting {
                self.inside(Duration::ZERO, process, what);
            }
        }
    }

    /// Something comes to a process.
    pub(crate) fn reach(&mut self, to: Process, what: Inside) -> Result<(), String> {
        let Some(running) = self.running_mut(to) else { return Ok(()) };
        if running.paused {
            running.waiting.push(what);
            return Ok(());
        }
        let place = to.replica;
        match what {
            Inside::Tell(event) => return self.step(place, event),
            Inside::Watch { kind, stream, event } => {
                let place_of_kind = crate::replica::place(kind);
                let same = running.streams.get(&place_of_kind).is_some_and(|now| now.number == stream);
                if same && running.hears(&event, Source::Watch) {
                    return self.step(place, event);
                }
            }
            Inside::Relist { kind, stream } => self.relist(to, kind, stream),
            Inside::Listed { kind, stream, objects } => return self.listed(to, kind, stream, objects),
            Inside::Send { pass, who, action } => return self.send(to, &pass, who, *action),
            Inside::Response { request, returned, end } => {
                if running.requests.remove(&request).is_none() {
                    return Ok(());
                }
                if let Some(event) = returned
                    && running.hears(&event, Source::Response)
                {
                    self.step(place, event)?;
                }
                return self.step(place, end);
            }
            Inside::RequestExpires(request) => {
                if let Some(action) = running.requests.remove(&request) {
                    return self.fails(place, &action, "no answer", None);
                }
            }
            Inside::Answered { call, event } => return self.answered(to, call, event),
            Inside::CallExpires(call) => {
                if let Some((tunnel, base, key)) = running.calls.remove(&call) {
                    let outcome = Err(CallError::TimedOut);
                    return self.step(place, Event::Answer { tunnel, base, key, outcome });
                }
            }
            Inside::Connect => return self.connect(to),
            Inside::Disconnected => return self.disconnected(to),
        }
        Ok(())
    }

    fn answered(&mut self, to: Process, call: Option<u64>, event: Event) -> Result<(), String> {
        let Some(running) = self.running_mut(to) else { return Ok(()) };
        match call {
            // Over HTTP an answer that comes too late comes to nobody.
            Some(call) if running.calls.remove(&call).is_none() => return Ok(()),
            Some(_) => {}
            None if !running.connected => return Ok(()),
            None => {
                if let Event::Answer { base, key, .. } = &event {
                    running.calls.retain(|_, (tunnel, of, asked)| {
                        (*tunnel, &*of, &*asked) != (TunnelKind::Mqtt, base, key)
                    });
                }
            }
        }
        self.step(to.replica, event)
    }

    fn connect(&mut self, to: Process) -> Result<(), String> {
        let reaches = self.replicas.get(to.replica).is_some_and(|replica| !replica.without_bases);
        if self.broker_away || !reaches {
            let pause = Duration::from_millis(500) + self.up_to_ms(RECONNECT_MS);
            self.inside(pause, to, Inside::Connect);
            return Ok(());
        }
        let Some(running) = self.running_mut(to) else { return Ok(()) };
        running.connected = true;
        self.step(to.replica, Event::TunnelUp(TunnelKind::Mqtt))
    }

    /// What waits for an answer over MQTT waits no more, and the broker is tried.
    fn disconnected(&mut self, to: Process) -> Result<(), String> {
        let reaches = self.replicas.get(to.replica).is_some_and(|replica| !replica.without_bases);
        let still = self.broker_away || !reaches;
        let Some(running) = self.running_mut(to).filter(|running| still && running.connected) else {
            return Ok(());
        };
        running.connected = false;
        let (lost, kept) = std::mem::take(&mut running.calls)
            .into_iter()
            .partition(|(_, (tunnel, ..))| *tunnel == TunnelKind::Mqtt);
        running.calls = kept;
        let lost: std::collections::BTreeMap<_, _> = lost;
        for (tunnel, base, key) in lost.into_values() {
            let outcome = Err(CallError::TimedOut);
            self.step(to.replica, Event::Answer { tunnel, base, key, outcome })?;
        }
        self.inside(Duration::from_millis(500), to, Inside::Connect);
        self.step(to.replica, Event::TunnelDown(TunnelKind::Mqtt))
    }

    /// The engine takes one event, and what it decides is on its way.
    pub(crate) fn step(&mut self, place: usize, event: Event) -> Result<(), String> {
        let Some(process) = self.process(place) else { return Ok(()) };
        let now = self.now;
        let Some(running) = self.running_mut(process) else { return Ok(()) };
        running.note(&event);
        let (time, who) = (running.time(now), running.who());
        let actions = running.engine.step(event.clone(), time);
        self.checks.commands.told(process.number, &who, &event);
        for action in actions {
            self.act(process, action)?;
        }
        Ok(())
    }

    fn act(&mut self, process: Process, action: Action) -> Result<(), String> {
        let now = self.now;
        let name = self.name(process);
        match action {
            Action::Announce(said) => {
                self.tell(format_args!("{name} says {} {:?}: {}", said.reason, said.regarding, said.note));
                return Ok(());
            }
            Action::Fence { epoch, until } => {
                let Some(running) = self.running_mut(process) else { return Ok(()) };
                running.set_fence(epoch, until);
                if until.is_zero() {
                    self.checks.commands.ended_with(process.number);
                    self.tell(format_args!("{name} was ended by another, and begins anew"));
                }
                return Ok(());
            }
            Action::Replicas { others, .. } => {
                if let Some(running) = self.running_mut(process) {
                    running.others = others;
                }
                return Ok(());
            }
            _ => {}
        }
        if let Action::Call { target, command, deadline, .. } = &action {
            if command.biz().is_some() {
                self.tell(format_args!("{name} to {}: {} {:?}", target.base, command.kind(), command.biz()));
            }
            let replica = self.replicas.get(process.replica).and_then(|replica| replica.running.as_ref());
            if let Some(running) = replica {
                let known = Known { told: &running.pods, api: &self.api, bases: &self.bases };
                self.checks.sent(process.number, &target.base, command, known, now, *deadline)?;
            }
        }
        if let Action::DeleteNode { name: node, .. } | Action::ReleaseLease { node, .. } = &action {
            // It is given up with all that was at work there.
            self.checks.commands.given_up(process.number, |base| Self::node_of(base) == *node);
        }
        let most = u64::try_from(self.faults.hesitation.as_millis()).unwrap_or(u64::MAX);
        let wait = if most > 0 && self.chance(5) { self.up_to_ms(most) } else { Duration::ZERO };
        let Some(running) = self.running_mut(process) else { return Ok(()) };
        let at = (now + wait).max(running.sends_until);
        running.sends_until = at;
        if running.pauses_next && is_fenced(&action) {
            (running.pauses_next, running.paused) = (false, true);
        }
        let what = Inside::Send { pass: running.pass(), who: running.who(), action: Box::new(action) };
        self.inside(at - now, process, what);
        Ok(())
    }

    /// The last moment at which it can be found that this may not be sent.
    fn send(
        &mut self,
        from: Process,
        pass: &model::Pass,
        who: Arc<str>,
        action: Action,
    ) -> Result<(), String> {
        let now = self.now;
        let Some(running) = self.running_mut(from) else { return Ok(()) };
        // The fence looks at this clock.
        let time = running.time(now);
        let (shares, left) = (running.shares(), pass.left());
        if is_fenced(&action) && left.is_none() {
            return match action {
                Action::Call { target, command, .. } => {
                    let why = "this replica may not act at the moment".to_owned();
                    self.ends(from.replica, target, &command, Err(CallError::Unreachable(why)))
                }
                action => self.fails(from.replica, &action, "this replica may not act at the moment", None),
            };
        }
        if shares && is_fenced(&action) {
            self.checks.owner.sent(&action, &who, &self.api, now)?;
        }
        match action {
            Action::Call { target, command, deadline, .. } => self.call(from, who, target, command, deadline),
            Action::Forward { to, report } => {
                self.forward(from, &who, &to, *report);
                Ok(())
            }
            // No base waits for the answer to what it asked: nothing is installed by a baseline here.
            Action::AnswerBaseline { .. } => Ok(()),
            action => {
                let left = if is_fenced(&action) { left } else { None };
                self.request(from, who, action, left, time.mono)
            }
        }
    }

    /// A command ended without having been sent.
    pub(crate) fn ends(
        &mut self,
        place: usize,
        target: engine::Target,
        command: &arklet::Command,
        outcome: Outcome,
    ) -> Result<(), String> {
        let key = arklet::AnswerKey { command: command.kind(), biz: command.biz().cloned() };
        self.step(place, Event::Answer { tunnel: target.tunnel, base: target.base, key, outcome })
    }

    /// A request had no good answer.
    pub(crate) fn fails(
        &mut self,
        place: usize,
        action: &Action,
        reason: &str,
        retry_after: Option<Duration>,
    ) -> Result<(), String> {
        let error = WriteError::Unavailable { reason: reason.into(), retry_after };
        match action {
            Action::FindBasePod { base, .. } => {
                self.step(place, Event::BasePod { base: base.clone(), found: Err(error) })
            }
            action => match action.write() {
                Some(write) => self.step(place, Event::Written { write, result: Err(error) }),
                None => Ok(()),
            },
        }
    }

    pub(crate) fn name(&self, process: Process) -> String {
        self.replicas.get(process.replica).map(|replica| replica.name.clone()).unwrap_or_default()
    }

    /// What a watch tells all processes: in order, some time after it happened.
    pub fn inform(&mut self, event: Event) {
        let Some(kind) = crate::told::kind(&event) else { return };
        for process in self.processes() {
            // A revision was on its way before anything else that happens now.
            let transit = if kind == Watched::ReplicaSets { Duration::ZERO } else { self.way_back() };
            let now = self.now;
            let Some(running) = self.running_mut(process) else { continue };
            let stream = running.streams.get_mut(&crate::replica::place(kind));
            let Some(stream) = stream.filter(|stream| stream.open) else { continue };
            let at = (now + transit).max(stream.told_until);
            stream.told_until = at;
            let what = Inside::Watch { kind, stream: stream.number, event: event.clone() };
            self.inside(at - now, process, what);
        }
    }

    /// A watch begins with a list of what there is.
    fn relist(&mut self, to: Process, kind: Watched, number: u32) {
        let reaches = self.replicas.get(to.replica).is_some_and(|replica| !replica.without_api);
        let place = crate::replica::place(kind);
        let same = |stream: &Stream| stream.number == number && !stream.open;
        let Some(running) = self.running_mut(to) else { return };
        if !running.streams.get(&place).is_some_and(same) {
            return;
        }
        if self.api_away || !reaches {
            let pause = Duration::from_millis(500) + self.up_to_ms(4_500);
            return self.inside(pause, to, Inside::Relist { kind, stream: number });
        }
        let (transit, objects, now) = (self.way_back(), self.api.list(kind), self.now);
        if let Some(stream) = self.running_mut(to).and_then(|running| running.streams.get_mut(&place)) {
            (stream.open, stream.told_until) = (true, now + transit);
        }
        self.inside(transit, to, Inside::Listed { kind, stream: number, objects });
    }

    fn listed(&mut self, to: Process, kind: Watched, number: u32, objects: Vec<Event>) -> Result<(), String> {
        let place = crate::replica::place(kind);
        let Some(running) = self.running_mut(to) else { return Ok(()) };
        if running.streams.get(&place).is_none_or(|stream| stream.number != number) {
            return Ok(());
        }
        let mut told = Vec::new();
        for event in &objects {
            if running.hears(event, Source::List) {
                told.push(event.clone());
            }
        }
        told.extend(running.told.vanished(kind, &objects));
        told.push(Event::Synced(kind));
        for event in told {
            self.step(to.replica, event)?;
        }
        Ok(())
    }

    /// A watch is closed: what it had on its way is lost, and it begins anew after a while.
    pub(crate) fn close_watch(&mut self, to: Process, kind: Watched, pause: Duration) {
        let stream =
            self.running_mut(to).and_then(|running| running.streams.get_mut(&crate::replica::place(kind)));
        if let Some(stream) = stream {
            stream.number += 1;
            stream.open = false;
            let number = stream.number;
            self.later(pause, Happening::Inside(to, Inside::Relist { kind, stream: number }));
        }
    }
}

/// It is sent only while the fence is open.
fn is_fenced(action: &Action) -> bool {
    match action {
        Action::WriteMember(desired) => desired.state != MemberState::Living,
        Action::ReadMember { .. } | Action::FindBasePod { .. } => false,
        _ => true,
    }
}
