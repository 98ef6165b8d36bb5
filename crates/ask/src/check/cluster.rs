//! What is wrong with the cluster and the controllers in it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Evidence, Finding, clock,
    code::Code,
    evidence::{BASELINES, PLANS},
    ports,
};
use crate::drift::under_way;

/// What a definition says of itself.
const REVISION: &str = "/metadata/annotations/module-controller.koupleless.io~1definition-revision";
const DIGEST: &str = "/metadata/annotations/module-controller.koupleless.io~1definition";
/// The oldest Kubernetes with which nothing is missing: it marks which deletions were its own (docs/guide/operations.md).
const OLDEST: u32 = 26;

/// What is wrong, whatever modules there are.
pub(super) fn findings(evidence: &Evidence, ours: &[Value], found: &mut Vec<Finding>) {
    if let Some(minor) = evidence.server.filter(|minor| *minor < OLDEST) {
        let message =
            format!("it is Kubernetes 1.{minor}, and 1.{OLDEST} is the oldest with which nothing is missing");
        found.push(Finding::new(Code::ApiTooOld, "the API server".into(), message));
    }
    definitions(evidence, ours, found);
    controllers(evidence, found);
    ports::findings(evidence, found);
    replicas(evidence, found);
    bases(evidence, found);
    clock::findings(evidence, found);
}

fn definitions(evidence: &Evidence, ours: &[Value], found: &mut Vec<Finding>) {
    let revision = |definition: &Value| -> u32 {
        definition.pointer(REVISION).and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    let is_on = |name: &str| evidence.controllers.iter().any(|controller| controller.is_on(name));
    for (name, theirs) in &evidence.definitions {
        let mut add = |code: Code, message: String| {
            let about = format!("CustomResourceDefinition {name}");
            found.push(Finding::new(code, about.as_str().into(), message));
        };
        let Some(ours) = ours.iter().find(|one| one.pointer("/metadata/name").is_some_and(|its| its == name))
        else {
            continue;
        };
        match theirs {
            // Before the controller is installed there is none.
            None if evidence.controllers.is_empty() => {}
            None if [PLANS, BASELINES].contains(name) && !is_on("ENABLE_MODULE_DEPLOYMENT_CONTROLLER") => {}
            None if *name == BASELINES => {
                let message = "it is not there, so nobody can ask for a ModuleBaseline".to_owned();
                add(Code::DefinitionMissing, message);
            }
            None if *name == PLANS => {
                add(
                    Code::DefinitionMissing,
                    "it is not there, so Pods that name an operation plan are held".into(),
                );
            }
            None => add(Code::DefinitionMissing, "it is not there, so no Module objects are kept".into()),
            Some(theirs) => {
                let (have, want) = (revision(theirs), revision(ours));
                let is_same = theirs.pointer(DIGEST) == ours.pointer(DIGEST);
                if have < want || (have == want && !is_same) {
                    let message =
                        format!("it is of revision {have}, or was changed; this version has revision {want}");
                    add(Code::DefinitionOutdated, message);
                }
            }
        }
    }
}

fn controllers(evidence: &Evidence, found: &mut Vec<Finding>) {
    let mut by_env: BTreeMap<&str, Vec<&super::controller::Controller>> = BTreeMap::new();
    for controller in &evidence.controllers {
        let mut add =
            |code: Code, message: String| found.push(Finding::new(code, controller.about(), message));
        let shares = controller.is_on("IS_CLUSTER");
        if controller.ready < controller.replicas {
            add(
                Code::ControllerNotReady,
                format!("{} of {} Pods are Ready", controller.ready, controller.replicas),
            );
        }
        if controller.replicas > 1 && !shares {
            add(
                Code::ReplicasNotSharing,
                format!("it has {} replicas, and IS_CLUSTER is not true", controller.replicas),
            );
        }
        if controller.replicas > 1 && controller.variable("CLIENT_ID").is_some() {
            add(Code::ClientIdShared, "it gives all its replicas one CLIENT_ID".into());
        }
        if controller.replicas > 0 {
            by_env.entry(controller.env()).or_default().push(controller);
        }
    }
    for (env, of_env) in by_env {
        let [first, others @ ..] = of_env.as_slice() else { continue };
        for other in others {
            let id = |one: &super::controller::Controller| one.variable("CLIENT_ID").map(str::to_owned);
            let both_share =
                first.is_on("IS_CLUSTER") && other.is_on("IS_CLUSTER") && first.namespace == other.namespace;
            if id(first).is_some() && id(first) == id(other) {
                let message = format!("{} has the same CLIENT_ID in the same environment", first.about());
                found.push(Finding::new(Code::ClientIdShared, other.about(), message));
            } else if !both_share {
                let message = format!(
                    "{} runs for the environment {env} too, and they do not share its bases",
                    first.about()
                );
                found.push(Finding::new(Code::EnvironmentShared, other.about(), message));
            }
        }
    }
}

/// A replica of a version that knows no operation plans installs what none has released.
fn replicas(evidence: &Evidence, found: &mut Vec<Finding>) {
    let open = under_way(evidence.plans.iter());
    let Some((namespace, plan)) = open.first() else { return };
    let living = evidence.picture.replicas.iter().filter(|one| &*one.state == "living");
    for replica in living.filter(|one| !one.knows_plans) {
        let about = format!("replica {} in {}", replica.client_id, replica.namespace);
        let message = format!(
            "it is of a version that knows no operation plans, and {} are not over ({namespace}/{plan}): it installs what none has \
             released",
            open.len()
        );
        found.push(Finding::new(Code::ReplicaWithoutPlans, about.as_str().into(), message));
    }
}

fn bases(evidence: &Evidence, found: &mut Vec<Finding>) {
    for base in evidence.picture.bases.iter().filter(|base| !base.is_ready()) {
        let Some(ready) = &base.ready else { continue };
        let code = match &*ready.reason {
            "BaseSilent" => Code::BaseSilent,
            "ArkletUnanswering" => Code::BaseUnanswering,
            _ => continue,
        };
        found.push(Finding::new(code, format!("base {}", base.node).into(), ready.message.to_string()));
    }
}
