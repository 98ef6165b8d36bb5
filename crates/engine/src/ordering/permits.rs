//! Permits to displace what serves: of one owner's Pods, one base at a time (rule 7).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::BaseIdentity;

use crate::view::Owner;

/// Whose Pods: namespace and owner.
pub(crate) type Whose = (Arc<str>, Owner);

/// Who holds a permit and who waits for one.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    held: BTreeMap<Whose, Arc<str>>,
    waiting: BTreeMap<Whose, BTreeSet<BaseIdentity>>,
    freed: Vec<BaseIdentity>,
}

impl Permits {
    /// Takes the permit for a Pod, by UID; true where the Pod has it (already). Else the base is
    /// looked at again when it is given back.
    pub(crate) fn take(&mut self, whose: &Whose, pod: &Arc<str>, base: &BaseIdentity) -> bool {
        if self.held.get(whose).is_some_and(|holder| holder != pod) {
            self.waiting.entry(whose.clone()).or_default().insert(base.clone());
            return false;
        }
        self.held.insert(whose.clone(), pod.clone());
        true
    }

    /// Gives the permit back, where the Pod has it.
    pub(crate) fn give_back(&mut self, whose: &Whose, pod: &Arc<str>) {
        if self.held.get(whose) == Some(pod) {
            self.held.remove(whose);
            self.freed.extend(self.waiting.remove(whose).unwrap_or_default());
        }
    }

    /// A base that waited for a permit that is free now.
    pub(crate) fn next_freed(&mut self) -> Option<BaseIdentity> {
        self.freed.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_the_next_is_told() {
        let mut permits = Permits::default();
        let whose = (Arc::from("ns"), Owner { kind: "Deployment".into(), name: "d".into() });
        let (first, second): (Arc<str>, Arc<str>) = ("1".into(), "2".into());
        let base: BaseIdentity = "b2".parse().unwrap();
        assert!(permits.take(&whose, &first, &base) && permits.take(&whose, &first, &base));
        assert!(!permits.take(&whose, &second, &base));
        permits.give_back(&whose, &second);
        assert_eq!(permits.next_freed(), None, "only the holder gives it back");
        permits.give_back(&whose, &first);
        assert_eq!(permits.next_freed(), Some(base.clone()));
        assert!(permits.take(&whose, &second, &base));
    }
}
