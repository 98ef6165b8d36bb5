//! The way to the bases and back, over HTTP and over a broker.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use arklet::{AnswerKey, CallError, Command, CommandKind, Outcome};
use engine::{Event, Target, TunnelEvent};
use model::{BaseIdentity, BaseReport, BaseState, TunnelKind};

use crate::{
    base::{Release, word},
    replica::{Inside, Process},
    world::{Happening, World},
};

/// What may be between a message and its double: nothing else of the same sender.
const DOUBLE_MS: u64 = 3;

/// A command on its way.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) number: u64,
    pub(crate) from: Process,
    /// As whom it was sent.
    pub(crate) who: Arc<str>,
    pub(crate) target: Target,
    pub(crate) command: Command,
    /// It came to its base before, which was stopped.
    pub(crate) waited: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.command.biz().map(ToString::to_string).unwrap_or_default();
        write!(f, "{} {id} on {}", self.command.kind(), self.target.base)
    }
}

impl World {
    /// A command leaves a process.
    pub(crate) fn call(
        &mut self,
        from: Process,
        who: Arc<str>,
        target: Target,
        command: Command,
        deadline: Duration,
    ) -> Result<(), String> {
        let reaches = self.replicas.get(from.replica).is_some_and(|replica| !replica.without_bases);
        let at_once = self.rng().bool();
        let now = self.now;
        let number = self.next_number();
        let Some(running) = self.running_mut(from) else { return Ok(()) };
        let mqtt = target.tunnel == TunnelKind::Mqtt;
        if (mqtt && !running.connected) || (!mqtt && !reaches && at_once) {
            let outcome = Err(CallError::Unreachable("no connection".into()));
            return self.ends(from.replica, target, &command, outcome);
        }
        let key = AnswerKey { command: command.kind(), biz: command.biz().cloned() };
        running.calls.insert(number, (target.tunnel, target.base.clone(), key));
        let gives_up = running.clock.when(running.clock.elapsed(now) + deadline).saturating_sub(now);
        self.inside(gives_up, from, Inside::CallExpires(number));
        if reaches && !(mqtt && self.broker_away) && !self.chance(self.faults.loss) {
            let transit = self.way_out();
            let call = Call { number, from, who, target, command, waited: false };
            if mqtt && self.chance(self.faults.doubled) {
                let more = self.up_to_ms(DOUBLE_MS);
                self.later(transit + more, Happening::Arrive(call.clone()));
            }
            self.later(transit, Happening::Arrive(call));
        }
        Ok(())
    }

    /// When the last of the commands arrives that processes of before have sent to this base: connections end in
    /// order, and a broker keeps the order of what it is given.
    fn older_arrive(&self, call: &Call) -> Option<Duration> {
        let is_older = |other: &Call| {
            other.from.replica == call.from.replica
                && other.from.number < call.from.number
                && other.target.base == call.target.base
        };
        let older = self
            .queue
            .iter()
            .filter(|(_, happening)| matches!(happening, Happening::Arrive(other) if is_older(other)));
        older.map(|((at, _), _)| *at).max()
    }

    /// A command reaches its base.
    pub(crate) fn arrive(&mut self, call: Call) -> Result<(), String> {
        if let Some(at) = self.older_arrive(&call) {
            self.later(at - self.now, Happening::Arrive(call));
            return Ok(());
        }
        let (now, http) = (self.now, call.target.tunnel == TunnelKind::Http);
        if self.replicas.len() > 1 && !call.waited {
            self.checks.owner.reached(&call.target.base, &call.command, &call.who, &self.api, now)?;
        }
        let broker_away = self.broker_away;
        let Some(base) = self.bases.get_mut(&call.target.base) else { return Ok(()) };
        if !base.up && http {
            self.reply(&call, Err(CallError::Unreachable("refused".into())));
            return Ok(());
        }
        if !base.up || (!http && (broker_away || !base.connected)) {
            return Ok(());
        }
        if base.paused {
            base.waiting.push(Call { waited: true, ..call });
            return Ok(());
        }
        if let Err(conflict) = base.take(&call.command) {
            self.tell(format_args!("{call} is refused: something is at work"));
            self.reply(&call, Err(conflict));
            return Ok(());
        }
        let incarnation = base.incarnation;
        let work = match call.command.kind() {
            CommandKind::InstallBiz => Duration::from_millis(self.rng().u64(20..3_000)),
            CommandKind::UninstallBiz => Duration::from_millis(self.rng().u64(5..200)),
            _ => Duration::from_millis(self.rng().u64(1..20)),
        };
        self.later(work, Happening::Answer { call, incarnation });
        Ok(())
    }

    /// A base has carried a command out.
    pub(crate) fn answer(&mut self, call: Call, incarnation: u32) {
        let now = self.now;
        let Some(base) = self.bases.get_mut(&call.target.base) else { return };
        if base.incarnation != incarnation || !base.up {
            return;
        }
        let outcome = base.carry_out(&call.command, now);
        self.checks.carried_out(&call.target.base, &call.command, &outcome, &self.bases, now);
        if call.command.biz().is_some() {
            let how = match &outcome {
                Ok(_) => "ok".to_owned(),
                Err(error) => error.to_string(),
            };
            self.tell(format_args!("base did {call}: {how}"));
        }
        self.reply(&call, outcome);
    }

    /// An answer goes back: over HTTP to the process that asked, over MQTT to all.
    fn reply(&mut self, call: &Call, outcome: Outcome) {
        let key = AnswerKey { command: call.command.kind(), biz: call.command.biz().cloned() };
        let Target { tunnel, base, .. } = call.target.clone();
        let event = Event::Tunnel(TunnelEvent::Answer { tunnel, base, key, outcome });
        if tunnel == TunnelKind::Http {
            if self.hears_bases(call.from) && !self.chance(self.faults.loss) {
                let transit = self.way_back();
                self.inside(transit, call.from, Inside::Answered { call: Some(call.number), event });
            }
            return;
        }
        self.publish(&call.target.base, |_| Inside::Answered { call: None, event: event.clone() });
    }

    /// A base publishes something, which all hear that are connected to the broker, or most of them.
    fn publish(&mut self, base: &BaseIdentity, what: impl Fn(Process) -> Inside) {
        if self.broker_away || self.bases.get(base).is_some_and(|base| !base.connected) {
            return;
        }
        for process in self.processes() {
            let connected = self.running_mut(process).is_some_and(|running| running.connected);
            if !connected || !self.hears_bases(process) || self.chance(self.faults.loss) {
                continue;
            }
            let transit = self.way_back();
            if self.chance(self.faults.doubled) {
                let more = self.way_back();
                self.inside(transit + more, process, what(process));
            }
            self.inside(transit, process, what(process));
        }
    }

    fn hears_bases(&self, process: Process) -> bool {
        self.replicas.get(process.replica).is_some_and(|replica| !replica.without_bases)
    }

    /// A base says something of itself: over MQTT all hear it, over HTTP one of those that run.
    fn say(&mut self, identity: &BaseIdentity, state: BaseState) {
        let tunnel = tunnel_of(identity);
        let event = Event::Tunnel(TunnelEvent::Heartbeat { tunnel, report: report(identity, state) });
        if tunnel == TunnelKind::Mqtt {
            return self.publish(identity, |_| Inside::Tell(event.clone()));
        }
        let processes = self.processes();
        let Some(process) = self.rng().choice(processes) else { return };
        if self.hears_bases(process) && !self.chance(self.faults.loss) {
            let transit = self.way_back();
            self.inside(transit, process, Inside::Tell(event));
        }
    }

    /// A base's heartbeat is due.
    pub(crate) fn heartbeat(&mut self, identity: BaseIdentity, incarnation: u32) {
        let Some(base) = self.bases.get(&identity) else { return };
        if base.incarnation != incarnation || !base.up {
            return;
        }
        if !base.paused {
            self.say(&identity, BaseState::Activated);
        }
        let period = Duration::from_secs(if tunnel_of(&identity) == TunnelKind::Http { 12 } else { 10 });
        self.later(period, Happening::Heartbeat { base: identity, incarnation });
    }

    /// A replica sends on what it heard of another's base. Only who lives, as the other knows, is heard.
    pub(crate) fn forward(&mut self, from: Process, who: &Arc<str>, to: &Arc<str>, report: BaseReport) {
        let knows = self.running_mut(from).is_some_and(|running| running.others.contains_key(to));
        let there = self.processes().into_iter().find(|process| {
            self.running_mut(*process)
                .is_some_and(|running| running.who() == *to && running.others.contains_key(who))
        });
        let Some(process) = there.filter(|_| knows) else { return };
        if !self.chance(self.faults.loss) {
            let transit = self.way_out();
            self.inside(transit, process, Inside::Tell(Event::Tunnel(TunnelEvent::Forwarded(report))));
        }
    }

    /// Starts a base of this identity.
    pub fn start_base(&mut self, name: &str) {
        let identity: BaseIdentity = word(name);
        let connected = !self.broker_away;
        let release = self.rng().choice(Release::ALL).unwrap_or_default();
        let base = self.bases.entry(identity.clone()).or_default();
        base.start(release);
        base.connected = connected;
        let incarnation = base.incarnation;
        self.tell(format_args!("base {name} starts ({release:?})"));
        if tunnel_of(&identity) == TunnelKind::Mqtt {
            let query = question(&identity);
            self.publish(&identity, |_| {
                Inside::Tell(Event::Tunnel(TunnelEvent::BaselineQuery {
                    tunnel: TunnelKind::Mqtt,
                    query: query.clone(),
                    ask: 0,
                }))
            });
        }
        self.later(Duration::ZERO, Happening::Heartbeat { base: identity, incarnation });
    }

    /// A base says goodbye and ends.
    pub fn stop_base(&mut self, name: &str) {
        let identity: BaseIdentity = word(name);
        self.tell(format_args!("base {name} says goodbye"));
        self.say(&identity, BaseState::Deactivated);
        self.crash_base(&identity);
    }

    /// A base ends at once.
    pub fn crash_base(&mut self, identity: &BaseIdentity) {
        if let Some(base) = self.bases.get_mut(identity) {
            base.crash();
        }
        self.checks.crashed(identity, &self.bases, self.now);
    }

    /// A base that was paused goes on with what came meanwhile.
    pub fn wake_base(&mut self, identity: &BaseIdentity) {
        let Some(base) = self.bases.get_mut(identity) else { return };
        base.paused = false;
        for call in std::mem::take(&mut base.waiting) {
            self.later(Duration::ZERO, Happening::Arrive(call));
        }
    }

    /// A base that lost the broker finds it.
    pub(crate) fn reconnect(&mut self, identity: &BaseIdentity, incarnation: u32) {
        let away = self.broker_away;
        if let Some(base) = self.bases.get_mut(identity).filter(|base| base.incarnation == incarnation) {
            base.connected = !away;
        }
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
        labels: std::collections::BTreeMap::new(),
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
        stack: Arc::default(),
        peer: None,
    }
}
