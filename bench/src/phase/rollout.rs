//! The rolling update of a Deployment that has as many Pods as there are bases.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
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
pub async fn run(stage: &Stage, who: &str) -> Result<Duration> {
    let replicas = stage.places.len();
    let apply = |version: &'static str| async move {
        let object = objects::deployment(BIZ, version, &stage.base_version, replicas);
        stage.server.apply_deployment(&stage.namespace, &object).await?;
        let ended = async {
            // Its own controller has to see it first; until then its status is that of the version before.
            while !stage.server.is_rolled_out(&stage.namespace, BIZ).await? {
                sleep(LOOK).await;
            }
            anyhow::Ok(())
        };
        let what = format!("{who}: version {version} of a Deployment of {replicas}");
        let far = || stage.pods.board().summary().lines().next().unwrap_or_default().to_owned();
        let limit = patience(replicas * 10);
        let told = telling(&what, far, timeout(limit, ended)).await;
        told.with_context(|| format!("{what}: not within {limit:?}; {}", stage.pods.board().summary()))?
    };
    apply("1.0.0").await?;
    let began = Instant::now();
    apply("2.0.0").await?;
    let took = began.elapsed();
    stage.server.delete_deployment(&stage.namespace, BIZ).await?;
    let gone =
        stage.pods.until("the Deployment's Pods gone", patience(replicas), |board| board.present() == 0);
    gone.await?;
    Ok(took)
}
