//! What an event may have changed, so that only that is worked out anew: a base may hold a thousand modules, and
//! most events are about one of them.

use std::{collections::BTreeSet, time::Duration};

use model::{BizId, BizName};

#[cfg(debug_assertions)]
use super::Context;
use super::VNode;
#[cfg(debug_assertions)]
use crate::action::Action;
use crate::pod::ModulePod;

/// The bizNames that are looked at, with the Pods that ask for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that there are.
    All,
    /// These only.
    Names(BTreeSet<BizName>),
}

impl Scope {
    /// One name.
    pub(super) fn of(name: BizName) -> Self {
        Self::Names(BTreeSet::from([name]))
    }

    /// The name is looked at.
    pub(super) fn holds(&self, name: &BizName) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.contains(name),
        }
    }

    /// The Pod is looked at.
    pub(super) fn holds_pod(&self, pod: &ModulePod) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => pod.biz().any(|id| names.contains(&id.name)),
        }
    }

    /// The name is looked at too.
    pub(super) fn add(&mut self, name: BizName) {
        if let Self::Names(names) = self {
            names.insert(name);
        }
    }
}

/// What has happened to a VNode since it was last advanced.
#[derive(Debug, Clone, Default)]
pub(super) struct Happened {
    /// It was advanced after all that was before the event at hand.
    is_settled: bool,
    /// All that the event at hand concerns; none where that may be anything.
    concerns: Option<BTreeSet<BizName>>,
}

impl Happened {
    /// What is to be looked at for the event at hand.
    pub(super) fn scope(&self) -> Scope {
        match &self.concerns {
            Some(names) if self.is_settled => Scope::Names(names.clone()),
            _ => Scope::All,
        }
    }

    /// It is advanced, with all that has happened.
    pub(super) fn settled(&mut self) {
        *self = Self { is_settled: true, concerns: None };
    }
}

impl VNode {
    /// What is to be looked at for the event at hand: all where anything but its Lease and its questions is due.
    pub(crate) fn scope(&self, now: Duration) -> Scope {
        if self.due.is_some_and(|at| at > now) { self.happened.scope() } else { Scope::All }
    }

    /// Time has passed, and nothing else happened.
    pub(crate) fn time_passed(&mut self) {
        self.concerns([]);
    }

    /// What has happened is not acted on now.
    pub(crate) fn defer(&mut self) {
        self.happened = Happened::default();
    }

    /// The event at hand concerns nothing but these, so far. An event that does not say so concerns anything.
    pub(super) fn concerns(&mut self, names: impl IntoIterator<Item = BizName>) {
        self.happened.concerns.get_or_insert_default().extend(names);
    }

    /// The event at hand is about this biz.
    pub(super) fn concerns_biz(&mut self, id: &BizId) {
        self.concerns([id.name.clone()]);
    }

    /// The event at hand is about what this Pod asks for. One that asks for nothing, or for nothing that can be read,
    /// has no name to be found by.
    pub(super) fn concerns_pod(&mut self, uid: &str) {
        let Some(pod) = self.pods.get(uid) else { return self.concerns([]) };
        let is_readable = pod.containers.iter().all(|container| container.wanted.is_ok());
        if !pod.containers.is_empty() && is_readable {
            let names: Vec<BizName> = pod.biz().map(|id| id.name.clone()).collect();
            self.concerns(names);
        } else {
            self.defer();
        }
    }
}

/// Less was looked at, and nothing else came of it: held wherever debug assertions are on, so by all tests and
/// the simulation.
#[cfg(debug_assertions)]
impl VNode {
    /// What would be done if all were looked at; nothing where that is so anyway.
    pub(super) fn in_full(&self, scope: &Scope, ctx: &Context<'_>) -> Option<Vec<Action>> {
        if *scope == Scope::All {
            return None;
        }
        let (mut permits, mut zones, mut out) = (ctx.permits.clone(), ctx.zones.clone(), Vec::new());
        let mut losses = ctx.losses.clone();
        let mut aside = Context {
            holder: ctx.holder.clone(),
            permits: &mut permits,
            losses: &mut losses,
            zones: &mut zones,
            out: &mut out,
            ..*ctx
        };
        self.clone().act(Scope::All, &mut aside);
        Some(out)
    }
}

#[cfg(debug_assertions)]
pub(super) fn agree<'a>(
    scope: &Scope,
    in_full: Option<Vec<Action>>,
    done: impl Iterator<Item = &'a Action> + Clone,
) {
    let Some(in_full) = in_full else { return };
    // Nearly always in the same order too, and that is found out without words.
    if in_full.iter().eq(done.clone()) {
        return;
    }
    let sorted = |actions: &mut dyn Iterator<Item = &Action>| {
        let mut told: Vec<String> = actions.map(|action| format!("{action:?}")).collect();
        told.sort();
        told
    };
    let (in_full, done) = (sorted(&mut in_full.iter()), sorted(&mut { done }));
    debug_assert!(
        in_full == done,
        "looking at all does {in_full:#?}, and looking at {scope:?} did {done:#?}"
    );
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::BaseState;

    use crate::{
        Event,
        vnode::testing::{Case, report},
    };

    /// Deadlines that a heartbeat has moved wake nobody.
    #[test]
    fn a_base_that_is_well_is_looked_at_for_its_lease_and_its_questions_only() {
        let mut case = Case::start(|_| {}, &[]);
        case.create("biz1", "biz1");
        case.until(100);
        let mut looks = 0;
        for second in 101..=220 {
            case.seconds = second;
            if second % 10 == 0 {
                case.step(report(BaseState::Activated));
            }
            let is_due = case.engine.next_wake().is_some_and(|at| at <= Duration::from_secs(second));
            case.sent.clear();
            case.step(Event::Tick);
            assert_eq!(is_due, !case.sent.is_empty(), "second {second}: {:?}", case.sent);
            looks += u32::from(is_due);
        }
        assert!((12..=16).contains(&looks), "a Lease every 10 s, and a list every 30, some at once: {looks}");
    }

    /// Each answer is about one module; what waited is another's.
    #[test]
    fn the_place_of_a_command_that_ended_goes_to_what_waited() {
        let mut case = Case::start(|config| config.workers = 1, &[]);
        case.until(3);
        case.slow = Some(Vec::new());
        for name in ["biz1", "biz2", "biz3"] {
            case.create(name, name);
        }
        assert_eq!(case.commands, ["install biz1:1"], "one at a time");
        for expected in 2..=3 {
            let answers = std::mem::take(case.slow.as_mut().unwrap());
            answers.into_iter().for_each(|answer| case.step(answer));
            assert_eq!(
                case.commands.len(),
                expected,
                "at once, and with no time passing: {:?}",
                case.commands
            );
        }
    }
}
