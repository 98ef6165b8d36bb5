//! Names, addresses and ports that no other test has, in this process or in another that runs at the same time.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

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

/// A port that was free a moment ago. Linux hands out its free ports at random, so two that ask do not meet.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).context("asking for a free port")?;
    Ok(listener.local_addr().context("asking for a free port")?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_unique_and_loopback() {
        assert_ne!(unique("a"), unique("a"));
        let (a, b) = (loopback_ip(), loopback_ip());
        assert!(a.is_loopback() && b.is_loopback());
        assert_ne!(a, b);
    }
}
