//! The start: what is told before all is known waits here, and then work begins.

use std::{collections::BTreeMap, sync::Arc};

use model::{BaseIdentity, BaseReport, TunnelKind};

use super::Engine;
use crate::{
    action::Action,
    event::{Now, Watched},
    view::NodeView,
    vnode,
};

/// What was told before all was known.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// Nodes, by name.
    pub(super) nodes: BTreeMap<Arc<str>, NodeView>,
    /// The last heartbeat of each base: its Node may bear another name.
    pub(super) reports: BTreeMap<BaseIdentity, (TunnelKind, BaseReport)>,
}

impl Engine {
    pub(super) fn is_synced(&self) -> bool {
        let shared = [Watched::Members, Watched::Leases];
        Watched::NEEDED.iter().chain(&shared).all(|kind| self.synced.contains(kind))
    }

    /// All objects of a kind have been told; once what is needed is, work begins.
    pub(super) fn synced(&mut self, kind: Watched, now: Now, out: &mut Vec<Action>) {
        let was_synced = self.is_synced();
        self.synced.insert(kind);
        if self.is_synced() && !was_synced {
            if let Some(shared) = &mut self.ownership {
                shared.members.synced();
            }
            self.begin(now, out);
        }
        self.begin_peers(now, out);
        if self.knows_workloads() {
            for question in self.baselines.questions.take() {
                self.answer_baseline(question.tunnel, &question.query, question.ask, now, out);
            }
        }
    }

    /// Takes up what was seen before all was.
    pub(super) fn begin(&mut self, now: Now, out: &mut Vec<Action>) {
        let nodes = std::mem::take(&mut self.early.nodes);
        // Where a base has Nodes under both names, the one of the present format is the base's.
        let (preferred, others): (Vec<_>, Vec<_>) = nodes.into_values().partition(|node| {
            vnode::identity_of(node, &self.config)
                .is_some_and(|id| self.config.name_format.node_name(&id, &self.config.env) == *node.name)
        });
        for node in preferred.into_iter().chain(others) {
            if self.ownership.is_some() {
                self.see_shared_node(&node, now);
            } else {
                self.adopt_node(node, now, out);
            }
        }
        for (_, (tunnel, report)) in std::mem::take(&mut self.early.reports) {
            self.heartbeat(tunnel, report, now, out);
        }
    }
}
