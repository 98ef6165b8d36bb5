use super::*;
use crate::{
    event::{Fetched, Install, Outcome},
    failure::Failure,
};

const CONFIG: Config = Config { keeps_broken: false, is_silent_first: false, max_biz: 3 };

/// A base that carries out nothing: what is to be done is looked at.
struct Base {
    machine: Lifecycle,
    last: u64,
}

impl Base {
    fn new(config: Config) -> Self {
        Self { machine: Lifecycle::new(config), last: 0 }
    }

    fn op(&mut self) -> OpId {
        self.last += 1;
        OpId(self.last)
    }

    fn step(&mut self, event: Event) -> Vec<Action> {
        self.machine.step(event, 1_000 + i64::try_from(self.last).unwrap())
    }

    fn order(&mut self, biz: &str, strategy: Strategy) -> (OpId, Vec<Action>) {
        let op = self.op();
        let order = Install { id: Some(id(biz)), url: "file:///x".to_owned(), strategy };
        (op, self.step(Event::Install(op, order)))
    }

    fn fetched(&mut self, op: OpId, biz: &str, path: &str) -> Vec<Action> {
        let fetched = Fetched { id: id(biz), web_context_path: path.to_owned() };
        self.step(Event::Fetched(op, Ok(fetched)))
    }

    /// Up to its end, with what is done at the end.
    fn install_at(&mut self, biz: &str, path: &str, strategy: Strategy) -> Vec<Action> {
        let (op, actions) = self.order(biz, strategy);
        assert_eq!(actions, [Action::Fetch { op, url: "file:///x".to_owned() }]);
        assert_eq!(self.fetched(op, biz, path), [Action::Load { op }]);
        self.step(Event::Loaded(op, Ok(())))
    }

    fn install(&mut self, biz: &str) -> Vec<Action> {
        let name = biz.split(':').next().unwrap().to_owned();
        self.install_at(biz, &name, Strategy::InstallOnly)
    }

    fn states(&self) -> Vec<String> {
        self.machine.biz().iter().map(|biz| format!("{} {}", biz.id, biz.state)).collect()
    }
}

fn id(text: &str) -> BizId {
    let (name, version) = text.split_once(':').unwrap();
    BizId { name: name.parse().unwrap(), version: version.parse().unwrap() }
}

fn serve(path: &str, instance: u64) -> Action {
    Action::Serve { web_context_path: path.to_owned(), instance: Instance(instance) }
}

fn close(path: &str) -> Action {
    Action::Close { web_context_path: path.to_owned() }
}

fn outcome(actions: &[Action]) -> &Outcome {
    match actions.last() {
        Some(Action::Finish(_, outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

fn refusal(actions: &[Action]) -> String {
    outcome(actions).as_ref().unwrap_err().to_string()
}

#[test]
fn a_module_is_fetched_loaded_and_served() {
    let mut base = Base::new(CONFIG);
    let actions = base.install("a:1");
    assert_eq!(actions[0], serve("a", 1));
    let biz = outcome(&actions).clone().unwrap().unwrap();
    assert_eq!((biz.state, biz.is_leaving), (BizState::Activated, false));
    let reasons: Vec<_> = biz.records.iter().map(|record| (record.reason, record.state)).collect();
    assert_eq!(reasons, [("Created", BizState::Resolved), ("Started", BizState::Activated)]);
}

#[test]
fn a_second_version_is_there_and_does_not_serve_until_it_is_told_to() {
    let mut base = Base::new(CONFIG);
    base.install("a:1");
    let actions = base.install("a:2");
    assert_eq!(actions.len(), 1, "{actions:?}");
    assert_eq!(base.states(), ["a:1 activated", "a:2 deactivated"]);
    let op = base.op();
    let actions = base.step(Event::Switch(op, id("a:2")));
    assert_eq!(actions[0], serve("a", 2));
    assert_eq!(base.states(), ["a:1 deactivated", "a:2 activated"]);
    assert_eq!(base.machine.biz()[1].records[2].message, "switch from old version: a:1");
    // Told again, it does nothing.
    let op = base.op();
    assert_eq!(base.step(Event::Switch(op, id("a:2"))).len(), 1);
}

#[test]
fn the_switch_to_another_path_closes_the_old_one_after_the_new_one_is_open() {
    let mut base = Base::new(CONFIG);
    base.install("a:1");
    base.install_at("a:2", "a-next", Strategy::InstallOnly);
    let op = base.op();
    let actions = base.step(Event::Switch(op, id("a:2")));
    assert_eq!(actions[..2], [serve("a-next", 2), close("a")]);
}

#[test]
fn a_replacement_serves_before_the_old_one_ends() {
    let mut base = Base::new(CONFIG);
    base.install("a:1");
    let actions = base.install_at("a:2", "a", Strategy::UninstallThenInstall);
    assert_eq!(actions[..2], [serve("a", 2), Action::Drain(Instance(1))]);
    assert_eq!(base.states(), ["a:2 activated"]);
    assert_eq!(base.step(Event::Drained(Instance(1))), [Action::Drop(Instance(1))]);
}

#[test]
fn a_replacement_that_fails_costs_nothing() {
    let mut base = Base::new(CONFIG);
    base.install("a:1");
    for version in ["a:1", "a:2"] {
        let (op, _) = base.order(version, Strategy::UninstallThenInstall);
        base.fetched(op, version, "a");
        let actions = base.step(Event::Loaded(op, Err(Failure::StartUp("it traps".to_owned()))));
        assert_eq!(actions[0], Action::Drop(Instance(op.0)));
        assert_eq!(refusal(&actions), "it traps");
        assert_eq!(base.states(), ["a:1 activated"]);
    }
}

#[test]
fn the_same_version_is_replaced_by_its_new_code() {
    let mut base = Base::new(CONFIG);
    base.install("a:1");
    let actions = base.install_at("a:1", "a", Strategy::UninstallThenInstall);
    assert_eq!(actions[..2], [serve("a", 2), Action::Drain(Instance(1))]);
    assert_eq!(base.states(), ["a:1 activated"]);
    assert_eq!(base.machine.biz()[0].instance, Instance(2));
}

#[test]
fn what_is_there_is_refused_before_a_download() {
    let mut base = Base::new(CONFIG);
    base.install("a:1");
    let (_, actions) = base.order("a:1", Strategy::InstallOnly);
    assert_eq!(refusal(&actions), "a:1 has been installed already");
}

#[test]
fn one_command_at_a_time_for_a_name() {
    let mut base = Base::new(CONFIG);
    base.install("a:1");
    let (first, _) = base.order("a:2", Strategy::InstallOnly);
    let (_, actions) = base.order("a:3", Strategy::InstallOnly);
    assert!(refusal(&actions).contains("installBiz is at work"), "{actions:?}");
    let op = base.op();
    assert!(matches!(
        outcome(&base.step(Event::Uninstall(op, id("a:1")))),
        Err(Refusal::Conflict { running: CommandKind::InstallBiz, .. })
    ));
    base.install("b:1");
    base.step(Event::Fetched(first, Err(Failure::TimedOut("it took too long".to_owned()))));
    assert_eq!(base.states(), ["a:1 activated", "b:1 activated"]);
    assert_eq!(base.install("a:3").len(), 1);
}

#[test]
fn a_package_of_another_biz_is_refused() {
    let mut base = Base::new(CONFIG);
    let (op, _) = base.order("a:1", Strategy::InstallOnly);
    let actions = base.fetched(op, "a:2", "a");
    assert_eq!(actions[0], Action::Discard(op));
    assert_eq!(refusal(&actions), "the package is of a:2, and a:1 was asked for");
    assert!(base.states().is_empty());
}

#[test]
fn a_path_has_one_owner() {
    let mut base = Base::new(CONFIG);
    base.install("a:1");
    let (op, _) = base.order("b:1", Strategy::InstallOnly);
    assert_eq!(refusal(&base.fetched(op, "b:1", "a")), "the web context path \"a\" is taken by a:1");
}

/// The entry of the broken one stays while it is installed again.
#[test]
fn a_path_is_also_of_what_is_loaded_in_the_place_of_a_broken_one() {
    let mut base = Base::new(Config { keeps_broken: true, ..CONFIG });
    let (op, _) = base.order("a:1", Strategy::InstallOnly);
    base.fetched(op, "a:1", "shared");
    base.step(Event::Loaded(op, Err(Failure::StartUp("it fails".to_owned()))));
    assert_eq!(base.states(), ["a:1 broken"]);
    let (again, _) = base.order("a:1", Strategy::UninstallThenInstall);
    assert_eq!(base.fetched(again, "a:1", "shared"), [Action::Load { op: again }]);
    let (other, _) = base.order("b:1", Strategy::InstallOnly);
    let refused = base.fetched(other, "b:1", "shared");
    assert!(refusal(&refused).contains("a:1"), "{refused:?}");
    assert_eq!(base.step(Event::Loaded(again, Ok(())))[0], serve("shared", 2));
}

#[test]
fn a_full_base_says_so() {
    let mut base = Base::new(CONFIG);
    for biz in ["a:1", "b:1", "c:1"] {
        base.install(biz);
    }
    let (op, _) = base.order("d:1", Strategy::InstallOnly);
    assert_eq!(refusal(&base.fetched(op, "d:1", "d")), "the base holds 3 modules and takes no more");
}

#[test]
fn what_does_not_start_is_gone_or_kept_as_broken() {
    for keeps_broken in [false, true] {
        let mut base = Base::new(Config { keeps_broken, ..CONFIG });
        let (op, _) = base.order("a:1", Strategy::InstallOnly);
        base.fetched(op, "a:1", "a");
        base.step(Event::Loaded(op, Err(Failure::StartUp("it traps".to_owned()))));
        let expected: &[&str] = if keeps_broken { &["a:1 broken"] } else { &[] };
        assert_eq!(base.states(), expected);
        if keeps_broken {
            assert_eq!(base.machine.biz()[0].records[1].message, "it traps");
            let op = base.op();
            assert_eq!(base.step(Event::Switch(op, id("a:1"))).len(), 1);
            // Its path is free, and it goes with a replacement.
            base.install_at("b:1", "a", Strategy::InstallOnly);
            let op = base.op();
            assert_eq!(base.step(Event::Uninstall(op, id("a:1"))), [Action::Finish(op, Ok(None))]);
        }
    }
}

#[test]
fn an_uninstallation_closes_drains_and_then_drops() {
    let mut base = Base::new(CONFIG);
    base.install("a:1");
    let op = base.op();
    let actions = base.step(Event::Uninstall(op, id("a:1")));
    assert_eq!(actions, [close("a"), Action::Drain(Instance(1))]);
    assert_eq!(base.states(), ["a:1 deactivated"]);
    let actions = base.step(Event::Drained(Instance(1)));
    assert_eq!(actions, [Action::Drop(Instance(1)), Action::Finish(op, Ok(None))]);
    let op = base.op();
    assert_eq!(refusal(&base.step(Event::Uninstall(op, id("a:1")))), "a:1 is not there");
}

#[test]
fn in_the_silence_it_serves_and_says_that_it_leaves() {
    let mut base = Base::new(Config { is_silent_first: true, ..CONFIG });
    base.install("a:1");
    let op = base.op();
    assert_eq!(base.step(Event::Uninstall(op, id("a:1"))), [Action::KeepSilent(op)]);
    assert!(base.machine.biz()[0].is_leaving);
    assert_eq!(base.states(), ["a:1 activated"]);
    assert_eq!(base.step(Event::Silent(op)), [close("a"), Action::Drain(Instance(1))]);
}

#[test]
fn events_of_nobody_say_nothing() {
    let mut base = Base::new(CONFIG);
    let op = OpId(9);
    for event in [
        Event::Loaded(op, Ok(())),
        Event::Fetched(op, Err(Failure::Full(1))),
        Event::Silent(op),
        Event::Drained(Instance(9)),
    ] {
        assert!(base.step(event).is_empty());
    }
}

#[test]
fn the_history_of_a_biz_is_bounded() {
    let mut base = Base::new(CONFIG);
    base.install("a:1");
    base.install("a:2");
    for round in 0..50 {
        let op = base.op();
        base.step(Event::Switch(op, id(if round % 2 == 0 { "a:2" } else { "a:1" })));
    }
    for biz in base.machine.biz() {
        assert_eq!((biz.records.len(), biz.records[0].reason), (16, "Created"));
    }
}

#[test]
fn a_failed_installation_is_remembered_until_it_is_mended() {
    let mut base = Base::new(CONFIG);
    let failed = |base: &Base| base.machine.failed().map(BizId::to_string).collect::<Vec<_>>();
    for biz in ["a:1", "b:1"] {
        let (op, _) = base.order(biz, Strategy::InstallOnly);
        base.step(Event::Fetched(op, Err(Failure::PackageMissing("no".to_owned()))));
    }
    let (op, _) = base.order("a:2", Strategy::InstallOnly);
    base.fetched(op, "a:2", "a");
    base.step(Event::Loaded(op, Err(Failure::StartUp("it traps".to_owned()))));
    assert_eq!(failed(&base), ["b:1", "a:2"]);
    base.install("a:3");
    assert_eq!(failed(&base), ["b:1"]);
    let op = base.op();
    assert_eq!(refusal(&base.step(Event::Uninstall(op, id("b:1")))), "b:1 is not there");
    assert_eq!(failed(&base), [""; 0]);
}
