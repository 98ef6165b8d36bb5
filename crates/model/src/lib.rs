//! Ring 0: what the project talks about, as types that cannot be wrong.
//!
//! A [`Base`](base::BaseReport) is a running host process; a biz is a module as the base knows
//! it; a VNode is the Kubernetes Node that stands for a base. Values from outside are parsed
//! here once, at the edge, and never checked again. Nothing in this crate knows Kubernetes, a
//! wire format, a clock or a thread.

pub mod base;
mod bilingual;
pub mod biz;
mod causes;
pub mod error;
pub mod fence;
mod health;
pub mod name;
pub mod package;
pub mod quantity;
pub mod secret;

pub use base::{BaseIdentity, BaseReport, BaseState, TunnelKind};
pub use bilingual::Bilingual;
pub use biz::{BizId, BizName, BizState, BizStatus, BizVersion};
pub use causes::causes;
pub use error::{ErrorCode, ErrorSource, ErrorType, Fault, Language};
pub use fence::{Fence, Pass};
pub use health::Health;
pub use package::{InstallStrategy, ModuleSpec, PackageUrl, is_of_package, shown_image};
pub use quantity::Quantity;
pub use secret::Secret;
