//! `cargo xtask bench`: see its `--help`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bench::report::{self, Report};
use bench::settings::Settings;
use clap::Parser;
use testkit::artifacts;

fn main() -> Result<()> {
    let settings = Settings::parse();
    // Read first: a run of minutes shall not end with a file that is not there.
    let before = settings.compare.as_deref().map(read).transpose()?;
    let report = bench::run::run(&settings, |report| write(&settings, report))?;
    println!("\n{report}");
    if let Some(before) = before {
        println!("{}", report::compare(&before, &report));
    }
    println!("kept in {}, and as a page beside it (.html)", path(&settings, &report).display());
    let failed = report.ways.iter().filter(|way| way.failed.is_some()).count();
    ensure!(failed == 0, "{failed} scenarios did not come to their end");
    Ok(())
}

fn read(path: &Path) -> Result<Report> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} holds no result of a run", path.display()))
}

fn path(settings: &Settings, report: &Report) -> PathBuf {
    settings.out.clone().unwrap_or_else(|| {
        // A colon is no good in a file's name everywhere.
        let second = report.began.split('.').next().unwrap_or(&report.began).replace(':', "-");
        artifacts::repository().join(format!("target/bench/{second}.json"))
    })
}

fn write(settings: &Settings, report: &Report) -> Result<()> {
    let path = path(settings, report);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    }
    let text = serde_json::to_string_pretty(report).context("writing the result")?;
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    let page = path.with_extension("html");
    fs::write(&page, bench::html::page(report)).with_context(|| format!("writing {}", page.display()))
}
