//! Whether the clocks of controllers agree with the API server's. No other clock is needed: a Lease has the time at which its
//! holder renewed it by the holder's clock, and the time at which the API server wrote that down by its own.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::{Evidence, Finding, code::Code};
use crate::{
    read::{LeaseSpec, Object, nothing},
    text::Text,
};

/// The API server writes whole seconds, and a write may wait for some. What goes by the clock (tokens, certificates, the
/// signatures of reports, the times that people read) stands this much.
const AGREED: SignedDuration = SignedDuration::from_secs(10);

/// How a Lease was renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Renewal {
    pub(super) node: Text,
    pub(super) holder: Text,
    /// By how much the holder's clock is ahead of the API server's; none where the API server does not tell when it was renewed.
    pub(super) ahead: Option<SignedDuration>,
}

#[derive(Deserialize)]
struct LeaseJson {
    metadata: MetadataJson,
    #[serde(default, deserialize_with = "nothing")]
    spec: LeaseSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetadataJson {
    #[serde(default)]
    name: Text,
    #[serde(default, deserialize_with = "nothing")]
    managed_fields: Vec<Managed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Managed {
    time: Option<Timestamp>,
    #[serde(default)]
    fields_v1: Value,
}

impl Object for Renewal {
    const NAME: &'static str = "Leases of bases";

    fn read(json: &str) -> Result<Self, serde_json::Error> {
        let LeaseJson { metadata, spec } = serde_json::from_str(json)?;
        // Whoever else wrote something into it wrote at another time.
        let renews = |managed: &&Managed| managed.fields_v1.pointer("/f:spec/f:renewTime").is_some();
        let written = metadata.managed_fields.iter().find(renews).and_then(|managed| managed.time);
        let ahead =
            spec.renew_time.zip(written).map(|(by_holder, by_server)| by_holder.duration_since(by_server));
        Ok(Self { node: metadata.name, holder: spec.holder_identity, ahead })
    }
}

/// Holders of bases' Leases whose clocks are off. Of many Leases the one that says the least counts: a single write may have
/// waited.
pub(super) fn findings(evidence: &Evidence, found: &mut Vec<Finding>) {
    let is_base = |renewal: &&Renewal| evidence.picture.bases.iter().any(|base| base.node == renewal.node);
    let mut least: BTreeMap<&Text, SignedDuration> = BTreeMap::new();
    for renewal in evidence.renewals.iter().filter(is_base) {
        let Some(ahead) = renewal.ahead else { continue };
        let of = least.entry(&renewal.holder).or_insert(ahead);
        if ahead.abs() < of.abs() {
            *of = ahead;
        }
    }
    for (holder, ahead) in least.into_iter().filter(|(_, ahead)| ahead.abs() > AGREED) {
        let (seconds, which) =
            (ahead.abs().as_secs(), if ahead.is_negative() { "behind" } else { "ahead of" });
        let message = format!("its clock is {seconds} s {which} the API server's");
        found.push(Finding::new(Code::ClockSkewed, format!("controller {holder}").into(), message));
    }
}
