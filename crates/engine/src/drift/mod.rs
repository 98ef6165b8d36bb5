//! In what a base differs from its baseline: from what the workloads want of it. It is told, and never mended here: a base
//! that differs is looked at by a person.
//!
//! What is decided here is what `kubectl koupleless baseline` and the board show, and what `objects` writes into
//! ModuleBaseline objects.

pub(crate) mod base;
pub(crate) mod objects;

use std::{collections::BTreeMap, sync::Arc};

use crate::view::ModuleState;

/// A module that a workload wants on a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: Arc<str>,
    /// In which version.
    pub version: Arc<str>,
    /// An operation plan holds it there, or is bringing it there: what the base has of it meanwhile is the plan's matter.
    pub of_plan: bool,
}

/// A module that a base has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: Arc<str>,
    /// In which version.
    pub version: Arc<str>,
    /// It serves.
    pub serves: bool,
    /// It was merged into the base, and nobody has to ask for it.
    pub merged: bool,
}

/// How a base differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What is wanted is not there, and nothing of its name serves.
    Missing,
    /// Another version serves than any that is wanted.
    WrongVersion,
    /// What is wanted is there and does not serve, and nothing of its name does.
    NotActive,
    /// What is there, nobody wants.
    Extra,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Missing, Self::WrongVersion, Self::NotActive, Self::Extra];

    /// The kind that [`Self::as_str`] writes so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "Missing",
            Self::WrongVersion => "WrongVersion",
            Self::NotActive => "NotActive",
            Self::Extra => "Extra",
        }
    }
}

/// In what a base differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// How.
    pub kind: Kind,
    /// The module.
    pub name: Arc<str>,
    /// The version that is wanted; none where none is.
    pub wanted: Option<Arc<str>>,
    /// The version that is there; none where none is.
    pub found: Option<Arc<str>>,
}

/// What is wanted of a base: what the Pods on it ask for (`of_pods`, the older first), and what workloads want that have a Pod on
/// every base, as long as no Pod of them has come (`of_workloads`).
pub fn wanted(
    of_pods: impl IntoIterator<Item = Wanted>,
    of_workloads: impl IntoIterator<Item = Wanted>,
) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = of_pods.into_iter().collect();
    let missing = |one: &Wanted| all.iter().all(|other| other.name != one.name);
    let missing: Vec<Wanted> = of_workloads.into_iter().filter(missing).collect();
    all.extend(missing);
    all
}

/// What a Pod or a Module object says in this word is on the base. What waits to be installed, or could not be, is not.
pub fn is_there(state: &str) -> bool {
    ![ModuleState::Pending, ModuleState::Failed].iter().any(|none| none.as_str() == state)
}

/// The differences of one base, by name of the module. Of several versions that are wanted (an update) any may serve.
pub fn differences(wanted: &[Wanted], found: &[Found]) -> Vec<Difference> {
    let mut names: BTreeMap<&Arc<str>, (Vec<&Wanted>, Vec<&Found>)> = BTreeMap::new();
    for one in wanted {
        names.entry(&one.name).or_default().0.push(one);
    }
    for one in found {
        names.entry(&one.name).or_default().1.push(one);
    }
    names.into_iter().flat_map(|(name, (wanted, found))| of_name(name, &wanted, &found)).collect()
}

fn of_name(name: &Arc<str>, wanted: &[&Wanted], found: &[&Found]) -> Vec<Difference> {
    let difference = |kind, wanted: Option<&Wanted>, found: Option<&Found>| Difference {
        kind,
        name: name.clone(),
        wanted: wanted.map(|one| one.version.clone()),
        found: found.map(|one| one.version.clone()),
    };
    if wanted.iter().any(|one| one.of_plan) {
        return Vec::new();
    }
    // The last is the newest, as far as whoever asks knows.
    let Some(newest) = wanted.last() else {
        let nobodys = found.iter().filter(|one| !one.merged);
        return nobodys.map(|one| difference(Kind::Extra, None, Some(*one))).collect();
    };
    let is_wanted = |one: &Found| wanted.iter().any(|wanted| wanted.version == one.version);
    let serving: Vec<&&Found> = found.iter().filter(|one| one.serves).collect();
    if serving.iter().any(|one| is_wanted(one)) {
        return Vec::new();
    }
    let there = found.iter().find(|one| is_wanted(one));
    let kind = match (serving.first(), there) {
        (Some(_), _) => Kind::WrongVersion,
        (None, Some(_)) => Kind::NotActive,
        (None, None) => Kind::Missing,
    };
    let what = serving.first().copied().or(there).or(found.first());
    vec![difference(kind, Some(*newest), what.copied())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(version: &str) -> Wanted {
        Wanted { name: "biz1".into(), version: version.into(), of_plan: false }
    }

    fn found(version: &str, serves: bool) -> Found {
        Found { name: "biz1".into(), version: version.into(), serves, merged: false }
    }

    /// The kinds, each with what is wanted and what is there.
    fn told(wanted: &[Wanted], found: &[Found]) -> Vec<String> {
        let text = |version: &Option<Arc<str>>| version.as_deref().unwrap_or("-").to_owned();
        let all = differences(wanted, found).into_iter();
        all.map(|one| format!("{} {} {}", one.kind.as_str(), text(&one.wanted), text(&one.found))).collect()
    }

    #[test]
    fn each_kind_of_difference_is_told() {
        assert_eq!(told(&[wanted("1")], &[found("1", true)]), [""; 0]);
        assert_eq!(told(&[wanted("1")], &[]), ["Missing 1 -"]);
        assert_eq!(told(&[wanted("2")], &[found("1", true)]), ["WrongVersion 2 1"]);
        assert_eq!(told(&[wanted("2")], &[found("1", true), found("2", false)]), ["WrongVersion 2 1"]);
        assert_eq!(told(&[wanted("1")], &[found("1", false)]), ["NotActive 1 1"]);
        assert_eq!(told(&[wanted("2")], &[found("1", false)]), ["Missing 2 1"]);
        assert_eq!(told(&[], &[found("1", true)]), ["Extra - 1"]);
    }

    #[test]
    fn what_is_on_its_way_or_was_merged_into_the_base_is_no_difference() {
        assert_eq!(told(&[wanted("1"), wanted("2")], &[found("1", true)]), [""; 0], "an update");
        assert_eq!(told(&[wanted("1")], &[found("1", true), found("2", false)]), [""; 0]);
        let held = Wanted { of_plan: true, ..wanted("2") };
        assert_eq!(told(&[held], &[found("1", true)]), [""; 0], "the plan's matter");
        let merged = Found { merged: true, ..found("1", true) };
        assert_eq!(told(&[], &[merged]), [""; 0]);
    }

    #[test]
    fn modules_of_other_names_are_told_apart() {
        let other = Found { name: "biz2".into(), ..found("9", true) };
        assert_eq!(told(&[wanted("1")], &[other]), ["Missing 1 -", "Extra - 9"]);
    }
}
