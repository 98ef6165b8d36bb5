//! The controller is killed at random moments while modules go online, are replaced and go offline.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use e2e::{
    Scene, Simulated, Way, long_run, manifest,
    seen::{is_ready, summary, text},
};
use testkit::wait::wait_for;

/// Each takes ten seconds on a busy machine.
fn kills() -> usize {
    if long_run() { 40 } else { 10 }
}

const BASES: usize = 4;

/// What a module takes to come or go: long enough to be killed in the middle of it.
const TAKES: Duration = Duration::from_millis(150);

/// After a change has begun it is killed within this, in milliseconds: `kubectl` takes the first of it, and after
/// the rest all is done.
const MOMENTS_MS: u64 = 2_000;

/// The seed of a run that shall be had again.
const SEED: &str = "FAULTS_SEED";

/// Choices that are the same for the same seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }

    /// One of these; none where there is none.
    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(all.len()).ok().filter(|count| *count > 0)?;
        all.get(usize::try_from(self.below(count)).ok()?)
    }
}

/// A Pod that there shall be: one biz, which no other Pod names.
#[derive(Debug, Clone)]
struct Wanted {
    base: usize,
    version: u32,
}

/// What is asked of the cluster in one round.
#[derive(Default)]
struct Changes {
    apply: BTreeSet<String>,
    delete: Vec<String>,
    force: bool,
}

#[test]
fn killed_at_random_moments_nothing_is_lost_doubled_or_orphaned() -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let seed = env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or(now);
    println!("{SEED}={seed}");
    killed(seed).with_context(|| format!("{SEED}={seed}"))
}

fn killed(seed: u64) -> Result<()> {
    let mut random = Random(seed);
    let mut scene = Scene::start(Way::Http, &[])?;
    let tunnel = scene.controller.http_tunnel();
    let bases = (0..BASES)
        .map(|_| Simulated::start(&tunnel, &scene.base_version))
        .collect::<Result<Vec<Simulated>>>()?;
    for base in &bases {
        base.take(TAKES);
    }
    wait_for("all bases have Nodes", Duration::from_secs(30), || {
        Ok((scene.nodes()?.len() == BASES).then_some(()))
    })?;
    let mut wanted = BTreeMap::new();
    for round in 0..kills() {
        let changes = change(round, &mut wanted, &mut random);
        let moment = Duration::from_millis(random.below(MOMENTS_MS));
        let text = changes
            .apply
            .iter()
            .filter_map(|name| Some(pod(&scene, &bases, name, wanted.get(name)?)))
            .collect::<Vec<_>>()
            .join("\n");
        let (cluster, namespace) = (&scene.cluster, scene.namespace.clone());
        let controller = &mut scene.controller;
        thread::scope(|scope| {
            let asking = scope.spawn(move || {
                cluster.apply(&text)?;
                let mut args = vec!["-n", &namespace, "delete", "pods", "--wait=false", "--ignore-not-found"];
                if changes.force {
                    args.extend(["--force", "--grace-period=0"]);
                }
                args.extend(changes.delete.iter().map(String::as_str));
                if changes.delete.is_empty() { Ok(String::new()) } else { cluster.kubectl(&args) }
            });
            // The moment is the point: it is no wait for anything.
            thread::sleep(moment);
            controller.kill()?;
            asking.join().ok().context("the thread that changes Pods")??;
            controller.start_again()
        })
        .with_context(|| format!("round {round}, killed after {moment:?}"))?;
    }
    converged(&scene, &bases, &wanted)?;
    account(&bases, &wanted)
}

/// Some Pods come, some name another version, some go.
fn change(round: usize, wanted: &mut BTreeMap<String, Wanted>, random: &mut Random) -> Changes {
    let mut changes = Changes { force: random.below(3) == 0, ..Changes::default() };
    for _ in 0..2 {
        let names: Vec<String> = wanted.keys().cloned().collect();
        if let Some(name) = random.one_of(&names)
            && let Some(pod) = wanted.get_mut(name)
        {
            pod.version += 1;
            changes.apply.insert(name.clone());
        }
        if names.len() > BASES
            && let Some(name) = random.one_of(&names)
        {
            wanted.remove(name);
            changes.apply.remove(name);
            changes.delete.push(name.clone());
        }
    }
    for nth in 0..3 {
        let base = usize::try_from(random.below(1 << 16)).unwrap_or_default() % BASES;
        let name = format!("p{round}-{nth}");
        wanted.insert(name.clone(), Wanted { base, version: 1 });
        changes.apply.insert(name);
    }
    changes
}

/// Of a Pod that runs only image and annotations can change.
fn pod(scene: &Scene, bases: &[Simulated], name: &str, wanted: &Wanted) -> String {
    let node = bases.get(wanted.base).map(Simulated::node);
    let version = wanted.version.to_string();
    let biz = manifest::container_of(name, "1", &format!("file:///{name}-{version}.jar"));
    let pod = manifest::pod(scene, name, node.as_deref(), &[biz]);
    manifest::annotated(manifest::patient(pod), &[(&format!("biz-version.{name}"), &version)]).to_string()
}

/// What a base shall have in the end.
fn expected(of: usize, wanted: &BTreeMap<String, Wanted>) -> BTreeSet<String> {
    let on_it = wanted.iter().filter(|(_, pod)| pod.base == of);
    on_it.map(|(name, pod)| format!("{name}:{}", pod.version)).collect()
}

/// Pods, bases and Module objects agree. An object is kept for as long as an install that the one before has sent may
/// still be carried out, which is 3 minutes.
fn converged(scene: &Scene, bases: &[Simulated], wanted: &BTreeMap<String, Wanted>) -> Result<()> {
    let ours = format!("module-controller.koupleless.io/env={}", scene.env);
    wait_for("Pods, bases and Module objects agree", Duration::from_secs(240), || {
        let pods = scene.pods(&[])?;
        let names: BTreeSet<&str> = pods.iter().map(|pod| text(pod, "/metadata/name")).collect();
        let waiting: Vec<String> = pods.iter().filter(|pod| !is_ready(pod)).map(summary).collect();
        ensure!(
            names == wanted.keys().map(String::as_str).collect() && waiting.is_empty(),
            "{names:?}, {waiting:?}"
        );
        for (index, base) in bases.iter().enumerate() {
            let (biz, expected) = (base.biz(), expected(index, wanted));
            let there: BTreeSet<String> = biz.keys().cloned().collect();
            ensure!(there == expected, "{} has {there:?} and not {expected:?}", base.identity());
            ensure!(biz.values().all(|state| state == "activated"), "{biz:?}");
        }
        let modules = scene.cluster.kubectl_json(&["get", "modules.koupleless.io", "-A", "-l", &ours])?;
        let told: BTreeSet<String> = modules["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|module| format!("{}:{}", text(module, "/spec/name"), text(module, "/spec/version")))
            .collect();
        let all: BTreeSet<String> = (0..bases.len()).flat_map(|base| expected(base, wanted)).collect();
        ensure!(told == all, "Module objects {told:?} and not {all:?}");
        Ok(Some(()))
    })
}

/// Each version of each biz was wanted once, so it was installed at most once; and what is not wanted any more
/// was taken away once.
fn account(bases: &[Simulated], wanted: &BTreeMap<String, Wanted>) -> Result<()> {
    let (mut installs, mut uninstalls, mut refused) = (0, 0, 0);
    let (mut lost, mut doubled, mut orphaned) = (0, 0, 0);
    for (index, base) in bases.iter().enumerate() {
        let done = base.done();
        let with = |what: &str| -> Vec<String> {
            done.iter().filter_map(|command| command.strip_prefix(what).map(str::to_owned)).collect()
        };
        let (installed, uninstalled) = (with("installBiz "), with("uninstallBiz "));
        let once: BTreeSet<&String> = installed.iter().collect();
        let expected = expected(index, wanted);
        doubled += installed.len() - once.len();
        lost += expected.iter().filter(|id| !once.contains(id) || uninstalled.contains(id)).count();
        orphaned += once.iter().filter(|id| !expected.contains(**id) && !uninstalled.contains(id)).count();
        installs += installed.len();
        uninstalls += uninstalled.len();
        refused += base.commands().len().saturating_sub(done.len());
    }
    let kills = kills();
    println!(
        "{kills} kills, {installs} installs, {uninstalls} uninstalls, {refused} commands refused: \
         {lost} lost, {doubled} doubled, {orphaned} orphaned"
    );
    ensure!(installs > kills && uninstalls > kills / 2, "too little happened");
    let told: Vec<Vec<String>> = bases.iter().map(Simulated::commands).collect();
    ensure!((lost, doubled, orphaned) == (0, 0, 0), "{told:?}");
    Ok(())
}
