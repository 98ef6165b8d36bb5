//! Worlds in which a Deployment is released by operation plans: batch by batch, with people who confirm, pause, go on and end it,
//! and with everything that goes wrong elsewhere.

use std::time::Duration;

use engine::{
    AskHealth, AskMetric, Event,
    view::{ContainerState, ContainerView, PlanRef, PlanTarget, PlanView, PodView, WorkloadKind},
};
use model::{BizId, BizState, Health};
use plan::{Draft, DraftBatch, DraftHealth, DraftMetric, MetricAnswer, Phase, Spec, Status, Steering};

use crate::{
    acts::crash,
    base::{Package, word},
    check::{budget, plans::NAMES},
    deployment::Deployment,
    run::{FIRST_LOOK, LOOK, OWNED, REST, TROUBLE, come_to_rest, settle},
    scenario::Scenario,
    world::World,
};

/// The Deployment, and its module.
const BIZ: &str = "planned";
/// Who is asked for metrics.
pub(crate) const METRICS: &str = "http://prometheus:9090";
/// How long the first version gets to serve everywhere.
const BEFORE: Duration = Duration::from_secs(60);

/// Carries a scenario out.
pub(crate) fn carry_out(world: &mut World, scenario: &Scenario) -> Result<bool, String> {
    let mut deployment = Deployment::new(BIZ, usual(world));
    deployment.is_peer = world.rng().bool();
    let until = world.now + BEFORE;
    reconcile_until(world, &deployment, until)?;
    for _ in 0..scenario.acts {
        let pause = Duration::from_millis(world.rng().u64(0..20_000));
        let until = (world.now + pause).min(BEFORE + TROUBLE);
        reconcile_until(world, &deployment, until)?;
        act(world, &mut deployment, scenario);
    }
    let until = world.now.max(BEFORE + TROUBLE);
    reconcile_until(world, &deployment, until)?;
    settle(world, scenario.bases);
    world.tell(format_args!("people let the last plan go on"));
    let (soon, until) = (world.now + OWNED + FIRST_LOOK, world.now + REST + REST);
    go_on_until(world, &deployment, soon)?;
    while world.now < until && judge(world, &deployment).is_err() {
        let step = (world.now + LOOK).min(until);
        go_on_until(world, &deployment, step)?;
    }
    come_to_rest(world, |world, until| reconcile_until(world, &deployment, until))?;
    judge(world, &deployment)?;
    if !budget::is_content(world) {
        return Ok(false);
    }
    let (before, commands) = (world.api.writes.clone(), world.checks.commands.sent);
    let until = world.now + budget::QUIET;
    reconcile_until(world, &deployment, until)?;
    budget::quiet(world, &before, commands)?;
    Ok(true)
}

/// A package that starts. With one path for all versions a base holds one at a time.
fn usual(world: &mut World) -> Package {
    if world.rng().bool() { Package::OwnPath } else { Package::Good }
}

fn reconcile_until(world: &mut World, deployment: &Deployment, until: Duration) -> Result<(), String> {
    while world.now < until {
        deployment.reconcile(world);
        let view = deployment.view(world);
        if let Some(event) = world.api.put_workload(view) {
            world.inform(event);
        }
        let next = (world.now + Duration::from_secs(1)).min(until);
        world.run_until(next)?;
    }
    Ok(())
}

/// The same, with people who let the plan go on.
fn go_on_until(world: &mut World, deployment: &Deployment, until: Duration) -> Result<(), String> {
    while world.now < until {
        steer(world, deployment, |status, steering| {
            steering.paused = false;
            if let Some(offer) = status.confirmable {
                steering.confirmed = offer;
            }
            if status.phase == Phase::Failed && status.attempt == steering.attempt && status.attempt < 3 {
                steering.attempt += 1;
            }
        });
        let next = (world.now + Duration::from_secs(5)).min(until);
        reconcile_until(world, deployment, next)?;
    }
    Ok(())
}

/// Somebody changes what people set while the plan of the present template runs.
fn steer(world: &mut World, deployment: &Deployment, change: impl FnOnce(&Status, &mut Steering)) {
    let name = deployment.plans.get(&deployment.revision);
    let Some(plan) = name.and_then(|name| world.api.plans.get(name.as_str())).cloned() else { return };
    let mut steering = plan.steering;
    change(&plan.status, &mut steering);
    if steering != plan.steering {
        world.tell(format_args!("somebody steers {}: {steering:?}", plan.plan.name));
        let event = world.api.put_plan(PlanView { steering, ..plan });
        world.inform(event);
    }
}

/// One thing that a user does, or that goes wrong.
fn act(world: &mut World, deployment: &mut Deployment, scenario: &Scenario) {
    match world.rng().u8(0..14) {
        0..=1 => release(world, deployment, scenario),
        2..=5 => steer(world, deployment, |status, steering| {
            if let Some(offer) = status.confirmable {
                steering.confirmed = offer;
            }
        }),
        // An early or a late confirmation opens nothing.
        6 => {
            let number = world.rng().u64(0..6);
            steer(world, deployment, |_, steering| steering.confirmed = number);
        }
        7 => steer(world, deployment, |_, steering| steering.paused = !steering.paused),
        8 => steer(world, deployment, |_, steering| steering.attempt += 1),
        9 if world.rng().u8(0..3) == 0 => steer(world, deployment, |_, steering| steering.abort = true),
        9 if world.rng().u8(0..3) == 0 => {
            let package = usual(world);
            deployment.update(package);
            world.tell(format_args!("a user goes on to {} without a plan", deployment.revision));
        }
        10..=11 if scenario.crashes => crash(world, scenario.bases),
        12.. if scenario.crashes && scenario.replicas > 1 => world.make_trouble(),
        _ => {}
    }
}

/// The next version, with its plan; the one before the other or after it.
fn release(world: &mut World, deployment: &mut Deployment, scenario: &Scenario) {
    let package = match world.rng().u8(0..6) {
        0 => Package::Failing,
        1 => Package::Missing,
        _ => deployment.packages.get(&1).copied().unwrap_or(Package::Good),
    };
    let first = world.rng().bool();
    let number = world.api.next_number();
    let name = format!("plan-{number}");
    let plan = any_plan(world, &name, deployment.revision + 1, scenario);
    world.tell(format_args!(
        "a user releases {} ({package:?}) by {name}: {:?}",
        deployment.revision + 1,
        plan.spec
    ));
    if !first {
        let event = world.api.put_plan(plan.clone());
        world.inform(event);
    }
    deployment.update(package);
    deployment.plans.insert(deployment.revision, name);
    if first {
        let event = world.api.put_plan(plan);
        world.inform(event);
    }
}

fn any_plan(world: &mut World, name: &str, version: u32, scenario: &Scenario) -> PlanView {
    let rng = world.rng();
    let mut batches = Vec::new();
    if rng.bool() {
        let size = Some(rng.u8(1..=scenario.bases).to_string());
        let (confirm, soak_seconds) = (rng.bool(), rng.u64(0..20));
        batches.push(DraftBatch {
            name: "beta".into(),
            size,
            confirm,
            soak_seconds,
            ..DraftBatch::default()
        });
    }
    let (count, confirm) = (Some(rng.u32(1..4)), rng.u8(0..4) == 0);
    batches.push(DraftBatch { name: "rest".into(), count, confirm, ..DraftBatch::default() });
    let metrics = if rng.u8(0..3) == 0 { vec![metric()] } else { Vec::new() };
    let health = (rng.u8(0..3) == 0).then_some(DraftHealth { port: 8080, web_context_path: None });
    let module = BizId { name: word(BIZ), version: word(&version.to_string()) };
    let (ready_timeout_seconds, max_failed) = (rng.u64(30..120), rng.u32(0..2));
    PlanView {
        plan: PlanRef { namespace: "default".into(), name: name.into(), uid: format!("uid-{name}").into() },
        resource_version: 0,
        generation: 0,
        target: PlanTarget { kind: WorkloadKind::Deployment, name: BIZ.into() },
        spec: Spec::of(Draft { module, batches, ready_timeout_seconds, max_failed, metrics, health }),
        steering: Steering::default(),
        digest: name.into(),
        env: "".into(),
        status: Status::default(),
    }
}

/// What a batch has to pass.
fn metric() -> DraftMetric {
    DraftMetric {
        name: "errors".into(),
        server: METRICS.into(),
        query: "errors".into(),
        condition: "< 1".into(),
    }
}

impl World {
    /// The server of metrics answers: mostly well, sometimes badly, with nothing or not at all.
    pub(crate) fn answer_metric(&mut self, place: usize, asked: AskMetric) -> Result<(), String> {
        let AskMetric { plan, question } = asked;
        let answer = match self.rng().u8(0..12) {
            0 => MetricAnswer::Values(vec![7.0]),
            1 => MetricAnswer::Values(Vec::new()),
            2 => MetricAnswer::Error("away".to_owned()),
            3 => return Ok(()),
            _ => MetricAnswer::Values(vec![0.0]),
        };
        self.tell(format_args!("{} is told {answer:?}", plan.name));
        self.step(place, Event::Metric { plan, question, answer })
    }

    /// Bases answer for their modules: mostly well, sometimes that they are DOWN, or with nothing that says so; or nobody is left who
    /// would ask them.
    pub(crate) fn answer_health(&mut self, place: usize, asked: AskHealth) -> Result<(), String> {
        let AskHealth { plan, question } = asked;
        let round = question.round;
        if self.rng().u8(0..12) == 0 {
            return Ok(());
        }
        let mut answer = || match self.rng().u8(0..12) {
            0 => Health::Down("db".to_owned()),
            1 => Health::Unknown("HTTP 404".to_owned()),
            _ => Health::Up,
        };
        let answers: Vec<_> = question.bases.into_iter().map(|(base, _)| (base, answer())).collect();
        self.tell(format_args!("{} is told {answers:?}", plan.name));
        self.step(place, Event::Health { plan, round, answers })
    }
}

/// Its status says that a plan holds it.
fn is_held(pod: &PodView) -> bool {
    pod.status.containers.iter().any(
        |told| matches!(&told.state, ContainerState::Waiting { reason, .. } if **reason == *"HeldByPlan"),
    )
}

/// The last plan is over or says what it needs, every base serves some version, and a held Pod says that it is held.
fn judge(world: &World, deployment: &Deployment) -> Result<(), String> {
    let good = [Package::Good, Package::OwnPath].contains(&deployment.package);
    let plan = deployment.plans.get(&deployment.revision).and_then(|name| world.api.plans.get(name.as_str()));
    let ended = match plan.map(|plan| (plan, plan.status.phase)) {
        None => good,
        Some((_, Phase::Succeeded)) if good => true,
        Some((_, Phase::Failed | Phase::Aborted)) => false,
        Some((plan, phase)) => {
            return Err(format!("{} is {} at last: {}", plan.plan.name, phase.as_str(), plan.status.message));
        }
    };
    for plan in world.api.plans.values() {
        let is_present =
            deployment.plans.get(&deployment.revision).is_some_and(|name| **name == *plan.plan.name);
        let is_left = plan.status.is_begun() && !plan.status.phase.is_over();
        if !is_present && is_left {
            return Err(format!("{} is not over, and nobody names it", plan.plan.name));
        }
    }
    for (identity, base) in &world.bases {
        let serving: Vec<&BizId> =
            base.biz.iter().filter(|(_, biz)| biz.state == BizState::Activated).map(|(id, _)| id).collect();
        // One that was started anew has nothing to fall back on where the older Pods went with its Node.
        let node = World::node_of(identity);
        let may_serve = |pod: &&PodView| {
            let is_good = |container: &ContainerView| {
                [Package::Good, Package::OwnPath].iter().any(|package| package.url() == container.image)
            };
            pod.node == node && !is_held(pod) && pod.containers.iter().any(is_good)
        };
        // Of a Deployment that comes to every base there is what was rolled out last (rule P13).
        let rolled_out = world.api.workloads.get(BIZ).is_some_and(|view| view.rolled_out.is_some());
        let names_plan = |pod: &PodView| pod.annotations.contains_key(NAMES);
        let stands_in =
            |pod: &&PodView| deployment.is_peer && rolled_out && pod.node == node && names_plan(pod);
        let mut pods = world.api.live_pods();
        if base.up && serving.is_empty() && pods.any(|pod| may_serve(&pod) || stands_in(&pod)) {
            return Err(format!("{identity} serves nothing: {:?}", base.biz));
        }
        if base.up
            && ended
            && !serving.iter().any(|id| id.version.as_str() == deployment.revision.to_string())
        {
            return Err(format!("{identity} serves {serving:?} at last"));
        }
    }
    if ended && let Some(pod) = world.api.live_pods().find(|pod| !pod.status.is_ready()) {
        return Err(format!("{} is not Ready at last: {:?}", pod.pod, pod.status));
    }
    for pod in world.api.live_pods().filter(|pod| !pod.status.is_ready()) {
        let told = pod.status.containers.first().map(|told| &told.state);
        if !matches!(told, Some(ContainerState::Waiting { .. } | ContainerState::Terminated { .. })) {
            return Err(format!("{} does not say what it waits for: {:?}", pod.pod, pod.status));
        }
    }
    Ok(())
}
