//! Objects as they come from the API server, read straight into what we need of them.
//!
//! [`Slim`] never fails to be read. `kube` reads a list as one document, so one Pod that some
//! webhook made unreadable would else end every list, and with it the watch, for ever. Here the
//! failure stays with the object.

pub(crate) mod baseline;
pub(crate) mod candidate;
pub(crate) mod lease;
mod meta;
pub(crate) mod module;
pub(crate) mod node;
mod placement;
pub(crate) mod plan;
pub(crate) mod pod;
pub(crate) mod replica_set;
pub(crate) mod service;
mod unplaced;
pub(crate) mod workload;

use std::borrow::Cow;

use engine::view::{Condition, ConditionStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::announce::cut;

/// The most that is said of an object that cannot be read, in bytes: a line of a log.
const MAX_REASON: usize = 300;

/// A kind of object that is read slim.
pub(crate) trait Kind: Sized {
    /// `Node`, `Pod` or `Module`.
    const KIND: &'static str;
    /// The API group; empty for the core.
    const GROUP: &'static str = "";
    /// The version in that group.
    const VERSION: &'static str = "v1";
    /// As in a URL.
    const PLURAL: &'static str;
    /// Namespaced or not.
    type Scope;

    /// Reads one object.
    fn read(json: &str) -> Result<Self, Unreadable>;
}

/// Why an object cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unreadable {
    /// A field is of another type than the API has it.
    #[error("{0}")]
    Json(String),
    /// A field that every object has is missing.
    #[error("metadata.{0} is missing")]
    Missing(&'static str),
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        // It quotes what it found, which may be as long as an object.
        Self::Json(cut(&error.to_string(), MAX_REASON))
    }
}

/// One object, or why it cannot be read.
#[derive(Debug, Clone)]
pub(crate) struct Slim<T> {
    /// Name, namespace, UID and version; all that can be known of an unreadable object.
    pub(crate) meta: ObjectMeta,
    /// What was read.
    pub(crate) body: Result<T, Unreadable>,
}

impl<'de, T: Kind> Deserialize<'de> for Slim<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let named = serde_json::from_str::<Named>(raw.get()).unwrap_or_default().metadata;
        let meta = ObjectMeta {
            name: named.name,
            namespace: named.namespace,
            uid: named.uid,
            resource_version: named.resource_version,
            ..ObjectMeta::default()
        };
        Ok(Self { meta, body: T::read(raw.get()) })
    }
}

#[derive(Default, Deserialize)]
struct Named {
    metadata: Names,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Names {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
}

impl<T: Kind> kube::Resource for Slim<T> {
    type DynamicType = ();
    type Scope = T::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        T::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        T::GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        T::VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        T::PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// Reads `null` as if the field were missing: Go writes both for nothing.
pub(crate) fn nothing<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A time as Kubernetes writes it; none where it cannot be read.
pub(crate) fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// A resource version; 0 where it cannot be read.
pub(crate) fn version(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

/// What each of a list is, without room to spare: what serde reads has room for four at the least, and a list that is made
/// of it in its place keeps that, as long as the object is known.
pub(crate) fn each<J, V>(list: Vec<J>, of: impl FnMut(J) -> V) -> Vec<V> {
    let mut all: Vec<V> = list.into_iter().map(of).collect();
    all.shrink_to_fit();
    all
}

/// A condition of a Pod or a Node.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConditionJson {
    #[serde(default, deserialize_with = "nothing")]
    r#type: String,
    #[serde(default, deserialize_with = "nothing")]
    status: String,
    #[serde(default, deserialize_with = "nothing")]
    reason: String,
    #[serde(default, deserialize_with = "nothing")]
    message: String,
    last_transition_time: Option<String>,
}

impl ConditionJson {
    /// The scheduler has looked for a Node, and none takes the Pod.
    fn is_unschedulable(&self) -> bool {
        self.r#type == "PodScheduled" && self.status == "False" && self.reason == "Unschedulable"
    }
}

impl From<ConditionJson> for Condition {
    fn from(json: ConditionJson) -> Self {
        Self {
            kind: json.r#type.into(),
            status: match json.status.as_str() {
                "True" => ConditionStatus::True,
                "False" => ConditionStatus::False,
                _ => ConditionStatus::Unknown,
            },
            reason: json.reason.into(),
            message: json.message.into(),
            changed: time(json.last_transition_time.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::view::PodView;
    use kube::api::{ObjectList, WatchEvent};

    use super::{pod::Pod, *};

    const GOOD: &str = r#"{"metadata":{"namespace":"ns","name":"good","uid":"u1","resourceVersion":"7"}}"#;
    const BAD: &str = r#"{"metadata":{"namespace":"ns","name":"bad","uid":"u2","resourceVersion":"8"},"spec":{"containers":5}}"#;
    const NAMELESS: &str = r#"{"metadata":"x"}"#;

    #[test]
    fn one_unreadable_object_does_not_spoil_a_list() {
        let list = format!(
            r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"9"}},"items":[{BAD},{GOOD},{NAMELESS}]}}"#
        );
        let list: ObjectList<Pod> = serde_json::from_str(&list).unwrap();
        let [bad, good, nameless] = &list.items[..] else { panic!("{list:?}") };
        assert_eq!(&*good.body.as_ref().unwrap().pod.name, "good");
        assert_eq!(bad.meta.uid.as_deref(), Some("u2"));
        assert!(bad.body.as_ref().unwrap_err().to_string().contains("invalid type"), "{bad:?}");
        assert_eq!(nameless.meta.uid, None);
        assert!(nameless.body.is_err());
    }

    #[test]
    fn an_unreadable_object_of_a_watch_keeps_its_version_so_that_the_watch_goes_on() {
        let event: WatchEvent<Pod> =
            serde_json::from_str(&format!(r#"{{"type":"MODIFIED","object":{BAD}}}"#)).unwrap();
        let WatchEvent::Modified(pod) = event else { panic!("{event:?}") };
        assert_eq!(kube::ResourceExt::resource_version(&pod).as_deref(), Some("8"));
        assert!(pod.body.is_err());
    }

    #[test]
    fn an_unreadable_object_is_not_quoted_whole() {
        let pod = format!(r#"{{"metadata":{{"name":"p"}},"status":"{}"}}"#, "基".repeat(10_000));
        let error = PodView::read(&pod).unwrap_err().to_string();
        assert!(error.starts_with("invalid type: string") && error.len() <= MAX_REASON, "{error}");
    }

    #[test]
    fn bookmarks_and_errors_of_a_watch_are_not_taken_for_objects() {
        let bookmark = r#"{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"10"}}}"#;
        assert!(matches!(
            serde_json::from_str::<WatchEvent<Pod>>(bookmark).unwrap(),
            WatchEvent::Bookmark(_)
        ));
        let gone = r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#;
        assert!(matches!(serde_json::from_str::<WatchEvent<Pod>>(gone).unwrap(), WatchEvent::Error(_)));
    }

    #[test]
    fn the_urls_are_those_of_the_api() {
        use kube::Resource;
        assert_eq!(Slim::<PodView>::url_path(&(), Some("ns")), "/api/v1/namespaces/ns/pods");
        assert_eq!(Slim::<engine::view::NodeView>::url_path(&(), None), "/api/v1/nodes");
        assert_eq!(Slim::<workload::DaemonSet>::url_path(&(), None), "/apis/apps/v1/daemonsets");
    }
}
