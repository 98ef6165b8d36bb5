use model::Quantity;

use crate::{
    config::KubeletConfig,
    view::{Address, AddressKind, Condition, ConditionStatus, NodeView, Taint},
    vnode::{node::way_to, testing::Case},
};

type Change = fn(&mut NodeView);

fn taint(key: &str, value: &str) -> Taint {
    Taint { key: key.into(), value: value.into(), effect: "NoSchedule".into() }
}

fn address(kind: &str, address: &str) -> Address {
    Address { kind: kind.into(), address: address.into() }
}

/// A base that is well, with a module.
fn served() -> Case {
    let mut case = Case::start(|_| {}, &[]);
    case.create("p", "biz1");
    case.until(40);
    case.sent.clear();
    case.unready = 0;
    case
}

/// Writes of the Node, since the last look.
fn writes(case: &mut Case) -> Vec<String> {
    let sent = std::mem::take(&mut case.sent);
    sent.into_iter().filter(|sent| sent.contains("node")).collect()
}

#[test]
fn what_others_write_on_a_node_stays_and_nothing_follows() {
    let changes: [(&str, Change); 12] = [
        ("a resource", |node| drop(node.capacity.insert("example.com/gpu".into(), "4".into()))),
        ("one of which there is some left", |node| {
            drop(node.allocatable.insert("example.com/gpu".into(), "4".into()))
        }),
        ("memory, of which we offer none", |node| drop(node.capacity.insert("memory".into(), "4Gi".into()))),
        ("an amount in other words", |node| drop(node.capacity.insert("pods".into(), "2000".into()))),
        ("a condition", |node| {
            node.conditions.push(Condition {
                kind: "KernelDeadlock".into(),
                status: ConditionStatus::False,
                reason: "KernelHasNoDeadlock".into(),
                message: "".into(),
                changed: None,
            });
        }),
        ("an address of another kind", |node| node.addresses.push(address("ExternalIP", "203.0.113.7"))),
        ("a second address", |node| node.addresses.insert(0, address("InternalIP", "fd00::7"))),
        ("a label", |node| drop(node.labels.insert("example.com/rack".into(), "7".into()))),
        ("an annotation", |node| drop(node.annotations.insert("example.com/note".into(), "x".into()))),
        ("a taint", |node| node.taints.push(taint("example.com/dedicated", "a"))),
        ("that it is cordoned", |node| node.unschedulable = true),
        ("one of our taints, with another effect", |node| {
            node.taints.push(taint("schedule.koupleless.io/virtual-node", "True"));
        }),
    ];
    for (what, change) in changes {
        let mut case = served();
        case.change_node(change);
        let after = case.node.clone().map(|node| NodeView { resource_version: 0, ..node });
        case.until(100);
        assert_eq!(writes(&mut case), [] as [&str; 0], "{what}");
        let left = case.node.clone().map(|node| NodeView { resource_version: 0, ..node });
        assert_eq!(left, after, "{what}");
    }
}

#[test]
fn what_is_ours_is_set_again_once_and_what_is_theirs_stays() {
    let changes: [(&str, Change); 7] = [
        ("a label", |node| drop(node.labels.insert("base.koupleless.io/name".into(), "other".into()))),
        ("the identity", |node| drop(node.annotations.remove("base.koupleless.io/identity"))),
        ("the taint", |node| node.taints.retain(|taint| !taint.key.starts_with("schedule.koupleless.io/"))),
        ("its value", |node| {
            let ours =
                node.taints.iter_mut().find(|taint| taint.key == "schedule.koupleless.io/virtual-node");
            ours.unwrap().value = "False".into();
        }),
        ("how many Pods", |node| drop(node.allocatable.insert("pods".into(), "7".into()))),
        ("the address", |node| node.addresses.retain(|address| address.kind != AddressKind::InternalIp)),
        ("a condition", |node| {
            let pressure = node.conditions.iter_mut().find(|condition| *condition.kind == *"DiskPressure");
            pressure.unwrap().status = ConditionStatus::True;
        }),
    ];
    for (what, change) in changes {
        let mut case = served();
        case.change_node(|node| {
            node.addresses.push(address("ExternalIP", "203.0.113.7"));
            node.taints.push(taint("example.com/dedicated", "a"));
        });
        let sorted = |case: &Case| {
            let mut node = case.node.clone().unwrap();
            node.resource_version = 0;
            node.conditions.iter_mut().for_each(|condition| condition.changed = None);
            node.conditions.sort_by(|one, other| one.kind.cmp(&other.kind));
            node.addresses.sort_by(|one, other| one.kind.cmp(&other.kind));
            node.taints.sort();
            node
        };
        let before = sorted(&case);
        case.change_node(change);
        case.until(100);
        let written = writes(&mut case);
        assert_eq!(written.len(), 1, "{what}: {written:?}");
        assert_eq!(sorted(&case), before, "{what}");
    }
}

#[test]
fn who_changes_it_back_each_second_is_corrected_ever_more_rarely_and_that_is_told_once() {
    let changes: [Change; 2] = [
        |node| drop(node.labels.insert("base.koupleless.io/name".into(), "other".into())),
        |node| drop(node.capacity.insert("pods".into(), "7".into())),
    ];
    for change in changes {
        let mut case = served();
        for second in 41..=640 {
            case.change_node(change);
            case.until(second);
        }
        case.seconds += 1;
        let told = case.sent.iter().filter(|sent| *sent == "says NodeContested").count();
        let written = writes(&mut case);
        assert!((5..=8).contains(&written.len()), "{written:?}");
        assert_eq!(told, 1);
        // What is new is said at once all the same.
        case.step(crate::vnode::testing::report(model::BaseState::NotServing));
        case.until(645);
        let ready = case.node.as_ref().and_then(|node| node.condition("Ready")).map(|ready| ready.status);
        assert_eq!(ready, Some(ConditionStatus::False));
    }
}

#[test]
fn a_node_that_is_deleted_while_its_base_is_well_is_made_again_with_what_was_on_it() {
    let mut case = served();
    case.change_node(|node| {
        node.unschedulable = true;
        node.labels.insert("example.com/rack".into(), "7".into());
        node.annotations.insert("example.com/note".into(), "x".into());
        node.taints.push(taint("example.com/dedicated", "a"));
        for key in ["not-ready", "unreachable", "unschedulable"] {
            node.taints.push(taint(&format!("node.kubernetes.io/{key}"), ""));
        }
    });
    let before = case.node.clone().unwrap();
    case.delete_node();
    let after = case.node.clone().expect("it is made again at once");
    assert_ne!(after.uid, before.uid);
    assert_eq!(
        (after.unschedulable, &after.labels, &after.annotations),
        (true, &before.labels, &before.annotations)
    );
    let keys: Vec<&str> = after.taints.iter().map(|taint| taint.key.as_str()).collect();
    assert_eq!(keys, ["schedule.koupleless.io/virtual-node", "example.com/dedicated"]);
    case.until(100);
    assert_eq!(case.unready, 0, "no Pod was told not to be Ready: {:?}", case.sent);
    assert_eq!(writes(&mut case), ["create node"]);
}

#[test]
fn a_node_that_is_deleted_again_and_again_is_made_again_ever_more_rarely() {
    let mut case = served();
    for second in 41..=641 {
        case.delete_node();
        case.until(second);
    }
    let told = case.sent.iter().filter(|sent| *sent == "says NodeContested").count();
    let made = writes(&mut case).len();
    assert!((5..=8).contains(&made), "{made}");
    assert_eq!(told, 1);
}

fn capacity(case: &Case, name: &str) -> Option<String> {
    case.node.as_ref()?.capacity.get(name).map(|quantity| quantity.to_string())
}

#[test]
fn what_a_setting_offers_is_there_and_goes_with_the_setting() {
    let offers = |config: &mut crate::Config| {
        for (name, quantity) in [("cpu", "10k"), ("memory", "1Ti")] {
            config.offers.insert(name.into(), quantity.parse::<Quantity>().unwrap());
        }
    };
    let mut case = Case::start(offers, &[]);
    case.until(40);
    let of = |case: &Case| ["cpu", "memory", "ephemeral-storage"].map(|name| capacity(case, name));
    assert_eq!(
        of(&case),
        [Some("10k".to_owned()), Some("1Ti".to_owned()), None],
        "its metaspace has no limit"
    );
    case.change_node(|node| drop(node.capacity.insert("ephemeral-storage".into(), "5Gi".into())));
    // A controller that offers nothing any more.
    case.begin_anew(|_, _| {});
    case.until(80);
    assert_eq!(of(&case), [None, None, Some("5Gi".to_owned())], "what others gave it stays");
    case.change_node(|node| drop(node.capacity.insert("memory".into(), "4Gi".into())));
    case.begin_anew(|_, _| {});
    case.until(120);
    assert_eq!(capacity(&case, "memory").as_deref(), Some("4Gi"), "it is theirs now");
}

/// API servers look for an address of type `Hostname` first.
#[test]
fn with_a_kubelet_api_a_node_names_it_and_nothing_else_and_its_base_is_still_reached() {
    let kubelet = KubeletConfig { port: 10_250, address: "10.96.0.7".parse().ok() };
    let mut case = Case::start(|config| config.kubelet = Some(kubelet), &[]);
    case.create("p", "biz1");
    case.until(40);
    let node = case.node.clone().unwrap();
    let named = [address("InternalIP", "10.96.0.7")];
    assert_eq!((&node.addresses[..], node.kubelet_port), (&named[..], 10_250));
    assert_eq!(
        node.annotations.get("base.koupleless.io/address").map(|told| &**told),
        Some("192.0.2.2:1238")
    );
    let pod = case.pods.values().next().unwrap();
    assert_eq!(&*pod.status.pod_ip, "192.0.2.2");
    case.sent.clear();
    // What leads elsewhere is taken away, and what is another's stays.
    case.change_node(|node| {
        node.addresses = vec![address("Hostname", "host-b"), address("ExternalIP", "203.0.113.7")];
        node.kubelet_port = 0;
    });
    case.until(100);
    assert_eq!(writes(&mut case).len(), 1);
    let node = case.node.clone().unwrap();
    let external = address("ExternalIP", "203.0.113.7");
    assert_eq!((node.addresses, node.kubelet_port), (vec![external, named[0].clone()], 10_250));
}

/// As after a restart, before the base is heard.
#[test]
fn where_a_base_is_reached_is_read_from_its_node_where_that_names_the_kubelet_api() {
    let node = |told: &str| NodeView {
        labels: [("vnode.koupleless.io/tunnel", "http"), ("base.koupleless.io/tunnel-port", "1238")]
            .map(|(key, value)| (key.into(), value.into()))
            .into_iter()
            .collect(),
        annotations: [("base.koupleless.io/address".into(), told.into())].into_iter().collect(),
        addresses: vec![address("InternalIP", "10.96.0.7")],
        ..NodeView::default()
    };
    for (told, expected) in [
        ("192.0.2.2:1238", "192.0.2.2:1238"),
        ("[fd00::2]:1238", "[fd00::2]:1238"),
        ("192.0.2.2", "192.0.2.2:1238"),
    ] {
        assert_eq!(way_to(&node(told)).1, expected.parse().ok(), "{told}");
    }
}
