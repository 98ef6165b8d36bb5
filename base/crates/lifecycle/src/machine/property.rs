//! What always holds, whatever is ordered and however it ends:
//!
//! - of a name at most one version is activated, and requests go to it and to nothing else;
//! - of a name and version there is one entry;
//! - code that is dropped is not served, and is dropped once; what is neither in the list nor ending is dropped;
//! - every operation finishes exactly once.

use std::collections::{BTreeMap, BTreeSet};

use model::{BizId, BizState};
use proptest::prelude::*;

use super::{Config, Lifecycle};
use crate::{
    biz::Biz,
    event::{Action, Event, Fetched, Install, Instance, OpId, Strategy as InstallStrategy},
    failure::Failure,
};

/// What carries out the actions, at whatever time the test says.
#[derive(Default)]
struct Executor {
    open: Vec<Action>,
    /// What was asked for by each fetch.
    orders: BTreeMap<OpId, BizId>,
    served: BTreeMap<String, Instance>,
    loaded: BTreeSet<Instance>,
    begun: BTreeSet<OpId>,
    finished: BTreeSet<OpId>,
}

impl Executor {
    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Serve { web_context_path, instance } => {
                    assert!(self.loaded.contains(&instance), "{instance:?} serves and is not loaded");
                    self.served.insert(web_context_path, instance);
                }
                Action::Close { web_context_path } => {
                    assert!(self.served.remove(&web_context_path).is_some(), "{web_context_path} was closed");
                }
                Action::Drop(instance) => {
                    assert!(self.loaded.remove(&instance), "{instance:?} is dropped twice");
                    assert!(self.served.values().all(|one| *one != instance), "{instance:?} serves");
                }
                Action::Discard(_) => {}
                Action::Finish(op, _) => assert!(self.finished.insert(op), "{op:?} finishes twice"),
                waits => self.open.push(waits),
            }
        }
    }

    /// The end of what is open.
    fn end(&mut self, at: usize, succeeds: bool) -> Event {
        let failure = || Failure::StartUp("it fails".to_owned());
        match self.open.remove(at) {
            Action::Fetch { op, .. } => {
                let id = self.orders[&op].clone();
                let web_context_path = if id.version.as_str() == "3" { "shared" } else { id.name.as_str() };
                let fetched = Fetched { web_context_path: web_context_path.to_owned(), id };
                Event::Fetched(op, succeeds.then_some(fetched).ok_or_else(failure))
            }
            Action::Load { op } => {
                self.loaded.insert(Instance(op.0));
                Event::Loaded(op, if succeeds { Ok(()) } else { Err(failure()) })
            }
            Action::KeepSilent(op) => Event::Silent(op),
            Action::Drain(instance) => Event::Drained(instance),
            other => panic!("{other:?} does not end"),
        }
    }
}

#[derive(Debug, Clone)]
enum Do {
    Install { name: u8, version: u8, replaces: bool, is_named: bool },
    Uninstall { name: u8, version: u8 },
    Switch { name: u8, version: u8 },
    End { which: usize, succeeds: bool },
}

fn doing() -> impl Strategy<Value = Do> {
    let (name, version) = (0..3_u8, 1..4_u8);
    prop_oneof![
        3 => (name.clone(), version.clone(), any::<bool>(), any::<bool>()).prop_map(
            |(name, version, replaces, is_named)| Do::Install { name, version, replaces, is_named }
        ),
        2 => (name.clone(), version.clone()).prop_map(|(name, version)| Do::Uninstall { name, version }),
        1 => (name, version).prop_map(|(name, version)| Do::Switch { name, version }),
        6 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(which, succeeds)| Do::End { which, succeeds }),
    ]
}

fn biz(name: u8, version: u8) -> BizId {
    BizId { name: format!("m{name}").parse().unwrap(), version: version.to_string().parse().unwrap() }
}

fn check(machine: &Lifecycle, executor: &Executor) {
    let mut ids = BTreeSet::new();
    let mut served = BTreeMap::new();
    for biz in machine.biz() {
        assert!(ids.insert(biz.id.clone()), "{} is there twice", biz.id);
        if biz.state == BizState::Activated {
            served.insert(biz.web_context_path.clone(), biz.instance);
            let same = |other: &&Biz| other.id.name == biz.id.name && other.state == BizState::Activated;
            assert_eq!(machine.biz().iter().filter(same).count(), 1, "{}", biz.id.name);
        }
    }
    assert_eq!(served, executor.served);
}

proptest! {
    #[test]
    fn always(doings in prop::collection::vec(doing(), 1..120), keeps_broken: bool, is_silent_first: bool) {
        let mut machine = Lifecycle::new(Config { keeps_broken, is_silent_first, max_biz: 5 });
        let mut executor = Executor::default();
        for (at, doing) in doings.into_iter().enumerate() {
            let op = OpId(at as u64);
            let event = match doing {
                Do::Install { name, version, replaces, is_named } => {
                    let id = biz(name, version);
                    executor.orders.insert(op, id.clone());
                    let strategy = if replaces {
                        InstallStrategy::UninstallThenInstall
                    } else {
                        InstallStrategy::InstallOnly
                    };
                    Event::Install(op, Install { id: is_named.then_some(id), url: String::new(), strategy })
                }
                Do::Uninstall { name, version } => Event::Uninstall(op, biz(name, version)),
                Do::Switch { name, version } => Event::Switch(op, biz(name, version)),
                Do::End { .. } if executor.open.is_empty() => continue,
                Do::End { which, succeeds } => executor.end(which % executor.open.len(), succeeds),
            };
            if matches!(event, Event::Install(..) | Event::Uninstall(..) | Event::Switch(..)) {
                executor.begun.insert(op);
            }
            let actions = machine.step(event, at as i64);
            executor.take(actions);
            check(&machine, &executor);
        }
        while !executor.open.is_empty() {
            let event = executor.end(0, true);
            let actions = machine.step(event, 1_000);
            executor.take(actions);
            check(&machine, &executor);
        }
        prop_assert_eq!(&executor.begun, &executor.finished);
        let there: BTreeSet<Instance> = machine
            .biz()
            .iter()
            .filter(|biz| biz.state != BizState::Broken)
            .map(|biz| biz.instance)
            .collect();
        prop_assert_eq!(there, executor.loaded);
    }
}
