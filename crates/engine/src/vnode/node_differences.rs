//! In what a Node is not as it shall be. Only what is ours is compared: whatever else others write there stays, and
//! nothing follows from it.

use std::sync::Arc;

use model::Quantity;

use super::{
    node::OUR_TAINTS,
    resources::{OFFERS, offered_by_us},
};
use crate::{
    contest::mark,
    view::{AddressKind, NodeView, OFFERED},
};

/// What of labels, annotations and taints is ours and not as it shall be, in words.
pub(super) fn metadata(desired: &NodeView, seen: &NodeView) -> Vec<String> {
    let labels = desired.labels.iter().filter(|(key, value)| seen.labels.get(*key) != Some(value));
    let annotations =
        desired.annotations.iter().filter(|(key, value)| seen.annotations.get(*key) != Some(value));
    let taints = desired.taints.iter().filter(|taint| !seen.taints.contains(taint));
    labels
        .map(|(key, _)| format!("label {key}"))
        .chain(annotations.map(|(key, _)| format!("annotation {key}")))
        .chain(taints.map(|taint| format!("taint {}", taint.key)))
        .collect()
}

/// What of the status is ours and not as it shall be, in words.
pub(super) fn status(desired: &NodeView, seen: &NodeView) -> Vec<String> {
    let mut fields = Vec::new();
    if !has_addresses(desired, seen) {
        fields.push("addresses".to_owned());
    }
    let kinds = [
        ("capacity", &desired.capacity, &seen.capacity),
        ("allocatable", &desired.allocatable, &seen.allocatable),
    ];
    for (kind, wanted, seen) in kinds {
        let other = OFFERED.iter().filter(|name| !is_same(wanted.get(**name), seen.get(**name)));
        fields.extend(other.map(|name| format!("{kind} {name}")));
    }
    if desired.kubelet_port != seen.kubelet_port {
        fields.push("the kubelet's port".to_owned());
    }
    if !desired.kubelet_version.is_empty() && desired.kubelet_version != seen.kubelet_version {
        fields.push("kubeletVersion".to_owned());
    }
    let conditions = desired.conditions.iter().filter(|wanted| {
        seen.condition(&wanted.kind).is_none_or(|seen| {
            (seen.status, &seen.reason, &seen.message) != (wanted.status, &wanted.reason, &wanted.message)
        })
    });
    fields.extend(conditions.map(|condition| format!("condition {}", condition.kind)));
    fields
}

/// All that it shall have are there; there may be more, but no host name where it shall have none.
pub(super) fn has_addresses(desired: &NodeView, seen: &NodeView) -> bool {
    let is_named =
        |node: &NodeView| node.addresses.iter().any(|address| address.kind == AddressKind::Hostname);
    desired.addresses.iter().all(|address| seen.addresses.contains(address))
        && is_named(seen) <= is_named(desired)
}

/// The server may spell an amount in its own words.
fn is_same(wanted: Option<&Arc<str>>, seen: Option<&Arc<str>>) -> bool {
    match (wanted, seen) {
        (Some(wanted), Some(seen)) => Quantity::same(wanted, seen),
        (wanted, seen) => wanted.is_none() && seen.is_none(),
    }
}

/// What of labels, annotations and taints is ours.
pub(super) fn mark_of_metadata(desired: &NodeView) -> u64 {
    let labels: Vec<_> = desired.labels.iter().collect();
    let annotations: Vec<_> = desired.annotations.iter().filter(|(key, _)| ***key != *OFFERS).collect();
    let taints: Vec<_> = desired.taints.iter().filter(|taint| taint.key.starts_with(OUR_TAINTS)).collect();
    mark((labels, annotations, taints))
}

/// What of the status is ours.
pub(super) fn mark_of_status(desired: &NodeView) -> u64 {
    let address = |kind: &AddressKind| desired.addresses.iter().find(|address| address.kind == *kind);
    let addresses =
        [AddressKind::InternalIp, AddressKind::Hostname].map(|kind| address(&kind).map(|a| &a.address));
    let names = offered_by_us(desired).unwrap_or_default();
    let offers: Vec<_> = names
        .iter()
        .map(|name| (*name, desired.capacity.get(*name), desired.allocatable.get(*name)))
        .collect();
    let conditions: Vec<_> =
        desired.conditions.iter().map(|c| (&c.kind, c.status as u8, &c.reason, &c.message)).collect();
    mark((addresses, desired.kubelet_port, offers, conditions, &desired.kubelet_version))
}
