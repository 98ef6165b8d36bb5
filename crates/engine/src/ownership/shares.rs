//! How evenly the VNodes are shared, and what a replica hands over so that they are (rule W10).

/// What each of the replicas that take VNodes has, as one of them sees it.
#[derive(Debug)]
pub(super) struct Shares {
    /// How many VNodes each has, in the order of their names.
    pub(super) held: Vec<usize>,
    /// Which of them this replica is; none while it takes nothing.
    pub(super) place: Option<usize>,
    /// How many VNodes there are.
    pub(super) all: usize,
}

impl Shares {
    /// How many VNodes this replica shall hand over. It begins where it has more than its share by more than a twentieth
    /// and one, or where they are shared less evenly than is promised; what was begun (`sheds`) goes on until all
    /// have their shares: were it to stop at that, one that joins would be left with less than nine tenths of its own.
    ///
    /// All that look at the same shares give together what those that lack something need, and not more.
    pub(super) fn surplus(&self, sheds: bool) -> usize {
        let (Some(place), Some(mine), 2..) = (self.place, self.mine(), self.held.len()) else { return 0 };
        let begins = mine > self.most() * 105 / 100 + 1 || self.held.iter().any(|&held| self.is_uneven(held));
        if !(sheds || begins) {
            return 0;
        }
        let over = |held: usize| held.saturating_sub(self.most());
        let lacking: usize = self.held.iter().map(|held| self.least().saturating_sub(*held)).sum();
        // What nobody has, or will have in a moment, goes to those that lack something.
        let free = self.all.saturating_sub(self.held.iter().sum());
        let given: usize = free + self.held.iter().map(|&held| over(held)).sum::<usize>();
        // One each of those that would still have one more than others.
        let more = lacking.saturating_sub(given);
        let has_more = |held: usize| held >= self.most() && self.most() > self.least();
        let before = self.held.iter().take(place);
        let is_one = has_more(mine) && before.filter(|held| has_more(**held)).count() < more;
        over(mine) + usize::from(is_one)
    }

    /// This replica has its share: others go first in taking what is free.
    pub(super) fn is_full(&self) -> bool {
        self.mine().is_some_and(|mine| mine >= self.most())
    }

    /// One that has so many has less than its share.
    pub(super) fn lacks(&self, held: usize) -> bool {
        held < self.least()
    }

    fn mine(&self) -> Option<usize> {
        self.held.get(self.place?).copied()
    }

    fn least(&self) -> usize {
        self.all / self.held.len().max(1)
    }

    fn most(&self) -> usize {
        self.all.div_ceil(self.held.len().max(1))
    }

    /// So many differ from what would be even by more than one and more than a tenth.
    fn is_uneven(&self, held: usize) -> bool {
        let members = self.held.len();
        (held * members).abs_diff(self.all) * 10 > self.all.max(10 * members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn surplus(held: &[usize], all: usize, sheds: bool) -> Vec<usize> {
        let shares = |place| Shares { held: held.to_vec(), place: Some(place), all };
        (0..held.len()).map(|place| shares(place).surplus(sheds)).collect()
    }

    #[test]
    fn what_is_well_above_the_share_is_handed_over() {
        assert_eq!(surplus(&[300], 300, false), [0], "alone");
        assert_eq!(surplus(&[150, 75, 75], 300, false), [50, 0, 0]);
        assert_eq!(surplus(&[106, 97, 97], 300, false), [0, 0, 0]);
        assert_eq!(surplus(&[106, 97, 97], 300, true), [6, 0, 0], "what was begun is brought to its end");
        assert_eq!(surplus(&[100, 100, 100], 300, true), [0, 0, 0]);
        assert_eq!(surplus(&[4, 1, 1], 6, false), [2, 0, 0]);
        assert_eq!(surplus(&[3, 2, 1], 6, false), [0, 0, 0]);
    }

    #[test]
    fn one_that_has_far_too_little_gets_its_share_though_nobody_has_far_too_much() {
        assert_eq!(surplus(&[5, 5, 2], 12, false), [1, 1, 0]);
        assert_eq!(surplus(&[4, 4, 4, 4, 0], 16, false), [1, 1, 1, 0, 0], "3 is its share");
        assert_eq!(surplus(&[3, 4, 4, 4, 0], 16, false), [0, 1, 1, 0, 0], "one is free");
        let twenty = [100; 20];
        let moved: usize = surplus(&[&twenty[..], &[0]].concat(), 2_000, false).into_iter().sum();
        assert_eq!(moved, 95, "its share, and no more");
    }

    proptest! {
        #[test]
        fn in_the_end_all_have_their_shares_and_no_more_was_moved_than_had_to_be(
            mut held in prop::collection::vec(0_usize..200, 1..8), free in 0_usize..50
        ) {
            let all = held.iter().sum::<usize>() + free;
            let (least, most) = (all / held.len(), all.div_ceil(held.len()));
            let over: usize = held.iter().map(|held| held.saturating_sub(most)).sum();
            let lacking: usize = held.iter().map(|held| least.saturating_sub(*held)).sum();
            let (mut free, mut moved, mut sheds) = (free, 0, vec![false; held.len()]);
            for _ in 0..held.len() + 2 {
                let given: Vec<usize> = sheds
                    .iter()
                    .enumerate()
                    .map(|(place, &sheds)| Shares { held: held.clone(), place: Some(place), all }.surplus(sheds))
                    .collect();
                for ((held, sheds), &given) in held.iter_mut().zip(&mut sheds).zip(&given) {
                    (*held, *sheds) = (*held - given, given > 0);
                    (free, moved) = (free + given, moved + given);
                }
                // Those that lack something go first, and one that has its share lets all others go before.
                while free > 0 {
                    let taker = held.iter_mut().min().unwrap();
                    (*taker, free) = (*taker + 1, free - 1);
                }
            }
            prop_assert!(moved <= over.max(lacking), "{moved} of {over} and {lacking}");
            for &mine in &held {
                let off = (mine * held.len()).abs_diff(all) * 10;
                prop_assert!(off <= all.max(10 * held.len()), "{held:?} of {all}");
            }
        }
    }
}
