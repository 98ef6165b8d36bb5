//! `bases`: one line for each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Filter,
    table::{Rows, Style, age, base_state, plain},
};
use crate::{
    picture::{FAILED, Line, Picture},
    read::Base,
};

/// How many modules are on a base, how many of them serve, and how many failed.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    all: usize,
    well: usize,
    failed: usize,
}

impl Count {
    fn see(&mut self, line: &Line) {
        self.all += 1;
        self.well += usize::from(line.is_well());
        self.failed += usize::from(&*line.state == FAILED);
    }

    fn text(self) -> String {
        match self.failed {
            0 => format!("{}/{}", self.well, self.all),
            failed => format!("{}/{} ({failed} failed)", self.well, self.all),
        }
    }
}

/// The bases as text.
pub(crate) fn text(picture: &Picture, filter: &Filter, style: Style) -> String {
    let counts = counts(picture);
    let mut headings =
        vec!["NODE", "STATE", "SINCE", "NAME", "VERSION", "ENV", "MODULES", "TUNNEL", "ADDRESS"];
    if style.wide {
        headings.extend(["IDENTITY", "HOST", "CLUSTER", "METASPACE FREE", "OWNER", "RENEWED"]);
    }
    let mut rows = Rows::new(headings, style);
    let mut some = false;
    for base in wanted(picture, filter) {
        some = true;
        let since = base.ready.as_ref().and_then(|ready| ready.since);
        let mut cells = vec![
            plain(&base.node),
            base_state(base),
            plain(age(since, style.now)),
            plain(&base.name),
            plain(&base.version),
            plain(&base.env),
            plain(counts.get(&*base.node).copied().unwrap_or_default().text()),
            plain(&base.tunnel),
            plain(&base.address),
        ];
        if style.wide {
            let memory = base.memory.as_ref().map(|(free, all)| format!("{free} of {all}"));
            cells.extend([
                plain(&base.identity),
                plain(&base.host_name),
                plain(&base.cluster),
                plain(memory.unwrap_or_default()),
                plain(&base.owner),
                plain(age(base.renewed, style.now)),
            ]);
        }
        rows.add(cells);
    }
    if some { rows.text() } else { filter.nothing() }
}

/// The bases as JSON.
pub(crate) fn json(picture: &Picture, filter: &Filter) -> Value {
    let counts = counts(picture);
    let items: Vec<Value> = wanted(picture, filter)
        .map(|base| {
            let count = counts.get(&*base.node).copied().unwrap_or_default();
            let modules = json!({ "all": count.all, "well": count.well, "failed": count.failed });
            let mut base = json!(base);
            if let Some(base) = base.as_object_mut() {
                base.insert("modules".to_owned(), modules);
            }
            base
        })
        .collect();
    json!({ "items": items, "notShown": picture.not_shown })
}

fn wanted<'a>(picture: &'a Picture, filter: &Filter) -> impl Iterator<Item = &'a Base> {
    picture.bases.iter().filter(|base| filter.base(base))
}

fn counts(picture: &Picture) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for line in picture.lines() {
        counts.entry(line.node.to_string()).or_default().see(&line);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        picture::{
            NotShown,
            tests::{now, shop},
        },
        screen::golden,
    };

    #[test]
    fn the_screens() {
        let style = Style { colour: false, wide: false, now: now() };
        let mut shop = shop();
        golden::holds("bases.txt", &text(&shop, &Filter::default(), style));
        golden::holds("bases-wide.txt", &text(&shop, &Filter::default(), Style { wide: true, ..style }));
        // By identity, host name or address as well.
        let one = text(&shop, &Filter::of(&["b"]), style);
        assert!(one.lines().count() == 2 && one.contains("virtual-node-b"), "{one}");
        shop.not_shown.push(NotShown { what: "Leases of bases".into(), why: "forbidden".into() });
        golden::holds(
            "bases.json",
            &(serde_json::to_string_pretty(&json(&shop, &Filter::default())).unwrap() + "\n"),
        );
    }
}
