//! A module's package: a WebAssembly component that answers HTTP (`wasi:http/proxy`), with a custom section
//! `koupleless:biz` that says which biz it is.
//!
//! The section is read without running or compiling anything. A host that does not know it passes over it, so that the
//! same file runs elsewhere too.

mod error;
mod manifest;
mod outbound;
mod section;

pub use error::PackageError;
pub use manifest::{Limits, Manifest};
pub use outbound::{OutboundHost, normalized};
pub use section::{SECTION, read, stamp};
