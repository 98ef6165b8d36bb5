//! Who may call the kubelet API, and by which certificate it is known.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use e2e::Way;
use serde_json::json;
use testkit::{
    names,
    tls::{Caller, SelfSigned},
    wait::wait_for,
    work_dir::WorkDir,
};

use super::{answered, api_server, base, get, pod, print, scene};

#[test]
fn nobody_is_anonymous_and_who_lacks_the_right_is_told_which() -> Result<()> {
    let (scene, port) = scene(Way::Http, &[])?;
    let base = base(&scene)?;
    pod(&scene, &base, &["biz1"])?;
    print(&base, "biz1", "1")?;
    let path = format!("/containerLogs/{}/p/biz1", scene.namespace);
    let bearer = |token: &str| Caller { authorization: Some(format!("Bearer {token}")), ..Caller::default() };
    for nobody in [
        Caller::default(),
        bearer("nobody-knows-this"),
        Caller { authorization: Some("Basic YWRtaW46YWRtaW4=".to_owned()), ..Caller::default() },
    ] {
        let said = answered(401, get(&nobody, port, &path)).with_context(|| format!("{nobody:?}"))?;
        ensure!(said.starts_with("Unauthorized: "), "{said}");
    }
    // With a certificate of another authority no connection comes about.
    let dir = WorkDir::new("stranger")?;
    let (crt, key) = (dir.join("crt"), dir.join("key"));
    SelfSigned::new()?.write(&crt, &key)?;
    let stranger = Caller { certificate: Some((crt, key)), ..Caller::default() };
    ensure!(get(&stranger, port, &path).is_err(), "a stranger is let in");
    // One who is known, and may nothing: whether there are such Pods he is not told.
    let name = names::unique("reader");
    scene.kubectl(&["create", "serviceaccount", &name])?;
    let reader = bearer(scene.kubectl(&["create", "token", &name])?.trim());
    let nothing = format!("/containerLogs/{}/other/biz1", scene.namespace);
    for (path, right) in [
        (&*path, "nodes/proxy"),
        (&nothing, "nodes/proxy"),
        ("/pods", "nodes/proxy"),
        ("/stats/summary", "nodes/stats"),
        ("/metrics/resource", "nodes/metrics"),
        ("/anything", "nodes/proxy"),
    ] {
        let said = answered(403, get(&reader, port, path)).with_context(|| path.to_owned())?;
        let lacks = format!("lacks the right to get {right}");
        ensure!(said.starts_with("Forbidden: ") && said.contains(&lacks), "{path}: {said}");
    }
    // Given the right, he is served as the API server is, when what was decided before holds no longer.
    let user = format!("{}:{name}", scene.namespace);
    scene.cluster.kubectl(&["create", "clusterrole", &name, "--verb=get", "--resource=nodes/proxy"])?;
    let binding = ["create", "clusterrolebinding", &name, "--clusterrole", &name, "--serviceaccount", &user];
    scene.cluster.kubectl(&binding)?;
    wait_for("the right to count", Duration::from_secs(40), || {
        answered(200, get(&reader, port, &path)).map(Some)
    })?;
    let server = api_server(&scene);
    ensure!(answered(200, get(&server, port, &path))? == "/print-1\n");
    let none = answered(404, get(&server, port, &nothing))?;
    ensure!(none.contains("is on no VNode of this controller"), "{none}");
    // A Pod of an ordinary machine is none of its business.
    let other = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other", "namespace": scene.namespace},
        "spec": {"nodeName": "no-vnode", "containers": [{"name": "biz1", "image": "x"}]},
    });
    scene.cluster.apply(&other.to_string())?;
    let elsewhere = answered(404, get(&server, port, &nothing))?;
    ensure!(elsewhere.contains("is on no VNode of this controller"), "{elsewhere}");
    scene.cluster.kubectl(&["delete", "clusterrolebinding,clusterrole", &name])?;
    let count = |endpoint: &str, outcome: &str| {
        let labels = format!("endpoint=\"{endpoint}\",outcome=\"{outcome}\"");
        scene.metric("module_controller_kubelet_requests_total", &labels)
    };
    let (answers, refusals) = (count("logs", "answered")?, count("logs", "refused")?);
    ensure!(answers >= 2 && refusals >= 7, "{answers} requests for logs answered, {refusals} refused");
    ensure!(count("stats", "refused")? == 1 && count("other", "refused")? == 1);
    Ok(())
}

#[test]
fn a_certificate_that_is_swapped_is_served_and_a_broken_one_is_not() -> Result<()> {
    let dir = WorkDir::new("served")?;
    let (crt, key) = (dir.join("tls.crt"), dir.join("tls.key"));
    let trusted = dir.join("trusted.crt");
    SelfSigned::new()?.write(&crt, &key)?;
    fs::copy(&crt, &trusted)?;
    let (crt_path, key_path) = (crt.display().to_string(), key.display().to_string());
    let (scene, port) = scene(
        Way::Http,
        &[("KUBELET_PROXY_TLS_CRT_PATH", &crt_path), ("KUBELET_PROXY_TLS_KEY_PATH", &key_path)],
    )?;
    let base = base(&scene)?;
    pod(&scene, &base, &["biz1"])?;
    print(&base, "biz1", "1")?;
    let healthz = |trusted: &Path| {
        let caller = Caller { trusted: Some(trusted.to_owned()), ..api_server(&scene) };
        answered(200, get(&caller, port, "/healthz"))
    };
    ensure!(healthz(&trusted)? == "ok");
    // Half of a new pair fits nothing, and what was read before goes on.
    let next = SelfSigned::new()?;
    let new = dir.join("new.crt");
    next.write(&new, &key)?;
    wait_for("the controller to say so", Duration::from_secs(30), || {
        let log = scene.controller.log();
        ensure!(log.contains("a changed file is no good"), "it says nothing");
        Ok(Some(()))
    })?;
    ensure!(healthz(&trusted)? == "ok");
    fs::copy(&new, &crt)?;
    wait_for("the new one to be served", Duration::from_secs(30), || healthz(&new).map(Some))?;
    ensure!(healthz(&trusted).is_err(), "the old one is served too");
    ensure!(scene.kubectl(&["logs", "p"])? == "/print-1\n", "the API server goes on");
    Ok(())
}
