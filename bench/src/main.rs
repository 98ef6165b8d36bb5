//! `cargo xtask bench`: see its `--help`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bench::report::{self, Report};
use bench::settings::Settings;
use clap::Parser;
use testkit::artifacts;

fn main() -> Result<()> {
    let settings = Settings::parse();
    // Read first: a run of minutes shall not end with a file that is not there.
    let before = settings.compare.as_deref().map(read).transpose()?;
    let report = bench::run::run(&settings)?;
    println!("\n{report}");
    if let Some(before) = before {
        println!("{}", report::compare(&before, &report));
    }
    let path = write(&settings, &report)?;
    println!("kept in {}", path.display());
    Ok(())
}

fn read(path: &Path) -> Result<Report> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} holds no result of a run", path.display()))
}

fn write(settings: &Settings, report: &Report) -> Result<PathBuf> {
    let path = settings.out.clone().unwrap_or_else(|| {
        // A colon is no good in a file's name everywhere.
        let second = report.began.split('.').next().unwrap_or(&report.began).replace(':', "-");
        artifacts::repository().join(format!("target/bench/{second}.json"))
    });
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    }
    let text = serde_json::to_string_pretty(report).context("writing the result")?;
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
