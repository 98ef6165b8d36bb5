//! Seeded simulation: real engines against a model of everything around them.
//!
//! One seed decides everything: how many replicas there are and how their clocks go, when messages arrive, which are lost
//! or doubled, what fails, who is paused or cut off and when, what users do. The [`check`]ers, one file each, hold the
//! invariants at every step. `cargo xtask sim --replay <seed>` runs a failing seed again.

mod acting;
pub mod acts;
pub mod api;
pub mod base;
pub mod check;
pub mod clock;
pub mod deployment;
pub mod foreign;
pub mod many;
pub mod network;
mod plans;
mod process;
pub mod replica;
mod rivals;
pub mod run;
pub mod scenario;
mod server;
pub mod told;
mod trouble;
mod watching;
pub mod world;

pub use run::{Outcome, run};
pub use scenario::{Faults, Scenario};
