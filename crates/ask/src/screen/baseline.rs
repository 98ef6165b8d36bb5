//! `baseline`: in what bases differ from what the workloads want of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Filter,
    table::{Rows, Style, plain},
};
use crate::{drift::Drift, text::Text};

/// The error code of a difference.
pub(crate) const CODE: &str = "KouplelessBoard.BaselineInconsistency";

impl Drift {
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        drift::{Wanting, drift},
        picture::tests::{now, shop},
        read::{Site, Workload},
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
        let wants = Wanting {
            workloads: &[&peer],
            sites: &sites.iter().collect::<Vec<_>>(),
            plans: &BTreeSet::new(),
        };
        let drift = drift(&picture, &picture.lines(), &wants, |_| true);
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
