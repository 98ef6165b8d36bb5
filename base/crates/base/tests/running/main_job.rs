//! A module goes online, serves and goes offline.

use samples::{Health, Sample};
use serde_json::json;

use crate::support::{Base, Folder, serve_files};

#[test]
fn a_module_is_installed_served_and_uninstalled() {
    let base = Base::start(&[]);
    assert_eq!(base.get("/biz1/who").status, 404);
    base.installed(&Sample::new("biz1", "1.0.0"));
    assert_eq!(base.biz(), ["biz1:1.0.0 activated"]);
    assert_eq!(base.serving("biz1").as_deref(), Some("1.0.0"));
    assert_eq!(base.get("/biz1/nosuch").status, 404);
    let answer = base.arklet("uninstallBiz", &json!({"bizName": "biz1", "bizVersion": "1.0.0"}));
    assert_eq!(answer["data"]["message"], "Uninstall biz: biz1:1.0.0 success.");
    assert_eq!(base.get("/biz1/who").status, 404);
    assert!(base.biz().is_empty());
}

#[test]
fn a_package_comes_over_http_whole_or_not_at_all() {
    let base = Base::start(&[]);
    base.folder.package(&Sample::new("biz1", "1.0.0"));
    let server = serve_files(base.folder.path().to_owned());
    let install = |path: &str| {
        base.arklet("installBiz", &json!({"bizUrl": format!("http://user:secret@{server}/{path}")}))
    };
    for (path, says) in [
        ("half-biz1-1.0.0.wasm", "cut short"),
        ("nope.wasm", "FileNotFoundException"),
        ("", "no WebAssembly component"),
    ] {
        let answer = install(path);
        assert_eq!(answer["code"], "CMD_PROCESS_INTERNAL_ERROR", "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(says), "{answer}");
        assert!(!answer.to_string().contains("secret"), "{answer}");
        assert!(base.biz().is_empty());
    }
    assert_eq!(install("biz1-1.0.0.wasm")["code"], "SUCCESS");
    assert_eq!(base.serving("biz1").as_deref(), Some("1.0.0"));
}

#[test]
fn what_does_not_start_does_not_get_to_serve() {
    let base = Base::start(&[]);
    for (health, says) in [
        (Health::Trap, "it trapped: wasm trap: wasm `unreachable` instruction executed"),
        (Health::Down, "it says that it is not healthy: 503 {\"status\":\"DOWN\"}"),
        (Health::Loop, "it did not answer within 700ms"),
    ] {
        let sample = Sample::new("biz1", "1.0.0").health(health).limits(r#"{"requestMs":700}"#);
        let answer = base.install(&sample, "installOnly");
        let trace = answer["errorStackTrace"].as_str().unwrap_or_default();
        assert!(trace.ends_with(says), "{answer}");
        assert!(base.biz().is_empty());
        assert_eq!(base.get("/biz1/who").status, 404);
    }
}

#[test]
fn modules_of_a_folder_are_there_before_the_base_is_ready() {
    let modules = Folder::new();
    modules.package(&Sample::new("biz1", "1.0.0"));
    modules.package(&Sample::new("biz2", "1.0.0").path("shop"));
    let folder = format!("--com.alipay.sofa.ark.static.biz.dir={}", modules.path().display());
    let base = Base::start(&[&folder]);
    assert_eq!(base.biz(), ["biz1:1.0.0 activated", "biz2:1.0.0 activated"]);
    assert_eq!(base.serving("shop").as_deref(), Some("1.0.0"));
}

#[test]
fn a_batch_installs_what_it_can() {
    let base = Base::start(&[]);
    let one = base.folder.package(&Sample::new("biz1", "1.0.0"));
    let answer = base.arklet(
        "batchInstallBiz",
        &json!({"bizList": [{"bizUrl": one}, {"bizUrl": "file:///nowhere.wasm"}]}),
    );
    assert_eq!(answer["code"], "FAILED");
    let results = &answer["data"]["bizUrlToResponse"];
    assert_eq!(results[&one]["code"], "SUCCESS", "{answer}");
    assert_eq!(results["file:///nowhere.wasm"]["code"], "FAILED", "{answer}");
    assert_eq!(base.biz(), ["biz1:1.0.0 activated"]);
    base.folder.package(&Sample::new("biz2", "1.0.0"));
    let folder = base.folder.path().display().to_string();
    let answer = base.arklet("batchInstallBiz", &json!({"bizDirAbsolutePath": folder}));
    assert_eq!(answer["data"]["bizUrlToResponse"][&one]["code"], "REPEAT_BIZ", "{answer}");
    assert_eq!(base.biz(), ["biz1:1.0.0 activated", "biz2:1.0.0 activated"]);
}
