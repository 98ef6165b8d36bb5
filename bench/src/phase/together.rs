//! All modules of all bases at once: online, and offline again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::objects::ModulePod;
use crate::stage::{AtBase, Place, Stage, took};
use crate::stats::Latency;

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
    /// Pods that were Ready, then were not, and were again.
    pub flapped: usize,
}

impl Together {
    fn of(began: Instant, ended: Instant, samples: Vec<Duration>, flapped: usize) -> Result<Self> {
        let took = ended.saturating_duration_since(began);
        let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        Ok(Self {
            took,
            per_second: f64::from(count) / took.as_secs_f64().max(1e-9),
            latency: Latency::of(samples).context("no sample")?,
            flapped,
        })
    }
}

/// Makes all Pods at once and waits until all are Ready.
pub async fn online(stage: &Stage, pods: &[(ModulePod, Place)]) -> Result<Together> {
    let began = Instant::now();
    let before = stage.pods.board().ready();
    let work = async {
        stage.create(pods).await?;
        let what = format!("{} Pods Ready", pods.len());
        let wanted = before + pods.len();
        stage.pods.until(&what, patience(pods.len()), |board| board.ready() == wanted).await
    };
    stage.pods.telling("all modules online", work).await?;
    let (mut ended, mut flapped, mut samples) = (began, 0, Vec::with_capacity(pods.len()));
    let board = stage.pods.board();
    for (pod, place) in pods {
        let trace = board.trace(&pod.name).with_context(|| format!("{} was never seen", pod.name))?;
        let (bound, ready) =
            trace.bound.zip(trace.ready).with_context(|| format!("{} was not seen whole", pod.name))?;
        samples.push((ready - bound).saturating_sub(took(AtBase::of(pod, place).install)));
        ended = ended.max(ready);
        flapped += usize::from(trace.flaps > 0);
    }
    Together::of(began, ended, samples, flapped)
}

/// Deletes all Pods at once and waits until all are gone.
pub async fn offline(stage: &Stage, pods: &[(ModulePod, Place)]) -> Result<Together> {
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
    let (mut ended, mut samples) = (began, Vec::with_capacity(pods.len()));
    let board = stage.pods.board();
    for (pod, place) in pods {
        let trace = board.trace(&pod.name).with_context(|| format!("{} was never seen", pod.name))?;
        let gone = trace.gone.with_context(|| format!("{} was not seen going", pod.name))?;
        let deleting = trace.deleting.unwrap_or(gone);
        samples.push((gone - deleting).saturating_sub(took(AtBase::of(pod, place).uninstall)));
        ended = ended.max(gone);
    }
    Together::of(began, ended, samples, 0)
}
