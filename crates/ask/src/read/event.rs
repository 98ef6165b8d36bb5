//! What happened: Events.

use jiff::Timestamp;
use kube::Client;
use serde::{Deserialize, Serialize};

use super::{
    Object,
    json::nothing,
    list::{Failure, selected},
};
use crate::text::Text;

/// What happened to an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Happened {
    pub at: Option<Timestamp>,
    pub kind: Text,
    pub reason: Text,
    pub message: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventJson {
    #[serde(default, deserialize_with = "nothing")]
    r#type: Text,
    #[serde(default, deserialize_with = "nothing")]
    reason: Text,
    #[serde(default, deserialize_with = "nothing")]
    message: Text,
    last_timestamp: Option<Timestamp>,
    event_time: Option<Timestamp>,
    series: Option<SeriesJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeriesJson {
    last_observed_time: Option<Timestamp>,
}

impl Object for Happened {
    const NAME: &'static str = "Events";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let event: EventJson = serde_json::from_str(json)?;
        let again = event.series.and_then(|series| series.last_observed_time);
        Ok(Self {
            at: again.or(event.last_timestamp).or(event.event_time),
            kind: event.r#type,
            reason: event.reason,
            message: event.message,
        })
    }
}

/// The API server forgets them after an hour; this is more than happens to a base meanwhile.
const MOST: usize = 1_000;

/// The Events of a Node.
pub(crate) async fn events(client: &Client, node: &str) -> Result<Vec<Happened>, Failure> {
    let of = format!("involvedObject.kind=Node,involvedObject.name={node}");
    selected(client, "/api/v1/events", &[("fieldSelector", &of)], MOST).await.map(|found| found.items)
}
