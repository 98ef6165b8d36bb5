//! Which version of a biz a base shall serve, and the next step towards it, without a moment in
//! which nothing serves where the base can avoid it.
//!
//! Pure: the situation of one bizName on one base goes in, an [`Arrangement`] comes out. It is
//! level-triggered, so that a crash between any two writes repeats harmlessly.

pub(crate) mod losses;
pub(crate) mod newest;
pub(crate) mod permits;

use std::sync::Arc;

use arklet::WireStrategy;
use model::{BizId, BizState, InstallStrategy, ModuleSpec};

use crate::view::Owner;

/// What a container of a live Pod asks for.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The Pod's UID.
    pub(crate) uid: Arc<str>,
    /// The container's place in its spec.
    pub(crate) index: usize,
    /// What it asks for.
    pub(crate) spec: Arc<ModuleSpec>,
    /// Who made it; none for a bare Pod, which is an owner of its own.
    pub(crate) owner: Option<Owner>,
    /// The API server has the Pod as Ready, or may have it so by a write that is under way.
    pub(crate) ready: bool,
    /// It was Ready a moment ago, and requests to it may not have ended (rule O10).
    pub(crate) draining: bool,
    /// It may be installed now: no back-off, no end for good.
    pub(crate) due: bool,
    /// Its last install failed.
    pub(crate) failed: bool,
    /// It failed here as a replacement, lost to the version of another owner, or the bizName belongs to another
    /// namespace: it may not displace what serves.
    pub(crate) barred: bool,
    /// An operation plan has not released it on this base (rule P1).
    pub(crate) held: bool,
    /// The base refused to hold it beside the version that serves (rule O6).
    pub(crate) replaces: bool,
    /// The base holds this name and version from another package, which makes it another version.
    pub(crate) stale: bool,
}

impl Claim {
    /// The same biz from the same package.
    pub(crate) fn is_for_same(&self, other: &ModuleSpec) -> bool {
        self.spec.id == other.id && self.spec.url == other.url
    }

    /// Made by the same controller, so that one replaces the other in an update.
    pub(crate) fn is_of_same_owner(&self, other: &Self) -> bool {
        self.uid == other.uid || (self.owner.is_some() && self.owner == other.owner)
    }
}

/// A command that is at work on the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtWork {
    /// One that may end what serves: `switchBiz`, or an install that uninstalls first.
    Displacing,
    /// Any other.
    Harmless,
}

/// One bizName on one base.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    /// What live Pods ask for, the newest first (rule O2).
    pub(crate) claims: &'a [Claim],
    /// What the base holds under the name.
    pub(crate) held: &'a [(BizId, BizState)],
    /// What may be uninstalled now where nobody wants it: it is managed and not backing off.
    pub(crate) removable: &'a [BizId],
    /// What came by an install of ours and was never asked for: a package with another name or
    /// version in its manifest.
    pub(crate) strays: &'a [BizId],
    /// What Pods that are being deleted still name, and whose grace period is not over (rule O8).
    pub(crate) leaving: &'a [BizId],
    /// What Pods that are being deleted name and requests may still come to (rule O10).
    pub(crate) draining: &'a [BizId],
    /// The command at work.
    pub(crate) at_work: Option<AtWork>,
    /// The base knows `switchBiz`.
    pub(crate) can_switch: bool,
    /// The base uninstalls other versions by itself where an install says so. One before koupleless 1.3 does not.
    pub(crate) can_replace: bool,
    /// The permit to displace is held (rule O7).
    pub(crate) permit: bool,
}

/// The next command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Install what this claim asks for.
    Install(usize, WireStrategy),
    /// Have this claim's version serve.
    Switch(usize),
    /// Uninstall; for a claim where it removes what is left of its last install.
    Uninstall(BizId, Option<usize>),
    /// Uninstall what is in the way of this claim's install, on a base that cannot do both in one command.
    MakeRoom(BizId, usize),
}

/// What is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Arrangement {
    /// The claim whose version shall serve (rule O3).
    pub(crate) target: Option<usize>,
    /// Claims for other versions are not Ready from now on (rule O4).
    pub(crate) others_yield: bool,
    /// The target is not Ready before the others are known not to be (rule O4).
    pub(crate) target_waits: bool,
    /// The permit is wanted (rule O7).
    pub(crate) wants_permit: bool,
    /// The next command, where none is at work.
    pub(crate) step: Option<Step>,
}

/// Decides.
pub(crate) fn arrange(situation: &Situation<'_>) -> Arrangement {
    let mut arrangement = Arrangement { target: target(situation), ..Arrangement::default() };
    let Some((index, claim)) =
        arrangement.target.and_then(|index| Some((index, situation.claims.get(index)?)))
    else {
        arrangement.step = situation.at_work.is_none().then(|| unwanted(situation, None)).flatten();
        return arrangement;
    };
    let state = situation.state(&claim.spec.id);
    let serving = situation.serving().filter(|id| **id != claim.spec.id || claim.stale);
    let others_ready = situation.others(claim).any(|other| other.ready) || (claim.stale && claim.ready);
    let own = claim.stale.then_some(claim);
    let mut named = situation.draining.iter().map(|id| &id.name);
    let others_drain = named.any(|name| *name == claim.spec.id.name)
        || situation.others(claim).chain(own).any(|other| other.ready || other.draining);
    let settled = state == Some(BizState::Activated) && !claim.stale;
    arrangement.target_waits = others_ready;
    arrangement.others_yield = settled || situation.at_work == Some(AtWork::Displacing);
    if situation.at_work.is_some() {
        return arrangement;
    }
    if let Some(stray) = stray(situation) {
        arrangement.step = Some(stray);
        return arrangement;
    }
    if settled {
        arrangement.step = unwanted(situation, Some(claim));
        return arrangement;
    }
    let displacing = match (state, serving) {
        // The base holds the version from another package.
        (Some(BizState::Activated | BizState::Deactivated), _) if claim.stale => {
            situation.replacement(index, claim)
        }
        // Both are there: this one is to serve.
        (Some(BizState::Deactivated), _) if situation.can_switch => Some(Step::Switch(index)),
        (Some(BizState::Deactivated), _) => situation.replacement(index, claim),
        (None | Some(BizState::Stopped), Some(_)) if claim.replaces || is_told_to_replace(claim) => {
            situation.replacement(index, claim)
        }
        _ => None,
    };
    if let Some(step) = displacing {
        arrangement.displace(step, claim, serving.is_some(), others_drain, situation.permit);
    } else {
        arrangement.step = situation.beside(index, claim, state);
    }
    // The target may wait for long, or for ever, and what nobody asks for is not to wait with it.
    arrangement.step = arrangement.step.or_else(|| unwanted(situation, Some(claim)));
    arrangement
}

impl Arrangement {
    /// A step that ends what serves: after the permit, and after the others are known not to be
    /// Ready and requests to them have had their time. Where nothing serves there is nothing to wait for.
    fn displace(&mut self, step: Step, claim: &Claim, ends_another: bool, others_drain: bool, permit: bool) {
        if !claim.due {
            return;
        }
        let replaces = matches!(step, Step::Install(..) | Step::MakeRoom(..)) && ends_another;
        self.wants_permit = replaces;
        if replaces && !permit {
            return;
        }
        self.others_yield = true;
        if !others_drain {
            self.step = Some(step);
        }
    }
}

impl Situation<'_> {
    fn state(&self, id: &BizId) -> Option<BizState> {
        self.held.iter().find(|(held, _)| held == id).map(|(_, state)| *state)
    }

    /// The version that serves.
    fn serving(&self) -> Option<&BizId> {
        self.held.iter().find(|(_, state)| *state == BizState::Activated).map(|(id, _)| id)
    }

    /// Puts a claim's version in the place of what is there: in one command, or, where the base cannot, by uninstalling
    /// first what is there of the version itself, whose new install would be refused, and then what serves.
    fn replacement(&self, index: usize, claim: &Claim) -> Option<Step> {
        if self.can_replace {
            return Some(Step::Install(index, WireStrategy::UninstallThenInstall));
        }
        let own = self.state(&claim.spec.id).map(|_| &claim.spec.id);
        Some(Step::MakeRoom(own.or_else(|| self.serving())?.clone(), index))
    }

    /// The next step towards a claim's version that ends nothing: what is left of a failed start goes, or it is installed.
    fn beside(&self, index: usize, claim: &Claim, state: Option<BizState>) -> Option<Step> {
        match state {
            // What a failed start left behind: a new install over it would be refused as a repeat.
            Some(BizState::Broken) => claim.due.then(|| Step::Uninstall(claim.spec.id.clone(), Some(index))),
            // Installed first, so that a package that cannot be fetched or does not fit never costs
            // the version that serves (rules O5 and O6).
            None | Some(BizState::Stopped) if claim.due => {
                let strategy = match is_told_to_replace(claim) && self.can_replace {
                    true => WireStrategy::UninstallThenInstall,
                    false => WireStrategy::InstallOnly,
                };
                Some(Step::Install(index, strategy))
            }
            _ => None,
        }
    }

    /// Claims for other versions than this one's.
    fn others<'a>(&'a self, claim: &'a Claim) -> impl Iterator<Item = &'a Claim> {
        self.claims.iter().filter(move |other| !other.is_for_same(&claim.spec))
    }
}

fn is_told_to_replace(claim: &Claim) -> bool {
    claim.spec.strategy == InstallStrategy::UninstallThenInstall
}

/// The newest claim that is neither held nor barred (rule O3). A bar says that it may not displace another: where
/// no other is asked for there is nothing to displace. While nothing that is asked for serves, one
/// that fails gives way to an older one that may do better. Of several claims for the same version one that is due
/// goes first, so that each of them learns what becomes of it.
fn target(situation: &Situation<'_>) -> Option<usize> {
    let released = || situation.claims.iter().filter(|claim| !claim.held);
    let free = || released().filter(|claim| !claim.barred);
    let newest = free().next().or(released().next())?;
    let wanted = |id: &BizId| situation.claims.iter().any(|claim| claim.spec.id == *id);
    let serves = situation.serving().is_some_and(wanted);
    let fallback =
        free().find(|claim| !claim.failed).or_else(|| free().find(|claim| claim.due)).filter(|_| !serves);
    let chosen = fallback.unwrap_or(newest);
    // What may not displace what serves does not act for what may.
    let same = || {
        let claims = situation.claims.iter().enumerate();
        let same =
            |claim: &Claim| claim.is_for_same(&chosen.spec) && claim.barred == chosen.barred && !claim.held;
        claims.filter(move |(_, claim)| same(claim))
    };
    same().find(|(_, claim)| claim.due).or_else(|| same().next()).map(|(index, _)| index)
}

/// What came by mistake goes before anything else.
fn stray(situation: &Situation<'_>) -> Option<Step> {
    let wanted = |id: &BizId| situation.claims.iter().any(|claim| claim.spec.id == *id);
    let goes = |id: &&BizId| situation.strays.contains(id) && situation.removable.contains(id) && !wanted(id);
    situation.held.iter().map(|(id, _)| id).find(goes).map(|id| Step::Uninstall(id.clone(), None))
}

/// What the base holds and no live Pod asks for. What serves stays until the target does: as long
/// as the Pod that is being deleted has time (rule O8), and where a Pod has changed in place as long
/// as its new version is on its way.
fn unwanted(situation: &Situation<'_>, target: Option<&Claim>) -> Option<Step> {
    let wanted = |id: &BizId| situation.claims.iter().any(|claim| claim.spec.id == *id);
    let pending = target.is_some_and(|claim| situation.state(&claim.spec.id) != Some(BizState::Activated));
    let stays = |id: &BizId, state: BizState| {
        pending
            && state == BizState::Activated
            && (situation.leaving.contains(id) || target.is_some_and(|claim| claim.due))
    };
    let (id, _) = situation
        .held
        .iter()
        .filter(|(id, _)| !wanted(id) && situation.removable.contains(id))
        .filter(|(id, _)| !situation.draining.contains(id))
        .find(|(id, state)| !stays(id, *state))?;
    Some(Step::Uninstall(id.clone(), None))
}

#[cfg(test)]
mod tests;
