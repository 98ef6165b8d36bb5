//! One module after the other, while nothing else happens: what one Pod costs, online and offline.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::stage::{AtBase, Stage, took};
use crate::stats::Latency;
use crate::watch::{Board, telling};

use super::patience;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Alone {
    /// From the Pod's creation until it was seen bound: the scheduler's.
    pub scheduled: Latency,
    /// From seen bound to seen Ready, less the base's own time.
    pub online: Latency,
    /// From seen bound until the base has read the command.
    pub commanded: Option<Latency>,
    /// From the base's answer to seen Ready.
    pub told: Option<Latency>,
    /// From the deletion being seen until the Pod is seen gone, less the base's own time.
    pub offline: Latency,
    /// From the deletion being seen until the base has read the command.
    pub released: Option<Latency>,
}

#[derive(Default)]
struct Samples {
    scheduled: Vec<Duration>,
    online: Vec<Duration>,
    commanded: Vec<Duration>,
    told: Vec<Duration>,
    offline: Vec<Duration>,
    released: Vec<Duration>,
}

/// Makes a Pod, waits until it is Ready, deletes it, waits until it is gone; `count` times, Node after Node.
pub async fn run(stage: &Stage, count: usize) -> Result<Alone> {
    let mut samples = Samples::default();
    let done = AtomicUsize::new(0);
    let work = async {
        for (n, place) in stage.places.iter().cycle().take(count).enumerate() {
            let pod = stage.module(&format!("alone{n}"), place);
            let name = pod.name.clone();
            let created = Instant::now();
            stage.server.create_pod(&stage.namespace, &pod.object()).await?;
            let ready = |board: &Board| board.trace(&name).is_some_and(|trace| trace.is_ready);
            stage.pods.until(&format!("{name} Ready"), patience(1), ready).await?;
            stage.server.delete_pod(&stage.namespace, &name).await?;
            let gone = |board: &Board| board.trace(&name).is_some_and(|trace| trace.gone.is_some());
            stage.pods.until(&format!("{name} gone"), patience(1), gone).await?;
            let at_base = AtBase::of(&pod, place);
            samples
                .take(stage, &name, created, at_base)
                .with_context(|| format!("what was seen of {name}"))?;
        }
        anyhow::Ok(())
    };
    let far = || format!("{} of {count}", done.load(Relaxed));
    telling("one module after the other", far, work).await?;
    samples.summary().context("no sample")
}

impl Samples {
    fn take(&mut self, stage: &Stage, name: &str, created: Instant, at_base: AtBase) -> Option<()> {
        let board = stage.pods.board();
        let trace = board.trace(name)?;
        let (bound, ready) = (trace.bound?, trace.ready?);
        // The watcher may see the end before the beginning of a deletion that is quick.
        let gone = trace.gone?;
        let deleting = trace.deleting.unwrap_or(gone);
        self.scheduled.push(bound.saturating_duration_since(created));
        self.online.push((ready - bound).saturating_sub(took(at_base.install, bound)));
        self.offline.push((gone - deleting).saturating_sub(took(at_base.uninstall, deleting)));
        if let Some(install) = at_base.install {
            self.commanded.push(install.begun.saturating_duration_since(bound));
            self.told.push(ready.saturating_duration_since(install.ended));
        }
        if let Some(uninstall) = at_base.uninstall {
            self.released.push(uninstall.begun.saturating_duration_since(deleting));
        }
        Some(())
    }

    fn summary(self) -> Option<Alone> {
        Some(Alone {
            scheduled: Latency::of(self.scheduled)?,
            online: Latency::of(self.online)?,
            commanded: Latency::of(self.commanded),
            told: Latency::of(self.told),
            offline: Latency::of(self.offline)?,
            released: Latency::of(self.released),
        })
    }
}
