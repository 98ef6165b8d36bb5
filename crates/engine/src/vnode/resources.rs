//! What a Node offers: Pods, the metaspace where it has a limit, and what a setting offers beside.

use std::{collections::BTreeSet, sync::Arc};

use litemap::LiteMap;

use super::VNode;
use crate::{
    config::{Allocatable, Config},
    view::{NodeView, OFFERED},
};

/// Which of [`OFFERED`] we offer there, so that whoever runs the controller next knows what is ours to take away.
pub(super) const OFFERS: &str = "vnode.koupleless.io/offers";
/// What the Nodes of a version that did not write that annotation had of us.
const OF_BEFORE: &str = "memory,pods";
/// Allocatable memory is told in steps of this share of the maximum: a JVM's metaspace moves all
/// the time, and every step is a write.
const MEMORY_STEPS: u64 = 64;

/// How much there is of each resource.
type Quantities = LiteMap<Arc<str>, Arc<str>>;

/// Of [`OFFERED`], what a Node shall have.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) capacity: Quantities,
    pub(super) allocatable: Quantities,
    /// Which of them are ours, as [`OFFERS`] tells it.
    pub(super) names: String,
}

/// Which resources are ours on a Node, where it says so.
pub(super) fn offered_by_us(node: &NodeView) -> Option<BTreeSet<&str>> {
    node.annotations.get(OFFERS).map(|told| told.split(',').collect())
}

impl VNode {
    /// What the Node shall offer. What somebody else gave it that we do not offer stays; what we offered before goes, and
    /// is called ours until it has gone.
    pub(super) fn offer(&self, config: &Config) -> Offer {
        let (mut capacity, mut allocatable) = self.own_resources(config);
        let mut names: BTreeSet<String> = capacity.keys().map(|name| name.to_string()).collect();
        if let Some(seen) = &self.node {
            let before = self.offered_before(seen);
            for name in OFFERED.into_iter().filter(|name| !names.contains(*name)).collect::<Vec<_>>() {
                let there = [(&seen.capacity, &mut capacity), (&seen.allocatable, &mut allocatable)];
                for (there, shall) in there {
                    let Some(quantity) = there.get(name) else { continue };
                    if before.contains(name) {
                        names.insert(name.to_owned());
                    } else {
                        shall.insert(name.into(), quantity.clone());
                    }
                }
            }
        }
        Offer { capacity, allocatable, names: names.into_iter().collect::<Vec<_>>().join(",") }
    }

    /// Notes what its Node says of what is ours there.
    pub(super) fn note_offers(&mut self, node: &NodeView) {
        if let Some(told) = node.annotations.get(OFFERS) {
            self.told_offers = Some(told.clone());
        }
    }

    /// Which resources are ours on its Node. Somebody may have taken away the annotation that says so.
    fn offered_before<'a>(&'a self, node: &'a NodeView) -> BTreeSet<&'a str> {
        let told = self.told_offers.as_deref().unwrap_or(OF_BEFORE);
        offered_by_us(node).unwrap_or_else(|| told.split(',').collect())
    }

    /// Capacity and allocatable.
    fn own_resources(&self, config: &Config) -> (Quantities, Quantities) {
        let mut capacity = Quantities::new();
        // How much memory depends on what the base says of its own.
        let offers = config.offers.iter().filter(|(name, _)| ***name != *"memory" || self.health.is_some());
        for (name, quantity) in offers {
            capacity.insert(name.clone(), quantity.as_str().clone());
        }
        capacity.insert("pods".into(), quantity(u64::from(config.pod_capacity)).into());
        let mut allocatable = capacity.clone();
        match &self.health {
            Some(health) => {
                if let Some(max) = health.max_metaspace_bytes {
                    capacity.insert("memory".into(), quantity(max).into());
                    let committed = health.committed_metaspace_bytes.unwrap_or_default();
                    let step = (max / MEMORY_STEPS).max(1);
                    let left = match config.allocatable {
                        Allocatable::Max => max,
                        Allocatable::Remaining => max.saturating_sub(committed) / step * step,
                    };
                    allocatable.insert("memory".into(), quantity(left).into());
                }
            }
            // Until the base says how much it has, it has what was told of it.
            None => {
                let seen = self.node.as_ref().filter(|seen| self.offered_before(seen).contains("memory"));
                if let Some(seen) = seen {
                    for (there, shall) in
                        [(&seen.capacity, &mut capacity), (&seen.allocatable, &mut allocatable)]
                    {
                        if let Some(memory) = there.get("memory") {
                            shall.insert("memory".into(), memory.clone());
                        }
                    }
                }
            }
        }
        (capacity, allocatable)
    }
}

/// A quantity as the API server writes it back (2000 is `2k`).
fn quantity(mut number: u64) -> String {
    for suffix in ["", "k", "M", "G", "T", "P", "E"] {
        if number == 0 || !number.is_multiple_of(1_000) || suffix == "E" {
            return format!("{number}{suffix}");
        }
        number /= 1_000;
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::quantity;

    #[test]
    fn quantities_are_spelt_as_the_api_server_does() {
        for (number, text) in [
            (0, "0"),
            (110, "110"),
            (2_000, "2k"),
            (2_500, "2500"),
            (268_000_000, "268M"),
            (268_435_456, "268435456"),
        ] {
            assert_eq!(quantity(number), text);
        }
    }
}
