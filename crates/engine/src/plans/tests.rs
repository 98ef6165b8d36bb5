use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use model::{BizId, BizState};
use plan::{BatchPhase, BatchStatus, Draft, DraftBatch, Phase, Spec, Status, Steering};

use super::*;
use crate::{
    Alarm, ClusterEvent, Event,
    event::Watched,
    placement::{Placement, Toleration},
    testing,
    view::{Address, AddressKind, ContainerState, PlanTarget, WorkloadKind, WorkloadView},
    vnode::testing::{Case, Manner},
};

fn version(version: &str) -> BizId {
    BizId { name: "biz1".parse().unwrap(), version: version.parse().unwrap() }
}

fn plan_for(of: &str) -> PlanView {
    let batches = vec![DraftBatch { name: "all".into(), ..DraftBatch::default() }];
    let draft = Draft {
        module: version(of),
        batches,
        ready_timeout_seconds: 60,
        max_failed: 0,
        metrics: Vec::new(),
        health: None,
    };
    PlanView {
        plan: PlanRef { namespace: "default".into(), name: "p".into(), uid: "uid-p".into() },
        resource_version: 1,
        generation: 1,
        target: PlanTarget { kind: WorkloadKind::Deployment, name: "d".into() },
        spec: Spec::of(draft),
        steering: Steering::default(),
        digest: "digest".into(),
        env: Arc::default(),
        status: Status::default(),
    }
}

/// As it is written when its only batch begins.
fn released(view: &PlanView) -> PlanView {
    let batch = BatchStatus {
        name: "all".into(),
        phase: BatchPhase::Releasing,
        threshold: Some(u64::MAX),
        bases: 1,
        ready: 0,
    };
    let status = Status {
        phase: Phase::Running,
        digest: view.digest.clone(),
        batches: vec![batch],
        ..Status::default()
    };
    PlanView { status, resource_version: view.resource_version + 1, ..view.clone() }
}

fn pod(name: &str, of: &str, plan: Option<&str>) -> PodView {
    let owner = Owner { namespace: "default".into(), kind: "Deployment".into(), name: "d".into() };
    let annotations = plan.map(|plan| (ANNOTATION.to_owned(), plan.to_owned()));
    PodView {
        owner: Some(owner),
        created: Timestamp::UNIX_EPOCH + Duration::from_secs(of.parse().unwrap()),
        annotations: annotations.into_iter().collect(),
        ..testing::pod(name, "biz1", of)
    }
}

fn apply(case: &mut Case, pod: PodView) {
    case.pods.insert(pod.pod.uid.clone(), pod.clone());
    case.step(Event::Cluster(ClusterEvent::Pod(Box::new(pod))));
}

fn tell(case: &mut Case, plan: &PlanView) {
    case.plan = Some(plan.clone());
    case.step(Event::Cluster(ClusterEvent::Plan(Box::new(plan.clone()))));
}

/// Version 1 serves, and version 2 names a plan that nobody has told of.
fn held() -> Case {
    held_by(true)
}

fn held_by(watches_plans: bool) -> Case {
    let mut case = Case::start(|config| config.module_deployments = watches_plans, &[]);
    case.until(3);
    apply(&mut case, pod("old", "1", None));
    case.until(6);
    assert_eq!(case.commands, ["install biz1:1"]);
    apply(&mut case, pod("new", "2", Some("p")));
    case.until(20);
    case
}

fn told(case: &Case, name: &str) -> (bool, String) {
    let pod = case.pods.values().find(|pod| &*pod.pod.name == name).unwrap();
    let what = match &pod.status.containers.first().unwrap().state {
        ContainerState::Waiting { reason, message } => format!("{reason}: {message}"),
        state => format!("{state:?}").split(' ').next().unwrap_or_default().to_owned(),
    };
    (pod.status.is_ready(), what)
}

#[test]
fn p1_what_no_plan_has_released_is_held_and_says_why() {
    let mut case = held();
    assert_eq!(case.commands, ["install biz1:1"]);
    let why = "HeldByPlan: operation plan p holds it: there is no such plan yet (KouplelessBoard.OperationPlanNotFound)";
    assert_eq!(told(&case, "new"), (false, why.to_owned()));
    assert_eq!(told(&case, "old"), (true, "Running".to_owned()));
    tell(&mut case, &plan_for("3"));
    assert_eq!(
        told(&case, "new").1,
        "HeldByPlan: operation plan p holds it: the plan is for biz1:3: name a plan for this version"
    );
    let plan = plan_for("2");
    tell(&mut case, &PlanView { resource_version: 2, ..plan.clone() });
    assert_eq!(told(&case, "new").1, "HeldByPlan: operation plan p holds it: the plan has not begun");
    case.until(60);
    assert_eq!(case.commands, ["install biz1:1"]);
    tell(&mut case, &released(&PlanView { resource_version: 3, ..plan }));
    case.until(70);
    assert_eq!(case.commands[1], "install biz1:2");
    assert_eq!(told(&case, "new"), (true, "Running".to_owned()));
}

/// Nothing will ever release it, whatever plans there are.
#[test]
fn p1_where_plans_are_not_watched_a_pod_says_so_and_what_turns_that_on() {
    let news = |case: &Case| -> Vec<String> {
        let told = case.said.iter().filter(|said| said.reason == "PlansNotWatched");
        told.map(|said| said.note.to_string()).collect()
    };
    let mut case = held_by(false);
    assert_eq!(case.commands, ["install biz1:1"]);
    let why = "operation plan p holds it: this controller does not watch operation plans, which \
               ENABLE_MODULE_DEPLOYMENT_CONTROLLER=true turns on (KouplelessBoard.OperationPlanNotFound)";
    assert_eq!(told(&case, "new"), (false, format!("HeldByPlan: {why}")));
    assert_eq!(news(&case), [why]);
    case.begin_anew(|_, _| {});
    case.until(60);
    assert_eq!(news(&case), [why], "the next controller finds it told");

    let mut case = held();
    assert_eq!(news(&case), [""; 0]);
    case.step(Event::Cluster(ClusterEvent::Unavailable(Watched::Plans)));
    let told = told(&case, "new").1;
    assert!(told.contains("cannot watch operation plans, and its log says why"), "{told}");
    assert_eq!(news(&case).len(), 1, "{:?}", news(&case));
    case.step(Event::Cluster(ClusterEvent::Synced(Watched::Plans)));
    assert!(self::told(&case, "new").1.contains("there is no such plan yet"));
}

#[test]
fn p1_what_serves_is_never_touched_by_a_hold() {
    let mut case = held();
    tell(&mut case, &released(&plan_for("2")));
    case.until(30);
    let commands = case.commands.clone();
    // Somebody deletes the plan.
    let plan = plan_for("2").plan;
    case.plan = None;
    case.step(Event::Cluster(ClusterEvent::PlanGone(plan)));
    case.until(60);
    assert_eq!((case.commands.clone(), told(&case, "new").0), (commands, true));
}

#[test]
fn p1_who_takes_the_plans_name_out_of_a_pod_frees_it() {
    let mut case = held();
    let new: Arc<str> = "uid-new".into();
    let new = case.pods[&new].pod.clone();
    case.change(&new, |view| drop(view.annotations.remove(ANNOTATION)));
    case.until(30);
    assert_eq!(told(&case, "new"), (true, "Running".to_owned()));
}

/// Deployments and DaemonSets delete an older Pod that is not Ready for a moment.
#[test]
fn p7_what_serves_stays_without_its_pod_while_the_newer_is_held_whoever_runs_the_controller() {
    let mut case = held();
    let old: Arc<str> = "uid-old".into();
    let old = case.pods[&old].pod.clone();
    case.change(&old, |view| view.deletion = Some(Duration::from_secs(30)));
    case.until(300);
    assert!(!case.pods.contains_key(&old.uid), "its deletion ends");
    assert_eq!(case.held.get(&version("1")), Some(&BizState::Activated));
    assert!(case.modules[&version("1")].kept);
    case.begin_anew(|_, _| {});
    case.until(600);
    assert_eq!(case.held.get(&version("1")), Some(&BizState::Activated), "{:?}", case.commands);
    // It goes when the newer serves.
    tell(&mut case, &released(&plan_for("2")));
    case.until(620);
    assert_eq!(told(&case, "new"), (true, "Running".to_owned()));
    assert_eq!(case.held.keys().collect::<Vec<_>>(), [&version("2")], "{:?}", case.commands);
}

#[test]
fn p7_what_serves_goes_with_all_of_its_owners_pods() {
    let mut case = held();
    for name in ["uid-old", "uid-new"] {
        let uid: Arc<str> = name.into();
        let pod = case.pods[&uid].pod.clone();
        case.change(&pod, |view| view.deletion = Some(Duration::from_secs(30)));
    }
    case.until(120);
    assert!(case.held.is_empty() && case.pods.is_empty(), "{:?} {:?}", case.held, case.pods);
}

/// Seed 2098: a version in between asked for the name, and went before it served.
#[test]
fn p7_what_serves_stays_though_another_version_came_and_went() {
    let mut case = held();
    let delete = |case: &mut Case, name: &str| {
        let uid: Arc<str> = format!("uid-{name}").into();
        let pod = case.pods[&uid].pod.clone();
        case.change(&pod, |view| view.deletion = Some(Duration::from_secs(30)));
    };
    delete(&mut case, "old");
    case.until(60);
    case.slow = Some(Vec::new());
    apply(&mut case, pod("between", "3", None));
    case.until(62);
    delete(&mut case, "between");
    apply(&mut case, pod("later", "4", Some("p")));
    delete(&mut case, "new");
    case.slow = None;
    case.until(400);
    assert_eq!(case.held.get(&version("1")), Some(&BizState::Activated), "{:?}", case.commands);
}

#[test]
fn p7_an_older_pod_that_comes_back_adopts_what_was_left() {
    let mut case = held();
    let old: Arc<str> = "uid-old".into();
    let old = case.pods[&old].pod.clone();
    case.change(&old, |view| view.deletion = Some(Duration::from_secs(30)));
    case.until(60);
    apply(&mut case, pod("again", "1", None));
    let new: Arc<str> = "uid-new".into();
    let new = case.pods[&new].pod.clone();
    case.change(&new, |view| view.deletion = Some(Duration::from_secs(30)));
    case.until(120);
    assert_eq!(told(&case, "again"), (true, "Running".to_owned()));
    assert_eq!(case.commands, ["install biz1:1"], "nothing is installed twice");
}

/// A base that starts anew, or an undo, after somebody deleted the plan.
#[test]
fn p1_what_was_rolled_out_once_is_held_by_no_plan_that_is_gone() {
    let mut case = held();
    let packages = crate::pod::translate::specs(&pod("new", "2", None));
    let rolled_out = RolledOut { modules: vec![], placement: Placement::default(), earlier: packages };
    let mut view = crate::replicas::tests::deployment(1);
    view.workload.name = "d".into();
    case.step(Event::Cluster(ClusterEvent::Workload(Box::new(view.clone()))));
    case.until(30);
    assert_eq!(case.commands, ["install biz1:1"]);
    (view.resource_version, view.rolled_out) = (2, Some(Arc::new(rolled_out)));
    case.step(Event::Cluster(ClusterEvent::Workload(Box::new(view))));
    case.until(40);
    assert_eq!(case.commands[1], "install biz1:2");
}

/// The workload of version 1, as it is once that was rolled out everywhere.
fn rolled_out(comes: bool) -> WorkloadView {
    let modules = crate::pod::translate::specs(&pod("old", "1", None));
    let everywhere = Toleration {
        key: String::new(),
        operator: "Exists".into(),
        value: String::new(),
        effect: String::new(),
    };
    let placement = Placement { tolerations: vec![everywhere], ..Placement::default() };
    let mut view = crate::replicas::tests::deployment(1);
    view.workload.name = "d".into();
    view.rolled_out = Some(Arc::new(RolledOut { modules, placement, earlier: Vec::new() }));
    if !comes {
        view.labels = BTreeMap::new();
    }
    view
}

/// The base has started anew under another identity: the Deployment has deleted the older Pod with its Node.
fn started_as_another(workload: WorkloadView) -> Case {
    let mut case = Case::start(|config| config.module_deployments = true, &[]);
    case.until(3);
    case.step(Event::Cluster(ClusterEvent::Workload(Box::new(workload))));
    apply(&mut case, pod("new", "2", Some("p")));
    case.until(20);
    case
}

#[test]
fn p13_where_nothing_serves_what_was_rolled_out_last_stands_in_until_the_plan_releases_the_newer() {
    let mut case = started_as_another(rolled_out(true));
    assert_eq!(case.commands, ["install biz1:1"]);
    assert!(told(&case, "new").1.starts_with("HeldByPlan: "), "{:?}", told(&case, "new"));
    let news = |case: &Case| case.said.iter().filter(|said| said.reason == "StandsIn").count();
    assert_eq!(news(&case), 1, "{:?}", case.said);
    assert!(case.modules[&version("1")].managed);
    case.begin_anew(|_, _| {});
    case.step(Event::Cluster(ClusterEvent::Workload(Box::new(rolled_out(true)))));
    case.until(300);
    assert_eq!(case.commands, ["install biz1:1"], "the next controller finds it");
    // It stays until the newer serves, and not only until that is released.
    case.slow = Some(Vec::new());
    tell(&mut case, &released(&plan_for("2")));
    case.until(320);
    assert_eq!(case.held.get(&version("1")), Some(&BizState::Activated), "{:?}", case.commands);
    case.answer_at_last();
    case.until(340);
    assert_eq!(told(&case, "new"), (true, "Running".to_owned()), "{:?}", case.commands);
    assert_eq!(case.held.keys().collect::<Vec<_>>(), [&version("2")], "{:?}", case.commands);
    assert_eq!(news(&case), 1, "{:?}", case.said);
}

#[test]
fn p13_what_stands_in_goes_with_the_pod_that_it_stands_in_for() {
    let mut case = started_as_another(rolled_out(true));
    let new: Arc<str> = "uid-new".into();
    let new = case.pods[&new].pod.clone();
    case.change(&new, |view| view.deletion = Some(Duration::from_secs(30)));
    case.until(120);
    assert!(case.held.is_empty() && case.pods.is_empty(), "{:?} {:?}", case.held, case.commands);
}

#[test]
fn p13_what_stands_in_and_goes_by_itself_comes_back_ever_more_rarely() {
    let mut case = started_as_another(rolled_out(true));
    for seconds in 21..600 {
        case.held.clear();
        case.until(seconds);
    }
    let installs = case.commands.len();
    assert!((3..12).contains(&installs), "{:?}", case.commands);
    assert_eq!(case.held.len(), 0);
}

/// Where the base has room for one, what stands in goes before the newer comes, as an older Pod's version would.
#[test]
fn p13_what_stands_in_comes_back_where_the_newer_fails_in_its_place() {
    let mut case = Case::start(|config| config.module_deployments = true, &[]);
    case.manner = Manner::Old { tells: true };
    case.until(3);
    case.step(Event::Cluster(ClusterEvent::Workload(Box::new(rolled_out(true)))));
    let containers = vec![testing::container("biz1", "bad")].into();
    apply(&mut case, PodView { containers, ..pod("new", "2", Some("p")) });
    tell(&mut case, &plan_for("bad"));
    case.until(20);
    assert_eq!(case.held.get(&version("1")), Some(&BizState::Activated), "{:?}", case.commands);
    let plan = PlanView { resource_version: 2, ..plan_for("bad") };
    tell(&mut case, &released(&plan));
    case.until(60);
    assert!(told(&case, "new").1.starts_with("User.InstallBizUserError"), "{:?}", told(&case, "new"));
    assert_eq!(case.held.keys().collect::<Vec<_>>(), [&version("1")], "{:?}", case.commands);
    let commands = case.commands.clone();
    case.until(600);
    assert_eq!(case.commands, commands, "it is barred");
}

#[test]
fn p13_an_older_pod_that_comes_has_what_stood_in() {
    let mut case = started_as_another(rolled_out(true));
    apply(&mut case, pod("again", "1", None));
    case.until(40);
    assert_eq!(told(&case, "again"), (true, "Running".to_owned()));
    assert_eq!(case.commands, ["install biz1:1"], "nothing is installed twice");
}

/// Such a workload has Pods on some bases, and Kubernetes chooses which.
#[test]
fn p13_nothing_stands_in_for_a_workload_that_does_not_come_to_every_base() {
    let case = started_as_another(rolled_out(false));
    assert!(case.commands.is_empty(), "{:?}", case.commands);
}

/// The newer template is for more bases than the one before.
#[test]
fn p13_nothing_stands_in_where_what_was_rolled_out_was_not_to_come() {
    let mut view = rolled_out(true);
    let mut rolled_out = RolledOut::clone(view.rolled_out.as_deref().unwrap());
    rolled_out.placement = view.template.placement.clone();
    view.rolled_out = Some(Arc::new(rolled_out));
    let case = started_as_another(view);
    assert!(case.commands.is_empty(), "{:?}", case.commands);
}

/// What serves there is told by no Pod: the replica that leads must not count the base as one that lacks what it should have.
#[test]
fn p13_a_base_where_something_stands_in_is_not_counted_as_unavailable() {
    let mut view = released(&plan_for("2"));
    view.status.batches[0].phase = BatchPhase::Done;
    view.status.batches[0].threshold = Some(0);
    let spec = view.spec.clone().unwrap();
    let node = testing::node("x");
    let mut held = pod("new", "2", Some("p"));
    let stands = |pod: &PodView| bases::with_pods(&view, &spec, &node, &[pod], Language::English).condition;
    assert_eq!(stands(&held), plan::Condition::Working, "it gets what has proved itself elsewhere");
    held.status.containers = vec![crate::view::ContainerStatus {
        name: "biz1".into(),
        image: "".into(),
        image_id: "".into(),
        ready: false,
        restart_count: 0,
        state: ContainerState::Waiting { reason: HELD.into(), message: "".into() },
    }];
    assert_eq!(stands(&held), plan::Condition::Held);
}

/// Whoever changes the version in a template, and forgets the plan's name in it, has made no plan for that version.
#[test]
fn p1_a_plan_that_has_succeeded_lets_no_other_version_pass() {
    let mut case = held();
    let mut view = released(&plan_for("2"));
    (view.status.phase, view.status.batches[0].phase) = (Phase::Succeeded, BatchPhase::Done);
    tell(&mut case, &view);
    case.until(30);
    assert_eq!(told(&case, "new"), (true, "Running".to_owned()));
    apply(&mut case, pod("next", "3", Some("p")));
    case.until(60);
    let why = "HeldByPlan: operation plan p holds it: the plan is for biz1:2: name a plan for this version";
    assert_eq!(told(&case, "next"), (false, why.to_owned()));
    // Nor does it help to write another version into a plan that is over.
    let changed = PlanView { digest: "other".into(), resource_version: 9, ..plan_for("3") };
    tell(&mut case, &PlanView { status: view.status.clone(), ..changed });
    case.until(90);
    let why = "HeldByPlan: operation plan p holds it: the plan was changed after it had begun";
    assert_eq!(told(&case, "next"), (false, why.to_owned()));
    assert_eq!(told(&case, "new"), (true, "Running".to_owned()), "what serves is never touched");
}

/// The one that began first keeps the others waiting, also while its first status is on its way.
#[test]
fn p3_a_plan_that_is_about_to_begin_keeps_others_of_the_module_waiting() {
    let now = Now { mono: Duration::from_secs(1), wall: Timestamp::UNIX_EPOCH };
    let named = |name: &str| {
        let plan =
            PlanRef { namespace: "default".into(), name: name.into(), uid: format!("uid-{name}").into() };
        PlanView { plan, ..plan_for("2") }
    };
    let mut plans = Plans::default();
    for name in ["a", "b"] {
        assert!(plans.see(named(name), Duration::ZERO), "it holds what names it");
    }
    let node = testing::node("x");
    let base = Base {
        available: true,
        serves: true,
        condition: plan::Condition::Held,
        ..bases::of_node("u", &node, true)
    };
    let advance = |plans: &mut Plans, name: &str| {
        let key = ("default".into(), name.into());
        let name = "biz1".parse().unwrap();
        let other = plans.others(&key, &name).next().map(|other| other.plan.name.clone());
        let facts = Facts {
            bases: vec![base.clone()],
            template: plan::Template::This,
            precondition: Ok(()),
            warning: None,
            other,
            env: "dev".into(),
        };
        let mut out = Vec::new();
        plans.advance(&key, facts, now, &mut out);
        out.into_iter().find_map(|action| match action {
            Action::Request(Request::PatchPlanStatus { status, .. }) => Some(*status),
            _ => None,
        })
    };
    assert_eq!(advance(&mut plans, "a").unwrap().phase, Phase::Running);
    let waits = advance(&mut plans, "b").unwrap();
    let code = ErrorCode::new(ErrorSource::KouplelessBoard, ErrorType::OperationPlanMutualExclusion);
    assert_eq!((waits.phase, waits.code), (Phase::Pending, Some(code)));
    assert!(advance(&mut plans, "a").is_none(), "its write is under way");
}

#[test]
fn people_on_call_are_told_of_what_waits_for_them_fails_or_succeeds_and_of_nothing_that_goes_on_by_itself() {
    let told = |phase: Phase, code: Option<&str>| {
        let code = code.map(|code| code.parse().unwrap());
        let action = announcement::of(&plan_for("2"), &Status { phase, code, ..Status::default() })?;
        let Action::Announce(said) = action else { panic!("{action:?}") };
        Some((said.reason, said.alarm))
    };
    let plain = |reason: &str, alarm| Some((reason.to_owned(), alarm));
    assert_eq!(told(Phase::Pending, None), None);
    assert_eq!(told(Phase::Running, None), None);
    assert_eq!(told(Phase::AwaitingConfirm, None), plain("PlanAwaitingConfirm", Some(Alarm::PlanWaits)));
    assert_eq!(told(Phase::Succeeded, None), plain("PlanSucceeded", Some(Alarm::PlanSucceeded)));
    let code = "User.InstallModuleFailed";
    assert_eq!(told(Phase::Failed, Some(code)), plain(code, Some(Alarm::PlanFailed)));
    assert_eq!(told(Phase::RolledBack, None), plain("PlanRolledBack", None));
}

#[test]
fn p9_a_batch_at_work_says_how_many_of_its_bases_may_be_unavailable() {
    let owner = plan_for("2").owner();
    let mut plans = Plans::default();
    plans.see(plan_for("2"), Duration::ZERO);
    assert_eq!(plans.most_unavailable(&owner), None, "it has not begun");
    let mut view = released(&plan_for("2"));
    (view.status.bases, view.status.batches[0].bases) = (45, 40);
    view.spec.as_mut().unwrap().batches[0].max_unavailable = "10%".parse().unwrap();
    plans.see(view.clone(), Duration::ZERO);
    assert_eq!(plans.most_unavailable(&owner), Some(4));
    // However much its batch allows, half of all serves.
    view.spec.as_mut().unwrap().batches[0].max_unavailable = "100%".parse().unwrap();
    view.resource_version += 1;
    plans.see(view.clone(), Duration::ZERO);
    assert_eq!(plans.most_unavailable(&owner), Some(22));
    (view.status.bases, view.status.batches[0].bases) = (1, 1);
    view.resource_version += 1;
    plans.see(view.clone(), Duration::ZERO);
    assert_eq!(plans.most_unavailable(&owner), Some(1), "where there is one base it has its turn");
    (view.status.batches[0].phase, view.resource_version) = (BatchPhase::Done, 9);
    plans.see(view, Duration::ZERO);
    assert_eq!(plans.most_unavailable(&owner), None);
}

/// With a kubelet API the Node's address is that of its Service.
#[test]
fn p14_a_base_is_asked_where_it_is_and_not_where_its_kubelet_api_is() {
    let address = |address: &str| Address { kind: AddressKind::InternalIp, address: address.to_owned() };
    let mut node = NodeView { addresses: vec![address("10.96.0.7")], ..NodeView::default() };
    let asked = |node: &NodeView| bases::of_node("uid", node, true).address.unwrap().to_string();
    assert_eq!(asked(&node), "10.96.0.7");
    node.annotations.insert("base.koupleless.io/address".into(), "10.0.0.3:1238".into());
    assert_eq!(asked(&node), "10.0.0.3");
}
