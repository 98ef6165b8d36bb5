//! `cargo xtask page`.

use anyhow::Result;
use testkit::artifacts;

/// Builds the page of the board and puts it where the program takes it from: `board/dist`.
///
/// A debug build of the program reads it from there when it is asked for it; a release build has it in itself. Needs Node.js 20 or newer.
#[derive(Debug, clap::Args)]
pub(crate) struct Page {
    /// Also run its unit tests, and its tests in a browser against answers that are canned
    #[arg(long)]
    test: bool,
}

impl Page {
    pub(crate) fn run(&self) -> Result<()> {
        artifacts::page()?;
        if self.test {
            artifacts::test_page()?;
            artifacts::browse_page()?;
        }
        Ok(())
    }
}
