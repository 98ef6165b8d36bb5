//! What is written down, and what is never uninstalled.

use std::sync::Arc;

use model::{BaseState, BizState};

use crate::{
    ClusterEvent, Config, Event, UnmanagedBiz, WriteError,
    event::Watched,
    request::Write,
    view::ModuleStatus,
    vnode::testing::{Case, id, report},
};

#[test]
fn a_modules_whole_life_is_an_intent_a_status_and_a_deletion() {
    let mut case = Case::start(|_| {}, &[]);
    let pod = case.create("p", "biz1");
    case.until(5);
    assert_eq!(
        (&case.writes[..], &case.intended[..]),
        (&["create biz1:1".into(), "say Available biz1:1".into()][..], &[true][..])
    );
    let module = &case.modules[&id("biz1")];
    assert_eq!((&*module.pod, module.managed, &*module.url), ("p", true, "file:///packages/biz1-1.jar"));
    assert_eq!(module.labels["koupleless.alipay.com/base-instance-ip"], "192.0.2.2");
    assert_eq!(module.labels["koupleless.io/base-instance-name"], "host-b");
    case.until(60);
    case.delete(&pod);
    case.until(120);
    assert_eq!(case.writes, ["create biz1:1", "say Available biz1:1", "delete biz1:1"]);
}

#[test]
fn what_cannot_be_written_down_is_not_installed_and_the_pod_says_why() {
    let mut case = Case::start(|_| {}, &[]);
    case.refusal = Some(WriteError::Refused("a quota".into()));
    let pod = case.create("p", "biz1");
    case.until(30);
    assert_eq!(case.commands, [] as [&str; 0]);
    let status = format!("{:?}", case.pods[&pod.uid].status);
    assert!(status.contains("ModuleController.DBAccessError") && status.contains("a quota"), "{status}");
    case.refusal = None;
    case.until(400);
    assert_eq!(case.commands, ["install biz1:1"]);
}

#[test]
fn without_module_objects_everything_else_works() {
    let mut case = Case::start(|_| {}, &[]);
    case.step(Event::Cluster(ClusterEvent::Unavailable(Watched::Modules)));
    let pod = case.create("p", "biz1");
    case.until(5);
    case.delete(&pod);
    case.until(10);
    assert_eq!(case.commands, ["install biz1:1", "uninstall biz1:1"]);
    assert!(case.writes.is_empty() && case.pods.is_empty());
}

#[test]
fn what_the_base_held_at_first_is_never_uninstalled() {
    let policy = |config: &mut Config| config.unmanaged = UnmanagedBiz::Uninstall;
    let mut case = Case::start(policy, &[("merged", BizState::Activated)]);
    case.held.insert(id("merged-late"), BizState::Activated);
    case.until(130);
    let pod = case.create("adopts", "merged");
    case.until(140);
    case.delete(&pod);
    case.until(300);
    assert_eq!(case.commands, [] as [&str; 0]);
    assert!(case.pods.is_empty(), "the Pod goes all the same");
}

#[test]
fn what_came_by_hand_later_is_shown_or_ignored_or_uninstalled_by_policy() {
    for (policy, commands, shown) in [
        (UnmanagedBiz::Report, vec![], true),
        (UnmanagedBiz::Ignore, vec![], false),
        (UnmanagedBiz::Uninstall, vec!["uninstall by-hand:1"], false),
    ] {
        let mut case = Case::start(|config| config.unmanaged = policy, &[]);
        case.until(130);
        case.held.insert(id("by-hand"), BizState::Activated);
        case.until(300);
        assert_eq!(case.commands, commands, "{policy:?}");
        let module = case.modules.get(&id("by-hand"));
        assert_eq!(module.is_some_and(|module| !module.managed), shown, "{policy:?}");
    }
}

#[test]
fn a_base_that_makes_biz_up_does_not_fill_the_cluster_with_objects() {
    let names: Vec<String> = (0..super::MOST_SHOWN + 7).map(|number| format!("biz{number}")).collect();
    let held: Vec<(&str, BizState)> = names.iter().map(|name| (&**name, BizState::Activated)).collect();
    let mut case = Case::start(|_| {}, &held);
    case.until(300);
    assert_eq!(case.modules.len(), super::MOST_SHOWN);
    case.create("p", "asked");
    case.until(400);
    assert!(case.modules.contains_key(&id("asked")), "what is asked for is written down all the same");
}

#[test]
fn what_a_pod_has_adopted_goes_with_it() {
    let mut case = Case::start(|_| {}, &[]);
    case.until(130);
    case.held.insert(id("by-hand"), BizState::Activated);
    case.until(200);
    let pod = case.create("adopts", "by-hand");
    case.until(205);
    assert!(case.commands.is_empty() && case.modules[&id("by-hand")].managed);
    case.delete(&pod);
    case.until(210);
    assert_eq!(case.commands, ["uninstall by-hand:1"]);
    assert!(case.modules.is_empty());
}

#[test]
fn what_an_object_tells_of_and_nobody_asks_for_is_uninstalled() {
    let mut case = Case::start(|_| {}, &[]);
    case.create("p", "biz1");
    case.until(5);
    let told = [case.modules[&id("biz1")].clone()];
    let mut after = Case::start_with(|_| {}, &[("biz1", BizState::Activated)], &told);
    after.until(200);
    assert_eq!(after.commands, ["uninstall biz1:1"]);
    assert!(after.modules.is_empty(), "{:?}", after.modules);
}

#[test]
fn the_same_version_from_another_package_replaces_it() {
    let mut case = Case::start(|_| {}, &[]);
    let pod = case.create("p", "biz1");
    case.until(5);
    let version = case.next();
    let view = case.pods.get_mut(&pod.uid).unwrap();
    view.containers[0].image = "file:///packages/other.jar".into();
    view.resource_version = version;
    let view = view.clone();
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(view))));
    case.until(10);
    assert_eq!(case.commands, ["install biz1:1", "replace by biz1:1"]);
    assert_eq!(case.modules[&id("biz1")].url, "file:///packages/other.jar".into());
    assert_eq!(case.pods[&pod.uid].status.containers[0].image_id, "file:///packages/other.jar".into());
    case.until(200);
    assert_eq!(case.commands.len(), 2);
}

#[test]
fn what_another_command_is_putting_there_is_known_although_its_pod_goes_first() {
    let mut case = Case::start(|_| {}, &[]);
    case.at_work = Some(id("biz1"));
    let pod = case.create("p", "biz1");
    case.until(3);
    case.delete(&pod);
    case.until(20);
    assert!(case.pods.is_empty() && case.modules.contains_key(&id("biz1")), "{:?}", case.modules);
    case.at_work = None;
    case.held.insert(id("biz1"), BizState::Activated);
    case.until(60);
    assert_eq!((&case.commands[..], case.modules.len()), (&["uninstall biz1:1".to_owned()][..], 0));
}

#[test]
fn where_a_newer_version_serves_at_once_the_older_has_gone_by_itself() {
    let mut case = Case::start(|_| {}, &[]);
    let old = case.create("p", "biz1");
    case.until(5);
    // The base was started anew, and nobody has noticed yet.
    case.held.clear();
    let mut new = crate::testing::pod("q", "biz1", "2");
    new.resource_version = case.next();
    case.pods.insert(new.pod.uid.clone(), new.clone());
    case.sent.clear();
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(new))));
    case.until(7);
    let asked = case.sent.iter().any(|sent| sent == "queryAllBiz");
    assert!(asked && case.commands.last().is_some_and(|last| last == "install biz1:2"), "{:?}", case.sent);
    let ready = case.pods[&old.uid].status.condition("Ready").map(|ready| ready.status);
    assert_eq!(ready, Some(crate::view::ConditionStatus::False));
}

/// Its Node is deleted, and nothing is heard of the base from here on.
fn say_goodbye(case: &mut Case) {
    case.step(report(BaseState::Deactivated));
    let name: Arc<str> = "virtual-node-b".into();
    let uid = case.node.take().map(|node| node.uid).unwrap();
    case.step(Event::Written { write: Write::DeleteNode(name.clone()), result: Ok(()) });
    case.step(Event::Cluster(ClusterEvent::NodeGone { name, uid }));
}

#[test]
fn a_base_that_said_goodbye_leaves_no_objects() {
    let mut case = Case::start(|_| {}, &[]);
    case.create("p", "biz1");
    case.until(5);
    say_goodbye(&mut case);
    case.seconds += 25;
    case.step(Event::Tick);
    assert!(case.modules.is_empty(), "{:?}", case.modules);
}

#[test]
fn what_a_base_installed_before_the_goodbye_of_its_last_life_came_is_known_as_ours() {
    let mut case = Case::start(|_| {}, &[]);
    let pod = case.create("p", "biz1");
    case.until(5);
    say_goodbye(&mut case);
    case.step(Event::Cluster(ClusterEvent::PodGone(pod)));
    case.until(30);
    assert_eq!(case.commands.last().unwrap(), "uninstall biz1:1", "its Pod is gone");
    assert!(case.modules.is_empty(), "{:?}", case.modules);
}

/// A broker may deliver a command twice, and one copy after what was to end it.
#[test]
fn what_a_copy_of_an_old_install_brings_is_removed_again() {
    let mut case = Case::start(|_| {}, &[]);
    case.until(100);
    let pod = case.create("p", "biz1");
    case.delete(&pod);
    case.held.insert(id("biz1"), BizState::Activated);
    case.until(150);
    assert_eq!(case.commands, ["install biz1:1", "uninstall biz1:1", "uninstall biz1:1"]);
    case.until(400);
    case.held.insert(id("biz1"), BizState::Activated);
    case.until(500);
    assert_eq!(case.commands.len(), 3, "after all that time somebody else put it there");
}

/// An object of a namespace that is not the controller's, as whoever may create one there makes it.
fn forged(namespace: &str, name: &str) -> crate::view::ModuleView {
    let mut view = crate::testing::module(name);
    view.module.namespace = namespace.into();
    view.module.uid = format!("forged-{namespace}-{name}").into();
    view
}

/// A Pod of another namespace than the controller's.
fn pod_of(case: &mut Case, namespace: &str, name: &str, biz: &str) -> crate::view::PodRef {
    let mut pod = crate::testing::pod(name, biz, "1");
    pod.pod.namespace = namespace.into();
    pod.resource_version = case.next();
    let reference = pod.pod.clone();
    case.pods.insert(pod.pod.uid.clone(), pod.clone());
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(pod))));
    reference
}

#[test]
fn what_somebody_makes_up_uninstalls_nothing_that_was_there_before() {
    let fakes = || {
        let mut in_place = forged("tenant", "merged");
        in_place.managed = true;
        let mut elsewhere = forged("tenant", "merged");
        elsewhere.module.name = "made-up".into();
        [in_place, elsewhere]
    };
    // While the controller runs, and while none did.
    for early in [false, true] {
        let modules = if early { fakes().to_vec() } else { Vec::new() };
        let mut case = Case::start_with(|_| {}, &[("merged", BizState::Activated)], &modules);
        case.until(130);
        if !early {
            fakes()
                .into_iter()
                .for_each(|view| case.step(Event::Cluster(ClusterEvent::Module(Box::new(view)))));
        }
        case.until(400);
        assert_eq!(case.commands, [] as [&str; 0], "early: {early}");
        let shown = &case.modules[&id("merged")];
        assert_eq!((&*shown.module.namespace, shown.managed, shown.in_place), ("default", false, true));
    }
}

/// Its name is the one that ours would have, so that no other can be made beside it.
#[test]
fn what_was_there_before_the_pod_of_its_namespace_is_believed_from_then_on() {
    let mut modules = super::Modules::default();
    let mut view = forged("tenant", "biz1");
    view.managed = true;
    let from = super::Provenance { own: "default", is_ours: false, has_pod: false, is_left: false };
    modules.see(view, from);
    modules.is_asked_for(&id("biz1"), "other");
    assert!(!modules.is_told_managed(&id("biz1")), "nobody in its namespace asks for it");
    modules.is_asked_for(&id("biz1"), "tenant");
    assert!(modules.is_told_managed(&id("biz1")));
}

/// It was killed between intent and status, and the Pod went by force before the next began.
#[test]
fn what_a_killed_controller_was_installing_is_uninstalled_although_its_object_has_no_status_and_no_pod() {
    let mut case = Case::start(|_| {}, &[]);
    case.until(5);
    pod_of(&mut case, "tenant", "p", "biz1");
    case.modules.values_mut().for_each(|module| module.status = ModuleStatus::default());
    assert_eq!((case.modules.len(), case.held.len()), (1, 1));
    case.begin_anew(|_, pods| pods.clear());
    case.until(case.seconds + 400);
    assert!(case.held.is_empty() && case.modules.is_empty(), "{:?} {:?}", case.held, case.modules);
}

/// With a Pod in its namespace an object is believed, but never that the module was not there before.
#[test]
fn whoever_adopts_what_was_there_before_cannot_have_it_uninstalled() {
    let mut case = Case::start(|_| {}, &[("merged", BizState::Activated)]);
    case.until(130);
    let pod = pod_of(&mut case, "tenant", "p", "merged");
    case.step(Event::Cluster(ClusterEvent::Module(Box::new(forged("tenant", "merged")))));
    case.until(140);
    case.delete(&pod);
    case.until(400);
    assert_eq!(case.commands, [] as [&str; 0]);
}

#[test]
fn what_a_tenant_says_was_in_place_is_uninstalled_with_its_pod() {
    let mut case = Case::start(|_| {}, &[]);
    let pod = pod_of(&mut case, "tenant", "p", "biz1");
    case.until(5);
    let mut says = case.modules[&id("biz1")].clone();
    (says.in_place, says.resource_version) = (true, case.next());
    assert_eq!(&*says.module.namespace, "tenant");
    case.modules.insert(id("biz1"), says.clone());
    case.step(Event::Cluster(ClusterEvent::Module(Box::new(says))));
    case.until(10);
    assert!(!case.modules[&id("biz1")].in_place, "taken back");
    case.delete(&pod);
    case.until(60);
    assert_eq!(case.commands, ["install biz1:1", "uninstall biz1:1"]);
}

/// The package that another's object names is no reason to replace what serves.
#[test]
fn an_object_of_a_namespace_without_a_pod_says_nothing_of_the_package() {
    let mut fake = forged("tenant", "biz1");
    fake.url = "file:///packages/another.jar".into();
    let mut case = Case::start_with(|_| {}, &[("biz1", BizState::Activated)], &[fake]);
    case.until(130);
    pod_of(&mut case, "owner", "p", "biz1");
    case.until(200);
    assert_eq!(case.commands, [] as [&str; 0]);
    // The Pod of its own namespace has what it asks for, and its object where it belongs.
    let module = &case.modules[&id("biz1")];
    assert_ne!(&*module.module.namespace, "tenant");
}

/// The Pod went by force while no controller ran: the object in its namespace has a status, which only we write.
#[test]
fn what_bears_our_status_is_believed_without_its_pod() {
    let mut case = Case::start(|_| {}, &[]);
    pod_of(&mut case, "tenant", "p", "biz1");
    case.until(5);
    let told = case.modules[&id("biz1")].clone();
    assert_eq!(&*told.module.namespace, "tenant");
    let mut after = Case::start_with(|_| {}, &[("biz1", BizState::Activated)], &[told]);
    after.until(200);
    assert_eq!(after.commands, ["uninstall biz1:1"]);
}

#[test]
fn whoever_changes_an_object_again_and_again_is_answered_a_few_times_a_minute() {
    let mut case = Case::start(|_| {}, &[]);
    case.create("p", "biz1");
    case.until(70);
    let before = case.writes.len();
    for _ in 0..59 {
        case.seconds += 1;
        let mut changed = case.modules[&id("biz1")].clone();
        (changed.pod, changed.resource_version) = ("somebody".into(), case.next());
        case.step(Event::Cluster(ClusterEvent::Module(Box::new(changed))));
        case.step(report(BaseState::Activated));
    }
    let answers = case.writes.len() - before;
    assert!((1..=8).contains(&answers), "{answers} writes");
    let mut changed = case.modules[&id("biz1")].clone();
    changed.resource_version = case.next();
    (changed.pod) = "somebody".into();
    case.step(Event::Cluster(ClusterEvent::Module(Box::new(changed))));
    case.until(case.seconds + 90);
    assert_eq!(&*case.modules[&id("biz1")].pod, "p", "in the end it says what is");
}

/// A finalizer holds the object: nothing is written as long as nothing changes.
#[test]
fn an_object_that_is_being_deleted_and_stays_is_waited_for_without_writes() {
    let mut case = Case::start(|_| {}, &[]);
    case.until(5);
    let mut held = crate::testing::module("biz1");
    (held.managed, held.deleting) = (false, true);
    case.modules.insert(id("biz1"), held.clone());
    case.step(Event::Cluster(ClusterEvent::Module(Box::new(held))));
    case.create("p", "biz1");
    case.until(60);
    assert_eq!((case.writes.len(), &case.commands[..]), (0, &[] as &[String]), "{:?}", case.writes);
}
