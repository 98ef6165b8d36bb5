//! All modules of all bases are updated in place: their Pods get the package from another place.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::objects::{ModulePod, moved_image};
use crate::stage::{Stage, Target};

use super::patience;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// From the first request until the last Pod was seen Ready with the new package.
    pub took: Duration,
    /// Pods in each second of that.
    pub per_second: f64,
}

/// Changes the image of all Pods at once and waits until all are Ready with it.
pub async fn run(stage: &Stage, pods: &[(ModulePod, Target)]) -> Result<Update> {
    let began = Instant::now();
    let work = async {
        stage
            .patch(
                pods,
                |pod| json!({"spec": {"containers": [{"name": pod.biz, "image": moved_image(&pod.biz)}]}}),
            )
            .await?;
        let what = format!("{} Pods Ready with their new package", pods.len());
        let mut open: Vec<&ModulePod> = pods.iter().map(|(pod, _)| pod).collect();
        let done = |board: &crate::watch::Board| {
            let ready = |pod: &ModulePod| {
                let image = moved_image(&pod.biz);
                board.trace(&pod.name).is_some_and(|trace| trace.is_ready && trace.image == image)
            };
            // Looked at from the end, and no longer once it is: each change of a Pod comes by here.
            while open.last().is_some_and(|pod| ready(pod)) {
                open.pop();
            }
            open.is_empty()
        };
        stage.pods.until(&what, patience(pods.len()), done).await
    };
    stage.pods.telling("all modules updated in place", work).await?;
    let took = began.elapsed();
    let count = u32::try_from(pods.len()).unwrap_or(u32::MAX);
    Ok(Update { took, per_second: f64::from(count) / took.as_secs_f64().max(1e-9) })
}
