//! What befalls replicas, the API server and the broker, and how it ends.

use std::time::Duration;

use engine::{Watched, view::MemberView};
use jiff::SignedDuration;
use model::{BaseIdentity, TunnelKind};

use crate::{
    clock::TRUE_RATE,
    network::tunnel_of,
    replica::{Inside, WATCHES, place},
    world::{Happening, World},
};

/// How far apart clocks go, in thousandths.
const DRIFT: u32 = 100;
/// The longest that a dead connection to the broker is taken for one that lives, in milliseconds: not quite two of the
/// periods in which it is asked.
const DEAD_CONNECTION_MS: u64 = 28_000;
/// The longest that a base takes to find its broker again, in milliseconds.
const BASE_RECONNECTS_MS: u64 = 128_000;

/// A process takes longer to start than what the one before it sent takes to arrive: who finds a predecessor of the same Pod
/// ends it at once (rule W9).
const START_TAKES: Duration = Duration::from_millis(1_300);

/// What ends.
#[derive(Debug, Clone)]
pub(crate) enum Mending {
    /// The time that a replica takes to end, which then says that it left.
    LastWord(usize, Box<MemberView>),
    /// A replica's pause.
    Wake(usize),
    /// The time in which a replica does not run.
    Start(usize),
    /// A replica's being cut off from the API server.
    Api(usize),
    /// A replica's being cut off from the bases.
    Bases(usize),
    /// The API server's absence.
    Server,
    /// The broker's absence.
    Broker,
}

impl World {
    /// Every clock goes at a rate of its own.
    pub fn let_clocks_drift(&mut self) {
        for replica in 0..self.replicas.len() {
            let rate = self.rng().u32(TRUE_RATE - DRIFT..=TRUE_RATE + DRIFT);
            self.set_rate(replica, rate);
        }
    }

    fn set_rate(&mut self, replica: usize, rate: u32) {
        let now = self.now;
        let Some(replica) = self.replicas.get_mut(replica) else { return };
        replica.rate = rate;
        if let Some(running) = &mut replica.running {
            running.clock.change_rate(now, rate);
        }
    }

    /// Something befalls one of several replicas, or what they all need.
    pub fn make_trouble(&mut self) {
        let all = self.replicas.len();
        let replica = self.rng().usize(0..all);
        let lasts = match self.rng().bool() {
            true => self.up_to_ms(60_000),
            false => self.up_to_ms(14_000),
        };
        let name = self.replicas.get(replica).map(|replica| replica.name.clone()).unwrap_or_default();
        match self.rng().u8(0..15) {
            0 | 1 => {
                self.kill_replica(replica);
                self.begins_after(replica, lasts);
            }
            2 => {
                self.retire_replica(replica);
                self.begins_after(replica, lasts);
            }
            3 | 4 => {
                match self.rng().bool() {
                    true => self.pause_replica(replica),
                    false => self.pause_replica_at_decision(replica),
                }
                self.later(lasts, Happening::Mend(Mending::Wake(replica)));
            }
            5 | 6 => {
                self.tell(format_args!("{name} is cut off from the API server"));
                self.cut_off_from_api(replica);
                self.later(lasts, Happening::Mend(Mending::Api(replica)));
            }
            7 | 8 => {
                self.tell(format_args!("{name} is cut off from the bases"));
                self.cut_off_from_bases(replica);
                self.later(lasts, Happening::Mend(Mending::Bases(replica)));
            }
            9 => {
                let off = SignedDuration::from_secs(self.rng().i64(-90_000..90_000));
                self.tell(format_args!("{name}'s wall clock jumps to {off} off"));
                if let Some(running) =
                    self.replicas.get_mut(replica).and_then(|replica| replica.running.as_mut())
                {
                    running.clock.jump(off);
                }
                let rate = self.rng().u32(TRUE_RATE - DRIFT..=TRUE_RATE + DRIFT);
                self.set_rate(replica, rate);
            }
            10 => {
                self.tell(format_args!("the API server is away"));
                self.api_away = true;
                for replica in 0..self.replicas.len() {
                    self.close_watches(replica);
                }
                self.later(lasts, Happening::Mend(Mending::Server));
            }
            11 => {
                self.tell(format_args!("the broker is away"));
                self.lose_broker();
                self.later(Duration::from_secs(1) + lasts, Happening::Mend(Mending::Broker));
            }
            12 => self.trouble_watch(replica),
            // A row of them, of which some may be about one field.
            _ => (0..5).for_each(|_| drop(self.write_as_another())),
        }
    }

    fn begins_after(&mut self, replica: usize, wait: Duration) {
        if self.rng().bool() {
            let number = self.next_number();
            if let Some(replica) = self.replicas.get_mut(replica) {
                replica.pod_uid = format!("pod-uid-new-{number}").into();
            }
        }
        self.later(wait.max(START_TAKES), Happening::Mend(Mending::Start(replica)));
    }

    fn cut_off_from_api(&mut self, place: usize) {
        if let Some(replica) = self.replicas.get_mut(place) {
            replica.without_api = true;
        }
        self.close_watches(place);
    }

    fn close_watches(&mut self, place: usize) {
        let Some(process) = self.process(place) else { return };
        for kind in WATCHES {
            let pause = Duration::from_millis(500) + self.up_to_ms(4_500);
            self.close_watch(process, kind, pause);
        }
    }

    /// A watch lags, or is closed and begins anew after a while: what it missed meanwhile is forgotten (410).
    fn trouble_watch(&mut self, replica: usize) {
        let Some(process) = self.process(replica) else { return };
        let kinds = [
            Watched::Nodes,
            Watched::Pods,
            Watched::Modules,
            Watched::Members,
            Watched::Leases,
            Watched::Permits,
        ];
        let kind = self.rng().choice(kinds).unwrap_or(Watched::Pods);
        let (pause, lags) = (self.up_to_ms(25_000), self.rng().bool());
        let (name, how) = (self.name(process), if lags { "lags" } else { "is closed" });
        self.tell(format_args!("{name}'s watch of {kind:?} {how} for {} s", pause.as_secs_f64()));
        if !lags {
            return self.close_watch(process, kind, pause);
        }
        let until = self.now + pause;
        let stream = self.running_mut(process).and_then(|running| running.streams.get_mut(&place(kind)));
        if let Some(stream) = stream {
            stream.told_until = stream.told_until.max(until);
        }
    }

    fn cut_off_from_bases(&mut self, place: usize) {
        if let Some(replica) = self.replicas.get_mut(place) {
            replica.without_bases = true;
        }
        if let Some(process) = self.process(place) {
            let found = self.up_to_ms(DEAD_CONNECTION_MS);
            self.inside(found, process, Inside::Disconnected);
        }
    }

    fn lose_broker(&mut self) {
        self.broker_away = true;
        for process in self.processes() {
            let found = self.up_to_ms(500);
            self.inside(found, process, Inside::Disconnected);
        }
        for (_, base) in self.bases.iter_mut().filter(|(identity, _)| tunnel_of(identity) == TunnelKind::Mqtt)
        {
            base.connected = false;
        }
    }

    /// Some trouble ends.
    pub(crate) fn mend(&mut self, mending: &Mending) {
        match *mending {
            Mending::LastWord(place, ref desired) => self.last_word(place, desired),
            Mending::Wake(replica) => self.wake_replica(replica),
            Mending::Start(replica) => self.start_replica(replica),
            Mending::Api(place) => {
                if let Some(replica) = self.replicas.get_mut(place).filter(|replica| replica.without_api) {
                    replica.without_api = false;
                    let name = replica.name.clone();
                    self.tell(format_args!("{name} reaches the API server again"));
                }
            }
            Mending::Bases(place) => {
                if let Some(replica) = self.replicas.get_mut(place).filter(|replica| replica.without_bases) {
                    replica.without_bases = false;
                    let name = replica.name.clone();
                    self.tell(format_args!("{name} reaches the bases again"));
                }
            }
            Mending::Server => {
                if std::mem::replace(&mut self.api_away, false) {
                    self.tell(format_args!("the API server is back"));
                }
            }
            Mending::Broker => {
                if std::mem::replace(&mut self.broker_away, false) {
                    self.tell(format_args!("the broker is back"));
                    self.bases_reconnect();
                }
            }
        }
    }

    fn bases_reconnect(&mut self) {
        let bases: Vec<(BaseIdentity, u32)> =
            self.bases.iter().map(|(identity, base)| (identity.clone(), base.incarnation)).collect();
        for (base, incarnation) in bases {
            let most = if self.rng().bool() { 3_000 } else { BASE_RECONNECTS_MS };
            let wait = self.up_to_ms(most);
            self.later(wait, Happening::Reconnect { base, incarnation });
        }
    }

    /// All trouble ends now; who does not run is about to be started.
    pub fn mend_all(&mut self) {
        for replica in 0..self.replicas.len() {
            for mending in [Mending::Api(replica), Mending::Bases(replica)] {
                self.mend(&mending);
            }
            self.wake_replica(replica);
            self.later(START_TAKES, Happening::Mend(Mending::Start(replica)));
        }
        self.mend(&Mending::Server);
        self.mend(&Mending::Broker);
    }
}
