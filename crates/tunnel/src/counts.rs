//! Counters by reason, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// One counter for each of `N` reasons.
#[derive(Debug)]
pub(crate) struct Counts<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Counts<N> {
    /// Counts one more. A position past the end is ignored.
    pub(crate) fn add(&self, position: usize) {
        if let Some(counter) = self.0.get(position) {
            // Relaxed: nothing is ordered by a counter.
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted so far.
    pub(crate) fn read(&self) -> [u64; N] {
        std::array::from_fn(|i| self.0.get(i).map_or(0, |counter| counter.load(Ordering::Relaxed)))
    }
}

/// An enum of reasons with a word for each, as metrics label it, and all of them in order.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The reason as a metric's label writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}
pub(crate) use reasons;
