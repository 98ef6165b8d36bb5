//! Zones of one VNode each, with names that are used again: the node lifecycle controller keeps a
//! queue per zone name for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const PREFIX: &str = "vz-";

/// Which VNode is in which zone.
#[derive(Debug, Clone)]
pub(crate) struct Zones {
    by_node: BTreeMap<Arc<str>, u32>,
    taken: BTreeSet<u32>,
    /// Of so many numbers in a row (the second) this replica gives out one (the first).
    share: (u32, u32),
}

impl Default for Zones {
    fn default() -> Self {
        Self { by_node: BTreeMap::new(), taken: BTreeSet::new(), share: (0, 1) }
    }
}

impl Zones {
    /// Replicas that give out zones at the same time give out different ones: this one is at this
    /// place of so many.
    pub(crate) fn share(&mut self, (place, of): (u32, u32)) {
        self.share = (place, of.max(1));
    }

    /// The zone of a Node: the one it has, else the smallest that is free and ours to give.
    pub(crate) fn of(&mut self, node: &Arc<str>) -> String {
        let number = match self.by_node.get(node) {
            Some(&number) => number,
            None => {
                let number = self.first_free();
                self.by_node.insert(node.clone(), number);
                self.taken.insert(number);
                number
            }
        };
        format!("{PREFIX}{number}")
    }

    fn first_free(&self) -> u32 {
        let (place, of) = self.share;
        // Numbers are dense, so the first gap is near the front of the set.
        let mut taken = self.taken.iter().filter(|number| *number % of == place);
        let mut ours = (place..).step_by(usize::try_from(of).unwrap_or(1));
        ours.find(|number| taken.next() != Some(number)).unwrap_or(u32::MAX)
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

    #[test]
    fn replicas_give_out_different_numbers() {
        let mut zones = Zones::default();
        zones.share((1, 3));
        assert_eq!(["a", "b"].map(|node| zones.of(&node.into())), ["vz-1", "vz-4"]);
        zones.see(&"c".into(), "vz-2");
        zones.share((0, 2));
        assert_eq!(["d", "e"].map(|node| zones.of(&node.into())), ["vz-0", "vz-6"]);
    }
}
