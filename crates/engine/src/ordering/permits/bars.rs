//! What failed in the place of what served (rule O9): a bad version costs one base, not all.
//!
//! Of the bases of this replica their own state machines tell; of all others the condition of the Pod that it failed for.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use model::{BaseIdentity, ModuleSpec};

use crate::view::Owner;

/// What is to take the place of what serves, or failed to: whose Pods, and what they ask for.
pub(crate) type Bar = (Owner, ModuleSpec);

/// What comes of a change.
#[derive(Debug, Clone, Default)]
pub(super) struct News {
    /// Bases that waited for a bar to fall.
    pub(super) released: Vec<BaseIdentity>,
    /// Owners of whose Pods one more has failed: the others are to think again.
    pub(super) halted: Vec<Owner>,
}

/// All bars that are known, and who does not go on because of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Bars {
    of_bases: BTreeMap<BaseIdentity, Vec<(Bar, Arc<str>)>>,
    of_pods: HashMap<Arc<str>, Vec<Bar>>,
    halted: BTreeMap<Owner, BTreeSet<BaseIdentity>>,
}

impl Bars {
    /// The same has failed for another Pod. The base is looked at again when that is over.
    pub(super) fn is_spoilt(&mut self, bar: &Bar, pod: &Arc<str>, base: &BaseIdentity) -> bool {
        let on_bases = self.of_bases.values().flatten().any(|(failed, by)| failed == bar && by != pod);
        let of_pods = || self.of_pods.iter().any(|(by, failed)| by != pod && failed.contains(bar));
        let is_spoilt = on_bases || of_pods();
        if is_spoilt {
            self.halted.entry(bar.0.clone()).or_default().insert(base.clone());
        }
        is_spoilt
    }

    /// All that has failed on a base of this replica.
    pub(super) fn of_base(&mut self, base: &BaseIdentity, bars: Vec<(Bar, Arc<str>)>) -> News {
        let before = match bars.is_empty() {
            true => self.of_bases.remove(base),
            false => self.of_bases.insert(base.clone(), bars.clone()),
        };
        let before = before.unwrap_or_default();
        self.news(before.iter().map(|(bar, _)| bar), bars.iter().map(|(bar, _)| bar))
    }

    /// All that a Pod says has failed for it.
    pub(super) fn of_pod(&mut self, pod: &Arc<str>, bars: Vec<Bar>) -> News {
        let before = match bars.is_empty() {
            true => self.of_pods.remove(pod),
            false => self.of_pods.insert(pod.clone(), bars.clone()),
        };
        self.news(before.unwrap_or_default().iter(), bars.iter())
    }

    /// What is known to have failed for a Pod.
    pub(super) fn known(&self, pod: &Arc<str>) -> &[Bar] {
        self.of_pods.get(pod).map(Vec::as_slice).unwrap_or_default()
    }

    fn news<'a>(
        &mut self,
        before: impl Iterator<Item = &'a Bar> + Clone,
        now: impl Iterator<Item = &'a Bar> + Clone,
    ) -> News {
        let fallen = before.clone().filter(|bar| !now.clone().any(|other| other == *bar));
        let risen = now.clone().filter(|bar| !before.clone().any(|other| other == *bar));
        let released = fallen.filter_map(|(whose, _)| self.halted.remove(whose)).flatten().collect();
        News { released, halted: risen.map(|(whose, _)| whose.clone()).collect() }
    }
}
