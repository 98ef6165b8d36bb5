//! `status`: whether all is well, and if not, what is wrong, since when, and what to ask next.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Filter,
    table::{Rows, Style, age, code, plain, short},
};
use crate::{
    picture::{Line, Picture},
    read::{Base, Pod},
    text::Text,
};

/// More at once nobody reads; `tree --problems` has all.
const SHOWN: usize = 50;

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Standing {
    bases: Count,
    modules: Count,
    /// Pods that are on no base yet.
    unplaced: usize,
    replicas: usize,
    /// What is not well.
    wrong: Vec<Wrong>,
    /// Pods, which say whether modules are there, could not be read.
    blind: bool,
}

/// How many there are, and how many of them are well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Count {
    well: usize,
    all: usize,
}

/// One thing that is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wrong {
    what: String,
    code: Text,
    since: Option<Timestamp>,
    message: Text,
    /// Nothing is tried any more until somebody acts.
    is_final: bool,
}

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well.
    Well,
    /// Something is not, and may become so.
    NotYet,
    /// Something is not, and stays so until somebody acts.
    Stuck,
    /// Nobody here is called so.
    Nothing,
    /// What would say it could not be read.
    Blind,
}

impl Standing {
    /// How what was asked for stands.
    pub(crate) fn of(picture: &Picture, filter: &Filter) -> Self {
        let (mut bases, mut modules, mut wrong) = (Count::default(), Count::default(), Vec::new());
        for base in picture.bases.iter().filter(|base| base.ready.is_some() && filter.base(base)) {
            bases.all += 1;
            match base.is_ready() {
                true => bases.well += 1,
                false => wrong.push(of_base(base)),
            }
        }
        let by_node: BTreeMap<&str, &Base> = picture.bases.iter().map(|base| (&*base.node, base)).collect();
        for line in picture.lines() {
            if filter.line(&line, by_node.get(&*line.node).copied()) {
                modules.all += 1;
                match line.is_well() {
                    true => modules.well += 1,
                    false => wrong.push(of_line(&line)),
                }
            }
        }
        let unplaced: Vec<Wrong> = picture.unplaced().filter(|pod| filter.pod(pod)).map(of_pod).collect();
        Self {
            bases,
            modules,
            unplaced: unplaced.len(),
            replicas: picture.replicas.iter().filter(|replica| &*replica.state == "living").count(),
            wrong: wrong.into_iter().chain(unplaced).collect(),
            blind: picture.not_shown.iter().any(|not| &*not.what == "Pods"),
        }
    }

    /// What it comes to, where these names were asked for.
    pub(crate) fn verdict(&self, filter: &Filter) -> Verdict {
        let nothing = self.bases.all + self.modules.all + self.unplaced == 0;
        match () {
            () if self.wrong.iter().any(|wrong| wrong.is_final) => Verdict::Stuck,
            () if !self.wrong.is_empty() => Verdict::NotYet,
            () if self.blind => Verdict::Blind,
            () if nothing && !filter.names.is_empty() => Verdict::Nothing,
            () => Verdict::Well,
        }
    }

    /// In one line, for whoever waits.
    pub(crate) fn line(&self) -> String {
        let unplaced = match self.unplaced {
            0 => String::new(),
            some => format!(", {some} Pods without a base"),
        };
        let first = self.wrong.first().map(|wrong| {
            let code = if wrong.code.is_empty() { String::new() } else { format!(" ({})", wrong.code) };
            format!("; waiting for {}{code}", wrong.what)
        });
        format!(
            "{} of {} bases Ready, {} of {} modules well{unplaced}{}",
            self.bases.well,
            self.bases.all,
            self.modules.well,
            self.modules.all,
            first.unwrap_or_default()
        )
    }

    /// The screen as text.
    pub(crate) fn text(&self, style: Style) -> String {
        let mut rows = Rows::new(["", ""], style);
        let of = |count: Count| format!("{} of {}", count.well, count.all);
        rows.add([plain("Bases that are Ready"), plain(of(self.bases))]);
        rows.add([plain("Modules that are well"), plain(of(self.modules))]);
        rows.add([plain("Pods without a base"), plain(self.unplaced.to_string())]);
        if self.replicas > 0 {
            rows.add([plain("Replicas of the controller"), plain(self.replicas.to_string())]);
        }
        // The table's own headings are empty.
        let mut text = rows.text().split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        if self.wrong.is_empty() {
            return text;
        }
        let mut rows = Rows::new(["NOT WELL", "SINCE", "CODE", "MESSAGE"], style);
        let most = if style.wide { 1_000 } else { 100 };
        for wrong in self.wrong.iter().take(SHOWN) {
            rows.add([
                plain(&wrong.what),
                plain(age(wrong.since, style.now)),
                code(&wrong.code),
                plain(short(&wrong.message, most)),
            ]);
        }
        text.push('\n');
        text.push_str(&rows.text());
        if self.wrong.len() > SHOWN {
            text.push_str(&format!("and {} more: `tree --problems` shows all\n", self.wrong.len() - SHOWN));
        }
        if self.wrong.iter().any(|wrong| wrong.code.contains('.')) {
            text.push_str("\n`module-controller explain CODE` says what a code means and what to do.\n");
        }
        text
    }

    /// The screen as JSON.
    pub(crate) fn json(&self, filter: &Filter, picture: &Picture) -> Value {
        let mut json = json!(self);
        if let Some(json) = json.as_object_mut() {
            json.insert("well".to_owned(), json!(self.verdict(filter) == Verdict::Well));
            json.insert("notShown".to_owned(), json!(picture.not_shown));
        }
        json
    }
}

fn of_base(base: &Base) -> Wrong {
    let ready = base.ready.clone().unwrap_or_default();
    Wrong {
        what: format!("base {}", base.node),
        code: ready.reason,
        since: ready.since.or(base.created),
        message: if ready.message.is_empty() {
            "its Node does not say how it is".into()
        } else {
            ready.message
        },
        is_final: false,
    }
}

fn of_line(line: &Line) -> Wrong {
    let message = match line.message.is_empty() {
        true if line.pod_ready == Some(false) => "its Pod is not Ready".into(),
        true => line.state.clone(),
        false => line.message.clone(),
    };
    Wrong {
        what: format!("module {} on {}", line.id(), line.node),
        code: line.code.clone(),
        since: line.since,
        message,
        is_final: line.barred,
    }
}

fn of_pod(pod: &Pod) -> Wrong {
    Wrong {
        what: format!("Pod {}/{}", pod.namespace, pod.name),
        code: Text::default(),
        since: pod.created,
        message: if pod.message.is_empty() { "it has no Node yet".into() } else { pod.message.clone() },
        is_final: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        picture::{
            NotShown,
            tests::{base, module, now, pod, shop},
        },
        screen::golden,
    };

    fn standing(picture: &Picture) -> (Standing, Verdict) {
        let standing = Standing::of(picture, &Filter::default());
        let verdict = standing.verdict(&Filter::default());
        (standing, verdict)
    }

    #[test]
    fn the_screens() {
        let style = Style { colour: false, wide: false, now: now() };
        let (standing, verdict) = standing(&shop());
        golden::holds("status.txt", &standing.text(style));
        golden::holds(
            "status.json",
            &(serde_json::to_string_pretty(&standing.json(&Filter::default(), &shop())).unwrap() + "\n"),
        );
        assert_eq!(verdict, Verdict::NotYet);
        assert_eq!(
            standing.line(),
            "1 of 2 bases Ready, 2 of 4 modules well, 1 Pods without a base; waiting for base virtual-node-b (BaseSilent)"
        );
    }

    #[test]
    fn what_it_comes_to() {
        let mut picture = Picture {
            bases: vec![base("virtual-node-a")],
            modules: vec![module("virtual-node-a", "biz1:1.0.0", "Available", "biz1-a").into()],
            pods: vec![pod("biz1-a", "virtual-node-a", true).into()],
            ..Picture::default()
        };
        assert_eq!(standing(&picture).1, Verdict::Well);
        let named = |picture: &Picture, name: &str| {
            let filter = Filter::of(&[name]);
            Standing::of(picture, &filter).verdict(&filter)
        };
        assert_eq!(named(&picture, "Deployment/biz1"), Verdict::Well);
        assert_eq!(named(&picture, "biz2"), Verdict::Nothing);
        // Of a Pod that is not seen a module's own word counts; one that is seen and is not Ready does not serve.
        std::sync::Arc::make_mut(&mut picture.pods[0]).ready = false;
        assert_eq!(standing(&picture).1, Verdict::NotYet);
        std::sync::Arc::make_mut(&mut picture.pods[0]).barred = true;
        assert_eq!(standing(&picture).1, Verdict::Stuck);
        picture.pods.clear();
        assert_eq!(standing(&picture).1, Verdict::Well);
        picture.not_shown.push(NotShown { what: "Nodes of bases".into(), why: "forbidden".into() });
        assert_eq!(standing(&picture).1, Verdict::Well);
        picture.not_shown.push(NotShown { what: "Pods".into(), why: "forbidden".into() });
        assert_eq!(standing(&picture).1, Verdict::Blind);
    }
}
