//! The room that maps keep.

use std::collections::BTreeMap;

/// A map that once had an entry has room for eleven of them, also when all are gone. What a base has for moments only, as
/// commands, would keep a kilobyte of each base for nothing.
pub(super) fn give_back<K, V>(map: &mut BTreeMap<K, V>) {
    if map.is_empty() {
        *map = BTreeMap::new();
    }
}
