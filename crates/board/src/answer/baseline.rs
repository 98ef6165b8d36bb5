//! In what bases differ from what their workloads want.

use ask::Text;
use engine::drift::Difference;
use serde::Serialize;
use utoipa::ToSchema;

use crate::snapshot::Snapshot;

/// What bases differ in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Baseline {
    /// So many bases were held against it.
    checked: usize,
    /// Bases that are silent: what they have now nobody knows.
    silent: Vec<Text>,
    items: Vec<DifferenceOfBase>,
}

/// One difference.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DifferenceOfBase {
    node: Text,
    env: Text,
    base: Text,
    module: String,
    /// `Missing`, `WrongVersion`, `NotActive` or `Extra`.
    kind: &'static str,
    wanted: Option<String>,
    found: Option<String>,
}

pub(crate) fn baseline(snapshot: &Snapshot) -> Baseline {
    Baseline {
        checked: snapshot.drift.bases.len(),
        silent: snapshot.drift.silent.clone(),
        items: differences(snapshot, None),
    }
}

/// Of one base, or of all.
pub(super) fn differences(snapshot: &Snapshot, node: Option<&str>) -> Vec<DifferenceOfBase> {
    let of = snapshot.drift.bases.iter().filter(|(one, _)| node.is_none_or(|node| **one == *node));
    let mut all = Vec::new();
    for (node, differences) in of {
        // Both are in the order of their names.
        let place = snapshot.picture.bases.binary_search_by(|base| base.node.cmp(node));
        let base = place.ok().and_then(|place| snapshot.picture.bases.get(place));
        for Difference { kind, name, wanted, found } in differences {
            all.push(DifferenceOfBase {
                node: node.clone(),
                env: base.map(|base| base.env.clone()).unwrap_or_default(),
                base: base.map(|base| base.name.clone()).unwrap_or_default(),
                module: name.to_string(),
                kind: kind.as_str(),
                wanted: wanted.as_deref().map(str::to_owned),
                found: found.as_deref().map(str::to_owned),
            });
        }
    }
    all
}
