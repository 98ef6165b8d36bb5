//! What we send is what a base was seen to accept.

use arklet::{Command, WireStrategy, baseline_answer, command_topic, mqtt::baseline_topic};
use model::{BizId, InstallStrategy, ModuleSpec};
use serde_json::Value;

use crate::recordings::{calls, env, testdata};

fn id(name: &str, version: &str) -> BizId {
    BizId { name: name.parse().unwrap(), version: version.parse().unwrap() }
}

/// The module as the recordings install it.
fn spec(name: &str, version: &str) -> ModuleSpec {
    ModuleSpec {
        id: id(name, version),
        url: format!("file:///opt/lab/dist/{name}-{version}-ark-biz.jar").parse().unwrap(),
        strategy: InstallStrategy::Auto,
        args: [].into(),
        envs: [].into(),
    }
}

fn install(spec: ModuleSpec) -> Command {
    Command::InstallBiz { spec, strategy: WireStrategy::InstallOnly }
}

/// Holds the command against the request in a recording, and says that it was carried out there.
fn same_as(file: &str, command: &Command) {
    let file = format!("http/2.1.11/{file}.json");
    let call = calls().into_iter().find(|call| call.file == file).unwrap();
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", command.kind().name()), "{file}");
    let sent: Value = serde_json::from_slice(&command.body()).unwrap();
    assert_eq!(sent, serde_json::from_str::<Value>(&call.request).unwrap(), "{file}");
    let answer: Value = serde_json::from_str(&call.answer.unwrap()).unwrap();
    assert_eq!(answer["code"], "SUCCESS", "{file}");
}

#[test]
fn every_command_was_accepted_by_a_base_as_we_send_it() {
    same_as("32-install-ok", &install(spec("biz1", "1.0.0")));
    same_as(
        "54-install-v2-uninstallThenInstall",
        &Command::InstallBiz { spec: spec("biz1", "2.0.0"), strategy: WireStrategy::UninstallThenInstall },
    );
    same_as(
        "58-install-with-args-envs",
        &install(ModuleSpec {
            args: ["--lab.biz.version=from-args".to_owned()].into(),
            envs: [("LAB_X".to_owned(), "y".to_owned())].into(),
            ..spec("biz2", "1.0.0")
        }),
    );
    same_as("44-uninstall-v1", &Command::UninstallBiz(id("biz1", "1.0.0")));
    same_as("113-ctx-switch-to-v3", &Command::SwitchBiz(id("biz1", "3.0.0")));
    same_as("34-queryAllBiz-one", &Command::QueryAllBiz);
    same_as("63-queryBizOps-running", &Command::QueryBizOps { request_id: "req-1".to_owned() });
    same_as(
        "87-batchInstallBiz-list",
        &Command::BatchInstallBiz(vec![spec("biz1", "1.0.0"), spec("biz2", "1.0.0")]),
    );
    same_as("06-health-all", &Command::Health);
    same_as("01-help", &Command::Help);
}

#[test]
fn a_body_has_the_very_bytes_of_a_recorded_one() {
    for (file, command) in [
        ("110-ctx-install-v1", install(spec("biz1", "1.0.0"))),
        (
            "123-keepbroken-install-again-uninstallThenInstall",
            Command::InstallBiz { spec: spec("biz2", "1.0.0"), strategy: WireStrategy::UninstallThenInstall },
        ),
        (
            "120-keepbroken-install-fails",
            install(ModuleSpec { args: ["--lab.fail=true".to_owned()].into(), ..spec("biz2", "1.0.0") }),
        ),
        ("125-keepbroken-uninstall", Command::UninstallBiz(id("biz2", "1.0.0"))),
    ] {
        let file = format!("http/2.1.11/{file}.json");
        let call = calls().into_iter().find(|call| call.file == file).unwrap();
        assert_eq!(String::from_utf8(command.body()).unwrap(), call.request, "{file}");
    }
}

/// The topic and the payload that were published to the base in a recording.
fn sent(file: &str) -> (String, Value) {
    let text = std::fs::read_to_string(testdata(&format!("mqtt/2.1.11/{file}.json"))).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let published = &value["published"];
    let payload = serde_json::from_str(published["payload_raw"].as_str().unwrap()).unwrap();
    (published["topic"].as_str().unwrap().to_owned(), payload)
}

#[test]
fn a_command_over_mqtt_is_the_same_on_its_topic() {
    let base = "192.0.2.2".parse().unwrap();
    for (file, command) in [
        ("01-health", Command::Health),
        ("02-queryAllBiz-none", Command::QueryAllBiz),
        ("03-install-ok", install(spec("biz1", "1.0.0"))),
        ("15-uninstall-ok", Command::UninstallBiz(id("biz2", "1.0.0"))),
    ] {
        let (topic, payload) = sent(file);
        assert_eq!(command_topic(env(&topic), &base, command.kind()), topic, "{file}");
        assert_eq!(serde_json::from_slice::<Value>(&command.body()).unwrap(), payload, "{file}");
    }
}

#[test]
fn a_baseline_is_the_list_that_a_base_installed() {
    let base = "192.0.2.2".parse().unwrap();
    for (file, modules) in
        [("21-baseline", vec![spec("biz1", "1.0.0"), spec("biz2", "1.0.0")]), ("23-baseline-empty", vec![])]
    {
        let (topic, payload) = sent(file);
        assert_eq!(baseline_topic(env(&topic), &base), topic, "{file}");
        assert_eq!(serde_json::from_slice::<Value>(&baseline_answer(&modules)).unwrap(), payload, "{file}");
    }
}
