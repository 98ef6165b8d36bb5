//! How requests ended, for those who watch.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hyper::StatusCode;

/// What is asked for, by the first part of the path.
const ENDPOINTS: [(&str, &str); 4] =
    [("containerLogs", "logs"), ("pods", "pods"), ("stats", "stats"), ("metrics", "metrics")];
/// Everything else.
const OTHER: &str = "other";
/// How a request ended: below 400, below 500, from 500 on.
const OUTCOMES: [&str; 3] = ["answered", "refused", "failed"];

/// Requests by what they asked for and how they ended. A log that is followed is answered as it begins.
#[derive(Debug, Default)]
pub struct Counts([[AtomicU64; OUTCOMES.len()]; ENDPOINTS.len() + 1]);

impl Counts {
    /// A request for a path was answered so.
    pub(crate) fn note(&self, path: &str, status: StatusCode) {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let endpoint = ENDPOINTS.iter().position(|(path, _)| *path == first).unwrap_or(ENDPOINTS.len());
        let outcome = match status.as_u16() {
            ..400 => 0,
            400..500 => 1,
            500.. => 2,
        };
        if let Some(count) = self.0.get(endpoint).and_then(|of| of.get(outcome)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// The endpoint, how it ended and how often.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let names = ENDPOINTS.iter().map(|(_, name)| *name).chain([OTHER]);
        names.zip(&self.0).flat_map(|(name, counts)| {
            OUTCOMES.iter().zip(counts).map(move |(outcome, count)| (name, *outcome, count.load(Relaxed)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_ask_for_and_how_they_end() {
        let counts = Counts::default();
        for (path, status) in [
            ("/containerLogs/ns/p/biz1", StatusCode::OK),
            ("/containerLogs/ns/p/biz1", StatusCode::FORBIDDEN),
            ("/containerLogs/ns/p/biz1", StatusCode::TOO_MANY_REQUESTS),
            ("/exec/ns/p/biz1", StatusCode::BAD_REQUEST),
            ("/stats/summary", StatusCode::INTERNAL_SERVER_ERROR),
            ("/", StatusCode::UNAUTHORIZED),
        ] {
            counts.note(path, status);
        }
        let counted: Vec<_> = counts.all().filter(|(.., count)| *count > 0).collect();
        assert_eq!(
            counted,
            [
                ("logs", "answered", 1),
                ("logs", "refused", 2),
                ("stats", "failed", 1),
                ("other", "refused", 2)
            ]
        );
        assert_eq!(counts.all().count(), 15);
    }
}
