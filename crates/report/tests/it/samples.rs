//! Hooks, and announcements to report.

use std::{net::Ipv4Addr, time::Duration};

use engine::{Alarm, Announcement, Regarding, view::PodRef};
use jiff::Timestamp;
use model::{BizId, ErrorCode, ErrorSource, ErrorType, Secret};
use report::{Config, Hook, HookCounts, Reporter};
use testkit::{
    robot::{Reply, Robot},
    wait::wait_for,
};
use tokio::net::TcpListener;

/// Everything here takes milliseconds; this allows for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn robot(replies: &[Reply]) -> Robot {
    Robot::start(replies).unwrap()
}

pub(crate) fn hook(url: &str, secret: Option<&str>) -> Hook {
    Hook::new(url, secret.map(Secret::new)).unwrap()
}

/// The URL of a robot that does not listen.
pub(crate) async fn nobody(token: &str) -> String {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    format!("http://{address}/robot/send?access_token={token}")
}

/// Short times, so that nothing is waited for but what is tested.
pub(crate) fn config() -> Config {
    let mut config = Config::new("dev");
    config.times.deadline = Duration::from_secs(10);
    config.times.retries = vec![Duration::from_millis(10); 2];
    config.times.throttled_retries = vec![Duration::from_millis(10); 2];
    config
}

pub(crate) fn reporter(hooks: Vec<Hook>, config: Config) -> Reporter {
    Reporter::start(hooks, config).unwrap()
}

pub(crate) fn now() -> Timestamp {
    "2026-11-23T01:02:03Z".parse().unwrap()
}

/// The install of biz1 failed on the base of this number.
pub(crate) fn failed(base: u32) -> Announcement {
    Announcement {
        regarding: Regarding::Pod(PodRef {
            namespace: "default".into(),
            name: format!("biz1-{base}").into(),
            uid: format!("u-{base}").into(),
        }),
        warning: true,
        reason: "Arklet.PullBizError".into(),
        action: "Install",
        note: "for the Event".into(),
        code: Some(ErrorCode::new(ErrorSource::Arklet, ErrorType::PullBizError)),
        detail: "for the log".into(),
        what: "installing biz1:1.0.0: no such file".into(),
        base: format!("base-{base}").parse().ok(),
        biz: Some(BizId { name: "biz1".parse().unwrap(), version: "1.0.0".parse().unwrap() }),
        trace: u64::from(base).into(),
        alarm: Some(Alarm::InstallFailed),
    }
}

/// Waits until a hook's counts are such.
pub(crate) fn wait_counts(
    reporter: &Reporter,
    hook: usize,
    wanted: impl Fn(HookCounts) -> bool,
) -> HookCounts {
    let mut last = HookCounts::default();
    wait_for(&format!("hook {hook}'s counts"), LIMIT, || {
        last = reporter.counts()[hook];
        Ok(wanted(last).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {last:?}"));
    last
}
