//! Permits to displace what serves: of one owner's Pods, one base at a time (rule 7).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{BaseIdentity, ModuleSpec};

use crate::view::Owner;

/// What is to take the place of what serves, or failed to (rule 9): whose Pods, and what they ask for.
pub(crate) type Bar = (Owner, ModuleSpec);

/// Who holds a permit and who waits for one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Permits {
    bars: BTreeMap<BaseIdentity, Vec<(Bar, Arc<str>)>>,
    held: BTreeMap<Owner, Arc<str>>,
    waiting: BTreeMap<Owner, BTreeSet<BaseIdentity>>,
    freed: Vec<BaseIdentity>,
}

impl Permits {
    /// Takes the permit for a Pod, by UID; true where the Pod has it (already). Else the base is
    /// looked at again when it is given back.
    pub(crate) fn take(&mut self, whose: &Owner, pod: &Arc<str>, base: &BaseIdentity) -> bool {
        if self.held.get(whose).is_some_and(|holder| holder != pod) {
            self.waiting.entry(whose.clone()).or_default().insert(base.clone());
            return false;
        }
        self.held.insert(whose.clone(), pod.clone());
        true
    }

    /// The same has failed as a replacement for another Pod, so that it is not to be tried for this one
    /// too: a bad version costs one base, not all. The base is looked at again when that is over.
    pub(crate) fn is_spoilt(&mut self, bar: &Bar, pod: &Arc<str>, base: &BaseIdentity) -> bool {
        let is_spoilt = self.bars.values().flatten().any(|(failed, by)| failed == bar && by != pod);
        if is_spoilt {
            self.waiting.entry(bar.0.clone()).or_default().insert(base.clone());
        }
        is_spoilt
    }

    /// All that has failed as a replacement on a base, with the UID of the Pod it failed for. Whoever
    /// waited because of what is no longer among it is looked at again.
    pub(crate) fn bars(&mut self, base: &BaseIdentity, bars: Vec<(Bar, Arc<str>)>) {
        let before = match bars.is_empty() {
            true => self.bars.remove(base),
            false => self.bars.insert(base.clone(), bars.clone()),
        };
        let fallen = before.unwrap_or_default().into_iter().filter(|bar| !bars.contains(bar));
        for ((whose, _), _) in fallen {
            self.freed.extend(self.waiting.remove(&whose).unwrap_or_default());
        }
    }

    /// Gives the permit back, where the Pod has it.
    pub(crate) fn give_back(&mut self, whose: &Owner, pod: &Arc<str>) {
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
    use model::{BizId, InstallStrategy};

    use super::*;

    fn bar(version: &str) -> Bar {
        let whose = Owner { namespace: "ns".into(), kind: "Deployment".into(), name: "d".into() };
        let id = BizId { name: "biz1".parse().unwrap(), version: version.parse().unwrap() };
        let url = "file:///p.jar".parse().unwrap();
        (whose, ModuleSpec { id, url, strategy: InstallStrategy::Auto, args: [].into(), envs: [].into() })
    }

    #[test]
    fn one_at_a_time_and_the_next_is_told() {
        let mut permits = Permits::default();
        let (whose, _) = bar("2");
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

    #[test]
    fn what_failed_for_one_pod_is_spoilt_for_others_until_the_bar_falls() {
        let mut permits = Permits::default();
        let (failed, other): (BaseIdentity, BaseIdentity) = ("b1".parse().unwrap(), "b2".parse().unwrap());
        let (first, second): (Arc<str>, Arc<str>) = ("1".into(), "2".into());
        permits.bars(&failed, vec![(bar("2"), first.clone())]);
        assert!(permits.is_spoilt(&bar("2"), &second, &other));
        assert!(!permits.is_spoilt(&bar("2"), &first, &failed), "its own bar is its own matter");
        assert!(!permits.is_spoilt(&bar("3"), &second, &other), "another version may be better");
        permits.bars(&failed, vec![(bar("2"), first)]);
        assert_eq!(permits.next_freed(), None, "nothing has changed");
        permits.bars(&failed, Vec::new());
        assert_eq!(permits.next_freed(), Some(other.clone()));
        assert!(!permits.is_spoilt(&bar("2"), &second, &other));
    }
}
