//! A process decides, and sends what it decided.

use std::{sync::Arc, time::Duration};

use arklet::{CallError, Command, Outcome};
use engine::{
    Action, Event, Fencing, Request, ToBase, ToReplica, TunnelEvent, WriteError, view::MemberState,
};

use crate::{
    base::Package,
    check::Known,
    replica::{Inside, Process, WATCHES},
    world::World,
};

impl World {
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
            Action::Fence(change) => {
                let Some(running) = self.running_mut(process) else { return Ok(()) };
                running.set_fence(change);
                if matches!(change, Fencing::Shut { .. }) {
                    self.checks.commands.ended_with(process.number);
                    self.tell(format_args!("{name} was ended by another, and begins anew"));
                    for kind in WATCHES {
                        let pause = self.way_out();
                        self.close_watch(process, kind, pause);
                    }
                }
                return Ok(());
            }
            Action::Replica(ToReplica::Replicas { others, .. }) => {
                if let Some(running) = self.running_mut(process) {
                    running.others = others;
                }
                return Ok(());
            }
            _ => {}
        }
        if let Action::Base(ToBase::Call { target, command, deadline, .. }) = &action {
            if command.biz().is_some() {
                let of = match &command {
                    Command::InstallBiz { spec, .. } => {
                        format!(" of {:?}", Package::of(spec.url.as_written()))
                    }
                    _ => String::new(),
                };
                self.tell(format_args!(
                    "{name} to {}: {} {:?}{of}",
                    target.base,
                    command.kind(),
                    command.biz()
                ));
            }
            let replica = self.replicas.get(process.replica).and_then(|replica| replica.running.as_ref());
            if let Some(running) = replica {
                let known = Known { told: &running.pods, api: &self.api, bases: &self.bases };
                self.checks.sent(process.number, &target.base, command, known, now, *deadline)?;
            }
        }
        if let Action::Request(Request::DeleteNode { name: node, .. } | Request::ReleaseLease { node, .. }) =
            &action
        {
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
    pub(crate) fn send(
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
        let fenced = is_fenced(&action);
        if fenced && left.is_none() {
            return match action {
                Action::Base(ToBase::Call { target, command, .. }) => {
                    let why = "this replica may not act at the moment".to_owned();
                    self.ends(from.replica, target, &command, Err(CallError::Unreachable(why)))
                }
                Action::Request(asked) => {
                    self.fails(from.replica, &asked, "this replica may not act at the moment", None)
                }
                _ => Ok(()),
            };
        }
        if shares && fenced {
            self.checks.owner.sent(&action, &who, &self.api, now)?;
        }
        match action {
            Action::Base(ToBase::Call { target, command, deadline, .. }) => {
                self.call(from, who, target, command, deadline)
            }
            Action::Replica(ToReplica::Forward { to, report }) => {
                self.forward(from, &who, &to, *report);
                Ok(())
            }
            // No base waits for the answer to what it asked: nothing is installed by a baseline here.
            Action::Base(ToBase::AnswerBaseline { .. }) => Ok(()),
            Action::Request(asked) => self.request(from, who, asked, left.filter(|_| fenced), time.mono),
            Action::AskMetric(asked) => self.answer_metric(from.replica, *asked),
            Action::AskHealth(asked) => self.answer_health(from.replica, *asked),
            // What a process does with itself it does at once.
            Action::Replica(ToReplica::Replicas { .. }) | Action::Fence(_) | Action::Announce(_) => Ok(()),
        }
    }

    /// A command ended without having been sent.
    pub(crate) fn ends(
        &mut self,
        place: usize,
        target: engine::Target,
        command: &Command,
        outcome: Outcome,
    ) -> Result<(), String> {
        let key = arklet::AnswerKey { command: command.kind(), biz: command.biz().cloned() };
        self.step(
            place,
            Event::Tunnel(TunnelEvent::Answer { tunnel: target.tunnel, base: target.base, key, outcome }),
        )
    }

    /// A request had no good answer.
    pub(crate) fn fails(
        &mut self,
        place: usize,
        asked: &Request,
        reason: &str,
        retry_after: Option<Duration>,
    ) -> Result<(), String> {
        let error = WriteError::Unavailable { reason: reason.into(), retry_after };
        match asked {
            Request::FindBasePod { base, .. } => {
                self.step(place, Event::BasePod { base: base.clone(), found: Err(error) })
            }
            asked => match asked.write() {
                Some(write) => self.step(place, Event::Written { write, result: Err(error) }),
                None => Ok(()),
            },
        }
    }
}

/// It is sent only while the fence is open.
fn is_fenced(action: &Action) -> bool {
    match action {
        Action::Request(Request::WriteMember(desired)) => desired.state != MemberState::Living,
        Action::Request(Request::ReadMember { .. } | Request::FindBasePod { .. })
        | Action::AskMetric(_)
        | Action::AskHealth(_) => false,
        _ => true,
    }
}
