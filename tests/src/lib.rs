//! What the end-to-end tests share: a scene with a controller, its way to the bases, and manifests.

#![allow(clippy::indexing_slicing, reason = "indexing a JSON value gives null; this crate is for tests only")]

pub mod manifest;
pub mod scene;
pub mod seen;

pub use scene::{Scene, Way};
