//! `modules`: which version is on which base. Bases that are alike share a column, so that a thousand of them are as
//! readable as two.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{Cell, Color};
use serde_json::{Value, json};

use super::{
    Filter,
    table::{Rows, Style, plain, short},
};
use crate::{
    picture::{AVAILABLE, FAILED, Line, Picture},
    text::Text,
};

/// The most columns; where bases differ more, states are counted instead.
const COLUMNS: usize = 8;

/// A module in a version.
type Id = (Text, Text);

/// The matrix.
struct Matrix {
    /// The modules, each with how often it is in which state.
    rows: BTreeMap<Id, BTreeMap<Text, usize>>,
    /// Bases with the same modules in the same states.
    groups: Vec<Group>,
    bases: usize,
}

struct Group {
    bases: Vec<Text>,
    states: BTreeMap<Id, Text>,
}

/// The matrix as text.
pub(crate) fn text(picture: &Picture, filter: &Filter, style: Style) -> String {
    let matrix = matrix(picture, filter);
    if matrix.rows.is_empty() {
        return filter.nothing();
    }
    let folds = matrix.groups.len() > COLUMNS && !style.wide;
    let mut headings = vec!["MODULE".to_owned(), "VERSION".to_owned(), "BASES".to_owned()];
    match folds {
        true => headings.push("STATES".to_owned()),
        false => headings.extend(matrix.groups.iter().map(heading)),
    }
    let mut rows = Rows::new(headings, style);
    for (id, states) in &matrix.rows {
        let on: usize = states.values().sum();
        let mut cells = vec![plain(&id.0), plain(&id.1), plain(format!("{on}/{}", matrix.bases))];
        match folds {
            true => cells.push(plain(counted(states))),
            false => cells.extend(matrix.groups.iter().map(|group| cell(group.states.get(id)))),
        }
        rows.add(cells);
    }
    rows.text()
}

/// The matrix as JSON: each module in a version, with the bases by state.
pub(crate) fn json(picture: &Picture, filter: &Filter) -> Value {
    let mut rows: BTreeMap<Id, BTreeMap<Text, BTreeSet<Text>>> = BTreeMap::new();
    for line in wanted(picture, filter) {
        let states = rows.entry((line.module, line.version)).or_default();
        states.entry(line.state).or_default().insert(line.node);
    }
    let items: Vec<Value> = rows
        .into_iter()
        .map(|((module, version), states)| json!({ "module": module, "version": version, "basesByState": states }))
        .collect();
    json!({ "items": items, "bases": picture.bases.len(), "notShown": picture.not_shown })
}

fn wanted<'a>(picture: &'a Picture, filter: &'a Filter) -> impl Iterator<Item = Line> + 'a {
    let bases: BTreeMap<&str, _> = picture.bases.iter().map(|base| (&*base.node, base)).collect();
    picture.lines().into_iter().filter(move |line| filter.line(line, bases.get(&*line.node).copied()))
}

fn matrix(picture: &Picture, filter: &Filter) -> Matrix {
    let mut rows: BTreeMap<Id, BTreeMap<Text, usize>> = BTreeMap::new();
    let mut by_base: BTreeMap<Text, BTreeMap<Id, Text>> =
        picture.bases.iter().map(|base| (base.node.clone(), BTreeMap::new())).collect();
    for line in wanted(picture, filter) {
        let id = (line.module, line.version);
        *rows.entry(id.clone()).or_default().entry(line.state.clone()).or_default() += 1;
        by_base.entry(line.node).or_default().insert(id, line.state);
    }
    let bases = by_base.len();
    let mut groups: BTreeMap<Vec<(Id, Text)>, Vec<Text>> = BTreeMap::new();
    for (base, states) in by_base {
        groups.entry(states.into_iter().collect()).or_default().push(base);
    }
    let group = |(states, bases): (Vec<(Id, Text)>, _)| Group { bases, states: states.into_iter().collect() };
    let mut groups: Vec<Group> = groups.into_iter().map(group).collect();
    groups.sort_by(|a, b| b.bases.len().cmp(&a.bases.len()).then_with(|| a.bases.cmp(&b.bases)));
    Matrix { rows, groups, bases }
}

/// The base, or the first of several with their number.
fn heading(group: &Group) -> String {
    let first = short(group.bases.first().map_or("", |base| base), 40);
    match group.bases.len() {
        1 => first,
        more => format!("{first} (and {} alike)", more - 1),
    }
}

fn cell(state: Option<&Text>) -> Cell {
    let Some(state) = state else { return plain("") };
    let colour = match &**state {
        AVAILABLE => Color::Green,
        FAILED => Color::Red,
        _ => Color::Yellow,
    };
    Cell::new(&**state).fg(colour)
}

fn counted(states: &BTreeMap<Text, usize>) -> String {
    states.iter().map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        picture::tests::{large, module, now, shop},
        screen::golden,
    };

    #[test]
    fn the_screens() {
        let style = Style { colour: false, wide: false, now: now() };
        golden::holds("modules.txt", &text(&shop(), &Filter::default(), style));
        golden::holds("modules-alike.txt", &text(&large(1_000, 3), &Filter::default(), style));
        golden::holds(
            "modules.json",
            &(serde_json::to_string_pretty(&json(&shop(), &Filter::default())).unwrap() + "\n"),
        );
    }

    #[test]
    fn bases_that_all_differ_are_counted() {
        let style = Style { colour: false, wide: false, now: now() };
        let mut picture = large(20, 1);
        for number in 0..20 {
            let node = format!("virtual-node-{number:04}");
            picture.modules.push(module(&node, &format!("own{number}:1.0.0"), "Available", "").into());
        }
        let folded = text(&picture, &Filter::default(), style);
        golden::holds("modules-counted.txt", &folded);
        let wide = text(&picture, &Filter::default(), Style { wide: true, ..style });
        assert!(wide.lines().next().unwrap().contains("virtual-node-0019"), "{wide}");
    }

    #[test]
    fn a_thousand_bases_with_fifty_modules_are_fifty_lines() {
        let style = Style { colour: false, wide: false, now: now() };
        let text = text(&large(1_000, 50), &Filter::default(), style);
        assert_eq!(text.lines().count(), 51);
        assert!(text.lines().all(|line| line.len() < 200), "{text}");
    }
}
