//! How the base and its modules are, as one status: pure.
//!
//! The rules are those of the manual's 5.3: see the table in `docs/guide/wasm-base.md`.

pub(crate) mod own;

use std::collections::BTreeSet;

use lifecycle::Biz;
use model::{BizId, BizName, BizState};
use serde_json::{Map, Value, json};

use self::own::Own;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// Ready.
    Up,
    /// Starting.
    Unknown,
    /// It failed to start, or it is not well.
    Down,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Up => "UP",
            Self::Unknown => "UNKNOWN",
            Self::Down => "DOWN",
        }
    }
}

/// What is known of a base.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The base itself, by name and version.
    pub(crate) base: String,
    /// Its own start.
    pub(crate) base_start: Status,
    /// What it needs itself, by name.
    pub(crate) base_indicators: Vec<(&'static str, Status, Value)>,
    /// Its modules, each with its own health where it is loaded.
    pub(crate) modules: Vec<(Biz, Option<Own>)>,
    /// The installations that failed.
    pub(crate) failed: Vec<BizId>,
    /// The modules that belong to the base's own start: merged statically, or played back.
    pub(crate) of_start: BTreeSet<BizName>,
    /// `koupleless.healthcheck.base.readiness.withAllBizReadiness`.
    pub(crate) with_all_biz: bool,
}

/// One status with what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Component {
    pub(crate) name: &'static str,
    pub(crate) status: Status,
    pub(crate) details: Value,
}

/// The whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Health {
    pub(crate) status: Status,
    /// What readiness goes by: the start of the base, and of the modules that count.
    pub(crate) start: Status,
    pub(crate) components: Vec<Component>,
}

impl Seen {
    /// What it comes to: DOWN where anything is, else UNKNOWN where anything starts, else UP.
    pub(crate) fn health(&self) -> Health {
        let mut components = vec![self.modules_component(), self.start_component()];
        let start = components.iter().find(|one| one.name == START).map_or(Status::Up, |one| one.status);
        for (name, status, details) in &self.base_indicators {
            components.push(Component { name, status: *status, details: details.clone() });
        }
        let status = components.iter().map(|one| one.status).max().unwrap_or(Status::Up);
        Health { status, start, components }
    }

    /// The start of a module counts where it belongs to the start of the base, or where all are to count.
    fn counts(&self, name: &BizName) -> bool {
        self.with_all_biz || self.of_start.contains(name)
    }

    fn modules_component(&self) -> Component {
        let mut details = Map::new();
        let mut status = Status::Up;
        for (biz, own) in &self.modules {
            if let Some(own) = own.as_ref().filter(|_| is_running(biz)) {
                status = status.max(own.status);
                details.insert(
                    biz.id.to_string(),
                    json!({"status": own.status.as_str(), "details": own.details}),
                );
            }
        }
        Component { name: "arkBizAggregate", status, details: details.into() }
    }

    fn start_component(&self) -> Component {
        let mut details = Map::new();
        let mut status = self.base_start;
        details.insert(self.base.clone(), json!({"status": self.base_start.as_str()}));
        for (biz, _) in &self.modules {
            let start = start_of(biz);
            if self.counts(&biz.id.name) {
                status = status.max(start);
            }
            details.insert(biz.id.to_string(), json!({"status": start.as_str()}));
        }
        for id in self.failed.iter().filter(|id| self.counts(&id.name)) {
            status = Status::Down;
            details.insert(id.to_string(), json!({"status": Status::Down.as_str()}));
        }
        Component { name: START, status, details: details.into() }
    }
}

const START: &str = "masterBizStartUp";

/// How far a module's start is. One that is about to go is DOWN, so that nobody sends it more.
fn start_of(biz: &Biz) -> Status {
    match biz.state {
        _ if biz.is_leaving => Status::Down,
        BizState::Activated | BizState::Deactivated => Status::Up,
        BizState::Unresolved | BizState::Resolved => Status::Unknown,
        BizState::Broken | BizState::Stopped | BizState::Unknown => Status::Down,
    }
}

/// A module that is not there yet, or not any more, has no health of its own that counts.
fn is_running(biz: &Biz) -> bool {
    matches!(biz.state, BizState::Activated | BizState::Deactivated) && !biz.is_leaving
}

#[cfg(test)]
mod tests {
    use lifecycle::Instance;

    use super::*;

    fn seen() -> Seen {
        Seen {
            base: "base:1.0.0".to_owned(),
            base_start: Status::Up,
            base_indicators: vec![("ping", Status::Up, json!({}))],
            modules: Vec::new(),
            failed: Vec::new(),
            of_start: BTreeSet::new(),
            with_all_biz: false,
        }
    }

    fn biz(name: &str, state: BizState) -> Biz {
        Biz {
            id: id(name),
            web_context_path: name.to_owned(),
            instance: Instance(1),
            state,
            records: Vec::new(),
            is_leaving: false,
        }
    }

    fn id(name: &str) -> BizId {
        BizId { name: name.parse().unwrap(), version: "1".parse().unwrap() }
    }

    fn own(status: Status) -> Option<Own> {
        Some(Own { status, details: json!({}) })
    }

    fn status(seen: &Seen) -> Status {
        seen.health().status
    }

    #[test]
    fn without_modules_it_is_the_base_alone() {
        for start in [Status::Up, Status::Unknown, Status::Down] {
            assert_eq!(status(&Seen { base_start: start, ..seen() }), start);
        }
        let full = vec![("diskSpace", Status::Down, json!({}))];
        assert_eq!(status(&Seen { base_indicators: full, ..seen() }), Status::Down);
    }

    #[test]
    fn what_belongs_to_the_start_counts_whatever_is_set() {
        let of_start = BTreeSet::from(["a".parse().unwrap()]);
        for (state, expected) in [
            (BizState::Activated, Status::Up),
            (BizState::Resolved, Status::Unknown),
            (BizState::Broken, Status::Down),
        ] {
            let modules = vec![(biz("a", state), None)];
            assert_eq!(status(&Seen { modules, of_start: of_start.clone(), ..seen() }), expected);
        }
        let failed = vec![id("a")];
        assert_eq!(status(&Seen { failed, of_start, ..seen() }), Status::Down);
    }

    #[test]
    fn a_hot_deployment_counts_where_all_are_to() {
        for (state, with_all) in [(BizState::Resolved, Status::Unknown), (BizState::Broken, Status::Down)] {
            let modules = vec![(biz("a", state), None)];
            let one = Seen { modules, ..seen() };
            assert_eq!(status(&one), Status::Up);
            assert_eq!(status(&Seen { with_all_biz: true, ..one }), with_all);
        }
        let one = Seen { failed: vec![id("a")], ..seen() };
        assert_eq!(status(&one), Status::Up);
        assert_eq!(status(&Seen { with_all_biz: true, ..one }), Status::Down);
    }

    #[test]
    fn a_module_that_is_not_well_counts_always() {
        let modules = vec![
            (biz("a", BizState::Activated), own(Status::Up)),
            (biz("b", BizState::Deactivated), own(Status::Down)),
        ];
        let health = Seen { modules, ..seen() }.health();
        assert_eq!((health.status, health.start), (Status::Down, Status::Up));
        assert_eq!(health.components[0].details["b:1"]["status"], "DOWN");
    }

    #[test]
    fn one_that_leaves_is_down_at_its_start_and_its_health_is_not_asked() {
        let mut leaving = biz("a", BizState::Activated);
        leaving.is_leaving = true;
        let health = Seen { modules: vec![(leaving, own(Status::Down))], ..seen() }.health();
        assert_eq!(health.status, Status::Up);
        assert_eq!(health.components[1].details["a:1"]["status"], "DOWN");
    }
}
