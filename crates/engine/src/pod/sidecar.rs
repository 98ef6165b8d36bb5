//! What webhooks and people put into a Pod beside its modules: sidecars, init containers, containers for debugging.
//!
//! A base runs none of them, and the Pod does not wait for them: it would wait for ever. The Go controller leaves them alone
//! in the same way.

use model::{Bilingual, Language, bilingual};

use super::Container;
use crate::view::{ContainerState, ContainerStatus, ContainerView, PodView};

/// The reason of a container that is no module.
const REASON: &str = "NotAModule";

fn message() -> Bilingual {
    bilingual!(
        "not run: its image is no package (.jar, .wasm or .ark), and it has no BIZ_VERSION; the Pod does not wait for it",
        "不运行：它的镜像不是模块包（.jar、.wasm 或 .ark），也没有 BIZ_VERSION；Pod 不会等待它"
    )
}

/// The status of a container that is no module. Init containers and those for debugging get none: for one of an init container
/// that waits, kubectl would show the whole Pod as waiting for it.
pub(super) fn status(
    view: &ContainerView,
    seen: Option<&ContainerStatus>,
    language: Language,
) -> ContainerStatus {
    ContainerStatus {
        name: view.name.as_str().into(),
        image: model::shown_image(&view.image).into(),
        image_id: seen.map(|seen| seen.image_id.clone()).unwrap_or_default(),
        ready: false,
        restart_count: seen.map_or(0, |seen| seen.restart_count),
        state: ContainerState::Waiting { reason: REASON.into(), message: message().of(language).into() },
    }
}

/// The names of all containers of a Pod that are not run, given those that stand for a biz.
pub(super) fn names(view: &PodView, modules: &[Container]) -> Box<[String]> {
    let is_run = |place: usize| modules.iter().any(|module| module.place == place);
    let beside = view.containers.iter().enumerate().filter(|(place, _)| !is_run(*place));
    beside.map(|(_, container)| container.name.clone()).chain(view.aside.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::BizState;

    use crate::{
        ClusterEvent, Event, testing,
        view::{ConditionStatus, ContainerState, ContainerView, Phase, PodRef, PodStatus, PodView},
        vnode::testing::Case,
    };

    fn sidecar(name: &str, image: &str) -> ContainerView {
        ContainerView { name: name.into(), image: image.into(), env: vec![], has_probes: true }
    }

    fn place(case: &mut Case, change: impl FnOnce(&mut PodView)) -> PodRef {
        let mut view = PodView { resource_version: case.next(), ..testing::pod("p", "biz1", "1") };
        change(&mut view);
        case.pods.insert(view.pod.uid.clone(), view.clone());
        case.step(Event::Cluster(ClusterEvent::Pod(Box::new(view.clone()))));
        view.pod
    }

    /// Reasons of Events about Pods, and what was said.
    fn said(case: &Case) -> Vec<(&str, &str)> {
        case.said.iter().map(|said| (said.reason.as_str(), said.note.english())).collect()
    }

    fn reasons(status: &PodStatus) -> Vec<String> {
        let reason = |state: &ContainerState| match state {
            ContainerState::Waiting { reason, .. } => reason.to_string(),
            ContainerState::Running { .. } => "running".into(),
            ContainerState::Terminated { reason, .. } => format!("ended {reason}"),
        };
        status.containers.iter().map(|container| reason(&container.state)).collect()
    }

    #[test]
    fn what_a_webhook_injects_first_or_last_holds_nothing_back_and_is_named_once() {
        for first in [true, false] {
            let mut case = Case::start(|_| {}, &[]);
            case.until(3);
            let pod = place(&mut case, |view| {
                let at = if first { 0 } else { 1 };
                view.containers.insert(at, sidecar("istio-proxy", "docker.io/istio/proxyv2:1.27.3"));
                view.aside = vec!["istio-init".into(), "vault-agent".into()].into();
            });
            case.until(60);
            let status = case.pods[&pod.uid].status.clone();
            assert_eq!((status.phase, status.is_ready()), (Phase::Running, true), "{status:?}");
            assert_eq!(status.condition("ContainersReady").unwrap().status, ConditionStatus::True);
            let expected = if first { ["NotAModule", "running"] } else { ["running", "NotAModule"] };
            assert_eq!(reasons(&status), expected);
            let told = said(&case);
            assert_eq!(told.len(), 1, "probes of what is not run are nobody's business: {told:?}");
            assert!(told[0].1.contains("[istio-proxy istio-init vault-agent]"), "{told:?}");
            assert_eq!(case.commands, ["install biz1:1"]);
        }
    }

    #[test]
    fn a_rollout_of_what_is_injected_leaves_the_module_alone_and_debugging_is_told_of() {
        let mut case = Case::start(|_| {}, &[]);
        case.until(3);
        let pod = place(&mut case, |view| view.containers.insert(0, sidecar("proxy", "proxy:1")));
        case.until(10);
        case.change(&pod, |view| view.containers[0].image = "registry:5000/app.jar-tool:1.2".into());
        case.change(&pod, |view| view.aside = vec!["debugger-x7k".into()].into());
        case.until(60);
        assert_eq!(case.commands, ["install biz1:1"]);
        let status = &case.pods[&pod.uid].status;
        assert!(status.is_ready(), "{status:?}");
        assert_eq!(&*status.containers[0].image, "registry:5000/app.jar-tool:1.2");
        let told = said(&case);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1].1.contains("[debugger-x7k]"), "{told:?}");
        // The module itself is replaced as ever, and it is the same container.
        case.change(&pod, |view| view.containers[1].image = "file:///packages/other.jar".into());
        case.until(70);
        assert_eq!(case.commands, ["install biz1:1", "replace by biz1:1"]);
    }

    #[test]
    fn a_package_without_a_version_and_a_version_without_a_package_are_modules_with_their_errors() {
        for (change, code) in [
            ((|one| one.env.clear()) as fn(&mut ContainerView), "OtherUpstream.InvalidParameter"),
            (|one| one.image = "nginx:1".into(), "OtherUpstream.DecodeURLFailed"),
        ] {
            let mut case = Case::start(|_| {}, &[]);
            case.until(3);
            let pod = place(&mut case, |view| {
                view.containers.push(testing::container("biz2", "1"));
                change(&mut view.containers[1]);
            });
            case.until(60);
            let status = &case.pods[&pod.uid].status;
            assert!(!status.is_ready(), "{status:?}");
            assert_eq!(reasons(status), ["running", code]);
        }
    }

    #[test]
    fn a_pod_without_a_module_is_never_ready_and_says_so() {
        let mut case = Case::start(|_| {}, &[]);
        case.until(3);
        let pod = place(&mut case, |view| view.containers = vec![sidecar("web", "nginx:1")].into());
        case.until(60);
        let status = &case.pods[&pod.uid].status;
        let ready = status.condition("Ready").unwrap();
        assert_eq!((ready.status, &*ready.reason), (ConditionStatus::False, "NoModule"));
        assert_eq!((status.phase, reasons(status)), (Phase::Pending, vec!["NotAModule".to_owned()]));
        let told = said(&case);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "OtherUpstream.InvalidParameter");
        assert!(told[0].1.contains("none of its containers is a module"), "{told:?}");
        assert_eq!(case.commands, [""; 0]);
    }

    /// What the Go controller wrote has no statuses of sidecars.
    #[test]
    fn a_status_is_found_by_the_name_of_its_container() {
        let mut case = Case::start(|_| {}, &[("biz1", BizState::Activated)]);
        case.until(3);
        let started = Some(jiff::Timestamp::UNIX_EPOCH + Duration::from_secs(7));
        let pod = place(&mut case, |view| {
            view.containers.insert(0, sidecar("proxy", "proxy:1"));
            view.status.phase = Phase::Running;
            view.status.containers = vec![crate::view::ContainerStatus {
                name: "biz1".into(),
                image: "file:///packages/biz1-1.jar".into(),
                image_id: "file:///packages/biz1-1.jar".into(),
                ready: true,
                restart_count: 3,
                state: ContainerState::Running { started },
            }];
        });
        case.until(10);
        let status = &case.pods[&pod.uid].status;
        assert_eq!((&*status.containers[1].name, status.containers[1].restart_count), ("biz1", 3));
        assert_eq!(status.containers[1].state, ContainerState::Running { started });
        assert_eq!(case.commands, [""; 0]);
    }

    /// Its own module has done its work; the sidecar would run on for ever.
    #[test]
    fn a_job_completes_beside_a_sidecar() {
        let mut case = Case::start(|_| {}, &[]);
        case.until(3);
        let pod = place(&mut case, |view| {
            view.restart_policy = crate::view::RestartPolicy::Never;
            view.containers.push(sidecar("proxy", "proxy:1"));
        });
        case.until(5);
        case.held.values_mut().for_each(|state| *state = BizState::Stopped);
        case.until(60);
        let status = &case.pods[&pod.uid].status;
        assert_eq!(status.phase, Phase::Succeeded, "{status:?}");
        assert_eq!(reasons(status), ["ended Completed", "NotAModule"]);
    }
}
