//! The fleet: any number of simulated bases in this process, over real sockets.
//!
//! Over HTTP one listener on all loopback addresses tells the bases apart by the address that was called, so that a
//! base costs one task and no socket of its own; over MQTT each has its own connection, as real ones do.

pub mod base;
pub mod http;
pub mod mqtt;
pub mod words;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;

use base::{Base, Begun, Id, Moment, Work};
use words::Case;

/// How bases talk, and to whom.
#[derive(Clone, Debug)]
pub enum Link {
    /// Heartbeats are posted to this address (`127.0.0.1:7777`).
    Http(String),
    /// The broker's port on 127.0.0.1.
    Mqtt(u16),
}

/// What a fleet is made of.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// How many bases.
    pub bases: usize,
    /// How they talk.
    pub link: Link,
    /// `ENV`, a part of MQTT's topics.
    pub env: String,
    /// The version that they report.
    pub version: String,
    /// The least and the most that an installation takes.
    pub install: (Duration, Duration),
    /// They hold one version of a module at a time; else any number.
    pub holds_one: bool,
}

/// One base of the fleet, shared between its socket's tasks and the one who measures.
#[derive(Debug)]
pub struct Member {
    /// Its identity, `base-<n>`.
    pub identity: String,
    /// The loopback address that it reports.
    pub ip: Ipv4Addr,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    base: Base,
    first_heartbeat: Option<Instant>,
    heartbeats: u64,
    heartbeats_failed: u64,
    last_failure: String,
}

impl Member {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries a command out and gives the answer; none where a Java base gives none.
    pub(crate) async fn carry_out(&self, command: &str, body: &[u8]) -> Option<Value> {
        let begun = self.state().base.begin(command, body, moment());
        match begun {
            Begun::Answer(answer) => Some(answer),
            Begun::Silence => None,
            Begun::Takes(takes, operation) => {
                if !takes.is_zero() {
                    tokio::time::sleep(takes).await;
                }
                Some(self.state().base.finish(operation, moment()))
            }
        }
    }

    pub(crate) fn simple_list(&self) -> Value {
        self.state().base.simple_list()
    }

    pub(crate) fn heartbeat_begins(&self) {
        self.state().first_heartbeat.get_or_insert_with(Instant::now);
    }

    pub(crate) fn heartbeat_ended(&self, result: Result<()>) {
        let mut state = self.state();
        match result {
            Ok(()) => state.heartbeats += 1,
            Err(error) => {
                state.heartbeats_failed += 1;
                state.last_failure = format!("{error:#}");
            }
        }
    }

    /// When its first heartbeat was sent.
    pub fn first_heartbeat(&self) -> Option<Instant> {
        self.state().first_heartbeat
    }

    /// How this biz was installed here.
    pub fn install_of(&self, id: &Id) -> Option<Work> {
        self.state().base.install_of(id)
    }

    /// How this biz was uninstalled here.
    pub fn uninstall_of(&self, id: &Id) -> Option<Work> {
        self.state().base.uninstall_of(id)
    }
}

/// Bases that run. Dropping it ends them without a goodbye.
#[derive(Debug)]
pub struct Fleet {
    members: Vec<Arc<Member>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Fleet {
    /// Starts the bases; all send their first heartbeat at once.
    pub async fn start(options: &FleetOptions) -> Result<Self> {
        let case = match options.link {
            Link::Http(_) => Case::Http,
            Link::Mqtt(_) => Case::Mqtt,
        };
        let members: Vec<Arc<Member>> = (0..options.bases)
            .map(|n| {
                let identity = format!("base-{n:05}");
                let mut base = Base::new(&identity, &options.version, case, options.install);
                if options.holds_one {
                    base.hold_one_version();
                }
                let state = State {
                    base,
                    first_heartbeat: None,
                    heartbeats: 0,
                    heartbeats_failed: 0,
                    last_failure: String::new(),
                };
                Arc::new(Member { identity, ip: address(n), state: Mutex::new(state) })
            })
            .collect();
        let tasks = match &options.link {
            Link::Http(controller) => http::start(&members, options, controller).await?,
            Link::Mqtt(port) => mqtt::start(&members, options, *port),
        };
        Ok(Self { members, tasks })
    }

    /// Its bases.
    pub fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    /// The commands that came so far, over all bases, by name; heartbeats that could not be delivered are among them.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for member in &self.members {
            let state = member.state();
            let rest = [("heartbeats", state.heartbeats), ("heartbeats failed", state.heartbeats_failed)];
            for (name, count) in state.base.counts().chain(rest.into_iter().filter(|(_, count)| *count > 0)) {
                *all.entry(name.to_owned()).or_default() += count;
            }
        }
        all
    }

    /// How many biz are activated, over all bases.
    pub fn activated(&self) -> usize {
        self.members.iter().map(|member| member.state().base.activated()).sum()
    }

    /// Why a heartbeat last failed, with the base that it was; none where none did.
    pub fn last_failure(&self) -> Option<String> {
        self.members.iter().find_map(|member| {
            let failure = member.state().last_failure.clone();
            (!failure.is_empty()).then(|| format!("{}: {failure}", member.identity))
        })
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// An address of its own in 127.128.0.0/9; the first is 127.128.0.1.
fn address(n: usize) -> Ipv4Addr {
    // 8 million bases are more than fit into one process.
    let n = u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1) & 0x7f_ffff;
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 128, 0, 0)) | n)
}

/// When the second heartbeat of the base `n` is due: the first ones come together, as after a restart of everything;
/// from then on they are spread over the period, as those of bases are that were started one by one.
fn second_heartbeat(period: Duration, n: usize, bases: usize) -> Duration {
    let share = u32::try_from((n + 1) * 1_000 / bases.max(1)).unwrap_or(1_000);
    period * share / 1_000
}

fn moment() -> Moment {
    Moment { wall_ms: Timestamp::now().as_millisecond(), mono: Instant::now() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_base_has_its_own_loopback_address() {
        assert_eq!(address(0), Ipv4Addr::new(127, 128, 0, 1));
        assert_eq!(address(255), Ipv4Addr::new(127, 128, 1, 0));
        assert!(address(4_999).is_loopback());
    }

    #[test]
    fn heartbeats_are_spread_over_the_period() {
        let at = |n| second_heartbeat(Duration::from_secs(12), n, 4).as_secs();
        assert_eq!([at(0), at(1), at(2), at(3)], [3, 6, 9, 12]);
    }
}
