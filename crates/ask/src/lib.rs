//! Ring 2: what people ask of a cluster with bases and modules, by `module-controller` or by `kubectl koupleless`.
//!
//! ```text
//! API server --lists, page by page--> read --> Picture --> screen --> text, JSON, YAML
//!                                                     \--> check --> findings
//! ```
//!
//! What keeps this crate honest:
//! - It reads with the rights of whoever asks. What he may not see is named, and the rest is shown.
//! - A text of the cluster is a `Text` from where it is read, and nothing in it reaches a terminal that a terminal
//!   would obey.
//! - Screens are pure functions of the picture; goldens hold them.
//! - It shares no state with a running controller, and asks none: it works while that is down.

mod check;
mod cleanup;
mod client;
mod command;
mod complete;
pub mod drift;
mod manifest;
mod output;
#[expect(missing_docs, reason = "fields are named as in what is read")]
pub mod picture;
mod planning;
#[expect(missing_docs, reason = "fields are named as the API has them")]
pub mod read;
mod screen;
pub mod steer;
mod support;
mod text;

pub use check::page;
pub use client::{Cluster, Server, Unreachable};
pub use command::{Command, Program, Roles};
pub use complete::{for_kubectl, script};
pub use output::print;
pub use text::Text;
