//! `deploy/policies`: what the controller's own account may write, and which bases a namespace may put modules on; on a
//! real API server, with the whole life of a module under both.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{
    Scene, Shell, Simulated, manifest,
    seen::is_ready,
    shell::{commands, read, section},
};
use serde_json::{Value, json};
use testkit::{
    artifacts,
    cluster::{Cluster, ClusterOptions},
    wait::wait_for,
};

/// The controller's account of `deploy/`.
const CONTROLLER: &str = "--as=system:serviceaccount:default:virtual-kubelet";
const BASES: &str = "module-controller.koupleless.io/allowed-bases";
const CLUSTERS: &str = "module-controller.koupleless.io/allowed-clusters";

/// A scene in a cluster of its own, with both policies at work.
fn scene() -> Result<Scene> {
    let on = ("ENABLE_MODULE_DEPLOYMENT_CONTROLLER", "true");
    let scene = Scene::alone(Cluster::start(&ClusterOptions::default())?, &[on])?;
    for folder in ["account", "tenants"] {
        let folder = artifacts::repository().join("deploy/policies").join(folder);
        scene.cluster.kubectl(&["apply", "-k", &folder.to_string_lossy()])?;
    }
    scene.cluster.apply(&node("worker", &json!({})).to_string())?;
    // A policy counts some moments after it was made. What is asked until then changes nothing: a label that is there
    // already is not sent again, and so not refused.
    wait_for("the policies are at work", Duration::from_secs(60), || {
        let label = [CONTROLLER, "label", "--dry-run=server", "node", "worker", "probe=1"];
        let nodes = refused(&scene, &label, "")?;
        let pod = manifest::pod(&scene, "probe", None, &[container()]);
        let pods = refused(&scene, &["create", "--dry-run=server", "-f", "-"], &pod.to_string())?;
        let leases =
            refused(&scene, &[CONTROLLER, "create", "--dry-run=server", "-f", "-"], &lease("worker"))?;
        ensure!(nodes.is_some() && pods.is_some() && leases.is_some(), "{nodes:?} {pods:?} {leases:?}");
        Ok(Some(()))
    })?;
    Ok(scene)
}

fn container() -> Value {
    manifest::container_of("biz1", "1.0.0", "file:///packages/biz1.jar")
}

fn node(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})
}

fn lease(name: &str) -> String {
    let metadata = json!({"name": name, "namespace": "kube-node-lease"});
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}).to_string()
}

/// What `kubectl` was told by a policy; none where it did what it was asked. What is not in a manifest is in the scene's
/// namespace.
fn refused(scene: &Scene, args: &[&str], input: &str) -> Result<Option<String>> {
    let namespace = if input.is_empty() { &["-n", &*scene.namespace][..] } else { &[] };
    let output = scene.cluster.kubectl_output(&[namespace, args].concat(), input)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return Ok(None);
    }
    ensure!(said.contains("ValidatingAdmissionPolicy"), "{args:?}: not by a policy: {said}");
    Ok(Some(said))
}

fn is_refused(scene: &Scene, args: &[&str], input: &str, with: &str) -> Result<()> {
    let said = refused(scene, args, input)?;
    ensure!(said.as_ref().is_some_and(|said| said.contains(with)), "{args:?} {input}: {said:?}");
    Ok(())
}

fn is_taken(scene: &Scene, args: &[&str], input: &str) -> Result<()> {
    let said = refused(scene, args, input)?;
    ensure!(said.is_none(), "{args:?} {input}: {said:?}");
    Ok(())
}

#[test]
fn a_module_lives_its_whole_life_under_both_and_what_is_none_of_its_is_kept_from_the_controllers_account()
-> Result<()> {
    let scene = scene()?;
    scene.cluster.kubectl(&["annotate", "namespace", &scene.namespace, &format!("{BASES}=base, other")])?;
    let base = Simulated::start(&scene.controller.http_tunnel(), &scene.base_version)?;
    let mut peer = manifest::deployment(&scene, "biz1", 1, &[container()]);
    peer["metadata"]["labels"] = json!({
        "module-controller.koupleless.io/component": "module-deployment",
        "module-controller.koupleless.io/env": scene.env,
    });
    scene.cluster.apply(&peer.to_string())?;
    scene.wait_pods_ready(1)?;
    // What was rolled out is written down, another version takes its place, and all of it goes.
    wait_for("the rollout is written down", Duration::from_secs(30), || {
        let seen = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "deployment", "biz1"])?;
        let rolled_out = e2e::seen::condition(&seen, "module-controller.koupleless.io/RolledOut");
        ensure!(rolled_out["status"] == "True", "{}", seen["status"]);
        Ok(Some(()))
    })?;
    let second = manifest::container_of("biz1", "2.0.0", "file:///packages/biz1-2.jar");
    peer["spec"]["template"]["spec"]["containers"] = json!([second]);
    scene.cluster.apply(&peer.to_string())?;
    wait_for("the second version serves alone", Duration::from_secs(60), || {
        let pods = scene.pods(&[])?;
        let biz = base.biz();
        ensure!(pods.len() == 1 && pods.iter().all(is_ready), "{} Pods", pods.len());
        ensure!(biz.keys().collect::<Vec<_>>() == ["biz1:2.0.0"], "{biz:?}");
        Ok(Some(()))
    })?;

    nothing_else_is_written(&scene, &base)?;

    scene.kubectl(&["delete", "deployment", "biz1"])?;
    wait_for("the module is gone", Duration::from_secs(60), || {
        let (pods, biz) = (scene.pods(&["-l", "app=biz1"])?.len(), base.biz());
        let objects = scene.kubectl(&["get", "modules.koupleless.io", "-o", "name"])?;
        ensure!(pods == 0 && biz.is_empty() && objects.trim().is_empty(), "{pods} {biz:?} {objects}");
        Ok(Some(()))
    })?;
    base.say_goodbye()?;
    wait_for("the Node is gone", Duration::from_secs(60), || {
        let seen =
            scene.cluster.kubectl(&["get", "node", &base.node(), "--ignore-not-found", "-o", "name"])?;
        Ok(seen.trim().is_empty().then_some(()))
    })?;
    let refusals = scene.metric("module_controller_api_requests_total", r#"outcome="refused""#)?;
    ensure!(refusals == 0, "{refusals} writes of the controller were refused: {}", scene.controller.log());
    Ok(())
}

/// With the account's rights, which know no names.
fn nothing_else_is_written(scene: &Scene, base: &Simulated) -> Result<()> {
    // kubectl reads what it patches; the controller does not.
    let statuses = "--resource=nodes/status,pods/status,deployments.apps/status";
    scene.cluster.kubectl(&["create", "clusterrole", "reads", "--verb=get", statuses])?;
    let account = "--serviceaccount=default:virtual-kubelet";
    scene.cluster.kubectl(&["create", "clusterrolebinding", "reads", "--clusterrole=reads", account])?;
    let may = ["get", "deployments.apps", "--subresource=status", "-n", &scene.namespace];
    testkit::account::may(&scene.cluster, "default", "virtual-kubelet", &may)?;
    let patch = r#"{"metadata":{"labels":{"a":"b"}}}"#;
    is_taken(scene, &[CONTROLLER, "patch", "node", &base.node(), "--type=merge", "-p", patch], "")?;
    let others = "VNodes only";
    is_refused(scene, &[CONTROLLER, "patch", "node", "worker", "--type=merge", "-p", patch], "", others)?;
    let mut status = vec![CONTROLLER, "patch", "node", "worker", "--subresource=status", "--type=merge"];
    status.extend(["-p", r#"{"status":{"capacity":{"pods":"1"}}}"#]);
    is_refused(scene, &status, "", others)?;
    is_refused(scene, &[CONTROLLER, "delete", "node", "worker"], "", others)?;
    // No other Node becomes one by its label, and none by its name alone.
    let vnode = r#"{"metadata":{"labels":{"module-controller.koupleless.io/component":"vnode"}}}"#;
    is_refused(scene, &[CONTROLLER, "patch", "node", "worker", "--type=merge", "-p", vnode], "", others)?;
    let create = [CONTROLLER, "create", "--dry-run=server", "-f", "-"];
    is_refused(scene, &create, &node("virtual-node-x", &json!({})).to_string(), "the label")?;
    let labels = json!({"module-controller.koupleless.io/component": "vnode"});
    is_refused(scene, &create, &node("x", &labels).to_string(), "the name")?;
    is_taken(scene, &create, &node("virtual-node-x", &labels).to_string())?;

    let elsewhere = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": scene.namespace},
        "spec": {"nodeName": "worker", "containers": [{"name": "web", "image": "web"}]},
    });
    is_taken(scene, &["create", "-f", "-"], &elsewhere.to_string())?;
    is_refused(scene, &[CONTROLLER, "delete", "pod", "web"], "", "web is on worker")?;
    let mut status = vec![CONTROLLER, "patch", "pod", "web", "--subresource=status", "--type=merge"];
    status.extend(["-p", r#"{"status":{"phase":"Failed"}}"#]);
    is_refused(scene, &status, "", "web is on worker")?;

    is_refused(scene, &create, &lease("worker"), "Leases of VNodes")?;
    is_taken(scene, &create, &lease("virtual-node-x"))?;
    let leader = lease("kube-scheduler").replace("kube-node-lease", "default");
    is_refused(scene, &create, &leader, "its own")?;
    is_taken(scene, &create, &leader.replace("kube-scheduler", "module-controller-x"))?;

    let web = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": scene.namespace},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web"}]},
            },
        },
    });
    is_taken(scene, &["create", "-f", "-"], &web.to_string())?;
    let mut status = vec![CONTROLLER, "patch", "deployment", "web", "--subresource=status", "--type=merge"];
    status.extend(["-p", r#"{"status":{"replicas":7}}"#]);
    is_refused(scene, &status, "", "what makes modules only")
}

#[test]
fn a_namespace_puts_modules_on_the_bases_that_it_is_given_and_makes_no_module_objects_up() -> Result<()> {
    let scene = scene()?;
    let create = ["create", "--dry-run=server", "-f", "-"];
    let pod = |change: &dyn Fn(&mut Value)| {
        let mut pod = manifest::pod(&scene, "p", None, &[container()]);
        change(&mut pod);
        pod.to_string()
    };
    let as_it_is = pod(&|_| {});
    is_refused(&scene, &create, &as_it_is, "names none")?;
    let annotate =
        |what: &str| scene.cluster.kubectl(&["annotate", "namespace", &scene.namespace, what, "--overwrite"]);
    // The API server looks Namespaces up in a cache of its own.
    let becomes = |manifest: &str, refusal: Option<&str>| {
        wait_for(&format!("{refusal:?} for {manifest}"), Duration::from_secs(20), || {
            let said = refused(&scene, &create, manifest)?;
            let as_expected = match refusal {
                Some(with) => said.as_ref().is_some_and(|said| said.contains(with)),
                None => said.is_none(),
            };
            ensure!(as_expected, "{said:?}");
            Ok(Some(()))
        })
    };
    annotate(&format!("{BASES}=other"))?;
    becomes(&as_it_is, Some("may be on bases named other"))?;
    annotate(&format!("{BASES}= base ,other"))?;
    becomes(&as_it_is, None)?;

    // A second term lets a Pod through to where the first does not.
    let two_terms = pod(&|pod| {
        let path =
            "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
        if let Some(terms) = pod.pointer_mut(path).and_then(Value::as_array_mut) {
            terms.push(
                json!({"matchExpressions": [{"key": "base.koupleless.io/stack", "operator": "Exists"}]}),
            );
        }
    });
    is_refused(&scene, &create, &two_terms, "in every term")?;
    let by_selector = pod(&|pod| {
        pod["spec"]["affinity"] = Value::Null;
        pod["spec"]["nodeSelector"] = json!({"base.koupleless.io/name": "base"});
    });
    is_taken(&scene, &create, &by_selector)?;
    let not_in = as_it_is.replace("\"In\"", "\"NotIn\"");
    is_refused(&scene, &create, &not_in, "may be on bases named")?;
    let bound = pod(&|pod| pod["spec"]["nodeName"] = json!("worker"));
    is_refused(&scene, &create, &bound, "may not name its Node")?;
    let upstream = by_selector
        .replace("module-controller.koupleless.io/component", "virtual-kubelet.koupleless.io/component")
        .replace("\"base\"", "\"elsewhere\"");
    is_refused(&scene, &create, &upstream, "may be on bases named")?;
    let no_module = as_it_is.replace("\"module\"", "\"none\"").replace("\"base\"", "\"elsewhere\"");
    is_taken(&scene, &create, &no_module)?;

    annotate(&format!("{CLUSTERS}=blue"))?;
    becomes(&as_it_is, Some("of the clusters blue"))?;
    let blue = pod(&|pod| pod["spec"]["nodeSelector"] = json!({"base.koupleless.io/cluster-name": "blue"}));
    is_taken(&scene, &create, &blue)?;
    // What becomes a module later is one.
    scene.cluster.apply(&no_module.replace("\"name\":\"p\"", "\"name\":\"later\""))?;
    let label = ["label", "pod", "later", "module-controller.koupleless.io/component=module", "--overwrite"];
    is_refused(&scene, &label, "", "may be on bases named")?;
    module_objects(&scene)
}

/// Somebody who may do everything with Module objects in his namespace.
fn module_objects(scene: &Scene) -> Result<()> {
    let resource = "--resource=modules.koupleless.io,modules.koupleless.io/status";
    scene.kubectl(&["create", "serviceaccount", "tenant"])?;
    scene.kubectl(&["create", "role", "tenant", "--verb=*", resource])?;
    let account = format!("--serviceaccount={}:tenant", scene.namespace);
    scene.kubectl(&["create", "rolebinding", "tenant", "--role=tenant", &account])?;
    let tenant = format!("--as=system:serviceaccount:{}:tenant", scene.namespace);
    testkit::account::may(
        &scene.cluster,
        &scene.namespace,
        "tenant",
        &["create", "modules.koupleless.io", "-n", &scene.namespace],
    )?;
    let module = |labels: Value| {
        json!({
            "apiVersion": "koupleless.io/v1alpha1", "kind": "Module",
            "metadata": {"name": "made-up", "namespace": scene.namespace, "labels": labels},
            "spec": {"name": "biz1", "version": "1.0.0", "vnode": "virtual-node-x", "managed": true},
        })
        .to_string()
    };
    let ours = json!({"app.kubernetes.io/managed-by": "module-controller"});
    is_refused(scene, &[&tenant, "create", "-f", "-"], &module(ours), "by the module controller only")?;
    is_taken(scene, &[&tenant, "create", "-f", "-"], &module(json!({})))?;
    let label = [&tenant, "label", "module", "made-up", "app.kubernetes.io/managed-by=module-controller"];
    is_refused(scene, &label, "", "by the module controller only")?;
    is_taken(scene, &[&tenant, "delete", "module", "made-up"], "")
}

/// Creates this object, or changes it, as somebody.
fn as_user(scene: &Scene, user: &str, args: &[&str], input: &str) -> Result<std::result::Result<(), String>> {
    let user = format!("--as={user}");
    let output =
        scene.cluster.kubectl_output(&[&[&user, "-n", &scene.namespace][..], args].concat(), input)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(if output.status.success() { Ok(()) } else { Err(said) })
}

#[test]
fn whoever_confirms_a_plan_does_not_edit_it_and_whoever_edits_it_does_not_confirm() -> Result<()> {
    // The controller leaves plans alone here: it would answer for the status that is made up below.
    let scene = Scene::alone(Cluster::start(&ClusterOptions::default())?, &[])?;
    let shell = Shell::new(&scene.cluster, &scene.namespace)?;
    for file in ["kustomization.yaml", "policy.yaml", "roles.yaml"] {
        let path = format!("deploy/policies/plans/{file}");
        shell.write(&path, &read(&path)?)?;
    }
    for command in commands(section(&read("docs/guide/plans.md")?, "## Who may confirm")?) {
        shell.run(&command)?;
    }
    let plan = |batch: &str| {
        json!({
            "apiVersion": "koupleless.io/v1alpha1",
            "kind": "OperationPlan",
            "metadata": {"name": "p", "namespace": scene.namespace},
            "spec": {
                "target": {"kind": "Deployment", "name": "biz1"},
                "module": {"name": "biz1", "version": "1"},
                "batches": [{"name": batch}],
            },
        })
        .to_string()
    };
    let patch = |user: &str, spec: Value| {
        let patch = json!({ "spec": spec }).to_string();
        as_user(&scene, user, &["patch", "operationplan", "p", "--type=merge", "-p", &patch], "")
    };
    let is_denied = |said: std::result::Result<(), String>, with: &str| {
        ensure!(said.as_ref().is_err_and(|said| said.contains(with)), "{said:?}");
        Ok(())
    };
    let taken = |said: std::result::Result<(), String>| {
        ensure!(said.is_ok(), "{said:?}");
        Ok(())
    };
    // The roles count some moments after they were made, and so does the policy.
    wait_for("alice makes a plan", Duration::from_secs(60), || {
        let said = as_user(&scene, "alice", &["apply", "-f", "-"], &plan("all"))?;
        ensure!(said.is_ok(), "{said:?}");
        Ok(Some(()))
    })?;
    // What is asked until then changes nothing: a plan that is confirmed already may be applied as it is.
    wait_for("the policy is at work", Duration::from_secs(60), || {
        let confirm = json!({"spec": {"confirmed": 1}}).to_string();
        let patch = ["patch", "operationplan", "p", "--dry-run=server", "--type=merge", "-p", &confirm];
        let said = as_user(&scene, "alice", &patch, "")?;
        ensure!(said.is_err(), "alice confirms");
        Ok(Some(()))
    })?;
    is_denied(patch("alice", json!({"confirmed": 1}))?, "the right to confirm")?;
    is_denied(patch("alice", json!({"attempt": 1}))?, "the right to confirm")?;
    is_denied(patch("bob", json!({"maxFailed": 7}))?, "the right to create")?;
    is_denied(patch("bob", json!({"health": {"port": 7}}))?, "the right to create")?;
    is_denied(patch("bob", json!({"confirmed": 1, "maxFailed": 7}))?, "the right to create")?;
    taken(patch("bob", json!({"confirmed": 1}))?)?;
    taken(patch("alice", json!({"paused": true}))?)?;
    taken(patch("bob", json!({"paused": null, "attempt": 1}))?)?;
    // What is applied again says nothing of a confirmation, and takes none back.
    taken(as_user(&scene, "alice", &["apply", "-f", "-"], &plan("all"))?)?;
    taken(as_user(&scene, "alice", &["apply", "-f", "-"], &plan("other"))?)?;
    let seen = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "operationplan", "p"])?;
    ensure!(seen["spec"]["confirmed"] == 1 && seen["spec"]["batches"][0]["name"] == "other", "{seen}");
    // One that has begun, as its status says, is changed by nobody, and steered as before.
    let begun = json!({"status": {"digest": "d"}}).to_string();
    let status = ["patch", "operationplan", "p", "--subresource=status", "--type=merge", "-p", &begun];
    scene.kubectl(&status)?;
    is_denied(as_user(&scene, "alice", &["apply", "-f", "-"], &plan("late"))?, "has begun")?;
    taken(as_user(&scene, "alice", &["apply", "-f", "-"], &plan("other"))?)?;
    taken(patch("bob", json!({"confirmed": 2}))?)?;
    is_denied(as_user(&scene, "bob", &["delete", "operationplan", "p"], "")?, "forbidden")?;
    is_denied(as_user(&scene, "bob", &["label", "operationplan", "p", "a=b"], "")?, "the right to create")?;
    taken(as_user(&scene, "alice", &["delete", "operationplan", "p"], "")?)?;
    // A plan that begins with a confirmation is no way around it either.
    let early = plan("all").replacen("\"module\"", "\"confirmed\": 1, \"module\"", 1);
    is_denied(as_user(&scene, "alice", &["create", "-f", "-"], &early)?, "the right to confirm")
}
