//! What the page is answered: pure functions of a snapshot.

mod baseline;
mod bases;
mod codes;
mod events;
mod matrix;
mod modules;
mod overview;
mod plans;

use ask::{
    Text,
    picture::{HELD, Line},
    read::Plan,
};
use jiff::Timestamp;
use model::Language;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use self::{
    baseline::{Baseline, baseline},
    bases::{BaseDetail, Bases, base, bases},
    codes::{Codes, codes},
    events::{About, Events, Happening},
    matrix::{Matrix, matrix},
    modules::{ModuleDetail, Modules, module, modules},
    overview::{Overview, overview},
    plans::{PlanDetail, PlanSummary, Plans, Targets, come_with, no_bases, not_there, plan, plans, targets},
};
use crate::{
    rights::MOST_NAMESPACES,
    snapshot::{Missing, Snapshot},
};

/// How old an answer is, and what is not in it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seen {
    /// When the board last heard the API server.
    as_of: Timestamp,
    /// Since when it does not; none where it does.
    stale_since: Option<Timestamp>,
    not_shown: Vec<NotShown>,
}

/// What is not shown, and why.
#[derive(Debug, Serialize, ToSchema)]
struct NotShown {
    what: String,
    why: String,
}

/// An answer of the cluster.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answer<T> {
    #[serde(flatten)]
    seen: Seen,
    #[serde(flatten)]
    body: T,
}

impl<T> Answer<T> {
    pub(crate) fn of(snapshot: &Snapshot, language: Language, body: T) -> Self {
        let stale_since = snapshot.news.stale_since;
        let not_shown = snapshot.missing.iter().map(|missing| missing.in_words(language)).collect();
        let seen = Seen { as_of: stale_since.unwrap_or_else(Timestamp::now), stale_since, not_shown };
        Self { seen, body }
    }
}

impl Missing {
    fn in_words(&self, language: Language) -> NotShown {
        let (what, why) = match (self, language) {
            (Self::All(what), Language::English) => (*what, "you may not list them".to_owned()),
            (Self::All(what), Language::Chinese) => (*what, "你没有列出这类对象的权限".to_owned()),
            (Self::Elsewhere(what), Language::English) => {
                (*what, "you may list them in some namespaces only".to_owned())
            }
            (Self::Elsewhere(what), Language::Chinese) => {
                (*what, "你只能列出部分命名空间中的这类对象".to_owned())
            }
            (Self::Cut(what), Language::English) => {
                (*what, format!("only the first {MOST_NAMESPACES} namespaces were asked for"))
            }
            (Self::Cut(what), Language::Chinese) => {
                (*what, format!("只查询了前 {MOST_NAMESPACES} 个命名空间"))
            }
            (Self::NotWatched(what, why), Language::English) => {
                (*what, format!("the board itself does not get them: {why}"))
            }
            (Self::NotWatched(what, why), Language::Chinese) => (*what, format!("看板自身无法读取：{why}")),
        };
        let what = match (language, what) {
            (Language::English, what) => what,
            (Language::Chinese, what) => in_chinese(what),
        };
        NotShown { what: what.to_owned(), why }
    }
}

/// A kind of object. Nouns of Kubernetes stay as they are.
fn in_chinese(name: &'static str) -> &'static str {
    match name {
        "Nodes of bases" => "基座的 Node",
        "Leases of bases" => "基座的 Lease",
        "Leases of the controller's replicas" => "控制器副本的 Lease",
        "Module objects" => "Module 对象",
        "Pods" => "Pod",
        "operation plans" => "工单",
        "Deployments" => "Deployment",
        "DaemonSets" => "DaemonSet",
        other => other,
    }
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Count {
    pub(crate) all: usize,
    pub(crate) well: usize,
}

impl Count {
    pub(crate) fn add(&mut self, is_well: bool) {
        self.all += 1;
        self.well += usize::from(is_well);
    }
}

/// A module on a base.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShownLine<'a> {
    #[serde(flatten)]
    line: &'a Line,
    /// It serves, or leaves that to another version as it should, or waits for its operation plan.
    well: bool,
}

impl<'a> From<&'a Line> for ShownLine<'a> {
    fn from(line: &'a Line) -> Self {
        Self { line, well: is_fine(line) }
    }
}

/// What a plan holds is the plan's matter, and no fault of the base.
fn is_fine(line: &Line) -> bool {
    line.is_well() || &*line.state == HELD
}

/// What nobody has looked at yet waits.
pub(crate) fn phase(plan: &Plan) -> Text {
    if plan.status.phase.is_empty() { "Pending".into() } else { plan.status.phase.clone() }
}

#[cfg(test)]
mod tests;
