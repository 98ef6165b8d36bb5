//! The wire held against recordings of real Java bases, in `testdata/`. Directories are walked: a
//! new recording is tested by being there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should say where, and stop"
)]

mod any_bytes;
mod codes;
mod http;
mod mqtt;
mod recordings;
mod requests;
mod summary;
