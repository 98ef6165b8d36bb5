use jiff::Timestamp;
use model::BaseState;

use super::*;
use crate::{Action, ClusterEvent, Engine, Event, ToBase, TunnelEvent, event::Watched, testing};

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
            case.step(Event::Cluster(ClusterEvent::Synced(kind)));
        }
        case.step(Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Http)));
        case.step(Event::Tunnel(TunnelEvent::TunnelUp(TunnelKind::Mqtt)));
        case
    }

    fn step(&mut self, event: Event) -> Vec<Action> {
        let now = Now { mono: Duration::from_secs(self.seconds), wall: Timestamp::UNIX_EPOCH };
        let actions = self.engine.step(event, now);
        let said = actions.iter().filter_map(|action| match action {
            Action::Announce(said) if said.reason == "IdentityClaimed" => Some(said.note.to_string()),
            _ => None,
        });
        self.said.extend(said);
        let asks = |action: &&Action| {
            matches!(action, Action::Base(ToBase::Call { command: arklet::Command::QueryAllBiz, .. }))
        };
        self.asked += actions.iter().filter(asks).count();
        actions
    }

    /// Whether a heartbeat that names this address is taken.
    fn takes(&mut self, tunnel: TunnelKind, report: BaseReport) -> bool {
        let now = Duration::from_secs(self.seconds);
        let before = self.engine.summary(now).claims_refused;
        self.step(Event::Tunnel(TunnelEvent::Heartbeat { tunnel, report }));
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
        let actions = self.step(Event::Tunnel(TunnelEvent::BaselineQuery { tunnel, query, ask: 1 }));
        let answers = |action: &Action| matches!(action, Action::Base(ToBase::AnswerBaseline { .. }));
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
            self.step(Event::Tunnel(TunnelEvent::Answer { tunnel, base, key, outcome: Ok(answer) }));
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
    assert!(case.said[0].contains("192.0.2.9 port 1238 over http, sent from 192.0.2.9"), "{:?}", case.said);
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
        case.step(Event::Tunnel(TunnelEvent::BaselineQuery { tunnel: TunnelKind::Http, query, ask: 1 }));
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
        case.step(Event::Tunnel(TunnelEvent::Answer { tunnel: TunnelKind::Mqtt, base, key, outcome }));
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
        case.step(Event::Cluster(ClusterEvent::Workload(Box::new(workload))));
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
