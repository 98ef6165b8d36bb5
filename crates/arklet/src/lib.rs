//! Ring 1: Arklet's protocol, over HTTP and over MQTT.
//!
//! Commands become bytes and bytes become [`Answer`]s, [`Failure`]s and
//! [`BaseReport`](model::BaseReport)s. Every recording of a real Java base in `testdata/` is read
//! by the tests of this crate, and what we send is held against what a base was seen to accept.
//!
//! No text of a base makes a parser panic, and no error shows more than a line of it, or a secret
//! of a package's URL. How long a text may be is the tunnels' to say; how deep it nests is limited
//! here.

pub mod answer;
pub mod baseline;
mod biz;
mod body;
pub mod command;
pub mod error;
mod failure;
mod fault;
pub mod heartbeat;
pub mod mqtt;
pub mod parse;
pub mod sieve;
mod topic;
mod wire;

pub use answer::{
    Answer, AnswerKey, CallError, Failure, FailureKind, Health, Operation, Outcome, PackageResult,
};
pub use baseline::{BaselineQuery, baseline_answer, parse_baseline_query};
pub use command::{Command, CommandKind, WireStrategy};
pub use error::WireError;
pub use heartbeat::{heartbeat_body, parse_heartbeat};
pub use mqtt::{
    Message, base_of_topic, baseline_topic, command_of_topic, command_subscription, command_topic,
    is_baseline_topic, parse_message, subscription, unread_answer,
};
pub use parse::parse_answer;
pub use sieve::{Sieve, SieveError, SieveLimits, sieve};
