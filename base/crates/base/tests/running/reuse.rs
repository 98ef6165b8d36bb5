//! Instances that answer more than one request.

use std::thread;

use samples::Sample;

use crate::support::{Base, get, wait_for};

/// How many requests the instance has had that answers this one. Where one is at work at a time, the next comes in when the
/// instance before it was put aside.
fn number(base: &Base, biz: &str) -> u32 {
    wait_for("a place", || {
        let answer = base.get(&format!("/{biz}/instance"));
        if answer.status == 200 { Ok(answer.body.parse().unwrap()) } else { Err(answer.body) }
    })
}

#[test]
fn an_instance_answers_as_many_requests_as_its_package_says_and_no_more() {
    let base = Base::start(&[]);
    base.installed(&Sample::new("fresh", "1.0.0").limits(r#"{"concurrentRequests":1}"#));
    base.installed(&Sample::new("biz1", "1.0.0").limits(r#"{"reuse":3,"concurrentRequests":1}"#));
    // The instance of the base's own question at the start may be among them.
    let numbers: Vec<u32> = (0..12).map(|_| number(&base, "biz1")).collect();
    assert!(numbers.iter().all(|number| (1..=3).contains(number)), "{numbers:?}");
    assert!(numbers.iter().filter(|number| **number == 3).count() >= 3, "{numbers:?}");
    assert!((0..4).all(|_| number(&base, "fresh") == 1));
}

#[test]
fn an_instance_that_trapped_or_was_late_answers_no_more() {
    let base = Base::start(&[]);
    let limits = r#"{"reuse":100,"concurrentRequests":1,"requestMs":2000}"#;
    base.installed(&Sample::new("biz1", "1.0.0").limits(limits));
    for (path, status) in [("trap", 500), ("loop", 504)] {
        assert!((0..10).map(|_| number(&base, "biz1")).max() >= Some(8), "before {path}");
        wait_for(path, || {
            let answer = base.get(&format!("/biz1/{path}"));
            if answer.status == status { Ok(()) } else { Err(answer.body) }
        });
        assert!(number(&base, "biz1") <= 3, "after {path}");
    }
}

#[test]
fn the_operator_may_have_every_instance_fresh() {
    let base = Base::start(&["--base.module.reuse=1"]);
    base.installed(&Sample::new("biz1", "1.0.0").limits(r#"{"reuse":100,"concurrentRequests":1}"#));
    assert!((0..4).all(|_| number(&base, "biz1") == 1));
}

/// An instance has one request at a time: side by side there are several.
#[test]
fn requests_side_by_side_have_instances_of_their_own() {
    let base = Base::start(&[]);
    base.installed(&Sample::new("biz1", "1.0.0").limits(r#"{"reuse":1000}"#));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let url = format!("http://{}/biz1/double", base.web());
            thread::spawn(move || (0..50).all(|_| get(&url).body.matches("biz1").count() == 2))
        })
        .collect();
    assert!(callers.into_iter().all(|caller| caller.join().unwrap()));
    let answered = number(&base, "biz1");
    // 400 requests and no more instances than there were callers: at least one has answered many.
    assert!(answered > 8, "{answered}");
}
