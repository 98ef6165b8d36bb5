//! The way to the API server and back: what is lost, refused, or carried out and never answered.

use std::{sync::Arc, time::Duration};

use engine::{Event, Request, Write, WriteError};

use crate::{
    base::Package,
    replica::{Inside, Process},
    world::{Happening, World},
};

/// The deadline of one request, and of one about a replica's own Lease.
const DEADLINE: Duration = Duration::from_secs(15);
const MEMBER_DEADLINE: Duration = Duration::from_secs(3);

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Well, or as the server judges.
    Served,
    /// 500, and it was carried out or not.
    Error { carried_out: bool },
    /// No answer, and it was carried out or not.
    Lost { carried_out: bool },
    /// 429.
    TooMany { retry_after: Duration },
}

impl World {
    /// A request leaves a process, which waits for `left` at most.
    pub(crate) fn request(
        &mut self,
        from: Process,
        who: Arc<str>,
        asked: Request,
        left: Option<Duration>,
        mono: Duration,
    ) -> Result<(), String> {
        let own = matches!(asked, Request::WriteMember(_) | Request::ReadMember { .. });
        let deadline = if own { MEMBER_DEADLINE } else { DEADLINE };
        let deadline = left.map_or(deadline, |left| left.min(deadline));
        let reaches = self.replicas.get(from.replica).is_some_and(|replica| !replica.without_api);
        let reaches = reaches && !self.api_away;
        // A server that is not there refuses at once, or nothing is heard of it.
        if !reaches && self.rng().bool() {
            return self.fails(from.replica, &asked, "connection refused", None);
        }
        let request = self.next_number();
        let now = self.now;
        let Some(running) = self.running_mut(from) else { return Ok(()) };
        running.requests.insert(request, asked.clone());
        let gives_up = running.clock.when(mono.saturating_add(deadline)).saturating_sub(now);
        self.inside(gives_up, from, Inside::RequestExpires(request));
        if reaches {
            let transit = self.way_out();
            self.later(transit, Happening::Request { from, request, who, asked });
        }
        Ok(())
    }

    /// A request reaches the API server. Its process may have been killed since.
    pub(crate) fn serve(
        &mut self,
        from: Process,
        request: u64,
        who: &Arc<str>,
        asked: &Request,
    ) -> Result<(), String> {
        let reaches = self.replicas.get(from.replica).is_some_and(|replica| !replica.without_api);
        if self.api_away || !reaches {
            return Ok(());
        }
        let fate = self.fate();
        let carried_out = match fate {
            Fate::Served => true,
            Fate::Error { carried_out } | Fate::Lost { carried_out } => carried_out,
            Fate::TooMany { .. } => false,
        };
        let written = if carried_out { self.carry_out(from, who, asked)? } else { None };
        let transit = self.way_back();
        let unavailable = |reason: &str, retry_after| {
            let error = WriteError::Unavailable { reason: reason.into(), retry_after };
            Some(match asked {
                Request::FindBasePod { base, .. } => Event::BasePod { base: base.clone(), found: Err(error) },
                asked => Event::Written { write: asked.write()?, result: Err(error) },
            })
        };
        let (returned, end) = match fate {
            Fate::Served => match written {
                Some((returned, end)) => (returned, Some(end)),
                None => (None, None),
            },
            Fate::Error { .. } => (None, unavailable("500", None)),
            Fate::TooMany { retry_after } => (None, unavailable("429", Some(retry_after))),
            Fate::Lost { .. } => (None, None),
        };
        if let Some(end) = end {
            self.inside(transit, from, Inside::Response { request, returned, end });
        }
        Ok(())
    }

    fn fate(&mut self) -> Fate {
        if !self.chance(self.faults.write_errors) {
            return Fate::Served;
        }
        match self.rng().u8(0..8) {
            0 => Fate::TooMany { retry_after: Duration::from_secs(self.rng().u64(1..4)) },
            1 => Fate::Lost { carried_out: false },
            2 => Fate::Lost { carried_out: true },
            3..=5 => Fate::Error { carried_out: true },
            _ => Fate::Error { carried_out: false },
        }
    }

    /// What the response has, after the watches have been set going.
    fn carry_out(
        &mut self,
        from: Process,
        who: &Arc<str>,
        asked: &Request,
    ) -> Result<Option<(Option<Event>, Event)>, String> {
        let now = self.now;
        let replica = self.replicas.get(from.replica);
        let (wall, shares) = match replica.and_then(|replica| replica.running.as_ref()) {
            Some(running) => (running.clock.wall(now), self.replicas.len() > 1),
            None => (self.wall(), self.replicas.len() > 1),
        };
        if shares {
            self.checks.owner.arrived(asked, who, &self.api, now)?;
        }
        if let Request::PatchPodStatus { pod, status } = asked {
            self.checks.rivals.writes(from.number, pod, status, &self.api)?;
        }
        let before = self.api.status_writes;
        let Some(mut written) = self.api.write(asked, wall) else { return Ok(None) };
        if self.api.status_writes > before
            && let Request::PatchPodStatus { pod, status } = asked
        {
            self.tell(format_args!(
                "status of {pod}: {:?} ready={:?}",
                status.phase,
                status.condition("Ready").map(|c| c.status)
            ));
            self.checks.drain.written(pod, status, now);
            let writer = self.replicas.get(from.replica).and_then(|replica| replica.running.as_ref());
            let told = writer.filter(|_| shares).map(|running| &running.pods);
            self.checks.ready.written(pod, status, &self.api, &self.bases, told, now)?;
        }
        self.remember(asked, &written.end);
        for event in written.watch.drain(..) {
            self.inform(event);
        }
        Ok(Some((written.returned, written.end)))
    }

    /// Keeps what checkers want to know, and writes a line of the story where it is worth one.
    fn remember(&mut self, asked: &Request, end: &Event) {
        let Event::Written { write, result } = end else { return };
        match (write, asked) {
            (Write::CreateModule(key) | Write::PatchModule(key) | Write::DeleteModule(key), _) => {
                let what = format!("{write:?}").split('(').next().unwrap_or_default().to_owned();
                let of = match asked {
                    Request::CreateModule(desired) | Request::PatchModule { desired, .. } => {
                        format!(" of {:?}", Package::of(&desired.url))
                    }
                    _ => String::new(),
                };
                self.tell(format_args!("{what} {}{of} on {}: {result:?}", key.id, key.vnode));
            }
            (Write::TakeLease { node, holder }, _) => {
                if result.is_ok() {
                    self.checks.owner.taken(node, self.api.version(), self.now);
                }
                self.tell(format_args!("{holder} takes {node}: {result:?}"));
            }
            (Write::ReleaseLease { node, holder }, _) => {
                self.tell(format_args!("{holder} gives {node} back: {result:?}"));
            }
            (Write::WriteMember(name), Request::WriteMember(desired))
                if desired.state != engine::view::MemberState::Living =>
            {
                self.tell(format_args!("{name} is marked {:?}: {result:?}", desired.state));
            }
            (Write::DeleteNode(node), _) => self.tell(format_args!("{node} is deleted: {result:?}")),
            (Write::CreateNode(node), _) => self.tell(format_args!("{node} is created: {result:?}")),
            _ => {}
        }
    }
}
