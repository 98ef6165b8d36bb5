//! What a plan asks of a base, read from its Node and its Pods: any replica that leads knows them, whoever acts for the base.

use std::sync::Arc;

use model::{ErrorCode, ErrorSource, ErrorType, Language, ModuleSpec, bilingual};
use plan::{Base, Condition, Release, Spec};

use crate::{
    pod::{barred, translate, wait},
    view::{ConditionStatus, ContainerState, NodeView, PlanView, PodView},
    vnode::{HOST_NAME, TUNNEL_PORT, base_ip},
};

/// A base without its Pods. It is told from others by its host name, which a Pod keeps when its process starts anew under
/// another identity, and by its port, where several of a host have one each; where it has no host name, by its Node's name.
pub fn of_node(plan_uid: &str, node: &NodeView, serves: bool) -> Base {
    let label = |key: &str| node.labels.get(key).filter(|value| !value.is_empty());
    let key: Arc<str> = match (label(HOST_NAME), label(TUNNEL_PORT)) {
        (Some(host), Some(port)) => format!("{host}:{port}").into(),
        (Some(host), None) => host.clone(),
        (None, _) => node.name.clone(),
    };
    let ready = node.condition("Ready");
    Base {
        rank: plan::rank(plan_uid, &key),
        key,
        address: base_ip(node).and_then(|ip| ip.parse().ok()),
        labels: node.labels.clone(),
        available: !node.deleting && ready.is_some_and(|ready| ready.status == ConditionStatus::True),
        serves,
        condition: Condition::Absent,
    }
}

/// A base with the workload's Pods that are bound to it.
pub(crate) fn with_pods(
    view: &PlanView,
    spec: &Spec,
    node: &NodeView,
    pods: &[&PodView],
    language: Language,
) -> Base {
    let PlanView { plan, status, digest, .. } = view;
    let (mut serves, mut conditions) = (false, Vec::new());
    for pod in pods.iter().filter(|pod| pod.deletion.is_none()) {
        // Whoever acts for the base knows whether something serves there that no Pod tells of (rules P7 and P13), and holds it then.
        serves |= is_told_held(pod);
        let is_its = pod.annotations.get(super::ANNOTATION).is_some_and(|name| **name == *plan.name);
        for asked in translate::specs(pod) {
            serves |= pod.status.is_ready() && asked.id.name == spec.module.name;
            if is_its && asked.id == spec.module {
                conditions.push(condition(pod, &asked, language));
            }
        }
    }
    let base = of_node(&plan.uid, node, serves);
    // Of several the one that stands best: a Pod that gave way on this base leaves its place to the one that stays.
    let condition = match conditions.into_iter().min_by_key(order) {
        Some(Condition::Working)
            if plan::hold(Some(spec), status, digest, &spec.module, &base) != Release::Released =>
        {
            Condition::Held
        }
        Some(condition) => condition,
        None => Condition::Absent,
    };
    Base { condition, ..base }
}

fn order(condition: &Condition) -> u8 {
    match condition {
        Condition::Ready => 0,
        Condition::Working => 1,
        Condition::Waiting | Condition::Occupied => 2,
        Condition::Failed { .. } => 3,
        Condition::Held => 4,
        Condition::Absent => 5,
    }
}

/// Its status says that a plan holds one of its containers.
pub(crate) fn is_told_held(pod: &PodView) -> bool {
    pod.status
        .containers
        .iter()
        .any(|told| matches!(&told.state, ContainerState::Waiting { reason, .. } if **reason == *super::HELD))
}

/// How a Pod stands, by its status.
fn condition(pod: &PodView, spec: &ModuleSpec, language: Language) -> Condition {
    if pod.status.is_ready() {
        return Condition::Ready;
    }
    let place = pod.containers.iter().position(|container| *container.name == *spec.id.name.as_str());
    let told = place.and_then(|place| pod.status.container(place, spec.id.name.as_str()));
    let waiting = match told.map(|told| &told.state) {
        Some(
            ContainerState::Waiting { reason, message } | ContainerState::Terminated { reason, message, .. },
        ) => Some((reason, message)),
        _ => None,
    };
    if barred::specs(pod).contains(spec) {
        let code = ErrorCode::new(ErrorSource::ModuleController, ErrorType::BaseInstanceOperationFailed);
        let message =
            bilingual!("it failed in the place of the version that served", "它替换正在服务的版本时失败");
        let message = message.of(language).to_owned();
        return Condition::Failed { code, message };
    }
    match waiting {
        Some((reason, message)) => match reason.parse::<ErrorCode>() {
            // What somebody has to mend. Anything else is tried again, and may take its time.
            Ok(code) if code.source == ErrorSource::User => {
                Condition::Failed { code, message: one_line(message) }
            }
            _ if wait::is_for_permit(message) => Condition::Waiting,
            _ if wait::is_for_another_operation(message) => Condition::Occupied,
            _ => Condition::Working,
        },
        None => Condition::Working,
    }
}

fn one_line(text: &Arc<str>) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
