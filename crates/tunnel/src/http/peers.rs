//! How many connections each address has: one that opens all it can must leave room for others.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// The connections of now, by the address at their other end: never more entries than connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    peers: Peers,
    ip: IpAddr,
}

impl Peers {
    /// A place for one more connection from there; none where it has `limit` already.
    pub(crate) fn admit(&self, ip: IpAddr, limit: usize) -> Option<Place> {
        let ip = ip.to_canonical();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(ip).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Place { peers: self.clone(), ip })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.ip) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gives_them_back() {
        let (peers, a, b) = (Peers::default(), IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let places = [peers.admit(a, 2), peers.admit(a, 2)];
        assert!(places.iter().all(Option::is_some));
        let mapped = match a {
            IpAddr::V4(a) => IpAddr::V6(a.to_ipv6_mapped()),
            IpAddr::V6(_) => a,
        };
        assert!(peers.admit(a, 2).is_none() && peers.admit(mapped, 2).is_none());
        assert!(peers.admit(b, 2).is_some(), "others have theirs");
        drop(places);
        assert!(peers.admit(a, 2).is_some());
        assert!(peers.0.lock().is_ok_and(|open| open.is_empty()), "nothing is left behind");
    }
}
