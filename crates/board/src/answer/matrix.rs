//! Modules and their versions on bases, small enough for fifty thousand of them.

use std::collections::BTreeMap;

use ask::Text;
use serde::Serialize;
use utoipa::ToSchema;

use super::is_fine;
use crate::snapshot::Snapshot;

/// Each text once, and cells that name texts by their places.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Matrix {
    nodes: Vec<Text>,
    modules: Vec<Text>,
    versions: Vec<Text>,
    states: Vec<Text>,
    /// Five numbers a cell: the places of its node, module, version and state, and 1 where it is well.
    cells: Vec<usize>,
}

/// Texts in the order in which they were first seen.
#[derive(Default)]
struct Places<'a> {
    known: BTreeMap<&'a Text, usize>,
    texts: Vec<Text>,
}

impl<'a> Places<'a> {
    fn of(&mut self, text: &'a Text) -> usize {
        *self.known.entry(text).or_insert_with(|| {
            self.texts.push(text.clone());
            self.texts.len() - 1
        })
    }
}

pub(crate) fn matrix(snapshot: &Snapshot) -> Matrix {
    let [mut nodes, mut modules, mut versions, mut states] = [(); 4].map(|()| Places::default());
    for base in &snapshot.picture.bases {
        nodes.of(&base.node);
    }
    let mut names: Vec<&Text> = snapshot.lines.iter().map(|line| &line.module).collect();
    names.sort();
    names.dedup();
    for name in names {
        modules.of(name);
    }
    let mut cells = Vec::with_capacity(snapshot.lines.len() * 5);
    for line in &snapshot.lines {
        cells.extend([
            nodes.of(&line.node),
            modules.of(&line.module),
            versions.of(&line.version),
            states.of(&line.state),
            usize::from(is_fine(line)),
        ]);
    }
    Matrix {
        nodes: nodes.texts,
        modules: modules.texts,
        versions: versions.texts,
        states: states.texts,
        cells,
    }
}
