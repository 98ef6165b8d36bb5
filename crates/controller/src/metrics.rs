//! `/metrics`: what the parts have counted, read when the page is asked for.

mod process;

use std::{collections::BTreeMap, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelValue, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::{Registry, Unit},
};

pub(crate) use self::process::Process;
use crate::admin::Admin;

/// The page, in the OpenMetrics text format.
pub(crate) fn page(admin: Admin) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Used(admin.process)));
    registry.sub_registry_with_prefix("module_controller").register_collector(Box::new(Counted(admin)));
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(page)
}

struct Counted(Admin);

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

/// What the process uses; its names have no prefix.
#[derive(Debug)]
struct Used(Process);

impl Collector for Used {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.encode(&mut encoder)
    }
}

/// Numbers of one name, told apart by labels.
struct Family<'a, const N: usize> {
    name: &'a str,
    help: &'a str,
    kind: MetricType,
}

impl<const N: usize> Family<'_, N> {
    fn encode<V: EncodeLabelValue>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        rows: impl IntoIterator<Item = ([(&'static str, V); N], u64)>,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, self.kind)?;
        for (labels, value) in rows {
            match self.kind {
                MetricType::Counter => ConstCounter::new(value).encode(metric.encode_family(&labels)?)?,
                _ => gauge(value).encode(metric.encode_family(&labels)?)?,
            }
        }
        Ok(())
    }
}

/// A counter of seconds, told apart by labels; to be divided by a counter of what took them.
fn seconds<V: EncodeLabelValue, const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = ([(&'static str, V); N], f64)>,
) -> fmt::Result {
    let unit = Unit::Seconds;
    let mut metric = encoder.encode_descriptor(name, help, Some(&unit), MetricType::Counter)?;
    for (labels, value) in rows {
        ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// One row for each set of labels.
fn summed<const N: usize>(
    rows: impl Iterator<Item = ([(&'static str, &'static str); N], f64)>,
) -> BTreeMap<[(&'static str, &'static str); N], f64> {
    let mut sums = BTreeMap::new();
    for (labels, value) in rows {
        *sums.entry(labels).or_default() += value;
    }
    sums
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        let help = "Which version runs";
        version.encode(encoder.encode_descriptor("build", help, None, MetricType::Info)?)?;
        self.encode_health(encoder)?;
        let (_, summary) = self.0.pulse.read();
        let states = [
            ([("state", "heard")], count(summary.vnodes.saturating_sub(summary.silent))),
            ([("state", "silent")], count(summary.silent)),
            ([("state", "unanswered")], count(summary.strangers)),
        ];
        Family { name: "vnodes", help: "VNodes by what is heard of their bases", kind: MetricType::Gauge }
            .encode(encoder, states)?;
        let held_back = [([] as [(&str, &str); 0], u64::from(summary.held_back))];
        Family {
            name: "blast_radius_guard",
            help: "1 while so many VNodes are silent at once that none is deleted",
            kind: MetricType::Gauge,
        }
        .encode(encoder, held_back)?;
        let claims = encoder.encode_descriptor(
            "identity_claims_refused",
            "Heartbeats refused because they claim the identity of a base that is alive elsewhere",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(summary.claims_refused).encode(claims)?;
        let turned_away = [([] as [(&str, &str); 0], summary.turned_away)];
        Family {
            name: "bases_turned_away",
            help: "Heartbeats of unknown bases that were not taken",
            kind: MetricType::Counter,
        }
        .encode(encoder, turned_away)?;
        Family { name: "replicas", help: "Replicas that live, with this one", kind: MetricType::Gauge }
            .encode(encoder, [([("state", "living")], count(summary.members))])?;
        self.encode_tunnels(encoder)?;
        self.encode_modules(encoder)?;
        self.encode_pods(encoder)?;
        self.encode_commands(encoder)?;
        self.encode_queues(encoder)?;
        let calls = self.0.counters.snapshot().calls;
        let rows = calls.iter().map(|call| {
            let labels = [
                ("verb", call.verb.as_str()),
                ("resource", call.resource.as_str()),
                ("outcome", call.outcome.as_str()),
            ];
            (labels, call.count)
        });
        Family { name: "api_requests", help: "Requests to the API server", kind: MetricType::Counter }
            .encode(encoder, rows)?;
        let took = calls.iter().map(|call| {
            ([("verb", call.verb.as_str()), ("resource", call.resource.as_str())], call.took.as_secs_f64())
        });
        seconds(encoder, "api_request", "Time that requests to the API server took", summed(took))?;
        self.encode_status_writes(encoder)?;
        self.encode_kubelet(encoder)?;
        self.encode_reports(encoder)
    }
}

impl Counted {
    /// What `/readyz` says in words.
    fn encode_health(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let ready = [([] as [(&str, &str); 0], u64::from(self.0.is_ready()))];
        let help = "1 while nothing keeps this replica from its work, as /readyz says it";
        Family { name: "ready", help, kind: MetricType::Gauge }.encode(encoder, ready)?;
        let shared = [([] as [(&str, &str); 0], u64::from(self.0.pulse.twin().is_some()))];
        let help = "1 while another replica lives under the same CLIENT_ID";
        Family { name: "client_id_shared", help, kind: MetricType::Gauge }.encode(encoder, shared)?;
        let tunnels =
            self.0.tunnels.up().into_iter().map(|(tunnel, up)| ([("tunnel", tunnel)], u64::from(up)));
        let help = "1 while a tunnel carries messages: HTTP listens, or the broker is connected";
        Family { name: "tunnel_up", help, kind: MetricType::Gauge }.encode(encoder, tunnels)
    }

    fn encode_kubelet(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let rows = self.0.kubelet_requests.all();
        let rows =
            rows.map(|(endpoint, outcome, count)| ([("endpoint", endpoint), ("outcome", outcome)], count));
        let help = "Requests to the kubelet API of the VNodes";
        Family { name: "kubelet_requests", help, kind: MetricType::Counter }.encode(encoder, rows)
    }

    fn encode_modules(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let census = self.0.pulse.census();
        let states = census.modules.iter().map(|(state, n)| ([("state", *state)], count(*n)));
        Family { name: "modules", help: "Modules on bases, as the bases have them", kind: MetricType::Gauge }
            .encode(encoder, states)?;
        let pods = [
            ([("ready", "true")], count(census.pods_ready)),
            ([("ready", "false")], count(census.pods_not_ready)),
        ];
        Family { name: "pods", help: "Module Pods on VNodes", kind: MetricType::Gauge }
            .encode(encoder, pods)?;
        let nodes = [
            ([("reason", "BaseSilent")], count(census.silent)),
            ([("reason", "ArkletUnanswering")], count(census.unanswering)),
            ([("reason", "BaseNotServing")], count(census.not_serving)),
        ];
        let help = "Nodes that are not Ready, by the reason of their condition";
        Family { name: "nodes_not_ready", help, kind: MetricType::Gauge }.encode(encoder, nodes)?;
        let unit = Unit::Seconds;
        let age = encoder.encode_descriptor(
            "lease_oldest_age",
            "How long ago the Lease of a VNode was renewed that was renewed longest ago",
            Some(&unit),
            MetricType::Gauge,
        )?;
        ConstGauge::new(census.oldest_lease.as_secs_f64()).encode(age)
    }

    fn encode_pods(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let unit = Unit::Seconds;
        let longest = encoder.encode_descriptor(
            "pod_longest_not_ready",
            "How long that module Pod has not been Ready which has not been so for longest; 0 where all are",
            Some(&unit),
            MetricType::Gauge,
        )?;
        ConstGauge::new(self.0.pulse.census().longest_not_ready.as_secs_f64()).encode(longest)?;
        let starts = encoder.encode_descriptor(
            "pod_start_duration",
            "Time from seeing a Pod on a VNode to its being Ready for the first time",
            Some(&unit),
            MetricType::Histogram,
        )?;
        self.0.pod_starts.encode(starts)
    }

    fn encode_status_writes(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(
            "status_write_duration",
            "Time from deciding on a status to the end of its write, with the time that it waited for its turn",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (kind, durations) in self.0.counters.status_writes() {
            durations.encode(metric.encode_family(&[("resource", kind.as_str())])?)?;
        }
        Ok(())
    }

    fn encode_commands(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (open, ended) = self.0.commands.read();
        let open = [([] as [(&str, &str); 0], count(open))];
        Family { name: "commands_open", help: "Commands under way", kind: MetricType::Gauge }
            .encode(encoder, open)?;
        let labels =
            |command: &'static str, code: &str| [("command", command.to_owned()), ("code", code.to_owned())];
        let counts = ended.iter().map(|((command, code), ended)| (labels(command, code), *ended));
        Family {
            name: "commands_ended",
            help: "Commands that ended, by error code",
            kind: MetricType::Counter,
        }
        .encode(encoder, counts)?;
        let took = encoder.encode_descriptor(
            "command_duration",
            "Time from sending a command to a base to its answer, or to what came instead of one",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        self.0.commands.durations().encode(took)
    }

    fn encode_queues(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = self.0.counters.snapshot();
        let writes = [("writes", snapshot.waiting), ("writes_running", snapshot.running)];
        let queues = self.0.queues.waiting().map(|(queue, n)| (queue, count(n)));
        let rows = queues.into_iter().chain(writes).map(|(queue, n)| ([("queue", queue)], n));
        Family { name: "queue_length", help: "What waits, or runs", kind: MetricType::Gauge }
            .encode(encoder, rows)?;
        let places = snapshot.places.iter().map(|(lane, n)| ([("lane", lane.as_str())], *n));
        Family {
            name: "write_places",
            help: "How many writes may run at once, which is halved when the API server has enough (429)",
            kind: MetricType::Gauge,
        }
        .encode(encoder, places)?;
        let overflow = [("writes", snapshot.overflowed), ("events", snapshot.announcements_dropped)];
        Family {
            name: "queue_overflow",
            help: "What was turned away because a queue was full",
            kind: MetricType::Counter,
        }
        .encode(encoder, overflow.map(|(queue, n)| ([("queue", queue)], n)))
    }

    /// By the hook's place in REPORT_HOOKS, the first being 1: its URL is a secret.
    fn encode_reports(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.0.reporter.counts();
        let rows = counts.iter().enumerate().flat_map(|(index, counts)| {
            let outcomes = [
                ("sent", counts.sent),
                ("failed", counts.failed),
                ("dropped", counts.dropped),
                ("suppressed", counts.suppressed),
            ];
            let hook = (index + 1).to_string();
            outcomes.map(|(outcome, n)| ([("hook", hook.clone()), ("outcome", outcome.to_owned())], n))
        });
        Family { name: "reports", help: "Reports of faults to webhooks", kind: MetricType::Counter }
            .encode(encoder, rows)
    }

    fn encode_tunnels(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (http, mqtt) = (self.0.tunnels.http_stats(), self.0.tunnels.mqtt_stats());
        let heartbeats =
            [("http", http.as_ref().map(|s| s.heartbeats)), ("mqtt", mqtt.as_ref().map(|s| s.heartbeats))];
        let heartbeats = heartbeats.into_iter().filter_map(|(tunnel, n)| Some(([("tunnel", tunnel)], n?)));
        Family { name: "heartbeats", help: "Heartbeats taken", kind: MetricType::Counter }
            .encode(encoder, heartbeats)?;
        let commands = [("http", http.as_ref().map(|s| s.calls)), ("mqtt", mqtt.as_ref().map(|s| s.calls))];
        let commands = commands.into_iter().filter_map(|(tunnel, n)| Some(([("tunnel", tunnel)], n?)));
        Family { name: "commands", help: "Commands sent to bases", kind: MetricType::Counter }
            .encode(encoder, commands)?;
        let forward = self.0.tunnels.forward_stats();
        let forwarded = forward.iter().flat_map(|stats| {
            let outcomes = [
                ("sent", stats.sent),
                ("dropped", stats.dropped),
                ("failed", stats.failed),
                ("taken", stats.taken),
            ];
            outcomes.map(|(outcome, n)| ([("outcome", outcome)], n))
        });
        Family {
            name: "heartbeats_forwarded",
            help: "Heartbeats between replicas: sent on to the owner of a base, or taken from another replica",
            kind: MetricType::Counter,
        }
        .encode(encoder, forwarded)?;
        let from_replicas = forward
            .iter()
            .flat_map(|stats| &stats.refused)
            .map(|(why, n)| ([("tunnel", "replica"), ("reason", why.as_str())], *n));
        let refused = http
            .iter()
            .flat_map(|stats| &stats.refused)
            .map(|(why, n)| ([("tunnel", "http"), ("reason", why.as_str())], *n));
        let dropped = mqtt
            .iter()
            .flat_map(|stats| &stats.dropped)
            .map(|(why, n)| ([("tunnel", "mqtt"), ("reason", why.as_str())], *n));
        Family {
            name: "messages_refused",
            help: "What bases, and other replicas, sent and was not taken",
            kind: MetricType::Counter,
        }
        .encode(encoder, refused.chain(dropped).chain(from_replicas))
    }
}
