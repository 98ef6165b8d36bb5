//! Ring 2: Kubernetes. Watches become [`engine::Event`]s, [`engine::Request`]s become writes, and
//! nothing is decided here.
//!
//! ```text
//! API server --list, watch--> watch --\                      /--> write ----> API server
//!                                      +-- Event --> engine -+
//! API server --responses----> write --/                      \--> announce -> API server, log
//! ```
//!
//! What keeps this crate honest:
//! - One watch for all Pods, one for all Nodes and one for all Module objects, whatever the number of VNodes. No object is
//!   kept: a Pod that matters becomes a [`PodView`](engine::view::PodView), goes to the engine, and
//!   leaves an entry of some hundred bytes in [`DeliveryFilter`]; any other is dropped as soon as it is read.
//! - An object that cannot be read is counted, reported once and skipped.
//! - For each object the engine is told views in order of resource version, and nothing after its
//!   end, although watch and writes tell side by side: see [`DeliveryFilter`].
//! - Every request has a deadline, every queue a limit, and no request is tried again here: the
//!   engine decides that, object by object.

mod announce;
pub mod baselines;
pub mod client;
pub mod counters;
pub mod definition;
pub mod delivery;
pub mod modules;
pub mod plans;
mod slim;
pub mod watch;
pub mod write;

pub use client::{ClientConfig, ConnectError, Server};
pub use counters::{CallCount, Counters, LaneKind, Outcome, Resource, Snapshot, StatusKind, Verb};
pub use delivery::DeliveryFilter;
pub use slim::{Unreadable, pod::read_pod};
pub use watch::{WatchConfig, WatchFault, WatchHealth, Watches, watch};
pub use write::{Writer, WriterConfig};
