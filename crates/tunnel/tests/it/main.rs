//! The tunnels over real sockets, against a base and a broker that do what real ones were seen
//! to do. Every test has its own ports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod addresses;
mod broker;
mod directory;
mod forward;
mod http_client;
mod http_doors;
mod http_listener;
mod mqtt;
mod support;
mod tls;
