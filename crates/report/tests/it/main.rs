//! The reporter against robots of the tests' own, on real sockets.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod delivery;
mod samples;
mod secrets;
mod shutdown;
