//! Ring 1: every decision of the controller, as a pure function of events and time.
//!
//! [`Engine::step`] takes an [`Event`] and the time and returns [`Action`]s. It does no I/O, has no
//! clock, no randomness and no environment, so that a test, a simulation and a reader can follow it.

pub mod action;
mod backoff;
mod baseline;
mod coalescing;
pub mod config;
mod contest;
pub mod drift;
mod engine;
pub mod event;
mod ordering;
mod orphans;
mod ownership;
pub mod placement;
mod plans;
mod pod;
mod replicas;
pub mod request;
mod services;
#[cfg(test)]
mod testing;
mod trace;
mod unplaced;
pub mod view;
mod vnode;
mod write_slot;
mod zones;

pub use action::{
    Action, Alarm, Announcement, AskHealth, AskMetric, Fencing, Regarding, Target, ToBase, ToReplica,
};
pub use config::{
    Allocatable, ClusterConfig, Config, KubeletConfig, MOST_BASES, MOST_STRANGERS, Times, UnmanagedBiz,
    ZoneSource,
};
pub use engine::{Census, Engine, Summary};
pub use event::{ClusterEvent, Event, Now, ReplicaEvent, TunnelEvent, Watched};
pub use ordering::newest::DAEMON_SET_GENERATION;
pub use ownership::Twin;
pub use plans::{ANNOTATION as PLAN_ANNOTATION, HELD as HELD_BY_PLAN, bases::of_node as base_of_node};
pub use pod::translate::biz_of;
pub use request::{BaseAddress, BasePod, Request, Write, WriteError};
pub use trace::TraceId;
pub use vnode::snapshot::{CommandSnapshot, ContainerSnapshot, PodSnapshot, VNodeSnapshot};
