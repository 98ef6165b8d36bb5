//! The rolling update, with requests sent all the while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{bases::Base, job, manifest, narration::Narration, parts::Parts};

/// What runs before.
pub(super) const FROM: &str = "1.0.0";
/// Where a version answers: the newer one of a Java base on another path, so that it can hold both for a moment.
/// The older version's path first: when that has just gone, the newer one has to be there already. The other way
/// round, one could go between the two looks without anything being wrong.
const PATHS: [&str; 2] = ["biz1", "biz1v3"];

/// An uninstall of what is no longer wanted takes less.
const SETTLED: Duration = Duration::from_secs(30);
/// Requests go on for so long after the update, to see what it left behind.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// What became of the requests.
#[derive(Debug, Default)]
struct Traffic {
    sent: u64,
    failed: u64,
    first_failure: Option<String>,
}

/// Updates the module from [`FROM`] to another version and counts the requests that no version answered.
pub(super) fn show(narration: &mut Narration, parts: &Parts, to: &str) -> Result<()> {
    narration.step(format!("It is updated to {to}, while requests are sent to both bases without pause"));
    let manifest = manifest::deployment(parts.stack, to, 2)?;
    let stop = AtomicBool::new(false);
    let (updated, traffic) = thread::scope(|scope| {
        let client = scope.spawn(|| send(&parts.bases, &stop));
        let updated = update(narration, parts, to, &manifest);
        if updated.is_ok() {
            thread::sleep(AFTERWARDS);
        }
        stop.store(true, Ordering::Relaxed);
        (updated, client.join())
    });
    updated?;
    let Traffic { sent, failed, first_failure } = traffic.ok().context("the client of the demo panicked")?;
    narration.say(format!("{sent} requests were sent, {failed} failed"));
    ensure!(failed == 0, "{failed} of {sent} requests failed in the update, first: {first_failure:?}");
    narration.done("a base always had a version that answered");
    Ok(())
}

fn update(narration: &Narration, parts: &Parts, to: &str, manifest: &str) -> Result<()> {
    parts.cluster.apply(manifest)?;
    let command =
        format!("kubectl apply -f module-deployment.yaml    # with the image and BIZ_VERSION of {to}");
    narration.show(&command, "");
    job::pods_ready(narration, parts, to, 2)?;
    narration.wait("the older version to leave both bases", SETTLED, || {
        for base in &parts.bases {
            base.holds(&[format!("biz1:{to} activated")])?;
        }
        Ok(Some(()))
    })
}

/// Asks one base after the other until told to stop.
fn send(bases: &[Base], stop: &AtomicBool) -> Traffic {
    let mut traffic = Traffic::default();
    for base in bases.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        traffic.sent += 1;
        if let Err(error) = ask(base) {
            traffic.failed += 1;
            traffic.first_failure.get_or_insert(format!("{}: {error:#}", base.identity()));
        }
    }
    traffic
}

/// One request, answered by whichever version is there.
fn ask(base: &Base) -> Result<()> {
    for path in PATHS {
        if base.serving(path)?.is_some() {
            return Ok(());
        }
    }
    anyhow::bail!("neither version answered")
}
