//! `cargo xtask setup`.

use anyhow::Result;

/// Builds and installs what the tests and the demo need, so that nothing waits for it later.
///
/// The dev cluster and Helm (minutes when Go's cache is cold), what makes images, the page of the board, mdBook, the Java base with its modules (a minute), the
/// WebAssembly base (some fifteen minutes of one core when nothing of it is built yet), the MQTT broker, Prometheus and Chromium. All but the last three is
/// kept in $MODULE_CONTROLLER_CACHE, or else in module-controller in the user's cache directory.
#[derive(Debug, clap::Args)]
pub(crate) struct Setup {}

impl Setup {
    pub(crate) fn run(&self) -> Result<()> {
        testkit::artifacts::all()
    }
}
