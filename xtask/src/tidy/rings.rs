//! The rings, held against what `cargo metadata` says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cargo;

/// Where a crate of ours stands: it may depend on crates of lower rings only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// One of the product's rings.
    Ring(u8),
    /// Beside them: tests and tools. They may depend on everything, and nothing in a ring on them.
    Beside,
}

/// Every crate of the workspace. Crates of one ring do not know each other, but for [`WITHIN`].
const RANKS: &[(&str, Rank)] = &[
    ("model", Rank::Ring(0)),
    ("arklet", Rank::Ring(1)),
    ("engine", Rank::Ring(1)),
    ("plan", Rank::Ring(1)),
    ("tunnel", Rank::Ring(2)),
    ("cluster", Rank::Ring(2)),
    ("metric", Rank::Ring(2)),
    ("report", Rank::Ring(2)),
    ("ask", Rank::Ring(2)),
    ("board", Rank::Ring(2)),
    ("kubelet", Rank::Ring(2)),
    ("controller", Rank::Ring(3)),
    ("testkit", Rank::Beside),
    ("e2e", Rank::Beside),
    ("sim", Rank::Beside),
    ("fuzz", Rank::Beside),
    ("bench", Rank::Beside),
    ("xtask", Rank::Beside),
];

/// Edges within a ring: the engine gives orders in Arklet's words, and carries operation plans out; the board shows what is asked;
/// the kubelet API reads what `cluster` reads, and calls bases by the rules of `tunnel`.
const WITHIN: &[(&str, &str)] = &[
    ("engine", "arklet"),
    ("engine", "plan"),
    ("board", "ask"),
    ("kubelet", "cluster"),
    ("kubelet", "tunnel"),
];

/// The crates of others that rings 0 and 1 may name.
const PURE: &[&str] = &["jiff", "litemap", "serde", "serde_json", "sha2", "thiserror", "url"];

/// What may not even come along with those: I/O, clocks that tick by themselves, chance.
const NEVER_PURE: &[&str] = &[
    "axum",
    "getrandom",
    "hyper",
    "k8s-openapi",
    "kube",
    "mio",
    "mqtt5",
    "rand",
    "reqwest",
    "rumqttc-v4-next",
    "rustls",
    "socket2",
    "tokio",
    "ureq",
    "uuid",
];

/// The rings that have to be pure.
const PURE_UP_TO: u8 = 1;

/// A crate of ours.
#[derive(Debug, Default)]
struct Package {
    dir: PathBuf,
    /// What it depends on to be built, without what only its tests need.
    needs: BTreeSet<String>,
    /// The same, with all that comes along.
    closure: BTreeSet<String>,
}

/// The workspace, as far as the rings need it.
#[derive(Debug, Default)]
pub(super) struct Workspace(BTreeMap<String, Package>);

impl Workspace {
    /// Asks cargo. For Linux, where the controller runs: what other systems need is not downloaded.
    pub(super) fn read() -> Result<Self> {
        let args =
            ["metadata", "--format-version=1", "--locked", "--filter-platform=x86_64-unknown-linux-gnu"];
        let output = cargo::command(&args).output().context("starting cargo metadata")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata failed: {said}");
        let metadata = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
        Self::of(&metadata).context("cargo metadata is not as expected")
    }

    fn of(metadata: &Value) -> Option<Self> {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
        let mut names = BTreeMap::new();
        let mut packages = BTreeMap::new();
        let members: BTreeSet<String> = list(metadata, "workspace_members")?
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect();
        for package in list(metadata, "packages")? {
            let (id, name) = (text(&package, "id")?, text(&package, "name")?);
            if members.contains(&id) {
                let manifest = PathBuf::from(text(&package, "manifest_path")?);
                let dir = manifest.parent().map(Path::to_owned)?;
                packages.insert(id.clone(), Package { dir, ..Package::default() });
            }
            names.insert(id, name);
        }
        let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for node in list(metadata.get("resolve")?, "nodes")? {
            let needed = list(&node, "deps")?;
            let needed = needed.iter().filter(|dep| {
                let kinds = list(dep, "dep_kinds").unwrap_or_default();
                kinds.iter().any(|kind| kind.get("kind").and_then(Value::as_str) != Some("dev"))
            });
            edges.insert(text(&node, "id")?, needed.filter_map(|dep| text(dep, "pkg")).collect());
        }
        let name = |id: &String| names.get(id).cloned();
        for (id, package) in &mut packages {
            let needs = edges.get(id).into_iter().flatten();
            package.needs = needs.filter_map(name).collect();
            package.closure = closure(id, &edges).iter().filter_map(name).collect();
        }
        Some(Self(packages.into_iter().filter_map(|(id, package)| Some((name(&id)?, package))).collect()))
    }

    /// The source folders of the crates that have to be pure.
    pub(super) fn pure_sources(&self) -> Vec<PathBuf> {
        let pure = |name: &str| matches!(place(name), Some(Rank::Ring(ring)) if ring <= PURE_UP_TO);
        self.0.iter().filter(|(name, _)| pure(name)).map(|(_, package)| package.dir.join("src")).collect()
    }
}

fn closure(id: &str, edges: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![id];
    while let Some(next) = open.pop() {
        for needed in edges.get(next).into_iter().flatten() {
            if found.insert(needed.clone()) {
                open.push(needed);
            }
        }
    }
    found
}

fn place(name: &str) -> Option<Rank> {
    RANKS.iter().find(|(known, _)| *known == name).map(|(_, place)| *place)
}

/// Every edge that breaks the rings.
pub(super) fn broken(workspace: &Workspace) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, package) in &workspace.0 {
        let Some(own) = place(name) else {
            wrong.push(format!(
                "the crate {name} has no ring: give it one in xtask/src/tidy/rings.rs and ARCHITECTURE.md"
            ));
            continue;
        };
        let Rank::Ring(ring) = own else { continue };
        for needed in &package.needs {
            let allowed = match place(needed).filter(|_| workspace.0.contains_key(needed)) {
                Some(Rank::Ring(other)) => other < ring || WITHIN.contains(&(name, needed)),
                Some(Rank::Beside) => false,
                None => ring > PURE_UP_TO || PURE.contains(&needed.as_str()),
            };
            if !allowed {
                wrong.push(format!("ring {ring}: {name} may not depend on {needed}"));
            }
        }
        if ring <= PURE_UP_TO {
            let along = package.closure.iter().filter(|one| NEVER_PURE.contains(&one.as_str()));
            wrong.extend(
                along.map(|one| format!("ring {ring}: {one} comes along with a dependency of {name}")),
            );
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(crates: &[(&str, &[&str], &[&str])]) -> Workspace {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let package = |needs: &[&str], closure: &[&str]| Package {
            dir: PathBuf::from("/w"),
            needs: set(needs),
            closure: set(closure),
        };
        Workspace(crates.iter().map(|(name, needs, all)| ((*name).to_owned(), package(needs, all))).collect())
    }

    #[test]
    fn the_rings_as_they_should_be() {
        let good = workspace(&[
            ("model", &["jiff", "url"], &["jiff", "url"]),
            ("arklet", &["model", "serde_json"], &[]),
            ("engine", &["model", "arklet", "jiff"], &[]),
            ("tunnel", &["arklet", "model", "tokio"], &["tokio", "mio"]),
            ("cluster", &["engine", "kube"], &[]),
            ("controller", &["cluster", "tunnel", "engine", "tokio"], &[]),
            ("testkit", &["axum"], &[]),
            ("e2e", &["testkit", "engine"], &[]),
        ]);
        assert_eq!(broken(&good), Vec::<String>::new());
    }

    #[test]
    fn every_kind_of_broken_edge_is_named() {
        let bad = workspace(&[
            ("model", &["engine", "tokio"], &["tokio"]),
            ("arklet", &["engine", "serde_yaml"], &[]),
            ("engine", &["url"], &["getrandom"]),
            ("tunnel", &["cluster", "testkit"], &[]),
            ("cluster", &["controller", "tunnel"], &[]),
            ("controller", &[], &[]),
            ("testkit", &[], &[]),
            ("newcomer", &[], &[]),
        ]);
        let wrong = broken(&bad).join("\n");
        for said in [
            "ring 0: model may not depend on engine",
            "ring 0: model may not depend on tokio",
            "ring 0: tokio comes along with a dependency of model",
            "ring 1: arklet may not depend on engine",
            "ring 1: arklet may not depend on serde_yaml",
            "ring 1: getrandom comes along with a dependency of engine",
            "ring 2: tunnel may not depend on cluster",
            "ring 2: tunnel may not depend on testkit",
            "ring 2: cluster may not depend on controller",
            "ring 2: cluster may not depend on tunnel",
            "the crate newcomer has no ring",
        ] {
            assert!(wrong.contains(said), "{said} is not in\n{wrong}");
        }
    }

    #[test]
    fn metadata_is_read_and_what_only_tests_need_is_left_out() {
        let dep =
            |pkg: &str, kind: Option<&str>| serde_json::json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]});
        let metadata = serde_json::json!({
            "workspace_members": ["m"],
            "packages": [
                {"id": "m", "name": "model", "manifest_path": "/w/crates/model/Cargo.toml"},
                {"id": "u", "name": "url"}, {"id": "p", "name": "proptest"}, {"id": "i", "name": "idna"},
            ],
            "resolve": {"nodes": [
                {"id": "m", "deps": [dep("u", None), dep("p", Some("dev"))]},
                {"id": "u", "deps": [dep("i", None)]}, {"id": "p", "deps": []}, {"id": "i", "deps": []},
            ]},
        });
        let workspace = Workspace::of(&metadata).unwrap();
        let model = &workspace.0["model"];
        assert_eq!(model.needs, BTreeSet::from(["url".to_owned()]));
        assert_eq!(model.closure, BTreeSet::from(["idna".to_owned(), "url".to_owned()]));
        assert_eq!(workspace.pure_sources(), [PathBuf::from("/w/crates/model/src")]);
    }
}
