//! `cleanup`: what a controller that is gone has left, and nothing else. What is to be deleted is decided by a pure function; what is in it
//! is deleted by UID, so that nothing that came since is meant.

mod left;

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

pub(crate) use self::left::Left;
use self::left::LeftNode;
use crate::text::Text;

/// A Lease that was renewed since then has somebody who does it: with many bases each is renewed every 25 s.
const ALIVE: SignedDuration = SignedDuration::from_secs(40);
/// More names at once nobody reads.
const NAMED: usize = 10;

/// What is to be deleted, and what speaks against it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Deletions {
    pub(crate) doomed: Vec<Doomed>,
    /// Why nothing may be deleted now, and what to do about it.
    pub(crate) blocked: Vec<String>,
    /// A Lease that somebody renewed a moment ago: a controller acts, or has just ended.
    pub(crate) acting: Option<Acting>,
    /// What whoever says yes should know.
    pub(crate) warnings: Vec<String>,
}

/// Who was heard of last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acting {
    lease: String,
    age: SignedDuration,
}

impl Acting {
    /// When it is known whether somebody still renews it.
    pub(crate) fn known_after(&self) -> Duration {
        (ALIVE - self.age.max(SignedDuration::ZERO)).unsigned_abs() + Duration::from_secs(1)
    }

    /// What is waited for.
    pub(crate) fn wait(&self) -> String {
        let seconds = self.known_after().as_secs();
        format!(
            "the Lease {} was renewed {} s ago; waiting {seconds} s to see whether a controller still acts",
            self.lease,
            self.age.as_secs().max(0)
        )
    }

    /// Why nothing is deleted.
    pub(crate) fn block(&self) -> String {
        format!("the Lease {} is being renewed: a controller still acts. End it first", self.lease)
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doomed {
    /// `Node`, or `Lease`.
    pub(crate) kind: &'static str,
    pub(crate) name: Text,
    /// Its path in the API.
    pub(crate) path: String,
    pub(crate) uid: Text,
}

impl Deletions {
    /// Of what is left at this moment.
    pub(crate) fn of(left: &Left, now: Timestamp) -> Self {
        let mut deletions = Self::default();
        let ours: Vec<&LeftNode> = left.nodes.iter().filter(|node| node.is_ours).collect();
        for node in left.nodes.iter().filter(|node| !node.is_ours) {
            deletions.warnings.push(format!(
                "Node {} has the label of a base and neither its taint nor its identity: it stays",
                node.name
            ));
        }
        deletions.block(left, &ours, now);
        let modules = left.pods.iter().filter(|pod| ours.iter().any(|node| node.name == pod.node)).count();
        if modules > 0 {
            deletions.warnings.push(format!(
                "{modules} Pods of modules are on these bases. The modules stay installed there, and the Pods' owners make others, \
                 which stay Pending. To uninstall them first, let the controller run and delete the owners"
            ));
        }
        deletions.doomed.extend(ours.iter().map(|node| Doomed {
            kind: "Node",
            name: node.name.clone(),
            path: format!("/api/v1/nodes/{}", node.name),
            uid: node.uid.clone(),
        }));
        deletions.doomed.extend(left.leases.iter().map(|lease| Doomed {
            kind: "Lease",
            name: format!("{}/{}", lease.namespace, lease.name).into(),
            path: format!(
                "/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}",
                lease.namespace, lease.name
            ),
            uid: lease.uid.clone(),
        }));
        deletions
    }

    /// What runs would make again at once what is deleted.
    fn block(&mut self, left: &Left, ours: &[&LeftNode], now: Timestamp) {
        let envs: BTreeSet<&Text> =
            ours.iter().map(|node| &node.env).chain(left.leases.iter().map(|lease| &lease.env)).collect();
        for controller in
            left.controllers.iter().filter(|one| one.runs() && envs.contains(&Text::from(one.env())))
        {
            self.blocked.push(format!("{} runs: {}", controller.about(), controller.end()));
        }
        let ages = left.leases.iter().filter_map(|lease| {
            let age = SignedDuration::try_from(now - lease.renewed?).ok()?;
            Some(Acting { lease: format!("{}/{}", lease.namespace, lease.name), age })
        });
        self.acting = ages.filter(|acting| acting.age < ALIVE).min_by_key(|acting| acting.age);
    }

    /// What is said before anything is done.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for kind in ["Node", "Lease"] {
            let names: Vec<&str> =
                self.doomed.iter().filter(|one| one.kind == kind).map(|one| &*one.name).collect();
            if !names.is_empty() {
                let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
                let more = if names.len() > NAMED {
                    format!(" and {} more", names.len() - NAMED)
                } else {
                    String::new()
                };
                text.push_str(&format!("{} to delete: {} ({shown}{more})\n", plural(kind), names.len()));
            }
        }
        for warning in &self.warnings {
            text.push_str(&format!("note: {warning}\n"));
        }
        for blocked in &self.blocked {
            text.push_str(&format!("not now: {blocked}\n"));
        }
        if self.doomed.is_empty() {
            text.push_str("Nothing is left to delete.\n");
        }
        text
    }
}

fn plural(kind: &str) -> &'static str {
    if kind == "Node" { "Nodes" } else { "Leases" }
}

#[cfg(test)]
mod tests {
    use super::{left::LeftLease, *};
    use crate::{
        picture::tests::{now, pod},
        read::Object,
    };

    const NODE: &str = r#"{"metadata": {"name": "virtual-node-a", "uid": "u1", "labels": {"module-controller.koupleless.io/env": "dev"},
        "annotations": {"base.koupleless.io/identity": "a"}},
        "spec": {"taints": [{"key": "schedule.koupleless.io/virtual-node", "value": "True", "effect": "NoExecute"}]}}"#;

    fn node() -> LeftNode {
        LeftNode::read(NODE).unwrap()
    }

    fn lease(renewed: &str) -> LeftLease {
        LeftLease::read(&format!(
            r#"{{"metadata": {{"name": "virtual-node-a", "namespace": "kube-node-lease", "uid": "u2",
                "labels": {{"module-controller.koupleless.io/env": "dev"}}}}, "spec": {{"renewTime": "{renewed}"}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn nodes_and_leases_go_by_uid() {
        let left = Left {
            nodes: vec![node()],
            leases: vec![lease("2026-11-28T11:00:00.000000Z")],
            ..Left::default()
        };
        let deletions = Deletions::of(&left, now());
        let said: Vec<String> =
            deletions.doomed.iter().map(|one| format!("{} {} {}", one.kind, one.path, one.uid)).collect();
        assert_eq!(
            said,
            [
                "Node /api/v1/nodes/virtual-node-a u1",
                "Lease /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/virtual-node-a u2",
            ]
        );
        assert!(
            deletions.blocked.is_empty() && deletions.acting.is_none() && deletions.warnings.is_empty(),
            "{deletions:?}"
        );
    }

    /// A machine that somebody gave the label is none of ours, whatever else it has of it.
    #[test]
    fn a_node_without_taint_or_identity_stays() {
        for change in [
            NODE.replace("schedule.koupleless.io/virtual-node\"", "other\""),
            NODE.replace("base.koupleless.io/identity", "other").replace("virtual-node-a", "worker-1"),
        ] {
            let left = Left { nodes: vec![LeftNode::read(&change).unwrap()], ..Left::default() };
            let deletions = Deletions::of(&left, now());
            assert!(deletions.doomed.is_empty() && deletions.warnings.len() == 1, "{change}: {deletions:?}");
        }
    }

    #[test]
    fn while_somebody_acts_nothing_may_go() {
        let left = Left {
            nodes: vec![node()],
            leases: vec![lease("2026-11-28T11:59:50.000000Z")],
            ..Left::default()
        };
        let deletions = Deletions::of(&left, now());
        let acting = deletions.acting.unwrap();
        assert!(acting.wait().contains("was renewed 10 s ago; waiting 31 s"), "{acting:?}");
        // A clock of theirs that is ahead is no reason to go on.
        let left = Left { leases: vec![lease("2026-11-28T12:00:30.000000Z")], ..Left::default() };
        let acting = Deletions::of(&left, now()).acting.unwrap();
        assert_eq!(acting.known_after(), Duration::from_secs(41));
    }

    #[test]
    fn what_the_pods_of_modules_come_to_is_said() {
        let left = Left {
            nodes: vec![node()],
            pods: vec![pod("biz1-a", "virtual-node-a", true)],
            ..Left::default()
        };
        let text = Deletions::of(&left, now()).text();
        assert!(text.contains("Nodes to delete: 1 (virtual-node-a)\nnote: 1 Pods of modules"), "{text}");
        assert_eq!(Deletions::of(&Left::default(), now()).text(), "Nothing is left to delete.\n");
    }
}
