//! End to end: what this project promises, on real parts. One binary, so that all tests share one
//! control plane; each has an environment, a namespace and bases of its own.

#![allow(missing_docs, reason = "tests")]
#![allow(clippy::indexing_slicing, reason = "indexing a JSON value gives null, and a test may panic")]

mod bad_input;
mod brokers;
mod docs;
mod hostile;
mod liveness;
mod main_job;
mod modules;
mod restart;
mod rolling;
