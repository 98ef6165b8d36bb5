//! `baseline`: in what bases differ from what the workloads want of them.

use std::collections::BTreeMap;

use engine::{
    HELD_BY_PLAN,
    drift::{Difference, Found, Wanted, differences},
    placement::Site as Place,
};
use serde_json::{Value, json};

use super::{
    Filter,
    table::{Rows, Style, plain},
};
use crate::{
    check::{Site, Workload},
    picture::{AVAILABLE, Line, Picture},
    read::{Base, Pod, State},
    text::Text,
};

/// The error code of a difference.
pub(crate) const CODE: &str = "KouplelessBoard.BaselineInconsistency";

/// What bases differ in.
pub(crate) struct Drift {
    /// Each base with what it differs in; those that do not differ with nothing.
    bases: Vec<(Text, Vec<Difference>)>,
    /// Bases that are silent: what they have now nobody knows.
    silent: Vec<Text>,
}

/// Holds the bases that are asked for against the Pods on them, and against the workloads that want a Pod on each base.
pub(crate) fn drift(picture: &Picture, workloads: &[Workload], sites: &[Site], filter: &Filter) -> Drift {
    let lines = picture.lines();
    let mut drift = Drift { bases: Vec::new(), silent: Vec::new() };
    for base in picture.bases.iter().filter(|base| filter.base(base)) {
        if !base.is_ready() {
            drift.silent.push(base.node.clone());
            continue;
        }
        let site = sites.iter().find(|site| *site.0.name == *base.node);
        let wanted = wanted(picture, workloads, site, base);
        let found: Vec<Found> =
            lines.iter().filter(|line| line.node == base.node).filter_map(found).collect();
        drift.bases.push((base.node.clone(), differences(&wanted, &found)));
    }
    drift
}

/// The older first: of several versions the last is the newest.
fn wanted(picture: &Picture, workloads: &[Workload], site: Option<&Site>, base: &Base) -> Vec<Wanted> {
    let is_over = |pod: &Pod| matches!(&*pod.phase, "Succeeded" | "Failed") || pod.deleting || pod.barred;
    let mut pods: Vec<&Pod> =
        picture.pods.iter().filter(|pod| pod.node == base.node && !is_over(pod)).collect();
    pods.sort_by_key(|pod| pod.created);
    let mut all: Vec<Wanted> = pods.into_iter().flat_map(of_pod).collect();
    let comes_here = |workload: &&Workload| {
        workload.is_on_every_base()
            && site.is_some_and(|site| workload.placement.admits(&Place::lasting(&site.0)))
    };
    for workload in workloads.iter().filter(comes_here) {
        let missing = workload.versions().filter(|(name, _)| all.iter().all(|one| *one.name != **name));
        let missing: Vec<Wanted> = missing
            .map(|(name, version)| Wanted { name: name.into(), version: version.into(), held: false })
            .collect();
        all.extend(missing);
    }
    all
}

fn of_pod(pod: &Pod) -> impl Iterator<Item = Wanted> {
    pod.containers.iter().map(|container| Wanted {
        name: (*container.name).into(),
        version: (*container.version).into(),
        held: matches!(&container.state, State::Waiting { reason, .. } if **reason == *HELD_BY_PLAN),
    })
}

/// What is on the base; none where only a Pod asks for it.
fn found(line: &Line) -> Option<Found> {
    let is_there = !matches!(&*line.state, "Pending" | "Failed");
    is_there.then(|| Found {
        name: (*line.module).into(),
        version: (*line.version).into(),
        serves: &*line.state == AVAILABLE,
        merged: line.unasked == Some("InPlace"),
    })
}

impl Drift {
    /// No base differs, as far as they can be told.
    pub(crate) fn is_none(&self) -> bool {
        self.bases.iter().all(|(_, differences)| differences.is_empty())
    }

    /// As people read it.
    pub(crate) fn text(&self, filter: &Filter, style: Style) -> String {
        if self.bases.is_empty() && self.silent.is_empty() {
            return filter.nothing();
        }
        let mut text = String::new();
        if self.is_none() {
            text += &format!("{} bases are as their workloads want them.\n", self.bases.len());
        } else {
            let mut rows = Rows::new(["BASE", "MODULE", "DIFFERENCE", "WANTED", "THERE"], style);
            let version = |version: &Option<std::sync::Arc<str>>| {
                plain(version.as_deref().map(Text::from).unwrap_or_default())
            };
            for (base, differences) in &self.bases {
                for one in differences {
                    rows.add([
                        plain(base),
                        plain(Text::from(&*one.name)),
                        plain(one.kind.as_str()),
                        version(&one.wanted),
                        version(&one.found),
                    ]);
                }
            }
            text += &rows.text();
            text += &format!("\n{CODE}: `module-controller explain {CODE}` says what to do.\n");
        }
        if !self.silent.is_empty() {
            let names: Vec<&str> = self.silent.iter().map(|name| &**name).collect();
            text += &format!("{} bases are not Ready and were left out: {}\n", names.len(), names.join(" "));
        }
        text
    }

    /// As programs read it.
    pub(crate) fn json(&self) -> Value {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let all =
            self.bases.iter().flat_map(|(base, differences)| differences.iter().map(move |one| (base, one)));
        let differences: Vec<Value> = all
            .map(|(base, one)| {
                *counts.entry(one.kind.as_str()).or_default() += 1;
                json!({
                    "base": base, "module": *one.name, "difference": one.kind.as_str(),
                    "wanted": one.wanted.as_deref(), "found": one.found.as_deref(), "code": CODE,
                })
            })
            .collect();
        json!({ "bases": self.bases.len(), "counts": counts, "differences": differences, "notReady": self.silent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        picture::tests::{now, shop},
        screen::golden,
    };

    #[test]
    fn the_screens() {
        let (all, style) = (Filter::default(), Style { colour: false, wide: false, now: now() });
        let peer = r#"{"kind": "Deployment", "metadata": {"namespace": "shop", "name": "stock",
                "labels": {"module-controller.koupleless.io/component": "module-deployment"}},
            "spec": {"template": {"spec": {"containers": [{"name": "stock", "env": [{"name": "BIZ_VERSION", "value": "3"}]}]}}}}"#;
        let peer = Workload::of(None, peer).unwrap().unwrap();
        let picture = shop();
        let sites: Vec<Site> = picture
            .bases
            .iter()
            .map(|base| {
                Site(engine::view::NodeView {
                    name: (*base.node).into(),
                    ..engine::view::NodeView::default()
                })
            })
            .collect();
        let drift = drift(&picture, &[peer], &sites, &all);
        golden::holds("baseline.txt", &drift.text(&all, style));
        golden::holds("baseline.json", &(serde_json::to_string_pretty(&drift.json()).unwrap() + "\n"));
    }

    #[test]
    fn where_nothing_differs_it_says_so() {
        let drift = Drift { bases: vec![("a".into(), Vec::new())], silent: vec!["b".into()] };
        let style = Style { colour: false, wide: false, now: now() };
        let text = drift.text(&Filter::default(), style);
        assert_eq!(
            text,
            "1 bases are as their workloads want them.\n1 bases are not Ready and were left out: b\n"
        );
    }
}
