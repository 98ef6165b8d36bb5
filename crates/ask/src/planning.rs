//! A plan for a workload of a manifest, and that workload so that a plan can release it (rule P8).

use engine::PLAN_ANNOTATION;
use model::BizName;
use plan::{DraftHealth, HealthEndpoint};
use serde_json::{Map, Value, json};

use crate::{read::is_package, text::Text};

/// How long people may take to confirm a batch before Kubernetes says that the rollout does not get on.
const PEOPLE: u64 = 24 * 3_600;
/// How long a base may take to become ready, in seconds.
const READY_TIMEOUT: u64 = 600;
/// What the API server fills in, and nobody applies.
const FILLED_IN: [&str; 6] =
    ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];
/// The longest name of an object.
const LONGEST_NAME: usize = 253;

/// What somebody wants of a plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    /// Its name; made of the workload's and the version where it is absent.
    pub(crate) name: Option<String>,
    /// One base comes first.
    pub(crate) beta: bool,
    /// By which labels that base is chosen.
    pub(crate) beta_labels: Vec<(String, String)>,
    /// In so many parts the others follow.
    pub(crate) batches: u32,
    /// A person confirms each batch.
    pub(crate) confirm: bool,
    /// How long each batch is watched, in seconds.
    pub(crate) soak_seconds: u64,
    /// How many bases of a batch may be without the module at once.
    pub(crate) max_unavailable: Option<String>,
    /// Where the module tells its health.
    pub(crate) health: Option<DraftHealth>,
}

/// The plan, and the manifest with a workload that names it.
pub(crate) fn planned(mut documents: Vec<Value>, wishes: &Wishes) -> Result<Vec<Value>, Text> {
    let is_meant = |document: &Value| kind(document).is_some() && !modules(document).is_empty();
    let mut meant = documents.iter_mut().filter(|document| is_meant(document));
    let workload = meant.next().ok_or_else(|| {
        Text::from("there is no Deployment or DaemonSet with a module in it: give the manifest of the workload that is to be released")
    })?;
    if meant.next().is_some() {
        return Err(
            "there are several workloads with modules: give each a file of its own, and a plan".into()
        );
    }
    let Release { kind, name, module, version } = Release::of(workload)?;
    let plan = match &wishes.name {
        Some(plan) => plan.clone(),
        None => plan_name(&name, &version),
    };
    prepare(workload, &plan, deadline(wishes));
    let mut metadata = Map::from_iter([("name".to_owned(), Value::from(plan.as_str()))]);
    if let Some(namespace) = workload.pointer("/metadata/namespace") {
        metadata.insert("namespace".to_owned(), namespace.clone());
    }
    let health = health(wishes, &module)?;
    let mut plan = json!({
        "apiVersion": "koupleless.io/v1alpha1",
        "kind": "OperationPlan",
        "metadata": metadata,
        "spec": {
            "target": { "kind": kind, "name": name },
            "module": { "name": module, "version": version },
            "batches": batches(wishes),
            "readyTimeoutSeconds": READY_TIMEOUT,
        },
    });
    if let Some(health) = health {
        *field(&mut plan, &["spec", "health"]) = health;
    }
    Ok(std::iter::once(plan).chain(documents).collect())
}

/// What a workload releases.
struct Release {
    kind: &'static str,
    name: String,
    module: String,
    version: String,
}

impl Release {
    fn of(workload: &Value) -> Result<Self, Text> {
        let text = |pointer: &str| workload.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let name = text("/metadata/name");
        if name.is_empty() {
            return Err("the workload has no name: a plan finds it by that".into());
        }
        let [(module, version)] = &modules(workload)[..] else {
            return Err(
                format!("the Pods of {name} have several modules: give each a workload of its own").into()
            );
        };
        let Some(version) = version else {
            return Err(format!(
                "the container {module} of {name} has no BIZ_VERSION: a plan is for one version"
            )
            .into());
        };
        let kind = kind(workload).unwrap_or_default();
        Ok(Self { kind, name: name.to_owned(), module: module.clone(), version: version.clone() })
    }
}

fn kind(document: &Value) -> Option<&'static str> {
    let kind = document.get("kind")?.as_str()?;
    ["Deployment", "DaemonSet"].into_iter().find(|known| *known == kind)
}

/// The modules of a workload, each with its version where it says one.
fn modules(workload: &Value) -> Vec<(String, Option<String>)> {
    let containers = workload.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let module = |container: &Value| {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let env = container.get("env").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let version = env
            .iter()
            .find(|one| text(one, "name").as_deref() == Some("BIZ_VERSION"))
            .and_then(|one| text(one, "value"));
        let is_module = version.is_some() || is_package(&text(container, "image").unwrap_or_default());
        is_module.then(|| (text(container, "name").unwrap_or_default(), version))
    };
    containers.into_iter().flatten().filter_map(module).collect()
}

/// `biz1-2.0.0`, in the characters that a name may have.
fn plan_name(workload: &str, version: &str) -> String {
    let text = format!("{workload}-{version}").to_ascii_lowercase();
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let name: String = text.chars().map(legal).take(LONGEST_NAME).collect();
    name.trim_matches(['-', '.']).replace(".-", "-").replace("-.", "-").replace("..", ".")
}

/// Longer than the plan takes, with the time that people may take.
fn deadline(wishes: &Wishes) -> u64 {
    let batches = u64::from(wishes.batches.max(1)) + u64::from(wishes.beta);
    let each = READY_TIMEOUT + wishes.soak_seconds + if wishes.confirm { PEOPLE } else { 0 };
    batches.saturating_mul(each).max(PEOPLE)
}

/// Where the module tells its health, as a plan has it.
fn health(wishes: &Wishes, module: &str) -> Result<Option<Value>, Text> {
    let Some(draft) = &wishes.health else { return Ok(None) };
    let module: BizName = module.parse().map_err(|error| Text::from(format!("{module}: {error}")))?;
    let checked = HealthEndpoint::of(draft.clone(), &module);
    checked.map_err(|invalid| Text::from(invalid.to_string()))?;
    let mut health = Map::from_iter([("port".to_owned(), Value::from(draft.port))]);
    if let Some(path) = &draft.web_context_path {
        health.insert("webContextPath".to_owned(), path.as_str().into());
    }
    Ok(Some(health.into()))
}

fn batches(wishes: &Wishes) -> Vec<Value> {
    let batch = |name: &str| {
        let mut batch = Map::from_iter([("name".to_owned(), Value::from(name))]);
        if wishes.soak_seconds > 0 {
            batch.insert("soakSeconds".to_owned(), wishes.soak_seconds.into());
        }
        if wishes.confirm {
            batch.insert("confirm".to_owned(), true.into());
        }
        if let Some(most) = &wishes.max_unavailable {
            let most = most.parse::<u32>().map_or_else(|_| Value::from(most.as_str()), Value::from);
            batch.insert("maxUnavailable".to_owned(), most);
        }
        batch
    };
    let mut all = Vec::new();
    if wishes.beta {
        let mut beta = batch("beta");
        if !wishes.beta_labels.is_empty() {
            let labels: Map<String, Value> =
                wishes.beta_labels.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
            beta.insert("selector".to_owned(), json!({ "matchLabels": labels }));
        }
        beta.insert("size".to_owned(), 1.into());
        all.push(Value::Object(beta));
    }
    let mut rest = batch("rest");
    if wishes.batches > 1 {
        rest.insert("count".to_owned(), wishes.batches.into());
    }
    all.push(Value::Object(rest));
    all
}

/// The field at this path. What is on the way to it and is no object becomes one.
fn field<'a>(object: &'a mut Value, path: &[&str]) -> &'a mut Value {
    path.iter().fold(object, |at, key| {
        if !at.is_object() {
            *at = json!({});
        }
        match at {
            Value::Object(fields) => fields.entry(*key).or_insert(Value::Null),
            other => other,
        }
    })
}

/// Changes the list at this path; an empty one where there is none.
fn change_list(object: &mut Value, path: &[&str], change: impl FnOnce(&mut Vec<Value>)) {
    let field = field(object, path);
    let mut list = field.as_array_mut().map(std::mem::take).unwrap_or_default();
    change(&mut list);
    *field = Value::Array(list);
}

/// The workload names the plan, and makes all of its new Pods at once, beside the old ones.
fn prepare(workload: &mut Value, plan: &str, deadline: u64) {
    if let Some(object) = workload.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = workload.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !FILLED_IN.contains(&key.as_str()));
    }
    let update =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "100%", "maxUnavailable": 0 } });
    *field(workload, &["spec", "template", "metadata", "annotations", PLAN_ANNOTATION]) = plan.into();
    if kind(workload) == Some("Deployment") {
        *field(workload, &["spec", "strategy"]) = update;
        let given = field(workload, &["spec", "progressDeadlineSeconds"]);
        *given = given.as_u64().unwrap_or_default().max(deadline).into();
        keep_apart(workload);
    } else {
        *field(workload, &["spec", "updateStrategy"]) = update;
    }
}

/// A base has one Pod of each version, and never two of one.
fn keep_apart(workload: &mut Value) {
    let selector = workload.pointer("/spec/selector").cloned().unwrap_or_default();
    let apart = ["affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    change_list(workload, &[&["spec", "template", "spec"][..], &apart].concat(), |terms| {
        if terms.is_empty() {
            terms.push(json!({ "labelSelector": selector, "topologyKey": "kubernetes.io/hostname" }));
        }
        for term in terms.iter_mut().filter(|term| term.is_object()) {
            change_list(term, &["matchLabelKeys"], |keys| {
                if !keys.contains(&json!("pod-template-hash")) {
                    keys.push("pod-template-hash".into());
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::objects;

    const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop, uid: u, labels: {a: b}}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec:
      containers:
      - {name: proxy, image: 'envoy:1'}
      - {name: cart, image: 'https://example.com/cart-2.0.0-ark-biz.jar', env: [{name: BIZ_VERSION, value: 2.0.0-RC}]}
status: {replicas: 3}
";

    fn wishes() -> Wishes {
        Wishes { beta: true, batches: 5, confirm: true, soak_seconds: 600, ..Wishes::default() }
    }

    fn of(text: &str, wishes: &Wishes) -> Result<Vec<Value>, String> {
        planned(objects(text).unwrap(), wishes).map_err(|why| why.to_string())
    }

    #[test]
    fn a_plan_and_the_workload_that_names_it() {
        let both = of(&format!("kind: Service\nmetadata: {{name: s}}\n---{DEPLOYMENT}"), &wishes()).unwrap();
        let [plan, service, workload] = &both[..] else { panic!("{both:?}") };
        assert_eq!(
            *plan,
            json!({
                "apiVersion": "koupleless.io/v1alpha1", "kind": "OperationPlan",
                "metadata": {"name": "cart-2.0.0-rc", "namespace": "shop"},
                "spec": {
                    "target": {"kind": "Deployment", "name": "cart"},
                    "module": {"name": "cart", "version": "2.0.0-RC"},
                    "batches": [
                        {"name": "beta", "size": 1, "soakSeconds": 600, "confirm": true},
                        {"name": "rest", "count": 5, "soakSeconds": 600, "confirm": true},
                    ],
                    "readyTimeoutSeconds": 600,
                },
            })
        );
        assert_eq!(service["kind"], "Service");
        assert_eq!(workload["metadata"], json!({"name": "cart", "namespace": "shop", "labels": {"a": "b"}}));
        let spec = &workload["spec"];
        assert_eq!(spec["template"]["metadata"]["annotations"][PLAN_ANNOTATION], "cart-2.0.0-rc");
        assert_eq!(spec["strategy"]["rollingUpdate"], json!({"maxSurge": "100%", "maxUnavailable": 0}));
        assert_eq!(spec["progressDeadlineSeconds"], 6 * (600 + 600 + PEOPLE));
        let apart = &spec["template"]["spec"]["affinity"]["podAntiAffinity"];
        assert_eq!(
            apart["requiredDuringSchedulingIgnoredDuringExecution"],
            json!([{"labelSelector": {"matchLabels": {"app": "cart"}}, "topologyKey": "kubernetes.io/hostname",
                    "matchLabelKeys": ["pod-template-hash"]}])
        );
        assert_eq!(workload.get("status"), None);
    }

    #[test]
    fn who_asks_for_the_health_says_where() {
        let wishes = |path: Option<&str>| Wishes {
            health: Some(DraftHealth { port: 8080, web_context_path: path.map(str::to_owned) }),
            ..wishes()
        };
        let plan = |path| of(DEPLOYMENT, &wishes(path)).map(|both| both[0]["spec"]["health"].clone());
        assert_eq!(plan(None), Ok(json!({"port": 8080})));
        assert_eq!(plan(Some("shop")), Ok(json!({"port": 8080, "webContextPath": "shop"})));
        assert!(plan(Some("../x")).unwrap_err().contains("is no path of a module"));
    }

    /// What is applied again changes nothing.
    #[test]
    fn what_was_planned_is_planned_the_same_again() {
        let once = of(DEPLOYMENT, &wishes()).unwrap();
        let again = planned(once[1..].to_vec(), &wishes()).unwrap();
        assert_eq!(once, again);
        let steering = ["confirmed", "attempt", "paused", "stop"];
        assert!(steering.iter().all(|field| once[0]["spec"].get(field).is_none()));
    }

    #[test]
    fn a_daemon_set_has_its_own_strategy_and_needs_nothing_else() {
        let all = of(&DEPLOYMENT.replace("kind: Deployment", "kind: DaemonSet"), &Wishes::default()).unwrap();
        let spec = &all[1]["spec"];
        assert_eq!(spec["updateStrategy"]["rollingUpdate"]["maxSurge"], "100%");
        assert_eq!((spec.get("strategy"), spec.get("progressDeadlineSeconds")), (None, None));
        assert_eq!(spec["template"]["spec"].get("affinity"), None);
        assert_eq!(all[0]["spec"]["batches"], json!([{"name": "rest"}]));
    }

    #[test]
    fn the_first_base_may_be_chosen_by_its_labels_and_the_plan_be_named() {
        let wishes = Wishes {
            name: Some("mine".into()),
            beta_labels: vec![("ring".into(), "beta".into())],
            max_unavailable: Some("10%".into()),
            ..wishes()
        };
        let all = of(DEPLOYMENT, &wishes).unwrap();
        assert_eq!(all[0]["metadata"]["name"], "mine");
        assert_eq!(all[0]["spec"]["batches"][0]["selector"], json!({"matchLabels": {"ring": "beta"}}));
        assert_eq!(all[0]["spec"]["batches"][1]["maxUnavailable"], "10%");
    }

    #[test]
    fn what_cannot_be_planned_is_said_with_its_mend() {
        let two = format!("{DEPLOYMENT}---{DEPLOYMENT}");
        let unversioned = DEPLOYMENT.replace("BIZ_VERSION", "OTHER");
        let nameless = DEPLOYMENT.replace("name: cart, namespace", "x: cart, namespace");
        let sidecar = DEPLOYMENT.replace("envoy:1", "https://example.com/other.jar");
        for (text, what) in [
            ("kind: Service\n", "there is no Deployment or DaemonSet with a module"),
            (&two, "there are several workloads"),
            (&unversioned, "the container cart of cart has no BIZ_VERSION"),
            (&nameless, "the workload has no name"),
            (&sidecar, "the Pods of cart have several modules"),
        ] {
            let why = of(text, &wishes()).unwrap_err();
            assert!(why.starts_with(what), "{why}");
        }
    }

    #[test]
    fn names_of_plans_are_names() {
        assert_eq!(plan_name("biz1", "2.0.0"), "biz1-2.0.0");
        assert_eq!(plan_name("Biz_1", "2.0.0-SNAPSHOT+7."), "biz-1-2.0.0-snapshot-7");
    }
}
