//! What a base's Node shall be (docs/guide/operations.md).

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use arklet::BaselineQuery;
use jiff::Timestamp;
use litemap::LiteMap;
use model::{BaseIdentity, BaseReport, BaseState, Bilingual, TunnelKind, bilingual, name};

use super::{Context, Liveness, VNode, resources::OFFERS};
use crate::{
    config::{Config, ZoneSource},
    view::{Address, AddressKind, Common, Condition, ConditionStatus, NodeView, Taint},
};

/// Keeps the identity as the base reports it; a name may be an encoding of it.
const IDENTITY: &str = "base.koupleless.io/identity";
/// Keeps the base's address, with Arklet's port where the base tells it, where the Node's own is that of the kubelet API.
const ADDRESS: &str = "base.koupleless.io/address";
const TUNNEL: &str = "vnode.koupleless.io/tunnel";
pub(crate) const TUNNEL_PORT: &str = "base.koupleless.io/tunnel-port";
/// Label of the base's host name.
pub(crate) const HOST_NAME: &str = "base.koupleless.io/host-name";
/// Label of the zone.
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";
const ENV_LABELS: [&str; 2] = ["module-controller.koupleless.io/env", "virtual-kubelet.koupleless.io/env"];
const COMPONENT_LABELS: [&str; 2] =
    ["module-controller.koupleless.io/component", "virtual-kubelet.koupleless.io/component"];
/// Over this share of the metaspace the VNode reports MemoryPressure.
const MEMORY_PRESSURE_PERCENT: u64 = 90;
/// What the node lifecycle controller says of a Node by taints, and takes back by itself: nothing of a Node that is made anew.
const LIFECYCLE_TAINTS: [&str; 7] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/network-unavailable",
];
/// What the taints begin with that are ours.
pub(super) const OUR_TAINTS: &str = "schedule.koupleless.io/";

/// The labels, or the annotations, of an object.
type Texts = LiteMap<Arc<str>, Arc<str>>;

/// The environment that a Node belongs to.
pub(crate) fn env_of(node: &NodeView) -> Option<&str> {
    ENV_LABELS.iter().find_map(|label| node.labels.get(*label)).map(|env| &**env)
}

/// The identity that a Node stands for: kept in an annotation, or read from its name.
pub(crate) fn identity_of(node: &NodeView, config: &Config) -> Option<BaseIdentity> {
    if env_of(node) != Some(&*config.env) {
        return None;
    }
    let upstream = format!(".{}", config.env);
    let text = node.annotations.get(IDENTITY).map(|text| &**text).or_else(|| {
        node.name
            .strip_prefix("virtual-node-")
            .or_else(|| node.name.strip_prefix("vnode.")?.strip_suffix(upstream.as_str()))
    })?;
    text.parse().ok()
}

/// How a Node says that its base is reached.
pub(super) fn way_to(node: &NodeView) -> (TunnelKind, Option<SocketAddr>) {
    match node.labels.get(TUNNEL).map(|way| &**way) {
        Some("mqtt") => (TunnelKind::Mqtt, None),
        _ => {
            let port = node
                .labels
                .get(TUNNEL_PORT)
                .and_then(|port| port.parse().ok())
                .filter(|&port: &u16| port != 0);
            let ip = base_ip(node).and_then(|ip| ip.parse().ok());
            (TunnelKind::Http, ip.zip(port).map(|(ip, port)| SocketAddr::new(ip, port)))
        }
    }
}

/// The base's address, as its Node tells it.
pub(crate) fn base_ip(node: &NodeView) -> Option<String> {
    let told = node.annotations.get(ADDRESS).map(|told| {
        told.parse::<SocketAddr>().map_or_else(|_| told.to_string(), |address| address.ip().to_string())
    });
    let internal = || node.addresses.iter().find(|address| address.kind == AddressKind::InternalIp);
    told.or_else(|| internal().map(|internal| internal.address.clone()))
}

/// The labels that a VNode has by what its base tells of itself, all but the zone's.
fn labels(
    node: &str,
    report: &BaseReport,
    base_name: Option<&str>,
    http_port: Option<u16>,
    config: &Config,
) -> Texts {
    let mut labels = LiteMap::new();
    let mut label = |key: &str, value: &str| {
        labels.insert(key.into(), name::label_value(value).into());
    };
    label("base.koupleless.io/stack", &report.stack);
    if let Some(base_name) = base_name {
        label("base.koupleless.io/name", base_name);
    }
    label("base.koupleless.io/version", &report.version);
    label("base.koupleless.io/cluster-name", &report.cluster);
    label(HOST_NAME, &report.host_name);
    label(TUNNEL_PORT, &http_port.unwrap_or_default().to_string());
    label("kubernetes.io/hostname", node);
    label(TUNNEL, if http_port.is_some() { "http" } else { "mqtt" });
    label("node.kubernetes.io/exclude-from-external-load-balancers", "true");
    // As every virtual kubelet's Node has them: DaemonSets of the platform keep off by these.
    label("type", "virtual-kubelet");
    label("kubernetes.io/role", "agent");
    for key in COMPONENT_LABELS {
        label(key, "vnode");
    }
    for key in ENV_LABELS {
        label(key, &config.env);
    }
    labels
}

/// The Node that a base which has just been started will have, as far as its question for the
/// baseline tells. What it does not say (host name, of a Java base its stack) is as it was when the base was last
/// seen.
pub(crate) fn expected_node(
    tunnel: TunnelKind,
    query: &BaselineQuery,
    known: Option<&VNode>,
    config: &Config,
) -> NodeView {
    let last = known.and_then(|vnode| vnode.report.as_ref());
    let report = BaseReport {
        identity: query.identity.clone(),
        name: query.name.clone(),
        version: query.version.clone(),
        cluster: query.cluster.clone(),
        stack: if query.stack.is_empty() {
            last.map_or_else(|| "java".into(), |last| last.stack.clone())
        } else {
            query.stack.clone()
        },
        host_name: last.map(|last| last.host_name.clone()).unwrap_or_default(),
        ip: None,
        peer: None,
        port: None,
        labels: BTreeMap::new(),
        state: BaseState::Activated,
    };
    let name = known.map_or_else(
        || config.name_format.node_name(&query.identity, &config.env).into(),
        |vnode| vnode.name.clone(),
    );
    let port = known.and_then(|vnode| vnode.http_address(config)).map(|address| address.port());
    // 0 where the port is not known: over HTTP all the same.
    let port = port.or((tunnel == TunnelKind::Http).then_some(0));
    let seen = known.and_then(|vnode| vnode.node.as_ref());
    let mut all = seen.map(|node| node.labels.clone()).unwrap_or_default();
    let told = labels(&name, &report, query.name.as_deref(), port, config);
    all.extend(told.into_iter().filter(|(_, value)| !value.is_empty()));
    NodeView {
        name,
        labels: all,
        taints: taints(seen, config),
        unschedulable: seen.is_some_and(|node| node.unschedulable),
        ..NodeView::default()
    }
}

impl VNode {
    /// What the Node shall be; none while too little is known to say so.
    pub(super) fn desired_node(&self, ctx: &mut Context<'_>) -> Option<NodeView> {
        let Some(report) = &self.report else { return self.desired_of_node(ctx) };
        let seen = self.node.as_ref();
        // One that is made again has what others put on the one before.
        let before = self.deleted_node.as_deref().filter(|_| seen.is_none());
        let texts_before =
            |of: fn(&NodeView) -> &Texts| before.map(|node| of(node).clone()).unwrap_or_default();
        let master = self.health.as_ref().and_then(|health| health.master.as_ref());
        let base_name = report.name.as_deref().or_else(|| master.map(|master| master.name.as_str()));
        let http_port = self.http_address(ctx.config).map(|address| address.port());
        let mut all = texts_before(|node| &node.labels);
        all.extend(self.groups(ctx.config));
        all.extend(labels(&self.name, report, base_name, http_port, ctx.config));
        let offer = self.offer(ctx.config);
        let mut annotations = texts_before(|node| &node.annotations);
        annotations.insert(IDENTITY.into(), self.identity.as_str().into());
        annotations.insert(OFFERS.into(), offer.names.into());
        let known = seen.or(before);
        let kubelet = ctx.services.kubelet(ctx.config);
        // Where it is there already it stays true.
        let tells_address =
            kubelet.is_some() || known.is_some_and(|node| node.annotations.contains_key(ADDRESS));
        if let Some(address) = self.own_address(report).filter(|_| tells_address) {
            annotations.insert(ADDRESS.into(), address.into());
        }
        let mut taints = taints(known, ctx.config);
        if before.is_some() {
            taints.retain(|taint| !LIFECYCLE_TAINTS.contains(&taint.key.as_str()));
        }
        match ctx.config.zones {
            ZoneSource::Own => drop(all.insert(ZONE.into(), ctx.zones.of(&self.name).into())),
            ZoneSource::Base => all.extend(self.base_zone.name().map(|zone| (ZONE.into(), zone.clone()))),
            ZoneSource::None => {}
        }
        Some(NodeView {
            name: self.name.clone(),
            uid: seen.map(|node| node.uid.clone()).unwrap_or_default(),
            resource_version: seen.map(|node| node.resource_version).unwrap_or_default(),
            labels: all,
            annotations,
            taints,
            unschedulable: known.is_some_and(|node| node.unschedulable),
            addresses: self.addresses(report, kubelet.map(|(address, _)| address)),
            kubelet_port: kubelet.map_or(0, |(_, port)| port),
            capacity: offer.capacity.into(),
            allocatable: offer.allocatable.into(),
            conditions: self.conditions(ctx),
            kubelet_version: ctx.config.version.clone(),
            deleting: false,
        })
    }

    /// Where the base is, with Arklet's port where it tells that.
    fn own_address(&self, report: &BaseReport) -> Option<String> {
        let ip = self.ip();
        let port = report.port.filter(|port| *port != 0);
        match ip.parse::<IpAddr>().ok().zip(port) {
            Some((ip, port)) => Some(SocketAddr::new(ip, port).to_string()),
            None => Some(ip).filter(|ip| !ip.is_empty()),
        }
    }

    /// Ours in the place of the first of their kind, and those of others: a cloud's, or of another family. Where there is a
    /// kubelet API its address is the Node's, and there is no host name, which API servers would call first.
    fn addresses(&self, report: &BaseReport, kubelet: Option<IpAddr>) -> Vec<Address> {
        let mut all = self.node.as_ref().map(|node| node.addresses.clone()).unwrap_or_default();
        if kubelet.is_some() {
            all.retain(|address| address.kind != AddressKind::Hostname);
        }
        let ip = kubelet.map_or_else(|| self.ip(), |kubelet| kubelet.to_string());
        let host_name = if report.host_name.is_empty() { &*self.name } else { &*report.host_name };
        let internal = (!ip.is_empty()).then_some(Address { kind: AddressKind::InternalIp, address: ip });
        let host =
            kubelet.is_none().then(|| Address { kind: AddressKind::Hostname, address: host_name.to_owned() });
        for ours in internal.into_iter().chain(host) {
            if all.contains(&ours) {
                continue;
            }
            match all.iter_mut().find(|there| there.kind == ours.kind) {
                Some(there) => *there = ours,
                None => all.push(ours),
            }
        }
        all
    }

    /// Nobody was heard yet: all stays as it is, but for the conditions.
    fn desired_of_node(&self, ctx: &Context<'_>) -> Option<NodeView> {
        let mut node = self.node.clone()?;
        node.conditions = self.conditions(ctx);
        Some(node)
    }

    fn conditions(&self, ctx: &Context<'_>) -> Vec<Condition> {
        let times = &ctx.config.times;
        let (ready, reason, message) = match self.life.liveness(ctx.now.mono, times) {
            Liveness::Alive => {
                (true, "BaseReady", bilingual!("the base is heard and answers", "基座有心跳，也有应答"))
            }
            Liveness::Silent => {
                let silence = times.not_ready_after.as_secs();
                let told = bilingual!(
                    "nothing has been heard of the base for more than {silence} s",
                    "已有超过 {silence} 秒没有收到基座的任何消息"
                );
                (false, "BaseSilent", told)
            }
            Liveness::Unanswering => (
                false,
                "ArkletUnanswering",
                bilingual!(
                    "the base sends heartbeats, but its Arklet answers no command",
                    "基座有心跳，但它的 Arklet 不应答任何命令"
                ),
            ),
            Liveness::NotServing => {
                let told = bilingual!("the base says that it does not serve", "基座告知它不提供服务");
                (false, "BaseNotServing", told)
            }
            Liveness::Gone => (false, "BaseLeft", bilingual!("the base said goodbye", "基座已告知下线")),
        };
        let pressure = self.health.as_ref().is_some_and(|health| {
            match (health.max_metaspace_bytes, health.committed_metaspace_bytes) {
                (Some(max), Some(committed)) => {
                    committed.saturating_mul(100) >= max.saturating_mul(MEMORY_PRESSURE_PERCENT)
                }
                _ => false,
            }
        });
        let memory = match pressure {
            true => (
                "MetaspaceNearlyFull",
                bilingual!(
                    "over {MEMORY_PRESSURE_PERCENT}% of the base's metaspace is in use",
                    "基座的 metaspace 已使用超过 {MEMORY_PRESSURE_PERCENT}%"
                ),
            ),
            false => {
                let told = bilingual!(
                    "the base's metaspace is not near its limit, or has none",
                    "基座的 metaspace 离上限还远，或没有上限"
                );
                ("MetaspaceSufficient", told)
            }
        };
        let told = |message: &Bilingual| message.of(ctx.config.language).to_owned();
        let fine = |kind, reason: &str| self.condition(kind, false, reason, String::new(), ctx.now.wall);
        vec![
            self.condition("Ready", ready, reason, told(&message), ctx.now.wall),
            self.condition("MemoryPressure", pressure, memory.0, told(&memory.1), ctx.now.wall),
            fine("DiskPressure", "NotMeasured"),
            fine("PIDPressure", "NotMeasured"),
            fine("NetworkUnavailable", "BaseReachable"),
        ]
    }

    fn condition(&self, kind: &str, yes: bool, reason: &str, message: String, wall: Timestamp) -> Condition {
        let status = ConditionStatus::from(yes);
        let seen = self.node.as_ref().or(self.deleted_node.as_deref()).and_then(|node| node.condition(kind));
        let changed = seen.filter(|seen| seen.status == status).and_then(|seen| seen.changed);
        Condition {
            kind: kind.into(),
            status,
            reason: reason.into(),
            message: message.into(),
            changed: changed.or(Some(wall)),
        }
    }
}

/// Our taints among those that others have put there.
fn taints(seen: Option<&NodeView>, config: &Config) -> Common<Vec<Taint>> {
    let mut taints = seen.map(|node| node.taints.clone()).unwrap_or_default();
    let mut ours = vec![Taint {
        key: "schedule.koupleless.io/virtual-node".into(),
        value: "True".into(),
        effect: "NoExecute".into(),
    }];
    if config.env_taint {
        ours.push(Taint {
            key: "schedule.koupleless.io/node-env".into(),
            value: config.env.to_string(),
            effect: "NoExecute".into(),
        });
    }
    for taint in ours {
        if !taints.contains(&taint) {
            // A key has one value with each effect: with two the whole list would be refused.
            taints.retain(|there| (&there.key, &there.effect) != (&taint.key, &taint.effect));
            taints.push(taint);
        }
    }
    taints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_that_asks_for_its_baseline_may_say_its_stack_and_is_a_java_base_else() {
        let stack = |told: &str| {
            let query = BaselineQuery {
                identity: "b".parse().unwrap(),
                name: None,
                version: "1".into(),
                cluster: "".into(),
                stack: told.into(),
                peer: None,
            };
            let node = expected_node(TunnelKind::Http, &query, None, &Config::new("dev"));
            node.labels.get("base.koupleless.io/stack").map(ToString::to_string)
        };
        assert_eq!(stack("").as_deref(), Some("java"));
        assert_eq!(stack("wasm").as_deref(), Some("wasm"));
    }
}
