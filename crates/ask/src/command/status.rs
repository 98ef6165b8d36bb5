//! `status`: whether all is well, at once or as soon as it is.

use std::{process::ExitCode, time::Duration};

use tokio::time::{Instant, sleep};

use super::{View, filter, names, say_not_shown, watch::pause};
use crate::{
    client::{Cluster, Unreachable, complain},
    output::{NOT_SEEN, NOT_WELL, TIMED_OUT, print_and_end},
    picture::Picture,
    screen::{
        Filter,
        status::{Standing, Verdict},
    },
};

/// Says whether bases and modules are well, and what is not: since when, and why.
///
/// Ends with 0 where all is well, 1 where something is not, 3 where it could not be read, and with --wait 4 where
/// time was up. With every --output alike.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// Of a base, a module (biz1 or biz1:1.0.0), a Pod or an owner (biz1 or Deployment/biz1)
    #[arg(value_name = "NAME", add = names::bases_and_modules())]
    names: Vec<String>,
    /// Wait until all is well, or until something failed that nobody tries again. What is waited for is said on
    /// standard error. With names it waits for these to be there too
    #[arg(long)]
    wait: bool,
    /// How long --wait waits, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "wait")]
    timeout: u64,
    #[command(flatten)]
    view: View,
}

impl Status {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        let filter = filter(&self.names, false);
        let cluster = self.view.open().await?;
        let (picture, in_time) = match self.wait {
            false => (self.view.picture(&cluster).await?, true),
            true => self.settled(&cluster, &filter).await?,
        };
        say_not_shown(&picture.not_shown);
        let standing = Standing::of(&picture, &filter);
        let verdict = standing.verdict(&filter);
        let style = self.view.style();
        let text = || match verdict {
            Verdict::Nothing => filter.nothing(),
            _ => standing.text(style),
        };
        let text = self.view.output.write(text, || standing.json(&filter, &picture));
        let code = match verdict {
            Verdict::Well => 0,
            _ if !in_time => TIMED_OUT,
            Verdict::Blind => NOT_SEEN,
            _ => NOT_WELL,
        };
        if !in_time {
            complain(&format!("not well within {} s: {}", self.timeout, standing.line()));
        }
        Ok(print_and_end(&text, code))
    }

    /// How it stands when nothing more is waited for, and whether that was in time.
    async fn settled(&self, cluster: &Cluster, filter: &Filter) -> Result<(Picture, bool), Unreachable> {
        let end = Instant::now() + Duration::from_secs(self.timeout);
        let mut said = String::new();
        loop {
            let start = Instant::now();
            let seen = self.view.picture(cluster).await;
            let line = match &seen {
                Ok(picture) => {
                    let standing = Standing::of(picture, filter);
                    match standing.verdict(filter) {
                        Verdict::NotYet => standing.line(),
                        Verdict::Nothing => filter.nothing().trim_end().to_owned(),
                        Verdict::Well | Verdict::Stuck | Verdict::Blind => {
                            return seen.map(|picture| (picture, true));
                        }
                    }
                }
                Err(unreachable) => unreachable.to_string(),
            };
            if line != said {
                complain(&line);
                said = line;
            }
            let pause = pause(start.elapsed());
            if Instant::now() + pause > end {
                return seen.map(|picture| (picture, false));
            }
            sleep(pause).await;
        }
    }
}
