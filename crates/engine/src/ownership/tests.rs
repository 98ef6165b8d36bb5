//! The twelve rules, on engines that share an API server, each with a clock of its own.

use std::collections::{BTreeMap, VecDeque};

use arklet::{Answer, AnswerKey, Command};
use jiff::Timestamp;
use model::TunnelKind;

use super::*;
use crate::{
    ClusterEvent, Config, Engine, Event, Fencing, Now, ReplicaEvent, Request, Target, ToBase, TunnelEvent,
    Write, WriteError,
    event::Watched,
    view::{LeaseView, MemberState, MemberView, NodeView},
};

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// One replica.
struct Replica {
    engine: Engine,
    /// Its seconds last so much longer than true ones.
    rate: f64,
    fence: (u64, Duration),
    /// What it has decided and not sent yet, with the epoch of the decision.
    outbox: VecDeque<(u64, Action)>,
    /// What watches and answers will tell it.
    inbox: VecDeque<(f64, Event)>,
    paused: bool,
    cut_off: bool,
    dead: bool,
    /// What it did for a VNode: when, and for which.
    acted: Vec<(f64, Arc<str>)>,
}

/// Replicas, the Leases that they share, and true time.
struct World {
    time: f64,
    replicas: Vec<Replica>,
    members: BTreeMap<Arc<str>, MemberView>,
    leases: BTreeMap<Arc<str>, LeaseView>,
    /// Who took each VNode last.
    owners: BTreeMap<Arc<str>, Arc<str>>,
    version: u64,
    random: u64,
    /// No Lease of a VNode is released.
    refuses_releases: bool,
    /// Of so many writes one is carried out and not answered, and watches lag by up to a second.
    trouble: Option<u64>,
}

impl World {
    fn new(vnodes: usize) -> Self {
        let leases = (0..vnodes).map(|n| {
            let node: Arc<str> = format!("virtual-node-b{n}").into();
            let view = LeaseView {
                node: node.clone(),
                uid: "1".into(),
                resource_version: 1,
                ..LeaseView::default()
            };
            (node, view)
        });
        Self {
            time: 0.0,
            replicas: Vec::new(),
            members: BTreeMap::new(),
            leases: leases.collect(),
            owners: BTreeMap::new(),
            version: 1,
            random: 1,
            refuses_releases: false,
            trouble: None,
        }
    }

    fn chance(&mut self, of: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % of
    }

    /// One more replica, which lists what there is.
    fn join(&mut self, rate: f64, pod_uid: &str) -> usize {
        self.join_as(&format!("c{}", self.replicas.len()), rate, pod_uid)
    }

    fn join_as(&mut self, client_id: &str, rate: f64, pod_uid: &str) -> usize {
        let mut config = Config::new("dev");
        config.cluster = Some(ClusterConfig {
            client_id: client_id.into(),
            incarnation: format!("i{}", self.replicas.len()).into(),
            pod_uid: pod_uid.into(),
            levels: 3,
        });
        let mut inbox = VecDeque::from([(0.0, Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Mqtt)))]);
        inbox.extend(self.list().into_iter().map(|event| (0.0, event)));
        self.replicas.push(Replica {
            engine: Engine::new(config),
            rate,
            fence: (0, Duration::ZERO),
            outbox: VecDeque::new(),
            inbox,
            paused: false,
            cut_off: false,
            dead: false,
            acted: Vec::new(),
        });
        self.replicas.len() - 1
    }

    /// What watches tell at first.
    fn list(&self) -> Vec<Event> {
        let mut list = Vec::new();
        for node in self.leases.keys() {
            let labels =
                [("module-controller.koupleless.io/env", "dev"), ("vnode.koupleless.io/tunnel", "mqtt")];
            let labels = labels.map(|(key, value)| (key.into(), value.into()));
            let view = NodeView {
                name: node.clone(),
                uid: "1".into(),
                resource_version: 1,
                labels: labels.into_iter().collect(),
                ..NodeView::default()
            };
            list.push(Event::Cluster(ClusterEvent::Node(Box::new(view))));
        }
        list.extend(self.leases.values().map(|lease| Event::Replica(ReplicaEvent::Lease(lease.clone()))));
        list.extend(
            self.members
                .values()
                .map(|member| Event::Replica(ReplicaEvent::Member(Box::new(member.clone())))),
        );
        let kinds = Watched::NEEDED.into_iter().chain([Watched::Members, Watched::Leases]);
        list.extend(kinds.map(|kind| Event::Cluster(ClusterEvent::Synced(kind))));
        list
    }

    /// The base `b0` is heard.
    fn hears(&mut self, which: usize) {
        let mut report = crate::testing::report(None, model::BaseState::Activated);
        report.identity = "b0".parse().unwrap();
        self.step(which, Event::Tunnel(TunnelEvent::Heartbeat { tunnel: TunnelKind::Mqtt, report }));
    }

    fn run(&mut self, seconds: f64) {
        let until = self.time + seconds;
        while self.time < until {
            self.time += 0.1;
            for which in 0..self.replicas.len() {
                self.turn(which);
            }
        }
    }

    fn turn(&mut self, which: usize) {
        let replica = &self.replicas[which];
        if replica.dead || replica.paused {
            return;
        }
        // What was decided before a pause is sent first: that is what the fence is for.
        self.send(which);
        self.step(which, Event::Tick);
        while let Some((at, _)) = self.replicas[which].inbox.front()
            && *at <= self.time
            && !self.replicas[which].cut_off
            && let Some((_, event)) = self.replicas[which].inbox.pop_front()
        {
            self.step(which, event);
        }
    }

    fn step(&mut self, which: usize, event: Event) {
        let replica = &mut self.replicas[which];
        let now = Now { mono: s(self.time * replica.rate), wall: Timestamp::UNIX_EPOCH };
        let mut began_anew = false;
        for action in replica.engine.step(event, now) {
            if let Action::Fence(change) = action {
                (replica.fence, began_anew) = match change {
                    Fencing::OpenUntil { epoch, until } => ((epoch, until), began_anew),
                    Fencing::Shut { epoch } => ((epoch, Duration::ZERO), true),
                };
            } else {
                replica.outbox.push_back((replica.fence.0, action));
            }
        }
        if began_anew {
            let (time, list) = (self.time, self.list());
            self.replicas[which].inbox.extend(list.into_iter().map(|event| (time, event)));
        }
        // It may be paused before it sends what it decided.
        if self.trouble.is_none() || self.chance(20) > 0 {
            self.send(which);
        }
    }

    fn send(&mut self, which: usize) {
        while let Some((epoch, action)) = self.replicas[which].outbox.pop_front() {
            let replica = &self.replicas[which];
            let open = replica.fence.0 == epoch && s(self.time * replica.rate) < replica.fence.1;
            self.carry_out(which, action, open);
        }
    }

    /// `open`: the fence is, at the moment of sending.
    fn carry_out(&mut self, which: usize, action: Action, open: bool) {
        if let Action::Base(ToBase::Call { target, command, .. }) = action {
            return self.call(which, target, &command, open);
        }
        let Action::Request(request) = action else { return };
        let Some(write) = request.write() else { return };
        match request {
            Request::WriteMember(desired) => {
                let free = desired.state == MemberState::Living;
                self.api(which, write, free || open, |world| world.write_member(*desired));
            }
            Request::ReadMember { name } => {
                self.api(which, write, true, |world| {
                    let told = world
                        .members
                        .get(&name)
                        .map(|member| Event::Replica(ReplicaEvent::Member(Box::new(member.clone()))));
                    (told.into_iter().collect(), Ok(()))
                });
            }
            Request::DeleteMember { name, uid } => {
                self.api(which, write, open, |world| {
                    world.members.remove(&name);
                    world.tell_all(&Event::Replica(ReplicaEvent::MemberGone { name, uid }));
                    (vec![], Ok(()))
                });
            }
            Request::TakeLease { seen, holder, .. } => {
                self.api(which, write, open, |world| world.take_lease(&seen, &holder));
            }
            Request::ReleaseLease { node, .. } => {
                self.api(which, write, open, |world| {
                    if world.refuses_releases {
                        return (vec![], Err(WriteError::Conflict("renewed meanwhile".into())));
                    }
                    world.put_lease(&node, "".into());
                    (vec![], Ok(()))
                });
            }
            Request::RenewLease { node, holder, .. } => {
                self.acts(which, &node, open);
                self.api(which, write, open, |world| {
                    let lease = world.leases.get(&node).cloned().unwrap_or_default();
                    match holder.as_ref() == Some(&lease.holder) {
                        true => {
                            world.put_lease(&node, lease.holder);
                            (vec![], Ok(()))
                        }
                        false => (
                            vec![Event::Replica(ReplicaEvent::Lease(lease))],
                            Err(WriteError::Conflict("another's".into())),
                        ),
                    }
                });
            }
            Request::DeleteNode { name, uid } => {
                self.acts(which, &name, open);
                self.api(which, write, open, |world| {
                    world.leases.remove(&name);
                    world.tell_all(&Event::Replica(ReplicaEvent::LeaseGone {
                        node: name.clone(),
                        uid: "1".into(),
                    }));
                    world.tell_all(&Event::Cluster(ClusterEvent::NodeGone { name, uid }));
                    (vec![], Ok(()))
                });
            }
            Request::PatchNode { desired } | Request::PatchNodeStatus { desired } => {
                self.patch_node(which, write, *desired, open);
            }
            other => panic!("nothing else is to do here: {other:?}"),
        }
    }

    fn call(&mut self, which: usize, target: Target, command: &Command, open: bool) {
        self.acts(which, &format!("virtual-node-{}", target.base).into(), open);
        let key = AnswerKey { command: command.kind(), biz: None };
        let outcome = match open {
            true => Ok(Answer::Biz(Vec::new())),
            false => Err(arklet::CallError::Unreachable("shut".into())),
        };
        let event =
            Event::Tunnel(TunnelEvent::Answer { tunnel: TunnelKind::Mqtt, base: target.base, key, outcome });
        self.replicas[which].inbox.push_back((self.time, event));
    }

    fn patch_node(&mut self, which: usize, write: Write, desired: NodeView, open: bool) {
        self.acts(which, &desired.name, open);
        self.api(which, write, open, |world| {
            world.version += 1;
            let event = Event::Cluster(ClusterEvent::Node(Box::new(NodeView {
                resource_version: world.version,
                ..desired
            })));
            world.tell_all(&event);
            (vec![event], Ok(()))
        });
    }

    /// A request to the API server, with what it tells before its end.
    fn api(
        &mut self,
        which: usize,
        write: Write,
        sent: bool,
        request: impl FnOnce(&mut Self) -> (Vec<Event>, Result<(), WriteError>),
    ) {
        let lost = || Err(WriteError::Unavailable { reason: "no answer".into(), retry_after: None });
        let (told, result) = match sent && !self.replicas[which].cut_off {
            true => request(self),
            false => (vec![], lost()),
        };
        let unanswered = self.trouble.is_some_and(|of| self.chance(of) == 0);
        let (told, result) = if unanswered { (vec![], lost()) } else { (told, result) };
        for event in told {
            self.step(which, event);
        }
        self.step(which, Event::Written { write, result });
    }

    fn write_member(&mut self, desired: MemberView) -> (Vec<Event>, Result<(), WriteError>) {
        let seen = self.members.get(&desired.name);
        let same = seen.map_or(desired.uid.is_empty(), |seen| {
            (&seen.uid, seen.resource_version) == (&desired.uid, desired.resource_version)
        });
        if !same {
            let told = seen.map(|seen| Event::Replica(ReplicaEvent::Member(Box::new(seen.clone()))));
            let result = match &told {
                Some(_) => Err(WriteError::Conflict("changed".into())),
                None => Err(WriteError::NotFound("gone".into())),
            };
            return (told.into_iter().collect(), result);
        }
        self.version += 1;
        let view = MemberView { uid: "1".into(), resource_version: self.version, ..desired };
        self.members.insert(view.name.clone(), view.clone());
        let event = Event::Replica(ReplicaEvent::Member(Box::new(view)));
        self.tell_all(&event);
        (vec![event], Ok(()))
    }

    fn take_lease(&mut self, seen: &LeaseView, holder: &Arc<str>) -> (Vec<Event>, Result<(), WriteError>) {
        let there = self.leases.get(&seen.node).cloned().unwrap_or_default();
        if there.resource_version != seen.resource_version {
            return (
                vec![Event::Replica(ReplicaEvent::Lease(there))],
                Err(WriteError::Conflict("changed".into())),
            );
        }
        let event = self.put_lease(&seen.node, holder.clone());
        self.owners.insert(seen.node.clone(), holder.clone());
        (vec![event], Ok(()))
    }

    fn put_lease(&mut self, node: &Arc<str>, holder: Arc<str>) -> Event {
        self.version += 1;
        let lease = LeaseView {
            node: node.clone(),
            uid: "1".into(),
            resource_version: self.version,
            holder,
            ..LeaseView::default()
        };
        self.leases.insert(node.clone(), lease.clone());
        let event = Event::Replica(ReplicaEvent::Lease(lease));
        self.tell_all(&event);
        event
    }

    fn tell_all(&mut self, event: &Event) {
        for which in 0..self.replicas.len() {
            let lag = if self.trouble.is_some() { self.chance(10) } else { 0 };
            let inbox = &mut self.replicas[which].inbox;
            // A watch lags, and tells everything in order.
            let after = inbox.back().map_or(0.0, |(at, _)| *at);
            let lag = f64::from(u32::try_from(lag).unwrap()) / 10.0;
            inbox.push_back(((self.time + lag).max(after), event.clone()));
        }
    }

    /// The checker: whoever acts for a VNode is the one who took it last.
    fn acts(&mut self, which: usize, node: &Arc<str>, open: bool) {
        if !open {
            return;
        }
        let owner = self.owners.get(node).cloned().unwrap_or_default();
        let incarnation = self.incarnation(which);
        assert_eq!(owner, incarnation, "{node} at {:.1} s by {which}", self.time);
        self.replicas[which].acted.push((self.time, node.clone()));
    }

    fn incarnation(&self, which: usize) -> Arc<str> {
        self.replicas[which].engine.ownership.as_ref().unwrap().members.incarnation().clone()
    }

    fn owned(&self, which: usize) -> usize {
        let incarnation = self.incarnation(which);
        self.leases.values().filter(|lease| lease.holder == incarnation).count()
    }

    fn acted_since(&self, which: usize, time: f64) -> usize {
        self.replicas[which].acted.iter().filter(|(at, _)| *at > time).count()
    }
}

/// Two replicas that share twelve VNodes.
fn two() -> World {
    let mut world = World::new(12);
    world.join(1.0, "p0");
    world.join(1.0, "p1");
    world.run(20.0);
    assert_eq!(world.owned(0) + world.owned(1), 12);
    assert!(world.owned(0) > 0 && world.owned(1) > 0);
    world
}

#[test]
fn a_single_replica_pays_nothing() {
    let mut engine = Engine::new(Config::new("dev"));
    let mut actions = Vec::new();
    for kind in Watched::NEEDED {
        let now = Now { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        actions.extend(engine.step(Event::Cluster(ClusterEvent::Synced(kind)), now));
    }
    assert!(actions.is_empty() && engine.next_wake().is_none(), "{actions:?}");
    assert_eq!(engine.release(), None);
}

#[test]
fn rules_1_and_2_one_that_is_cut_off_stops_by_itself_before_it_is_ended() {
    let mut world = two();
    world.replicas[0].cut_off = true;
    let cut = world.time;
    world.run(7.2);
    assert_eq!(world.owned(0) + world.owned(1), 12, "nothing was taken over yet");
    assert!(world.owned(0) > 0);
    let stopped = world.time;
    world.run(10.0);
    assert_eq!(world.acted_since(0, stopped), 0);
    assert_eq!(world.owned(1), 12, "12 s after {cut}");
}

#[test]
fn rules_3_and_4_the_dead_are_marked_before_anything_of_theirs_is_taken() {
    let mut world = two();
    let dead = world.incarnation(0);
    world.replicas[0].dead = true;
    world.run(7.8);
    assert!(world.leases.values().any(|lease| lease.holder == dead), "too early");
    world.run(4.2);
    let lease = world.members.values().find(|member| member.incarnation == dead).unwrap();
    assert_eq!((lease.state, world.owned(1)), (MemberState::Killed, 12));
    world.run(61.0);
    assert!(
        !world.members.values().any(|member| member.incarnation == dead),
        "its Lease is deleted after a while"
    );
}

#[test]
fn w3_nobody_is_suspected_by_one_that_cannot_renew_itself_and_w5_all_go_on() {
    let mut world = two();
    let before = (world.incarnation(0), world.incarnation(1), world.owned(0));
    for replica in &mut world.replicas {
        replica.cut_off = true;
    }
    world.run(60.0);
    for replica in &mut world.replicas {
        replica.cut_off = false;
    }
    let back = world.time;
    world.run(15.0);
    assert_eq!((world.incarnation(0), world.incarnation(1), world.owned(0)), before);
    assert!(world.acted_since(0, back) > 0 && world.acted_since(1, back) > 0);
}

#[test]
fn w5_one_that_wakes_and_was_ended_sends_nothing_and_begins_anew() {
    let mut world = two();
    let (ended, paused) = (world.incarnation(0), world.time);
    world.replicas[0].paused = true;
    world.run(15.0);
    assert_eq!(world.owned(1), 12);
    world.replicas[0].paused = false;
    world.run(0.3);
    assert_eq!(world.acted_since(0, paused), 0);
    world.run(1.0);
    assert_ne!(world.incarnation(0), ended);
    assert!(world.members.values().any(|member| member.incarnation == world.incarnation(0)));
}

/// It may have missed anything, and which of its watches has taken up again nobody knows.
#[test]
fn w5_one_that_was_ended_joins_again_when_all_was_listed_anew() {
    let mut world = two();
    world.replicas[0].paused = true;
    world.run(15.0);
    assert_eq!(world.owned(1), 12);
    let name: Arc<str> = format!("module-controller-{}", world.incarnation(0)).into();
    let killed = Event::Replica(ReplicaEvent::Member(Box::new(world.members[&name].clone())));
    world.replicas[0].inbox.clear();
    world.step(0, killed);
    let list = std::mem::take(&mut world.replicas[0].inbox);
    assert!(
        list.iter().any(|(_, event)| *event == Event::Cluster(ClusterEvent::Synced(Watched::Pods))),
        "{list:?}"
    );
    world.replicas[0].paused = false;
    world.run(10.0);
    assert_eq!(
        (world.owned(0), world.members.len()),
        (0, 2),
        "all are known from before, and may be others by now"
    );
    world.replicas[0].inbox = list;
    world.run(10.0);
    assert_eq!((world.owned(0), world.owned(1)), (6, 6));
}

#[test]
fn w5_one_whose_lease_is_missing_begins_anew_and_w6_what_it_held_is_held_for_10_seconds() {
    let mut world = two();
    let ended = world.incarnation(0);
    world.replicas[0].paused = true;
    let name: Arc<str> = format!("module-controller-{ended}").into();
    world.members.remove(&name);
    world.tell_all(&Event::Replica(ReplicaEvent::MemberGone { name, uid: "1".into() }));
    world.run(9.5);
    assert!(world.leases.values().any(|lease| lease.holder == ended), "it may act for 7 s");
    world.run(14.0);
    assert_eq!(world.owned(1), 12);
    world.replicas[0].paused = false;
    world.run(1.0);
    assert_ne!(world.incarnation(0), ended);
}

#[test]
fn w6_what_one_that_left_held_is_free_at_once() {
    let mut world = two();
    let Some(desired) = world.replicas[0].engine.release() else { panic!("no last word") };
    world.replicas[0].dead = true;
    assert_eq!(world.write_member(desired).1, Ok(()));
    world.run(2.0);
    assert_eq!(world.owned(1), 12);
}

/// What this replica handed over a moment ago is taken back at once where the one that got it, or was to get it, leaves.
#[test]
fn w6_what_one_that_left_was_just_given_is_free_at_once_too() {
    for seconds in [2.3, 4.0] {
        let mut world = World::new(12);
        world.join(1.0, "p0");
        world.run(10.0);
        world.join(1.0, "p1");
        world.run(seconds);
        assert!(world.owned(0) < 12, "it has handed over");
        let Some(desired) = world.replicas[1].engine.release() else { panic!("no last word") };
        world.replicas[1].dead = true;
        assert_eq!(world.write_member(desired).1, Ok(()));
        world.run(2.0);
        assert_eq!(world.owned(0), 12, "{seconds}");
    }
}

#[test]
fn w7_whose_lease_is_held_by_another_is_not_acted_for() {
    let mut world = two();
    let mine = world.incarnation(0);
    let node = world.leases.values().find(|lease| lease.holder == mine).unwrap().node.clone();
    world.put_lease(&node, "somebody".into());
    world.time += 0.1;
    for which in 0..2 {
        let Some((_, event)) = world.replicas[which].inbox.pop_back() else { panic!("nothing was told") };
        world.step(which, event);
    }
    world.owners.insert(node.clone(), "somebody".into());
    world.run(19.0);
    assert_eq!(&*world.leases[&node].holder, "somebody", "nobody knows it, so it is held for 20 s");
    world.run(5.0);
    assert_ne!(&*world.leases[&node].holder, "somebody");
}

#[test]
fn w9_the_predecessor_in_the_same_pod_is_dead() {
    let mut world = two();
    world.replicas[0].dead = true;
    let anew = world.join(1.0, "p0");
    world.run(3.0);
    assert_eq!(world.owned(0), 0);
    assert_eq!(world.owned(1) + world.owned(anew), 12);
}

#[test]
fn w10_200_are_taken_in_a_second_and_one_that_joins_gets_its_share() {
    let mut world = World::new(300);
    world.join(1.0, "p0");
    world.run(0.9);
    assert!((1..=200).contains(&world.owned(0)), "{}", world.owned(0));
    world.run(10.0);
    assert_eq!(world.owned(0), 300);
    world.join(1.0, "p1");
    world.run(30.0);
    assert_eq!(world.owned(0) + world.owned(1), 300);
    assert!(world.owned(0) > 140, "no more than the share of the new one moves: {}", world.owned(0));
}

#[test]
fn w10_levels_are_owned_of_all() {
    assert_eq!([0, 99, 100, 299, 300].map(|mine| level(mine, 300, 3)), [0, 0, 1, 2, 2]);
    assert_eq!(level(0, 0, 3), 0);
}

#[test]
fn w10_one_that_does_not_know_yet_what_there_is_is_left_out() {
    let mut world = World::new(12);
    world.join(1.0, "p0");
    world.run(10.0);
    let anew = world.join(1.0, "p1");
    let is_last =
        |(_, event): &(f64, Event)| matches!(event, Event::Cluster(ClusterEvent::Synced(Watched::Pods)));
    let inbox = &mut world.replicas[anew].inbox;
    let late = inbox.iter().position(is_last).and_then(|at| inbox.remove(at)).unwrap();
    world.run(10.0);
    assert_eq!((world.owned(0), world.members.len()), (12, 1));
    world.replicas[anew].inbox.push_front(late);
    world.run(10.0);
    assert_eq!((world.owned(0), world.owned(anew)), (6, 6));
}

/// What one has is shared with three that join, one after the other or at once: so few that a hash is uneven.
#[test]
fn w10_few_are_shared_evenly_too() {
    for (vnodes, pause) in [(12, 0.0), (12, 5.0), (10, 0.0), (10, 30.0), (7, 0.4)] {
        let mut world = World::new(vnodes);
        world.join(1.0, "p0");
        world.run(10.0);
        for pod in ["p1", "p2", "p3"] {
            world.join(1.0, pod);
            world.run(pause);
        }
        world.run(30.0);
        let owned = [0, 1, 2, 3].map(|which| world.owned(which));
        let off = |owned: &usize| (owned * 4).abs_diff(vnodes) <= 4;
        assert!(owned.iter().all(off) && owned.iter().sum::<usize>() == vnodes, "{vnodes}: {owned:?}");
    }
}

#[test]
fn w10_a_third_gets_nine_tenths_of_its_share_and_takes_no_more_than_that() {
    let mut world = World::new(300);
    world.join(1.0, "p0");
    world.run(10.0);
    world.join(1.0, "p1");
    world.run(30.0);
    let before = [world.owned(0), world.owned(1)];
    world.join(1.0, "p2");
    world.run(30.0);
    let after = [world.owned(0), world.owned(1), world.owned(2)];
    assert!(after.iter().all(|owned| (90..=110).contains(owned)), "{before:?}, {after:?}");
    assert!(
        after[0] <= before[0] && after[1] <= before[1],
        "nothing moves between the old: {before:?}, {after:?}"
    );
}

#[test]
fn one_that_is_cut_off_from_the_bases_gives_them_to_those_who_reach_them() {
    let mut world = World::new(30);
    for pod in ["p0", "p1", "p2"] {
        world.join(1.0, pod);
    }
    world.run(30.0);
    world.step(1, Event::Tunnel(TunnelEvent::TunnelDown(TunnelKind::Mqtt)));
    world.run(9.0);
    assert_eq!([world.owned(0) + world.owned(2), world.owned(1)], [30, 0]);
    let before = world.owners.clone();
    for which in [0, 2] {
        world.step(which, Event::Tunnel(TunnelEvent::TunnelDown(TunnelKind::Mqtt)));
    }
    world.run(60.0);
    assert_eq!(world.owners, before, "it is the broker that is away");
    for which in 0..3 {
        world.step(which, Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Mqtt)));
        world.hears(which);
    }
    world.run(30.0);
    let owned = [0, 1, 2].map(|which| world.owned(which));
    assert!(owned.iter().all(|owned| (9..=11).contains(owned)), "{owned:?}");
}

/// A release that failed, or a Lease that was taken without our knowing: nobody else takes what one that lives holds.
#[test]
fn what_one_that_is_cut_off_still_holds_it_gives_in_the_end() {
    let mut world = World::new(6);
    for pod in ["p0", "p1"] {
        world.join(1.0, pod);
    }
    world.run(30.0);
    world.step(1, Event::Tunnel(TunnelEvent::TunnelDown(TunnelKind::Mqtt)));
    world.run(4.9);
    assert!(world.owned(1) > 0, "not yet");
    world.refuses_releases = true;
    world.run(1.0);
    world.refuses_releases = false;
    assert!(world.owned(1) > 0, "the release failed");
    world.run(5.0);
    assert_eq!([world.owned(0), world.owned(1)], [6, 0]);
}

#[test]
fn one_that_is_cut_off_is_not_busy_with_what_it_leaves_to_others() {
    let mut world = World::new(30);
    for pod in ["p0", "p1"] {
        world.join(1.0, pod);
    }
    world.run(30.0);
    world.step(1, Event::Tunnel(TunnelEvent::TunnelDown(TunnelKind::Mqtt)));
    world.run(9.0);
    world.replicas[0].dead = true;
    // The other is not yet known to be dead, and a VNode is free.
    let node: Arc<str> = "virtual-node-b0".into();
    world.put_lease(&node, "".into());
    world.run(4.0);
    let mono = s(world.time * world.replicas[1].rate);
    let wake = world.replicas[1].engine.next_wake().unwrap();
    assert!(wake > mono, "{wake:?} is past at {mono:?}");
}

#[test]
fn a_base_that_is_heard_after_its_goodbye_is_taken_up_anew() {
    let mut world = two();
    let node: Arc<str> = "virtual-node-b0".into();
    let holder = world.leases[&node].holder.clone();
    let owner = (0..2).find(|which| world.incarnation(*which) == holder).unwrap();
    let mut actions = Vec::new();
    for state in [model::BaseState::Deactivated, model::BaseState::Activated] {
        let mut report = crate::testing::report(None, state);
        report.identity = "b0".parse().unwrap();
        let replica = &mut world.replicas[owner];
        let now = Now { mono: s(world.time * replica.rate), wall: Timestamp::UNIX_EPOCH };
        actions.extend(
            replica
                .engine
                .step(Event::Tunnel(TunnelEvent::Heartbeat { tunnel: TunnelKind::Mqtt, report }), now),
        );
    }
    assert!(
        actions.iter().any(|action| matches!(action, Action::Request(Request::DeleteNode { .. }))),
        "{actions:?}"
    );
    for action in actions {
        world.carry_out(owner, action, true);
    }
    world.run(1.0);
    let after = world.time;
    world.run(15.0);
    let mut acted = world.replicas[owner].acted.iter();
    assert!(!acted.any(|(at, name)| *at > after && *name == node), "its Lease is gone");
}

#[test]
fn what_one_held_that_was_cut_off_and_died_is_taken_over() {
    let mut world = two();
    for which in [0, 1] {
        world.step(which, Event::Tunnel(TunnelEvent::TunnelDown(TunnelKind::Mqtt)));
    }
    world.run(10.0);
    world.replicas[0].dead = true;
    world.step(1, Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Mqtt)));
    world.hears(1);
    world.run(15.0);
    assert_eq!(world.owned(1), 12);
}

/// Pauses, cuts, deaths, lost answers, watches that lag, and clocks that differ by a tenth: [`World::acts`]
/// fails where two act for one VNode.
#[test]
fn in_no_schedule_do_two_act_for_one_vnode() {
    for seed in 0..200 {
        let mut world = World::new(6);
        world.random = seed;
        world.trouble = Some(12);
        for (rate, pod) in [(0.9, "p0"), (1.0, "p1"), (1.1, "p2")] {
            world.join(rate, pod);
        }
        for _ in 0..60 {
            let which = usize::try_from(world.chance(3)).unwrap();
            match world.chance(4) {
                0 => world.replicas[which].paused ^= true,
                1 => world.replicas[which].cut_off ^= true,
                _ => {}
            }
            let seconds = f64::from(u32::try_from(world.chance(60)).unwrap()) / 10.0;
            world.run(seconds);
        }
        for replica in &mut world.replicas {
            (replica.paused, replica.cut_off) = (false, false);
        }
        world.trouble = None;
        world.run(60.0);
        let owned: usize = (0..3).map(|which| world.owned(which)).sum();
        assert_eq!(owned, 6, "seed {seed}: all is owned in the end");
    }
}

#[test]
fn a_second_replica_of_one_name_acts_for_nothing_until_the_first_is_gone() {
    let mut world = World::new(12);
    world.join_as("same", 1.0, "p0");
    world.run(10.0);
    assert_eq!(world.owned(0), 12);
    world.join_as("same", 1.0, "p1");
    let since = world.time;
    for _ in 0..60 {
        world.run(1.0);
        assert_eq!((world.owned(0), world.owned(1)), (12, 0), "at {:.0} s", world.time);
    }
    assert_eq!(world.acted_since(1, since), 0);
    let twin = |world: &World, which: usize| {
        let twin = world.replicas[which].engine.twin().unwrap();
        (twin.client_id.to_string(), twin.pod_uid.to_string(), twin.yields)
    };
    assert_eq!(twin(&world, 0), ("same".into(), "p1".into(), false));
    assert_eq!(twin(&world, 1), ("same".into(), "p0".into(), true));
    let leads = |which: usize| world.replicas[which].engine.ownership.as_ref().unwrap().leads;
    assert!(leads(0) && !leads(1));
    world.replicas[0].dead = true;
    world.run(20.0);
    assert_eq!(world.owned(1), 12);
    assert_eq!(world.replicas[1].engine.twin(), None);
}

#[test]
fn of_two_of_one_name_that_come_at_once_one_acts_and_they_do_not_take_turns() {
    let mut world = World::new(12);
    world.join_as("same", 1.0, "p0");
    world.join_as("same", 1.0, "p1");
    world.run(30.0);
    let (acts, since) = (if world.owned(0) == 12 { 0 } else { 1 }, world.time);
    world.run(60.0);
    assert_eq!((world.owned(acts), world.acted_since(1 - acts, since)), (12, 0));
}

#[test]
fn whoever_shares_a_name_and_does_not_tell_its_pod_shares_the_vnodes() {
    let mut world = World::new(12);
    world.join_as("same", 1.0, "");
    world.join_as("same", 1.0, "p1");
    world.run(30.0);
    assert!(world.owned(0) > 0 && world.owned(1) > 0);
    assert_eq!(world.replicas[1].engine.twin(), None);
}
