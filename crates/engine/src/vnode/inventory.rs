//! What is installed on a base, as far as it is known.
//!
//! The base's list and the answers to commands arrive in any order: a list that was taken before
//! a command ended, and arrives after it, must not undo what the command's answer told.

use std::{collections::BTreeMap, time::Duration};

use model::{BizId, BizName, BizState, BizStatus};

use super::room::give_back;

/// The biz of a base.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inventory {
    // In boxes, as in the VNode.
    biz: BTreeMap<BizId, Box<BizStatus>>,
    /// When a command last began or ended for a name, and whether its end left a doubt.
    touched: BTreeMap<BizName, Touched>,
    /// A list has been read at all.
    known: bool,
}

#[derive(Debug, Clone, Copy)]
struct Touched {
    at: Duration,
    doubtful: bool,
}

impl Inventory {
    /// A list was read, so what is not in it is not there.
    pub(crate) fn is_known(&self) -> bool {
        self.known
    }

    /// What was read may no longer be so.
    pub(crate) fn forget(&mut self) {
        self.known = false;
    }

    /// What is known of a biz.
    pub(crate) fn find(&self, id: &BizId) -> Option<&BizStatus> {
        self.biz.get(id).map(Box::as_ref)
    }

    /// All that is known.
    pub(crate) fn all(&self) -> impl Iterator<Item = &BizStatus> {
        self.biz.values().map(Box::as_ref)
    }

    /// What is known under a name.
    pub(crate) fn of(&self, name: &BizName) -> impl Iterator<Item = &BizStatus> {
        self.all().filter(move |biz| biz.id.name == *name)
    }

    /// It is activated.
    pub(crate) fn serves(&self, id: &BizId) -> bool {
        self.find(id).is_some_and(|biz| biz.state == BizState::Activated)
    }

    /// Some version of the name is activated.
    pub(crate) fn serves_any(&self, name: &BizName) -> bool {
        self.of(name).any(|biz| biz.state == BizState::Activated)
    }

    /// Nobody knows at the moment what is there under this name: ask before doing anything.
    pub(crate) fn is_doubtful(&self, name: &BizName) -> bool {
        self.touched.get(name).is_some_and(|touched| touched.doubtful)
    }

    /// Some name is in doubt, so the list is wanted now.
    pub(crate) fn has_doubt(&self) -> bool {
        self.touched.values().any(|touched| touched.doubtful)
    }

    /// A command for the name began, or ended with an answer that tells all.
    pub(crate) fn touch(&mut self, name: &BizName, now: Duration) {
        self.touched.insert(name.clone(), Touched { at: now, doubtful: false });
    }

    /// A command for the name ended, and what is there now is not known.
    pub(crate) fn doubt(&mut self, name: &BizName, now: Duration) {
        self.touched.insert(name.clone(), Touched { at: now, doubtful: true });
    }

    /// The base told that this is there.
    pub(crate) fn put(&mut self, status: BizStatus) {
        self.biz.insert(status.id.clone(), Box::new(status));
    }

    /// The base told that this is not there.
    pub(crate) fn remove(&mut self, id: &BizId) {
        self.biz.remove(id);
    }

    /// The base told that nothing of what is known under a name is there.
    pub(crate) fn remove_all(&mut self, name: &BizName) {
        self.biz.retain(|id, _| id.name != *name);
    }

    /// The base's list came, asked for at `asked`. Names for which a command began or ended after
    /// that, or is at work (`busy`), keep what is known of them.
    pub(crate) fn replace(&mut self, list: Vec<BizStatus>, asked: Duration, busy: impl Fn(&BizId) -> bool) {
        let keep = |id: &BizId, touched: &BTreeMap<BizName, Touched>| {
            busy(id) || touched.get(&id.name).is_some_and(|touched| touched.at > asked)
        };
        self.biz.retain(|id, _| keep(id, &self.touched));
        for status in list {
            if !keep(&status.id, &self.touched) {
                self.put(status);
            }
        }
        self.touched.retain(|_, touched| touched.at > asked);
        give_back(&mut self.touched);
        self.known = true;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::BizState;

    use super::*;

    fn status(name: &str, state: BizState) -> BizStatus {
        BizStatus {
            id: BizId { name: name.parse().unwrap(), version: "1".parse().unwrap() },
            state,
            changed_at: None,
            message: Arc::from(""),
            web_context_path: None,
        }
    }

    fn names(inventory: &Inventory) -> Vec<String> {
        inventory.biz.keys().map(|id| id.name.to_string()).collect()
    }

    #[test]
    fn a_list_from_before_a_command_does_not_undo_its_answer() {
        let s = Duration::from_secs;
        let mut inventory = Inventory::default();
        // Asked at 1, then biz "a" is installed at 2, and the list of before arrives.
        inventory.touch(&"a".parse().unwrap(), s(2));
        inventory.put(status("a", BizState::Activated));
        inventory.replace(vec![status("b", BizState::Activated)], s(1), |_| false);
        assert_eq!(names(&inventory), ["a", "b"]);
        // The next list is newer than the command.
        inventory.replace(vec![status("b", BizState::Activated)], s(3), |_| false);
        assert_eq!(names(&inventory), ["b"]);
    }

    #[test]
    fn a_doubt_is_ended_only_by_a_list_asked_for_after_it() {
        let s = Duration::from_secs;
        let (name, mut inventory) = ("a".parse().unwrap(), Inventory::default());
        inventory.doubt(&name, s(5));
        inventory.replace(vec![], s(4), |_| false);
        assert!(inventory.is_doubtful(&name) && inventory.has_doubt());
        inventory.replace(vec![status("a", BizState::Broken)], s(5), |_| false);
        assert!(!inventory.is_doubtful(&name));
        assert_eq!(names(&inventory), ["a"]);
    }
}
