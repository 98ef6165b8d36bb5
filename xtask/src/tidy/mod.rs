//! `cargo xtask tidy`: what the compiler and clippy do not check.

mod alert_rules;
mod arising_codes;
mod citations;
mod error_codes;
mod generated;
mod languages;
mod named_tests;
mod punctuation;
mod purity;
mod reference;
mod rings;
mod rooms;
mod source;

use anyhow::{Result, ensure};
use testkit::artifacts;

pub(crate) use source::files;

/// What has to be pure of the WebAssembly base, which is a workspace of its own.
const PURE_OF_BASE: [&str; 2] = ["base/crates/lifecycle/src", "base/crates/package/src"];

/// Checks the rings, the purity of rings 0 and 1, the generated pages, the tests that pages name, the rules that
/// sources cite, the punctuation of Chinese pages and that none of them is behind the English one; names the largest rooms.
#[derive(Debug, clap::Args)]
pub(crate) struct Tidy {
    /// Write the generated pages anew.
    #[arg(long)]
    write: bool,
}

impl Tidy {
    pub(crate) fn run(&self) -> Result<()> {
        if self.write {
            generated::write()?;
        }
        check()
    }
}

/// Says all that is wrong, and fails if anything is.
pub(crate) fn check() -> Result<()> {
    let workspace = rings::Workspace::read()?;
    let mut wrong = rings::broken(&workspace);
    let mut pure = workspace.pure_sources();
    pure.extend(PURE_OF_BASE.map(|folder| artifacts::repository().join(folder)));
    wrong.extend(purity::impure(&pure)?);
    wrong.extend(generated::stale()?);
    wrong.extend(named_tests::missing()?);
    wrong.extend(arising_codes::untold()?);
    wrong.extend(citations::missing()?);
    wrong.extend(punctuation::half_width()?);
    wrong.extend(languages::behind()?);
    println!("{}", rooms::largest()?);
    for one in &wrong {
        println!("tidy: {one}");
    }
    ensure!(wrong.is_empty(), "tidy: {} found", wrong.len());
    println!("tidy: nothing found");
    Ok(())
}
