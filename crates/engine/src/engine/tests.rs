//! What the engine does with more bases than there are, and with bases that tell more than there is.

use std::time::Duration;

use arklet::{Answer, CallError, CommandKind, Failure, FailureKind};
use model::{BizId, BizStatus};

use super::*;
use crate::{
    Announcement, ClusterConfig, Request, ToBase,
    config::{MOST_BASES, MOST_STRANGERS},
    testing::Case,
    view::NodeView,
    vnode::testing::Case as OneBase,
};

fn summary(case: &Case) -> Summary {
    case.engine.summary(Duration::from_secs(case.seconds))
}

fn state_bytes(case: &Case) -> usize {
    format!("{:?}", case.engine).len()
}

fn id(name: &str) -> BizId {
    BizId { name: name.parse().unwrap(), version: "1".parse().unwrap() }
}

fn failure(cause: &str) -> Failure {
    Failure { kind: FailureKind::Other, cause: cause.into(), detail: "".into() }
}

fn announced(actions: &[Action]) -> Vec<&Announcement> {
    let mut news = Vec::new();
    for action in actions {
        if let Action::Announce(said) = action {
            news.push(&**said);
        }
    }
    news
}

#[test]
fn bases_that_never_answer_get_no_node_are_not_taken_without_end_and_go() {
    let mut case = Case::started(&[]);
    let before = state_bytes(&case);
    let mut actions = Vec::new();
    for number in 0..MOST_STRANGERS + 10 {
        actions.extend(case.heard(&format!("stranger-{number}")));
    }
    let counted = summary(&case);
    assert_eq!((counted.vnodes, counted.strangers, counted.turned_away), (0, MOST_STRANGERS, 10));
    assert_eq!(
        actions.iter().filter(|action| matches!(action, Action::Request(Request::CreateNode(_)))).count(),
        0
    );
    while case.seconds < 120 {
        case.seconds += 10;
        case.step(Event::Tick);
    }
    assert_eq!(summary(&case).strangers, 0, "they were silent for a minute");
    assert!(state_bytes(&case) < before + 100, "{:?}", case.engine);
    case.heard("honest");
    assert_eq!(summary(&case).strangers, 1, "and there is room again");
}

#[test]
fn heartbeats_of_before_the_lists_do_not_pile_up_without_end() {
    let mut case = Case::new(Config::new("dev"));
    for number in 0..MOST_BASES + 10 {
        case.heard(&format!("stranger-{number}"));
    }
    case.heard("stranger-1");
    assert_eq!(case.engine.early.reports.len(), MOST_BASES);
    assert_eq!(summary(&case).turned_away, 10);
}

#[test]
fn nobody_gets_the_node_of_another_by_bearing_its_name() {
    let mut case = Case::started(&[]);
    case.heard("Base_1");
    let node = case.engine.by_node.keys().next().unwrap().clone();
    let name = node.strip_prefix("virtual-node-").unwrap().to_owned();
    assert_ne!(name, "Base_1");
    case.heard(&name);
    assert_eq!(case.engine.by_node.get(&node).map(BaseIdentity::as_str), Some("Base_1"));
    assert_eq!(summary(&case).turned_away, 1);
}

#[test]
fn bases_that_are_made_up_do_not_hide_that_most_real_ones_are_silent() {
    let names = ["a", "b", "c", "d"];
    let mut case = Case::started(&names);
    names.iter().for_each(|name| drop(case.heard(name)));
    let (mut looked_for, mut blast) = (0, 0);
    while case.seconds < 300 {
        case.seconds += 5;
        let mut actions = case.step(Event::Tick);
        for number in 0..40 {
            actions.extend(case.heard(&format!("stranger-{number}")));
        }
        for name in names {
            actions.extend(case.answered(name, CommandKind::QueryAllBiz, None, Err(CallError::TimedOut)));
        }
        looked_for += actions
            .iter()
            .filter(|action| matches!(action, Action::Request(Request::FindBasePod { .. })))
            .count();
        blast += announced(&actions).iter().filter(|said| said.reason.contains("BlastRadius")).count();
    }
    assert_eq!((looked_for, blast), (0, names.len()), "nothing is deleted, and people are told");
}

#[test]
fn what_a_base_tells_of_biz_that_nobody_knows_is_not_kept() {
    let mut case = Case::started(&["b"]);
    case.heard("b");
    let before = state_bytes(&case);
    for number in 0..1_000 {
        case.answered(
            "b",
            CommandKind::UninstallBiz,
            Some(id(&format!("biz{number}"))),
            Ok(Answer::Uninstalled),
        );
    }
    assert!(state_bytes(&case) < before + 100, "{:?}", case.engine);
}

#[test]
fn of_a_baseline_that_fails_without_end_people_are_told_in_part() {
    let mut case = Case::started(&["b"]);
    case.heard("b");
    let results: Vec<(String, Result<Vec<BizStatus>, Failure>)> =
        (0..1_000).map(|number| (format!("file:///{number}.jar"), Err(failure("no")))).collect();
    let actions = case.answered("b", CommandKind::BatchInstallBiz, None, Ok(Answer::Batch(results)));
    assert_eq!(announced(&actions).len(), 32);
}

#[test]
fn replicas_remember_no_more_bases_of_others_than_one_that_is_alone() {
    let mut config = Config::new("dev");
    config.cluster = Some(ClusterConfig {
        client_id: "first".into(),
        incarnation: "first-1".into(),
        pod_uid: "".into(),
        levels: 3,
    });
    let mut case = Case::new(config);
    for kind in Watched::NEEDED.into_iter().chain([Watched::Members, Watched::Leases]) {
        case.step(Event::Cluster(ClusterEvent::Synced(kind)));
    }
    for number in 0..MOST_BASES + 10 {
        case.heard(&format!("stranger-{number}"));
    }
    case.heard("stranger-1");
    assert_eq!(summary(&case).turned_away, 10);
}

#[test]
fn a_heartbeat_like_the_one_before_moves_deadlines_and_does_nothing_else() {
    let mut case = Case::started(&["b"]);
    case.heard("b");
    case.answered("b", CommandKind::QueryAllBiz, None, Ok(Answer::Biz(vec![])));
    case.seconds = 2;
    assert_eq!(case.heard("b"), []);
    case.seconds = 12;
    assert_eq!(case.heard("b"), []);
    // Silence counts from then on.
    case.seconds = 36;
    case.step(Event::Tick);
    assert_eq!(summary(&case).silent, 0);
    case.seconds = 38;
    case.step(Event::Tick);
    assert_eq!(summary(&case).silent, 1);
}

/// A list tells what there is, and then what has gone since the one before: a Node may have been made anew meanwhile.
#[test]
fn the_end_of_a_node_is_not_that_of_the_one_that_has_its_name_now() {
    let node = |uid: &str| NodeView { uid: uid.into(), ..crate::testing::node("b") };
    let name = node("1").name;
    let gone = |uid: &str| Event::Cluster(ClusterEvent::NodeGone { name: name.clone(), uid: uid.into() });
    let mut case = Case::new(Config::new("dev"));
    for event in [Event::Cluster(ClusterEvent::Node(Box::new(node("2")))), gone("1")] {
        case.step(event);
    }
    Watched::NEEDED.into_iter().for_each(|kind| drop(case.step(Event::Cluster(ClusterEvent::Synced(kind)))));
    assert_eq!(summary(&case).vnodes, 1);
    let zone = case.engine.zones.of(&name);
    for event in [Event::Cluster(ClusterEvent::Node(Box::new(node("3")))), gone("2")] {
        case.step(event);
    }
    assert_ne!(case.engine.zones.of(&"virtual-node-other".into()), zone);
    case.step(gone("3"));
    assert_eq!(case.engine.zones.of(&name), zone, "the Node that is made again is where it was");
    case.seconds = 100;
    case.step(Event::Tick);
    assert_eq!(summary(&case).vnodes + summary(&case).strangers, 0, "its base never came");
    assert_eq!(case.engine.zones.of(&"virtual-node-third".into()), zone);
}

#[test]
fn a_base_whose_answers_cannot_be_read_is_asked_seldom_stays_ready_and_says_why_once() {
    let mut case = Case::started(&["b"]);
    let large = || Err(CallError::Malformed("it has more than 8388608 bytes".into()));
    let answers = |case: &mut Case| {
        let questions = [CommandKind::QueryAllBiz, CommandKind::Health];
        questions.map(|command| case.answered("b", command, None, large())).concat()
    };
    let says_why = |actions: &[Action]| {
        announced(actions)
            .iter()
            .filter(|said| said.note.english().contains("more than 8388608 bytes"))
            .count()
    };
    // It was asked when its Node was found.
    let (mut asked, mut told, mut lost) = (Vec::new(), says_why(&answers(&mut case)), false);
    for second in 0..300 {
        case.seconds = second;
        // It speaks much more often than any base, which makes nobody ask it more often.
        let mut actions = case.heard("b");
        actions.extend(case.step(Event::Tick));
        let asks = |action: &Action| matches!(action, Action::Base(ToBase::Call { command, .. }) if command.kind() == CommandKind::QueryAllBiz);
        if actions.iter().any(asks) {
            asked.push(second);
            actions.extend(answers(&mut case));
        }
        told += says_why(&actions);
        lost |= summary(&case).silent > 0;
    }
    assert_eq!(asked, [10, 30, 70, 150, 270]);
    assert_eq!((told, lost), (1, false));
}

#[test]
fn while_too_many_writes_have_not_ended_no_wait_is_written_down() {
    let mut case = OneBase::start(|_| {}, &[]);
    case.until(3);
    case.slow = Some(Vec::new());
    case.create("biz1", "biz1");
    case.until(5);
    case.engine.unwritten += BACKLOG + 1;
    case.sent.clear();
    case.until(60);
    assert!(!case.sent.iter().any(|word| word == "pod status"), "{:?}", case.sent);
    case.engine.unwritten -= BACKLOG + 1;
    case.until(90);
    assert_eq!(case.sent.iter().filter(|word| *word == "pod status").count(), 1, "{:?}", case.sent);
    case.answer_at_last();
    case.until(100);
    assert!(case.pods.values().all(|view| view.status.is_ready()), "{:?}", case.pods);
    assert_eq!(case.engine.unwritten, 0, "each write ended once");
}
