//! What is shown: each screen a pure function of the picture and of how it is to be shown.

pub(crate) mod baseline;
pub(crate) mod bases;
pub(crate) mod describe;
mod filter;
#[cfg(test)]
pub(crate) mod golden;
pub(crate) mod modules;
pub(crate) mod plans;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod tree;

pub(crate) use self::filter::Filter;
