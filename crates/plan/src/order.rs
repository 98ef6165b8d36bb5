//! In which order the bases of a batch are released.

/// Of a hash, as many bits as every JSON reader keeps.
const BITS: u32 = 53;

/// A base's place in the order of a plan: the same for every replica and after every restart, another for another plan, so
/// that it is not always the same base that goes first.
pub fn rank(plan: &str, base: &str) -> u64 {
    // FNV-1a, whose result is written down in objects of the cluster and must never change.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in plan.bytes().chain([0]).chain(base.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // Names that differ in their last letter only would be neighbours: splitmix64's finisher spreads them.
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (hash ^ (hash >> 31)) >> (u64::BITS - BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_written_down_and_stays() {
        assert_eq!(rank("uid-1", "host-a"), 7_022_521_072_992_984);
        assert_ne!(rank("uid-1", "host-a"), rank("uid-2", "host-a"), "another plan, another order");
        assert_ne!(rank("ab", "c"), rank("a", "bc"));
    }

    #[test]
    fn neighbours_by_name_are_spread() {
        let mut below = 0;
        for n in 0..1_000 {
            below += usize::from(rank("uid", &format!("host-{n:03}")) < 1 << (BITS - 1));
        }
        assert!((450..550).contains(&below), "{below} of 1,000 in the lower half");
    }
}
