//! Ring 2: how the controller talks to bases. Commands go in, one closed [`Event`] comes out.
//!
//! Two tunnels, [`http::HttpTunnel`] and [`mqtt::MqttTunnel`], and for those who have no broker an
//! [`broker::EmbeddedBroker`]. All of them report through one bounded channel that the caller
//! gives; nothing here calls back, decides, retries a command or remembers a base. Every queue,
//! body and wait has a limit, and what a limit refuses is counted by its reason.
//!
//! ```text
//! base --heartbeat, answer--> listener / subscription --Event--> caller
//! caller --call(target, command, deadline)--> client / publish --> base
//! ```
//!
//! Where several replicas share the bases, [`forward::Forwarder`] carries what one hears over HTTP to the one that it is for.

pub mod addresses;
mod application;
mod bodies;
pub mod broker;
mod bucket;
mod counts;
pub mod event;
pub mod files;
pub mod forward;
pub mod health;
pub mod http;
mod log_limit;
pub mod mqtt;
mod stop;

pub use addresses::{AddressRule, Addresses};
pub use broker::EmbeddedBroker;
pub use bucket::Rate;
pub use event::{Event, Target};
pub use files::FileError;
pub use forward::{ForwardConfig, Forwarder};
pub use http::{HttpConfig, HttpTunnel};
pub use mqtt::{MqttConfig, MqttTunnel, TlsConfig};
pub use stop::SHUTDOWN_BOUND;
