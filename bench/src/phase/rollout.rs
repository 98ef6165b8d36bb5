//! The rolling update of a Deployment that has as many Pods as there are bases.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::objects;
use crate::stage::Stage;
use crate::watch::telling;

use super::patience;

/// How often the Deployment is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The module that is deployed.
const BIZ: &str = "rolling";

/// Makes the Deployment, waits until it serves, gives it the next version and says how long that took.
pub async fn run(stage: &Stage, who: &str, replicas: usize, surge: &str) -> Result<Duration> {
    let object = |version: &str| objects::deployment(BIZ, version, &stage.base_version, replicas, surge);
    give(stage, who, "1.0.0", &object("1.0.0")).await?;
    let began = Instant::now();
    give(stage, who, "2.0.0", &object("2.0.0")).await?;
    let took = began.elapsed();
    end(stage, BIZ).await?;
    Ok(took)
}

/// Makes a Deployment, or gives it this template, and waits until all of its Pods are of it.
pub async fn give(stage: &Stage, who: &str, version: &str, object: &Value) -> Result<()> {
    stage.server.apply_deployment(&stage.namespace, object).await?;
    let name = object.pointer("/metadata/name").and_then(Value::as_str).context("a name")?;
    let replicas =
        object.pointer("/spec/replicas").and_then(Value::as_u64).context("a number of replicas")?;
    wait(stage, who, version, name, usize::try_from(replicas)?).await
}

/// Waits until all Pods of a Deployment are of its template.
pub async fn wait(stage: &Stage, who: &str, version: &str, name: &str, replicas: usize) -> Result<()> {
    let ended = async {
        // Its own controller has to see it first; until then its status is that of the version before.
        while !stage.server.is_rolled_out(&stage.namespace, name).await? {
            sleep(LOOK).await;
        }
        anyhow::Ok(())
    };
    let what = format!("{who}: version {version} of a Deployment of {replicas}");
    let far = || stage.pods.board().summary().lines().next().unwrap_or_default().to_owned();
    let limit = patience(replicas * 10);
    let told = telling(&what, far, timeout(limit, ended)).await;
    told.with_context(|| format!("{what}: not within {limit:?}; {}", stage.pods.board().summary()))?
}

/// Deletes a Deployment, and waits until its Pods are gone.
pub async fn end(stage: &Stage, name: &str) -> Result<()> {
    stage.server.delete_deployment(&stage.namespace, name).await?;
    let limit = patience(stage.pods.board().present());
    stage.pods.until("the Deployment's Pods gone", limit, |board| board.present() == 0).await
}
