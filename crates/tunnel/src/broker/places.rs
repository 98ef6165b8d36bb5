//! How many of the embedded broker's clients come from one address: one that takes all places leaves none to bases.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::MAX_CLIENTS;

/// Clients of one address: the half, so that nobody takes all. Bases behind a translation of addresses have one between
/// them.
const CLIENTS_OF_ONE: usize = MAX_CLIENTS / 2;

/// Who is connected, and from where. The library tells the address of who asks to be let in, and later, without it, who
/// was.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Where who was let in, and is not connected yet, comes from. One without a client id is given one later.
    asked: VecDeque<(String, IpAddr)>,
    clients: HashMap<String, IpAddr>,
    addresses: HashMap<IpAddr, usize>,
}

impl Known {
    fn leave(&mut self, client: &str) {
        let Some(ip) = self.clients.remove(client) else { return };
        if let Some(count) = self.addresses.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&ip);
            }
        }
    }
}

impl Places {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more client may come from there.
    pub(super) fn admits(&self, client: &str, ip: IpAddr) -> bool {
        let (mut known, ip) = (self.known(), ip.to_canonical());
        if known.addresses.get(&ip).is_some_and(|count| *count >= CLIENTS_OF_ONE) {
            return false;
        }
        // Who was let in and never came is forgotten.
        if known.asked.len() >= MAX_CLIENTS {
            known.asked.pop_front();
        }
        known.asked.push_back((client.to_owned(), ip));
        true
    }

    /// A client is connected. One that was there under its id goes.
    pub(super) fn comes(&self, client: &str) {
        let mut known = self.known();
        let asked = |name: &str| known.asked.iter().rposition(|(asked, _)| asked == name);
        let Some((_, ip)) = asked(client).or_else(|| asked("")).and_then(|at| known.asked.remove(at)) else {
            return;
        };
        known.leave(client);
        known.clients.insert(client.to_owned(), ip);
        *known.addresses.entry(ip).or_default() += 1;
    }

    /// A client is gone.
    pub(super) fn leaves(&self, client: &str) {
        self.known().leave(client);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gives_them_back() {
        let (places, here) = (Places::default(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let there = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let connects = |client: &str, ip: IpAddr| {
            let admitted = places.admits(client, ip);
            if admitted {
                places.comes(client);
            }
            admitted
        };
        for number in 0..CLIENTS_OF_ONE {
            assert!(connects(&format!("c{number}"), here));
        }
        assert!(!connects("one more", here) && connects("another", there));
        places.leaves("c7");
        assert!(connects("one more", here));
        places.leaves("c8");
        assert!(connects("c9", here), "it comes again before it was seen to go");
        assert!(places.admits("", here), "so there is a place");
        places.comes("given by the broker");
        assert!(!connects("and none now", here));
    }

    #[test]
    fn who_asks_without_end_is_not_remembered_without_end() {
        let places = Places::default();
        for number in 0..2 * MAX_CLIENTS {
            places.admits(&number.to_string(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        assert!(places.known().asked.len() <= MAX_CLIENTS);
    }
}
