//! `/metrics`: what the parts have counted, read when the page is asked for.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelValue, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
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
        self.encode_reports(encoder)
    }
}

impl Counted {
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
