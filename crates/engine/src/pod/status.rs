//! What a module Pod's status shall say (spec, section 2).

use std::sync::Arc;

use jiff::{Timestamp, Unit};
use model::{Fault, ModuleSpec};

use super::{Container, ModulePod, translate};
use crate::view::{
    Condition, ConditionStatus, ContainerState, ContainerStatus, Phase, PodStatus, PodView, RestartPolicy,
};

/// The reason of a container whose biz does not serve because another version does, and of a Pod
/// that lost its base to a version of another owner.
pub(crate) const DISPLACED: &str = "BizDeactivate";

/// The condition that says which of the Pod's versions failed as a replacement, so that this
/// survives a restart of the controller (rule 9).
const BARRED: &str = "module-controller.koupleless.io/Barred";

/// How one container stands on its base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It asks for something that cannot be.
    Invalid(Fault),
    /// Nobody knows yet: what was told before stays.
    Unknown,
    /// It is being installed, or will be.
    Installing,
    /// The base says that it is activated.
    Running(Option<Timestamp>),
    /// It is there, and another version serves.
    Deactivated,
    /// It lost its base to a version of another owner, for good.
    Displaced,
    /// It could not be installed.
    Failed(Fault),
    /// It was there and is gone for good: nothing installs it again.
    Gone,
    /// It stopped by itself, as the module of a Job does.
    Completed,
}

/// How the base stands, as far as its Pods' status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseStanding {
    /// The base's address; empty where it is not known.
    pub(crate) ip: Arc<str>,
    /// Its modules can serve.
    pub(crate) serves: bool,
}

/// What the status shall be; none where it is right as it is, or there is nothing to say yet.
pub(crate) fn desired(
    pod: &ModulePod,
    standings: &[Standing],
    base: &BaseStanding,
    wall: Timestamp,
) -> Option<PodStatus> {
    let seen = &pod.view.status;
    let nothing_to_say = |standing: &Standing| matches!(standing, Standing::Unknown | Standing::Installing);
    if pod.is_over() || (seen.containers.is_empty() && standings.iter().all(nothing_to_say)) {
        return None;
    }
    let wall = whole_seconds(wall);
    let containers: Vec<ContainerStatus> = pod
        .containers
        .iter()
        .zip(standings)
        .enumerate()
        .map(|(index, (container, standing))| {
            let seen = seen.containers.get(index);
            let view = pod.view.containers.get(index);
            let state = state(standing, seen, pod.view.restart_policy, wall);
            let running = matches!(state, ContainerState::Running { .. });
            let was_ready = seen.is_some_and(|seen| seen.ready);
            let kept = seen.map(|seen| seen.image_id.clone());
            let package = container.wanted.as_ref().ok().map(|spec| spec.url.as_told().clone());
            ContainerStatus {
                name: view.map(|view| view.name.as_str().into()).unwrap_or_default(),
                image: match &package {
                    Some(package) => package.clone(),
                    None => view.map(|view| model::shown_image(&view.image).into()).unwrap_or_default(),
                },
                // What runs is what was asked for: another package would be shown as waiting.
                image_id: if running { package } else { kept }.unwrap_or_default(),
                // While nobody knows how it stands, it does not become ready.
                ready: running && base.serves && (*standing != Standing::Unknown || was_ready),
                restart_count: container.run.restarts(),
                state,
            }
        })
        .collect();
    let displaced = standings.contains(&Standing::Displaced);
    // kube-proxy keeps one endpoint for an address and port: the one that does not serve must not
    // mask the one that does (rule 4).
    let yields = !containers.is_empty() && containers.iter().all(is_deactivated);
    let status = PodStatus {
        phase: if displaced { Phase::Failed } else { phase(seen.phase, &containers) },
        reason: if displaced { DISPLACED } else { "" }.into(),
        message: if displaced { OTHER_OWNER } else { "" }.into(),
        host_ip: base.ip.clone(),
        pod_ip: if yields { Arc::default() } else { base.ip.clone() },
        started: seen.started.or(Some(wall)),
        conditions: conditions(&pod.view, &containers, base, wall)
            .into_iter()
            .chain(barred(pod, wall))
            .collect(),
        containers,
    };
    // After an error nobody knows what was written: saying the same again makes sure.
    (pod.is_unsure() || !same(&status, seen)).then_some(status)
}

/// The conditions that a node agent writes.
pub(super) const OURS: [&str; 4] = ["Initialized", "ContainersReady", "Ready", BARRED];

const OTHER_OWNER: &str = "a newer version of this module, of another owner, serves on this base";

/// Its biz gave way to another version.
pub(super) fn is_deactivated(container: &ContainerStatus) -> bool {
    matches!(&container.state, ContainerState::Waiting { reason, .. } if **reason == *DISPLACED)
}

/// The condition about bars; none where there is none and never was.
fn barred(pod: &ModulePod, wall: Timestamp) -> Option<Condition> {
    let barred = pod.containers.iter().filter(|container| container.run.is_barred());
    let message = barred.filter_map(bar_text).collect::<Vec<_>>().join("\n");
    let seen = pod.view.status.condition(BARRED);
    if message.is_empty() && seen.is_none_or(|seen| seen.status == ConditionStatus::False) {
        return None;
    }
    let status = ConditionStatus::from(!message.is_empty());
    let reason = if message.is_empty() { "Lifted" } else { "ReplacementFailed" };
    let changed = seen.filter(|seen| seen.status == status).and_then(|seen| seen.changed).or(Some(wall));
    Some(Condition { kind: BARRED.into(), status, reason: reason.into(), message: message.into(), changed })
}

/// What a bar is about: the version and its package.
fn bar_text(container: &Container) -> Option<String> {
    container.wanted.as_ref().ok().map(text_of)
}

fn text_of(spec: &ModuleSpec) -> String {
    format!("{} {}", spec.id, spec.url)
}

/// What a Pod asks for, as far as it can be.
pub(crate) fn specs(pod: &PodView) -> Vec<ModuleSpec> {
    pod.containers.iter().filter_map(|container| translate::module(pod, container).ok()).collect()
}

/// What a Pod's condition says has failed as a replacement, whoever acts for its base.
pub(crate) fn barred_specs(pod: &PodView) -> Vec<ModuleSpec> {
    let seen = pod.status.condition(BARRED).filter(|seen| seen.status == ConditionStatus::True);
    let Some(text) = seen.map(|seen| &seen.message) else { return Vec::new() };
    specs(pod).into_iter().filter(|spec| text.lines().any(|line| line == text_of(spec))).collect()
}

/// Takes up the bars that a controller of before has written.
pub(super) fn read_bars(pod: &mut ModulePod) {
    let seen = pod.view.status.condition(BARRED).filter(|seen| seen.status == ConditionStatus::True);
    let Some(text) = seen.map(|seen| seen.message.clone()) else { return };
    for container in &mut pod.containers {
        if bar_text(container).is_some_and(|bar| text.lines().any(|line| line == bar)) {
            container.run.bar();
        }
    }
}

/// Kubernetes keeps whole seconds; what is not rounded would look changed for ever.
pub(super) fn whole_seconds(at: Timestamp) -> Timestamp {
    at.round(jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc)).unwrap_or(at)
}

fn state(
    standing: &Standing,
    seen: Option<&ContainerStatus>,
    policy: RestartPolicy,
    wall: Timestamp,
) -> ContainerState {
    let waiting = |reason: &str, message: String| ContainerState::Waiting {
        reason: reason.into(),
        message: message.into(),
    };
    let seen_state = seen.map(|seen| &seen.state);
    match standing {
        Standing::Unknown => seen_state.cloned().unwrap_or_else(|| waiting("Installing", String::new())),
        // A failure that is being tried again stays told until it is known to be over.
        Standing::Installing => match seen_state {
            Some(state @ ContainerState::Waiting { .. }) => state.clone(),
            _ => waiting("Installing", String::new()),
        },
        Standing::Running(started) => ContainerState::Running { started: started.map(whole_seconds) },
        Standing::Deactivated => {
            waiting(DISPLACED, "another version of this module serves on this base".into())
        }
        Standing::Displaced => waiting(DISPLACED, OTHER_OWNER.into()),
        Standing::Invalid(fault) => waiting(&fault.code.to_string(), fault.message()),
        Standing::Failed(fault) if policy == RestartPolicy::Never => {
            ended(seen_state, 1, &fault.code.to_string(), fault.message(), wall)
        }
        Standing::Failed(fault) => waiting(&fault.code.to_string(), fault.message()),
        Standing::Gone => ended(seen_state, 1, "BizGone", "the base no longer has this module".into(), wall),
        Standing::Completed => ended(seen_state, 0, "Completed", String::new(), wall),
    }
}

/// Terminated, told once: the times of the first telling stay.
fn ended(
    seen: Option<&ContainerState>,
    exit_code: i32,
    reason: &str,
    message: String,
    wall: Timestamp,
) -> ContainerState {
    if let Some(state @ ContainerState::Terminated { .. }) = seen {
        return state.clone();
    }
    let started = match seen {
        Some(ContainerState::Running { started }) => *started,
        _ => None,
    };
    ContainerState::Terminated {
        exit_code,
        reason: reason.into(),
        message: message.into(),
        started: started.or(Some(wall)),
        finished: Some(wall),
    }
}

fn phase(seen: Phase, containers: &[ContainerStatus]) -> Phase {
    let ended = |c: &ContainerStatus| matches!(c.state, ContainerState::Terminated { .. });
    let running = |c: &ContainerStatus| matches!(c.state, ContainerState::Running { .. });
    let well = |c: &ContainerStatus| matches!(c.state, ContainerState::Terminated { exit_code: 0, .. });
    if !containers.is_empty() && containers.iter().all(well) {
        Phase::Succeeded
    } else if !containers.is_empty() && containers.iter().all(ended) {
        Phase::Failed
    } else if seen == Phase::Running || containers.iter().any(running) {
        Phase::Running
    } else {
        Phase::Pending
    }
}

fn conditions(
    pod: &PodView,
    containers: &[ContainerStatus],
    base: &BaseStanding,
    wall: Timestamp,
) -> Vec<Condition> {
    let unready: Vec<&str> = containers.iter().filter(|c| !c.ready).map(|c| &*c.name).collect();
    let (reason, message) = if !base.serves {
        ("BaseInstanceNotReady", "the base does not answer or is not ready".to_owned())
    } else if !unready.is_empty() {
        ("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" ")))
    } else {
        ("", String::new())
    };
    let gate = pod.readiness_gates.iter().find(|gate| {
        pod.status.condition(gate).is_none_or(|condition| condition.status != ConditionStatus::True)
    });
    let ready = match gate {
        Some(gate) if reason.is_empty() => (
            "ReadinessGatesNotReady",
            format!("corresponding condition of pod readiness gate {gate:?} is not true"),
        ),
        _ => (reason, message.clone()),
    };
    let condition = |kind: &str, reason: &str, message: String| {
        let status = ConditionStatus::from(reason.is_empty());
        let kept =
            pod.status.condition(kind).filter(|seen| seen.status == status).and_then(|seen| seen.changed);
        let (kind, reason, message) = (kind.into(), reason.into(), message.into());
        Condition { kind, status, reason, message, changed: kept.or(Some(wall)) }
    };
    vec![
        condition("Initialized", "", String::new()),
        condition("ContainersReady", reason, message),
        condition("Ready", ready.0, ready.1),
    ]
}

/// The status that is there says all that this one would.
fn same(wanted: &PodStatus, seen: &PodStatus) -> bool {
    let same_condition = |wanted: &Condition| {
        seen.condition(&wanted.kind).is_some_and(|seen| {
            (seen.status, &seen.reason, &seen.message) == (wanted.status, &wanted.reason, &wanted.message)
        })
    };
    wanted.phase == seen.phase
        && wanted.reason == seen.reason
        && wanted.message == seen.message
        && wanted.host_ip == seen.host_ip
        && wanted.pod_ip == seen.pod_ip
        && wanted.started == seen.started
        && wanted.containers == seen.containers
        && wanted.conditions.iter().all(same_condition)
}

#[cfg(test)]
mod tests {
    use model::{ErrorCode, ErrorSource, ErrorType};

    use super::*;
    use crate::testing;

    const WALL: Timestamp = Timestamp::constant(1_800_000_000, 500_000_000);

    fn base(serves: bool) -> BaseStanding {
        BaseStanding { ip: "127.0.0.9".into(), serves }
    }

    fn told(pod: &mut ModulePod, standing: Standing, base: &BaseStanding) -> Option<PodStatus> {
        let status = desired(pod, &[standing], base, WALL)?;
        pod.view.status = status.clone();
        Some(status)
    }

    fn fault() -> Fault {
        Fault::new(
            ErrorCode::new(ErrorSource::Arklet, ErrorType::PullBizError),
            "installing biz1:1",
            "no such file",
        )
    }

    #[test]
    fn activated_is_running_and_ready_and_told_once() {
        let mut pod = ModulePod::new(testing::pod("p", "biz1", "1"));
        assert_eq!(told(&mut pod, Standing::Installing, &base(true)), None, "nothing to say yet");
        let status = told(&mut pod, Standing::Running(Some(WALL)), &base(true)).unwrap();
        assert_eq!((status.phase, &*status.pod_ip), (Phase::Running, "127.0.0.9"));
        assert_eq!(status.condition("Ready").unwrap().status, ConditionStatus::True);
        assert_eq!(status.containers[0].image_id, "file:///packages/biz1-1.jar".into());
        assert_eq!(
            told(&mut pod, Standing::Running(Some(WALL)), &base(true)),
            None,
            "the same is not written"
        );
    }

    #[test]
    fn a_status_never_tells_the_credentials_of_a_package() {
        let mut view = testing::pod("p", "biz1", "1");
        view.containers[0].image = "https://user:secret@h/biz1-1.jar?sig=secret".into();
        let mut pod = ModulePod::new(view);
        let status = told(&mut pod, Standing::Running(Some(WALL)), &base(true)).unwrap();
        assert!(status.containers[0].image_id.starts_with("https://h/biz1-1.jar?…#sha256:"), "{status:?}");
        assert!(!format!("{status:?}").contains("secret"), "{status:?}");
    }

    #[test]
    fn a_silent_base_takes_readiness_and_leaves_the_rest() {
        let mut pod = ModulePod::new(testing::pod("p", "biz1", "1"));
        told(&mut pod, Standing::Running(Some(WALL)), &base(true)).unwrap();
        let status = told(&mut pod, Standing::Unknown, &base(false)).unwrap();
        assert_eq!(status.condition("Ready").unwrap().reason, "BaseInstanceNotReady".into());
        assert_eq!(status.phase, Phase::Running);
        assert!(!status.containers[0].ready);
        let unknown = told(&mut pod, Standing::Unknown, &base(true)).unwrap();
        assert!(!unknown.containers[0].ready, "the base may have been started anew");
        let back = told(&mut pod, Standing::Running(Some(WALL)), &base(true)).unwrap();
        assert!(back.containers[0].ready);
    }

    #[test]
    fn a_failure_waits_with_code_and_suggestion_and_stays_told_while_it_is_tried_again() {
        let mut pod = ModulePod::new(testing::pod("p", "biz1", "1"));
        let status = told(&mut pod, Standing::Failed(fault()), &base(true)).unwrap();
        let ContainerState::Waiting { reason, message } = &status.containers[0].state else { panic!() };
        assert_eq!(**reason, *"Arklet.PullBizError");
        assert!(message.contains("no such file") && message.contains("Suggestion: Retry"), "{message}");
        assert_eq!(status.phase, Phase::Pending);
        assert_eq!(told(&mut pod, Standing::Installing, &base(true)), None);
    }

    #[test]
    fn never_means_failed_for_good() {
        let mut pod = ModulePod::new(testing::pod("p", "biz1", "1"));
        pod.view.restart_policy = RestartPolicy::Never;
        let status = told(&mut pod, Standing::Failed(fault()), &base(true)).unwrap();
        assert_eq!(status.phase, Phase::Failed);
        assert_eq!(told(&mut pod, Standing::Running(None), &base(true)), None, "never written back");
    }

    #[test]
    fn a_module_that_stops_by_itself_ends_its_pod_well() {
        let mut pod = ModulePod::new(testing::pod("p", "biz1", "1"));
        pod.view.restart_policy = RestartPolicy::OnFailure;
        told(&mut pod, Standing::Running(Some(WALL)), &base(true)).unwrap();
        let status = told(&mut pod, Standing::Completed, &base(true)).unwrap();
        assert_eq!(status.phase, Phase::Succeeded);
        assert!(matches!(status.containers[0].state, ContainerState::Terminated { exit_code: 0, .. }));
        assert_eq!(status.condition("Ready").unwrap().status, ConditionStatus::False);
        assert_eq!(told(&mut pod, Standing::Running(None), &base(true)), None, "never written back");
    }

    #[test]
    fn a_readiness_gate_holds_ready_back_and_nothing_else() {
        let mut pod = ModulePod::new(testing::pod("p", "biz1", "1"));
        pod.view.readiness_gates = vec!["example.com/gate".into()].into();
        let status = told(&mut pod, Standing::Running(Some(WALL)), &base(true)).unwrap();
        assert_eq!(status.condition("ContainersReady").unwrap().status, ConditionStatus::True);
        assert_eq!(status.condition("Ready").unwrap().reason, "ReadinessGatesNotReady".into());
    }

    #[test]
    fn one_container_of_two_is_not_ready() {
        let mut view = testing::pod("p", "biz1", "1");
        view.containers.push(testing::container("biz2", "1"));
        let pod = ModulePod::new(view);
        let standings = [Standing::Running(Some(WALL)), Standing::Installing];
        let status = desired(&pod, &standings, &base(true), WALL).unwrap();
        let ready = status.condition("Ready").unwrap();
        assert_eq!(
            (ready.status, &*ready.message),
            (ConditionStatus::False, "containers with unready status: [biz2]")
        );
        assert_eq!(status.phase, Phase::Running);
    }
}
