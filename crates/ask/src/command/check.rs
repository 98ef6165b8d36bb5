//! `check`: what is wrong, before and after there is a controller, or with a manifest before it is applied.

use std::{process::ExitCode, time::Duration};

use clap::builder::PossibleValuesParser;
use model::Language;
use tokio::time::{Instant, sleep};

use super::{Program, Roles, View, watch::pause};
use crate::{
    check::{Broker, Code, Evidence, Report, permissions},
    client::{Unreachable, complain},
    manifest,
    output::{NOT_SEEN, NOT_WELL, TIMED_OUT, USAGE, print_and_end},
    text::Text,
};

/// Looks for what is wrong with the cluster, the controllers in it and the modules' manifests, and says what to do.
///
/// Before there is a controller it says whether you may install one. With --filename it checks a manifest before it is
/// applied, also where no cluster can be reached. Ends with 0 where nothing is wrong, 1 where something was found, 3 where
/// nothing was found and not all could be checked, and with --wait 4 where time was up. With every --output alike.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Check only the manifests of this file, of `-` what comes on standard input
    #[arg(long, short, value_name = "FILE")]
    filename: Option<String>,
    /// Leave a code out, in upper or lower case; as often as there are any
    #[arg(long, value_name = "CODE", ignore_case = true, hide_possible_values = true, value_parser = codes())]
    ignore: Vec<String>,
    /// Check again and again until nothing is found
    #[arg(long, conflicts_with = "filename")]
    wait: bool,
    /// How long --wait waits, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "wait")]
    timeout: u64,
    #[command(flatten)]
    broker: Broker,
    #[command(flatten)]
    view: View,
}

/// The codes that there are, so that a misspelt one is refused, and each can be completed.
fn codes() -> PossibleValuesParser {
    PossibleValuesParser::new(Code::ALL.iter().map(|code| code.as_str()))
}

impl Check {
    pub(super) async fn run(&self, program: &Program) -> Result<ExitCode, Unreachable> {
        let manifest = match self.filename.as_deref().map(manifest::read).transpose() {
            Ok(manifest) => manifest,
            Err(why) => {
                complain(&why);
                return Ok(ExitCode::from(USAGE));
            }
        };
        let roles = (program.roles)();
        let end = Instant::now() + Duration::from_secs(self.timeout);
        let mut said = 0;
        loop {
            let start = Instant::now();
            let evidence = match self.evidence(manifest.as_deref(), &roles).await {
                Ok(evidence) => evidence?,
                Err(why) => {
                    complain(&format!("the manifest cannot be read: {why}"));
                    return Ok(ExitCode::from(USAGE));
                }
            };
            let report = Report::of(&evidence, &(program.definitions)(), &self.ignore);
            let pause = pause(start.elapsed());
            let is_up = Instant::now() + pause > end;
            if !self.wait || report.is_clean() || is_up {
                return Ok(self.end(&report, program.language));
            }
            if report.count() != said {
                said = report.count();
                complain(&format!("{said} found, and waiting; `check` without --wait shows them"));
            }
            sleep(pause).await;
        }
    }

    /// What is known now; of a cluster that cannot be reached only where nothing but a manifest is to be checked.
    async fn evidence(
        &self,
        manifest: Option<&str>,
        roles: &Roles,
    ) -> Result<Result<Evidence, Unreachable>, Text> {
        let env = self.view.env.as_deref();
        let mut namespace = self.view.connection.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let gathered = match self.view.open().await {
            Ok(cluster) => {
                if self.view.connection.namespace.is_none() {
                    namespace.clone_from(&cluster.own_namespace);
                }
                match Evidence::of_cluster(&cluster, &self.view.connection, env).await {
                    Ok(mut evidence) => {
                        if manifest.is_none() {
                            permissions::check(&cluster.client, roles, &mut evidence).await;
                        }
                        Ok(evidence)
                    }
                    Err(unreachable) => Err(unreachable),
                }
            }
            Err(unreachable) => Err(unreachable),
        };
        let Some(manifest) = manifest else {
            let mut evidence = match gathered {
                Ok(evidence) => evidence,
                Err(unreachable) => return Ok(Err(unreachable)),
            };
            self.broker.check(env, &mut evidence).await;
            return Ok(Ok(evidence));
        };
        let mut evidence = gathered.unwrap_or_else(|unreachable| {
            let mut evidence = Evidence::default();
            evidence.skip("the manifest against the cluster", unreachable.to_string().into());
            evidence
        });
        evidence.of_manifests(manifest, &namespace)?;
        Ok(Ok(evidence))
    }

    fn end(&self, report: &Report, language: fn() -> Language) -> ExitCode {
        let language = language();
        let style = self.view.style();
        let text = self.view.output.write(|| report.text(language, style), || report.json(language));
        let code = match (report.is_clean(), report.is_complete()) {
            (true, true) => 0,
            (true, false) => NOT_SEEN,
            (false, _) if self.wait => TIMED_OUT,
            (false, _) => NOT_WELL,
        };
        print_and_end(&text, code)
    }
}
