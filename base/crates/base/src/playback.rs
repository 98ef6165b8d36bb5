//! Playback: the base asks for its baseline when it starts, and installs it before it is ready.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lifecycle::Refusal;
use model::BizName;
use serde_json::Value;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    arklet::{Order, install_order, object},
    modules::Modules,
};

/// Between the first two attempts; doubled each time, up to the last.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// The most modules of a baseline.
const MAX_MODULES: usize = 1_000;

/// What a base shall install, by a controller's answer `[{bizName, bizVersion, bizUrl}, …]`.
///
/// # Errors
/// What of it cannot be read.
pub(crate) fn orders(baseline: &Value) -> Result<Vec<Order>, String> {
    let list = baseline.as_array().ok_or("the baseline is no list")?;
    if list.len() > MAX_MODULES {
        return Err(format!("the baseline has {} modules; at most {MAX_MODULES} are taken", list.len()));
    }
    list.iter()
        .map(|one| install_order(object(one)?))
        .collect::<Result<_, _>>()
        .map_err(|error| error.message())
}

/// The names of what is ordered.
pub(crate) fn names(orders: &[Order]) -> BTreeSet<BizName> {
    orders.iter().filter_map(|order| Some(order.install.id.as_ref()?.name.clone())).collect()
}

/// Installs all of it side by side; gives what failed. What is there already is as wanted.
pub(crate) async fn install(modules: &Arc<Modules>, orders: Vec<Order>) -> Vec<Order> {
    let mut at_work = JoinSet::new();
    for order in orders {
        let modules = modules.clone();
        at_work.spawn(async move {
            match modules.install(order.install.clone(), order.start.clone()).await {
                Ok(_) | Err(Refusal::Repeat(_)) => None,
                Err(refusal) => {
                    let biz = order.install.id.as_ref().map(ToString::to_string).unwrap_or_default();
                    tracing::error!("{biz} of the baseline was not installed: {refusal}");
                    Some(order)
                }
            }
        });
    }
    let mut failed = Vec::new();
    while let Some(ended) = at_work.join_next().await {
        // A task that panicked has said so in the log.
        failed.extend(ended.ok().flatten());
    }
    failed
}

/// Tries what failed again and again, ever more rarely, until it is there, somebody else has ordered otherwise, or the base
/// ends.
pub(crate) async fn retry(modules: Arc<Modules>, mut failed: Vec<Order>, mut end: watch::Receiver<bool>) {
    let mut pause = FIRST;
    while !failed.is_empty() {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = end.wait_for(|end| *end) => return,
        }
        pause = longer(pause);
        // What was installed or uninstalled since is somebody else's by now.
        let still = modules.failed();
        failed.retain(|order| order.install.id.as_ref().is_some_and(|id| still.contains(id)));
        failed = install(&modules, failed).await;
    }
}

/// Asks until there is an answer that can be read. It says once why it waits, and again where the reason changes.
pub(crate) async fn ask(mut question: impl AsyncFnMut() -> Result<Value, String>) -> Vec<Order> {
    let (mut pause, mut said) = (FIRST, String::new());
    loop {
        match question().await.and_then(|baseline| orders(&baseline)) {
            Ok(orders) => return orders,
            Err(why) if why != said => {
                tracing::warn!("the base is not ready: it waits for its baseline: {why}");
                said = why;
            }
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = longer(pause);
    }
}

fn longer(pause: Duration) -> Duration {
    pause.saturating_mul(2).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_baseline_is_read_whole_or_not_at_all() {
        let one = json!({"bizName": "a", "bizVersion": "1", "bizUrl": "file:///a"});
        let read = orders(&json!([one])).unwrap();
        assert_eq!(names(&read), BTreeSet::from(["a".parse().unwrap()]));
        assert!(orders(&json!([])).unwrap().is_empty());
        assert_eq!(orders(&json!({})).unwrap_err(), "the baseline is no list");
        assert_eq!(orders(&json!([one, {}])).unwrap_err(), "bizUrl should not be blank");
    }
}
