//! Hostile messages, made of recorded ones, against everything that reads them and against the engine.
//!
//! One seed decides every message and what comes of it: a run is done again by `cargo xtask fuzz --seed <seed>`. A message
//! that once did harm is kept in `corpus/`, and every run begins with those.
//!
//! It is no libFuzzer: that needs a nightly compiler, and its runs cannot be done again by a number.

pub mod corpus;
pub mod flood;
mod honest;
pub mod message;
mod mutate;
pub mod read;
pub mod run;

pub use run::{Broken, Tally, run};
