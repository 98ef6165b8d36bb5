//! Arklet's protocol, the side of the base: what is asked, and what is answered.
//!
//! Answers have the codes and the shapes of a Java base (`crates/arklet/testdata` of the repository), because that is what
//! clients read.

mod biz;
mod commands;
mod exception;
mod health;
mod log;
mod operations;
mod reply;
mod request;
pub(crate) mod server;

pub(crate) use self::{
    commands::Commands,
    health::Machine,
    log::Logs,
    reply::Reply,
    request::{Order, install_order, object},
};
