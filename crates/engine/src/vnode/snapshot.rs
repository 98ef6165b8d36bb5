//! What is known of a VNode at one moment, and what each of its Pods waits for that is not Ready: for people who look for a fault.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::{Liveness, VNode};
use crate::{
    config::Times,
    pod::{Container, ModulePod, told},
    view::ContainerState,
};

/// A VNode at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VNodeSnapshot {
    /// The name of its Node.
    pub node: Arc<str>,
    /// The identity of its base.
    pub base: String,
    /// What is known of the base's life.
    pub liveness: &'static str,
    /// How long ago anything was heard of it, in seconds; since it was taken over where nothing was heard yet.
    pub heard_seconds_ago: u64,
    /// By which tunnel it is commanded; none where it was not heard.
    pub tunnel: Option<String>,
    /// It has a Node.
    pub has_node: bool,
    /// Its Node is being deleted.
    pub is_leaving: bool,
    /// What is installed on it is known.
    pub is_listed: bool,
    /// The commands whose end is awaited.
    pub commands: Vec<CommandSnapshot>,
    /// The bizNames whose commands wait until fewer are at work.
    pub queued: Vec<String>,
    /// How many of its Pods are Ready.
    pub ready: usize,
    /// Those that are not, and are not over.
    pub waiting: Vec<PodSnapshot>,
}

/// A command whose end is awaited.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandSnapshot {
    /// In the words of Arklet.
    pub command: String,
    /// Of which biz.
    pub module: Option<String>,
    /// How long ago it was sent.
    pub sent_seconds_ago: u64,
    /// When it is given up.
    pub given_up_in_seconds: u64,
    /// By which way.
    pub tunnel: String,
    /// By which id the log, Events and reports name it.
    pub trace: String,
}

/// A Pod that is not Ready.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSnapshot {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub pod: Arc<str>,
    /// It is being deleted.
    pub is_deleting: bool,
    /// A write of its status is under way.
    pub is_written: bool,
    /// Its modules.
    pub containers: Vec<ContainerSnapshot>,
}

/// A module of a Pod that is not Ready.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSnapshot {
    /// What it asks for; none where that cannot be read.
    pub module: Option<String>,
    /// What it waits for.
    pub waits_for: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why an operation plan holds it.
    pub held_by_plan: Option<Arc<str>>,
    /// The reason in the Pod's status, as it was last written.
    pub reason: Option<Arc<str>>,
    /// The message beside it.
    pub message: Option<Arc<str>>,
}

impl VNode {
    pub(crate) fn snapshot(&self, now: Duration, times: &Times) -> VNodeSnapshot {
        let pods = || self.pods.values().map(Box::as_ref).filter(|pod| !pod.is_foreign && !pod.is_over());
        VNodeSnapshot {
            node: self.name.clone(),
            base: self.identity.to_string(),
            liveness: match self.life.liveness(now, times) {
                Liveness::Alive => "alive",
                Liveness::Unanswering => "unanswering",
                Liveness::NotServing => "notServing",
                Liveness::Silent => "silent",
                Liveness::Gone => "gone",
            },
            heard_seconds_ago: self.life.silence(now).as_secs(),
            tunnel: self.tunnel().map(|tunnel| tunnel.to_string()),
            has_node: self.node.is_some(),
            is_leaving: self.is_leaving(),
            is_listed: self.inventory.is_known(),
            commands: self.commands_at_work(now),
            queued: self.queued.iter().map(ToString::to_string).collect(),
            ready: pods().filter(|pod| pod.is_ready()).count(),
            waiting: pods().filter(|pod| !pod.is_ready()).map(pod_snapshot).collect(),
        }
    }

    fn commands_at_work(&self, now: Duration) -> Vec<CommandSnapshot> {
        let at_work = self.ops.values().map(|op| CommandSnapshot {
            command: op.key.command.to_string(),
            module: op.key.biz.as_ref().map(ToString::to_string),
            sent_seconds_ago: now.saturating_sub(op.sent).as_secs(),
            given_up_in_seconds: op.sent.saturating_add(op.deadline).saturating_sub(now).as_secs(),
            tunnel: op.tunnel.to_string(),
            trace: op.trace.to_string(),
        });
        at_work.collect()
    }
}

fn pod_snapshot(pod: &ModulePod) -> PodSnapshot {
    let hold = |index: usize| pod.holds.get(index).cloned().flatten();
    let containers = pod.all().enumerate();
    PodSnapshot {
        namespace: pod.view.pod.namespace.clone(),
        pod: pod.view.pod.name.clone(),
        is_deleting: pod.is_deleting(),
        is_written: pod.status_slot.is_busy(),
        containers: containers.map(|(index, one)| container_snapshot(pod, one, hold(index))).collect(),
    }
}

fn container_snapshot(
    pod: &ModulePod,
    container: &Container,
    held_by_plan: Option<Arc<str>>,
) -> ContainerSnapshot {
    let (reason, message) = match told(&pod.view, container).map(|status| &status.state) {
        Some(
            ContainerState::Waiting { reason, message } | ContainerState::Terminated { reason, message, .. },
        ) => (Some(reason.clone()), Some(message.clone())),
        _ => (None, None),
    };
    let (waits_for, since) = container.waiting.what().unzip();
    ContainerSnapshot {
        module: container.wanted.as_ref().ok().map(|spec| spec.id.to_string()),
        waits_for,
        since,
        held_by_plan,
        reason,
        message,
    }
}
