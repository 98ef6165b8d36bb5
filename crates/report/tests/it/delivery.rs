//! What arrives, what is tried again, and what is given up.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use report::HookCounts;
use sha2::{Digest, Sha256};

use testkit::robot::{Heard, Reply, Robot};

use crate::samples::{config, failed, hook, nobody, now, reporter, robot, wait_counts};

/// HMAC as RFC 2104 defines it, with the hash of another library than the product's.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| char::from(LETTERS[usize::try_from(bits & 63).unwrap()]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        text.extend([letter(bits >> 18), letter(bits >> 12)]);
        text.push(if chunk.len() > 1 { letter(bits >> 6) } else { '=' });
        text.push(if chunk.len() > 2 { letter(bits) } else { '=' });
    }
    text
}

fn query(heard: &Heard) -> HashMap<String, String> {
    url::form_urlencoded::parse(heard.query.as_bytes()).into_owned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_robot_gets_it_signed_where_it_has_a_secret() {
    let (signed, unsigned) = (robot(&[Reply::Take]), robot(&[Reply::Take]));
    let hooks = vec![hook(&signed.url("token-1"), Some("SEC123")), hook(&unsigned.url("token-2"), None)];
    let reporter = reporter(hooks, config());
    reporter.report(&failed(1), now());
    let (with, without) =
        (signed.wait_heard(1).unwrap().remove(0), unsigned.wait_heard(1).unwrap().remove(0));

    let signed_with = query(&with);
    assert_eq!(signed_with["access_token"], "token-1");
    let timestamp = &signed_with["timestamp"];
    let sign = base64(&hmac_sha256(b"SEC123", format!("{timestamp}\nSEC123").as_bytes()));
    assert_eq!(signed_with["sign"], sign);
    let sent_ago = jiff::Timestamp::now().as_millisecond() - timestamp.parse::<i64>().unwrap();
    assert!((0..60_000).contains(&sent_ago), "DingTalk takes milliseconds of now: {sent_ago}");
    assert_eq!(without.query, "access_token=token-2");

    assert_eq!(with.body, without.body);
    assert_eq!(with.content_type, "application/json; charset=utf-8");
    assert_eq!((&with.body["msgtype"], with.reports()), (&"markdown".into(), 1));
    for said in [
        "Arklet.PullBizError",
        "拉包失败 / Pulling the package failed",
        "请重试 / Retry",
        "base-1",
        "default/biz1-1",
        "biz1:1.0.0",
        "0000000000000001",
        "> installing biz1:1.0.0: no such file",
    ] {
        assert!(with.text().contains(said), "{said} is not in\n{}", with.text());
    }
    for hook in [0, 1] {
        wait_counts(&reporter, hook, |counts| counts == HookCounts { sent: 1, ..HookCounts::default() });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_hook_and_a_slow_one_delay_no_other() {
    let (slow, good) = (robot(&[Reply::Hang]), robot(&[Reply::Take]));
    let dead = hook(&nobody("t").await, None);
    let reporter = reporter(vec![dead, hook(&slow.url("t"), None), hook(&good.url("t"), None)], config());
    let begun = Instant::now();
    reporter.report(&failed(1), now());
    wait_counts(&reporter, 2, |counts| counts.sent == 1);
    reporter.report(&failed(2), now());
    wait_counts(&reporter, 2, |counts| counts.sent == 2);
    assert!(begun.elapsed() < config().times.deadline, "it waited for the slow one");
    wait_counts(&reporter, 0, |counts| counts.failed == 2);
    assert_eq!(reporter.counts()[1], HookCounts::default(), "it still hangs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_slow_is_given_up_and_the_next_message_says_so() {
    let robot = robot(&[Reply::Hang]);
    let mut config = config();
    config.times.deadline = Duration::from_millis(100);
    let reporter = reporter(vec![hook(&robot.url("t"), None)], config);
    reporter.report(&failed(1), now());
    wait_counts(&reporter, 0, |counts| counts.failed == 1);
    assert_eq!(robot.heard().len(), 3, "once, and again after each pause");
    robot.answer(Reply::Take);
    reporter.report(&failed(2), now());
    let last = robot.wait_heard(4).unwrap().remove(3);
    assert!(last.text().contains("1 earlier reports could not be delivered"), "{}", last.text());
    reporter.report(&failed(3), now());
    let last = robot.wait_heard(5).unwrap().remove(4);
    assert!(!last.text().contains("could not be delivered"), "{}", last.text());
    wait_counts(&reporter, 0, |counts| counts == HookCounts { sent: 2, failed: 1, ..HookCounts::default() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_in_dingtalks_words_is_final_although_its_status_is_200() {
    let robot = robot(&[Reply::Say(r#"{"errcode":310000,"errmsg":"sign not match"}"#)]);
    let reporter = reporter(vec![hook(&robot.url("t"), Some("SEC"))], config());
    reporter.report(&failed(1), now());
    wait_counts(&reporter, 0, |counts| counts.failed == 1);
    assert_eq!(robot.heard().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_will_pass_is_tried_again() {
    for first in [
        Reply::Status(500),
        Reply::Status(429),
        Reply::Say(r#"{"errcode":-1,"errmsg":"busy"}"#),
        Reply::Say(r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#),
    ] {
        let robot = robot(&[first, first, Reply::Take]);
        let reporter = reporter(vec![hook(&robot.url("t"), None)], config());
        reporter.report(&failed(1), now());
        let counts = wait_counts(&reporter, 0, |counts| counts.sent + counts.failed == 1);
        assert_eq!((counts.sent, robot.heard().len()), (1, 3), "{first:?}");
        assert_eq!(robot.heard()[0].body, robot.heard()[2].body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_fault_is_told_once_and_counted() {
    let robot = robot(&[Reply::Take]);
    let reporter = reporter(vec![hook(&robot.url("t"), None)], config());
    for _ in 0..3 {
        reporter.report(&failed(1), now());
    }
    let mut other_pod = failed(1);
    other_pod.regarding = failed(9).regarding;
    reporter.report(&other_pod, now());
    reporter.report(&failed(2), now());
    wait_counts(&reporter, 0, |counts| counts.sent == 2 && counts.suppressed == 3);
    let mut event_only = failed(3);
    event_only.alarm = None;
    reporter.report(&event_only, now());
    assert!(reporter.shutdown(Duration::from_secs(10)).await);
    let told: usize = robot.heard().iter().map(|heard| heard.reports()).sum();
    assert_eq!(told, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_landslide_costs_the_caller_nothing_and_every_report_is_accounted_for() {
    const REPORTS: u32 = 2_000;
    let robot = robot(&[Reply::Hang, Reply::Take]);
    let mut config = config();
    config.times.deadline = Duration::from_secs(2);
    let reporter = reporter(vec![hook(&robot.url("t"), None)], config);
    reporter.report(&failed(0), now());
    robot.wait_heard(1).unwrap();
    let begun = Instant::now();
    for base in 1..=REPORTS {
        reporter.report(&failed(base), now());
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "the caller waited: {:?}", begun.elapsed());
    // The queue holds 300; a message on its way holds none of them yet.
    let counts = wait_counts(&reporter, 0, |counts| counts.dropped > 0);
    assert_eq!(counts.sent, 0);
    wait_counts(&reporter, 0, |counts| counts.dropped == u64::from(REPORTS) - 300);
    let after = robot.wait_heard(3).unwrap().remove(2);
    assert_eq!(after.reports(), 20, "as many as a message holds");
    assert!(after.text().contains(&format!("{} earlier reports", REPORTS - 300)), "{}", after.text());
    assert!(after.text().contains("base-1\n") && !after.text().contains("base-2000"), "the first ones");
    reporter.shutdown(Duration::from_secs(10)).await;
    let counts = reporter.counts()[0];
    assert_eq!(counts.sent + counts.failed + counts.dropped, u64::from(REPORTS) + 1, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_robot_whose_certificate_nobody_vouches_for_hears_nothing() {
    let robot = Robot::start_tls(&[Reply::Take]).unwrap();
    let reporter = reporter(vec![hook(&robot.url("t"), None)], config());
    reporter.report(&failed(1), now());
    wait_counts(&reporter, 0, |counts| counts.failed == 1);
    assert!(robot.heard().is_empty());
}
