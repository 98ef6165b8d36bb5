//! Playback: the manual's scenario 5, and a base that is killed at whatever moment.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use samples::{Health, Sample};
use serde_json::{Value, json};

use crate::{
    controller::Controller,
    support::{Base, Folder, wait_for},
};

const PLAYBACK: &str = "--base.playback=true";
const SHOWN: &str = "--management.endpoint.health.show-details=always";

fn status(base: &Base) -> String {
    let answer = base.get("/actuator/health");
    format!("{} {}", answer.json()["status"].as_str().unwrap(), answer.status)
}

fn wait_status(base: &Base, expected: &str) {
    wait_for(expected, || {
        let status = status(base);
        if status == expected { Ok(()) } else { Err(status) }
    });
}

/// An entry of a baseline, its package written into the folder.
fn entry(folder: &Folder, name: &str, health: Health) -> Value {
    let url = folder.package(&Sample::new(name, "1.0.0").health(health));
    json!({"bizName": name, "bizVersion": "1.0.0", "bizUrl": url})
}

#[test]
fn scenario_5_the_baseline_is_waited_for_and_installed_before_the_base_is_ready() {
    let packages = Folder::new();
    let controller = Controller::start(None);
    let properties = [&*controller.property(), PLAYBACK, SHOWN];
    let base = Base::begin(Folder::new(), &properties, "it waits for its baseline");
    assert_eq!(status(&base), "UNKNOWN 200");
    assert_eq!(base.get("/actuator/health/readiness").status, 503);
    assert!(controller.heartbeats().is_empty());
    controller.set_baseline(json!([
        entry(&packages, "biz1", Health::Up),
        entry(&packages, "biz2", Health::Unknown)
    ]));
    wait_status(&base, "UP 200");
    assert_eq!(base.biz().len(), 2);
    assert_eq!(base.get("/actuator/health/readiness").status, 200);
    assert!(controller.asked() > 1);
    wait_for("a heartbeat", || {
        let heartbeats = controller.heartbeats();
        let state = heartbeats.first().map(|heartbeat| heartbeat["state"].clone());
        if state == Some("activated".into()) { Ok(()) } else { Err(format!("{heartbeats:?}")) }
    });
}

#[test]
fn scenario_5_what_fails_of_the_baseline_is_down_and_tried_again() {
    let packages = Folder::new();
    let missing = packages.path().join("biz2-1.0.0.wasm");
    let url = format!("file://{}", missing.display());
    let baseline = json!([
        entry(&packages, "biz1", Health::Unknown),
        {"bizName": "biz2", "bizVersion": "1.0.0", "bizUrl": url},
    ]);
    let controller = Controller::start(Some(baseline));
    let base = Base::start(&[&controller.property(), PLAYBACK, SHOWN]);
    assert_eq!(status(&base), "DOWN 503");
    let start = &base.get("/actuator/health").json()["components"]["masterBizStartUp"]["details"];
    assert_eq!(
        (&start["biz1:1.0.0"]["status"], &start["biz2:1.0.0"]["status"]),
        (&json!("UP"), &json!("DOWN"))
    );
    assert_eq!(base.serving("biz1").as_deref(), Some("1.0.0"));
    // The package is where it should be now.
    packages.package(&Sample::new("biz2", "1.0.0"));
    wait_status(&base, "UP 200");
    assert_eq!(base.serving("biz2").as_deref(), Some("1.0.0"));
}

#[test]
fn scenario_5_a_module_of_the_baseline_that_starts_and_one_that_is_not_well() {
    let packages = Folder::new();
    let slow = Health::UpFrom(SystemTime::now() + Duration::from_secs(3));
    let baseline = json!([entry(&packages, "biz1", slow), entry(&packages, "biz2", Health::Unknown)]);
    let controller = Controller::start(Some(baseline));
    let properties = [&*controller.property(), PLAYBACK, SHOWN];
    let base = Base::begin(Folder::new(), &properties, "the baseline has 2 modules");
    assert_eq!(status(&base), "UNKNOWN 200");
    wait_status(&base, "UP 200");
    for _ in 0..3 {
        assert_eq!(base.get("/biz2/trap").status, 500);
    }
    wait_status(&base, "DOWN 503");
}

#[test]
fn a_controller_that_was_away_hears_the_base_again() {
    let controller = Controller::start(None);
    let _base = Base::start(&[&controller.property(), "--base.heartbeat-ms=50"]);
    let heard = |more: usize| {
        let before = controller.heartbeats().len();
        wait_for("heartbeats", || {
            let heard = controller.heartbeats().len();
            if heard >= before + more { Ok(()) } else { Err(heard.to_string()) }
        });
    };
    heard(2);
    controller.set_away(true);
    wait_for("heartbeats that nobody answers", || {
        let unanswered = controller.unanswered();
        if unanswered >= 3 { Ok(()) } else { Err(unanswered.to_string()) }
    });
    controller.set_away(false);
    heard(2);
}

/// At whatever moment it is killed, also while it fetches, compiles or starts: it comes back with the whole baseline.
#[test]
fn a_base_that_is_killed_comes_back_with_its_baseline() {
    let packages = Folder::new();
    let baseline: Vec<Value> =
        ["biz1", "biz2", "biz3"].iter().map(|name| entry(&packages, name, Health::Up)).collect();
    let controller = Controller::start(Some(baseline.into()));
    let property = controller.property();
    let properties = [&*property, PLAYBACK];
    let mut data = Folder::new();
    for round in 0..12_u64 {
        let base = Base::begin(data, &properties, "the base listens");
        // The moments are spread over the time that a start takes.
        thread::sleep(Duration::from_millis(round * round));
        data = base.kill();
    }
    let base = Base::begin(data, &properties, "the base is ready");
    assert_eq!(status(&base), "UP 200");
    for name in ["biz1", "biz2", "biz3"] {
        assert_eq!(base.serving(name).as_deref(), Some("1.0.0"));
    }
    assert_eq!(base.biz().len(), 3);
}
