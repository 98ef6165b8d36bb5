//! Zones of one VNode each, with names that are used again: the node lifecycle controller keeps a
//! queue per zone name for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const PREFIX: &str = "vz-";

/// Which VNode is in which zone.
#[derive(Debug, Default)]
pub(crate) struct Zones {
    by_node: BTreeMap<Arc<str>, u32>,
    taken: BTreeSet<u32>,
}

impl Zones {
    /// The zone of a Node: the one it has, else the smallest that is free.
    pub(crate) fn of(&mut self, node: &Arc<str>) -> String {
        let number = match self.by_node.get(node) {
            Some(&number) => number,
            None => {
                // Numbers are dense, so the first gap is near the front of the set.
                let free = (0..).zip(&self.taken).find(|(wanted, taken)| wanted != *taken);
                let number = free
                    .map_or_else(|| u32::try_from(self.taken.len()).unwrap_or(u32::MAX), |(free, _)| free);
                self.by_node.insert(node.clone(), number);
                self.taken.insert(number);
                number
            }
        };
        format!("{PREFIX}{number}")
    }

    /// A Node says which zone it is in. Where another has the same, both keep it: a label that
    /// changes under running Pods does more harm.
    pub(crate) fn see(&mut self, node: &Arc<str>, zone: &str) {
        if let Some(number) = zone.strip_prefix(PREFIX).and_then(|number| number.parse().ok()) {
            self.free(node);
            self.by_node.insert(node.clone(), number);
            self.taken.insert(number);
        }
    }

    /// A Node is gone.
    pub(crate) fn free(&mut self, node: &Arc<str>) {
        if let Some(number) = self.by_node.remove(node)
            && !self.by_node.values().any(|&other| other == number)
        {
            self.taken.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_free_number_is_used_again() {
        let mut zones = Zones::default();
        let node = |n: u32| Arc::<str>::from(format!("n{n}"));
        assert_eq!((0..3).map(|n| zones.of(&node(n))).collect::<Vec<_>>(), ["vz-0", "vz-1", "vz-2"]);
        zones.free(&node(1));
        assert_eq!(zones.of(&node(9)), "vz-1");
        assert_eq!(zones.of(&node(9)), "vz-1", "a Node keeps its zone");
        zones.see(&node(7), "vz-5");
        assert_eq!(zones.of(&node(8)), "vz-3");
    }
}
