//! Names, addresses and ports that no other test has, in this process or in another that runs at the same time.

use std::{
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Result, bail};

static COUNTER: AtomicU32 = AtomicU32::new(0);

fn next() -> u32 {
    COUNTER.fetch_add(1, Ordering::Relaxed)
}

/// `prefix-<process>-<n>`: fit for an environment, an identity, a namespace or any other Kubernetes name.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}-{}", process::id(), next())
}

/// A loopback address (127.64.0.0/10) of its own, for a base. Every 127.x.y.z works on Linux without being set up.
pub fn loopback_ip() -> Ipv4Addr {
    let [_, _, high, low] = process::id().to_be_bytes();
    let [.., n] = (1 + next() % 254).to_be_bytes();
    Ipv4Addr::new(127, 64 | (high & 0x3f), low, n)
}

/// Ports below those that Linux hands out to whoever asks for any: one that is chosen here is not handed out to a
/// connection, or to a listener at port 0, before whoever it is for listens at it.
const PORTS: Range<u16> = 10_000..32_768;

/// A port that was free a moment ago, and that nobody else in this process is given.
pub fn free_port() -> Result<u16> {
    let count = u32::from(PORTS.end - PORTS.start);
    // Processes that run at the same time begin far from each other.
    let begin = process::id().wrapping_mul(1_009);
    for _ in 0..count {
        let port = PORTS.start + u16::try_from(begin.wrapping_add(next()) % count)?;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of {PORTS:?} is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once() {
        let (a, b) = (free_port().unwrap(), free_port().unwrap());
        assert!(a != b && PORTS.contains(&a) && PORTS.contains(&b), "{a}, {b}");
    }

    #[test]
    fn are_unique_and_loopback() {
        assert_ne!(unique("a"), unique("a"));
        let (a, b) = (loopback_ip(), loopback_ip());
        assert!(a.is_loopback() && b.is_loopback());
        assert_ne!(a, b);
    }
}
