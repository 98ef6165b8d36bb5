//! Leases, from JSON to [`LeaseView`], [`MemberView`] and [`PermitsView`].

use std::{collections::BTreeMap, sync::Arc};

use engine::view::{Door, LeaseView, MemberState, MemberView, Owner, PermitsView};
use k8s_openapi::api::coordination::v1::Lease;
use kube::core::NamespaceResourceScope;

use super::{Kind, Unreadable, version};

/// What the Lease of a replica is labelled with, beside its environment.
pub(crate) const MEMBER: (&str, &str) = ("module-controller.koupleless.io/component", "controller");
/// Annotations of the Lease of a replica.
pub(crate) const INCARNATION: &str = "module-controller.koupleless.io/incarnation";
pub(crate) const POD_UID: &str = "module-controller.koupleless.io/pod-uid";
pub(crate) const LEVEL: &str = "module-controller.koupleless.io/workload-level";
pub(crate) const CUT_OFF: &str = "module-controller.koupleless.io/cut-off-from-bases";
/// What the replica knows that older versions do not.
pub(crate) const KNOWS: &str = "module-controller.koupleless.io/knows";
/// Operation plans.
pub(crate) const KNOWS_PLANS: &str = "operation-plans";
pub(crate) const STATE: &str = "module-controller.koupleless.io/state";
pub(crate) const ADDRESS: &str = "module-controller.koupleless.io/forward-address";
pub(crate) const KEY: &str = "module-controller.koupleless.io/forward-key";

/// What the Lease of a workload's permits is labelled with, beside its environment.
pub(crate) const PERMITS: (&str, &str) = ("module-controller.koupleless.io/component", "permits");
/// Annotations of the Lease of a workload's permits: whose, and the Pods that hold one, `<UID>@<version> …`.
pub(crate) const OWNER_NAMESPACE: &str = "module-controller.koupleless.io/owner-namespace";
pub(crate) const OWNER_KIND: &str = "module-controller.koupleless.io/owner-kind";
pub(crate) const OWNER_NAME: &str = "module-controller.koupleless.io/owner-name";
pub(crate) const HOLDERS: &str = "module-controller.koupleless.io/holders";

/// A VNode's Lease as the engine has it.
pub(crate) fn view(lease: &Lease) -> LeaseView {
    let (meta, spec) = (&lease.metadata, lease.spec.as_ref());
    let text = |text: Option<&String>| Arc::from(text.map_or("", String::as_str));
    LeaseView {
        node: text(meta.name.as_ref()),
        uid: text(meta.uid.as_ref()),
        resource_version: version(meta.resource_version.as_deref().unwrap_or_default()),
        holder: text(spec.and_then(|spec| spec.holder_identity.as_ref())),
        renewed: spec.and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0),
        transitions: spec.and_then(|spec| spec.lease_transitions).unwrap_or_default(),
    }
}

/// A replica's Lease as the engine has it.
pub(crate) fn member(lease: &Lease) -> MemberView {
    let none = BTreeMap::new();
    let annotations = lease.metadata.annotations.as_ref().unwrap_or(&none);
    let word = |key: &str| annotations.get(key).map_or("", String::as_str);
    let LeaseView { node: name, uid, resource_version, holder, .. } = view(lease);
    MemberView {
        name,
        uid,
        resource_version,
        incarnation: word(INCARNATION).into(),
        client_id: holder,
        pod_uid: word(POD_UID).into(),
        level: word(LEVEL).parse().unwrap_or_default(),
        cut_off: word(CUT_OFF) == "true",
        knows_plans: word(KNOWS) == KNOWS_PLANS,
        state: MemberState::ALL.into_iter().find(|state| state.as_str() == word(STATE)).unwrap_or_default(),
        door: word(ADDRESS).parse().ok().map(|address| Door { address, key: word(KEY).into() }),
    }
}

/// The Lease of a workload's permits as the engine has it.
pub(crate) fn permits(lease: &Lease) -> PermitsView {
    let none = BTreeMap::new();
    let annotations = lease.metadata.annotations.as_ref().unwrap_or(&none);
    let word = |key: &str| annotations.get(key).map_or("", String::as_str);
    let LeaseView { node: name, uid, resource_version, .. } = view(lease);
    let holder = |text: &str| {
        let (uid, version) = text.split_once('@')?;
        Some((uid.into(), version.parse().ok()?))
    };
    PermitsView {
        name,
        uid,
        resource_version,
        owner: Owner {
            namespace: word(OWNER_NAMESPACE).into(),
            kind: word(OWNER_KIND).into(),
            name: word(OWNER_NAME).into(),
        },
        holders: word(HOLDERS).split_whitespace().filter_map(holder).collect(),
    }
}

/// As [`permits`] reads them.
pub(crate) fn holders(view: &PermitsView) -> String {
    view.holders.iter().map(|(uid, version)| format!("{uid}@{version}")).collect::<Vec<_>>().join(" ")
}

impl Kind for PermitsView {
    const KIND: &'static str = "Lease";
    const GROUP: &'static str = "coordination.k8s.io";
    const PLURAL: &'static str = "leases";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        Ok(permits(&named(json)?))
    }
}

impl Kind for LeaseView {
    const KIND: &'static str = "Lease";
    const GROUP: &'static str = "coordination.k8s.io";
    const PLURAL: &'static str = "leases";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        Ok(view(&named(json)?))
    }
}

impl Kind for MemberView {
    const KIND: &'static str = "Lease";
    const GROUP: &'static str = "coordination.k8s.io";
    const PLURAL: &'static str = "leases";
    type Scope = NamespaceResourceScope;

    fn read(json: &str) -> Result<Self, Unreadable> {
        Ok(member(&named(json)?))
    }
}

fn named(json: &str) -> Result<Lease, Unreadable> {
    let lease: Lease = serde_json::from_str(json)?;
    for (name, value) in [("name", &lease.metadata.name), ("uid", &lease.metadata.uid)] {
        if value.is_none() {
            return Err(Unreadable::Missing(name));
        }
    }
    Ok(lease)
}
