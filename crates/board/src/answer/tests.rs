//! Answers to those who see all, and to those who see some.

use std::{collections::BTreeSet, io::Write, sync::Arc};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::*;
use crate::{
    rights::{Allowed, Sight, Verdict},
    store::{News, Store, tests::shop},
};

fn all() -> Sight {
    let everywhere = || Allowed::Everywhere;
    Sight {
        nodes: true,
        modules: everywhere(),
        pods: everywhere(),
        plans: everywhere(),
        deployments: everywhere(),
        daemon_sets: everywhere(),
        replicas: everywhere(),
        cut: false,
    }
}

/// Of the namespace `shop`, and no Nodes.
fn tenant() -> Sight {
    let shop = || Allowed::Within(Arc::new(BTreeSet::from(["shop".into()])));
    Sight { modules: shop(), pods: shop(), plans: shop(), deployments: shop(), ..Sight::default() }
}

fn seen(store: &Store, sight: &Sight) -> Snapshot {
    Snapshot::of(store, News { complete: true, ..News::default() }, sight)
}

/// As the page gets it.
fn told(snapshot: &Snapshot, body: impl Serialize) -> Value {
    serde_json::to_value(Answer::of(snapshot, Language::English, body)).unwrap()
}

#[test]
fn the_overview_names_what_waits_for_a_person_first() {
    let store = shop();
    let snapshot = seen(&store, &all());
    let overview = told(&snapshot, overview(&snapshot, Language::English));
    assert_eq!(overview["bases"], json!({"all": 3, "well": 2}));
    assert_eq!(overview["modules"], json!({"all": 3, "well": 2}));
    assert_eq!(overview["plans"], json!({"running": 1, "waiting": 1, "paused": 0, "failed": 0}));
    let kinds: Vec<&str> =
        overview["attention"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["plan", "base", "module"]);
    assert_eq!(overview["attention"][0]["final"], true);
    assert_eq!(overview["notShown"], json!([]));
}

#[test]
fn a_tenant_sees_the_own_namespace_and_of_its_bases_the_names() {
    let store = shop();
    let snapshot = seen(&store, &tenant());
    let modules = told(&snapshot, modules(&snapshot));
    assert_eq!(modules["items"][0]["namespaces"], json!(["shop"]));
    assert_eq!(modules["items"].as_array().unwrap().len(), 1);
    let bases = told(&snapshot, bases(&snapshot, &store));
    for base in bases["items"].as_array().unwrap() {
        assert_eq!((&base["ready"], &base["owner"]), (&Value::Null, &json!("")), "{base}");
    }
    let plans = told(&snapshot, plans(&snapshot));
    assert_eq!(plans["items"].as_array().unwrap().len(), 1);
    let whole = serde_json::to_string(&[&modules, &bases, &plans]).unwrap();
    assert!(!whole.contains("bank"), "{whole}");
    let missing = bases["notShown"].to_string();
    assert!(missing.contains("Nodes of bases") && missing.contains("some namespaces only"), "{missing}");
    assert_eq!(told(&snapshot, baseline(&snapshot))["checked"], 0, "of what is half seen nobody can tell");
    let nobody = seen(&store, &Sight::default());
    let whole = serde_json::to_string(&[
        told(&nobody, matrix(&nobody)),
        told(&nobody, overview(&nobody, Language::English)),
    ])
    .unwrap();
    assert!(!whole.contains("node-a") && !whole.contains("cart"), "{whole}");
}

#[test]
fn a_base_is_found_by_its_host_name_and_shown_with_what_concerns_it() {
    let store = shop();
    let snapshot = seen(&store, &all());
    let found = snapshot.picture.base("node-a-host").unwrap();
    let base = told(&snapshot, base(&snapshot, &store, found, Vec::new()));
    assert_eq!(base["base"]["owner"], "replica-a");
    assert_eq!(base["labels"]["zone"], "a");
    assert_eq!(base["taints"], json!(["t=v:NoSchedule"]));
    assert_eq!(base["lines"][0]["module"], "cart");
    assert_eq!(base["lines"][0]["well"], true);
    assert_eq!(base["conditions"][0]["type"], "Ready");
}

#[test]
fn the_matrix_names_each_text_once() {
    let store = shop();
    let snapshot = seen(&store, &all());
    let matrix = told(&snapshot, matrix(&snapshot));
    assert_eq!(matrix["nodes"], json!(["node-a", "node-b", "node-c"]));
    assert_eq!(matrix["modules"], json!(["cart"]));
    let cells = matrix["cells"].as_array().unwrap();
    assert_eq!(cells.len() % 5, 0);
    assert_eq!(cells[..5], [0, 0, 0, 0, 1].map(Value::from));
}

/// As the server sends it, compressed as quickly as can be.
fn compressed(body: &Value) -> usize {
    let mut to = GzEncoder::new(Vec::new(), Compression::fast());
    to.write_all(body.to_string().as_bytes()).unwrap();
    to.finish().unwrap().len()
}

#[test]
fn the_matrix_of_a_thousand_bases_with_fifty_modules_is_small() {
    let store = shop();
    let mut snapshot = seen(&store, &all());
    let line = |node: usize, module: usize| Line {
        node: format!("virtual-node-{node:08x}-0000-4000-8000-{node:012x}").into(),
        module: format!("biz{module}").into(),
        version: format!("1.{}.0", (node + module) % 3).into(),
        state: if (node * 7 + module).is_multiple_of(97) { "Failed" } else { "Available" }.into(),
        ..Line::default()
    };
    snapshot.lines = (0..1_000).flat_map(|node| (0..50).map(move |module| line(node, module))).collect();
    let size = compressed(&told(&snapshot, matrix(&snapshot)));
    assert!(size < 300_000, "{size} bytes");
    let overview = told(&snapshot, overview(&snapshot, Language::English));
    assert_eq!(overview["attention"].as_array().unwrap().len(), 200);
    assert!(compressed(&overview) < 30_000, "{overview}");
}

fn detail(status: Option<Value>, allowed: bool, language: Language) -> Value {
    let store = shop();
    let snapshot = seen(&store, &all());
    let mut waiting = (*snapshot.plans.iter().find(|plan| &*plan.namespace == "shop").unwrap()).clone();
    if let Some(status) = status {
        Arc::make_mut(&mut waiting).status = serde_json::from_value(status).unwrap();
    }
    let may = Verdict { allowed, reason: Text::default() };
    told(&snapshot, plan(&snapshot, &waiting, String::new(), &may, language))
}

/// Name, and why it cannot be done.
fn actions(detail: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = detail["actions"].as_array().unwrap().iter();
    all.map(|action| (text(&action["name"]), text(&action["reason"]))).collect()
}

#[test]
fn a_plan_is_shown_with_its_bases_and_with_what_may_be_done() {
    let detail = detail(None, true, Language::English);
    assert_eq!(detail["held"], json!(["node-c"]));
    let names: Vec<&Value> =
        detail["batches"].as_array().unwrap().iter().map(|batch| &batch["name"]).collect();
    assert_eq!(names, ["beta", "rest-1", "rest-2"]);
    assert_eq!(detail["batches"][0]["confirm"], true);
    assert_eq!(detail["batches"][2]["count"], 2);
    let nodes =
        detail["batches"].as_array().unwrap().iter().map(|batch| batch["nodes"].as_array().unwrap().len());
    assert_eq!(nodes.sum::<usize>(), 3, "{detail}");
    assert_eq!(detail["undo"], "kubectl rollout undo deployment/cart -n shop");
    let enabled: Vec<(String, String)> = actions(&detail);
    assert_eq!(enabled[0], ("confirm".to_owned(), String::new()));
    assert_eq!(detail["actions"][0]["command"], "kubectl koupleless plan confirm cart-2 -n shop --number 1");
    assert_eq!(enabled[2], ("resume".to_owned(), "it is not paused".to_owned()));
    assert!(enabled[3].1.starts_with("it has not failed"), "{enabled:?}");
}

#[test]
fn whoever_may_not_reads_why_in_the_own_language() {
    for (language, why) in
        [(Language::English, "you may not change plans in shop"), (Language::Chinese, "你没有修改")]
    {
        let all = actions(&detail(None, false, language));
        assert!(all[0].1.starts_with(why) && all.iter().all(|(_, why)| !why.is_empty()), "{all:?}");
    }
}

#[test]
fn a_plan_that_nobody_has_looked_at_yet_shows_its_batches_as_written() {
    let detail = detail(Some(json!({})), true, Language::English);
    assert_eq!(detail["plan"]["phase"], "Pending");
    let names: Vec<&Value> =
        detail["batches"].as_array().unwrap().iter().map(|batch| &batch["name"]).collect();
    assert_eq!(names, ["beta", "rest-1", "rest-2"]);
}

#[test]
fn every_code_has_words_in_both_languages() {
    for language in [Language::English, Language::Chinese] {
        let codes = serde_json::to_value(codes(language)).unwrap();
        let items = codes["items"].as_array().unwrap();
        assert!(items.len() > 40);
        let is_told = |item: &Value| ["code", "category", "meaning"].iter().all(|key| item[key] != "");
        assert!(items.iter().all(is_told));
    }
}
