//! What the kubelet API tells of bases: the cases of the public end-to-end suite of virtual-kubelet (Pods, summary, resource
//! metrics), held by this controller's VNodes.

use anyhow::{Context, Result, ensure};
use e2e::Way;
use serde_json::Value;

use super::{answered, api_server, base, get, pod, scene};

#[test]
fn pods_and_figures_of_a_vnode_are_told_in_a_kubelets_words() -> Result<()> {
    let (scene, port) = scene(Way::Http, &[])?;
    let first = base(&scene)?;
    pod(&scene, &first, &["biz1"])?;
    let server = api_server(&scene);
    let text = |path: &str| answered(200, get(&server, port, path));
    let json = |path: &str| -> Result<Value> { serde_json::from_str(&text(path)?).context("no JSON") };
    // A single VNode is meant without a word.
    let pods = json("/pods")?;
    ensure!(pods["items"][0]["metadata"]["name"] == "p", "{pods}");
    let summary = json("/stats/summary")?;
    ensure!(summary["node"]["nodeName"] == first.node().as_str(), "{summary}");
    ensure!(summary["node"]["memory"]["workingSetBytes"].is_u64(), "{summary}");
    ensure!(summary["node"]["cpu"].is_null(), "nothing is made up: {summary}");
    ensure!(summary["pods"][0]["podRef"]["name"] == "p", "{summary}");
    ensure!(summary["pods"][0]["containers"][0]["name"] == "biz1", "{summary}");
    let metrics = text("/metrics/resource")?;
    ensure!(metrics.contains("\nnode_memory_working_set_bytes "), "{metrics}");
    ensure!(metrics.contains("\nresource_scrape_error 0\n"), "{metrics}");

    let second = base(&scene)?;
    let unnamed = answered(400, get(&server, port, "/stats/summary"))?;
    ensure!(unnamed.contains("say which is meant"), "{unnamed}");
    let scraped = text("/metrics/resource")?;
    ensure!(!scraped.contains("node_memory") && scraped.ends_with("resource_scrape_error 0\n"), "{scraped}");
    let named = json(&format!("/stats/summary?node={}", second.node()))?;
    ensure!(
        named["node"]["nodeName"] == second.node().as_str() && named["pods"] == serde_json::json!([]),
        "{named}"
    );
    let none = answered(404, get(&server, port, "/pods?node=no-vnode"))?;
    ensure!(none.contains("is no VNode of this controller"), "{none}");
    Ok(())
}
