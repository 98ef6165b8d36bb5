//! One id for one fault, in the log, on the Event and in the report.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::event::Now;

/// Ties together everything that is told of one command, or of one fault of a base: 16 hex digits.
///
/// It is made of what it is about and of the time, not of chance, so that the same run gives the
/// same ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u64);

impl TraceId {
    /// The id of what begins now: `about` is the base, the Pod, the command, whatever tells it from
    /// other things that begin at the same time. The wall clock tells it from those of an earlier
    /// process.
    pub(crate) fn new(about: &[&str], now: Now) -> Self {
        let times = [now.mono.as_nanos().to_string(), now.wall.as_nanosecond().to_string()];
        let all: Vec<&str> = about.iter().copied().chain(times.iter().map(String::as_str)).collect();
        Self::of(&all)
    }

    /// The id of what `about` alone tells from everything else.
    pub(crate) fn of(about: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in about {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte)))
    }
}

impl From<u64> for TraceId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    #[test]
    fn it_is_the_same_for_the_same_and_another_for_anything_else() {
        let at =
            |mono, wall| Now { mono: Duration::from_secs(mono), wall: Timestamp::from_second(wall).unwrap() };
        let id = TraceId::new(&["a", "b"], at(1, 2));
        assert_eq!(id, TraceId::new(&["a", "b"], at(1, 2)));
        for other in [
            TraceId::new(&["ab"], at(1, 2)),
            TraceId::new(&["a", "c"], at(1, 2)),
            TraceId::new(&["a", "b"], at(2, 2)),
            TraceId::new(&["a", "b"], at(1, 3)),
        ] {
            assert_ne!(id, other);
        }
        assert_eq!(TraceId::from(0xab).to_string(), "00000000000000ab");
    }
}
