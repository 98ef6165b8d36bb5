//! Modules by name, and one module on all bases.

use std::collections::{BTreeMap, BTreeSet};

use ask::{Text, picture::Line};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Count, PlanSummary, ShownLine, is_fine};
use crate::snapshot::Snapshot;

/// All modules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Modules {
    items: Vec<ModuleSummary>,
}

/// A module in all its versions.
#[derive(Debug, Serialize, ToSchema)]
struct ModuleSummary {
    name: Text,
    /// On so many bases.
    bases: usize,
    #[serde(flatten)]
    count: Count,
    versions: Vec<VersionCount>,
    namespaces: Vec<Text>,
}

#[derive(Debug, Serialize, ToSchema)]
struct VersionCount {
    version: Text,
    #[serde(flatten)]
    count: Count,
}

/// One module.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModuleDetail<'a> {
    name: String,
    lines: Vec<ShownLine<'a>>,
    owners: Vec<OwnerSummary>,
    plans: Vec<PlanSummary>,
    groups: Vec<Group>,
}

/// What makes its Pods.
#[derive(Debug, Serialize, ToSchema)]
struct OwnerSummary {
    namespace: Text,
    kind: Text,
    name: Text,
    pods: usize,
    ready: usize,
    versions: Vec<Text>,
}

/// A version on bases of a kind.
#[derive(Debug, Serialize, ToSchema)]
struct Group {
    env: Text,
    base: Text,
    cluster: Text,
    version: Text,
    #[serde(flatten)]
    count: Count,
}

/// What is summed up of one module.
#[derive(Default)]
struct Sum<'a> {
    bases: BTreeSet<&'a Text>,
    namespaces: BTreeSet<&'a Text>,
    versions: BTreeMap<&'a Text, Count>,
    count: Count,
}

pub(crate) fn modules(snapshot: &Snapshot) -> Modules {
    let mut sums: BTreeMap<&Text, Sum<'_>> = BTreeMap::new();
    for line in &snapshot.lines {
        let sum = sums.entry(&line.module).or_default();
        sum.bases.insert(&line.node);
        sum.namespaces.insert(&line.namespace);
        sum.versions.entry(&line.version).or_default().add(is_fine(line));
        sum.count.add(is_fine(line));
    }
    let items = sums.into_iter().map(|(name, sum)| ModuleSummary {
        name: name.clone(),
        bases: sum.bases.len(),
        count: sum.count,
        versions: sum
            .versions
            .into_iter()
            .map(|(version, count)| VersionCount { version: version.clone(), count })
            .collect(),
        namespaces: sum.namespaces.into_iter().cloned().collect(),
    });
    Modules { items: items.collect() }
}

/// None where there is no such module, or the viewer does not know of it.
pub(crate) fn module<'a>(snapshot: &'a Snapshot, name: &str) -> Option<ModuleDetail<'a>> {
    let lines: Vec<&Line> = snapshot.lines.iter().filter(|line| *line.module == *name).collect();
    let plans: Vec<PlanSummary> = snapshot
        .plans
        .iter()
        .filter(|plan| *plan.written.module.0 == *name)
        .map(|plan| PlanSummary::of(plan))
        .collect();
    if lines.is_empty() && plans.is_empty() {
        return None;
    }
    Some(ModuleDetail {
        name: name.to_owned(),
        owners: owners(&lines),
        groups: groups(snapshot, &lines),
        lines: lines.into_iter().map(ShownLine::from).collect(),
        plans,
    })
}

fn owners(lines: &[&Line]) -> Vec<OwnerSummary> {
    let mut owners: BTreeMap<(&Text, &Text, &Text), (Count, BTreeSet<&Text>)> = BTreeMap::new();
    for line in lines {
        let Some(owner) = &line.owner else { continue };
        let (count, versions) = owners.entry((&line.namespace, &owner.kind, &owner.name)).or_default();
        count.add(line.pod_ready == Some(true));
        versions.insert(&line.version);
    }
    let owner =
        |((namespace, kind, name), (count, versions)): ((&Text, &Text, &Text), (Count, BTreeSet<&Text>))| {
            OwnerSummary {
                namespace: namespace.clone(),
                kind: kind.clone(),
                name: name.clone(),
                pods: count.all,
                ready: count.well,
                versions: versions.into_iter().cloned().collect(),
            }
        };
    owners.into_iter().map(owner).collect()
}

fn groups(snapshot: &Snapshot, lines: &[&Line]) -> Vec<Group> {
    let bases: BTreeMap<&str, _> = snapshot.picture.bases.iter().map(|base| (&*base.node, base)).collect();
    let mut groups: BTreeMap<(Text, Text, Text, &Text), Count> = BTreeMap::new();
    for line in lines {
        let base = bases.get(&*line.node);
        let (env, name, cluster) =
            base.map(|base| (base.env.clone(), base.name.clone(), base.cluster.clone())).unwrap_or_default();
        groups.entry((env, name, cluster, &line.version)).or_default().add(is_fine(line));
    }
    let group = |((env, base, cluster, version), count): ((Text, Text, Text, &Text), Count)| Group {
        env,
        base,
        cluster,
        version: version.clone(),
        count,
    };
    groups.into_iter().map(group).collect()
}
