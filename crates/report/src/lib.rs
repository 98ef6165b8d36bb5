//! Ring 2: faults are told to the robots of DingTalk groups.
//!
//! ```text
//! caller --report(announcement)--> queue --> desk --+--> queue --> worker --HTTPS--> robot
//!                                   (no repeats)    +--> queue --> worker --HTTPS--> robot
//! ```
//!
//! The caller never waits: what finds no place in a queue is counted, and the next message says
//! how much that was. Each hook has a worker of its own, so that a dead one holds up no other.

pub mod config;
mod counts;
mod hook;
mod pace;
mod repeats;
mod report;
mod reporter;
mod send;
mod text;
mod worker;

pub use config::{Config, Times};
pub use counts::HookCounts;
pub use hook::{BadHook, Hook};
pub use reporter::Reporter;
