//! A base as a process, as a controller and its callers see it.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, and indexing a JSON value gives null"
)]

mod controller;
mod endurance;
mod faults;
mod health;
mod https;
mod isolation;
mod log;
mod main_job;
mod outbound;
mod playback;
mod recorded;
mod reuse;
mod support;
mod switching;
