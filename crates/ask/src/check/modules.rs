//! What is wrong with the manifests of modules, each by itself and with what is around it.

use serde_json::Value;

use engine::placement::Site as Place;

use super::{Evidence, Finding, code::Code};
use crate::read::{
    Site, Workload, is_package,
    workload::{Apart, ContainerJson},
};

/// The taint of every VNode.
const TAINT: (&str, &str) = ("schedule.koupleless.io/virtual-node", "True");
/// An annotation, whether its value is right, and what it has to be.
type Annotation = (&'static str, fn(&Value) -> bool, &'static str);
/// Annotations of a Pod.
const ANNOTATIONS: [Annotation; 2] = [
    ("module-controller.koupleless.io/args", |value| all_texts(value.as_array()), "a JSON array of strings"),
    (
        "module-controller.koupleless.io/envs",
        |value| value.as_object().is_some_and(|all| all.values().all(Value::is_string)),
        "a JSON object of strings",
    ),
];
const SCHEMES: [&str; 4] = ["http://", "https://", "ftp://", "file://"];

fn all_texts(list: Option<&Vec<Value>>) -> bool {
    list.is_some_and(|all| all.iter().all(Value::is_string))
}

/// What is wrong with it as it is written.
pub(super) fn of_itself(workload: &Workload, found: &mut Vec<Finding>) {
    let mut add = |code: Code, message: String| found.push(Finding::new(code, workload.about(), message));
    if !workload.is_labelled() {
        add(Code::ModuleLabelMissing, "its Pods ask for a base and are not labelled as modules".into());
    }
    if let Some(selector) = &workload.selector
        && !selector.matches(&workload.pod_labels)
    {
        add(Code::SelectorMismatch, "its selector does not match the labels of its template".into());
    }
    let modules: Vec<&ContainerJson> = workload.containers.iter().filter(|one| is_module(one)).collect();
    if modules.is_empty() {
        add(
            Code::VersionMissing,
            "no container of it is a module: none has BIZ_VERSION or the URL of a package".into(),
        );
    }
    for module in modules {
        let by_annotation = format!("module-controller.koupleless.io/biz-version.{}", module.name);
        let has = module.env.iter().any(|one| {
            one.name == "BIZ_VERSION" && (!one.value.trim().is_empty() || one.value_from.is_some())
        });
        if !has && !workload.pod_annotations.contains_key(&by_annotation) {
            add(Code::VersionMissing, format!("the container {} has no BIZ_VERSION", module.name));
        }
        let image = module.image.trim();
        if !SCHEMES.iter().any(|scheme| image.to_ascii_lowercase().starts_with(scheme)) {
            let shown: String =
                image.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
            add(
                Code::PackageUnreadable,
                format!("the image of the container {} is no URL of a package: {shown:?}", module.name),
            );
        }
    }
    for (key, value) in &workload.pod_annotations {
        let is_of =
            |name: &str| key == name || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        let known = ANNOTATIONS.iter().find(|(name, _, _)| is_of(name));
        if let Some((_, holds, what)) = known
            && !serde_json::from_str::<Value>(value).is_ok_and(|value| holds(&value))
        {
            add(Code::AnnotationUnreadable, format!("the annotation {key} is not {what}"));
        }
    }
    let tolerates = workload.placement.tolerations.iter().any(|toleration| {
        let key = toleration.key.is_empty() || toleration.key == TAINT.0;
        let value = toleration.operator == "Exists" || toleration.value == TAINT.1;
        key && value && ["", "NoExecute"].contains(&toleration.effect.as_str())
    });
    if !tolerates {
        add(
            Code::TolerationMissing,
            format!("its Pods do not tolerate {}={}:NoExecute, which every base has", TAINT.0, TAINT.1),
        );
    }
}

fn is_module(container: &ContainerJson) -> bool {
    is_package(&container.image) || container.env.iter().any(|one| one.name == "BIZ_VERSION")
}

/// What is wrong with it in this cluster.
pub(super) fn with_its_cluster(workload: &Workload, evidence: &Evidence, found: &mut Vec<Finding>) {
    bases(workload, evidence, found);
    limits(workload, evidence, found);
    injected(workload, evidence, found);
    update(workload, evidence, found);
    environment(workload, evidence, found);
}

/// Which bases its Pods may be on. While there are none at all, nothing is said of it.
fn bases(workload: &Workload, evidence: &Evidence, found: &mut Vec<Finding>) {
    let mut add = |code: Code, message: String| found.push(Finding::new(code, workload.about(), message));
    let bases = evidence.sites.len();
    // What a toleration would do is told by itself.
    let mut chooses = workload.placement.clone();
    chooses.tolerations = vec![engine::placement::Toleration {
        key: String::new(),
        operator: "Exists".into(),
        value: String::new(),
        effect: String::new(),
    }];
    let chosen: Vec<_> =
        evidence.sites.iter().filter(|site| chooses.admits(&Place::lasting(&site.0))).collect();
    if bases > 0 && chosen.is_empty() {
        add(
            Code::NoMatchingBase,
            format!("its node selector and node affinity match none of the bases ({bases})"),
        );
        return;
    }
    let needed = workload
        .containers
        .iter()
        .flat_map(|one| one.resources.requests.keys().chain(one.resources.limits.keys()));
    for resource in needed {
        let offers = |site: &&Site| site.0.allocatable.contains_key(resource.as_str());
        if !chosen.is_empty() && !chosen.iter().any(offers) {
            add(
                Code::ResourcesNotOffered,
                format!("its containers request {resource}, which no base that it may be on offers"),
            );
        }
    }
}

fn limits(workload: &Workload, evidence: &Evidence, found: &mut Vec<Finding>) {
    let mut add = |code: Code, message: String| found.push(Finding::new(code, workload.about(), message));
    let modules = workload.containers.iter().filter(|one| is_module(one));
    let silent = |resource: &str| {
        modules.clone().any(|one| {
            !one.resources.requests.contains_key(resource) && !one.resources.limits.contains_key(resource)
        })
    };
    for defaults in evidence.defaults.iter().filter(|one| one.namespace == workload.namespace) {
        for resource in defaults.resources.iter().filter(|resource| silent(resource)) {
            let offers = evidence.sites.iter().any(|site| site.0.allocatable.contains_key(resource.as_str()));
            if !evidence.sites.is_empty() && !offers {
                add(
                    Code::LimitRangeRequests,
                    format!(
                        "the LimitRange {} makes its Pods request {resource}, which no base offers",
                        defaults.name
                    ),
                );
            }
        }
    }
    for quota in evidence.quotas.iter().filter(|one| one.namespace == workload.namespace) {
        for (resource, hard) in &quota.hard {
            let plain = resource.trim_start_matches("requests.").trim_start_matches("limits.");
            let used = quota.used.get(resource).map_or("0", String::as_str);
            let counts = ["pods", "count/pods"].contains(&resource.as_str());
            if counts && whole(used).zip(whole(hard)).is_some_and(|(used, hard)| used >= hard) {
                add(
                    Code::QuotaExhausted,
                    format!(
                        "the ResourceQuota {} has room for {hard} Pods, and {used} are there",
                        quota.name
                    ),
                );
            }
            let given = evidence
                .defaults
                .iter()
                .any(|one| one.namespace == workload.namespace && one.resources.iter().any(|of| of == plain));
            if ["cpu", "memory"].contains(&plain) && silent(plain) && !given {
                add(
                    Code::QuotaExhausted,
                    format!(
                        "the ResourceQuota {} is about {resource}, so Pods that say nothing of {plain} are refused",
                        quota.name
                    ),
                );
            }
        }
    }
}

fn whole(text: &str) -> Option<u64> {
    let (digits, times) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(times)
}

fn injected(workload: &Workload, evidence: &Evidence, found: &mut Vec<Finding>) {
    let empty = std::collections::BTreeMap::new();
    let namespace = evidence.namespaces.iter().find(|one| one.name == workload.namespace);
    let labels = namespace.map_or(&empty, |namespace| &namespace.labels);
    for webhooks in &evidence.webhooks {
        if webhooks.of_pods.iter().any(|webhook| webhook.concerns(workload, labels)) {
            let message = format!(
                "the webhook {} is asked about its Pods, and may put containers into them",
                webhooks.name
            );
            found.push(Finding::new(Code::ContainersInjected, workload.about(), message));
        }
    }
}

/// An update in which no new Pod finds room before an old one goes, and no old one goes before.
fn update(workload: &Workload, evidence: &Evidence, found: &mut Vec<Finding>) {
    let mut add = |code: Code, message: String| found.push(Finding::new(code, workload.about(), message));
    if &*workload.kind != "Deployment" {
        return;
    }
    let of_revision = |apart: &Apart| apart.match_label_keys.iter().any(|key| key == "pod-template-hash");
    let knows_keys = evidence.server.is_none_or(|minor| minor >= 31);
    if !knows_keys && workload.apart.iter().any(of_revision) {
        add(
            Code::MatchLabelKeysIgnored,
            "its anti-affinity has matchLabelKeys, which this cluster forgets".into(),
        );
    }
    // The label that changes with each version is in the template, and not in the Deployment's own selector.
    let held = |apart: &Apart| {
        let own = workload.selector.as_ref().map(|selector| &selector.0);
        let fixed = |key: &str| own.is_some_and(|own| own.iter().any(|requirement| requirement.key == key));
        apart.selector.as_ref().is_some_and(|selector| {
            selector.matches(&workload.pod_labels)
                && selector.0.iter().all(|requirement| fixed(&requirement.key))
        })
    };
    let apart = workload.apart.iter().any(|apart| held(apart) && !(of_revision(apart) && knows_keys));
    let is_peer = workload.own_label("component") == Some("module-deployment");
    let chosen =
        evidence.sites.iter().filter(|site| workload.placement.admits(&Place::lasting(&site.0))).count();
    let all_taken =
        is_peer || (chosen > 0 && usize::try_from(workload.replicas).is_ok_and(|pods| pods >= chosen));
    let pods = if is_peer {
        u32::try_from(chosen).unwrap_or(u32::MAX).max(workload.replicas)
    } else {
        workload.replicas
    };
    if apart && all_taken && may_be_unavailable(workload.max_unavailable.as_ref(), pods) == 0 {
        add(Code::UpdateDeadlock, "its Pods keep apart whatever their version, every base holds one, and its maxUnavailable comes to 0".into());
    }
}

/// As the Deployment's controller counts: a share is rounded down, and is 25% where nothing is said.
fn may_be_unavailable(told: Option<&Value>, replicas: u32) -> u32 {
    let share = |percent: u64| u32::try_from(u64::from(replicas) * percent / 100).unwrap_or(u32::MAX);
    match told {
        Some(Value::Number(count)) => count.as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        Some(Value::String(text)) => match text.strip_suffix('%') {
            Some(percent) => share(percent.parse().unwrap_or(0)),
            None => text.parse().unwrap_or(0),
        },
        _ => share(25),
    }
}

/// A peer Deployment without an environment is that of every controller, each of which sets its replicas.
fn environment(workload: &Workload, evidence: &Evidence, found: &mut Vec<Finding>) {
    let is_peer = workload.own_label("component") == Some("module-deployment");
    let peers = evidence.controllers.iter().filter(|one| {
        one.is_on("ENABLE_MODULE_DEPLOYMENT_CONTROLLER") || one.is_on("ENABLE_MODULE_REPLICAS_SYNC_WITH_BASE")
    });
    let envs: std::collections::BTreeSet<&str> = peers.map(|controller| controller.env()).collect();
    if is_peer && workload.own_label("env").is_none() && envs.len() > 1 {
        let all = envs.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!("it names no environment, and the controllers of {all} each set its replicas");
        found.push(Finding::new(Code::PeerOfEveryEnvironment, workload.about(), message));
    }
}
