//! What modules print, as a controller reads it.

use std::io::{BufRead as _, BufReader};

use samples::Sample;
use serde_json::json;

use crate::support::{Base, get, wait_for};

/// Reads a log, whole.
fn log(base: &Base, parameters: &str) -> String {
    let answer = get(&base.log_url("biz1", parameters));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[test]
fn a_modules_output_is_read_whole_or_in_part() {
    let base = Base::start(&[]);
    base.installed(&Sample::new("biz1", "1.0.0"));
    base.installed(&Sample::new("biz2", "1.0.0"));
    for path in ["/biz1/print-1", "/biz1/error-2", "/biz2/print-other", "/biz1/print-3"] {
        assert_eq!(base.get(path).status, 200);
    }
    assert_eq!(log(&base, ""), "/print-1\n/error-2\n/print-3\n");
    assert_eq!(log(&base, "&tailLines=2"), "/error-2\n/print-3\n");
    assert_eq!(log(&base, "&tailLines=2&limitBytes=4"), "/err");
    assert_eq!(log(&base, "&sinceSeconds=3600&tailLines=1"), "/print-3\n");
    assert_eq!(log(&base, "&sinceTime=2999-01-01T00:00:00Z"), "");
    let dated = log(&base, "&tailLines=1&timestamps=true");
    assert!(dated.starts_with("20") && dated.ends_with("Z /print-3\n"), "{dated}");
    // Why a request got no answer is there too.
    assert_eq!(base.get("/biz1/trap").status, 500);
    wait_for("the trap", || {
        let last = log(&base, "&tailLines=1");
        if last.contains("a request got no answer: it trapped") { Ok(()) } else { Err(last) }
    });
    assert_eq!(get(&base.log_url("biz1", "&tail=1")).status, 400);
    assert_eq!(get(&base.log_url("biz3", "")).status, 404);
}

#[test]
fn a_log_is_followed_until_its_module_goes() {
    let base = Base::start(&[]);
    base.installed(&Sample::new("biz1", "1.0.0"));
    base.get("/biz1/print-1");
    let followed = ureq::get(&base.log_url("biz1", "&follow=true")).call().unwrap();
    let mut lines = BufReader::new(followed.into_body().into_reader()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "/print-1");
    // Only what is printed after the first line was read can be the second.
    base.get("/biz1/print-2");
    assert_eq!(lines.next().unwrap().unwrap(), "/print-2");
    let id = json!({"bizName": "biz1", "bizVersion": "1.0.0"});
    assert_eq!(base.arklet("uninstallBiz", &id)["code"], "SUCCESS");
    assert!(lines.next().is_none());
    assert_eq!(get(&base.log_url("biz1", "")).status, 404);
}

#[test]
fn a_module_that_prints_without_end_keeps_a_bounded_log() {
    let base = Base::start(&["--base.module.log-kib=64"]);
    base.installed(&Sample::new("biz1", "1.0.0").limits(r#"{"requestMs":500}"#));
    assert_eq!(base.get("/biz1/output").status, 504);
    let all = log(&base, "");
    assert!(all.len() > 1_000 && all.len() < 64 * 1024, "{} bytes", all.len());
}

#[test]
fn whoever_reads_logs_leaves_room_for_commands_and_for_the_end() {
    let base = Base::start(&[]);
    base.installed(&Sample::new("biz1", "1.0.0"));
    let follow = || ureq::get(&base.log_url("biz1", "&follow=true")).call();
    let readers: Vec<_> = (0..16).map(|_| follow().unwrap()).collect();
    assert_eq!(get(&base.log_url("biz1", "")).status, 503);
    assert_eq!(base.biz(), ["biz1:1.0.0 activated"]);
    drop(readers);
    wait_for("a place", || {
        let answer = get(&base.log_url("biz1", ""));
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    });
}
