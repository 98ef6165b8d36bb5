//! In what bases differ from what the workloads want of them, of a whole cluster.

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    drift::{Difference, Found, Wanted, differences, is_there, wanted},
    placement::Site as Place,
};

use crate::{
    picture::{AVAILABLE, Line, Picture},
    read::{Base, Plan, Pod, Site, Workload},
    text::Text,
};

/// What bases differ in.
#[derive(Debug, Clone, Default)]
pub struct Drift {
    /// Each base with what it differs in; those that do not differ with nothing.
    pub bases: Vec<(Text, Vec<Difference>)>,
    /// Bases that are silent: what they have now nobody knows.
    pub silent: Vec<Text>,
}

impl Drift {
    /// No base differs, as far as they can be told.
    pub fn is_none(&self) -> bool {
        self.bases.iter().all(|(_, differences)| differences.is_empty())
    }
}

/// Who wants something of bases, beside the Pods on them.
#[derive(Debug)]
pub struct Wanting<'a> {
    /// Workloads, of which those count that want a Pod on each base.
    pub workloads: &'a [&'a Workload],
    /// The Nodes of bases.
    pub sites: &'a [&'a Site],
    /// The plans that are not over, by namespace and name.
    pub plans: &'a BTreeSet<(Text, Text)>,
}

/// The plans that are not over.
pub fn under_way<'a>(plans: impl Iterator<Item = &'a Plan>) -> BTreeSet<(Text, Text)> {
    let is_over = |plan: &&Plan| plan::Phase::from_name(&plan.status.phase).is_some_and(plan::Phase::is_over);
    plans.filter(|plan| !is_over(plan)).map(|plan| (plan.namespace.clone(), plan.name.clone())).collect()
}

/// Holds the bases that are asked for against the Pods on them, and against the workloads that want a Pod on each base.
/// `lines` are those of the picture.
pub fn drift(picture: &Picture, lines: &[Line], wants: &Wanting<'_>, asked: impl Fn(&Base) -> bool) -> Drift {
    let workloads = wants.workloads.iter().copied();
    let on_every_base: Vec<&Workload> = workloads.filter(|workload| workload.is_on_every_base()).collect();
    let sites: BTreeMap<&str, &Site> = wants.sites.iter().map(|site| (&*site.0.name, *site)).collect();
    let mut pods: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in picture.pods.iter().filter(|pod| !is_over(pod)) {
        pods.entry(&*pod.node).or_default().push(pod);
    }
    let mut there: BTreeMap<&str, Vec<Found>> = BTreeMap::new();
    for line in lines {
        there.entry(&*line.node).or_default().extend(found(line));
    }
    let mut drift = Drift::default();
    for base in picture.bases.iter().filter(|base| asked(base)) {
        if !base.is_ready() {
            drift.silent.push(base.node.clone());
            continue;
        }
        let mut pods = pods.remove(&*base.node).unwrap_or_default();
        // The older first: of several versions the last is the newest.
        pods.sort_by_key(|pod| pod.created);
        let of_pods = pods.into_iter().flat_map(|pod| of_pod(pod, wants.plans));
        let site = sites.get(&*base.node).map(|site| Place::lasting(&site.0));
        let of_workloads = on_every_base
            .iter()
            .filter(|workload| site.as_ref().is_some_and(|site| workload.placement.admits(site)))
            .flat_map(|workload| workload.versions())
            .map(|(name, version)| Wanted { name: name.into(), version: version.into(), of_plan: false });
        let wanted = wanted(of_pods, of_workloads);
        let found = there.remove(&*base.node).unwrap_or_default();
        drift.bases.push((base.node.clone(), differences(&wanted, &found)));
    }
    drift
}

fn is_over(pod: &Pod) -> bool {
    matches!(&*pod.phase, "Succeeded" | "Failed") || pod.deleting || pod.barred
}

fn of_pod<'a>(pod: &'a Pod, plans: &BTreeSet<(Text, Text)>) -> impl Iterator<Item = Wanted> + use<'a> {
    let is_coming = !pod.ready && plans.contains(&(pod.namespace.clone(), pod.plan.clone()));
    pod.containers.iter().map(move |container| Wanted {
        name: (*container.name).into(),
        version: (*container.version).into(),
        of_plan: is_coming || container.state.is_held(),
    })
}

/// What is on the base; none where only a Pod asks for it.
fn found(line: &Line) -> Option<Found> {
    is_there(&line.state).then(|| Found {
        name: (*line.module).into(),
        version: (*line.version).into(),
        serves: &*line.state == AVAILABLE,
        merged: line.unasked == Some("InPlace"),
    })
}
