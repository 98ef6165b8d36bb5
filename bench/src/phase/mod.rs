//! What is measured, one file for each phase. The phases that a bare client can do too run against both.

pub mod alone;
pub mod board;
pub mod discover;
pub mod doings;
pub mod planned;
pub mod replicas;
pub mod restart;
pub mod rollout;
pub mod steady;
pub mod together;
pub mod update;

use std::time::Duration;

/// How long `pods` may take: a machine that is busy with other things still makes twenty in a second.
pub fn patience(pods: usize) -> Duration {
    Duration::from_secs(60) + Duration::from_millis(50) * u32::try_from(pods).unwrap_or(u32::MAX)
}
