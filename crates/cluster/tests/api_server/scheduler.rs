//! Our reading of the scheduler's rules, held against what a real scheduler does.
//!
//! Nodes and templates are made at random. A Deployment without replicas carries each template, so
//! that ours is what the watch reads of it; a Pod for each Node, pinned to it by name, shows what the
//! scheduler says.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use engine::placement::Site;
use serde_json::{Value, json};
use testkit::wait::wait_for;

use crate::harness::{Harness, all_kinds, unique};

const NODES: usize = 6;
const TEMPLATES: usize = 40;

/// splitmix64: a seed is a run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }

    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.roll(most + 1)).map(|_| make(self)).collect()
    }
}

fn node(dice: &mut Dice, name: &str) -> Value {
    let mut labels = BTreeMap::from([("virtual-kubelet.koupleless.io/component", "vnode")]);
    for key in ["a", "b"] {
        if dice.roll(4) != 0 {
            labels.insert(key, dice.of(&["x", "y", "", "3", "10", "-"]).trim_matches('-'));
        }
    }
    let mut taints = Vec::new();
    for key in ["k", "l"] {
        if dice.roll(3) == 0 {
            let effect = dice.of(&["NoSchedule", "NoExecute", "PreferNoSchedule"]);
            taints.push(json!({"key": key, "value": dice.of(&["v", "w", ""]), "effect": effect}));
        }
    }
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": taints, "unschedulable": dice.roll(5) == 0},
        "status": {
            "capacity": {"pods": "1000"}, "allocatable": {"pods": "1000"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": ""}],
        },
    })
}

fn expression(dice: &mut Dice) -> Value {
    let key = dice.of(&["a", "b", "c"]);
    let operator = dice.of(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
    let values: Vec<&str> = match operator {
        "In" | "NotIn" => (0..=dice.roll(2)).map(|_| dice.of(&["x", "y", "", "3"])).collect(),
        "Gt" | "Lt" => vec![dice.of(&["2", "3", "9", "x", "5"])],
        _ => Vec::new(),
    };
    json!({"key": key, "operator": operator, "values": values})
}

fn template(dice: &mut Dice, nodes: &[String]) -> Value {
    let mut spec = json!({
        "containers": [{"name": "biz1", "image": "http://repo/biz1.jar"}],
        "automountServiceAccountToken": false,
    });
    if dice.roll(4) == 0 {
        spec["nodeSelector"] = json!({(dice.of(&["a", "b"])): dice.of(&["x", "y", ""])});
    }
    if dice.roll(4) != 0 {
        let terms: Vec<Value> = (0..=dice.roll(2))
            .map(|_| {
                let expressions = dice.some(2, expression);
                let names = dice.some(5, |dice| dice.roll(nodes.len()));
                let fields: Vec<Value> = names.iter().take(usize::from(names.len() == 5)).map(|&node| {
                    json!({"key": "metadata.name", "operator": dice.of(&["In", "NotIn"]), "values": [nodes[node]]})
                }).collect();
                json!({"matchExpressions": expressions, "matchFields": fields})
            })
            .collect();
        spec["affinity"]["nodeAffinity"] =
            json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
    }
    let mut tolerations = dice.some(3, |dice| {
        let effect = dice.of(&["", "NoSchedule", "NoExecute"]);
        match dice.roll(4) {
            0 => json!({"operator": "Exists", "effect": effect}),
            1 => json!({"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": effect}),
            2 => json!({"key": dice.of(&["k", "l"]), "operator": "Exists", "effect": effect}),
            _ => json!({"key": dice.of(&["k", "l"]), "value": dice.of(&["v", "w", ""]), "effect": effect}),
        }
    });
    // Nobody renews the Leases of these Nodes, so that they are lost before long.
    for condition in ["not-ready", "unreachable"] {
        tolerations.push(json!({"key": format!("node.kubernetes.io/{condition}"), "operator": "Exists"}));
    }
    spec["tolerations"] = json!(tolerations);
    spec
}

/// The same for one Node only. A term that asks for nothing stays one, because it matches nothing.
fn pinned(mut spec: Value, node: &str) -> Value {
    let pin = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    let terms = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    match spec.pointer_mut(terms).and_then(Value::as_array_mut) {
        Some(terms) => {
            let is_empty = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
            for term in terms {
                if !is_empty(&term["matchExpressions"]) || !is_empty(&term["matchFields"]) {
                    term["matchFields"].as_array_mut().unwrap().push(pin.clone());
                }
            }
        }
        None => {
            spec["affinity"]["nodeAffinity"] = json!({"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchFields": [pin]}],
            }});
        }
    }
    spec
}

/// What the scheduler said of a Pod; none while it has said nothing.
fn verdict(pod: &Value) -> Option<bool> {
    if pod["spec"]["nodeName"].is_string() {
        return Some(true);
    }
    let conditions = pod["status"]["conditions"].as_array()?;
    conditions.iter().any(|c| c["type"] == "PodScheduled" && c["reason"] == "Unschedulable").then_some(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn we_admit_a_pod_to_a_node_exactly_where_the_scheduler_does() {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let mut dice = Dice(seed);
    let mut h = Harness::with(all_kinds()).await;
    let namespace = h.cluster.namespace("scheduler").unwrap();
    let nodes: Vec<String> = (0..NODES).map(|_| unique("placed")).collect();
    let templates: Vec<Value> = (0..TEMPLATES).map(|_| template(&mut dice, &nodes)).collect();

    let mut manifests = String::new();
    for name in &nodes {
        writeln!(manifests, "{}\n---", node(&mut dice, name)).unwrap();
    }
    h.cluster.apply(&manifests).unwrap();
    let mut seen = Vec::new();
    for name in &nodes {
        seen.push(h.node(name, |_| true).await);
    }
    manifests.clear();
    for (n, spec) in templates.iter().enumerate() {
        let labels = json!({"module-controller.koupleless.io/component": "module", "n": n.to_string()});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": format!("case-{n}"), "namespace": namespace},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec}},
        });
        writeln!(manifests, "{deployment}\n---").unwrap();
        for (m, node) in nodes.iter().enumerate() {
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("case-{n}-{m}"), "namespace": namespace},
                "spec": pinned(spec.clone(), node),
            });
            writeln!(manifests, "{pod}\n---").unwrap();
        }
    }
    h.cluster.apply(&manifests).unwrap();
    let verdicts = wait_for("the scheduler's word on every Pod", Duration::from_secs(60), || {
        let list = h.cluster.kubectl_json(&["get", "pods", "-n", &namespace])?;
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        let said: BTreeMap<String, bool> = pods
            .iter()
            .filter_map(|pod| Some((pod["metadata"]["name"].as_str()?.to_owned(), verdict(pod)?)))
            .collect();
        anyhow::ensure!(said.len() == NODES * TEMPLATES, "{} of {}", said.len(), NODES * TEMPLATES);
        Ok(Some(said))
    })
    .unwrap();

    let mut bound = 0;
    for (n, spec) in templates.iter().enumerate() {
        let placement = h.workload(&format!("case-{n}"), |_| true).await.template.placement;
        for (m, node) in seen.iter().enumerate() {
            let theirs = verdicts[&format!("case-{n}-{m}")];
            let ours = placement.admits(&Site::lasting(node));
            bound += usize::from(theirs);
            assert_eq!(ours, theirs, "seed {seed}: the scheduler binds: {theirs}\n{spec}\n{node:#?}");
        }
    }
    println!("seed {seed}: {bound} of {} bound", NODES * TEMPLATES);
    assert!(bound > NODES && bound < NODES * TEMPLATES, "seed {seed}: {bound} bound says little");
}
