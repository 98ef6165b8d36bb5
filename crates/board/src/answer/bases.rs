//! Bases, and one base with all that is known of it.

use std::collections::BTreeMap;

use ask::{
    Text,
    read::{Base, Ready},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Count, Happening, ShownLine, baseline::DifferenceOfBase, baseline::differences, is_fine};
use crate::{
    shell::word,
    snapshot::Snapshot,
    store::{Condition, Store},
};

/// All bases.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bases {
    items: Vec<BaseSummary>,
}

/// One base in short.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BaseSummary {
    node: Text,
    identity: Text,
    env: Text,
    name: Text,
    version: Text,
    cluster: Text,
    host_name: Text,
    address: Text,
    /// `http` or `mqtt`.
    tunnel: Text,
    port: Text,
    /// None where its Node is not seen.
    ready: Option<Ready>,
    memory_pressure: bool,
    cordoned: bool,
    memory: Option<Memory>,
    created: Option<Timestamp>,
    deleting: bool,
    /// The replica of the controller that acts for it, and when it said so last.
    owner: Text,
    renewed: Option<Timestamp>,
    modules: Count,
}

/// Its metaspace, as Kubernetes quantities.
#[derive(Debug, Serialize, ToSchema)]
struct Memory {
    free: Text,
    all: Text,
}

/// One base with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BaseDetail<'a> {
    base: BaseSummary,
    labels: BTreeMap<String, String>,
    taints: Vec<String>,
    conditions: Vec<Condition>,
    lines: Vec<ShownLine<'a>>,
    events: Vec<Happening>,
    differences: Vec<DifferenceOfBase>,
    /// Lines of kubectl that show more.
    commands: Vec<String>,
}

pub(crate) fn bases(snapshot: &Snapshot, store: &Store) -> Bases {
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    for line in &snapshot.lines {
        counts.entry(&*line.node).or_default().add(is_fine(line));
    }
    let count = |base: &Base| counts.get(&*base.node).copied().unwrap_or_default();
    Bases { items: snapshot.picture.bases.iter().map(|base| summary(base, count(base), store)).collect() }
}

fn summary(base: &Base, modules: Count, store: &Store) -> BaseSummary {
    // The snapshot is not made anew for each renewal; whoever saw the Node may know of it.
    let lease = base.ready.as_ref().and_then(|_| store.lease(&base.node));
    let Base { node, identity, env, name, version, cluster, host_name, address, tunnel, port, .. } =
        base.clone();
    BaseSummary {
        node,
        identity,
        env,
        name,
        version,
        cluster,
        host_name,
        address,
        tunnel,
        port,
        ready: base.ready.clone(),
        memory_pressure: base.memory_pressure,
        cordoned: base.cordoned,
        memory: base.memory.clone().map(|(free, all)| Memory { free, all }),
        created: base.created,
        deleting: base.deleting,
        owner: lease.as_ref().map(|lease| lease.holder.clone()).unwrap_or_default(),
        renewed: lease.and_then(|lease| lease.renewed),
        modules,
    }
}

/// The base of a Node, or of an identity, a host name or an address, as plans and people name it.
pub(crate) fn base<'a>(
    snapshot: &'a Snapshot,
    store: &Store,
    base: &Base,
    events: Vec<Happening>,
) -> BaseDetail<'a> {
    let node = &*base.node;
    let mut count = Count::default();
    let lines: Vec<ShownLine<'_>> = snapshot
        .lines
        .iter()
        .filter(|line| *line.node == *node)
        .map(|line| {
            count.add(is_fine(line));
            line.into()
        })
        .collect();
    let seen = snapshot.nodes.iter().find(|one| *one.base().node == *node);
    let site = seen.map(|seen| &seen.site().0);
    let labels = site
        .map(|site| site.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect());
    let taint = |taint: &engine::view::Taint| match taint.value.is_empty() {
        true => format!("{}:{}", taint.key, taint.effect),
        false => format!("{}={}:{}", taint.key, taint.value, taint.effect),
    };
    BaseDetail {
        base: summary(base, count, store),
        labels: labels.unwrap_or_default(),
        taints: site.map(|site| site.taints.iter().map(taint).collect()).unwrap_or_default(),
        conditions: seen.map(|seen| seen.conditions.clone()).unwrap_or_default(),
        lines,
        events,
        differences: differences(snapshot, Some(node)),
        commands: vec![
            format!("kubectl koupleless describe {}", word(node)),
            format!("kubectl describe node {}", word(node)),
            format!(
                "kubectl get pods --all-namespaces --field-selector {}",
                word(&format!("spec.nodeName={node}"))
            ),
        ],
    }
}
