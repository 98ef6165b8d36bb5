//! `/metrics`: what the parts have counted, read when the page is asked for.

use std::{collections::BTreeMap, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelValue, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use crate::admin::Admin;

/// The page, in the OpenMetrics text format.
pub(crate) fn page(admin: Admin) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("module_controller");
    registry.register_collector(Box::new(Counted(admin)));
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
        self.encode_reports(encoder)
    }
}

impl Counted {
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
        let unit = Unit::Seconds;
        let age = encoder.encode_descriptor(
            "lease_oldest_age",
            "How long ago the Lease of a VNode was renewed that was renewed longest ago",
            Some(&unit),
            MetricType::Gauge,
        )?;
        ConstGauge::new(census.oldest_lease.as_secs_f64()).encode(age)
    }

    fn encode_commands(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (open, ended) = self.0.commands.read();
        let open = [([] as [(&str, &str); 0], count(open))];
        Family { name: "commands_open", help: "Commands under way", kind: MetricType::Gauge }
            .encode(encoder, open)?;
        let labels =
            |command: &'static str, code: &str| [("command", command.to_owned()), ("code", code.to_owned())];
        let counts = ended.iter().map(|((command, code), ended)| (labels(command, code), ended.count));
        Family {
            name: "commands_ended",
            help: "Commands that ended, by error code",
            kind: MetricType::Counter,
        }
        .encode(encoder, counts)?;
        let took = ended.iter().map(|((command, code), ended)| (labels(command, code), ended.seconds));
        seconds(encoder, "command", "Time from sending a command to its end", took)
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
