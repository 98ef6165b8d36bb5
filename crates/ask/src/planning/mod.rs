//! What is made for a person who plans a release: a plan with the workload that names it.

mod new;

pub(crate) use new::{Wishes, documents, planned};
