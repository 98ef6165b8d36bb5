//! How the controller stands, for metrics and for readiness.

use std::time::Duration;

use super::Engine;
use crate::ownership::Twin;

/// How many VNodes stand how, for metrics and for readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// VNodes that have a Node.
    pub vnodes: usize,
    /// VNodes that are silent now.
    pub silent: usize,
    /// Heartbeats that were refused because they claim the identity of a base that is alive elsewhere.
    pub claims_refused: u64,
    /// Bases that were heard and have no Node, because they have not answered yet.
    pub strangers: usize,
    /// Heartbeats so far that were not taken: there are too many bases, or the base would bear the Node name of another.
    pub turned_away: u64,
    /// The watches have told all.
    pub synced: bool,
    /// Replicas that live, with this one.
    pub members: usize,
    /// This replica may not act: it cannot say that no other has ended it.
    pub fenced_off: bool,
    /// This replica does not reach its bases.
    pub cut_off: bool,
    /// So many VNodes are silent at once that it is not their bases that are at fault: none is deleted.
    pub held_back: bool,
    /// The kubelet API is on, and no Service leads to it.
    pub kubelet_unreached: bool,
}

impl Engine {
    /// Counts, as of `now` on the engine's clock.
    pub fn summary(&self, now: Duration) -> Summary {
        let members = self.ownership.as_ref().map(|shared| &shared.members);
        Summary {
            vnodes: self.vnodes.len().saturating_sub(self.strangers.len()),
            silent: self.silent.len(),
            strangers: self.strangers.len(),
            turned_away: self.turned_away,
            claims_refused: self.claims_refused,
            synced: self.is_synced(),
            members: members.map_or(1, |members| members.living().count()),
            fenced_off: members.is_some_and(|members| !members.may_act(now)),
            cut_off: self.ownership.as_ref().is_some_and(|shared| shared.reach.is_cut_off()),
            held_back: self.fleet().are_many_silent(),
            kubelet_unreached: self.config.kubelet.is_some() && self.services.kubelet(&self.config).is_none(),
        }
    }

    /// Another replica that lives under this one's `CLIENT_ID`, in another Pod.
    pub fn twin(&self) -> Option<Twin> {
        self.ownership.as_ref()?.members.twin()
    }
}
