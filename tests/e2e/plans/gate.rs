//! Batches that have to pass metrics, which a real Prometheus answers.

use std::{fs, net::TcpListener};

use testkit::{
    prometheus::{LOGIN, Prometheus},
    work_dir::WorkDir,
};

use super::{
    metrics::{IN_PART, Metrics},
    *,
};

/// Four rounds of questions, 15 s apart, until a person is asked for; with 10 s each where nobody answers.
const PATIENCE: Duration = Duration::from_secs(150);

fn asking(servers: &[&str], logins: &str, count: usize) -> Result<(Scene, Vec<Simulated>)> {
    let servers = servers.join(",");
    let settings = [ON, ("PLAN_METRIC_SERVERS", &servers), ("PLAN_METRIC_LOGINS", logins)];
    let scene = Scene::start(Way::Http, &settings)?;
    let bases = simulated(&scene, count)?;
    release(&scene, "1.0.0", None)?;
    scene.wait_pods_ready(count)?;
    Ok((scene, bases))
}

/// A plan whose batches need nobody, if only the metric is as it must be.
fn gated(scene: &Scene, name: &str, version: &str, server: &str, query: &str) -> Value {
    let mut plan = plan(scene, name, version);
    plan["spec"]["batches"][0] = json!({"name": "beta", "size": 1});
    plan["spec"]["metrics"] = json!([asked("errors", server, query)]);
    plan
}

fn asked(name: &str, server: &str, query: &str) -> Value {
    json!({"name": name, "server": server, "query": query, "condition": "< 1"})
}

/// How it reads, and what is said of it.
fn metric(plan: &Value, place: usize) -> (&str, &str) {
    let of = |what: &str| text(plan, &format!("/status/metrics/{place}/{what}"));
    (of("reading"), of("message"))
}

#[test]
fn a_batch_passes_by_a_metric_or_fails_by_it() -> Result<()> {
    let prometheus = Prometheus::guarded()?;
    let dir = WorkDir::new("plan-login")?;
    fs::write(dir.join("login"), format!("{LOGIN}\n"))?;
    let login = format!("{}={}", prometheus.url(), dir.join("login").display());
    let (scene, _bases) = asking(&[&prometheus.url()], &login, 2)?;
    scene.cluster.apply(&gated(&scene, "p", "2.0.0", &prometheus.url(), "vector(0.25)").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    let passed = wait_phase(&scene, "p", "Succeeded")?;
    ensure!(metric(&passed, 0) == ("Passed", "it is 0.25, as must be < 1"), "{}", passed["status"]);
    wait_stand(&scene, "2.0.0", 2, 0)?;

    scene.cluster.apply(&gated(&scene, "q", "3.0.0", &prometheus.url(), "vector(7)").to_string())?;
    release(&scene, "3.0.0", Some("q"))?;
    let failed = wait_phase(&scene, "q", "Failed")?;
    ensure!(text(&failed, "/status/message").contains("metric errors: it is 7, and must be < 1"), "{failed}");
    wait_stand(&scene, "3.0.0", 1, 1)?;
    scene.kubectl(&["rollout", "undo", "deployment/biz1"])?;
    // The template of before names the plan that has succeeded.
    wait_phase(&scene, "q", "Superseded")?;
    wait_stand(&scene, "2.0.0", 2, 0)
}

#[test]
fn without_data_a_person_is_asked_and_nothing_passes_by_itself() -> Result<()> {
    let prometheus = Prometheus::start("none", &[], "")?;
    let (guarded, in_part) = (Prometheus::guarded()?, Metrics::start(IN_PART)?);
    let (scene, _bases) = asking(&[&prometheus.url(), &guarded.url(), &in_part.url], "", 2)?;
    let mut never = gated(&scene, "p", "2.0.0", &prometheus.url(), "no_such_metric");
    // What the others would answer is as it must be.
    never["spec"]["metrics"] = json!([
        never["spec"]["metrics"][0],
        asked("guarded", &guarded.url(), "vector(0)"),
        asked("in-part", &in_part.url, "vector(0)"),
    ]);
    scene.cluster.apply(&never.to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    let waiting = wait_phase_within(&scene, "p", "AwaitingConfirm", PATIENCE)?;
    for (place, why) in ["has no data", "HTTP 401", "isPartial"].into_iter().enumerate() {
        let (reading, message) = metric(&waiting, place);
        ensure!(reading == "Missing" && message.contains(why), "{why}: {}", waiting["status"]);
    }
    ensure!(waiting["status"]["code"] == "OtherDownstream.ExternalError", "{}", waiting["status"]);
    ensure!(stand(&scene, "2.0.0")? == (1, 1), "{:?}", stand(&scene, "2.0.0")?);
    steer(&scene, "p", &json!({"confirmed": waiting["status"]["confirmable"]}))?;
    wait_stand(&scene, "2.0.0", 2, 0)
}

#[test]
fn a_server_that_does_not_answer_is_named_and_one_that_may_not_be_asked_is_refused() -> Result<()> {
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", silent.local_addr()?);
    let (scene, _bases) = asking(&[&url], "", 2)?;
    scene.cluster.apply(&gated(&scene, "p", "2.0.0", "http://127.0.0.1:1", "up").to_string())?;
    release(&scene, "2.0.0", Some("p"))?;
    let refused = wait_phase(&scene, "p", "Refused")?;
    ensure!(text(&refused, "/status/message").contains("PLAN_METRIC_SERVERS"), "{}", refused["status"]);
    ensure!(stand(&scene, "2.0.0")? == (0, 2), "{:?}", stand(&scene, "2.0.0")?);

    scene.kubectl(&["delete", "plan", "p"])?;
    scene.cluster.apply(&gated(&scene, "p", "2.0.0", &url, "up").to_string())?;
    wait_for("the silent server is named", PATIENCE, || {
        let plan = scene.cluster.kubectl_json(&["-n", &scene.namespace, "get", "plan", "p"])?;
        let (reading, message) = metric(&plan, 0);
        ensure!(reading == "Missing" && message.contains("no answer within 10 s"), "{}", plan["status"]);
        Ok(Some(()))
    })?;
    ensure!(stand(&scene, "2.0.0")? == (1, 1), "{:?}", stand(&scene, "2.0.0")?);
    Ok(())
}
