//! What a module Pod's status shall say (docs/guide/modules.md).

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, Unit};
use model::{Fault, Language, bilingual};

use super::{Container, ModulePod, barred, displaced::DISPLACED, sidecar, wait::Waiting};
use crate::{
    contest,
    event::Now,
    plans::HELD,
    view::{
        Condition, ConditionStatus, ContainerState, ContainerStatus, ContainerView, Phase, PodStatus,
        PodView, RestartPolicy,
    },
};

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
    /// It lost its base to a version of another owner, for good; what is said of it.
    Displaced(Arc<str>),
    /// It waits as long as a version of another owner is asked for; what is said of it.
    Waits(Arc<str>),
    /// An operation plan has not released it here; what is said of it.
    Held(Arc<str>),
    /// It could not be installed.
    Failed(Fault),
    /// It was there and is gone for good: nothing installs it again.
    Gone,
    /// It stopped by itself, as the module of a Job does.
    Completed,
}

impl Standing {
    /// It waits for something, and nothing has become of it yet.
    pub(crate) fn is_wait(&self) -> bool {
        matches!(self, Self::Unknown | Self::Installing)
    }
}

/// A status says something else of what its containers wait for than the one before, by the container's place.
pub(crate) fn tells_wait(status: &PodStatus, seen: &PodStatus, place: usize) -> bool {
    let Some(told) = status.containers.get(place) else { return false };
    let is_installing =
        matches!(&told.state, ContainerState::Waiting { reason, .. } if **reason == *INSTALLING);
    is_installing && seen.container(place, &told.name).is_none_or(|seen| seen.state != told.state)
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
    language: Language,
    now: Now,
) -> Option<PodStatus> {
    let seen = &pod.view.status;
    let is_untold = seen.containers.is_empty() && !standings.is_empty();
    let mut waiting = pod.containers.iter().zip(standings);
    let nothing_to_say =
        waiting.all(|(container, standing)| standing.is_wait() && !container.waiting.lasts(now.mono));
    if pod.is_over() || (is_untold && nothing_to_say) {
        return None;
    }
    let wall = whole_seconds(now.wall);
    let mut modules = pod.containers.iter().zip(standings).peekable();
    let containers: Vec<ContainerStatus> = pod
        .view
        .containers
        .iter()
        .enumerate()
        .map(|(place, view)| {
            let seen = seen.container(place, &view.name);
            match modules.next_if(|(container, _)| container.place == place) {
                Some((container, standing)) => {
                    of_module(pod, view, (container, standing), seen, base, (language, now))
                }
                None => sidecar::status(view, seen, language),
            }
        })
        .collect();
    let displaced = standings.iter().any(|standing| matches!(standing, Standing::Displaced(_)));
    // kube-proxy keeps one endpoint for an address and port: the one that does not serve must not
    // mask the one that does (rule O4). So what yields has no address any more, and what never ran none yet.
    let modules = || pod.containers.iter().filter_map(|container| containers.get(container.place));
    let gave_way = why_it_gave_way(seen, standings.iter().zip(modules()));
    let yields = modules().next().is_some() && modules().all(is_deactivated);
    let runs = |module: &ContainerStatus| matches!(module.state, ContainerState::Running { .. });
    let never_ran = seen.pod_ip.is_empty() && !modules().any(runs);
    let status = PodStatus {
        phase: if displaced { Phase::Failed } else { phase(seen.phase, modules()) },
        reason: if gave_way.is_some() { DISPLACED } else { "" }.into(),
        message: gave_way.unwrap_or_default(),
        host_ip: base.ip.clone(),
        pod_ip: if yields || never_ran { Arc::default() } else { base.ip.clone() },
        started: seen.started.or(Some(wall)),
        conditions: conditions(&pod.view, modules(), base, language, wall)
            .into_iter()
            .chain(barred::condition(pod, wall))
            .collect(),
        containers,
    };
    // After an error nobody knows what was written: saying the same again makes sure.
    (pod.is_unsure() || !same(&status, seen)).then_some(status)
}

/// The status of a container that stands for a biz.
fn of_module(
    pod: &ModulePod,
    view: &ContainerView,
    (container, standing): (&Container, &Standing),
    seen: Option<&ContainerStatus>,
    base: &BaseStanding,
    told: (Language, Now),
) -> ContainerStatus {
    let state = state(standing, &container.waiting, seen, pod.view.restart_policy, told);
    let running = matches!(state, ContainerState::Running { .. });
    let was_ready = seen.is_some_and(|seen| seen.ready);
    let kept = seen.map(|seen| seen.image_id.clone());
    let package = container.wanted.as_ref().ok().map(|spec| spec.url.as_told().clone());
    ContainerStatus {
        name: view.name.as_str().into(),
        image: match &package {
            Some(package) => package.clone(),
            None => model::shown_image(&view.image).into(),
        },
        // What runs is what was asked for: another package would be shown as waiting.
        image_id: if running { package } else { kept }.unwrap_or_default(),
        // While nobody knows how it stands, it does not become ready.
        ready: running && base.serves && (*standing != Standing::Unknown || was_ready),
        restart_count: container.run.restarts(),
        state,
    }
}

/// The conditions that a node agent writes.
pub(super) const OURS: [&str; 4] = ["Initialized", "ContainersReady", "Ready", barred::BARRED];

/// What the Pod says of another owner's version that it gives way to; none where it does not. While nobody knows how it
/// stands, or until it is known to be installed, what was told stays as long as its container tells it.
fn why_it_gave_way<'a>(
    seen: &PodStatus,
    modules: impl Iterator<Item = (&'a Standing, &'a ContainerStatus)> + Clone,
) -> Option<Arc<str>> {
    let told = |(standing, _): (&Standing, &ContainerStatus)| match standing {
        Standing::Displaced(why) | Standing::Waits(why) => Some(why.clone()),
        _ => None,
    };
    let stays = || {
        let mut modules = modules.clone();
        modules.any(|(standing, module)| standing.is_wait() && is_deactivated(module))
    };
    let before = || (*seen.reason == *DISPLACED && stays()).then(|| seen.message.clone());
    modules.clone().find_map(told).or_else(before)
}

/// Its biz gave way to another version.
fn is_deactivated(container: &ContainerStatus) -> bool {
    matches!(&container.state, ContainerState::Waiting { reason, .. } if **reason == *DISPLACED)
}

/// Kubernetes keeps whole seconds; what is not rounded would look changed for ever.
pub(super) fn whole_seconds(at: Timestamp) -> Timestamp {
    at.round(jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc)).unwrap_or(at)
}

/// The reason of a container that is being installed, or will be.
const INSTALLING: &str = "Installing";

/// The state of a container that waits. What was told before stays: a failure that is being tried again until it is known
/// to be over, what runs until somebody knows better, and the words of another wait until this one has lasted.
fn waits(
    standing: &Standing,
    waiting: &Waiting,
    seen: Option<&ContainerState>,
    language: Language,
    now: Duration,
) -> ContainerState {
    let installing =
        || ContainerState::Waiting { reason: INSTALLING.into(), message: waiting.message(language).into() };
    match seen {
        Some(state @ ContainerState::Waiting { reason, message }) => {
            // What was told of another version is also how a controller of later knows who lost.
            let is_other = *standing == Standing::Unknown && **reason != *INSTALLING;
            let is_failure = reason.contains('.');
            let stays = is_other || is_failure || !waiting.lasts(now) || waiting.is_told_by(message);
            if stays { state.clone() } else { installing() }
        }
        Some(state) if *standing == Standing::Unknown => state.clone(),
        _ => installing(),
    }
}

fn state(
    standing: &Standing,
    waiting: &Waiting,
    seen: Option<&ContainerStatus>,
    policy: RestartPolicy,
    (language, now): (Language, Now),
) -> ContainerState {
    let wall = whole_seconds(now.wall);
    let because = |reason: &str, message: &str| ContainerState::Waiting {
        reason: reason.into(),
        message: message.into(),
    };
    let seen_state = seen.map(|seen| &seen.state);
    match standing {
        Standing::Unknown | Standing::Installing => waits(standing, waiting, seen_state, language, now.mono),
        Standing::Running(started) => ContainerState::Running { started: started.map(whole_seconds) },
        Standing::Deactivated => {
            let told = bilingual!(
                "another version of this module serves on this base",
                "在这个基座上服务的是该模块的另一个版本"
            );
            because(DISPLACED, told.of(language))
        }
        Standing::Displaced(why) | Standing::Waits(why) => because(DISPLACED, why),
        Standing::Held(why) => because(HELD, why),
        Standing::Invalid(fault) => because(&fault.code.to_string(), fault.message().of(language)),
        Standing::Failed(fault) if policy == RestartPolicy::Never => {
            ended(seen_state, 1, &fault.code.to_string(), fault.message().of(language), wall)
        }
        Standing::Failed(fault) => because(&fault.code.to_string(), fault.message().of(language)),
        Standing::Gone => {
            let told = bilingual!("the base no longer has this module", "基座上已没有这个模块");
            ended(seen_state, 1, "BizGone", told.of(language), wall)
        }
        Standing::Completed => ended(seen_state, 0, "Completed", "", wall),
    }
}

/// Terminated, told once: the times of the first telling stay.
fn ended(
    seen: Option<&ContainerState>,
    exit_code: i32,
    reason: &str,
    message: &str,
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

/// The phase, by the containers that stand for a biz.
fn phase<'a>(seen: Phase, mut modules: impl Iterator<Item = &'a ContainerStatus> + Clone) -> Phase {
    let ended = |c: &ContainerStatus| matches!(c.state, ContainerState::Terminated { .. });
    let running = |c: &ContainerStatus| matches!(c.state, ContainerState::Running { .. });
    let well = |c: &ContainerStatus| matches!(c.state, ContainerState::Terminated { exit_code: 0, .. });
    let is_any = modules.clone().next().is_some();
    if is_any && modules.clone().all(well) {
        Phase::Succeeded
    } else if is_any && modules.clone().all(ended) {
        Phase::Failed
    } else if seen == Phase::Running || modules.any(running) {
        Phase::Running
    } else {
        Phase::Pending
    }
}

/// The conditions, by the containers that stand for a biz.
fn conditions<'a>(
    pod: &PodView,
    modules: impl Iterator<Item = &'a ContainerStatus> + Clone,
    base: &BaseStanding,
    language: Language,
    wall: Timestamp,
) -> Vec<Condition> {
    let is_any = modules.clone().next().is_some();
    let unready: Vec<&str> = modules.filter(|c| !c.ready).map(|c| &*c.name).collect();
    let (reason, message) = if !is_any {
        let told = bilingual!("no container of the Pod is a module", "Pod 中没有一个容器是模块");
        ("NoModule", told.of(language).to_owned())
    } else if !base.serves {
        let told = bilingual!("the base does not answer or is not ready", "基座没有应答，或没有就绪");
        ("BaseInstanceNotReady", told.of(language).to_owned())
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

/// By what it says it is known again; when it is said makes no difference.
pub(crate) fn mark_of(status: &PodStatus) -> u64 {
    let conditions: Vec<_> =
        status.conditions.iter().map(|c| (&c.kind, c.status as u8, &c.reason, &c.message)).collect();
    let state = |state: &ContainerState| match state {
        ContainerState::Waiting { reason, message } => (0, 0, reason.clone(), message.clone()),
        ContainerState::Running { .. } => (1, 0, Arc::default(), Arc::default()),
        ContainerState::Terminated { exit_code, reason, message, .. } => {
            (2, *exit_code, reason.clone(), message.clone())
        }
    };
    let containers: Vec<_> = status
        .containers
        .iter()
        .map(|c| (&c.name, &c.image, &c.image_id, c.ready, c.restart_count, state(&c.state)))
        .collect();
    let whole = (status.phase as u8, &status.reason, &status.message, &status.host_ip, &status.pod_ip);
    contest::mark((whole, conditions, containers))
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
mod tests;
