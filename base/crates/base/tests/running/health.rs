//! Health and info, row by row of the manual's 5.3.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use samples::{Health, Sample};
use serde_json::json;

use crate::support::{Base, Folder, wait_for};

const SHOWN: &str = "--management.endpoint.health.show-details=always";
const EXPOSED: &str = "--management.endpoints.web.exposure.include=health,info";
const WITH_ALL: &str = "--koupleless.healthcheck.base.readiness.withAllBizReadiness=true";

/// Three seconds from now.
fn slow() -> Health {
    Health::UpFrom(SystemTime::now() + Duration::from_secs(3))
}

/// The whole status and its HTTP code.
fn status(base: &Base) -> String {
    let answer = base.get("/actuator/health");
    format!("{} {}", answer.json()["status"].as_str().unwrap(), answer.status)
}

/// Installs in a thread of its own, as something that takes its time.
fn install_meanwhile(base: &Base, sample: &Sample) {
    let url = base.folder.package(sample);
    let answer = base.arklet("installBiz", &json!({"bizUrl": url, "async": true, "requestId": "meanwhile"}));
    assert_eq!(answer["code"], "SUCCESS", "{answer}");
    wait_for("the install to be at work", || {
        let biz = base.biz();
        if biz.iter().any(|one| one.ends_with("resolved")) { Ok(()) } else { Err(format!("{biz:?}")) }
    });
}

#[test]
fn scenario_1_a_base_without_modules() {
    let base = Base::start(&[]);
    assert_eq!(status(&base), "UP 200");
    assert_eq!(base.get("/actuator/health/readiness").json(), json!({"status": "UP"}));
    assert_eq!(base.get("/actuator/health/liveness").json(), json!({"status": "UP"}));
}

/// What the base needs itself is a folder with room.
#[test]
fn scenario_1_a_base_that_is_not_well() {
    let base = Base::start(&[SHOWN]);
    let data = base.folder.path().join("data");
    fs::remove_dir_all(&data).unwrap();
    assert_eq!(status(&base), "DOWN 503");
    let disk = &base.get("/actuator/health").json()["components"]["diskSpace"];
    assert_eq!((&disk["status"], &disk["details"]["exists"]), (&json!("DOWN"), &json!(false)), "{disk}");
    fs::create_dir(&data).unwrap();
    assert_eq!(status(&base), "UP 200");
}

/// Requests that trap, until the module counts as not well.
fn fail(base: &Base, biz: &str) {
    for _ in 0..3 {
        assert_eq!(base.get(&format!("/{biz}/trap")).status, 500);
    }
    wait_status(base, "DOWN 503");
}

fn wait_status(base: &Base, expected: &str) {
    wait_for(&format!("the base to be {expected}"), || {
        let status = status(base);
        if status == expected { Ok(()) } else { Err(status) }
    });
}

#[test]
fn scenario_2_static_merge_that_is_not_well_or_not_there() {
    let modules = Folder::new();
    modules.package(&Sample::new("biz1", "1.0.0"));
    let folder = |path: &str| format!("--com.alipay.sofa.ark.static.biz.dir={path}");
    for with_all in [WITH_ALL, &WITH_ALL.replace("true", "false")] {
        let base = Base::start(&[&folder(&modules.path().display().to_string()), with_all]);
        assert_eq!(status(&base), "UP 200");
        fail(&base, "biz1");
        // The base itself has failed to start.
        assert_eq!(status(&Base::start(&[&folder("/nowhere"), with_all])), "DOWN 503");
    }
}

#[test]
fn scenario_2_static_merge_up_starting_and_failed() {
    for (health, expected, ready) in [(Health::Up, "UP 200", 200), (Health::Trap, "DOWN 503", 503)] {
        let modules = Folder::new();
        modules.package(&Sample::new("biz1", "1.0.0").health(health));
        let folder = format!("--com.alipay.sofa.ark.static.biz.dir={}", modules.path().display());
        let base = Base::start(&[&folder, SHOWN]);
        assert_eq!(status(&base), expected);
        assert_eq!(base.get("/actuator/health/readiness").status, ready);
    }
    let modules = Folder::new();
    modules.package(&Sample::new("biz1", "1.0.0").health(slow()));
    let folder = format!("--com.alipay.sofa.ark.static.biz.dir={}", modules.path().display());
    let base = Base::begin(Folder::new(), &[&folder], "the base listens");
    assert_eq!(status(&base), "UNKNOWN 200");
    assert_eq!(base.get("/actuator/health/readiness").status, 503);
    assert_eq!(base.get("/actuator/health/liveness").status, 200);
    wait_status(&base, "UP 200");
}

#[test]
fn scenario_3_hot_deployment_that_does_not_count() {
    let base = Base::start(&[SHOWN]);
    assert_eq!(
        base.install(&Sample::new("bad", "1").health(Health::Trap), "installOnly")["code"],
        "CMD_PROCESS_INTERNAL_ERROR"
    );
    assert_eq!(status(&base), "UP 200");
    install_meanwhile(&base, &Sample::new("slow", "1").health(slow()));
    assert_eq!(status(&base), "UP 200");
    let start = &base.get("/actuator/health").json()["components"]["masterBizStartUp"];
    assert_eq!(start["details"]["slow:1"]["status"], "UNKNOWN", "{start}");
}

#[test]
fn scenario_3_hot_deployment_that_counts() {
    let base = Base::start(&[SHOWN, WITH_ALL]);
    install_meanwhile(&base, &Sample::new("slow", "1").health(slow()));
    assert_eq!(status(&base), "UNKNOWN 200");
    wait_status(&base, "UP 200");
    base.install(&Sample::new("bad", "1").health(Health::Trap), "installOnly");
    assert_eq!(status(&base), "DOWN 503");
    let start = &base.get("/actuator/health").json()["components"]["masterBizStartUp"];
    assert_eq!(start["details"]["bad:1"]["status"], "DOWN", "{start}");
    assert_eq!(base.get("/actuator/health/readiness").status, 503);
    // What came in its place is well.
    base.installed(&Sample::new("bad", "2"));
    assert_eq!(status(&base), "UP 200");
    fail(&base, "bad");
}

#[test]
fn scenario_4_a_running_module_that_is_not_well() {
    let base = Base::start(&[SHOWN]);
    base.installed(&Sample::new("biz1", "1.0.0"));
    base.installed(&Sample::new("biz2", "1.0.0").health(Health::Up));
    assert_eq!(status(&base), "UP 200");
    fail(&base, "biz1");
    let aggregate = &base.get("/actuator/health").json()["components"]["arkBizAggregate"];
    assert_eq!(aggregate["details"]["biz1:1.0.0"]["status"], "DOWN", "{aggregate}");
    assert_eq!(
        aggregate["details"]["biz1:1.0.0"]["details"]["requests"]["details"]["trapped"], 3,
        "{aggregate}"
    );
    assert_eq!(aggregate["details"]["biz2:1.0.0"]["status"], "UP", "{aggregate}");
    // One bad module does not take the base from its neighbours.
    assert_eq!(base.get("/actuator/health/readiness").status, 200);
    assert_eq!(base.get("/biz1/actuator/health").status, 503);
    assert_eq!(base.get("/biz2/actuator/health").json()["status"], "UP");
}

#[test]
fn before_an_uninstallation_its_start_up_is_down_and_it_serves() {
    let base = Base::start(&[
        SHOWN,
        WITH_ALL,
        "--com.alipay.sofa.koupleless.runtime.operation.silenceSecondsBeforeUninstall=2",
    ]);
    base.installed(&Sample::new("biz1", "1.0.0"));
    let id = json!({"bizName": "biz1", "bizVersion": "1.0.0", "async": true, "requestId": "r"});
    assert_eq!(base.arklet("uninstallBiz", &id)["code"], "SUCCESS");
    wait_for("traffic to be told off", || {
        let status = base.get("/actuator/health/readiness").status;
        if status == 503 { Ok(()) } else { Err(status.to_string()) }
    });
    assert_eq!(base.serving("biz1").as_deref(), Some("1.0.0"));
    wait_for(
        "it to be gone",
        || if base.biz().is_empty() { Ok(()) } else { Err(format!("{:?}", base.biz())) },
    );
    assert_eq!(status(&base), "UP 200");
}

#[test]
fn what_is_not_exposed_is_not_there() {
    let base = Base::start(&[]);
    base.installed(&Sample::new("biz1", "1.0.0"));
    for path in
        ["/actuator", "/actuator/info", "/actuator/beans", "/biz1/actuator/info", "/nosuch/actuator/health"]
    {
        assert_eq!(base.get(path).status, 404, "{path}");
    }
    let health = base.get("/actuator/health").json();
    assert_eq!(health.get("components"), None, "{health}");
    let base = Base::start(&["--management.endpoints.web.exposure.include=info"]);
    assert_eq!((base.get("/actuator/health").status, base.get("/actuator/info").status), (404, 200));
}

#[test]
fn components_without_details() {
    let base = Base::start(&["--management.endpoint.health.show-components=always"]);
    let health = base.get("/actuator/health").json();
    assert_eq!(health["components"]["arkBizAggregate"], json!({"status": "UP"}), "{health}");
    assert_eq!(health["components"]["masterBizStartUp"], json!({"status": "UP"}), "{health}");
}

#[test]
fn info_names_all_modules_and_the_base() {
    let base = Base::start(&[EXPOSED]);
    base.installed(&Sample::new("biz1", "1.0.0").path("shop"));
    base.installed(&Sample::new("biz1", "2.0.0").path("shop"));
    let expected = json!({
        "arkBizInfo": [
            {"bizName": "biz1", "bizVersion": "1.0.0", "bizState": "ACTIVATED", "webContextPath": "shop"},
            {"bizName": "biz1", "bizVersion": "2.0.0", "bizState": "DEACTIVATED", "webContextPath": "shop"},
            {"bizName": "base", "bizVersion": "1.0.0", "bizState": "ACTIVATED", "webContextPath": "/"},
        ],
        "arkPluginInfo": [],
    });
    assert_eq!(base.get("/actuator/info").json(), expected);
    let own = base.get("/shop/actuator/info").json();
    assert_eq!(own, json!({"app": {"name": "biz1", "version": "1.0.0"}}));
}

/// A module that does not say how it is keeps nobody waiting.
#[test]
fn a_module_that_does_not_answer_is_down_and_delays_little() {
    let base = Base::start(&[SHOWN]);
    base.installed(&Sample::new("slow", "1").health(Health::Slow(Duration::from_secs(2))));
    // The question of the install may be about to end, and nobody asks twice at a time: until then it is what was said last.
    wait_status(&base, "DOWN 503");
    let aggregate = &base.get("/actuator/health").json()["components"]["arkBizAggregate"];
    let error = &aggregate["details"]["slow:1"]["details"]["health"]["details"]["error"];
    assert_eq!(error, "it did not answer within 500ms", "{aggregate}");
}
