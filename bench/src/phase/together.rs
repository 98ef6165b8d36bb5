//! All modules of all bases at once: online, and offline again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::fleet::base::Work;
use crate::objects::ModulePod;
use crate::stage::{AtBase, Stage, Target, took};
use crate::stats::{Latency, median, median_latency};

use super::patience;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Together {
    /// From the first request until the last Pod was seen as wanted.
    pub took: Duration,
    /// Pods in each second of that.
    pub per_second: f64,
    /// From seen bound to seen Ready, or from the deletion being seen to gone; less the base's own time.
    pub latency: Latency,
    /// From seen bound, or the deletion being seen, until the base has read the command.
    pub commanded: Option<Latency>,
    /// From the base's answer until the Pod was seen Ready, or gone.
    pub told: Option<Latency>,
    /// Pods that were Ready and then were not.
    pub flapped: usize,
}

impl Together {
    /// The middle of several rounds, figure by figure; none where there is no round.
    pub fn median(rounds: &[Self]) -> Option<Self> {
        let parts =
            |part: fn(&Self) -> Option<Latency>| -> Vec<Latency> { rounds.iter().filter_map(part).collect() };
        Some(Self {
            took: Duration::from_secs_f64(median(rounds.iter().map(|round| round.took.as_secs_f64()))),
            per_second: median(rounds.iter().map(|round| round.per_second)),
            latency: median_latency(&parts(|round| Some(round.latency)))?,
            commanded: median_latency(&parts(|round| round.commanded)),
            told: median_latency(&parts(|round| round.told)),
            flapped: rounds.iter().map(|round| round.flapped).max()?,
        })
    }
}

/// What the Pods took, part by part.
#[derive(Default)]
struct Samples {
    all: Vec<Duration>,
    commanded: Vec<Duration>,
    told: Vec<Duration>,
    ended: Option<Instant>,
    flapped: usize,
}

impl Samples {
    /// One Pod, from the one event to the other, with what its base did in between.
    fn take(&mut self, from: Instant, to: Instant, work: Option<Work>) {
        self.all.push(to.saturating_duration_since(from).saturating_sub(took(work, from)));
        if let Some(work) = work {
            self.commanded.push(work.begun.saturating_duration_since(from));
            self.told.push(to.saturating_duration_since(work.ended));
        }
        self.ended = self.ended.max(Some(to));
    }

    fn summary(self, began: Instant) -> Result<Together> {
        let took = self.ended.context("no sample")?.saturating_duration_since(began);
        let count = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        Ok(Together {
            took,
            per_second: f64::from(count) / took.as_secs_f64().max(1e-9),
            latency: Latency::of(self.all).context("no sample")?,
            commanded: Latency::of(self.commanded),
            told: Latency::of(self.told),
            flapped: self.flapped,
        })
    }
}

/// Makes so many Pods at once and waits until they are Ready, until all are.
pub async fn online(stage: &Stage, pods: &[(ModulePod, Target)], at_once: usize) -> Result<Together> {
    let began = Instant::now();
    let work = async {
        let mut wanted = stage.pods.board().ready();
        for wave in pods.chunks(at_once) {
            stage.create(wave).await?;
            wanted += wave.len();
            let what = format!("{wanted} Pods Ready");
            stage.pods.until(&what, patience(wave.len()), |board| board.ready() == wanted).await?;
        }
        anyhow::Ok(())
    };
    stage.pods.telling("all modules online", work).await?;
    let mut samples = Samples::default();
    let board = stage.pods.board();
    for (pod, place) in pods {
        let trace = board.trace(&pod.name).with_context(|| format!("{} was never seen", pod.name))?;
        let (bound, ready) =
            trace.bound.zip(trace.ready).with_context(|| format!("{} was not seen whole", pod.name))?;
        samples.take(bound, ready, AtBase::of(pod, place).install);
        samples.flapped += usize::from(trace.flaps > 0);
    }
    samples.summary(began)
}

/// Deletes all Pods at once and waits until all are gone.
pub async fn offline(stage: &Stage, pods: &[(ModulePod, Target)]) -> Result<Together> {
    let began = Instant::now();
    let before = stage.pods.board().present();
    ensure!(before >= pods.len(), "{before} Pods are there, and {} shall be deleted", pods.len());
    let work = async {
        stage.delete(pods).await?;
        let what = format!("{} Pods gone", pods.len());
        let wanted = before - pods.len();
        stage.pods.until(&what, patience(pods.len()), |board| board.present() == wanted).await
    };
    stage.pods.telling("all modules offline", work).await?;
    let mut samples = Samples::default();
    let board = stage.pods.board();
    for (pod, place) in pods {
        let trace = board.trace(&pod.name).with_context(|| format!("{} was never seen", pod.name))?;
        let gone = trace.gone.with_context(|| format!("{} was not seen going", pod.name))?;
        samples.take(trace.deleting.unwrap_or(gone), gone, AtBase::of(pod, place).uninstall);
    }
    samples.summary(began)
}
