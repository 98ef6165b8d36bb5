//! A cluster of two bases, for the tests of what is shown of it.

use jiff::Timestamp;

use super::*;
use crate::read::{Container, Ready};

/// When the pictures are looked at.
pub(crate) fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn at(text: &str) -> Option<Timestamp> {
    Some(format!("2026-11-28T{text}Z").parse().unwrap())
}

pub(crate) fn base(node: &str) -> Base {
    Base {
        node: node.into(),
        identity: node.strip_prefix("virtual-node-").unwrap_or(node).into(),
        env: "dev".into(),
        name: "base".into(),
        version: "1.0.0".into(),
        cluster: "default".into(),
        host_name: format!("{node}-host").into(),
        address: "192.0.2.1".into(),
        tunnel: "http".into(),
        port: "1238".into(),
        ready: Some(Ready {
            status: "True".into(),
            reason: "BaseReady".into(),
            message: "the base is heard and answers".into(),
            since: at("09:00:00"),
        }),
        memory: Some(("200Mi".into(), "256Mi".into())),
        created: at("09:00:00"),
        owner: "replica-a".into(),
        renewed: at("11:59:55"),
        ..Base::default()
    }
}

pub(crate) fn module(node: &str, id: &str, state: &str, pod: &str) -> Module {
    let (name, version) = id.split_once(':').unwrap();
    Module {
        namespace: "shop".into(),
        name: name.into(),
        version: version.into(),
        url: format!("https://packages.example/{name}-{version}.jar").into(),
        pod: pod.into(),
        node: node.into(),
        managed: !pod.is_empty(),
        state: state.into(),
        since: at("11:57:00"),
        ..Module::default()
    }
}

pub(crate) fn pod(name: &str, node: &str, ready: bool) -> Pod {
    let owner = name.rsplit_once('-').map_or(name, |(owner, _)| owner);
    Pod {
        namespace: "shop".into(),
        name: name.into(),
        node: node.into(),
        phase: if ready { "Running" } else { "Pending" }.into(),
        ready,
        owner: Some(Owner { kind: "Deployment".into(), name: owner.into() }),
        created: at("11:00:00"),
        containers: vec![Container { name: owner.into(), version: "1.0.0".into(), state: State::Untold }],
        ..Pod::default()
    }
}

/// Two bases, one of them silent; a module that serves, one that failed, one that nobody asked for, and a Pod that finds
/// no base. One module's name is in wide characters, and one message is hostile.
pub(crate) fn shop() -> Picture {
    let mut silent = base("virtual-node-b");
    silent.ready = Some(Ready {
        status: "False".into(),
        reason: "BaseSilent".into(),
        message: "nothing has been heard of the base for more than 25 s".into(),
        since: at("11:58:00"),
    });
    let mut failed = module("virtual-node-a", "cart:2.0.0", "Failed", "cart-x1");
    failed.code = "Arklet.PullBizError".into();
    failed.message = "the base cannot fetch it: \u{1b}[2Jconnection refused".into();
    failed.suggestion = "Look at the URL.".into();
    let wide = module("virtual-node-b", "订单:1.0.0", "Available", "orders-z9");
    let mut orders = pod("orders-z9", "virtual-node-b", false);
    orders.containers = vec![Container { name: "订单".into(), ..Container::default() }];
    let mut in_place = module("virtual-node-a", "monitor:1.0.0", "Available", "");
    in_place.in_place = true;
    let mut unplaced = pod("cart-x2", "", false);
    unplaced.message = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.".into();
    let mut picture = Picture {
        bases: vec![silent, base("virtual-node-a")],
        modules: [in_place, failed, module("virtual-node-a", "price:1.0.0", "Available", "price-y1"), wide]
            .map(Arc::new)
            .into(),
        pods: [
            pod("price-y1", "virtual-node-a", true),
            pod("cart-x1", "virtual-node-a", false),
            orders,
            unplaced,
        ]
        .map(Arc::new)
        .into(),
        replicas: vec![Replica {
            namespace: "module-controller".into(),
            env: "dev".into(),
            client_id: "controller-0".into(),
            incarnation: "replica-a".into(),
            state: "living".into(),
            cut_off: false,
            knows_plans: true,
            renewed: at("11:59:58"),
        }],
        not_shown: Vec::new(),
    };
    picture.put_together(Vec::new(), false);
    picture
}

/// So many bases, with the same modules on each but for one.
pub(crate) fn large(bases: usize, modules: usize) -> Picture {
    let mut picture = Picture::default();
    for base_number in 0..bases {
        let node = format!("virtual-node-{base_number:04}");
        picture.bases.push(base(&node));
        for number in 0..modules {
            let pod_name = format!("biz{number}-{base_number}");
            let state = if base_number == 7 && number == 0 { "Failed" } else { "Available" };
            picture.modules.push(module(&node, &format!("biz{number}:1.0.0"), state, &pod_name).into());
            picture.pods.push(pod(&pod_name, &node, state == "Available").into());
        }
    }
    picture.put_together(Vec::new(), false);
    picture
}

#[test]
fn a_module_has_its_pod_and_its_owner() {
    let lines = shop().lines();
    let said: Vec<String> = lines
        .iter()
        .map(|line| {
            format!("{} {} {} {} {}", line.node, line.id(), line.state, line.pod_path(), line.owner_path())
        })
        .collect();
    assert_eq!(
        said,
        [
            "virtual-node-a cart:2.0.0 Failed shop/cart-x1 Deployment/cart",
            "virtual-node-a monitor:1.0.0 Available  ",
            "virtual-node-a price:1.0.0 Available shop/price-y1 Deployment/price",
            "virtual-node-b 订单:1.0.0 Available shop/orders-z9 Deployment/orders",
        ]
    );
}

#[test]
fn without_module_objects_the_pods_tell() {
    let container = |state| Container { name: "biz1".into(), version: "1.0.0".into(), state };
    let said = |state: State| {
        let pod = Pod { containers: vec![container(state)], ..pod("biz1-a", "virtual-node-a", false) };
        let picture = Picture { pods: vec![pod.into()], ..Picture::default() };
        let line = picture.lines().remove(0);
        (line.state.to_string(), line.code.to_string(), line.is_well())
    };
    let waits = |reason: &str| State::Waiting { reason: reason.into(), message: "m".into() };
    let expect = |state: &str, code: &str, well| (state.to_owned(), code.to_owned(), well);
    assert_eq!(said(State::Untold), expect("Pending", "", false));
    assert_eq!(said(waits("Installing")), expect("Upgrading", "", false));
    assert_eq!(said(waits("Arklet.PullBizError")), expect("Failed", "Arklet.PullBizError", false));
    assert_eq!(said(waits("BizDeactivate")), expect("Deactivated", "", true));
    assert_eq!(said(State::Ended { reason: "Completed".into() }), expect("Completed", "", true));
}

#[test]
fn bases_that_may_not_be_seen_are_there_by_name() {
    let mut picture =
        Picture { pods: vec![pod("biz1-a", "virtual-node-a", true).into()], ..Picture::default() };
    picture.put_together(Vec::new(), false);
    assert_eq!(picture.bases.len(), 1);
    assert_eq!(picture.bases[0].ready, None);
}
