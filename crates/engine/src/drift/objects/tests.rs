use jiff::Timestamp;
use plan::Selector;

use super::*;
use crate::{
    Config, Event,
    drift::{Difference, Kind},
    event::{ClusterEvent, Watched},
    request::Write,
    testing::{self, Case},
    view::{Condition, ConditionStatus, Counts, ModuleState, ModuleView},
};

fn object(name: &str) -> BaselineView {
    BaselineView {
        baseline: BaselineRef { name: name.into(), uid: format!("uid-{name}").into() },
        resource_version: 1,
        generation: 1,
        selector: Selector::default(),
        env: "".into(),
        status: BaselineStatus::default(),
    }
}

fn now(seconds: u64) -> Now {
    let at = Duration::from_secs(seconds);
    Now { mono: at, wall: Timestamp::UNIX_EPOCH + at }
}

fn missing(module: &str) -> Difference {
    Difference { kind: Kind::Missing, name: module.into(), wanted: Some("1".into()), found: None }
}

fn standing(differences: usize) -> Standing {
    let differences = (0..differences).map(|n| missing(&format!("biz{n}"))).collect();
    Standing { is_ready: true, under_plan: false, differences }
}

/// What is written of an object that knows all of these bases.
fn status(view: &BaselineView, bases: &[(&str, Standing)], at: u64) -> Option<BaselineStatus> {
    let nodes: Vec<NodeView> = bases.iter().map(|(name, _)| testing::node(name)).collect();
    let standings = bases.iter().map(|(name, standing)| (testing::node(name).name, standing.clone()));
    told(view, &nodes.iter().collect::<Vec<_>>(), &standings.collect(), &"dev".into(), now(at))
}

#[test]
fn differences_are_counted_and_the_first_are_named() {
    let planned = Standing { under_plan: true, ..standing(0) };
    let silent = Standing::default();
    let bases = [("a", standing(15)), ("b", planned), ("c", silent), ("d", standing(15))];
    let told = status(&object("all"), &bases, 7).unwrap();
    assert_eq!((told.bases, told.under_plan, told.not_ready, told.counts.missing), (3, 1, 1, 30));
    assert_eq!((told.samples.len(), told.generation, &*told.env), (MOST_SAMPLES, 1, "dev"));
    assert_eq!(told.since, Some(now(7).wall));
}

#[test]
fn only_bases_that_the_selector_selects_are_looked_at() {
    let labels = [("vnode.koupleless.io/tunnel".to_owned(), "http".to_owned())].into();
    let view = BaselineView { selector: Selector { labels, ..Selector::default() }, ..object("http") };
    let told = status(&view, &[("a", standing(1))], 0).unwrap();
    assert_eq!((told.bases, told.counts, &*told.env), (0, Counts::default(), ""));
}

#[test]
fn the_time_is_that_at_which_they_began_to_differ() {
    let mut view = object("all");
    view.status = status(&view, &[("a", standing(0))], 1).unwrap();
    view.status = status(&view, &[("a", standing(0))], 2).unwrap();
    assert_eq!(view.status.since, Some(now(1).wall));
    view.status = status(&view, &[("a", standing(1))], 3).unwrap();
    view.status = status(&view, &[("a", standing(2))], 4).unwrap();
    assert_eq!(view.status.since, Some(now(3).wall), "it differs since then, whatever more does");
    view.status = status(&view, &[("a", standing(0))], 5).unwrap();
    assert_eq!(view.status.since, Some(now(5).wall));
}

#[test]
fn what_is_another_environments_is_not_written() {
    let bases = [("a", standing(1))];
    let named = BaselineView { env: "prod".into(), ..object("all") };
    assert_eq!(status(&named, &bases, 0), None);
    let mut taken = object("all");
    taken.status.env = "prod".into();
    assert_eq!(status(&taken, &bases, 0), None);
    taken.env = "dev".into();
    assert_eq!(status(&taken, &bases, 0).map(|told| told.env), Some("dev".into()), "it names ours now");
}

/// One base that is Ready, and an engine that knows all objects.
fn started() -> Case {
    let mut case = Case::new(Config { module_deployments: true, ..Config::new("dev") });
    let mut node = testing::node("b");
    let text = || "x".into();
    let (kind, status) = ("Ready".into(), ConditionStatus::True);
    node.conditions.push(Condition { kind, status, reason: text(), message: text(), changed: None });
    case.step(Event::Cluster(ClusterEvent::Node(Box::new(node))));
    for kind in [&Watched::NEEDED[..], &[Watched::Deployments, Watched::DaemonSets]].concat() {
        case.step(Event::Cluster(ClusterEvent::Synced(kind)));
    }
    case
}

fn written(actions: Vec<Action>) -> Vec<BaselineStatus> {
    let status = |action| match action {
        Action::Request(Request::PatchBaselineStatus { status, .. }) => Some(*status),
        _ => None,
    };
    actions.into_iter().filter_map(status).collect()
}

/// What is written in the next seconds.
fn after(case: &mut Case, seconds: u64) -> Vec<BaselineStatus> {
    let mut all = Vec::new();
    for _ in 0..seconds {
        case.seconds += 1;
        all.extend(written(case.step(Event::Tick)));
    }
    all
}

/// The write of a status ends well.
fn echo(case: &mut Case, view: &BaselineView, status: BaselineStatus, version: u64) {
    let told = BaselineView { status, resource_version: version, ..view.clone() };
    case.step(Event::Cluster(ClusterEvent::Baseline(Box::new(told))));
    let write = Write::PatchBaselineStatus(view.baseline.clone());
    case.step(Event::Written { write, result: Ok(()) });
}

#[test]
fn what_changes_is_written_once_and_nothing_while_nothing_changes() {
    let mut case = started();
    let view = object("all");
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(testing::pod("p", "biz1", "1")))));
    case.step(Event::Cluster(ClusterEvent::Baseline(Box::new(view.clone()))));
    let [first] = &after(&mut case, 5)[..] else { panic!("one write") };
    assert_eq!((first.bases, first.counts.missing), (1, 1));
    echo(&mut case, &view, first.clone(), 2);
    assert_eq!(after(&mut case, 10), []);
    // It comes, in a hundred steps within a second.
    let mut module = ModuleView { status: Default::default(), ..testing::module("biz1") };
    for version in 10..110 {
        module.resource_version = version;
        module.status.state = Some(ModuleState::Available);
        let event = Event::Cluster(ClusterEvent::Module(Box::new(module.clone())));
        assert_eq!(written(case.step(event)), []);
    }
    let [second] = &after(&mut case, 5)[..] else { panic!("one write") };
    assert_eq!((second.bases, second.counts.sum(), second.samples.len()), (1, 0, 0));
    echo(&mut case, &view, second.clone(), 3);
    assert_eq!(after(&mut case, 10), []);
}

#[test]
fn a_write_that_fails_is_tried_again_and_one_under_way_is_waited_for() {
    let mut case = started();
    let view = object("all");
    case.step(Event::Cluster(ClusterEvent::Baseline(Box::new(view.clone()))));
    assert_eq!(after(&mut case, 5).len(), 1);
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(testing::pod("p", "biz1", "1")))));
    assert_eq!(after(&mut case, 5), [], "the first is under way");
    let write = Write::PatchBaselineStatus(view.baseline.clone());
    let conflict = Err(WriteError::Conflict("somebody changed it".into()));
    case.step(Event::Written { write, result: conflict });
    let again = after(&mut case, 5);
    assert_eq!(again.iter().map(|status| status.counts.missing).collect::<Vec<_>>(), [1]);
}

#[test]
fn where_there_is_no_object_nothing_is_kept() {
    let mut case = started();
    let view = object("all");
    case.step(Event::Cluster(ClusterEvent::Baseline(Box::new(view.clone()))));
    after(&mut case, 5);
    case.step(Event::Cluster(ClusterEvent::BaselineGone(view.baseline)));
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(testing::pod("p", "biz1", "1")))));
    assert_eq!(after(&mut case, 5), []);
    let mut drifts = Drifts::default();
    drifts.touch(&"virtual-node-b".into(), Duration::ZERO);
    drifts.touch_all(Duration::ZERO);
    assert_eq!((drifts.next_wake(), drifts.stale), (None, Stale::default()));
}
