//! What the end-to-end tests share: a scene with a controller, its way to the bases, and manifests.

#![allow(clippy::indexing_slicing, reason = "indexing a JSON value gives null; this crate is for tests only")]

pub mod client;
pub mod deployed;
pub mod follow;
pub mod heartbeat;
pub mod manifest;
pub mod recording;
pub mod scene;
pub mod seen;
pub mod sharing;
pub mod shell;
pub mod simulated;
pub mod snapshot;
pub mod stranger;

pub use client::{Client, Gap};
pub use follow::Follow;
pub use recording::Recording;
pub use scene::{Scene, Way};
pub use sharing::Sharing;
pub use shell::Shell;
pub use simulated::Simulated;
pub use snapshot::Snapshot;
pub use stranger::Stranger;

/// Tests last as long as what they promise: `cargo xtask test --long`.
#[must_use]
pub fn long_run() -> bool {
    std::env::var_os("LONG_RUN").is_some()
}
