//! What modules cost that do nothing.

use std::path::Path;

use anyhow::Result;
use samples::Sample;

use crate::{
    base::Base,
    table::{Row, Verdict},
};

const MODULES: u32 = 100;
const LIMIT_KIB: u64 = 60 * 1024;

pub(crate) async fn measure(program: &Path) -> Result<Vec<Row>> {
    let base = Base::start(program).await?;
    let empty = base.usage()?;
    for number in 0..MODULES {
        base.install(&Sample::new(&format!("biz{number}"), "1")).await?;
    }
    let usage = base.usage()?;
    let mib = |kib: u64| kib as f64 / 1024.0;
    Ok(vec![Row {
        what: format!("memory with {MODULES} modules that do nothing"),
        promised: "<= 60 MiB".to_owned(),
        measured: format!("{:.1} MiB ({:.1} with none)", mib(usage.rss_kib), mib(empty.rss_kib)),
        verdict: Verdict::of(usage.rss_kib <= LIMIT_KIB),
    }])
}
