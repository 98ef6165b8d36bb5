//! What one replica hears for another (rule W11).

use std::{net::SocketAddr, time::Duration};

use arklet::{Answer, AnswerKey, CommandKind, Health};
use jiff::Timestamp;
use model::BaseReport;

use super::*;
use crate::{
    ClusterConfig, Config, Request, ToBase, TunnelEvent, WriteError, testing,
    view::{Door, LeaseView, MemberState, MemberView, PodView},
};

/// One replica, `me`, that lives beside `other`, which holds the Lease of the base `b`.
struct Case {
    engine: Engine,
    seconds: u64,
}

fn door(port: u16) -> Door {
    Door { address: SocketAddr::from(([10, 0, 0, 1], port)), key: format!("key {port}").into() }
}

fn other(version: u64, state: MemberState) -> Event {
    Event::Replica(ReplicaEvent::Member(Box::new(MemberView {
        name: "module-controller-other".into(),
        uid: "other".into(),
        resource_version: version,
        incarnation: "other-1".into(),
        client_id: "other".into(),
        state,
        door: Some(door(2)),
        ..MemberView::default()
    })))
}

fn lease(version: u64, holder: &str) -> Event {
    Event::Replica(ReplicaEvent::Lease(LeaseView {
        node: "virtual-node-b".into(),
        uid: "lease".into(),
        resource_version: version,
        holder: holder.into(),
        ..LeaseView::default()
    }))
}

fn report(state: BaseState) -> BaseReport {
    testing::report(Some(1238), state)
}

fn heard(state: BaseState) -> Event {
    Event::Tunnel(TunnelEvent::Heartbeat { tunnel: TunnelKind::Http, report: report(state) })
}

/// The base has nothing.
fn listed(tunnel: TunnelKind) -> Event {
    let key = AnswerKey { command: CommandKind::QueryAllBiz, biz: None };
    Event::Tunnel(TunnelEvent::Answer {
        tunnel,
        base: "b".parse().unwrap(),
        key,
        outcome: Ok(Answer::Biz(vec![])),
    })
}

impl Case {
    fn start(own: Option<Door>) -> (Self, Vec<Action>) {
        let mut config = Config::new("dev");
        config.door = own;
        config.cluster = Some(ClusterConfig {
            client_id: "me".into(),
            incarnation: "me".into(),
            pod_uid: "".into(),
            levels: 3,
        });
        let mut case = Self { engine: Engine::new(config), seconds: 0 };
        case.step(Event::Cluster(ClusterEvent::Node(Box::new(testing::node("b")))));
        case.step(lease(1, "other-1"));
        case.step(other(1, MemberState::Living));
        for kind in Watched::NEEDED.into_iter().chain([Watched::Members, Watched::Leases]) {
            case.step(Event::Cluster(ClusterEvent::Synced(kind)));
        }
        // The own Lease is acknowledged, so that it may act.
        let write = Write::WriteMember("module-controller-me-1".into());
        let actions = case.step(Event::Written { write, result: Ok(()) });
        assert!(actions.iter().any(|action| matches!(action, Action::Fence(_))), "{actions:?}");
        (case, actions)
    }

    /// The other has gone, and this one has taken the base up.
    fn acting() -> Self {
        let (mut case, _) = Self::start(Some(door(1)));
        case.take_up();
        case
    }

    fn take_up(&mut self) {
        self.step(other(2, MemberState::Released));
        self.take_lease(2);
    }

    fn take_lease(&mut self, version: u64) {
        self.step(lease(version, "me-1"));
        let write = Write::TakeLease { node: "virtual-node-b".into(), holder: "me-1".into() };
        self.step(Event::Written { write, result: Ok(()) });
    }

    fn step(&mut self, event: Event) -> Vec<Action> {
        let now = Now { mono: Duration::from_secs(self.seconds), wall: Timestamp::UNIX_EPOCH };
        self.engine.step(event, now)
    }

    /// To whom what is heard over a tunnel is sent on.
    fn hears(&mut self, tunnel: TunnelKind, state: BaseState) -> Vec<String> {
        sent_on(self.step(Event::Tunnel(TunnelEvent::Heartbeat { tunnel, report: report(state) })))
    }
}

fn sent_on(actions: Vec<Action>) -> Vec<String> {
    let sent = actions.into_iter().filter_map(|action| match action {
        Action::Replica(ToReplica::Forward { to, report }) => Some(format!("{} to {to}", report.identity)),
        _ => None,
    });
    sent.collect()
}

#[test]
fn w11_what_is_heard_over_http_goes_to_the_one_that_acts_for_the_base() {
    let (mut case, _) = Case::start(Some(door(1)));
    for state in [BaseState::Activated, BaseState::Deactivated] {
        assert_eq!(case.hears(TunnelKind::Http, state), ["b to other-1"]);
        assert!(case.hears(TunnelKind::Mqtt, state).is_empty(), "over MQTT the other hears it too");
    }
    case.step(lease(2, ""));
    assert!(case.hears(TunnelKind::Http, BaseState::Activated).is_empty(), "nobody acts for it");
    case.step(lease(3, "gone-1"));
    assert!(case.hears(TunnelKind::Http, BaseState::Activated).is_empty(), "nobody knows who");
    case.step(lease(4, "other-1"));
    case.step(other(2, MemberState::Killed));
    assert!(case.hears(TunnelKind::Http, BaseState::Activated).is_empty(), "it was ended");
}

#[test]
fn w11_what_was_sent_on_is_never_sent_on_again() {
    let (mut case, _) = Case::start(Some(door(1)));
    let actions = case.step(Event::Tunnel(TunnelEvent::Forwarded(report(BaseState::Activated))));
    assert!(sent_on(actions).is_empty());
}

#[test]
fn w11_what_another_heard_counts_for_the_owner_as_if_it_had_heard_it() {
    let (mut case, _) = Case::start(Some(door(1)));
    let taken = case.step(other(2, MemberState::Released));
    assert!(
        taken.iter().any(|action| matches!(action, Action::Request(Request::TakeLease { .. }))),
        "{taken:?}"
    );
    case.step(lease(2, "me-1"));
    let write = Write::TakeLease { node: "virtual-node-b".into(), holder: "me-1".into() };
    case.step(Event::Written { write, result: Ok(()) });
    let told = case.step(Event::Tunnel(TunnelEvent::Forwarded(report(BaseState::Activated))));
    let tunnel = told.iter().find_map(|action| match action {
        Action::Request(Request::PatchNode { desired }) => {
            desired.labels.get("vnode.koupleless.io/tunnel").cloned()
        }
        _ => None,
    });
    assert_eq!(tunnel.as_deref(), Some("http"), "its Node says what it said: {told:?}");
    let gone = case.step(Event::Tunnel(TunnelEvent::Forwarded(report(BaseState::Deactivated))));
    assert!(
        gone.iter().any(|action| matches!(action, Action::Request(Request::DeleteNode { .. }))),
        "{gone:?}"
    );
}

#[test]
fn w11_the_replicas_that_live_are_told_once_and_when_they_change() {
    let told = |actions: &[Action]| {
        let told = actions.iter().filter_map(|action| match action {
            Action::Replica(ToReplica::Replicas { own, others }) => {
                Some((own.to_string(), others.keys().map(|o| o.to_string()).collect()))
            }
            _ => None,
        });
        told.collect::<Vec<(String, Vec<String>)>>()
    };
    let (mut case, _) = Case::start(Some(door(1)));
    assert!(told(&case.step(Event::Tick)).is_empty(), "they were told before");
    assert_eq!(told(&case.step(other(2, MemberState::Killed))), [("me-1".to_owned(), vec![])]);
    // This one is ended, and begins as another.
    let gone =
        Event::Replica(ReplicaEvent::MemberGone { name: "module-controller-me-1".into(), uid: "".into() });
    case.step(Event::Replica(ReplicaEvent::Member(Box::new(MemberView {
        name: "module-controller-me-1".into(),
        uid: "me".into(),
        resource_version: 1,
        ..MemberView::default()
    }))));
    assert_eq!(told(&case.step(gone)), [("me-2".to_owned(), vec![])]);
    let (_, silent) = Case::start(None);
    assert!(told(&silent).is_empty(), "nobody could send to this one");
}

#[test]
fn a_base_that_said_goodbye_to_another_replica_is_not_taken_up_again() {
    let (mut case, _) = Case::start(Some(door(1)));
    case.hears(TunnelKind::Http, BaseState::Activated);
    case.step(Event::Replica(ReplicaEvent::LeaseGone { node: "virtual-node-b".into(), uid: "lease".into() }));
    case.step(Event::Cluster(ClusterEvent::NodeGone { name: "virtual-node-b".into(), uid: "uid-b".into() }));
    for seconds in 1..4 {
        case.seconds = seconds;
        let actions = case.step(Event::Tick);
        assert!(
            !actions.iter().any(|action| matches!(action, Action::Request(Request::TakeLease { .. }))),
            "{actions:?}"
        );
    }
    // Nor is one that nobody knew.
    case.hears(TunnelKind::Http, BaseState::Deactivated);
    let actions = case.step(Event::Tick);
    assert!(
        !actions.iter().any(|action| matches!(action, Action::Request(Request::TakeLease { .. }))),
        "{actions:?}"
    );
    // The next life of it is.
    case.hears(TunnelKind::Http, BaseState::Activated);
    case.seconds = 6;
    let actions = case.step(Event::Tick);
    assert!(
        actions.iter().any(|action| matches!(action, Action::Request(Request::TakeLease { .. }))),
        "{actions:?}"
    );
}

/// The replica before may have deleted it a moment ago, and the watch not told so yet.
#[test]
fn what_another_wrote_down_is_written_again_before_something_is_installed() {
    let (mut case, _) = Case::start(Some(door(1)));
    let view = testing::module("biz1");
    let (key, module) = (view.key.clone(), view.module.clone());
    case.step(Event::Cluster(ClusterEvent::Module(Box::new(view))));
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(testing::pod("p", "biz1", "1")))));
    case.take_up();
    case.step(heard(BaseState::Activated));
    let mut actions = case.step(listed(TunnelKind::Mqtt));
    let installs = |actions: &[Action]| {
        let of = |action: &Action| matches!(action, Action::Base(ToBase::Call { command, .. }) if command.kind() == CommandKind::InstallBiz);
        actions.iter().any(of)
    };
    let patches = |action: &Action| matches!(action, Action::Request(Request::PatchModule { by, .. }) if by.as_deref() == Some("me-1"));
    assert!(actions.iter().any(patches) && !installs(&actions), "{actions:?}");
    // It is gone indeed.
    let result = Err(WriteError::NotFound("gone".into()));
    actions = case.step(Event::Written { write: Write::PatchModule(key.clone()), result });
    assert!(!installs(&actions), "{actions:?}");
    actions = case.step(Event::Cluster(ClusterEvent::ModuleGone { key: key.clone(), module }));
    assert!(
        actions.iter().any(|action| matches!(action, Action::Request(Request::CreateModule(_)))),
        "{actions:?}"
    );
    actions = case.step(Event::Written { write: Write::CreateModule(key), result: Ok(()) });
    assert!(!installs(&actions), "it is not told yet: {actions:?}");
}

/// Its Lease went with its Node, and another may have taken it since.
#[test]
fn for_a_vnode_whose_node_is_being_deleted_nothing_is_written_any_more() {
    let mut case = Case::acting();
    case.step(listed(TunnelKind::Mqtt));
    let told = case.step(heard(BaseState::Deactivated));
    assert!(
        told.iter().any(|action| matches!(action, Action::Request(Request::DeleteNode { .. }))),
        "{told:?}"
    );
    let write = || Write::DeleteNode("virtual-node-b".into());
    let lost = || Err(WriteError::Unavailable { reason: "no answer".into(), retry_after: None });
    let mut version = 1;
    let mut see = |case: &mut Case| {
        version += 1;
        let pod = PodView { resource_version: version, ..testing::pod("p", "biz1", "1") };
        case.step(Event::Cluster(ClusterEvent::Pod(Box::new(pod))))
    };
    let quiet = |actions: &[Action]| {
        let of_vnode = |action: &Action| {
            matches!(action, Action::Base(ToBase::Call { .. }))
                || matches!(
                    action,
                    Action::Request(Request::PatchNode { .. } | Request::PatchPodStatus { .. })
                )
        };
        !actions.iter().any(of_vnode)
    };
    let actions = see(&mut case);
    assert!(quiet(&actions), "it is on its way: {actions:?}");
    // The base's next life is asked what it has by whoever takes the VNode up.
    let actions = case.step(heard(BaseState::Activated));
    assert!(quiet(&actions), "{actions:?}");
    case.step(Event::Written { write: write(), result: lost() });
    let actions = see(&mut case);
    assert!(quiet(&actions), "nobody knows what became of it: {actions:?}");
    let actions =
        case.step(Event::Written { write: Write::RenewLease("virtual-node-b".into()), result: Ok(()) });
    let actions = [actions, see(&mut case)].concat();
    assert!(!quiet(&actions), "the Lease is there, and so is the Node: {actions:?}");
}

/// A Node is written only where something was really heard since: the first sign of life counts, also where it says what
/// the one before it said.
#[test]
fn what_waited_for_a_sign_of_life_after_a_pause_is_done_when_one_comes() {
    let mut case = Case::acting();
    let member = || Write::WriteMember("module-controller-me-1".into());
    let is_of_node = |action: &Action| {
        matches!(
            action,
            Action::Request(
                Request::PatchNode { .. } | Request::PatchNodeStatus { .. } | Request::CreateNode(_)
            )
        )
    };
    let of_node = |actions: &[Action]| match actions.iter().find(|action| is_of_node(action))? {
        Action::Request(request) => request.write(),
        _ => None,
    };
    let mut write_of_node = None;
    for second in 1..=30 {
        case.seconds = second;
        let mut actions = match second % 10 {
            0 => case.step(heard(BaseState::Activated)),
            _ => case.step(Event::Tick),
        };
        // For some seconds the API server does not answer, and then it does not know.
        if !(15..28).contains(&second) {
            actions.extend(case.step(Event::Written { write: member(), result: Ok(()) }));
        }
        for action in &actions {
            if let Action::Base(ToBase::Call { command, .. }) = action
                && second < 15
            {
                let key = AnswerKey { command: command.kind(), biz: None };
                let answer = match command.kind() {
                    CommandKind::Health => Answer::Health(Health::default()),
                    _ => Answer::Biz(vec![]),
                };
                let base = "b".parse().unwrap();
                case.step(Event::Tunnel(TunnelEvent::Answer {
                    tunnel: TunnelKind::Http,
                    base,
                    key,
                    outcome: Ok(answer),
                }));
            }
        }
        if second == 30 {
            assert!(actions.iter().any(is_of_node), "{actions:?}");
        }
        write_of_node = of_node(&actions).or(write_of_node);
        if second == 26 {
            let lost = Err(WriteError::Unavailable { reason: "no answer".into(), retry_after: None });
            let write = write_of_node.take().expect("the Node was to be written");
            case.step(Event::Written { write, result: lost });
        }
    }
}

/// The watch told that the Node is gone, and the base is back, before the deletion's answer came.
#[test]
fn a_late_answer_to_a_deletion_is_not_taken_for_one_of_the_next_vnode() {
    let mut case = Case::acting();
    case.step(heard(BaseState::Activated));
    case.step(listed(TunnelKind::Http));
    let told = case.step(heard(BaseState::Deactivated));
    assert!(
        told.iter().any(|action| matches!(action, Action::Request(Request::DeleteNode { .. }))),
        "{told:?}"
    );
    case.step(Event::Cluster(ClusterEvent::NodeGone { name: "virtual-node-b".into(), uid: "uid-b".into() }));
    case.step(Event::Replica(ReplicaEvent::LeaseGone { node: "virtual-node-b".into(), uid: "lease".into() }));
    // Its next life.
    case.seconds += 5;
    let write = Write::WriteMember("module-controller-me-1".into());
    case.step(Event::Written { write, result: Ok(()) });
    case.step(heard(BaseState::Activated));
    case.take_lease(3);
    case.step(heard(BaseState::Activated));
    case.step(listed(TunnelKind::Http));
    case.step(Event::Cluster(ClusterEvent::Node(Box::new(NodeView {
        uid: "uid-b2".into(),
        ..testing::node("b")
    }))));
    case.step(Event::Written { write: Write::DeleteNode("virtual-node-b".into()), result: Ok(()) });
    let actions = case.step(Event::Cluster(ClusterEvent::Pod(Box::new(testing::pod("p", "biz1", "1")))));
    let is_intent = |action: &Action| matches!(action, Action::Request(Request::CreateModule(_)));
    assert!(actions.iter().any(is_intent), "{actions:?}");
}
