use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    ClusterEvent, Event,
    pod::displaced::DISPLACED,
    testing,
    view::{ContainerState, Owner, Phase, PodView, RestartPolicy},
    vnode::testing::Case,
};

/// A base of which the controller knows for a while.
fn started() -> Case {
    let mut case = Case::start(|_| {}, &[]);
    case.until(3);
    case
}

/// A Pod of biz1 that `owner` (`kind/name`, of one template) made in a namespace, from a package of its own.
fn of(owner: &str, pod: &str, version: &str, package: &str, created: i64) -> PodView {
    let (kind, name) = owner.split_once('/').unwrap();
    let mut view = testing::pod(pod, "biz1", version);
    let mut containers = view.containers.to_vec();
    containers[0].image = format!("file:///packages/{package}.jar");
    view.containers = containers.into();
    PodView {
        owner: Some(Owner { namespace: "default".into(), kind: kind.into(), name: name.into() }),
        controller: Some(format!("uid-of-{name}").into()),
        created: Timestamp::from_second(created).unwrap(),
        ..view
    }
}

fn in_namespace(mut pod: PodView, namespace: &str) -> PodView {
    pod.pod.namespace = namespace.into();
    pod.owner = pod.owner.map(|owner| Owner { namespace: namespace.into(), ..owner });
    pod
}

fn put(case: &mut Case, mut pod: PodView) {
    pod.resource_version = case.next();
    case.pods.insert(pod.pod.uid.clone(), pod.clone());
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(pod))));
    let later = case.seconds + 10;
    case.until(later);
}

fn gone(case: &mut Case, pod: &str) {
    let uid: Arc<str> = format!("uid-{pod}").into();
    let pod = case.pods.remove(&uid).unwrap();
    case.step(Event::Cluster(ClusterEvent::PodGone(pod.pod)));
    let later = case.seconds + 10;
    case.until(later);
}

/// How each Pod stands, by name.
fn stand(case: &Case) -> Vec<String> {
    let word = |pod: &PodView| {
        let status = &pod.status;
        let waits = status.containers.iter().any(
            |one| matches!(&one.state, ContainerState::Waiting { reason, .. } if **reason == *DISPLACED),
        );
        let how = match status.phase {
            Phase::Failed => "failed",
            _ if status.is_ready() => "ready",
            _ if waits => "waits",
            _ => "else",
        };
        // What waits for a version of its own owner says so in its container only.
        let says_so = *status.reason == *DISPLACED;
        assert!(if how == "failed" { says_so } else { how == "waits" || !says_so }, "{status:?}");
        format!("{} {how}", pod.pod.name)
    };
    let mut all: Vec<String> = case.pods.values().map(word).collect();
    all.sort();
    all
}

fn message(case: &Case, pod: &str) -> String {
    case.pods[&*format!("uid-{pod}")].status.message.to_string()
}

/// Nothing is done for as long as it takes a container's longest back-off to end.
fn is_quiet(case: &mut Case) {
    let (commands, stands, later) = (case.commands.len(), stand(case), case.seconds + 330);
    case.until(later);
    assert_eq!((case.commands.len(), stand(case)), (commands, stands), "{:?}", case.commands);
}

#[test]
fn of_one_version_with_two_urls_the_newer_wins_once_and_what_is_made_again_waits() {
    let mut case = started();
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    put(&mut case, of("Deployment/b", "b1", "1", "two", 2));
    assert_eq!(stand(&case), ["a1 failed", "b1 ready"]);
    assert!(message(&case, "a1").contains("(Deployment default/b)"), "{}", message(&case, "a1"));
    assert_eq!(case.commands, ["install biz1:1", "replace by biz1:1"]);
    put(&mut case, of("Deployment/a", "a2", "1", "one", 3));
    assert_eq!(stand(&case), ["a1 failed", "a2 waits", "b1 ready"]);
    is_quiet(&mut case);
    assert_eq!(case.commands.len(), 2, "{:?}", case.commands);
    gone(&mut case, "b1");
    assert_eq!(stand(&case), ["a1 failed", "a2 ready"], "the winner is gone");
    assert_eq!(case.commands.len(), 3, "{:?}", case.commands);
    is_quiet(&mut case);
}

#[test]
fn what_names_the_same_package_is_shared() {
    let mut case = started();
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    put(&mut case, in_namespace(of("Deployment/b", "b1", "1", "one", 2), "other"));
    assert_eq!(stand(&case), ["a1 ready", "b1 ready"]);
    assert_eq!(case.commands, ["install biz1:1"]);
    gone(&mut case, "a1");
    assert_eq!((stand(&case), case.commands.len()), (vec!["b1 ready".to_owned()], 1));
}

#[test]
fn what_lost_waits_after_its_failed_pod_is_gone_and_as_long_as_the_winner_is_there() {
    let mut case = started();
    put(&mut case, of("DaemonSet/a", "a1", "1", "one", 1));
    put(&mut case, of("Deployment/b", "b1", "2", "two", 2));
    assert_eq!(stand(&case), ["a1 failed", "b1 ready"]);
    for (before, next, created) in [("a1", "a2", 3), ("a2", "a3", 4), ("a3", "a4", 5)] {
        gone(&mut case, before);
        put(&mut case, of("DaemonSet/a", next, "1", "one", created));
        assert_eq!(stand(&case), [&*format!("{next} waits"), "b1 ready"]);
    }
    // Another controller begins, which has not seen a Failed Pod.
    case.begin_anew(|_, _| {});
    is_quiet(&mut case);
    gone(&mut case, "b1");
    assert_eq!(stand(&case), ["a4 ready"]);
}

/// They were made in one second on several bases, so that each has lost to the other somewhere.
#[test]
fn where_each_has_lost_to_the_other_what_serves_stays() {
    let mut case = started();
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    put(&mut case, of("Deployment/b", "b1", "1", "two", 2));
    let mut elsewhere = of("Deployment/b", "b0", "1", "two", 1);
    elsewhere.node = "virtual-node-other".into();
    elsewhere.status.phase = Phase::Failed;
    elsewhere.status.reason = DISPLACED.into();
    elsewhere.status.message =
        crate::pod::displaced::lost_to("Deployment default/a", model::Language::English);
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(elsewhere))));
    put(&mut case, of("Deployment/a", "a2", "1", "one", 3));
    assert_eq!(stand(&case), ["a1 failed", "a2 waits", "b1 ready"]);
    is_quiet(&mut case);
}

#[test]
fn what_lost_on_another_base_does_not_displace_the_winner_here() {
    let mut case = started();
    put(&mut case, of("Deployment/b", "b1", "1", "two", 2));
    let mut elsewhere = of("Deployment/a", "a0", "1", "one", 1);
    elsewhere.node = "virtual-node-other".into();
    elsewhere.status.phase = Phase::Failed;
    elsewhere.status.reason = DISPLACED.into();
    elsewhere.status.message =
        crate::pod::displaced::lost_to("Deployment default/b", model::Language::English);
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(elsewhere))));
    put(&mut case, of("Deployment/a", "a1", "1", "one", 3));
    assert_eq!(stand(&case), ["a1 waits", "b1 ready"]);
    put(&mut case, of("Deployment/a", "a2", "3", "three", 4));
    assert_eq!(stand(&case), ["a1 waits", "a2 ready", "b1 failed"], "an update is another matter");
}

#[test]
fn of_one_owner_one_pod_fails_on_a_base_whatever_comes_after() {
    let mut case = started();
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    put(&mut case, of("Deployment/a", "a2", "1", "one", 1));
    put(&mut case, of("Deployment/b", "b1", "2", "two", 2));
    assert_eq!(stand(&case), ["a1 failed", "a2 waits", "b1 ready"]);
    put(&mut case, of("Deployment/a", "a3", "3", "three", 3));
    assert_eq!(stand(&case), ["a1 failed", "a2 waits", "a3 ready", "b1 failed"]);
    put(&mut case, of("Deployment/b", "b2", "4", "four", 4));
    assert_eq!(stand(&case), ["a1 failed", "a2 waits", "a3 waits", "b1 failed", "b2 ready"]);
    is_quiet(&mut case);
    gone(&mut case, "b2");
    assert!(stand(&case).contains(&"a3 ready".to_owned()), "{:?}", stand(&case));
}

/// Its package may not come: until then the older serves, or will again.
#[test]
fn nobody_fails_before_the_rival_serves() {
    let mut case = started();
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    case.slow = Some(Vec::new());
    put(&mut case, of("Deployment/b", "b1", "1", "two", 2));
    assert_eq!(case.commands.last().map(String::as_str), Some("replace by biz1:1"));
    let a = &case.pods["uid-a1"].status;
    assert!(!a.is_ready() && a.phase == Phase::Running, "{a:?}");
    case.answer_at_last();
    assert_eq!(stand(&case), ["a1 failed", "b1 ready"]);
}

#[test]
fn a_biz_name_belongs_to_the_namespace_that_serves_it_as_long_as_it_does() {
    for (version, package) in [("1", "two"), ("2", "two")] {
        let mut case = started();
        put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
        let commands = case.commands.len();
        put(&mut case, in_namespace(of("Deployment/b", "b1", version, package, 2), "other"));
        assert_eq!(stand(&case), ["a1 ready", "b1 waits"]);
        let told = message(&case, "b1");
        let says = ["namespace default", "another bizName", "TAKEOVER_ACROSS_NAMESPACES=true"];
        assert!(says.iter().all(|what| told.contains(what)), "{told}");
        is_quiet(&mut case);
        // The base is started anew, and then another controller begins.
        case.held.clear();
        let later = case.seconds + 60;
        case.until(later);
        assert_eq!(stand(&case), ["a1 ready", "b1 waits"]);
        case.held.clear();
        case.begin_anew(|_, _| {});
        let later = case.seconds + 60;
        case.until(later);
        assert_eq!(stand(&case), ["a1 ready", "b1 waits"]);
        // The namespace changes what is its own.
        put(&mut case, of("Deployment/a", "a2", "3", "three", 3));
        assert!(stand(&case).contains(&"a2 ready".to_owned()), "{:?}", stand(&case));
        gone(&mut case, "a1");
        assert_eq!(stand(&case), ["a2 ready", "b1 waits"]);
        assert!(case.commands.len() > commands);
        gone(&mut case, "a2");
        assert_eq!(stand(&case), ["b1 ready"]);
    }
}

#[test]
fn a_setting_lets_the_newer_win_across_namespaces() {
    let mut case = Case::start(|config| config.takeover_across_namespaces = true, &[]);
    case.until(3);
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    put(&mut case, in_namespace(of("Deployment/b", "b1", "1", "two", 2), "other"));
    assert_eq!(stand(&case), ["a1 failed", "b1 ready"]);
    put(&mut case, of("Deployment/a", "a2", "1", "one", 3));
    assert_eq!(stand(&case), ["a1 failed", "a2 waits", "b1 ready"]);
    is_quiet(&mut case);
}

#[test]
fn who_shares_another_namespaces_package_does_not_decide_over_it() {
    let mut case = started();
    put(&mut case, of("Deployment/a", "a1", "1", "one", 5));
    // Its Pod is older, as it is after the other's was made again.
    put(&mut case, in_namespace(of("Deployment/b", "b1", "1", "one", 1), "other"));
    put(&mut case, in_namespace(of("Deployment/b", "b2", "2", "two", 9), "other"));
    assert_eq!(stand(&case), ["a1 ready", "b1 ready", "b2 waits"]);
    put(&mut case, of("Deployment/a", "a2", "3", "three", 10));
    assert!(stand(&case).contains(&"a2 ready".to_owned()), "{:?}", stand(&case));
}

#[test]
fn beyond_its_limit_an_owner_waits_and_people_are_told_once() {
    let mut case = started();
    for n in 0..16 {
        let mut failed = of("Deployment/a", &format!("old-{n}"), "1", "one", 1);
        failed.node = format!("virtual-node-{n}").into();
        failed.status.phase = Phase::Failed;
        failed.status.reason = DISPLACED.into();
        failed.status.message =
            crate::pod::displaced::lost_to("Deployment default/b", model::Language::English);
        case.step(Event::Cluster(ClusterEvent::Pod(Box::new(failed))));
    }
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    put(&mut case, of("Deployment/a", "a2", "1", "one", 1));
    case.said.clear();
    put(&mut case, of("Deployment/b", "b1", "2", "two", 2));
    assert_eq!(stand(&case), ["a1 waits", "a2 waits", "b1 ready"]);
    let said: Vec<_> = case.said.iter().filter(|said| said.reason == "DisplacedTooOften").collect();
    let [said] = said[..] else { panic!("{:?}", case.said) };
    let says = ["Deployment default/a", "Deployment default/b"];
    assert!(says.iter().all(|who| said.note.english().contains(who)), "{said:?}");
    is_quiet(&mut case);
    gone(&mut case, "b1");
    assert_eq!(stand(&case), ["a1 ready", "a2 ready"]);
}

#[test]
fn who_may_not_take_the_name_makes_nobody_wait_who_lost_to_it_elsewhere() {
    let mut case = started();
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    let mut elsewhere = of("Deployment/a", "a0", "1", "one", 1);
    elsewhere.node = "virtual-node-other".into();
    elsewhere.status.phase = Phase::Failed;
    elsewhere.status.reason = DISPLACED.into();
    elsewhere.status.message = crate::pod::displaced::lost_to("Deployment other/b", model::Language::English);
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(elsewhere))));
    put(&mut case, in_namespace(of("Deployment/b", "b1", "1", "two", 2), "other"));
    assert_eq!(stand(&case), ["a1 ready", "b1 waits"]);
    assert_eq!(case.commands.len(), 1, "{:?}", case.commands);
}

/// What came by its install is from its package, although nobody asks for that any more.
#[test]
fn what_came_for_a_pod_that_is_gone_is_not_taken_for_anothers_package() {
    let mut case = started();
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    case.slow = Some(Vec::new());
    put(&mut case, of("Deployment/b", "b1", "1", "two", 2));
    gone(&mut case, "b1");
    case.answer_at_last();
    let later = case.seconds + 20;
    case.until(later);
    assert_eq!(case.commands, ["install biz1:1", "replace by biz1:1", "replace by biz1:1"]);
    assert_eq!(stand(&case), ["a1 ready"]);
}

/// Each version is asked for in both namespaces, and the newest Pod of each asks for another one.
#[test]
fn two_namespaces_that_share_two_versions_do_not_take_turns() {
    let mut case = started();
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    put(&mut case, in_namespace(of("Deployment/c", "b2", "2", "two", 2), "other"));
    put(&mut case, in_namespace(of("Deployment/d", "b1", "1", "one", 3), "other"));
    put(&mut case, of("Deployment/b", "a2", "2", "two", 4));
    let later = case.seconds + 60;
    case.until(later);
    assert_eq!(stand(&case), ["a1 failed", "a2 ready", "b1 waits", "b2 ready"]);
    is_quiet(&mut case);
}

/// A Pod that may not be started again has lost its module to another's package.
#[test]
fn what_is_not_restarted_and_was_replaced_fails_although_its_rival_is_gone() {
    let mut case = started();
    put(&mut case, PodView { restart_policy: RestartPolicy::Never, ..of("Job/a", "a1", "1", "one", 1) });
    case.slow = Some(Vec::new());
    put(&mut case, of("Deployment/b", "b1", "1", "two", 2));
    gone(&mut case, "b1");
    case.answer_at_last();
    let later = case.seconds + 20;
    case.until(later);
    let status = &case.pods["uid-a1"].status;
    assert_eq!(status.phase, Phase::Failed, "{status:?}");
    assert_eq!(case.commands, ["install biz1:1", "replace by biz1:1", "uninstall biz1:1"]);
}

#[test]
fn what_came_without_an_answer_is_from_the_package_that_was_sent() {
    let mut case = started();
    case.slow = Some(Vec::new());
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    put(&mut case, in_namespace(of("Deployment/b", "b1", "1", "two", 2), "other"));
    case.slow = None;
    let later = case.seconds + 300;
    case.until(later);
    assert_eq!(stand(&case), ["a1 ready", "b1 waits"]);
    assert_eq!(case.commands, ["install biz1:1"]);
}

#[test]
fn where_it_is_not_known_which_of_two_packages_came_the_wanted_one_is_installed_again() {
    let mut case = started();
    put(&mut case, of("Deployment/a", "a1", "1", "one", 1));
    case.slow = Some(Vec::new());
    put(&mut case, of("Deployment/b", "b1", "1", "two", 2));
    gone(&mut case, "b1");
    case.slow = None;
    let later = case.seconds + 300;
    case.until(later);
    assert_eq!(case.commands, ["install biz1:1", "replace by biz1:1", "replace by biz1:1"]);
    assert_eq!(stand(&case), ["a1 ready"]);
}
