//! Starts and stops the real parts that the tests, the benchmark and the demo run against: a Kubernetes control plane
//! ([`cluster`]), an MQTT broker ([`broker`]), Java bases ([`java_base`]), WebAssembly
//! bases ([`wasm_base`]), a server of module packages
//! ([`package_server`]), robots that reports go to ([`robot`]), ways between parts that can be cut ([`proxy`]), a Prometheus
//! ([`prometheus`]), the kubelet of a machine ([`machine`]), modules in other languages ([`examples`]) and the controller itself ([`controller`]).
//!
//! Everything is blocking and usable from a plain `#[test]`; everything listens on loopback, on ports that the system
//! gave; and nothing outlives the process that started it, not even when that is killed ([`process`]).
#![warn(missing_docs)]

pub mod account;
pub mod artifacts;
pub mod board;
pub mod broker;
pub mod cargo;
pub mod cluster;
pub mod controller;
pub mod examples;
pub mod http;
pub mod image;
pub mod java_base;
pub mod machine;
pub mod names;
pub mod package_server;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod rights;
pub mod robot;
pub mod static_program;
pub mod tls;
pub mod wait;
pub mod wasm_base;
pub mod work_dir;

mod cache;
mod reader;
mod tools;
mod turns;
