//! Bases that say less than a present one, or do less.

use model::{BaseState, BizState, TunnelKind};

use crate::{
    ClusterEvent, Event, TunnelEvent,
    vnode::{
        explained::Replacing,
        testing::{Case, Manner, report},
    },
};

#[test]
fn an_answer_over_mqtt_that_may_be_an_earlier_ones_is_believed_when_it_comes_again() {
    let mut replacing = Replacing::default();
    replacing.was_ignored(TunnelKind::Mqtt);
    assert!(replacing.is_known());
    replacing.was_ignored(TunnelKind::Mqtt);
    assert!(!replacing.is_known());
    let mut replacing = Replacing::default();
    replacing.was_ignored(TunnelKind::Http);
    assert!(!replacing.is_known());
}

/// A base that is well, with a version that serves.
fn serving(manner: Manner) -> (Case, crate::view::PodRef) {
    let mut case = Case::start(|_| {}, &[]);
    case.manner = manner;
    case.until(3);
    let pod = case.create_version("old", "biz1", "1");
    case.until(5);
    assert_eq!(
        (case.told(&pod), case.commands.clone()),
        ((true, String::new()), vec!["install biz1:1".into()])
    );
    case.commands.clear();
    (case, pod)
}

#[test]
fn a_success_that_names_nothing_is_found_in_the_list_at_once() {
    let mut case = Case::start(|_| {}, &[]);
    case.manner = Manner::SaysNothing;
    case.until(3);
    case.sent.clear();
    let pod = case.create("p", "biz1");
    assert_eq!(case.told(&pod), (true, String::new()), "with no time passing: {:?}", case.sent);
    case.until(120);
    assert_eq!(case.commands, ["install biz1:1"]);
    // What came is ours to remove.
    case.delete(&pod);
    case.until(125);
    assert!(case.held.is_empty() && case.pods.is_empty(), "{:?}", case.held);
}

#[test]
fn a_success_that_the_list_does_not_show_is_a_failure_with_its_code_and_waits() {
    let mut case = Case::start(|_| {}, &[]);
    case.manner = Manner::Pretends;
    case.until(3);
    let pod = case.create("p", "biz1");
    let (ready, why) = case.told(&pod);
    assert!(!ready && why.starts_with("Arklet.InstallBizFailed installing biz1:1: the base says"), "{why}");
    case.until(63);
    assert_eq!(case.commands.len(), 3, "at 3, 13 and 33 s: {:?}", case.commands);
}

#[test]
fn what_came_as_another_version_is_told_and_taken_away_again() {
    let mut case = Case::start(|_| {}, &[]);
    case.manner = Manner::Misnames;
    case.until(3);
    let pod = case.create("p", "biz1");
    let (ready, why) = case.told(&pod);
    assert!(
        !ready && why.starts_with("OtherUpstream.InvalidParameter") && why.contains("biz1:other"),
        "{why}"
    );
    assert_eq!(case.commands, ["install biz1:1", "uninstall biz1:other"]);
    assert!(case.held.is_empty(), "{:?}", case.held);
}

#[test]
fn what_is_in_a_state_that_nobody_knows_is_told_and_left_alone_and_hides_nothing() {
    let mut case = Case::start(|_| {}, &[("biz1", BizState::Unknown)]);
    case.until(3);
    let [pod, other] = [case.create("p", "biz1"), case.create("q", "biz2")];
    case.until(120);
    let (ready, why) = case.told(&pod);
    assert!(!ready && why.starts_with("Arklet.UnknownError looking at biz1:1"), "{why}");
    assert_eq!((case.told(&other), case.commands), ((true, String::new()), vec!["install biz2:1".into()]));
}

#[test]
fn a_base_that_knows_no_strategy_is_updated_and_asked_for_a_replacement_once() {
    for tells in [true, false] {
        let (mut case, old) = serving(Manner::Old { tells });
        let new = case.create_version("new", "biz1", "2");
        case.until(10);
        assert_eq!((case.told(&old).0, case.told(&new)), (false, (true, String::new())), "{tells}");
        let expected = ["install biz1:2", "replace by biz1:2", "uninstall biz1:1", "install biz1:2"];
        assert_eq!(case.commands, expected, "{tells}");
        case.delete(&old);
        case.until(15);
        case.commands.clear();
        let newest = case.create_version("newest", "biz1", "3");
        case.until(20);
        assert_eq!(case.told(&newest), (true, String::new()));
        assert_eq!(case.commands, ["install biz1:3", "uninstall biz1:2", "install biz1:3"], "it is known");
    }
}

#[test]
fn another_package_of_the_same_version_takes_its_place_there() {
    let (mut case, pod) = serving(Manner::Old { tells: true });
    let mut view = case.pods[&pod.uid].clone();
    view.containers[0].image = "file:///packages/other.jar".into();
    view.resource_version = case.next();
    case.pods.insert(pod.uid.clone(), view.clone());
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(view))));
    case.until(15);
    assert_eq!(case.commands, ["replace by biz1:1", "uninstall biz1:1", "install biz1:1"]);
    assert_eq!(case.told(&pod), (true, String::new()));
    assert_eq!(&*case.pods[&pod.uid].status.containers[0].image_id, "file:///packages/other.jar");
}

#[test]
fn what_was_learnt_is_forgotten_when_the_base_is_another_version() {
    let (mut case, old) = serving(Manner::Old { tells: true });
    case.create_version("new", "biz1", "2");
    case.until(10);
    case.delete(&old);
    case.until(15);
    case.manner = Manner::Terse;
    let Event::Tunnel(TunnelEvent::Heartbeat { tunnel, report }) = report(BaseState::Activated) else {
        panic!()
    };
    case.step(Event::Tunnel(TunnelEvent::Heartbeat {
        tunnel,
        report: model::BaseReport { version: "2.0.0".into(), ..report },
    }));
    case.commands.clear();
    case.create_version("newest", "biz1", "3");
    case.step(Event::Tick);
    assert_eq!(case.commands, ["install biz1:3", "replace by biz1:3"]);
}

#[test]
fn what_fails_in_the_place_of_another_there_is_barred_and_the_other_comes_back() {
    for manner in [Manner::Old { tells: true }, Manner::Old { tells: false }, Manner::Terse] {
        let (mut case, old) = serving(manner);
        let new = case.create_version("new", "biz1", "bad");
        case.until(10);
        assert_eq!(case.told(&old), (true, String::new()), "{manner:?}: {:?}", case.commands);
        let (ready, why) = case.told(&new);
        assert!(
            !ready && why.starts_with("User.InstallBizUserError installing biz1:bad"),
            "{manner:?}: {why}"
        );
        let tries = case.commands.len();
        case.until(700);
        assert_eq!(case.commands.len(), tries, "{manner:?}: {:?}", case.commands);
    }
}

/// Where nothing of the name serves there is no path that could be taken.
#[test]
fn a_start_that_fails_without_words_is_the_module_s_where_nothing_serves() {
    let mut case = Case::start(|_| {}, &[]);
    case.manner = Manner::Terse;
    case.until(3);
    let pod = case.create_version("p", "biz1", "bad");
    case.until(5);
    assert!(case.told(&pod).1.starts_with("User.InstallBizUserError"), "{:?}", case.told(&pod));
    assert_eq!(case.commands, ["install biz1:bad"]);
}

#[test]
fn what_does_not_make_room_is_told_serves_on_and_is_tried_again_later() {
    let (mut case, old) = serving(Manner::Old { tells: true });
    case.manner = Manner::Clings;
    let new = case.create_version("new", "biz1", "2");
    case.until(10);
    let (ready, why) = case.told(&new);
    assert!(
        !ready && why.starts_with("Arklet.InstallBizTimedOut installing biz1:2: biz1:1 is in its way"),
        "{why}"
    );
    assert_eq!(case.told(&old), (true, String::new()));
    let uninstalls = |case: &Case| case.commands.iter().filter(|it| it.starts_with("uninstall")).count();
    case.until(60);
    assert!((2..=4).contains(&uninstalls(&case)), "10 s, doubling: {:?}", case.commands);
    case.manner = Manner::Old { tells: true };
    case.until(120);
    assert_eq!((case.told(&old).0, case.told(&new)), (false, (true, String::new())), "{:?}", case.commands);
}
