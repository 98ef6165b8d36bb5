//! What is measured, each by itself on bases of its own.

pub(crate) mod cycles;
pub(crate) mod idle;
pub(crate) mod install;
pub(crate) mod neighbours;
pub(crate) mod throughput;
