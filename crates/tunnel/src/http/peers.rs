//! How many connections each address has, and how many it opens in a time: one that opens all it can
//! must leave room for others.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::bucket::{Bucket, Rate};

/// How many addresses are remembered that have no connection now. Past that those that were quiet are
/// forgotten, and of more than that who were not, only the connections are counted.
const REMEMBERED: usize = 16_384;

/// What one address may do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections that are opened; each is one request.
    pub(crate) opened: Rate,
}

/// How often it is looked who was quiet: to look for each connection would be work for a flood to ask for.
const SWEEP: Duration = Duration::from_secs(1);

/// The connections of now and of a moment ago, by the address at their other end.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    share: Share,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    peers: HashMap<IpAddr, Peer>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Peer {
    open: usize,
    opened: Bucket,
}

/// One connection's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    peers: Peers,
    ip: IpAddr,
}

impl Peers {
    pub(crate) fn new(share: Share) -> Self {
        Self { share, known: Arc::default() }
    }

    /// A place for one more connection from there; none where it has had its share.
    pub(crate) fn admit(&self, ip: IpAddr, now: Instant) -> Option<Connection> {
        let (ip, rate) = (ip.to_canonical(), self.share.opened);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let may_sweep = known.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP);
        if known.peers.len() >= REMEMBERED && may_sweep {
            known.peers.retain(|_, peer| peer.open > 0 || !peer.opened.is_full(rate, now));
            known.swept = Some(now);
        }
        let peer = known.peers.entry(ip).or_insert_with(|| Peer { open: 0, opened: Bucket::full(rate, now) });
        if peer.open >= self.share.connections || !peer.opened.take(rate, 1, now) {
            return None;
        }
        peer.open += 1;
        Some(Connection { peers: self.clone(), ip })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut known = self.peers.known.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = known.peers.len() > REMEMBERED;
        if let Some(peer) = known.peers.get_mut(&self.ip) {
            peer.open = peer.open.saturating_sub(1);
            if peer.open == 0 && crowded {
                known.peers.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    fn peers(connections: usize, a_second: u32, at_once: u32) -> Peers {
        Peers::new(Share { connections, opened: Rate { a_second, at_once } })
    }

    #[test]
    fn an_address_has_so_many_places_and_gives_them_back() {
        let (peers, now) = (peers(2, 100, 100), Instant::now());
        let places = [peers.admit(A, now), peers.admit(A, now)];
        assert!(places.iter().all(Option::is_some));
        let mapped = match A {
            IpAddr::V4(a) => IpAddr::V6(a.to_ipv6_mapped()),
            IpAddr::V6(_) => A,
        };
        assert!(peers.admit(A, now).is_none() && peers.admit(mapped, now).is_none());
        assert!(peers.admit(B, now).is_some(), "others have theirs");
        drop(places);
        assert!(peers.admit(A, now).is_some());
    }

    #[test]
    fn an_address_opens_so_many_in_a_second() {
        let (peers, now) = (peers(10, 5, 20), Instant::now());
        let opened = |ip: IpAddr, now: Instant| (0..100).filter(|_| peers.admit(ip, now).is_some()).count();
        assert_eq!((opened(A, now), opened(A, now)), (20, 0));
        assert_eq!(opened(B, now), 20, "others have theirs");
        assert_eq!(opened(A, now + Duration::from_secs(2)), 10);
    }

    #[test]
    fn addresses_without_end_are_not_remembered_without_end() {
        let (peers, start) = (peers(10, 5, 20), Instant::now());
        for number in 0..3 * u32::try_from(REMEMBERED).unwrap() {
            drop(peers.admit(Ipv4Addr::from_bits(number).into(), start));
        }
        assert_eq!(peers.known.lock().unwrap().peers.len(), REMEMBERED, "none of them is quiet yet");
        drop(peers.admit(Ipv4Addr::BROADCAST.into(), start + Duration::from_secs(1)));
        assert_eq!(peers.known.lock().unwrap().peers.len(), 1);
    }
}
