//! A module goes online, serves and goes offline.

use std::{fs, process::Command};

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
fn a_package_is_the_one_that_was_asked_for_by_its_hash_its_name_and_its_version() {
    let base = Base::start(&[]);
    let url = base.folder.package(&Sample::new("biz1", "1.0.0"));
    let hash = |byte: &str| format!("{url}#sha256={}", byte.repeat(32));
    let order = |name: &str, version: &str| json!({"bizName": name, "bizVersion": version, "bizUrl": url});
    for (order, says) in [
        (json!({"bizUrl": hash("ab")}), "its SHA-256 is"),
        (json!({"bizUrl": hash("xy")}), "64 hexadecimal digits"),
        (order("biz2", "1.0.0"), "the package is of biz1:1.0.0, and biz2:1.0.0 was asked for"),
        (order("biz1", "2.0.0"), "the package is of biz1:1.0.0, and biz1:2.0.0 was asked for"),
    ] {
        let answer = base.arklet("installBiz", &order);
        assert_eq!(answer["code"], "CMD_PROCESS_INTERNAL_ERROR", "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(says), "{answer}");
        assert!(base.biz().is_empty());
    }
    assert_eq!(base.arklet("installBiz", &order("biz1", "1.0.0"))["code"], "SUCCESS");
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
fn a_component_becomes_a_package_by_a_stamp() {
    let base = Base::start(&[]);
    let path = |name: &str| base.folder.path().join(name);
    fs::write(path("component.wasm"), Sample::new("x", "1").component().unwrap()).unwrap();
    let stamp = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_base"));
        command.arg("stamp").arg(path("component.wasm")).args([
            "--name",
            "biz1",
            "--module-version",
            "1.0.0",
        ]);
        command.args(more).arg("--output").arg(path("package.wasm")).output().unwrap()
    };
    let refused = stamp(&["--limits", r#"{"memoryMiB":0}"#]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("limits.memoryMiB is 0"));
    assert!(stamp(&["--web-context-path", "shop"]).status.success());
    let url = format!("file://{}", path("package.wasm").display());
    let answer = base.arklet("installBiz", &json!({"bizUrl": url}));
    assert_eq!(answer["code"], "SUCCESS", "{answer}");
    assert_eq!(base.get("/shop/who").status, 200);
}

#[test]
fn an_identity_is_kept_where_it_is_asked_to() {
    let identity = |base: &Base| base.arklet("help", &json!({}))["baseIdentity"].clone();
    let first = Base::start(&["--base.identity=kept"]);
    let known = identity(&first);
    let again = Base::begin(first.kill(), &["--base.identity=kept"], "the base is ready");
    assert_eq!(identity(&again), known);
    let other = Base::begin(again.kill(), &[], "the base is ready");
    assert_ne!(identity(&other), known);
    drop(other);
    assert_eq!(identity(&Base::start(&["--base.identity=mine"])), "mine");
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
