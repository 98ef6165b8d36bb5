//! Seeded simulation: the real engine against a model of everything around it.
//!
//! One seed decides everything: when messages arrive, which are lost or doubled, what fails and
//! when, what users do. The [`check`]ers, one file each, hold the invariants at every step. A
//! failing seed is replayed by `SIM_SEED=<seed> cargo test -p sim --test seeds replay -- --nocapture`.

pub mod api;
pub mod base;
pub mod check;
pub mod deployment;
pub mod run;
pub mod world;

pub use run::{Outcome, Plan, run};
