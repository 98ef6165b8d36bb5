//! `plan preview`: which bases come with which batch.

use std::process::ExitCode;

use super::{
    format::Format,
    plan::{Named, answered},
    style_of,
};
use crate::{
    client::{Cluster, Unreachable, chain, complain},
    output::{NOT_WELL, print},
    read::{Failure, Plan, Site, VNODES, Workload, list, raw},
    screen::plans,
};

/// Shows which bases come with which batch, before anything happens
///
/// What has begun is shown as it is, what has not as it would be if it began now: a base that joins or leaves changes it.
#[derive(Debug, clap::Args)]
pub(super) struct Preview {
    #[command(flatten)]
    named: Named,
}

impl Preview {
    pub(super) async fn run(&self) -> Result<ExitCode, Unreachable> {
        let cluster = self.named.open().await?;
        let plan = match self.named.read(&cluster).await? {
            Ok(plan) => plan,
            Err(ended) => return Ok(ended),
        };
        let spec = match plan.spec() {
            Ok(spec) => spec,
            Err(invalid) => {
                complain(&format!("plan {} makes no sense: {invalid}", &*plan.name));
                return Ok(ExitCode::from(NOT_WELL));
            }
        };
        let found = async {
            let workload = target(&cluster, &plan).await?;
            Ok((workload, list::<Site>(&cluster.client, "/api/v1/nodes", VNODES).await?))
        };
        let of = format!("the bases of plan {} cannot be told", &*plan.name);
        let (workload, sites) = match answered(&cluster, found.await, &of)? {
            Ok(found) => found,
            Err(ended) => return Ok(ended),
        };
        let bases = workload.bases(sites.items.iter(), &plan.uid);
        let batches = plan::preview(&spec, &plan.standing(), &bases);
        Ok(print(&plans::preview(&plan, &spec, &batches, style_of(Format::Table))))
    }
}

/// The workload whose Pods the plan releases.
async fn target(cluster: &Cluster, plan: &Plan) -> Result<Workload, Failure> {
    let (kind, name) = plan.target.split_once('/').unwrap_or_default();
    let plural = format!("{}s", kind.to_ascii_lowercase());
    let path = format!("/apis/apps/v1/namespaces/{}/{plural}/{name}", &*plan.namespace);
    Workload::of(Some(kind), &raw::text(&cluster.client, &path).await?)
        .map_err(|error| Failure::Refused(chain(&error)))?
        .ok_or_else(|| Failure::Refused(format!("a plan is for no {kind}").into()))
}
