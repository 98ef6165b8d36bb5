use litemap::LiteMap;
use model::Health;
use proptest::prelude::*;

use super::*;
use crate::{
    hold::{Held, Release, hold},
    order::rank,
    spec::{Draft, DraftBatch},
};

const DIGEST: &str = "d1";

/// A workload on some bases, which installs what is released at once.
struct World {
    spec: Spec,
    steering: Steering,
    status: Status,
    memory: Memory,
    bases: Vec<Base>,
    template: Template,
    precondition: Result<(), Invalid>,
    warning: Option<String>,
    replica_without: Option<&'static str>,
    other: Option<Arc<str>>,
    digest: &'static str,
    language: Language,
    now: u64,
    wake: Option<Duration>,
    questions: Vec<Question>,
    health: Option<HealthQuestion>,
}

fn batch(name: &str) -> DraftBatch {
    DraftBatch { name: name.into(), ..DraftBatch::default() }
}

/// One base first, with 10 minutes of soaking and a confirmation; then the others in two parts.
fn beta() -> Vec<DraftBatch> {
    let beta = DraftBatch { size: Some("1".into()), soak_seconds: 600, confirm: true, ..batch("beta") };
    vec![beta, DraftBatch { count: Some(2), ..batch("rest") }]
}

impl World {
    fn new(bases: usize, batches: Vec<DraftBatch>) -> Self {
        let module = model::BizId { name: "biz1".parse().unwrap(), version: "2".parse().unwrap() };
        Self {
            spec: Spec::of(Draft {
                module,
                batches,
                ready_timeout_seconds: 300,
                max_failed: 0,
                metrics: Vec::new(),
                health: None,
            })
            .unwrap(),
            steering: Steering::default(),
            status: Status::default(),
            memory: Memory::default(),
            bases: (0..bases).map(base).collect(),
            template: Template::This,
            precondition: Ok(()),
            warning: None,
            replica_without: None,
            other: None,
            digest: DIGEST,
            language: Language::English,
            now: 0,
            wake: None,
            questions: Vec::new(),
            health: None,
        }
    }

    fn look(&mut self) {
        let facts = Facts {
            language: self.language,
            bases: &self.bases,
            template: self.template.clone(),
            precondition: self.precondition.clone(),
            warning: self.warning.clone(),
            replica_without: self.replica_without.map(Into::into),
            other: self.other.clone(),
            digest: self.digest.into(),
        };
        let now = Duration::from_secs(self.now);
        let advanced = advance(Ok(&self.spec), self.steering, &self.status, &facts, &mut self.memory, now);
        (self.status, self.wake) = (advanced.status, advanced.wake);
        (self.questions, self.health) = (advanced.questions, advanced.health);
    }

    fn held(&self, base: &Base) -> Option<Held> {
        match hold(Some(&self.spec), &self.status, self.digest, &self.spec.module, base) {
            Release::Released => None,
            Release::Held(held) => Some(held),
        }
    }

    fn released(&self) -> usize {
        self.bases.iter().filter(|base| self.held(base).is_none()).count()
    }

    /// What is released serves, and is looked at.
    fn install(&mut self) {
        let released: Vec<bool> = self.bases.iter().map(|base| self.held(base).is_none()).collect();
        for (base, _) in self.bases.iter_mut().zip(released).filter(|(_, released)| *released) {
            base.condition = Condition::Ready;
        }
        self.look();
    }

    fn after(&mut self, seconds: u64) {
        self.now += seconds;
        self.look();
    }

    fn phases(&self) -> Vec<BatchPhase> {
        self.status.batches.iter().map(|batch| batch.phase).collect()
    }

    fn released_base(&mut self) -> &mut Base {
        let place = self.bases.iter().position(|base| self.held(base).is_none()).unwrap();
        &mut self.bases[place]
    }
}

fn base(n: usize) -> Base {
    let key: Arc<str> = format!("host-{n}").into();
    Base {
        rank: rank("uid", &key),
        key,
        address: Some(std::net::Ipv4Addr::new(10, 0, 0, u8::try_from(n).unwrap_or(u8::MAX)).into()),
        labels: LiteMap::new(),
        available: true,
        serves: true,
        condition: Condition::Held,
    }
}

fn failed() -> Condition {
    let code = ErrorCode::new(ErrorSource::Arklet, ErrorType::NetworkError);
    Condition::Failed { code, message: "no such package".into() }
}

#[test]
fn p1_what_a_plan_has_not_released_is_held_whatever_is_known_of_it() {
    let mut world = World::new(3, beta());
    let held = |world: &World| world.held(&world.bases[0]);
    assert_eq!(held(&world), Some(Held::NotBegun));
    let nonsense = hold(None, &world.status, DIGEST, &world.spec.module, &world.bases[0]);
    assert_eq!(nonsense, Release::Held(Held::Refused(String::new())));
    world.look();
    let place = world.bases.iter().position(|base| world.held(base).is_none()).unwrap();
    let module = model::BizId { version: "3".parse().unwrap(), ..world.spec.module.clone() };
    assert_eq!(
        hold(Some(&world.spec), &world.status, DIGEST, &module, &world.bases[place]),
        Release::Held(Held::OtherModule(world.spec.module.clone()))
    );
    let other = world.bases.iter().find_map(|base| world.held(base));
    assert_eq!(other, Some(Held::Batch("rest-1".into())));
}

#[test]
fn p5_another_leader_lengthens_a_soak() {
    let mut world = World::new(3, beta());
    world.look();
    world.install();
    world.after(500);
    world.act(&Act::Hands);
    world.after(100);
    assert_eq!(world.status.batches[0].phase, BatchPhase::Soaking);
    assert_eq!(world.wake, Some(Duration::from_secs(1_200)));
}

#[test]
fn p2_one_batch_after_the_other_with_soak_and_confirmation() {
    let mut world = World::new(5, beta());
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Running, 1));
    world.install();
    assert_eq!(world.status.batches[0].phase, BatchPhase::Soaking);
    assert_eq!(world.wake, Some(Duration::from_secs(600)));
    world.after(599);
    assert_eq!(world.status.batches[0].phase, BatchPhase::Soaking);
    world.after(1);
    assert_eq!((world.status.phase, world.status.confirmable), (Phase::AwaitingConfirm, Some(1)));
    assert_eq!(world.released(), 1);
    world.steering.confirmed = 1;
    world.look();
    assert_eq!((world.status.phase, world.released(), world.status.confirmable), (Phase::Running, 3, None));
    world.install();
    assert_eq!(world.released(), 5);
    world.install();
    assert_eq!((world.status.phase, world.status.ready), (Phase::Succeeded, 5));
    assert_eq!(world.held(&base(77)), None, "a base that comes later is not held by what has succeeded");
}

#[test]
fn p2_a_confirmation_that_was_not_offered_opens_nothing() {
    let mut world = World::new(5, beta());
    world.steering.confirmed = 5;
    world.look();
    world.install();
    world.after(600);
    assert_eq!((world.status.phase, world.status.confirmable), (Phase::AwaitingConfirm, Some(6)));
    // While it waits, the base blinks: the number that was offered is worth nothing any more.
    world.released_base().condition = Condition::Working;
    world.look();
    assert_eq!((world.status.phase, world.status.confirmable), (Phase::Running, None));
    world.steering.confirmed = 6;
    world.install();
    world.after(600);
    assert_eq!((world.status.phase, world.status.confirmable), (Phase::AwaitingConfirm, Some(7)));
}

#[test]
fn p2_a_blink_begins_the_soak_anew() {
    let mut world = World::new(3, beta());
    world.look();
    world.install();
    world.after(500);
    world.released_base().condition = Condition::Working;
    world.after(50);
    world.released_base().condition = Condition::Ready;
    world.after(1);
    world.after(599);
    assert_eq!(world.status.batches[0].phase, BatchPhase::Soaking);
    world.after(1);
    assert_eq!(world.status.phase, Phase::AwaitingConfirm);
}

#[test]
fn p2_a_batch_whose_selector_selects_nothing_waits_and_says_so() {
    let mut beta = beta();
    beta[0].selector.labels = [("zone".to_owned(), "az9".to_owned())].into();
    let mut world = World::new(3, beta);
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Pending, 0));
    assert!(world.status.message.contains("selects none"), "{}", world.status.message);
    let all = Arc::from("az9");
    world.bases[1].labels.insert("zone".into(), all);
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Running, 1));
}

#[test]
fn p2_a_batch_whose_bases_are_gone_is_not_done_and_goes_on_with_others() {
    let mut world = World::new(3, beta());
    world.look();
    let released = |world: &World| world.bases.iter().position(|base| world.held(base).is_none());
    let first = released(&world).unwrap();
    let gone = world.bases.remove(first);
    let others = std::mem::take(&mut world.bases);
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Running, 0));
    assert!(world.status.message.contains("all that it had are gone"), "{}", world.status.message);
    world.bases = others;
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Running, 1), "another takes its place");
    world.bases.push(gone);
    assert_eq!(world.released(), 2, "what was released stays released");
}

#[test]
fn p6_what_works_nowhere_is_not_put_up_with() {
    let mut world = World::new(3, beta());
    world.spec.max_failed = 1;
    world.look();
    for base in &mut world.bases {
        base.condition = Condition::Failed {
            code: ErrorCode::new(ErrorSource::User, ErrorType::InstallModuleFailed),
            message: "why".to_owned(),
        };
    }
    world.look();
    assert_eq!(world.status.phase, Phase::Failed);
}

#[test]
fn parts_without_bases_and_a_last_batch_without_bases_are_over() {
    let mut world = World::new(1, beta());
    world.look();
    world.install();
    world.after(600);
    world.steering.confirmed = 1;
    world.look();
    assert_eq!(world.status.phase, Phase::Succeeded);
}

#[test]
fn p4_nothing_is_released_while_more_than_half_are_unavailable() {
    let mut world = World::new(4, beta());
    for base in &mut world.bases[..3] {
        base.available = false;
    }
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Pending, 0));
    assert_eq!(world.status.code.unwrap().kind, ErrorType::OverFiftyPercentBaseInstancesUnavaliable);
    world.bases[0].available = true;
    world.look();
    assert_eq!(
        (world.status.phase, world.released(), world.status.code),
        (Phase::Running, 1, None),
        "exactly half"
    );
}

#[test]
fn p6_a_failure_ends_it_and_the_next_attempt_goes_on() {
    let mut world = World::new(4, beta());
    world.look();
    world.released_base().condition = failed();
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Failed, 1));
    assert_eq!((world.status.code.unwrap().kind, world.status.failed), (ErrorType::NetworkError, 1));
    world.released_base().condition = Condition::Working;
    world.look();
    assert_eq!(world.status.phase, Phase::Failed, "it goes on when somebody says so");
    world.steering.attempt = 1;
    world.look();
    assert_eq!((world.status.phase, world.status.failures.len()), (Phase::Running, 0));
    world.install();
    assert_eq!(world.status.batches[0].phase, BatchPhase::Soaking);
}

/// A spec that is changed and written back says nothing of what failed before.
#[test]
fn p6_what_failed_stays_so_after_a_change_that_was_taken_back() {
    let mut world = World::new(4, beta());
    world.look();
    world.released_base().condition = failed();
    world.look();
    let before = world.status.clone();
    world.digest = "d2";
    world.look();
    assert_eq!(world.status.phase, Phase::Paused);
    world.digest = DIGEST;
    world.look();
    assert_eq!(world.status, before);
    world.released_base().condition = Condition::Working;
    world.steering.attempt = 1;
    world.look();
    assert_eq!(world.status.phase, Phase::Running);
}

#[test]
fn p6_a_base_that_takes_too_long_failed_and_one_that_waits_its_turn_did_not() {
    let mut world = World::new(4, beta());
    world.look();
    world.released_base().condition = Condition::Waiting;
    world.after(1_000);
    assert_eq!(world.status.phase, Phase::Running);
    world.released_base().condition = Condition::Working;
    world.after(0);
    assert_eq!(world.wake, Some(Duration::from_secs(1_300)));
    world.after(299);
    assert_eq!(world.status.phase, Phase::Running);
    world.after(1);
    assert_eq!(world.status.phase, Phase::Failed);
    assert_eq!(world.status.code.unwrap().kind, ErrorType::BaseInstanceOperationTimeOut);
}

#[test]
fn p6_some_may_fail_where_that_is_allowed() {
    let mut world = World::new(5, vec![batch("all")]);
    world.spec.max_failed = 1;
    world.look();
    world.bases[2].condition = failed();
    for place in [0, 1, 3, 4] {
        world.bases[place].condition = Condition::Ready;
    }
    world.look();
    assert_eq!((world.status.phase, world.status.ready), (Phase::Succeeded, 4));
}

#[test]
fn p3_another_plan_is_waited_for_before_it_begins() {
    let mut world = World::new(2, beta());
    world.other = Some("ns/earlier".into());
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Pending, 0));
    assert_eq!(world.status.code.unwrap().kind, ErrorType::OperationPlanMutualExclusion);
    world.other = None;
    world.look();
    assert_eq!(world.status.phase, Phase::Running);
    world.other = Some("ns/later".into());
    world.look();
    assert_eq!(world.status.phase, Phase::Running, "what has begun goes on");
}

#[test]
fn p3_a_template_that_names_it_no_more_ends_it() {
    for (template, phase) in [
        (Template::None, Phase::RolledBack),
        (Template::Another("next".into()), Phase::Superseded),
        (Template::OtherVersion("biz1:3".into()), Phase::Superseded),
        (Template::Missing, Phase::Superseded),
    ] {
        let mut world = World::new(3, beta());
        world.look();
        world.template = template;
        world.look();
        assert_eq!(world.status.phase, phase);
        world.template = Template::This;
        world.look();
        assert_eq!(world.status.phase, phase, "a loop that applies it again installs nothing");
        assert_eq!(world.released(), 1, "what was released stays");
    }
    let mut world = World::new(3, beta());
    world.template = Template::None;
    world.look();
    assert_eq!(world.status.phase, Phase::Pending);
}

#[test]
fn p8_what_cannot_be_carried_out_is_refused_until_it_is_mended() {
    let mut world = World::new(3, beta());
    world.precondition = Err(Invalid::new("maxSurge is 25%", "write 100%"));
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Refused, 0));
    assert_eq!(world.status.message, "maxSurge is 25%: write 100%");
    assert_eq!(world.held(&base(0)), Some(Held::Refused("maxSurge is 25%: write 100%".into())));
    world.precondition = Ok(());
    world.look();
    assert_eq!(world.status.phase, Phase::Running);
}

#[test]
fn p5_nothing_is_released_while_a_replica_lives_that_knows_no_plans() {
    let mut world = World::new(3, beta());
    world.replica_without = Some("old");
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Pending, 0));
    assert!(world.status.message.contains("replica old"), "{}", world.status.message);
    world.replica_without = None;
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Running, 1));
}

#[test]
fn p8_it_begins_when_every_base_that_is_there_has_a_pod() {
    let mut world = World::new(3, beta());
    world.bases[2].condition = Condition::Absent;
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Pending, 0));
    assert!(world.status.message.contains("until every base has a Pod"), "{}", world.status.message);
    world.bases[2].available = false;
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Running, 1), "a silent base takes none");
    world.bases[1] = Base { condition: Condition::Absent, ..base(1) };
    world.look();
    assert_eq!(world.status.phase, Phase::Running, "what has begun goes on");
}

#[test]
fn p8_what_is_only_a_risk_is_told_and_keeps_nobody() {
    let mut world = World::new(3, beta());
    world.warning = Some("a Pod finds no base".to_owned());
    world.look();
    assert_eq!((world.status.phase, &*world.status.warning), (Phase::Running, "a Pod finds no base"));
    world.warning = None;
    world.look();
    assert_eq!(world.status.warning, "");
    world.warning = Some("a Pod finds no base".to_owned());
    world.template = Template::None;
    world.look();
    assert_eq!((world.status.phase, &*world.status.warning), (Phase::RolledBack, ""), "it is over");
}

#[test]
fn p2_a_changed_spec_holds_until_it_is_as_it_was() {
    let mut world = World::new(4, beta());
    world.look();
    world.digest = "d2";
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Paused, 0));
    assert!(world.status.message.contains("changed"), "{}", world.status.message);
    world.digest = DIGEST;
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Running, 1));
}

#[test]
fn a_pause_and_an_abort_release_nothing_more() {
    let mut world = World::new(4, vec![DraftBatch { count: Some(4), ..batch("all") }]);
    world.look();
    world.steering.paused = true;
    world.install();
    assert_eq!((world.status.phase, world.released()), (Phase::Paused, 1));
    assert_eq!(world.phases()[..2], [BatchPhase::Done, BatchPhase::Waiting]);
    world.steering.paused = false;
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Running, 2));
    world.steering.abort = true;
    world.look();
    assert_eq!((world.status.phase, world.released()), (Phase::Aborted, 2));
    world.install();
    assert_eq!(world.released(), 2);
    let held = world.bases.iter().find_map(|base| world.held(base));
    assert_eq!(held, Some(Held::Over(Phase::Aborted)));
}

#[test]
fn p2_a_base_with_nothing_to_lose_gets_what_has_proved_itself() {
    let mut world = World::new(4, vec![DraftBatch { count: Some(4), ..batch("all") }]);
    world.look();
    let joined = Base { serves: false, ..base(50) };
    let joined = Base { rank: u64::MAX, ..joined };
    assert_eq!(world.held(&joined), Some(Held::Batch("all-2".into())));
    world.install();
    assert_eq!(world.held(&joined), None);
}

#[derive(Debug, Clone)]
enum Act {
    Look,
    Install,
    Pass(u64),
    Becomes(usize, u8),
    Away(usize, bool),
    Joins,
    Confirm(u64),
    ConfirmOffered,
    Pause(bool),
    Retry,
    Hands,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Look),
        4 => Just(Act::Install),
        3 => (1_u64..700).prop_map(Act::Pass),
        3 => (0_usize..8, 0_u8..5).prop_map(|(base, what)| Act::Becomes(base, what)),
        1 => (0_usize..8, any::<bool>()).prop_map(|(base, away)| Act::Away(base, away)),
        1 => Just(Act::Joins),
        1 => (0_u64..4).prop_map(Act::Confirm),
        2 => Just(Act::ConfirmOffered),
        1 => any::<bool>().prop_map(Act::Pause),
        1 => Just(Act::Retry),
        1 => Just(Act::Hands),
    ]
}

impl World {
    fn act(&mut self, act: &Act) {
        match act {
            Act::Look => self.look(),
            Act::Install => self.install(),
            Act::Pass(seconds) => self.after(*seconds),
            Act::Becomes(place, what) => {
                let held = self.bases.get(*place).is_none_or(|base| self.held(base).is_some());
                if let Some(base) = self.bases.get_mut(*place).filter(|_| !held) {
                    let all = [
                        Condition::Absent,
                        Condition::Waiting,
                        Condition::Working,
                        Condition::Ready,
                        failed(),
                    ];
                    base.condition = all[usize::from(*what)].clone();
                }
            }
            Act::Away(place, away) => {
                if let Some(base) = self.bases.get_mut(*place) {
                    base.available = !away;
                }
            }
            Act::Joins => self.bases.push(base(self.bases.len())),
            Act::Confirm(number) => self.steering.confirmed = *number,
            Act::ConfirmOffered => {
                self.steering.confirmed = self.status.confirmable.unwrap_or(self.steering.confirmed);
            }
            Act::Pause(paused) => self.steering.paused = *paused,
            Act::Retry => self.steering.attempt += 1,
            // Another replica leads, and knows what is written down.
            Act::Hands => self.memory = Memory::default(),
        }
    }
}

/// It has Chinese words, and no English sentence but what others said.
fn is_chinese(text: &str) -> bool {
    let own = text.replace("no such package", "");
    let is_word = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase());
    let words = own.split(' ').collect::<Vec<_>>();
    let is_english = words.windows(3).any(|words| words.iter().all(|word| is_word(word)));
    text.is_empty() || (!is_english && text.chars().any(|c| ('\u{3400}'..='\u{9fff}').contains(&c)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_rules_hold_whatever_happens(bases in 1_usize..7, acts in prop::collection::vec(act(), 0..60)) {
        let mut world = World::new(bases, beta());
        world.language = Language::Chinese;
        for act in acts {
            let before = world.status.clone();
            let (was_confirmable, steering) = (before.confirmable, world.steering);
            world.act(&act);
            let after = &world.status;
            let begun = |status: &Status| status.batches.iter().filter(|batch| batch.phase.is_begun()).count();
            // P2: a batch begins when all before it are done, and what has begun stays so.
            prop_assert!(begun(after) >= begun(&before));
            if let Some(last) = begun(after).checked_sub(1) {
                prop_assert!(after.batches[..last].iter().all(|batch| batch.phase == BatchPhase::Done), "{after:?}");
            }
            for (old, new) in before.batches.iter().zip(&after.batches).filter(|(old, _)| old.phase.is_begun()) {
                prop_assert_eq!(old.threshold, new.threshold, "what was released stays released");
            }
            // P2: the confirmed batch is over by the number that was offered, and by no other.
            let was_done = before.batches.first().is_some_and(|batch| batch.phase == BatchPhase::Done);
            let is_done = after.batches.first().is_some_and(|batch| batch.phase == BatchPhase::Done);
            if is_done && !was_done {
                prop_assert!(was_confirmable.is_some_and(|offer| offer == steering.confirmed), "{after:?}");
            }
            prop_assert!(after.confirmable.is_none_or(|offer| offer <= after.offered));
            prop_assert!(is_chinese(&after.message), "{after:?}");
            // P4 and the pause: nothing begins against them.
            if begun(after) > begun(&before) {
                prop_assert!(usize::try_from(after.unavailable).unwrap() * 2 <= world.bases.len());
                prop_assert!(!world.steering.paused);
            }
            // What is over stays over, and what failed is not taken up by itself.
            if before.phase.is_over() {
                prop_assert_eq!(&before, after);
            }
            if before.phase == Phase::Failed && after.phase != Phase::Failed {
                prop_assert!(steering.attempt > before.attempt);
            }
        }
        // In the end, where all is well and everything is confirmed, it succeeds.
        (world.steering.paused, world.steering.attempt) = (false, world.steering.attempt + 1);
        for base in &mut world.bases {
            (base.available, base.condition) = (true, Condition::Held);
        }
        for _ in 0..12 {
            world.install();
            world.after(600);
            world.act(&Act::ConfirmOffered);
        }
        prop_assert_eq!(world.status.phase, Phase::Succeeded, "{:?}", world.status);
    }
}

/// One base first, then the others; each batch has to pass a metric.
fn gated(bases: usize) -> World {
    let batches = vec![DraftBatch { size: Some("1".into()), ..batch("beta") }, batch("rest")];
    let mut world = World::new(bases, batches);
    let metric = |name: &str| crate::metric::DraftMetric {
        name: name.into(),
        server: "http://prometheus:9090".into(),
        query: "up".into(),
        condition: "< 0.1".into(),
    };
    world.spec.metrics =
        ["errors", "delay"].map(|name| crate::metric::Metric::of(metric(name)).unwrap()).into();
    world.look();
    world.install();
    world
}

impl World {
    /// Every question that was asked is answered, each by its metric's name.
    fn answer(&mut self, values: impl Fn(&str) -> MetricAnswer) {
        for Question { round, metric } in std::mem::take(&mut self.questions) {
            self.memory.answer(round, &metric.name, values(&metric.name));
        }
        self.look();
    }
}

fn good(_: &str) -> MetricAnswer {
    MetricAnswer::Values(vec![0.0])
}

fn away(_: &str) -> MetricAnswer {
    MetricAnswer::Error("HTTP 503".into())
}

#[test]
fn p10_a_batch_is_done_when_all_metrics_are_as_they_must_be() {
    let mut world = gated(3);
    assert_eq!((world.phases()[0], world.questions.len()), (BatchPhase::Gating, 2));
    world.look();
    assert_eq!(world.questions.len(), 0, "each is asked once");
    world.questions = vec![Question { round: 0, metric: world.spec.metrics[0].clone() }];
    world.answer(good);
    assert_eq!(world.released(), 1);
    world.act(&Act::Hands);
    world.look();
    world.answer(good);
    assert_eq!((world.phases()[0], world.released()), (BatchPhase::Done, 3));
    world.install();
    world.answer(good);
    assert_eq!(world.status.phase, Phase::Succeeded);
}

#[test]
fn p10_a_metric_that_is_not_as_it_must_be_fails_the_batch() {
    let mut world = gated(3);
    let bad = |name: &str| MetricAnswer::Values(vec![if name == "errors" { 0.5 } else { 0.0 }]);
    world.answer(bad);
    assert_eq!((world.status.phase, world.released()), (Phase::Failed, 1));
    assert!(
        world.status.message.contains("metric errors: it is 0.5, and must be < 0.1"),
        "{}",
        world.status.message
    );
    world.act(&Act::Hands);
    world.after(3_600);
    assert_eq!((world.status.phase, world.released(), world.questions.len()), (Phase::Failed, 1, 0));
    assert!(world.status.message.contains("metric errors"), "{}", world.status.message);
    world.steering.attempt = 1;
    world.look();
    world.answer(good);
    assert_eq!((world.status.phase, world.released()), (Phase::Running, 3));
}

#[test]
fn p10_without_an_answer_a_batch_neither_passes_nor_fails_and_a_person_is_asked() {
    let mut world = gated(3);
    for _ in 0..3 {
        world.answer(away);
        assert_eq!((world.status.phase, world.status.confirmable), (Phase::Running, None));
        assert!(world.status.message.contains("HTTP 503"), "{}", world.status.message);
        world.after(15);
    }
    world.answer(away);
    assert_eq!((world.status.phase, world.status.confirmable), (Phase::AwaitingConfirm, Some(1)));
    assert!(world.status.message.contains("HTTP 503"), "{}", world.status.message);
    world.act(&Act::Hands);
    world.look();
    assert_eq!(
        (world.status.confirmable, world.released()),
        (Some(1), 1),
        "the offer stays with another leader"
    );
    assert_eq!(world.questions.len(), 2, "and the metrics are asked for all the same");
    world.steering.confirmed = 1;
    world.look();
    assert_eq!(world.released(), 3);
}

#[test]
fn p10_what_answers_at_last_needs_nobody() {
    let mut world = gated(3);
    for _ in 0..4 {
        world.answer(away);
        world.after(60);
    }
    assert_eq!(world.status.phase, Phase::AwaitingConfirm);
    world.answer(good);
    assert_eq!((world.status.phase, world.status.confirmable, world.released()), (Phase::Running, None, 3));
}

#[test]
fn p6_more_failures_than_a_status_has_are_put_up_with_where_that_was_said() {
    let mut world = World::new(30, vec![batch("all")]);
    world.spec.max_failed = 29;
    world.look();
    let bad = MOST_FAILURES + 5;
    for (n, base) in world.bases.iter_mut().enumerate() {
        base.condition = if n < bad { failed() } else { Condition::Ready };
    }
    world.look();
    assert_eq!(world.status.phase, Phase::Succeeded, "{}", world.status.message);
    assert_eq!((world.status.failures.len(), world.status.failed), (MOST_FAILURES, 25));
}

/// One base first, then the others; the module has to be UP on each.
fn asked_for_health(bases: usize) -> World {
    let batches = vec![DraftBatch { size: Some("1".into()), ..batch("beta") }, batch("rest")];
    let mut world = World::new(bases, batches);
    let draft = crate::health::DraftHealth { port: 8080, web_context_path: None };
    world.spec.health = Some(crate::health::HealthEndpoint::of(draft, &world.spec.module.name).unwrap());
    world.look();
    world.install();
    world
}

impl World {
    /// The bases that are asked for the health of the module say this.
    fn say(&mut self, health: impl Fn(&str) -> Health) {
        let asked = self.health.take().expect("nobody is asked");
        let answers = asked.bases.iter().map(|(base, _)| (base.clone(), health(base))).collect();
        self.memory.answer_health(asked.round, answers);
        self.look();
    }

    /// Rounds of questions, as many as a module may be DOWN in.
    fn say_for_long(&mut self, health: impl Fn(&str) -> Health) {
        for _ in 0..4 {
            self.say(&health);
            self.after(15);
        }
    }
}

fn down(_: &str) -> Health {
    Health::Down("db".to_owned())
}

#[test]
fn p14_a_batch_is_done_when_the_module_is_up_on_all_of_its_bases() {
    let mut world = asked_for_health(3);
    let asked = world.health.clone().unwrap();
    assert_eq!((asked.endpoint.port, &*asked.endpoint.path), (8080, "/biz1/actuator/health"));
    assert_eq!((asked.bases.len(), world.phases()[0]), (1, BatchPhase::Gating));
    world.look();
    assert_eq!(world.health, None, "each is asked once");
    world.health = Some(HealthQuestion { round: asked.round + 1, ..asked.clone() });
    world.say(|_| Health::Up);
    assert_eq!(world.released(), 1, "what answers another round says nothing");
    world.health = Some(asked);
    world.say(|_| Health::Up);
    assert_eq!((world.phases()[0], world.released()), (BatchPhase::Done, 3));
    world.install();
    assert_eq!(world.health.as_ref().map(|asked| asked.bases.len()), Some(2));
    world.say(|_| Health::Up);
    let told = world.status.health.clone().unwrap();
    assert_eq!((world.status.phase, told.up, told.message), (Phase::Succeeded, 2, String::new()));
}

#[test]
fn p14_a_module_that_stays_down_has_failed_and_one_that_comes_up_has_not() {
    let mut world = asked_for_health(3);
    world.say(down);
    assert_eq!((world.status.phase, world.released()), (Phase::Running, 1));
    assert!(world.status.message.contains("it is DOWN: db"), "{}", world.status.message);
    world.after(15);
    world.say(|_| Health::Up);
    assert_eq!(world.released(), 3, "{}", world.status.message);

    let mut world = asked_for_health(3);
    world.say_for_long(down);
    assert_eq!((world.status.phase, world.released(), world.status.failed), (Phase::Failed, 1, 1));
    assert!(world.status.message.contains("its module serves and is DOWN: db"), "{}", world.status.message);
    assert_eq!(world.status.code.unwrap().to_string(), "ModuleController.BaseInstanceOperationFailed");
    world.steering.attempt = 1;
    world.look();
    assert_eq!((world.status.phase, world.status.failed), (Phase::Running, 0));
    world.say(|_| Health::Up);
    assert_eq!(world.released(), 3);
}

/// Each base has all of its rounds.
#[test]
fn p14_modules_that_are_down_one_after_the_other_have_not_failed() {
    let mut world = asked_for_health(4);
    world.say(|_| Health::Up);
    world.install();
    for round in 0..9 {
        let base = world.health.as_ref().unwrap().bases[round / 3].0.clone();
        world.say(|of| if of == &*base { down(of) } else { Health::Up });
        assert_eq!((world.status.phase, world.status.failed), (Phase::Running, 0), "round {round}");
        world.after(15);
    }
    world.say(|_| Health::Up);
    assert_eq!(world.status.phase, Phase::Succeeded);
}

#[test]
fn p14_a_module_that_is_down_on_few_bases_is_put_up_with_where_that_was_said() {
    let mut world = asked_for_health(4);
    world.spec.max_failed = 1;
    world.say(|_| Health::Up);
    world.install();
    let first = world.health.as_ref().unwrap().bases[0].0.clone();
    let one_is_down = |base: &str| if base == &*first { down(base) } else { Health::Up };
    world.say_for_long(one_is_down);
    assert_eq!((world.status.phase, world.status.failed), (Phase::Succeeded, 1), "{}", world.status.message);
    assert_eq!(world.status.failures[0].base, first);
}

#[test]
fn p14_where_the_health_is_not_known_a_batch_goes_on_and_the_status_says_so() {
    let mut world = asked_for_health(2);
    world.say(|_| Health::Unknown("HTTP 404".to_owned()));
    assert_eq!(world.released(), 2);
    world.install();
    for base in &mut world.bases {
        base.address = None;
    }
    world.memory = Memory::default();
    world.after(3_600);
    let nobody = world.health.as_ref().map(|asked| asked.bases.len());
    assert_eq!(nobody, Some(0), "without an address nobody can be asked");
    world.say(|_| Health::Up);
    let told = world.status.health.clone().unwrap();
    assert_eq!((world.status.phase, told.unknown), (Phase::Succeeded, 1));
    assert!(told.message.contains("it is not known"), "{}", told.message);

    // Nobody answers at all: the one who was to ask is gone.
    let mut world = asked_for_health(1);
    world.after(30);
    assert_eq!(world.status.phase, Phase::Succeeded, "{}", world.status.message);
    assert_eq!(world.status.health.map(|told| told.unknown), Some(1));
}

#[test]
fn p3_a_base_that_is_at_work_on_something_else_is_waited_for() {
    let mut world = World::new(2, vec![batch("all")]);
    world.look();
    world.install();
    world.bases[1].condition = Condition::Occupied;
    let mut world = World { status: Status::default(), memory: Memory::default(), ..world };
    world.look();
    // However long that takes: its time begins with its turn.
    for _ in 0..3 {
        world.after(3_600);
        assert_eq!(world.status.phase, Phase::Running);
        assert_eq!(world.status.code.unwrap().to_string(), "ModuleController.BaseInstanceUnderOperation");
        assert!(
            world.status.message.contains("host-1 is at work on something else"),
            "{}",
            world.status.message
        );
    }
    world.bases[1].condition = Condition::Working;
    world.after(1);
    assert_eq!((world.status.phase, world.status.code), (Phase::Running, None));
    world.bases[1].condition = Condition::Ready;
    world.after(1);
    assert_eq!(world.status.phase, Phase::Succeeded);
}
