//! `describe`: one base or one module, with all that is known.

use std::process::ExitCode;

use clap::Subcommand;

use super::{View, names, say_not_shown};
use crate::{
    client::{Cluster, Unreachable, complain},
    output::{NOT_WELL, print},
    picture::{Line, NotShown, Picture},
    read::{Base, Pod, events},
    screen::{Filter, describe},
    text::Text,
};

/// Tells all that is known of one base or one module.
#[derive(Debug, clap::Args)]
pub struct Describe {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One base: its Node, what is on it, and what happened to it lately
    Base {
        /// Its Node, identity, host name or address
        #[arg(add = names::bases())]
        name: String,
        #[command(flatten)]
        view: View,
    },
    /// One module: which versions are where, for whom, and what is wrong
    Module {
        /// Its name, or name and version: biz1 or biz1:1.0.0
        #[arg(add = names::modules())]
        name: String,
        #[command(flatten)]
        view: View,
    },
}

impl Describe {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        let (What::Base { view, .. } | What::Module { view, .. }) = &self.what;
        let cluster = view.open().await?;
        let mut picture = view.picture(&cluster).await?;
        let answer = match &self.what {
            What::Base { name, .. } => of_base(&mut picture, name, view, &cluster).await,
            What::Module { name, .. } => of_module(&picture, name, view),
        };
        say_not_shown(&picture.not_shown);
        Ok(match answer {
            Some(text) => print(&text),
            None => {
                let (What::Base { name, .. } | What::Module { name, .. }) = &self.what;
                let what = if matches!(self.what, What::Base { .. }) { "base" } else { "module" };
                complain(&format!(
                    "no {what} is called {}; `tree` shows what there is",
                    Text::from(name.as_str())
                ));
                ExitCode::from(NOT_WELL)
            }
        })
    }
}

async fn of_base(picture: &mut Picture, name: &str, view: &View, cluster: &Cluster) -> Option<String> {
    let base: Base = picture.base(name)?.clone();
    let happened = match events(&cluster.client, &base.node).await {
        Ok(happened) => happened,
        Err(failure) => {
            let what = "Events of the base".into();
            picture.not_shown.push(NotShown { what, why: failure.why().clone() });
            Vec::new()
        }
    };
    let style = view.style();
    let text = || describe::base(picture, &base, &happened, style);
    Some(view.output.write(text, || describe::base_json(picture, &base, &happened)))
}

fn of_module(picture: &Picture, name: &str, view: &View) -> Option<String> {
    let filter = Filter { names: vec![name.to_owned()], problems: false };
    let is_meant = |line: &Line| *line.module == *name || line.id() == name;
    let lines: Vec<Line> = picture.lines().into_iter().filter(is_meant).collect();
    let unplaced: Vec<&Pod> = picture.unplaced().filter(|pod| filter.pod(pod)).collect();
    if lines.is_empty() && unplaced.is_empty() {
        return None;
    }
    let text = || describe::module(&lines, &unplaced, view.style());
    Some(view.output.write(text, || describe::module_json(&lines, &unplaced, &picture.not_shown)))
}
