//! Requests a second over eight connections, in turn with `wasmtime serve` on the same component.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use samples::Sample;

use crate::{
    Size,
    base::Base,
    client::Connection,
    folder::Folder,
    server::{self, Server},
    table::{Row, Verdict},
};

const CONNECTIONS: usize = 8;

/// How long one of them is asked, in milliseconds, and how often all of them are in turn: the median counts.
const ROUND_MS: u32 = 5_000;
const ROUNDS: usize = 5;

/// How long one is asked before it counts.
const WARM: Duration = Duration::from_millis(300);

/// The requests that one instance answers where it is used again.
const REUSE: u32 = 1_000;

/// What stays mapped between instances, as the base has it. The rest is what serve does by default.
const TUNED: [&str; 8] = [
    "-O",
    "pooling-memory-keep-resident=1048576",
    "-O",
    "pooling-table-keep-resident=1048576",
    "-O",
    "pooling-async-stack-keep-resident=65536",
    "-O",
    "pooling-pagemap-scan=auto",
];

/// Who is asked.
struct Target {
    name: &'static str,
    address: SocketAddr,
    path: &'static str,
    rates: Vec<f64>,
}

pub(crate) async fn measure(program: &Path, wasmtime: Option<&Path>, size: Size) -> Result<Vec<Row>> {
    let base = Base::start(program).await?;
    base.install(&Sample::new("fresh", "1")).await?;
    base.install(&Sample::new("reuse", "1").limits(&format!(r#"{{"reuse":{REUSE}}}"#))).await?;
    let mut targets =
        vec![target("fresh", base.web(), "/fresh/who"), target("reuse", base.web(), "/reuse/who")];
    let folder = Folder::new()?;
    let mut others = Vec::new();
    if let Some(wasmtime) = wasmtime {
        let component = folder.path().join("component.wasm");
        fs::write(&component, Sample::new("fresh", "1").component()?).context("writing a component")?;
        let reuse = format!("--max-instance-reuse-count={REUSE}");
        for (name, more) in [
            ("defaults", Vec::new()),
            ("tuned", TUNED.to_vec()),
            ("reusing", [TUNED.as_slice(), &[&*reuse]].concat()),
        ] {
            let address = server::free_address().await?;
            others.push(serve(wasmtime, &component, name, &more, address).await?);
            targets.push(target(name, address, "/who"));
        }
    }
    let round = Duration::from_millis(size.of(ROUND_MS).into());
    for number in 0..ROUNDS {
        // In another order each time: what a machine does beside falls on all of them.
        targets.rotate_left(number % 2);
        for target in &mut targets {
            load(target, WARM).await?;
            let rate = load(target, round).await?;
            target.rates.push(rate);
        }
    }
    Ok(rows(&targets))
}

fn target(name: &'static str, address: SocketAddr, path: &'static str) -> Target {
    Target { name, address, path, rates: Vec::new() }
}

async fn serve(
    wasmtime: &Path,
    component: &Path,
    name: &str,
    more: &[&str],
    address: SocketAddr,
) -> Result<Server> {
    let mut command = Command::new(wasmtime);
    command.args(["serve", "-S", "cli=y", "--addr", &address.to_string()]).args(more).arg(component);
    Server::start(command, &component.with_file_name(name), address, "/who").await
}

/// Requests a second.
async fn load(target: &Target, time: Duration) -> Result<f64> {
    let start = Instant::now();
    let (address, path, until) = (target.address, target.path, start + time);
    let callers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            tokio::spawn(async move {
                let (mut connection, mut answered) = (Connection::open(address).await?, 0_u32);
                while Instant::now() < until {
                    let answer = connection.get(path).await?;
                    ensure!(answer.status == 200, "{path}: {} {:?}", answer.status, answer.body);
                    answered += 1;
                }
                Ok::<_, anyhow::Error>(answered)
            })
        })
        .collect();
    let mut all = 0;
    for caller in callers {
        all += caller.await??;
    }
    Ok(f64::from(all) / start.elapsed().as_secs_f64())
}

fn rows(targets: &[Target]) -> Vec<Row> {
    let rate = |name: &str| targets.iter().find(|target| target.name == name).map(Target::median);
    [("fresh", "defaults", 2.0), ("fresh", "tuned", 1.1), ("reuse", "reusing", 0.95)]
        .into_iter()
        .map(|(own, other, factor)| {
            let own_rate = rate(own).unwrap_or_default();
            let (measured, verdict) = match rate(other) {
                Some(rate) => (
                    format!("{:.2} x ({own_rate:.0}/s beside {rate:.0}/s)", own_rate / rate),
                    Verdict::of(own_rate >= factor * rate),
                ),
                None => {
                    (format!("{own_rate:.0}/s; no wasmtime was named (--wasmtime)"), Verdict::NotMeasured)
                }
            };
            let promised = format!(">= {factor} x wasmtime serve, {other}");
            Row { what: format!("{own} instances, {CONNECTIONS} connections"), promised, measured, verdict }
        })
        .collect()
}

impl Target {
    fn median(&self) -> f64 {
        let mut sorted = self.rates.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}
