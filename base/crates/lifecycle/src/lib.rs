//! The life of modules on a base: which there are, which version serves, and what is done next.
//!
//! It is pure: events and the time go in, actions come out. Whoever carries out an action tells its end as an event. So
//! that there is one way for everything that can go wrong, no action fails by itself.
//!
//! What always holds, and the property test that shows it, is in `machine/property.rs`.

mod biz;
mod event;
mod failure;
mod machine;

pub use biz::{Biz, Record};
pub use event::{Action, CommandKind, Done, Event, Fetched, Install, Instance, OpId, Outcome, Strategy};
pub use failure::{Failure, Refusal};
pub use machine::{Config, Lifecycle};
