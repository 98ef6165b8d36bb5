//! The end: short, and nothing is lost without being counted.

use std::time::{Duration, Instant};

use report::HookCounts;

use testkit::robot::Reply;

use crate::samples::{config, failed, hook, now, reporter, robot};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_sent_at_the_end() {
    let robot = robot(&[Reply::Take]);
    let reporter = reporter(vec![hook(&robot.url("t"), None)], config());
    // As many as may go at once, should each get a message of its own.
    for base in 0..5 {
        reporter.report(&failed(base), now());
    }
    assert!(reporter.shutdown(Duration::from_secs(10)).await);
    assert_eq!(reporter.counts(), [HookCounts { sent: 5, ..HookCounts::default() }]);
    reporter.report(&failed(6), now());
    assert_eq!(reporter.counts()[0].dropped, 1, "it is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_robot_that_hangs_does_not_hold_the_end_up() {
    let robot = robot(&[Reply::Hang]);
    let reporter = reporter(vec![hook(&robot.url("t"), None)], config());
    for base in 0..30 {
        reporter.report(&failed(base), now());
    }
    robot.wait_heard(1).unwrap();
    let begun = Instant::now();
    assert!(!reporter.shutdown(Duration::from_millis(200)).await);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(reporter.counts(), [HookCounts { failed: 30, ..HookCounts::default() }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_pause_before_another_attempt_holds_the_end_up() {
    let robot = robot(&[Reply::Status(500)]);
    let mut config = config();
    config.times.retries = vec![Duration::from_secs(600)];
    let reporter = reporter(vec![hook(&robot.url("t"), None)], config);
    reporter.report(&failed(1), now());
    robot.wait_heard(1).unwrap();
    assert!(reporter.shutdown(Duration::from_secs(10)).await);
    assert_eq!(reporter.counts(), [HookCounts { failed: 1, ..HookCounts::default() }]);
}

#[tokio::test]
async fn without_hooks_nothing_runs() {
    let reporter = reporter(Vec::new(), config());
    reporter.report(&failed(1), now());
    assert!(reporter.counts().is_empty() && reporter.shutdown(Duration::ZERO).await);
}
