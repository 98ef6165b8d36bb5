//! Each part starts, does its one thing, and goes again.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "as in every test, here in its helpers too")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use testkit::artifacts;
use testkit::broker::{Broker, BrokerOptions};
use testkit::cluster::{AuditLog, Cluster, ClusterOptions};
use testkit::http;
use testkit::java_base::{JavaBase, JavaBaseOptions, MqttAccess};
use testkit::package_server::{Behaviour, PackageServer};
use testkit::process::{Process, Tie};
use testkit::wait::wait_for;
use testkit::work_dir::WorkDir;

#[test]
fn a_cluster_takes_pods_and_its_failures_are_told() -> Result<()> {
    let start = Instant::now();
    let cluster = Cluster::start(&ClusterOptions::default())?;
    println!("cluster up in {:?}", start.elapsed());
    let namespace = cluster.namespace("testkit")?;
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: {namespace}}}\n\
         spec: {{containers: [{{name: c, image: none}}]}}\n"
    ))?;
    let pod = cluster.kubectl_json(&["get", "pod", "p", "-n", &namespace])?;
    assert_eq!(pod["status"]["phase"], "Pending");
    let e = cluster.kubectl(&["get", "pod", "nosuch", "-n", &namespace]).unwrap_err();
    assert!(e.to_string().contains("\"nosuch\" not found"), "{e}");
    Ok(())
}

#[test]
fn what_the_controllers_account_asks_for_is_held_against_its_roles() -> Result<()> {
    // It asks for what no controller asks for.
    let cluster = Cluster::start(&ClusterOptions { audit: AuditLog::Own, ..ClusterOptions::default() })?;
    let account = cluster.account()?;
    let kubectl = |args: &[&str]| cluster.kubectl_command().env("KUBECONFIG", account).args(args).output();
    ensure!(kubectl(&["get", "pods", "-A"])?.status.success());
    ensure!(!kubectl(&["get", "secrets", "-A"])?.status.success(), "it may read secrets");
    let mut wrong = Vec::new();
    wait_for("both requests in the audit log", Duration::from_secs(10), || {
        wrong = cluster.rights()?.wrong();
        ensure!(wrong.iter().any(|one| one == "list secrets: was refused"), "{wrong:?}");
        Ok(Some(()))
    })?;
    // It was used; and what was not is told.
    ensure!(!wrong.iter().any(|one| one.starts_with("list pods:")), "{wrong:?}");
    ensure!(wrong.iter().any(|one| one == "watch pods: is granted and was never used"), "{wrong:?}");
    Ok(())
}

#[test]
fn a_base_installs_serves_says_goodbye_and_comes_back() -> Result<()> {
    let heartbeats = Heartbeats::listen()?;
    let start = Instant::now();
    let options =
        JavaBaseOptions { http_tunnel: Some(heartbeats.endpoint.clone()), ..JavaBaseOptions::default() };
    let mut base = JavaBase::start(options)?;
    println!("base up in {:?}", start.elapsed());
    for (name, version) in [("biz1", "1.0.0"), ("biz2", "1.0.0")] {
        let start = Instant::now();
        base.install(name, version)?;
        println!("{name} installed in {:?}", start.elapsed());
    }
    assert_eq!(base.serving("biz1")?.as_deref(), Some("1.0.0"));
    let all: BTreeMap<_, _> = base.query_all_biz()?.into_iter().map(|biz| (biz.name, biz.state)).collect();
    assert_eq!(all, [("biz1", "activated"), ("biz2", "activated")].map(|(a, b)| (a.into(), b.into())).into());

    let failed = base.install("failing", "1.0.0").unwrap_err().to_string();
    assert!(failed.contains("failing told to fail at start-up"), "{failed}");
    let url = PackageServer::start()?.url("biz1", "3.0.0");
    let gone =
        base.arklet("installBiz", &json!({"bizName": "biz1", "bizVersion": "3.0.0", "bizUrl": url}))?;
    assert_eq!(gone["code"], "CMD_PROCESS_INTERNAL_ERROR", "the package server was dropped");

    base.pause()?;
    assert!(base.http_get("/who").is_err());
    base.resume()?;
    base.stop()?;
    let last = heartbeats.last()?;
    assert_eq!(last["state"], "deactivated");
    assert_eq!(last["port"], base.arklet_port());

    base.start_again()?;
    assert_eq!(base.query_all_biz()?, []);
    wait_for("a new heartbeat", Duration::from_secs(5), || {
        Ok((heartbeats.last()?["state"] == "activated").then_some(()))
    })
}

#[test]
fn a_base_reaches_a_broker_with_certificates_that_stops_and_starts_again() -> Result<()> {
    let options = BrokerOptions { client_certificates: true, ..BrokerOptions::default() };
    let mut broker = Broker::start(&options)?;
    let access =
        MqttAccess { certificate: Some(broker.client_certificate("base-a")?), ..MqttAccess::from(&broker) };
    let base = JavaBase::start(JavaBaseOptions { mqtt: Some(access), ..JavaBaseOptions::default() })?;
    let published = format!("koupleless_default/{}/base/heart", base.identity());
    let heard = |broker: &Broker| broker.log().matches(&published).count();
    wait_for("a heartbeat", Duration::from_secs(10), || Ok((heard(&broker) > 0).then_some(())))?;
    broker.stop()?;
    let before = heard(&broker);
    broker.start_again()?;
    wait_for("another heartbeat", Duration::from_secs(20), || Ok((heard(&broker) > before).then_some(())))?;
    Ok(())
}

#[test]
fn a_broker_lets_only_its_users_in() -> Result<()> {
    let options = BrokerOptions { users: vec![("u".into(), "right".into())], ..BrokerOptions::default() };
    let broker = Broker::start(&options)?;
    let base = |password: &str| {
        let user = Some(("u".to_owned(), password.to_owned()));
        let mqtt = Some(MqttAccess { user, ..MqttAccess::from(&broker) });
        JavaBaseOptions { mqtt, ..JavaBaseOptions::default() }
    };
    let bases = JavaBase::start_all(vec![base("right"), base("wrong")])?;
    let heart = |n: usize| format!("koupleless_default/{}/base/heart", bases[n].identity());
    wait_for("a heartbeat", Duration::from_secs(10), || Ok(broker.log().contains(&heart(0)).then_some(())))?;
    assert!(!broker.log().contains(&heart(1)));
    Ok(())
}

#[test]
fn a_package_server_misbehaves_on_request() -> Result<()> {
    let dir = WorkDir::new("packages")?;
    fs::write(dir.join("a-1-ark-biz.jar"), "a jar")?;
    let server = PackageServer::start_in(dir.path().to_owned())?;
    let limit = Duration::from_millis(500);
    let url = server.url("a", "1");
    assert_eq!(http::get(&url, limit)?.body, "a jar");
    server.set("a", "1", Behaviour::NotFound);
    assert_eq!(http::get(&url, limit)?.status, 404);
    server.set("a", "1", Behaviour::Hang);
    assert!(http::get(&url, limit).is_err());
    server.set("a", "1", Behaviour::Slow(Duration::from_millis(200)));
    assert_eq!(http::get(&url, limit)?.status, 200);
    assert_eq!(http::get(&server.url("b", "1"), limit)?.status, 404);
    assert_eq!(server.requests("a", "1"), 4);
    Ok(())
}

/// The name of the variable that tells [`holds_children`] where to write its children's numbers.
const CHILDREN: &str = "TESTKIT_TEST_CHILDREN";

#[test]
fn a_killed_test_leaves_no_orphans() -> Result<()> {
    artifacts::devcluster()?; // or the time it takes to build it counts as the children's
    let dir = WorkDir::new("orphans")?;
    let file = dir.join("children");
    let mut holder = Command::new(env::current_exe()?)
        .args(["--ignored", "--exact", "holds_children"])
        .env(CHILDREN, &file)
        .stdout(Stdio::null())
        .spawn()?;
    let children = wait_for("the children", Duration::from_secs(60), || {
        let text = fs::read_to_string(&file)?;
        Ok(text.ends_with("end").then(|| text.lines().filter_map(|l| l.parse().ok()).collect::<Vec<u32>>()))
    })?;
    let running = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    assert_eq!(children.iter().filter(|id| running(id)).count(), 4);
    holder.kill()?;
    holder.wait()?;
    wait_for("all to end", Duration::from_secs(15), || {
        let left: Vec<_> = children.iter().filter(|id| running(id)).collect();
        ensure!(left.is_empty(), "still running: {left:?} of {children:?}");
        Ok(Some(()))
    })
}

#[test]
#[ignore = "run by a_killed_test_leaves_no_orphans, which kills it"]
fn holds_children() -> Result<()> {
    let Some(file) = env::var_os(CHILDREN) else { return Ok(()) };
    let dir = WorkDir::new("holder")?;
    let inner = dir.join("inner");
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 1000 & echo $! >inner; wait"]).current_dir(dir.path());
    let parent = Process::spawn("a parent", command, &dir.join("log"), Tie::Guard)?;
    let mut command = Command::new("sleep");
    command.arg("1000");
    let mut paused = Process::spawn("a paused one", command, &dir.join("log"), Tie::Guard)?;
    paused.pause()?;
    let cluster = Cluster::start(&ClusterOptions::default())?;
    let grandchild = wait_for("the grandchild", Duration::from_secs(5), || {
        Ok(Some(fs::read_to_string(&inner)?.trim().parse::<u32>()?))
    })?;
    let text = format!("{}\n{grandchild}\n{}\n{}\nend", parent.id(), paused.id(), cluster.id());
    fs::write(Path::new(&file), text)?;
    thread::sleep(Duration::from_secs(120));
    Ok(())
}

/// The least of a controller's HTTP tunnel: takes heartbeats and keeps the last.
struct Heartbeats {
    endpoint: String,
    last: std::sync::Arc<std::sync::Mutex<Option<String>>>,
}

impl Heartbeats {
    fn listen() -> Result<Self> {
        use std::io::{BufRead, BufReader, Read, Write};
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let last = std::sync::Arc::<std::sync::Mutex<Option<String>>>::default();
        let kept = std::sync::Arc::clone(&last);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut length = 0;
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                    let (name, value) = line.split_once(':').unwrap_or_default();
                    if name.eq_ignore_ascii_case("content-length") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                *kept.lock().unwrap() = Some(String::from_utf8(body).unwrap());
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .unwrap();
            }
        });
        Ok(Self { endpoint, last })
    }

    fn last(&self) -> Result<serde_json::Value> {
        let text = self.last.lock().unwrap().clone().context("no heartbeat yet")?;
        Ok(serde_json::from_str(&text)?)
    }
}
