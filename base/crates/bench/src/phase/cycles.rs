//! What is left after modules came and went.

use std::path::Path;

use anyhow::{Result, ensure};
use samples::Sample;
use serde_json::json;

use crate::{
    Size,
    base::Base,
    client,
    table::{Row, Verdict},
    usage::Usage,
};

const CYCLES: u32 = 1_000;

/// What is there after so many is what it needs.
const WARM: u32 = 100;

const GROWTH_KIB: u64 = 5 * 1024;

/// Threads that read files and look up names come and go.
const THREADS: u64 = 4;
const DESCRIPTORS: u64 = 8;

pub(crate) async fn measure(program: &Path, size: Size) -> Result<Vec<Row>> {
    let base = Base::start(program).await?;
    let urls = [base.package(&Sample::new("biz1", "1"))?, base.package(&Sample::new("biz1", "2"))?];
    let cycles = WARM + size.of(CYCLES - WARM);
    let mut warm = base.usage()?;
    for number in 0..cycles {
        cycle(&base, &urls).await?;
        if number + 1 == WARM {
            warm = base.usage()?;
        }
    }
    let end = base.usage()?;
    let more = |of: fn(&Usage) -> u64| of(&end).saturating_sub(of(&warm));
    let growth = (more(|usage| usage.rss_kib), more(|usage| usage.threads), more(|usage| usage.descriptors));
    let shown = |usage: Usage| {
        format!(
            "{:.1} MiB, {} threads, {} descriptors",
            usage.rss_kib as f64 / 1024.0,
            usage.threads,
            usage.descriptors
        )
    };
    Ok(vec![Row {
        what: format!("{cycles} times install, request, switch, uninstall"),
        promised: "<= 5 MiB more than after 100; threads and descriptors as then".to_owned(),
        measured: format!("{} then, {} at the end", shown(warm), shown(end)),
        verdict: Verdict::of(growth.0 <= GROWTH_KIB && growth.1 <= THREADS && growth.2 <= DESCRIPTORS),
    }])
}

async fn cycle(base: &Base, urls: &[String]) -> Result<()> {
    let mut arklet = base.arklet().await?;
    for url in urls {
        arklet.command("installBiz", &json!({"bizUrl": url})).await?;
    }
    serves(base).await?;
    arklet.command("switchBiz", &json!({"bizName": "biz1", "bizVersion": "2"})).await?;
    serves(base).await?;
    for version in ["1", "2"] {
        arklet.command("uninstallBiz", &json!({"bizName": "biz1", "bizVersion": version})).await?;
    }
    Ok(())
}

async fn serves(base: &Base) -> Result<()> {
    let answer = client::get(base.web(), "/biz1/who").await?;
    ensure!(answer.status == 200, "/biz1/who: {}", answer.status);
    Ok(())
}
