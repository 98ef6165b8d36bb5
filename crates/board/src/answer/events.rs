//! What happened: Events, as the viewer may see them.

use ask::Text;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Events {
    pub(crate) items: Vec<Happening>,
}

/// One thing that happened to an object.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Happening {
    pub(crate) at: Option<Timestamp>,
    /// `Normal` or `Warning`.
    kind: Text,
    reason: Text,
    message: Text,
    pub(crate) about: About,
    count: u64,
    /// The id of what the controller did, which is in its log too.
    pub(crate) trace: Text,
}

/// An object.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(default)]
pub(crate) struct About {
    pub(crate) kind: Text,
    pub(crate) namespace: Text,
    pub(crate) name: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventJson {
    #[serde(default)]
    metadata: MetaJson,
    #[serde(default)]
    r#type: Option<Text>,
    #[serde(default)]
    reason: Option<Text>,
    #[serde(default)]
    message: Option<Text>,
    #[serde(default)]
    involved_object: About,
    count: Option<u64>,
    last_timestamp: Option<Timestamp>,
    event_time: Option<Timestamp>,
    series: Option<SeriesJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MetaJson {
    annotations: Option<std::collections::BTreeMap<String, Text>>,
    creation_timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeriesJson {
    count: Option<u64>,
    last_observed_time: Option<Timestamp>,
}

impl<'de> Deserialize<'de> for Happening {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = EventJson::deserialize(deserializer)?;
        let annotations = event.metadata.annotations.unwrap_or_default();
        let last = event.series.as_ref().and_then(|series| series.last_observed_time);
        Ok(Self {
            at: last.or(event.last_timestamp).or(event.event_time).or(event.metadata.creation_timestamp),
            kind: event.r#type.unwrap_or_default(),
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
            about: event.involved_object,
            count: event.series.and_then(|series| series.count).or(event.count).unwrap_or(1),
            trace: annotations.get("module-controller.koupleless.io/trace-id").cloned().unwrap_or_default(),
        })
    }
}
