//! The commands that show what is there: `tree`, `bases`, `modules`.

use std::process::ExitCode;

use serde_json::Value;

use super::{View, filter, names, say_not_shown, watch::watch};
use crate::{
    client::{Unreachable, complain},
    output::{USAGE, print},
    picture::Picture,
    screen::{Filter, bases, modules, table::Style, tree},
};

/// Shows each base, the modules on it, and the Pods and owners that ask for these.
///
/// With names only what has to do with them: a base (by Node, identity, host name or address), a module, a Pod or an
/// owner. What whoever asks may not see is named on standard error, and the rest is shown.
#[derive(Debug, clap::Args)]
pub struct Tree {
    /// Of a base, a module (biz1 or biz1:1.0.0), a Pod or an owner (biz1 or Deployment/biz1)
    #[arg(value_name = "NAME", add = names::bases_and_modules())]
    names: Vec<String>,
    /// Only what is not well
    #[arg(long)]
    problems: bool,
    /// Show it again whenever it changes, until Ctrl-C
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    view: View,
}

/// Shows the bases, one on a line.
#[derive(Debug, clap::Args)]
pub struct Bases {
    /// Of a base: its Node, identity, host name or address
    #[arg(value_name = "NAME", add = names::bases())]
    names: Vec<String>,
    /// Only those that are not Ready
    #[arg(long)]
    problems: bool,
    #[command(flatten)]
    view: View,
}

/// Shows which version of which module is on which base. Bases that are alike share a column.
#[derive(Debug, clap::Args)]
pub struct Modules {
    /// Of a module (biz1 or biz1:1.0.0), a base, a Pod or an owner
    #[arg(value_name = "NAME", add = names::bases_and_modules())]
    names: Vec<String>,
    /// Only what is not well
    #[arg(long)]
    problems: bool,
    #[command(flatten)]
    view: View,
}

impl Tree {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        let filter = filter(&self.names, self.problems);
        if self.watch && self.view.output.is_for_programs() {
            complain(
                &"--watch shows what people read: leave --output out, or ask again and again without it",
            );
            return Ok(ExitCode::from(USAGE));
        }
        if self.watch {
            return watch(&self.view, |picture, style: Style| tree::text(picture, &filter, style)).await;
        }
        show(&self.view, &filter, tree::text, tree::json).await
    }
}

impl Bases {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        show(&self.view, &filter(&self.names, self.problems), bases::text, bases::json).await
    }
}

impl Modules {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        show(&self.view, &filter(&self.names, self.problems), modules::text, modules::json).await
    }
}

/// Reads, and prints a screen of it.
async fn show(
    view: &View,
    filter: &Filter,
    text: fn(&Picture, &Filter, Style) -> String,
    json: fn(&Picture, &Filter) -> Value,
) -> Result<ExitCode, Unreachable> {
    let picture = view.picture(&view.open().await?).await?;
    say_not_shown(&picture.not_shown);
    let style = view.style();
    Ok(print(&view.output.write(|| text(&picture, filter, style), || json(&picture, filter))))
}
