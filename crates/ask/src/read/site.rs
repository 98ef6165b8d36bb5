//! The Node of a base, as the scheduler sees it.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use super::{Object, nothing, workload::MetaJson};

/// A base's Node, as the scheduler sees it.
#[derive(Debug, Clone, Default)]
pub struct Site(pub engine::view::NodeView);

#[derive(Deserialize)]
struct NodeJson {
    metadata: MetaJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: NodeSpecJson,
    #[serde(default, deserialize_with = "nothing")]
    status: NodeStatusJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeSpecJson {
    #[serde(deserialize_with = "nothing")]
    taints: Vec<TaintJson>,
    unschedulable: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeStatusJson {
    #[serde(deserialize_with = "nothing")]
    allocatable: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TaintJson {
    key: String,
    value: String,
    effect: String,
}

impl Object for Site {
    const NAME: &'static str = "Nodes of bases";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let NodeJson { metadata, spec, status } = serde_json::from_str(json)?;
        let texts = |map: BTreeMap<String, String>| {
            map.into_iter().map(|(key, value)| (Arc::from(key), Arc::from(value))).collect()
        };
        let taint =
            |json: TaintJson| engine::view::Taint { key: json.key, value: json.value, effect: json.effect };
        let allocatable: litemap::LiteMap<Arc<str>, Arc<str>> = texts(status.allocatable);
        Ok(Self(engine::view::NodeView {
            name: Arc::from(&*metadata.name),
            labels: texts(metadata.labels),
            taints: spec.taints.into_iter().map(taint).collect::<Vec<_>>().into(),
            unschedulable: spec.unschedulable,
            allocatable: allocatable.into(),
            ..engine::view::NodeView::default()
        }))
    }
}
