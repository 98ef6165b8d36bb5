//! The Lease of a Node: renewed by compare-and-swap, one request each time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engine::{Event, ReplicaEvent, WriteError, view::LeaseView};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference},
};
use serde::Deserialize;

use super::api::{Api, Collection};
use crate::{modules::ENV, slim};

/// Who holds a Lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder<'a> {
    pub(crate) name: &'a str,
    /// There are others who may hold it instead.
    pub(crate) exclusive: bool,
}

/// The smallest step of a Lease's time.
const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

/// The Leases that we wrote last, by Node name: as many as there are VNodes, about 300 bytes each. In boxes: a map that has grown
/// is up to half empty.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<HashMap<Arc<str>, Box<Held>>>);

/// What must be known of a Lease to renew it without reading it.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Answer")]
struct Held {
    uid: Option<String>,
    version: Option<String>,
    spec: LeaseSpec,
    /// What others put on it, labels or owner references; nearly never anything.
    foreign: Option<Box<ObjectMeta>>,
}

impl Leases {
    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, Box<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self, node: &str) -> Option<Held> {
        self.all().get(node).map(|held| held.as_ref().clone())
    }

    fn hold(&self, node: &Arc<str>, held: Held) {
        self.all().insert(node.clone(), Box::new(held));
    }

    fn forget(&self, node: &str) -> Option<Held> {
        self.all().remove(node).map(|held| *held)
    }
}

/// What is read of the answer to a renewal. Who manages which field is the larger part of it: left out of a replacement,
/// it stays as it is.
#[derive(Deserialize)]
struct Answer {
    metadata: Metadata,
    #[serde(default)]
    spec: LeaseSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    finalizers: Option<Vec<String>>,
}

impl From<Answer> for Held {
    fn from(Answer { metadata, spec }: Answer) -> Self {
        let Metadata { uid, resource_version, labels, annotations, owner_references, finalizers } = metadata;
        let metadata = ObjectMeta {
            uid,
            resource_version,
            labels,
            annotations,
            owner_references,
            finalizers,
            ..ObjectMeta::default()
        };
        Self::of(metadata, spec)
    }
}

impl From<Lease> for Held {
    fn from(lease: Lease) -> Self {
        let metadata = ObjectMeta { managed_fields: None, ..lease.metadata };
        Self::of(metadata, lease.spec.unwrap_or_default())
    }
}

impl Held {
    fn of(metadata: ObjectMeta, spec: LeaseSpec) -> Self {
        let bare = metadata.labels.as_ref().is_none_or(|labels| labels.is_empty())
            && metadata.annotations.as_ref().is_none_or(|annotations| annotations.is_empty())
            && metadata.owner_references.as_ref().is_none_or(|owners| owners.is_empty())
            && metadata.finalizers.as_ref().is_none_or(|finalizers| finalizers.is_empty());
        Self {
            uid: metadata.uid.clone(),
            version: metadata.resource_version.clone(),
            spec,
            foreign: (!bare).then(|| Box::new(metadata)),
        }
    }
}

impl From<&LeaseView> for Held {
    fn from(seen: &LeaseView) -> Self {
        Self {
            uid: (!seen.uid.is_empty()).then(|| seen.uid.to_string()),
            version: (seen.resource_version != 0).then(|| seen.resource_version.to_string()),
            spec: LeaseSpec {
                holder_identity: (!seen.holder.is_empty()).then(|| seen.holder.to_string()),
                lease_transitions: Some(seen.transitions),
                renew_time: seen.renewed.map(MicroTime),
                ..LeaseSpec::default()
            },
            foreign: None,
        }
    }
}

fn holder_of(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

impl Api {
    /// Renews the Lease from what was written last; where that is not what the server has, or
    /// nothing is known, reads it and tries once more. A second conflict is the engine's to judge.
    /// Where there are several replicas, a Lease that this one does not hold is none to renew: it is told.
    pub(crate) async fn renew_lease(
        &self,
        leases: &Leases,
        holder: Holder<'_>,
        node: &Arc<str>,
        duration: Duration,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let Holder { name: holder, exclusive } = holder;
        let place = Collection::node_leases();
        // What an incarnation before this one took is none of its own.
        let own = |held: &Held| !exclusive || held.spec.holder_identity.as_deref() == Some(holder);
        if let Some(held) = leases.held(node).filter(own) {
            match self
                .hold_lease(leases, &place, node, renewed(Some(&held), node, holder, duration, now))
                .await
            {
                Err(WriteError::Conflict(_) | WriteError::NotFound(_)) => drop(leases.forget(node)),
                result => return result,
            }
        }
        match self.get::<Lease>(&place, node).await {
            Ok(lease) if exclusive && holder_of(&lease) != holder => {
                self.tell_lease(&lease).await;
                Err(WriteError::Conflict(format!("{:?} holds it", holder_of(&lease))))
            }
            Err(WriteError::NotFound(reason)) if exclusive => {
                self.tell_lease_gone(node).await;
                Err(WriteError::NotFound(reason))
            }
            Ok(lease) => {
                let lease = renewed(Some(&Held::from(lease)), node, holder, duration, now);
                self.hold_lease(leases, &place, node, lease).await
            }
            Err(WriteError::NotFound(_)) => {
                let lease = renewed(None, node, holder, duration, now);
                self.hold_lease(leases, &place, node, lease).await
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a Lease that is as it was seen. What there is instead is told.
    pub(crate) async fn take_lease(
        &self,
        leases: &Leases,
        seen: &LeaseView,
        holder: &str,
        env: &str,
        duration: Duration,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let (place, node) = (Collection::node_leases(), &seen.node);
        let mut lease = renewed(Some(&Held::from(seen)), node, holder, duration, now);
        lease.metadata.labels = Some(BTreeMap::from([(ENV.to_owned(), env.to_owned())]));
        match self.put_lease::<Lease>(&place, &lease).await {
            Ok(lease) => {
                self.tell_lease(&lease).await;
                leases.hold(node, lease.into());
                Ok(())
            }
            Err(error @ (WriteError::Conflict(_) | WriteError::NotFound(_))) => {
                match self.get::<Lease>(&place, node).await {
                    Ok(lease) => self.tell_lease(&lease).await,
                    Err(WriteError::NotFound(_)) => self.tell_lease_gone(node).await,
                    Err(error) => return Err(error),
                }
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Says that nobody holds the Lease, or deletes it; unless another holds it by now.
    pub(crate) async fn release_lease(
        &self,
        leases: &Leases,
        node: &Arc<str>,
        holder: &str,
        delete: bool,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let place = Collection::node_leases();
        let held = match leases.forget(node) {
            Some(held) => held,
            None => Held::from(self.get::<Lease>(&place, node).await?),
        };
        if held.spec.holder_identity.as_deref() != Some(holder) {
            return Err(WriteError::Conflict("another holds it".to_owned()));
        }
        if delete {
            return self.delete(&place, node, held.uid.as_deref().unwrap_or_default()).await;
        }
        let lasts =
            Duration::from_secs(held.spec.lease_duration_seconds.unwrap_or(1).max(1).unsigned_abs().into());
        let written: Lease = self.put_lease(&place, &renewed(Some(&held), node, "", lasts, now)).await?;
        self.tell_lease(&written).await;
        Ok(())
    }

    async fn tell_lease(&self, lease: &Lease) {
        // Closed: the engine is gone, and so is the one who would care.
        drop(self.events.send(Event::Replica(ReplicaEvent::Lease(slim::lease::view(lease)))).await);
    }

    async fn tell_lease_gone(&self, node: &Arc<str>) {
        drop(
            self.events
                .send(Event::Replica(ReplicaEvent::LeaseGone { node: node.clone(), uid: "".into() }))
                .await,
        );
    }

    async fn hold_lease(
        &self,
        leases: &Leases,
        place: &Collection,
        node: &Arc<str>,
        lease: Lease,
    ) -> Result<(), WriteError> {
        let written = self.put_lease(place, &lease).await?;
        leases.hold(node, written);
        Ok(())
    }

    /// Deletes the Lease; that it is gone, or is another one by now, is as good.
    pub(crate) async fn delete_lease(&self, leases: &Leases, node: &str) -> Result<(), WriteError> {
        let uid = leases.forget(node).and_then(|held| held.uid).unwrap_or_default();
        match self.delete(&Collection::node_leases(), node, &uid).await {
            Ok(()) | Err(WriteError::NotFound(_) | WriteError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The Lease that renews `before`, or a new one. Its time never goes back nor stays, whatever the
/// clock does: the node lifecycle controller takes a Node for alive when the time has changed.
fn renewed(
    before: Option<&Held>,
    node: &Arc<str>,
    holder: &str,
    duration: Duration,
    now: Timestamp,
) -> Lease {
    let mut metadata = before.and_then(|held| held.foreign.as_deref().cloned()).unwrap_or_default();
    metadata.name = Some(node.as_ref().to_owned());
    metadata.namespace = Some("kube-node-lease".to_owned());
    metadata.uid = before.and_then(|held| held.uid.clone());
    metadata.resource_version = before.and_then(|held| held.version.clone());

    let old = before.map(|held| held.spec.clone()).unwrap_or_default();
    let after = old.renew_time.as_ref().and_then(|last| last.0.checked_add(MICROSECOND).ok());
    let renew_time = MicroTime(after.map_or(now, |after| after.max(now)));
    let mine = old.holder_identity.as_deref() == Some(holder);
    let transitions = old.lease_transitions.unwrap_or(0);
    let taken = !mine && old.holder_identity.as_ref().is_some_and(|other| !other.is_empty());
    Lease {
        metadata,
        spec: Some(LeaseSpec {
            acquire_time: if mine { old.acquire_time.clone() } else { Some(renew_time.clone()) },
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(i32::try_from(duration.as_secs()).unwrap_or(i32::MAX).max(1)),
            lease_transitions: Some(if taken { transitions.saturating_add(1) } else { transitions }),
            renew_time: Some(renew_time),
            ..old
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(40);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn spec(lease: &Lease) -> &LeaseSpec {
        lease.spec.as_ref().unwrap()
    }

    /// As the server gives it back.
    fn stored(mut lease: Lease, version: &str) -> Held {
        lease.metadata.uid = Some("u1".into());
        lease.metadata.resource_version = Some(version.into());
        Held::from(lease)
    }

    #[test]
    fn a_new_lease_has_no_version_and_no_owner() {
        let lease = renewed(None, &"virtual-node-a".into(), "me", LASTS, at("2026-11-22T10:00:00.25Z"));
        let json = serde_json::to_value(&lease).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": { "name": "virtual-node-a", "namespace": "kube-node-lease" },
                "spec": {
                    "acquireTime": "2026-11-22T10:00:00.250000Z",
                    "holderIdentity": "me",
                    "leaseDurationSeconds": 40,
                    "leaseTransitions": 0,
                    "renewTime": "2026-11-22T10:00:00.250000Z",
                },
            })
        );
    }

    #[test]
    fn a_renewal_swaps_the_very_version_that_it_knows() {
        let node: Arc<str> = "n".into();
        let first = renewed(None, &node, "me", LASTS, at("2026-11-22T10:00:00Z"));
        let second = renewed(Some(&stored(first, "7")), &node, "me", LASTS, at("2026-11-22T10:00:10Z"));
        assert_eq!(second.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(second.metadata.uid.as_deref(), Some("u1"));
        assert_eq!(spec(&second).acquire_time, Some(MicroTime(at("2026-11-22T10:00:00Z"))));
        assert_eq!(spec(&second).renew_time, Some(MicroTime(at("2026-11-22T10:00:10Z"))));
        assert_eq!(spec(&second).lease_transitions, Some(0));
    }

    #[test]
    fn its_time_moves_on_even_when_the_clock_goes_back() {
        let node: Arc<str> = "n".into();
        let first = renewed(None, &node, "me", LASTS, at("2026-11-22T10:00:00Z"));
        for clock in ["2026-11-22T10:00:00Z", "2020-01-01T00:00:00Z"] {
            let next = renewed(Some(&stored(first.clone(), "7")), &node, "me", LASTS, at(clock));
            assert_eq!(spec(&next).renew_time, Some(MicroTime(at("2026-11-22T10:00:00.000001Z"))));
        }
    }

    #[test]
    fn taking_it_from_another_counts_as_a_transition() {
        let node: Arc<str> = "n".into();
        let theirs = renewed(None, &node, "they", LASTS, at("2026-11-22T10:00:00Z"));
        let mine = renewed(Some(&stored(theirs, "7")), &node, "me", LASTS, at("2026-11-22T10:00:10Z"));
        assert_eq!(spec(&mine).holder_identity.as_deref(), Some("me"));
        assert_eq!(spec(&mine).lease_transitions, Some(1));
        assert_eq!(spec(&mine).acquire_time, spec(&mine).renew_time);
    }

    /// As the server answers.
    #[test]
    fn what_others_put_on_it_is_read_of_an_answer_and_who_manages_it_is_not() {
        let answer = |labels: &str| {
            let text = format!(
                r#"{{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{{"name":"n","namespace":"kube-node-lease",
                "uid":"u1","resourceVersion":"7","creationTimestamp":"2026-11-22T10:00:00Z"{labels},"managedFields":[{{"manager":
                "module-controller","operation":"Update","fieldsType":"FieldsV1","fieldsV1":{{"f:spec":{{}}}}}}]}},
                "spec":{{"holderIdentity":"me","renewTime":"2026-11-22T10:00:00.000000Z"}}}}"#
            );
            serde_json::from_str::<Held>(&text).unwrap()
        };
        let held = answer("");
        assert_eq!((held.uid.as_deref(), held.version.as_deref()), (Some("u1"), Some("7")));
        assert_eq!(held.spec.holder_identity.as_deref(), Some("me"));
        assert_eq!(held.foreign, None);
        let foreign = answer(r#","labels":{"a":"b"},"finalizers":["c"]"#).foreign.unwrap();
        assert_eq!(foreign.labels, Some([("a".to_owned(), "b".to_owned())].into()));
        assert_eq!((foreign.finalizers, foreign.managed_fields), (Some(vec!["c".to_owned()]), None));
    }

    #[test]
    fn what_others_put_on_it_stays() {
        let node: Arc<str> = "n".into();
        let mut first = renewed(None, &node, "me", LASTS, at("2026-11-22T10:00:00Z"));
        assert!(stored(first.clone(), "7").foreign.is_none());
        first.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        first.metadata.managed_fields = Some(Vec::new());
        let next = renewed(Some(&stored(first, "7")), &node, "me", LASTS, at("2026-11-22T10:00:10Z"));
        assert_eq!(next.metadata.labels.unwrap().get("a").map(String::as_str), Some("b"));
        assert_eq!(next.metadata.managed_fields, None);
    }
}
