//! How Pods, Nodes and bases stand, to be compared with how they stood.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use serde_json::Value;
use testkit::{
    java_base::{InstalledBiz, JavaBase},
    wait::settled,
};

use crate::{Scene, scene::node_name, seen::text};

/// A scene at one moment. Two are equal where nothing was written and no base was told to do anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// UID and resource version of every Pod and Node, by name.
    objects: BTreeMap<String, (String, String)>,
    /// What each base has.
    biz: BTreeMap<String, Vec<InstalledBiz>>,
    /// What each base was told to install, in its own words.
    commands: BTreeMap<String, Vec<String>>,
}

impl Snapshot {
    /// The scene's Pods, and the Nodes, modules and commands of these bases.
    pub fn take(scene: &Scene, bases: &[JavaBase]) -> Result<Self> {
        let mut objects: BTreeMap<_, _> = scene.pods(&[])?.iter().map(version).collect();
        for base in bases {
            objects.extend([version(&scene.node(base)?)]);
        }
        let of_each = |base: &JavaBase| Ok((node_name(base), base.query_all_biz()?));
        let biz = bases.iter().map(of_each).collect::<Result<_>>()?;
        let commands = bases.iter().map(|base| (node_name(base), commands(base))).collect();
        Ok(Self { objects, biz, commands })
    }

    /// As [`Snapshot::take`], once nothing happens any more.
    pub fn when_quiet(scene: &Scene, bases: &[JavaBase]) -> Result<Self> {
        settled("what happens in the scene", Duration::from_secs(60), || Self::take(scene, bases))
    }
}

/// What a base was told to install so far, by its own log; of what it uninstalls it logs only what another
/// version replaces.
pub fn commands(base: &JavaBase) -> Vec<String> {
    let log = base.log();
    let said = log.lines().filter_map(|line| line.split_once("arklet : start to "));
    said.map(|(_, what)| what.to_owned()).filter(|what| what.contains("install")).collect()
}

/// How many modules came up on a base so far, by its own log.
pub fn starts(base: &JavaBase) -> usize {
    base.log().lines().filter(|line| line.contains(": Started BizApp in ")).count()
}

fn version(object: &Value) -> (String, (String, String)) {
    let field = |path: &str| text(object, path).to_owned();
    (field("/metadata/name"), (field("/metadata/uid"), field("/metadata/resourceVersion")))
}
