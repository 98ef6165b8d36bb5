//! Who owns an identity: the base that came first with it, as long as it is alive.
//!
//! Anybody who reaches a tunnel can use any identity. Heartbeats from another
//! address are refused until the owner sends no heartbeats, answers nothing, or says goodbye. Between two
//! heartbeats over MQTT there is nothing to compare: no socket's address comes with them and
//! nothing is called at the one they name; there the broker's rights say who may speak as whom.
//!
//! What names the right address, but does not come the base's own way (the tunnel it is reached by, and over
//! HTTP the peer that its heartbeats come from), is a sign of life and nothing else: it neither ends
//! the base, nor changes what is known of it, nor starts it anew.

use std::{fmt, net::IpAddr, time::Duration};

use arklet::{AnswerKey, CommandKind, Outcome};
use model::{BaseReport, BaseState, TunnelKind};

use super::{Context, News, VNode};
use crate::{config::Config, event::Now};

/// How often one base's rivals are spoken of: a heartbeat comes every 10 or 12 s.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Between two questions for a baseline by which a base is taken for started anew: a JVM takes longer to start twice, and
/// each costs questions.
const RESTART_EVERY: Duration = Duration::from_secs(30);

/// Where the owner of an identity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdentityOwner {
    tunnel: TunnelKind,
    ip: Option<IpAddr>,
    port: Option<u16>,
    /// It spoke from the very address that it named: nothing translates addresses in between, so
    /// whoever names this address and speaks from another is not it.
    direct: bool,
    /// Where its heartbeats come from; none over MQTT.
    peer: Option<IpAddr>,
}

impl IdentityOwner {
    fn of(tunnel: TunnelKind, report: &BaseReport) -> Self {
        let ip = report.ip.map(|ip| ip.to_canonical());
        let peer = report.peer.map(|peer| peer.to_canonical());
        Self { tunnel, ip, port: report.port, direct: ip.is_some() && peer == ip, peer }
    }

    /// Whether this heartbeat is of somebody else.
    fn differs(&self, tunnel: TunnelKind, report: &BaseReport) -> bool {
        let other = Self::of(tunnel, report);
        let ports = self.port.zip(other.port);
        match (self.tunnel, tunnel) {
            (TunnelKind::Mqtt, TunnelKind::Mqtt) => false,
            (TunnelKind::Mqtt, TunnelKind::Http) => other.ip != self.ip,
            (TunnelKind::Http, _) => {
                other.ip != self.ip
                    || ports.is_some_and(|(ours, theirs)| ours != theirs)
                    || self.direct && other.peer.is_some() && other.peer != self.ip
            }
        }
    }

    /// Whether what comes over this tunnel, from this peer, comes the owner's own way.
    fn speaks_from(&self, tunnel: TunnelKind, peer: Option<IpAddr>) -> bool {
        match (self.tunnel, tunnel) {
            (TunnelKind::Mqtt, TunnelKind::Mqtt) => true,
            (TunnelKind::Http, TunnelKind::Http) => peer.map(|peer| peer.to_canonical()) == self.peer,
            (TunnelKind::Mqtt, TunnelKind::Http) | (TunnelKind::Http, TunnelKind::Mqtt) => false,
        }
    }
}

impl fmt::Display for IdentityOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip, self.port) {
            (Some(ip), Some(port)) => write!(f, "{ip} port {port}")?,
            (Some(ip), None) => write!(f, "{ip}")?,
            (None, _) => f.write_str("no address")?,
        }
        write!(f, " over {}", self.tunnel)
    }
}

/// Who owns the identity of one base, and when people were last told of others who claim it.
#[derive(Debug, Clone, Default)]
pub(super) struct IdentityOwnership {
    owner: Option<IdentityOwner>,
    /// When it was last heard on its own way.
    heard: Duration,
    /// When it was last taken for started anew because it asked for its baseline.
    restarted: Option<Duration>,
    said: Option<Duration>,
}

impl IdentityOwnership {
    /// A heartbeat of the owner was taken, or of who is the owner from now on.
    pub(super) fn heard(&mut self, tunnel: TunnelKind, report: &BaseReport, now: Duration) {
        (self.owner, self.heard) = (Some(IdentityOwner::of(tunnel, report)), now);
    }
}

/// Whose a heartbeat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// The base's.
    Own,
    /// It may be the base's, on another way than its own.
    Echo,
    /// Somebody else's, who claims the identity of a base that is alive elsewhere.
    Claim,
}

/// Whether a heartbeat may be of whoever sent the one before, a moment ago.
pub(crate) fn may_follow(before: (TunnelKind, &BaseReport), tunnel: TunnelKind, report: &BaseReport) -> bool {
    let owner = IdentityOwner::of(before.0, before.1);
    let is_its = report.state == BaseState::Activated || owner.speaks_from(tunnel, report.peer);
    is_its && !owner.differs(tunnel, report)
}

impl VNode {
    /// Whose this heartbeat is.
    pub(crate) fn voice(&self, tunnel: TunnelKind, report: &BaseReport, now: Now, config: &Config) -> Voice {
        let Some(owner) = self.owner(now, config) else { return Voice::Own };
        if owner.differs(tunnel, report) {
            return Voice::Claim;
        }
        // Heard over HTTP too, it is known by the way that tells more. Commands would go to the port that it names, so it
        // has to be at the base's address itself.
        let is_more = (owner.tunnel, tunnel) == (TunnelKind::Mqtt, TunnelKind::Http)
            && report.state == BaseState::Activated
            && IdentityOwner::of(tunnel, report).direct;
        if is_more || owner.speaks_from(tunnel, report.peer) {
            return Voice::Own;
        }
        match report.state {
            BaseState::Activated => Voice::Echo,
            // That it ends, or does not serve, it has to say itself.
            BaseState::Deactivated | BaseState::NotServing => Voice::Claim,
        }
    }

    fn owner(&self, now: Now, config: &Config) -> Option<IdentityOwner> {
        let fresh = now.mono.saturating_sub(self.identity_owner.heard) < config.times.not_ready_after;
        self.identity_owner.owner.filter(|_| fresh && self.life.is_heard_and_well(now.mono, &config.times))
    }

    /// Whether what comes over this tunnel, from this peer, comes the way that the base itself is reached by.
    fn is_own_way(&self, tunnel: TunnelKind, peer: Option<IpAddr>, now: Now, config: &Config) -> bool {
        if let Some(owner) = self.owner(now, config) {
            return owner.speaks_from(tunnel, peer);
        }
        // Of one that is silent, or that this process has not heard yet, its Node or its last heartbeat tells.
        let Some(target) = self.target(config) else { return false };
        let before = self.identity_owner.owner.is_some_and(|owner| owner.speaks_from(tunnel, peer));
        let at_it =
            target.address.map(|address| address.ip().to_canonical()) == peer.map(|peer| peer.to_canonical());
        target.tunnel == tunnel && (before || tunnel == TunnelKind::Mqtt || at_it)
    }

    /// Whether it may be the base itself that asks for its baseline, and installs then what it is told. A base that is
    /// heard over both asks over MQTT, whatever it is reached by.
    pub(crate) fn may_play_back(
        &self,
        tunnel: TunnelKind,
        peer: Option<IpAddr>,
        now: Now,
        config: &Config,
    ) -> bool {
        self.is_own_way(tunnel, peer, now, config) || self.hears_over_mqtt(tunnel, now, config)
    }

    /// Somebody asks for the base's baseline. Where that is the base itself, it was started anew, and what is known of
    /// before is out of date; but not while a command is at work there, whose end will tell, and not without end.
    pub(crate) fn asked_for_baseline(&mut self, tunnel: TunnelKind, peer: Option<IpAddr>, ctx: &Context<'_>) {
        let now = ctx.now.mono;
        if !self.is_own_way(tunnel, peer, ctx.now, ctx.config) {
            return;
        }
        let often = self.identity_owner.restarted.is_some_and(|at| now < at + RESTART_EVERY);
        if often || !self.ops.is_empty() {
            self.look_again(now);
        } else {
            self.identity_owner.restarted = Some(now);
            self.restarted(now);
        }
    }

    /// An answer came, or the news that none will. One that does not come the way that was asked is somebody else's.
    pub(crate) fn answered(
        &mut self,
        tunnel: TunnelKind,
        key: &AnswerKey,
        outcome: Outcome,
        ctx: &mut Context<'_>,
    ) {
        let op = || key.biz.as_ref().and_then(|id| self.ops.get(&id.name)).filter(|op| op.key == *key);
        let asked = match key.command {
            CommandKind::QueryAllBiz => self.inventory_query.way(),
            CommandKind::Health => self.health_query.way(),
            // A baseline is asked for and told of on the same way.
            CommandKind::BatchInstallBiz => {
                Some(tunnel).filter(|_| self.hears_over_mqtt(tunnel, ctx.now, ctx.config))
            }
            _ => op().map(|op| op.tunnel),
        };
        let expected = asked.or_else(|| self.target(ctx.config).map(|target| target.tunnel));
        if expected.is_none_or(|expected| expected == tunnel) {
            self.answer(key, outcome, ctx);
        }
    }

    /// This tunnel is MQTT, and the base is heard over it, be it over HTTP too.
    fn hears_over_mqtt(&self, tunnel: TunnelKind, now: Now, config: &Config) -> bool {
        tunnel == TunnelKind::Mqtt && self.links.hears_mqtt(now.mono, config.times.not_ready_after)
    }

    /// Says that a heartbeat was refused; nothing else comes of it.
    pub(crate) fn refuse_claim(&mut self, tunnel: TunnelKind, report: &BaseReport, ctx: &mut Context<'_>) {
        let (Some(owner), now) = (self.identity_owner.owner, ctx.now.mono) else { return };
        if self.identity_owner.said.is_some_and(|said| now < said + SAID_EVERY) {
            return;
        }
        self.identity_owner.said = Some(now);
        let other = IdentityOwner::of(tunnel, report);
        let from = report.peer.map(|peer| format!(", sent from {peer}")).unwrap_or_default();
        let note = format!(
            "heartbeats of another are refused: they name {other}{from}, while the base is alive at {owner}; two bases may have the same identity"
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
        /// How often it was asked for its modules.
        asked: usize,
        seconds: u64,
    }

    impl Case {
        fn start() -> Self {
            let config = Config { module_deployments: true, ..Config::new("dev") };
            let mut case = Self { engine: Engine::new(config), said: Vec::new(), asked: 0, seconds: 0 };
            for kind in Watched::NEEDED.into_iter().chain([Watched::Deployments, Watched::DaemonSets]) {
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
            let asks = |action: &&Action| {
                matches!(action, Action::Call { command: arklet::Command::QueryAllBiz, .. })
            };
            self.asked += actions.iter().filter(asks).count();
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

        /// Somebody asks for the base's baseline.
        fn asks(&mut self, tunnel: TunnelKind, peer: &str) {
            let query = arklet::BaselineQuery {
                identity: "b".parse().unwrap(),
                name: Some("base".into()),
                version: "1".into(),
                cluster: "".into(),
                stack: "".into(),
                peer: peer.parse().ok(),
            };
            let actions = self.step(Event::BaselineQuery { tunnel, query, ask: 1 });
            let answers = |action: &Action| matches!(action, Action::AnswerBaseline { .. });
            assert!(actions.iter().any(answers), "whoever asks is answered");
        }

        /// Whether the base is taken for started anew when somebody asks for its baseline; it is asked then what it holds.
        fn restarts(&mut self, tunnel: TunnelKind, peer: &str) -> bool {
            self.seconds += 1;
            let before = self.asked;
            self.asks(tunnel, peer);
            self.asked > before
        }

        /// The base answers what it is asked.
        fn answers_questions(&mut self) {
            self.answers_over(TunnelKind::Http);
        }

        fn answers_over(&mut self, tunnel: TunnelKind) {
            let health = arklet::Health::default();
            for (command, answer) in [
                (arklet::CommandKind::QueryAllBiz, arklet::Answer::Biz(Vec::new())),
                (arklet::CommandKind::Health, arklet::Answer::Health(health)),
            ] {
                let key = arklet::AnswerKey { command, biz: None };
                let base = "b".parse().unwrap();
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
        case.answers_questions();
        assert!(!case.restarts(TunnelKind::Http, "192.0.2.9"));
        assert!(!case.restarts(TunnelKind::Mqtt, ""), "it was never heard over MQTT");
        assert!(case.restarts(TunnelKind::Http, "192.0.2.2"));
    }

    #[test]
    fn over_http_nobody_restarts_a_base_that_is_reached_over_mqtt() {
        let mut case = Case::start();
        assert!(case.mqtt("192.0.2.2"));
        case.answers_over(TunnelKind::Mqtt);
        for peer in ["192.0.2.9", "192.0.2.2"] {
            assert!(!case.restarts(TunnelKind::Http, peer), "{peer}");
        }
        assert!(case.restarts(TunnelKind::Mqtt, ""));
    }

    #[test]
    fn behind_a_translation_of_addresses_only_where_the_heartbeats_come_from_counts() {
        let mut case = Case::start();
        assert!(case.http("192.0.2.2", 1238, "198.51.100.1"));
        case.answers_questions();
        assert!(!case.restarts(TunnelKind::Http, "198.51.100.2"));
        let said = |state, peer| report("192.0.2.2", Some(1238), Some(peer), state);
        for state in [BaseState::Deactivated, BaseState::NotServing] {
            assert!(!case.takes(TunnelKind::Http, said(state, "198.51.100.2")), "{state:?}");
        }
        let named = BaseReport { name: Some("other".into()), ..said(BaseState::Activated, "198.51.100.2") };
        assert!(case.takes(TunnelKind::Http, named), "a sign of life");
        assert!(!format!("{:?}", case.engine).contains("other"), "and nothing more");
        assert!(case.restarts(TunnelKind::Http, "198.51.100.1"));
        assert!(case.takes(TunnelKind::Http, said(BaseState::Deactivated, "198.51.100.1")));
    }

    #[test]
    fn a_base_that_is_reached_over_http_says_goodbye_there_and_is_answered_there() {
        let mut case = Case::start();
        assert!(case.http("192.0.2.2", 1238, "192.0.2.2"));
        assert!(case.mqtt("192.0.2.2"), "one base, heard on both ways");
        let goodbye = report("192.0.2.2", None, None, BaseState::Deactivated);
        assert!(!case.takes(TunnelKind::Mqtt, goodbye));
        case.answers_over(TunnelKind::Mqtt);
        case.seconds = 20;
        case.step(Event::Tick);
        assert_eq!(case.asked, 1, "what answers over the other way answers nothing");
        case.answers_questions();
        case.seconds = 60;
        case.step(Event::Tick);
        assert_eq!(case.asked, 2);
    }

    #[test]
    fn over_http_a_base_of_the_broker_is_spoken_for_from_its_own_address_only() {
        let mut case = Case::start();
        assert!(case.mqtt("192.0.2.2"));
        assert!(case.http("192.0.2.2", 6666, "192.0.2.9"), "a sign of life");
        assert!(!format!("{:?}", case.engine).contains("6666"), "commands would go to that port");
        assert!(case.http("192.0.2.2", 1238, "192.0.2.2"));
    }

    #[test]
    fn a_base_is_taken_for_started_anew_once_in_thirty_seconds() {
        let mut case = Case::start();
        let mut restarts = std::collections::BTreeSet::new();
        for second in 0..=61 {
            case.seconds = second;
            assert!(case.http("192.0.2.2", 1238, "192.0.2.2"));
            case.asks(TunnelKind::Http, "192.0.2.2");
            case.answers_questions();
            let known = format!("{:?}", case.engine);
            let (_, restarted) = known.split_once("restarted: Some(").unwrap();
            restarts.insert(restarted.split(')').next().unwrap().to_owned());
        }
        assert_eq!(restarts.into_iter().collect::<Vec<_>>(), ["0ns", "30s", "60s"]);
    }

    #[test]
    fn while_a_command_is_at_work_nothing_of_it_is_forgotten() {
        let mut case = super::super::testing::Case::start(|_| {}, &[]);
        case.slow = Some(Vec::new());
        case.create("a", "biz1");
        assert_eq!(case.commands, ["install biz1:1"]);
        // It is not there before it is installed.
        case.held.clear();
        for second in 1..100 {
            case.until(second);
            let query = arklet::BaselineQuery {
                identity: "b".parse().unwrap(),
                name: None,
                version: "1".into(),
                cluster: "".into(),
                stack: "".into(),
                peer: None,
            };
            case.step(Event::BaselineQuery { tunnel: TunnelKind::Http, query, ask: 1 });
        }
        assert_eq!(case.commands, ["install biz1:1"]);
    }

    #[test]
    fn whoever_makes_a_base_be_asked_makes_it_be_asked_once_a_second() {
        let mut case = Case::start();
        assert!(case.mqtt("192.0.2.2"));
        case.answers_over(TunnelKind::Mqtt);
        let before = case.asked;
        for _ in 0..1_000 {
            let key = arklet::AnswerKey {
                command: arklet::CommandKind::UninstallBiz,
                biz: Some(model::BizId { name: "x".parse().unwrap(), version: "1".parse().unwrap() }),
            };
            let base = "b".parse().unwrap();
            let outcome = Ok(arklet::Answer::Uninstalled);
            case.step(Event::Answer { tunnel: TunnelKind::Mqtt, base, key, outcome });
            case.answers_over(TunnelKind::Mqtt);
        }
        assert_eq!(case.asked, before);
        case.seconds = 1;
        case.step(Event::Tick);
        assert_eq!(case.asked, before + 1);
    }

    #[test]
    fn a_baseline_that_another_asked_for_holds_nothing_back_on_a_base_that_comes() {
        for (asker, held) in [("192.0.2.9", false), ("192.0.2.2", true)] {
            let mut case = Case::start();
            let mut workload = crate::replicas::tests::deployment(1);
            workload.rollout = crate::view::Rollout {
                generation: 1,
                observed_generation: 1,
                desired: 1,
                total: 1,
                updated: 1,
                available: 1,
            };
            workload.template.placement.terms = None;
            workload.template.placement.tolerations[0].key = String::new();
            let module = ("module-controller.koupleless.io/component".to_owned(), "module".to_owned());
            workload.template.labels = [module].into();
            workload.template.containers = vec![testing::container("biz1", "1")];
            case.step(Event::Workload(Box::new(workload)));
            case.asks(TunnelKind::Http, asker);
            assert!(case.http("192.0.2.2", 1238, "192.0.2.2"));
            let known = format!("{:?}", case.engine);
            let (_, playback) = known.split_once("playback: Playback {").unwrap();
            assert_eq!(
                playback.split('}').next().unwrap().contains("biz1"),
                held,
                "asked from {asker}: {playback}"
            );
        }
    }
}
