//! The baseline: the modules that a base asks for when it starts. MQTT only.

use std::{net::IpAddr, sync::Arc};

use model::{BaseIdentity, ModuleSpec};
use serde_json::Value;

use crate::{
    body::packages,
    error::WireError,
    heartbeat::name,
    wire::{json, object, optional, required_word, word},
};

/// A base's question for its baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineQuery {
    /// Who asks.
    pub identity: BaseIdentity,
    /// The base's bizName; none where it reports none or the agent's placeholder.
    pub name: Option<Arc<str>>,
    /// The base's version; empty where it reports none.
    pub version: Arc<str>,
    /// The cluster that the base says it belongs to; empty where it reports none.
    pub cluster: Arc<str>,
    /// Language and runtime; empty where it reports none, as Java bases do.
    pub stack: Arc<str>,
    /// The address it was heard from; none over MQTT.
    pub peer: Option<IpAddr>,
}

/// A question for the baseline, `{identity,name,version,clusterName,stack?}`: what is an envelope's
/// `data` over MQTT.
///
/// # Errors
/// Where the text is no JSON, the identity is missing or impossible, or a field that we use
/// holds what it cannot.
pub fn parse_baseline_query(body: &[u8]) -> Result<BaselineQuery, WireError> {
    query(&json(body)?, None)
}

/// A question that was parsed as JSON, and over MQTT on whose topic it came: bases before koupleless 2 name themselves
/// nowhere else.
pub(crate) fn query(value: &Value, topic: Option<&BaseIdentity>) -> Result<BaselineQuery, WireError> {
    let map = object(value, "queryBaseline")?;
    let identity = match (optional(map, "identity"), topic) {
        (None, Some(topic)) => topic.clone(),
        _ => required_word(map, "identity")?.parse()?,
    };
    Ok(BaselineQuery {
        identity,
        name: name(map, "name")?,
        version: word(map, "version")?,
        cluster: word(map, "clusterName")?,
        stack: word(map, "stack")?,
        peer: None,
    })
}

/// The answer: a bare list of `{bizName,bizVersion,bizUrl}`, for
/// [`baseline_topic`](crate::mqtt::baseline_topic). An empty list is a valid baseline.
pub fn baseline_answer(modules: &[ModuleSpec]) -> Vec<u8> {
    packages(modules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_the_base() {
        let query = parse_baseline_query(br#"{"identity":"b1","name":"base","version":"1"}"#).unwrap();
        assert_eq!((query.identity.as_str(), query.name.as_deref()), ("b1", Some("base")));
        assert_eq!((&*query.version, &*query.cluster, &*query.stack), ("1", "", ""));
        let query = parse_baseline_query(br#"{"identity":"b1","stack":"wasm"}"#).unwrap();
        assert_eq!(&*query.stack, "wasm");
        assert_eq!(parse_baseline_query(b"{}"), Err(WireError::MissingField("identity")));
    }

    #[test]
    fn an_empty_baseline_is_an_empty_list() {
        assert_eq!(baseline_answer(&[]), b"[]");
    }
}
