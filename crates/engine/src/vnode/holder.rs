//! Whose an identity is: of whoever bears it, as long as that one is alive.
//!
//! Anybody who reaches a tunnel can say any name. What came first and lives keeps it: another
//! address is refused until the base sends no heartbeats, answers nothing, or says goodbye. Between two
//! heartbeats over MQTT there is nothing to compare: no socket's address comes with them and
//! nothing is called at the one they name; there the broker's rights say who may speak as whom.

use std::{fmt, net::IpAddr, time::Duration};

use model::{BaseReport, TunnelKind};

use super::{Context, News, VNode};
use crate::{config::Config, event::Now};

/// How often one base's rivals are spoken of: a heartbeat comes every 10 or 12 s.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Where the bearer of an identity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    tunnel: TunnelKind,
    ip: Option<IpAddr>,
    port: Option<u16>,
    /// It spoke from the very address that it named: nothing translates addresses in between, so
    /// whoever names this address and speaks from another is not it.
    direct: bool,
}

impl Holder {
    fn of(tunnel: TunnelKind, report: &BaseReport) -> Self {
        let ip = report.ip.map(|ip| ip.to_canonical());
        Self { tunnel, ip, port: report.port, direct: ip.is_some() && report.peer == ip }
    }

    /// Whether this heartbeat is of somebody else.
    fn differs(&self, tunnel: TunnelKind, report: &BaseReport) -> bool {
        if (self.tunnel, tunnel) == (TunnelKind::Mqtt, TunnelKind::Mqtt) {
            return false;
        }
        let other = Self::of(tunnel, report);
        let ports = self.port.zip(other.port);
        other.ip != self.ip
            || ports.is_some_and(|(ours, theirs)| ours != theirs)
            || self.differs_from(report.peer)
    }

    /// Whether it is known to speak from another address than this.
    fn differs_from(&self, peer: Option<IpAddr>) -> bool {
        self.direct && peer.is_some() && peer != self.ip
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip, self.port) {
            (Some(ip), Some(port)) => write!(f, "{ip} port {port}")?,
            (Some(ip), None) => write!(f, "{ip}")?,
            (None, _) => f.write_str("no address")?,
        }
        write!(f, " over {}", self.tunnel)
    }
}

/// Who bears the identity of one base, and what was said of others who claim it.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    holder: Option<Holder>,
    said: Option<Duration>,
}

impl Held {
    /// A heartbeat was taken.
    pub(super) fn heard(&mut self, tunnel: TunnelKind, report: &BaseReport) {
        // Heard on both ways, it is known by the one that tells more.
        let known = self.holder.filter(|holder| holder.tunnel == TunnelKind::Http);
        let both = tunnel == TunnelKind::Mqtt && known.is_some_and(|holder| !holder.differs(tunnel, report));
        if !both {
            self.holder = Some(Holder::of(tunnel, report));
        }
    }
}

impl VNode {
    /// Whether the heartbeat is of somebody who claims the identity of a base that is alive elsewhere.
    pub(crate) fn is_claimed_by(
        &self,
        tunnel: TunnelKind,
        report: &BaseReport,
        now: Now,
        config: &Config,
    ) -> bool {
        self.holder(now, config).is_some_and(|holder| holder.differs(tunnel, report))
    }

    /// Whether the base is alive and known not to speak from this address.
    pub(crate) fn is_elsewhere(&self, peer: Option<IpAddr>, now: Now, config: &Config) -> bool {
        self.holder(now, config).is_some_and(|holder| holder.differs_from(peer))
    }

    fn holder(&self, now: Now, config: &Config) -> Option<Holder> {
        self.held.holder.filter(|_| self.life.is_heard_and_well(now.mono, &config.times))
    }

    /// Says that a heartbeat was refused; nothing else comes of it.
    pub(crate) fn refuse_claim(&mut self, tunnel: TunnelKind, report: &BaseReport, ctx: &mut Context<'_>) {
        let (Some(holder), now) = (self.held.holder, ctx.now.mono) else { return };
        if self.held.said.is_some_and(|said| now < said + SAID_EVERY) {
            return;
        }
        self.held.said = Some(now);
        let other = Holder::of(tunnel, report);
        let from = report.peer.map(|peer| format!(", sent from {peer}")).unwrap_or_default();
        let note = format!(
            "heartbeats of another are refused: they name {other}{from}, while the base is alive at {holder}; two bases may have the same identity"
        );
        self.announce(News { warning: true, reason: "IdentityClaimed", action: "Register", note }, ctx);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use model::BaseState;

    use super::*;
    use crate::{Action, Engine, Event, event::Watched, testing};

    /// One base `b`, which `192.0.2.2` bears, on a clock of the test's own.
    struct Case {
        engine: Engine,
        said: Vec<String>,
        seconds: u64,
    }

    impl Case {
        fn start() -> Self {
            let mut case = Self { engine: Engine::new(Config::new("dev")), said: Vec::new(), seconds: 0 };
            for kind in Watched::NEEDED {
                case.step(Event::Synced(kind));
            }
            case.step(Event::TunnelUp(TunnelKind::Http));
            case.step(Event::TunnelUp(TunnelKind::Mqtt));
            case
        }

        fn step(&mut self, event: Event) -> Vec<Action> {
            let now = Now { mono: Duration::from_secs(self.seconds), wall: Timestamp::UNIX_EPOCH };
            let actions = self.engine.step(event, now);
            let said = actions.iter().filter_map(|action| match action {
                Action::Announce(said) if said.reason == "IdentityClaimed" => Some(said.note.clone()),
                _ => None,
            });
            self.said.extend(said);
            actions
        }

        /// Whether a heartbeat that names this address is taken.
        fn takes(&mut self, tunnel: TunnelKind, report: BaseReport) -> bool {
            let now = Duration::from_secs(self.seconds);
            let before = self.engine.summary(now).claims_refused;
            self.step(Event::Heartbeat { tunnel, report });
            self.engine.summary(now).claims_refused == before
        }

        fn http(&mut self, ip: &str, port: u16, peer: &str) -> bool {
            self.takes(TunnelKind::Http, report(ip, Some(port), Some(peer), BaseState::Activated))
        }

        /// The base answers what it is asked.
        fn answers_questions(&mut self) {
            let health = arklet::Health::default();
            for (command, answer) in [
                (arklet::CommandKind::QueryAllBiz, arklet::Answer::Biz(Vec::new())),
                (arklet::CommandKind::Health, arklet::Answer::Health(health)),
            ] {
                let key = arklet::AnswerKey { command, biz: None };
                let (tunnel, base) = (TunnelKind::Http, "b".parse().unwrap());
                self.step(Event::Answer { tunnel, base, key, outcome: Ok(answer) });
            }
        }

        fn mqtt(&mut self, ip: &str) -> bool {
            self.takes(TunnelKind::Mqtt, report(ip, None, None, BaseState::Activated))
        }
    }

    fn report(ip: &str, port: Option<u16>, peer: Option<&str>, state: BaseState) -> BaseReport {
        let peer = peer.map(|peer| peer.parse().unwrap());
        BaseReport { ip: ip.parse().ok(), peer, ..testing::report(port, state) }
    }

    #[test]
    fn whoever_is_alive_keeps_its_identity_until_it_is_silent() {
        let mut case = Case::start();
        assert!(case.http("192.0.2.2", 1238, "192.0.2.2"));
        for seconds in [1, 12, 24] {
            case.seconds = seconds;
            assert!(!case.http("192.0.2.9", 1238, "192.0.2.9"), "another address");
            assert!(!case.http("192.0.2.2", 1239, "192.0.2.2"), "another port");
            assert!(!case.http("192.0.2.2", 1238, "192.0.2.9"), "in its name, from elsewhere");
            assert!(!case.mqtt("192.0.2.9"), "over the other way");
        }
        assert_eq!(case.said.len(), 1, "said once a minute: {:?}", case.said);
        assert!(
            case.said[0].contains("192.0.2.9 port 1238 over http, sent from 192.0.2.9"),
            "{:?}",
            case.said
        );
        case.seconds = 25;
        assert!(case.http("192.0.2.9", 1238, "192.0.2.9"), "silent for 25 s: it is free");
        case.answers_questions();
        assert!(!case.http("192.0.2.2", 1238, "192.0.2.2"), "and now the other's");
    }

    #[test]
    fn who_answers_at_an_address_of_before_does_not_keep_an_identity_there() {
        let mut case = Case::start();
        assert!(case.http("192.0.2.2", 1238, "192.0.2.2"));
        for seconds in [8, 16, 24] {
            case.seconds = seconds;
            case.answers_questions();
            assert!(!case.http("192.0.2.9", 1238, "192.0.2.9"));
        }
        case.seconds = 25;
        assert!(case.http("192.0.2.9", 1238, "192.0.2.9"));
    }

    #[test]
    fn a_goodbye_frees_an_identity_at_once_and_only_the_bases_own_counts() {
        let mut case = Case::start();
        assert!(case.http("192.0.2.2", 1238, "192.0.2.2"));
        let goodbye = |peer| report("192.0.2.2", Some(1238), Some(peer), BaseState::Deactivated);
        assert!(!case.takes(TunnelKind::Http, goodbye("192.0.2.9")));
        assert!(case.takes(TunnelKind::Http, goodbye("192.0.2.2")));
        assert!(case.http("192.0.2.9", 1238, "192.0.2.9"));
    }

    #[test]
    fn behind_a_translation_of_addresses_the_address_it_names_is_what_counts() {
        let mut case = Case::start();
        assert!(case.http("192.0.2.2", 1238, "198.51.100.1"));
        assert!(case.http("192.0.2.2", 1238, "198.51.100.2"));
        assert!(!case.http("192.0.2.9", 1238, "198.51.100.2"));
    }

    #[test]
    fn over_mqtt_a_base_may_change_its_address_and_http_cannot_take_it_over() {
        let mut case = Case::start();
        assert!(case.mqtt("192.0.2.2") && case.mqtt("192.0.2.3"));
        assert!(!case.http("192.0.2.9", 1238, "192.0.2.9"));
        assert!(case.http("192.0.2.3", 1238, "192.0.2.3"), "one base, heard on both ways");
        assert!(case.mqtt("192.0.2.3"));
        assert!(!case.http("192.0.2.3", 1239, "192.0.2.3"));
    }

    #[test]
    fn what_claims_and_answers_nothing_does_not_keep_the_true_base_away() {
        let mut case = Case::start();
        let mut taken = None;
        for seconds in (0..60).step_by(5) {
            case.seconds = seconds;
            case.step(Event::Tick);
            assert!(case.http("192.0.2.9", 1238, "192.0.2.9") || taken.is_some());
            if seconds > 0 && taken.is_none() && case.http("192.0.2.2", 1238, "192.0.2.2") {
                taken = Some(seconds);
            }
        }
        assert!(taken.is_some_and(|at| (25..=45).contains(&at)), "taken at {taken:?}");
    }

    #[test]
    fn who_asks_for_a_baseline_from_elsewhere_restarts_nothing() {
        let mut case = Case::start();
        assert!(case.http("192.0.2.2", 1238, "192.0.2.2"));
        let asks = |case: &mut Case, peer: &str| {
            let query = arklet::BaselineQuery {
                identity: "b".parse().unwrap(),
                name: None,
                version: "1".into(),
                cluster: "".into(),
                peer: peer.parse().ok(),
            };
            case.seconds += 1;
            let actions = case.step(Event::BaselineQuery { tunnel: TunnelKind::Http, query, ask: 1 });
            assert!(actions.iter().any(|action| matches!(action, Action::AnswerBaseline { .. })));
            actions.iter().any(|action| matches!(action, Action::Call { .. }))
        };
        case.answers_questions();
        assert!(!asks(&mut case, "192.0.2.9"));
        assert!(asks(&mut case, "192.0.2.2"));
    }
}
