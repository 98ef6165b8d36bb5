//! Watches and writes against a real API server, scheduler and controllers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "as in every test, here in its helpers too"
)]

mod announcements;
mod base_pods;
mod connections;
mod harness;
mod members;
mod modules;
mod nodes;
mod permits;
mod pods;
mod restarts;
mod scheduler;
mod workloads;
