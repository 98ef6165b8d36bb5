//! `baseline`: in what bases differ from what the workloads want of them.

use std::process::ExitCode;

use super::{View, filter, names, say_not_shown};
use crate::{
    check::Wants,
    client::Unreachable,
    drift::{Wanting, drift, under_way},
    output::{NOT_SEEN, NOT_WELL, print_and_end},
};

/// Shows in what bases differ from their baseline: from what Pods, peer Deployments and DaemonSets want of them.
///
/// Missing: nothing of the module is there. WrongVersion: another version serves. NotActive: it is there and does not serve. Extra: nobody
/// wants it. What an operation plan holds or is bringing is left out, and so is what was merged into a base. Nothing is changed. Ends with
/// 0 where no base differs, 1 where one does, 3 where not all could be read.
#[derive(Debug, clap::Args)]
pub struct Baseline {
    /// Of a base: its Node, identity, host name or address
    #[arg(value_name = "NAME", add = names::bases())]
    names: Vec<String>,
    #[command(flatten)]
    view: View,
}

impl Baseline {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        let cluster = self.view.open().await?;
        let mut picture = self.view.picture(&cluster).await?;
        let Wants { workloads, sites, plans, not_seen } = Wants::read(&cluster, &self.view.connection).await;
        picture.not_shown.extend(not_seen);
        picture.not_shown.dedup();
        say_not_shown(&picture.not_shown);
        let filter = filter(&self.names, false);
        let (workloads, sites) = (workloads.iter().collect::<Vec<_>>(), sites.iter().collect::<Vec<_>>());
        let wants = Wanting { workloads: &workloads, sites: &sites, plans: &under_way(plans.iter()) };
        let drift = drift(&picture, &picture.lines(), &wants, |base| filter.base(base));
        let text = self.view.output.write(|| drift.text(&filter, self.view.style()), || drift.json());
        let code = match (drift.is_none(), picture.not_shown.is_empty()) {
            (false, _) => NOT_WELL,
            (true, false) => NOT_SEEN,
            (true, true) => 0,
        };
        Ok(print_and_end(&text, code))
    }
}
