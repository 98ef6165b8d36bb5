//! Writes to Pods.

use engine::{
    WriteError,
    view::{Condition, ContainerState, ContainerStatus, PodRef, PodStatus},
};
use serde_json::{Value, json};

use super::api::{Api, Collection, How};
use crate::slim::pod::Pod;

impl Api {
    pub(crate) async fn patch_pod_status(&self, pod: &PodRef, status: &PodStatus) -> Result<(), WriteError> {
        let patch = status_patch(pod, status);
        let answer: Pod =
            self.patch_status(&Collection::pods(&pod.namespace), &pod.name, How::Strategic, &patch).await?;
        self.tell_pod(answer).await;
        Ok(())
    }

    /// Deletes the Pod for good. That it is gone already is as good.
    pub(crate) async fn delete_pod(&self, pod: &PodRef) -> Result<(), WriteError> {
        let place = Collection::pods(&pod.namespace);
        match self.delete(&place, &pod.name, &pod.uid).await {
            Ok(()) | Err(WriteError::NotFound(_)) => Ok(()),
            Err(WriteError::Conflict(reason)) => match self.get::<Pod>(&place, &pod.name).await {
                // The very Pod is still there, so the conflict was about something else.
                Ok(found) if found.meta.uid.as_deref() == Some(&pod.uid) => Err(WriteError::Conflict(reason)),
                Ok(_) | Err(WriteError::NotFound(_)) => Ok(()),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        }
    }
}

/// A strategic merge patch that makes the status what `status` says and leaves others' conditions
/// alone. The UID is its precondition: another Pod of the name makes it a conflict.
///
/// What the API server checks (`ValidatePodStatusUpdate`): a container that is terminated cannot
/// leave that state where `restartPolicy` is `Never`, or `OnFailure` and its exit code was 0; the
/// names of `containerStatuses` are those of the spec; phases may change at will. It fills
/// `podIPs` from `podIP`, which wins where they differ; `hostIPs` it does not fill but refuses
/// where its first is not `hostIP`, so we have none.
fn status_patch(pod: &PodRef, status: &PodStatus) -> Value {
    let mut patch = json!({
        "phase": status.phase.as_str(),
        "reason": or_null(&status.reason),
        "message": or_null(&status.message),
        "hostIP": or_null(&status.host_ip),
        "hostIPs": null,
        "podIP": or_null(&status.pod_ip),
        "startTime": status.started.map(seconds),
        "conditions": status.conditions.iter().map(condition).collect::<Value>(),
        "containerStatuses": status.containers.iter().map(container_status).collect::<Value>(),
    });
    if status.pod_ip.is_empty()
        && let Some(patch) = patch.as_object_mut()
    {
        patch.insert("podIPs".to_owned(), Value::Null);
    }
    json!({ "metadata": { "uid": pod.uid }, "status": patch })
}

/// In a patch `null` removes; an empty text would be kept as such.
pub(super) fn or_null(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// Kubernetes' `Time` has no fractions of a second: those of a client are cut off by the server,
/// and would look like a change for ever.
pub(super) fn seconds(time: jiff::Timestamp) -> String {
    format!("{time:.0}")
}

pub(super) fn condition(condition: &Condition) -> Value {
    json!({
        "type": condition.kind,
        "status": condition.status.as_str(),
        "reason": or_null(&condition.reason),
        "message": or_null(&condition.message),
        "lastTransitionTime": condition.changed.map(seconds),
    })
}

/// The list is replaced as a whole, so nothing needs to be removed.
fn container_status(container: &ContainerStatus) -> Value {
    let (state, started) = match &container.state {
        ContainerState::Waiting { reason, message } => {
            (json!({ "waiting": { "reason": reason, "message": message } }), false)
        }
        ContainerState::Running { started } => {
            (json!({ "running": { "startedAt": started.map(seconds) } }), true)
        }
        ContainerState::Terminated { exit_code, reason, message, started, finished } => {
            let ended = json!({
                "exitCode": exit_code,
                "reason": reason,
                "message": message,
                "startedAt": started.map(seconds),
                "finishedAt": finished.map(seconds),
            });
            (json!({ "terminated": ended }), false)
        }
    };
    json!({
        "name": container.name,
        "image": container.image,
        "imageID": container.image_id,
        "ready": container.ready,
        "started": started,
        "restartCount": container.restart_count,
        "state": state,
    })
}

#[cfg(test)]
mod tests {
    use engine::view::{ConditionStatus, Phase};

    use super::*;

    fn pod() -> PodRef {
        PodRef { namespace: "ns".into(), name: "biz1-a".into(), uid: "u-1".into() }
    }

    fn at() -> Option<jiff::Timestamp> {
        Some("2026-11-22T10:00:00.987654321Z".parse().unwrap())
    }

    fn container(name: &str, state: ContainerState) -> ContainerStatus {
        ContainerStatus {
            name: name.into(),
            image: format!("http://repo/{name}.jar").into(),
            image_id: "".into(),
            ready: false,
            restart_count: 0,
            state,
        }
    }

    #[test]
    fn a_whole_status_goes_out_as_the_api_has_it() {
        let running = ContainerStatus {
            image_id: "http://repo/biz1.jar".into(),
            ready: true,
            restart_count: 2,
            ..container("biz1", ContainerState::Running { started: at() })
        };
        let waiting = ContainerState::Waiting { reason: "BizDeactivate".into(), message: "".into() };
        let ended = ContainerState::Terminated {
            exit_code: 1,
            reason: "Error".into(),
            message: "m".into(),
            started: None,
            finished: at(),
        };
        let status = PodStatus {
            phase: Phase::Running,
            host_ip: "192.0.2.2".into(),
            pod_ip: "192.0.2.2".into(),
            started: at(),
            conditions: vec![Condition {
                kind: "Ready".into(),
                status: ConditionStatus::False,
                reason: "ContainersNotReady".into(),
                message: "".into(),
                changed: at(),
            }],
            containers: vec![running, container("biz2", waiting), container("biz3", ended)],
            ..PodStatus::default()
        };
        assert_eq!(
            status_patch(&pod(), &status),
            json!({
                "metadata": { "uid": "u-1" },
                "status": {
                    "phase": "Running",
                    "reason": null,
                    "message": null,
                    "hostIP": "192.0.2.2",
                    "hostIPs": null,
                    "podIP": "192.0.2.2",
                    "startTime": "2026-11-22T10:00:00Z",
                    "conditions": [{
                        "type": "Ready",
                        "status": "False",
                        "reason": "ContainersNotReady",
                        "message": null,
                        "lastTransitionTime": "2026-11-22T10:00:00Z",
                    }],
                    "containerStatuses": [
                        {
                            "name": "biz1", "image": "http://repo/biz1.jar", "imageID": "http://repo/biz1.jar",
                            "ready": true, "started": true, "restartCount": 2,
                            "state": { "running": { "startedAt": "2026-11-22T10:00:00Z" } },
                        },
                        {
                            "name": "biz2", "image": "http://repo/biz2.jar", "imageID": "",
                            "ready": false, "started": false, "restartCount": 0,
                            "state": { "waiting": { "reason": "BizDeactivate", "message": "" } },
                        },
                        {
                            "name": "biz3", "image": "http://repo/biz3.jar", "imageID": "",
                            "ready": false, "started": false, "restartCount": 0,
                            "state": { "terminated": {
                                "exitCode": 1, "reason": "Error", "message": "m",
                                "startedAt": null, "finishedAt": "2026-11-22T10:00:00Z",
                            } },
                        },
                    ],
                },
            })
        );
    }

    #[test]
    fn what_a_pod_has_no_longer_is_taken_away() {
        let patch = status_patch(&pod(), &PodStatus::default());
        let status = patch["status"].as_object().unwrap();
        for field in ["reason", "message", "hostIP", "podIP", "podIPs", "startTime"] {
            assert_eq!(status.get(field), Some(&Value::Null), "{field}");
        }
        assert_eq!(status["phase"], "Pending");
    }
}
