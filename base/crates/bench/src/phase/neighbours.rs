//! What modules that misbehave do to a neighbour, to the actuator and to Arklet.

use std::{
    net::SocketAddr,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use samples::{BAD, Sample};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    Size,
    base::Base,
    client::{self, Connection},
    table::{Row, Verdict},
    times::Times,
};

/// How long they misbehave.
const SECONDS: u32 = 30;

/// Loops end at a deadline, so that the base may say of them that they are late.
const LIMITS: &str = r#"{"requestMs":1000}"#;

/// Between two requests of the one who measures: a caller, and no load.
const PAUSE: Duration = Duration::from_millis(5);

const NEIGHBOUR: Duration = Duration::from_millis(25);
const OWN: Duration = Duration::from_millis(50);

pub(crate) async fn measure(program: &Path, size: Size) -> Result<Vec<Row>> {
    let base = Base::start(program).await?;
    base.install(&Sample::new("good", "1")).await?;
    for (name, _) in BAD {
        base.install(&Sample::new(name, "1").limits(LIMITS)).await?;
    }
    let until = Instant::now() + Duration::from_secs(size.of(SECONDS).max(5).into());
    let web = base.web();
    // Elsewhere: who reads a flood has no time to measure.
    let bad = thread::spawn(move || misbehave(web, until));
    let neighbour = tokio::spawn(ask(base.web(), "/good/who", until));
    let actuator = tokio::spawn(ask(base.web(), "/actuator/health/liveness", until));
    let arklet = command(base.arklet().await?, until).await?;
    let (neighbour, actuator) = (neighbour.await??, actuator.await??);
    let named = named(&base).await?;
    bad.join().map_err(|_| anyhow!("those that misbehave ended early"))??;
    let beside = "beside four loops, a memory bomb and a flood";
    Ok(vec![
        Row::of_times(&format!("a neighbour {beside}"), &neighbour, NEIGHBOUR),
        Row::of_times(&format!("the actuator {beside}"), &actuator, OWN),
        Row::of_times(&format!("Arklet {beside}"), &arklet, OWN),
        Row {
            what: "the base is there, the culprits named in health".to_owned(),
            promised: "all six, and nobody else".to_owned(),
            measured: named.join(", "),
            verdict: Verdict::of(named == culprits()),
        },
    ])
}

fn misbehave(web: SocketAddr, until: Instant) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut all = JoinSet::new();
        for (name, path) in BAD {
            let path = format!("/{name}/{path}");
            all.spawn(async move {
                while Instant::now() < until {
                    // A flood is cut, which is no answer.
                    let _ = client::get(web, &path).await;
                }
            });
        }
        all.join_all().await;
    });
    Ok(())
}

async fn ask(web: SocketAddr, path: &str, until: Instant) -> Result<Times> {
    let (mut connection, mut times) = (Connection::open(web).await?, Times::default());
    while Instant::now() < until {
        let start = Instant::now();
        let answer = connection.get(path).await?;
        times.add(start.elapsed());
        ensure!(answer.status == 200, "{path}: {} {:?}", answer.status, answer.body);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(times)
}

async fn command(mut arklet: Connection, until: Instant) -> Result<Times> {
    let mut times = Times::default();
    while Instant::now() < until {
        let start = Instant::now();
        arklet.command("queryAllBiz", &json!({})).await?;
        times.add(start.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(times)
}

/// The modules that health says are not well; the base has to be ready all the same.
async fn named(base: &Base) -> Result<Vec<String>> {
    let ready = client::get(base.web(), "/actuator/health/readiness").await?;
    ensure!(ready.status == 200, "the base is not ready: {}", ready.status);
    let health: Value = serde_json::from_slice(&client::get(base.web(), "/actuator/health").await?.body)?;
    let modules = health.pointer("/components/arkBizAggregate/details").and_then(Value::as_object);
    let down = modules.into_iter().flatten().filter(|(_, health)| health.get("status") != Some(&"UP".into()));
    Ok(down.map(|(biz, _)| biz.split(':').next().unwrap_or_default().to_owned()).collect())
}

/// As health has them: by name.
fn culprits() -> Vec<String> {
    let mut names = BAD.map(|(name, _)| name.to_owned());
    names.sort();
    names.into()
}
