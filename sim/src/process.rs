//! The life of a process: it is started and ends, is paused and wakes, connects, and is told things.

use std::time::Duration;

use arklet::CallError;
use engine::{Event, TunnelEvent, view::MemberView};
use model::TunnelKind;

use crate::{
    replica::{Inside, Process, Running, WATCHES},
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
        let (number, now, deployments) = (self.processes, self.now, self.deployments);
        let Some(replica) = self.replicas.get_mut(place).filter(|replica| replica.running.is_none()) else {
            return;
        };
        replica.running = Some(Running::start(replica, number, shares, deployments, now));
        let process = Process { replica: place, number };
        let (name, who) = (replica.name.clone(), self.running(process).map(Running::who).unwrap_or_default());
        self.tell(format_args!("{name} is started as {who:?}"));
        let transit = self.way_back();
        self.inside(transit, process, Inside::Tell(Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Http))));
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
        if let Some(desired) = last {
            // What it had sent is there, or has been given up, before it says so.
            let wait = self.faults.slowest + Duration::from_millis(1);
            self.later(wait, Happening::Mend(Mending::LastWord(place, Box::new(desired))));
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
                if let Some(asked) = running.requests.remove(&request) {
                    return self.fails(place, &asked, "no answer", None);
                }
            }
            Inside::Answered { call, event } => return self.answered(to, call, event),
            Inside::CallExpires(call) => {
                if let Some((tunnel, base, key)) = running.calls.remove(&call) {
                    let outcome = Err(CallError::TimedOut);
                    return self
                        .step(place, Event::Tunnel(TunnelEvent::Answer { tunnel, base, key, outcome }));
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
                if let Event::Tunnel(TunnelEvent::Answer { base, key, .. }) = &event {
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
        self.step(to.replica, Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Mqtt)))
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
            self.step(to.replica, Event::Tunnel(TunnelEvent::Answer { tunnel, base, key, outcome }))?;
        }
        self.inside(Duration::from_millis(500), to, Inside::Connect);
        self.step(to.replica, Event::Tunnel(TunnelEvent::TunnelDown(TunnelKind::Mqtt)))
    }

    pub(crate) fn name(&self, process: Process) -> String {
        self.replicas.get(process.replica).map(|replica| replica.name.clone()).unwrap_or_default()
    }
}
