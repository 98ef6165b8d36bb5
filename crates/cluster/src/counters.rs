//! What was asked of the API server, counted for the metrics page.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use prometheus_client::metrics::histogram::Histogram;

macro_rules! closed {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "each says what as_str says")]
        pub enum $name { $($variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            /// As a metric's label has it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

closed!(
    /// What was asked.
    Verb { Create = "create", Delete = "delete", Get = "get", List = "list", Patch = "patch", Update = "update" }
);
closed!(
    /// Of what.
    Resource {
        BaselineStatus = "modulebaselines/status",
        DaemonSetStatus = "daemonsets/status",
        DeploymentScale = "deployments/scale",
        DeploymentStatus = "deployments/status",
        Event = "events",
        Lease = "leases",
        Module = "modules",
        ModuleStatus = "modules/status",
        PlanStatus = "operationplans/status",
        Node = "nodes",
        NodeStatus = "nodes/status",
        Pod = "pods",
        PodStatus = "pods/status",
    }
);
closed!(
    /// How it ended, as [`engine::WriteError`] has it.
    Outcome {
        Ok = "ok",
        Conflict = "conflict",
        NotFound = "not_found",
        Refused = "refused",
        Unavailable = "unavailable",
    }
);

closed!(
    /// What shares places with each other, and with nothing else.
    LaneKind { Writes = "writes", Records = "records", Renewals = "renewals", Searches = "searches" }
);

closed!(
    /// A status that is written, as [`Resource`] calls it.
    StatusKind { Node = "nodes/status", Pod = "pods/status", Module = "modules/status" }
);

/// Bounds of the histograms, in seconds: an idle server takes some milliseconds, and a request has 15 s.
const STATUS_WRITES: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

const CELLS: usize = Verb::ALL.len() * Resource::ALL.len() * Outcome::ALL.len();

/// One kind of request with how often it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallCount {
    /// What was asked.
    pub verb: Verb,
    /// Of what.
    pub resource: Resource,
    /// How it ended.
    pub outcome: Outcome,
    /// How often.
    pub count: u64,
    /// The time that all of them took together.
    pub took: Duration,
}

/// All counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Requests, those that were made at least once.
    pub calls: Vec<CallCount>,
    /// Writes that run.
    pub running: u64,
    /// Writes that wait for a place.
    pub waiting: u64,
    /// How many writes may run at once in each lane that there is, by what the server bears at the moment.
    pub places: Vec<(LaneKind, u64)>,
    /// Writes that were turned away because too many waited.
    pub overflowed: u64,
    /// Responses whose object could not be read.
    pub unreadable: u64,
    /// Events that were written, first occurrences only.
    pub announced: u64,
    /// Events that were the same again and were counted on the first one.
    pub repeated: u64,
    /// Events that were dropped, because too many came at once or the write failed.
    pub announcements_dropped: u64,
}

/// Counters that only grow, except those of the moment.
#[derive(Debug)]
pub struct Counters {
    calls: Box<[Cell]>,
    status_writes: [Histogram; StatusKind::ALL.len()],
    pub(crate) running: AtomicU64,
    pub(crate) waiting: AtomicU64,
    places: [AtomicU64; LaneKind::ALL.len()],
    pub(crate) overflowed: AtomicU64,
    pub(crate) unreadable: AtomicU64,
    pub(crate) announced: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) announcements_dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Cell {
    count: AtomicU64,
    micros: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            calls: (0..CELLS).map(|_| Cell::default()).collect(),
            status_writes: StatusKind::ALL.map(|_| Histogram::new(STATUS_WRITES)),
            running: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            places: Default::default(),
            overflowed: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            announced: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            announcements_dropped: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// Counts one request.
    pub(crate) fn called(&self, verb: Verb, resource: Resource, outcome: Outcome, took: Duration) {
        let cell =
            (verb as usize * Resource::ALL.len() + resource as usize) * Outcome::ALL.len() + outcome as usize;
        if let Some(cell) = self.calls.get(cell) {
            cell.count.fetch_add(1, Relaxed);
            cell.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        }
    }

    /// A write of a status came to its end, whichever, so long after it was handed over.
    pub(crate) fn wrote_status(&self, kind: StatusKind, took: Duration) {
        if let Some(durations) = self.status_writes.get(kind as usize) {
            durations.observe(took.as_secs_f64());
        }
    }

    /// How long writes of statuses took, from being handed over to their ends.
    pub fn status_writes(&self) -> impl Iterator<Item = (StatusKind, &Histogram)> {
        StatusKind::ALL.iter().copied().zip(&self.status_writes)
    }

    /// So many may run in a lane from now on.
    pub(crate) fn has_places(&self, lane: LaneKind, places: usize) {
        if let Some(cell) = self.places.get(lane as usize) {
            cell.store(u64::try_from(places).unwrap_or(u64::MAX), Relaxed);
        }
    }

    /// All of them, now.
    pub fn snapshot(&self) -> Snapshot {
        let kinds = Verb::ALL.iter().flat_map(|&verb| {
            let resources = Resource::ALL.iter();
            resources
                .flat_map(move |&resource| Outcome::ALL.iter().map(move |&outcome| (verb, resource, outcome)))
        });
        let calls = kinds.zip(&self.calls).filter_map(|((verb, resource, outcome), cell)| {
            let count = cell.count.load(Relaxed);
            let took = Duration::from_micros(cell.micros.load(Relaxed));
            (count > 0).then_some(CallCount { verb, resource, outcome, count, took })
        });
        let places = LaneKind::ALL.iter().zip(&self.places).map(|(&lane, cell)| (lane, cell.load(Relaxed)));
        Snapshot {
            calls: calls.collect(),
            running: self.running.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            places: places.filter(|(_, places)| *places > 0).collect(),
            overflowed: self.overflowed.load(Relaxed),
            unreadable: self.unreadable.load(Relaxed),
            announced: self.announced.load(Relaxed),
            repeated: self.repeated.load(Relaxed),
            announcements_dropped: self.announcements_dropped.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_request_has_its_own_counter() {
        let counters = Counters::default();
        for verb in Verb::ALL {
            for resource in Resource::ALL {
                for outcome in Outcome::ALL {
                    counters.called(verb, resource, outcome, Duration::from_micros(3));
                }
            }
        }
        counters.called(Verb::Update, Resource::Lease, Outcome::Conflict, Duration::from_micros(4));
        let calls = counters.snapshot().calls;
        assert_eq!(calls.len(), CELLS);
        for call in calls {
            let twice = (call.verb, call.resource, call.outcome)
                == (Verb::Update, Resource::Lease, Outcome::Conflict);
            assert_eq!(call.count, if twice { 2 } else { 1 }, "{call:?}");
            assert_eq!(call.took, Duration::from_micros(if twice { 7 } else { 3 }), "{call:?}");
        }
    }

    #[test]
    fn each_kind_of_status_has_a_histogram_of_its_own() {
        let counters = Counters::default();
        counters.wrote_status(StatusKind::Pod, Duration::from_millis(30));
        counters.wrote_status(StatusKind::Pod, Duration::from_millis(20));
        let counts: Vec<_> =
            counters.status_writes().map(|(kind, seen)| (kind.as_str(), seen.count())).collect();
        assert_eq!(counts, [("nodes/status", 0), ("pods/status", 2), ("modules/status", 0)]);
    }
}
