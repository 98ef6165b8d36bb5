//! How long an install takes, as the caller of Arklet sees it: fetched, compiled or taken from the cache, started, asked how it
//! is, and serving.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use samples::Sample;
use serde_json::json;

use crate::{Size, base::Base, client::Connection, table::Row, times::Times};

/// How many are compiled, and how many installs come from the cache.
const COLD: u32 = 200;
const CACHED: u32 = 2_000;

const COLD_LIMIT: Duration = Duration::from_millis(200);
const CACHED_LIMIT: Duration = Duration::from_millis(10);

pub(crate) async fn measure(program: &Path, size: Size) -> Result<Vec<Row>> {
    let base = Base::start(program).await?;
    let mut arklet = base.arklet().await?;
    let mut cold = Times::default();
    for number in 0..size.of(COLD) {
        // Its version is in its code, so that nothing of it is in the cache.
        let version = format!("1.0.{number}");
        let url = base.package(&Sample::new("biz1", &version))?;
        cold.add(installed(&mut arklet, &version, &url).await?);
    }
    let url = base.package(&Sample::new("biz1", "1"))?;
    installed(&mut arklet, "1", &url).await?;
    let mut cached = Times::default();
    for _ in 0..size.of(CACHED) {
        cached.add(installed(&mut arklet, "1", &url).await?);
    }
    Ok(vec![
        Row::of_times("install from the cache", &cached, CACHED_LIMIT),
        Row::of_times("install compiled", &cold, COLD_LIMIT),
    ])
}

/// How long it took. It is uninstalled again.
async fn installed(arklet: &mut Connection, version: &str, url: &str) -> Result<Duration> {
    let start = Instant::now();
    arklet.command("installBiz", &json!({"bizUrl": url})).await?;
    let took = start.elapsed();
    arklet.command("uninstallBiz", &json!({"bizName": "biz1", "bizVersion": version})).await?;
    Ok(took)
}
