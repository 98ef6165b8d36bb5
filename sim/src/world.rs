//! The world around the engines: true time, what is on its way, and the order in which it happens.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use engine::{Action, Event, Request, ToBase, TunnelEvent};
use jiff::Timestamp;
use model::BaseIdentity;

use crate::{
    api::Api,
    base::Base,
    check::Checks,
    clock::true_wall,
    network::Call,
    replica::{Inside, Process, Replica},
    scenario::Faults,
    trouble::Mending,
};

/// More steps at one moment than any honest burst takes.
const BUSY: u32 = 10_000;

/// Something that happens at its time.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Something reaches a process; where that is dead, nobody.
    Inside(Process, Inside),
    /// A command reaches its base.
    Arrive(Call),
    /// A base has carried a command out and answers.
    Answer { call: Call, incarnation: u32 },
    /// A request reaches the API server.
    Request { from: Process, request: u64, who: Arc<str>, asked: Request },
    /// A base's next heartbeat.
    Heartbeat { base: BaseIdentity, incarnation: u32 },
    /// A base finds the broker again.
    Reconnect { base: BaseIdentity, incarnation: u32 },
    /// Some trouble ends.
    Mend(Mending),
}

/// Everything.
pub struct World {
    /// True time since the beginning.
    pub now: Duration,
    /// The API server.
    pub api: Api,
    /// The bases, by identity.
    pub bases: BTreeMap<BaseIdentity, Base>,
    /// The replicas.
    pub replicas: Vec<Replica>,
    /// The API server answers nobody.
    pub api_away: bool,
    /// The broker is not there.
    pub broker_away: bool,
    /// The controllers manage Deployments.
    pub deployments: bool,
    /// The faults at present.
    pub faults: Faults,
    /// The invariants.
    pub checks: Checks,
    pub(crate) queue: BTreeMap<(Duration, u64), Happening>,
    pub(crate) numbers: u64,
    pub(crate) processes: u32,
    rng: fastrand::Rng,
    sequence: u64,
    story: String,
}

impl World {
    /// A world without bases, with replicas that have just been started.
    pub fn new(seed: u64, replicas: u8, deployments: bool) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            api: Api::default(),
            bases: BTreeMap::new(),
            replicas: (0..usize::from(replicas)).map(Replica::new).collect(),
            api_away: false,
            broker_away: false,
            deployments,
            faults: Faults::NONE,
            checks: Checks::default(),
            queue: BTreeMap::new(),
            numbers: 0,
            processes: 0,
            rng: fastrand::Rng::with_seed(seed),
            sequence: 0,
            story: String::new(),
        };
        if seed.is_multiple_of(2) {
            world.api.serve_all_modules();
        }
        for replica in 0..world.replicas.len() {
            world.start_replica(replica);
        }
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

    /// Wall clock, as it is right.
    pub fn wall(&self) -> Timestamp {
        true_wall(self.now)
    }

    /// Lets time pass until `until`.
    ///
    /// # Errors
    /// The first invariant that was broken.
    pub fn run_until(&mut self, until: Duration) -> Result<(), String> {
        let mut same_moment = 0;
        loop {
            let next = self.queue.keys().next().map(|(at, _)| *at);
            let wake = self.next_wake();
            let soonest = next.into_iter().chain(wake.map(|(at, _)| at)).min();
            let Some(at) = soonest.filter(|&at| at <= until) else {
                self.now = until;
                return Ok(());
            };
            same_moment = if at > self.now { 0 } else { same_moment + 1 };
            if same_moment > BUSY {
                return Err(format!(
                    "{BUSY} steps without any time passing: an engine is busy with nothing ({wake:?})"
                ));
            }
            self.now = self.now.max(at);
            match (self.queue.first_key_value(), wake) {
                (Some(((first, _), _)), _) if *first <= self.now => {
                    if let Some((_, happening)) = self.queue.pop_first() {
                        self.happen(happening)?;
                    }
                }
                (_, Some((_, replica))) => self.step(replica, Event::Tick)?,
                _ => {}
            }
        }
    }

    /// When the first of the engines wants to be looked at, and which.
    fn next_wake(&self) -> Option<(Duration, usize)> {
        let running = self.replicas.iter().map(|replica| replica.running.as_ref());
        let awake = running.map(|running| running.filter(|running| !running.paused));
        awake.enumerate().filter_map(|(place, running)| Some((running?.next_wake()?, place))).min()
    }

    pub(crate) fn later(&mut self, wait: Duration, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now + wait, self.sequence), happening);
    }

    pub(crate) fn inside(&mut self, wait: Duration, to: Process, what: Inside) {
        self.later(wait, Happening::Inside(to, what));
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    /// Anything up to so many milliseconds.
    pub(crate) fn up_to_ms(&mut self, ms: u64) -> Duration {
        Duration::from_millis(self.rng.u64(0..=ms))
    }

    /// How long a command or a request takes on its way: mostly a moment, now and then as long as it gets.
    pub(crate) fn way_out(&mut self) -> Duration {
        self.transit(self.faults.slowest)
    }

    /// The same for what comes back.
    pub(crate) fn way_back(&mut self) -> Duration {
        self.transit(self.faults.lag)
    }

    fn transit(&mut self, longest: Duration) -> Duration {
        let most = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX).max(1);
        let bound = if self.rng.u8(0..10) == 0 { most } else { most.min(5) };
        self.up_to_ms(bound)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Inside(to, what) => return self.reach(to, what),
            Happening::Request { from, request, who, asked } => {
                return self.serve(from, request, &who, &asked);
            }
            Happening::Arrive(call) => return self.arrive(call),
            Happening::Answer { call, incarnation } => self.answer(call, incarnation),
            Happening::Heartbeat { base, incarnation } => self.heartbeat(base, incarnation),
            Happening::Reconnect { base, incarnation } => self.reconnect(&base, incarnation),
            Happening::Mend(mending) => self.mend(&mending),
        }
        Ok(())
    }

    /// What is on its way to or from a base or the API server about a biz or a Pod, or at work on a base.
    pub fn at_work(&self) -> Option<String> {
        let is_up = |call: &Call| self.bases.get(&call.target.base).is_some_and(|base| base.up);
        let of_call =
            |call: &Call| Some(format!("{call}")).filter(|_| is_up(call) && call.command.biz().is_some());
        self.queue.values().find_map(|happening| match happening {
            Happening::Arrive(call) | Happening::Answer { call, .. } => of_call(call),
            Happening::Request { asked, .. } => of_request(asked),
            Happening::Inside(to, what) if self.runs(*to) => match what {
                Inside::Send { action, .. } => match &**action {
                    Action::Base(ToBase::Call { command, .. }) => {
                        command.biz().map(|id| format!("{} {id}", command.kind()))
                    }
                    Action::Request(asked) => of_request(asked),
                    _ => None,
                },
                Inside::Response { request, .. } => {
                    let running = self.replicas.get(to.replica)?.running.as_ref()?;
                    of_request(running.requests.get(request)?)
                }
                Inside::Answered { event: Event::Tunnel(TunnelEvent::Answer { base, key, .. }), .. } => {
                    Some(format!("{base} answers {}", key.biz.as_ref()?))
                }
                _ => None,
            },
            _ => None,
        })
    }
}

/// What a request is, where it is no renewal of a Lease and no look at one.
fn of_request(asked: &Request) -> Option<String> {
    let lease = matches!(
        asked,
        Request::RenewLease { .. }
            | Request::WriteMember(_)
            | Request::ReadMember { .. }
            | Request::DeleteMember { .. }
    );
    asked.write().filter(|_| !lease).map(|write| format!("{write:?}"))
}
