//! Which bases are in which batch.

use std::{net::IpAddr, sync::Arc};

use litemap::LiteMap;
use model::ErrorCode;

use crate::{
    spec::{Batch, Share, Spec},
    status::{BatchPhase, Status},
};

/// What a plan asks of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// What tells it from others, also after a restart.
    pub key: Arc<str>,
    /// Its place in the plan's order: [`crate::rank`] of the plan's UID and the key.
    pub rank: u64,
    /// Where it is reached; none where its VNode does not say.
    pub address: Option<IpAddr>,
    /// The labels of its VNode.
    pub labels: LiteMap<Arc<str>, Arc<str>>,
    /// It is heard and answers.
    pub available: bool,
    /// Some version of the module serves, whichever.
    pub serves: bool,
    /// How the plan's version stands there.
    pub condition: Condition,
}

impl Base {
    /// It is not there, or serves nothing although it should. What is missing only because it is held is not counted.
    pub fn is_unavailable(&self) -> bool {
        let should_serve = !matches!(self.condition, Condition::Absent | Condition::Held);
        !self.available || (should_serve && !self.serves)
    }
}

/// How the plan's version stands on a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// No Pod of it is bound to the base.
    Absent,
    /// Its Pod is held.
    Held,
    /// It was released, and waits for its turn.
    Waiting,
    /// It was released, and its base is at work on something else.
    Occupied,
    /// It is being installed.
    Working,
    /// It serves, and its Pod is Ready.
    Ready,
    /// It failed, and is not tried again by itself.
    Failed {
        /// The code.
        code: ErrorCode,
        /// The cause, one line.
        message: String,
    },
}

/// Up to this rank are all.
const EVERYONE: u64 = (1 << 53) - 1;

/// The batch that a base was released with; none where it was not.
pub fn batch_of(spec: &Spec, status: &Status, base: &Base) -> Option<usize> {
    let batches = spec.batches.iter().zip(&status.batches).enumerate();
    batches
        .filter(|(_, (batch, _))| batch.takes(base))
        .find(|(_, (_, status))| {
            status.phase.is_begun() && status.threshold.is_some_and(|threshold| base.rank <= threshold)
        })
        .map(|(place, _)| place)
}

/// The first batch that a base that was not released may come with.
pub(crate) fn next_batch_of(spec: &Spec, status: &Status, base: &Base) -> Option<usize> {
    let mut waiting = spec.batches.iter().zip(&status.batches).enumerate();
    waiting.find(|(_, (batch, status))| !status.phase.is_begun() && batch.takes(base)).map(|(place, _)| place)
}

impl Batch {
    fn takes(&self, base: &Base) -> bool {
        self.is_last || self.selector.selects(&base.labels)
    }
}

/// Up to which rank a batch takes bases that begins now; none where there is no base for it.
pub(crate) fn threshold(spec: &Spec, status: &Status, place: usize, bases: &[Base]) -> Option<u64> {
    let batch = spec.batches.get(place)?;
    let selects = |base: &&Base| batch.takes(base);
    let mut left: Vec<u64> = bases
        .iter()
        .filter(selects)
        .filter(|base| batch_of(spec, status, base).is_none())
        .map(|base| base.rank)
        .collect();
    left.sort_unstable();
    let size = match batch.share {
        Share::Fixed(amount) => amount.of(bases.iter().filter(selects).count()).min(left.len()),
        Share::OneOf(parts) if parts.get() == 1 => return (!left.is_empty()).then_some(EVERYONE),
        Share::OneOf(parts) => left.len().div_ceil(usize::try_from(parts.get()).unwrap_or(usize::MAX)),
    };
    size.checked_sub(1).and_then(|last| left.get(last)).copied()
}

/// A batch without bases is over by itself where that is no mistake of its selector: it is a further part of one that had
/// some, or the last, which takes what is left.
pub(crate) fn may_be_empty(spec: &Spec, status: &Status, place: usize) -> bool {
    let any_before = status.batches.iter().take(place).any(|batch| batch.bases > 0);
    any_before && spec.batches.get(place).is_some_and(|batch| batch.continues || batch.is_last)
}

/// Which bases come with which batch, where all goes on from here as it is now: those that were released, and those that would
/// be.
pub fn preview<'a>(spec: &Spec, status: &Status, bases: &'a [Base]) -> Vec<Vec<&'a Base>> {
    let mut status = status.clone();
    status.fit(spec);
    for place in 0..spec.batches.len() {
        let threshold = threshold(spec, &status, place, bases);
        if let Some(batch) = status.batches.get_mut(place).filter(|batch| !batch.phase.is_begun()) {
            (batch.phase, batch.threshold) = (BatchPhase::Done, threshold);
        }
    }
    let status = &status;
    let of = |place| bases.iter().filter(move |base| batch_of(spec, status, base) == Some(place)).collect();
    (0..spec.batches.len()).map(of).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        order::rank,
        selector::Selector,
        spec::{Draft, DraftBatch},
    };

    fn spec(batches: Vec<DraftBatch>) -> Spec {
        let module = model::BizId { name: "biz1".parse().unwrap(), version: "2".parse().unwrap() };
        let (metrics, health) = (Vec::new(), None);
        Spec::of(Draft { module, batches, ready_timeout_seconds: 600, max_failed: 0, metrics, health })
            .unwrap()
    }

    fn bases(zones: &[&str]) -> Vec<Base> {
        let base = |(n, zone): (usize, &&str)| {
            let key: Arc<str> = format!("host-{n}").into();
            Base {
                rank: rank("uid", &key),
                key,
                address: None,
                labels: [(Arc::from("zone"), Arc::from(*zone))].into_iter().collect(),
                available: true,
                serves: true,
                condition: Condition::Held,
            }
        };
        zones.iter().enumerate().map(base).collect()
    }

    fn zone(zone: &str) -> Selector {
        Selector { labels: [("zone".to_owned(), zone.to_owned())].into(), ..Selector::default() }
    }

    /// Begins one batch after the other, and says how many bases came with each.
    fn sizes(spec: &Spec, bases: &[Base]) -> Vec<usize> {
        preview(spec, &Status::default(), bases).iter().map(Vec::len).collect()
    }

    #[test]
    fn the_first_that_selects_a_base_has_it_and_the_last_takes_what_is_left() {
        let beta = DraftBatch {
            name: "beta".into(),
            selector: zone("a"),
            size: Some("1".into()),
            ..DraftBatch::default()
        };
        let quarter = DraftBatch {
            name: "b".into(),
            selector: zone("b"),
            size: Some("25%".into()),
            ..DraftBatch::default()
        };
        let rest =
            DraftBatch { name: "rest".into(), selector: zone("c"), count: Some(3), ..DraftBatch::default() };
        let spec = spec(vec![beta, quarter, rest]);
        let all = bases(&["a", "a", "a", "b", "b", "b", "b", "b", "d", "d"]);
        assert_eq!(sizes(&spec, &all), [1, 2, 3, 2, 2], "what no selector selects comes last");
        assert_eq!(sizes(&spec, &bases(&["a"])), [1, 0, 0, 0, 0]);
        assert_eq!(sizes(&spec, &[]), [0; 5]);
    }

    #[test]
    fn what_was_released_is_shown_as_it_is_and_the_rest_as_it_would_be() {
        let one = DraftBatch { name: "one".into(), size: Some("1".into()), ..DraftBatch::default() };
        let spec = spec(vec![one, DraftBatch { name: "rest".into(), ..DraftBatch::default() }]);
        let all = bases(&["a"; 4]);
        let mut status = Status::default();
        status.fit(&spec);
        let mut ranks: Vec<u64> = all.iter().map(|base| base.rank).collect();
        ranks.sort_unstable();
        (status.batches[0].phase, status.batches[0].threshold) = (BatchPhase::Releasing, Some(ranks[2]));
        let told: Vec<usize> = preview(&spec, &status, &all).iter().map(Vec::len).collect();
        assert_eq!(told, [3, 1], "two joined since it began");
    }

    proptest! {
        /// Every base comes with one batch, whatever joins meanwhile.
        #[test]
        fn all_are_released_at_the_end(
            zones in prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..20),
            size in prop::sample::select(vec!["1", "3", "10%", "100%"]),
            count in 1_u32..5,
        ) {
            let first = DraftBatch { name: "one".into(), selector: zone("a"), size: Some(size.into()), ..DraftBatch::default() };
            let rest = DraftBatch { name: "rest".into(), count: Some(count), ..DraftBatch::default() };
            let spec = spec(vec![first, rest]);
            prop_assert_eq!(sizes(&spec, &bases(&zones)).iter().sum::<usize>(), zones.len());
        }
    }
}
