use model::{ErrorCode, ErrorSource, ErrorType, Language};

use super::*;
use crate::{pod::wait::Wait, testing};

const WALL: Timestamp = Timestamp::constant(1_800_000_000, 500_000_000);
const NOW: Now = Now { mono: Duration::from_secs(100), wall: WALL };

fn base(serves: bool) -> BaseStanding {
    BaseStanding { ip: "127.0.0.9".into(), serves }
}

fn told(pod: &mut ModulePod, standing: Standing, base: &BaseStanding) -> Option<PodStatus> {
    let status = desired(pod, &[standing], base, Language::English, NOW)?;
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
    assert_eq!(told(&mut pod, Standing::Running(Some(WALL)), &base(true)), None, "the same is not written");
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

/// Reasons are words of Kubernetes and codes, and stay; what people read is in their language.
#[test]
fn in_chinese_everything_is_told_in_chinese() {
    let is_chinese = |text: &str| text.chars().any(|c| ('\u{3400}'..='\u{9fff}').contains(&c));
    for (standing, reason) in [
        (Standing::Deactivated, "BizDeactivate"),
        (Standing::Failed(fault()), "Arklet.PullBizError"),
        (Standing::Gone, "BizGone"),
    ] {
        let pod = ModulePod::new(testing::pod("p", "biz1", "1"));
        let status = desired(&pod, &[standing], &base(false), Language::Chinese, NOW).unwrap();
        let (ContainerState::Waiting { reason: told, message }
        | ContainerState::Terminated { reason: told, message, .. }) = &status.containers[0].state
        else {
            panic!("{status:?}")
        };
        assert!(**told == *reason && is_chinese(message), "{told}: {message}");
        let ready = status.condition("Ready").unwrap();
        assert!(&*ready.reason == "BaseInstanceNotReady" && is_chinese(&ready.message), "{ready:?}");
    }
}

/// It is told with its first words, keeps them, and gets others when these have lasted.
#[test]
fn a_wait_is_told_once_it_lasts_and_its_words_stay() {
    let mut pod = ModulePod::new(testing::pod("p", "biz1", "1"));
    let at = |seconds| Now { mono: Duration::from_secs(seconds), wall: WALL };
    let mut look = |wait: Wait, seconds| {
        pod.containers[0].waiting.see(Some(wait), at(seconds));
        let status = desired(&pod, &[Standing::Installing], &base(true), Language::English, at(seconds))?;
        if tells_wait(&status, &pod.view.status, 0) {
            pod.containers[0].waiting.told();
        }
        pod.view.status = status.clone();
        let ContainerState::Waiting { reason, message } = &status.containers[0].state else { panic!() };
        assert_eq!(&**reason, "Installing");
        Some(message.to_string())
    };
    assert_eq!(look(Wait::Intent, 1), None);
    assert_eq!(look(Wait::Workers(8), 2), None);
    assert_eq!(look(Wait::Workers(8), 11), None);
    let told = look(Wait::Workers(8), 12).unwrap();
    assert!(told.starts_with("since 2027-01-15T08:00:00Z it waits for its turn: 8 commands"), "{told}");
    for seconds in 13..60 {
        assert_eq!(look(Wait::Workers(8), seconds), None);
    }
    assert_eq!(look(Wait::Command(arklet::CommandKind::InstallBiz), 60), None);
    assert_eq!(look(Wait::Command(arklet::CommandKind::InstallBiz), 79), None);
    let told = look(Wait::Command(arklet::CommandKind::InstallBiz), 80).unwrap();
    assert!(told.ends_with("it waits for the base to carry installBiz out"), "{told}");
}

#[test]
fn what_gave_way_stays_told_while_nobody_knows_how_it_stands() {
    let mut pod = ModulePod::new(testing::pod("p", "biz1", "1"));
    told(&mut pod, Standing::Deactivated, &base(true)).unwrap();
    pod.containers[0].waiting.see(Some(Wait::Base), Now { mono: Duration::ZERO, wall: WALL });
    assert!(pod.containers[0].waiting.lasts(NOW.mono));
    let status = told(&mut pod, Standing::Unknown, &base(false)).unwrap();
    assert!(status.containers.iter().all(is_deactivated), "{status:?}");
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
    let status = desired(&pod, &standings, &base(true), Language::English, NOW).unwrap();
    let ready = status.condition("Ready").unwrap();
    assert_eq!(
        (ready.status, &*ready.message),
        (ConditionStatus::False, "containers with unready status: [biz2]")
    );
    assert_eq!(status.phase, Phase::Running);
}
