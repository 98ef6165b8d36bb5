//! `baseline`: in what bases differ from what the workloads want of them.

use std::process::ExitCode;

use super::{View, filter, say_not_shown};
use crate::{
    check::wanted_on_every_base,
    client::Unreachable,
    output::{NOT_SEEN, NOT_WELL, print_and_end},
    screen::baseline,
};

/// Shows in what bases differ from their baseline: from what Pods, peer Deployments and DaemonSets want of them.
///
/// Missing: nothing of the module is there. WrongVersion: another version serves. NotActive: it is there and does not serve. Extra: nobody
/// wants it. What an operation plan holds is left out, and so is what was merged into a base. Nothing is changed. Ends with
/// 0 where no base differs, 1 where one does, 3 where not all could be read.
#[derive(Debug, clap::Args)]
pub struct Baseline {
    /// Of a base: its Node, identity, host name or address
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    view: View,
}

impl Baseline {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        let cluster = self.view.open().await?;
        let mut picture = self.view.picture(&cluster).await?;
        let (workloads, sites, not_seen) = wanted_on_every_base(&cluster, &self.view.connection).await;
        picture.not_shown.extend(not_seen);
        picture.not_shown.dedup();
        say_not_shown(&picture.not_shown);
        let filter = filter(&self.names, false);
        let drift = baseline::drift(&picture, &workloads, &sites, &filter);
        let text = self.view.output.write(|| drift.text(&filter, self.view.style()), || drift.json());
        let code = match (drift.is_none(), picture.not_shown.is_empty()) {
            (false, _) => NOT_WELL,
            (true, false) => NOT_SEEN,
            (true, true) => 0,
        };
        Ok(print_and_end(&text, code))
    }
}
