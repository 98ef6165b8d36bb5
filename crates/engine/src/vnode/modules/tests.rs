//! What is written down, and what is never uninstalled.

use std::sync::Arc;

use model::{BaseState, BizState};

use crate::{
    Config, Event, UnmanagedBiz, WriteError,
    event::{Watched, Write},
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
    assert!(status.contains("KubeAPIServer.DBAccessError") && status.contains("a quota"), "{status}");
    case.refusal = None;
    case.until(400);
    assert_eq!(case.commands, ["install biz1:1"]);
}

#[test]
fn without_module_objects_everything_else_works() {
    let mut case = Case::start(|_| {}, &[]);
    case.step(Event::Unavailable(Watched::Modules));
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
    case.step(Event::Pod(Box::new(view)));
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
    case.step(Event::Pod(Box::new(new)));
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
    case.step(Event::Written { write: Write::DeleteNode(name.clone()), result: Ok(()) });
    case.step(Event::NodeGone { name, uid: "node".into() });
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
    case.step(Event::PodGone(pod));
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
