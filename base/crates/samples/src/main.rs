//! Writes the packages of the controller's own tests and demo into a folder.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use samples::{Health, Sample};

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("usage: write-samples FOLDER")?.into();
    for version in ["1.0.0", "2.0.0", "3.0.0"] {
        Sample::new("biz1", version).write(&folder)?;
    }
    Sample::new("biz2", "1.0.0").write(&folder)?;
    Sample::new("failing", "1.0.0").health(Health::Trap).write(&folder)?;
    Ok(())
}
