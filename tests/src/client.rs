//! Requests without pause, while something is done to the one who answers.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use testkit::{
    http::{self, Answer},
    java_base::JavaBase,
};

/// When nothing answered on a base.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    /// The first request that failed was sent.
    pub from: Instant,
    /// The first that was answered again was answered.
    pub to: Instant,
}

impl Gap {
    /// At some moment there were both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

/// Asks a base for its module without pause, until it is told to stop.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    thread: thread::JoinHandle<Vec<Gap>>,
}

/// What is known of it while it asks.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    requests: AtomicUsize,
    versions: Mutex<Vec<String>>,
}

impl Client {
    /// A request is answered where any of the paths answers: two versions may serve beside each other.
    pub fn start(base: &JavaBase, paths: &'static [&'static str]) -> Self {
        Self::start_at(SocketAddr::from((base.ip(), base.web_port())), paths)
    }

    /// As [`Client::start`], of whatever listens there.
    pub fn start_at(base: SocketAddr, paths: &'static [&'static str]) -> Self {
        let shared = Arc::<Shared>::default();
        let urls: Vec<String> = paths.iter().map(|path| format!("http://{base}/{path}/who")).collect();
        let theirs = shared.clone();
        let thread = thread::spawn(move || theirs.ask(&urls));
        Self { shared, thread }
    }

    /// How many requests were sent so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// The versions that answered so far, in their order: one that came back is there twice.
    pub fn versions(&self) -> Vec<String> {
        self.shared.versions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests were sent, and when none was answered.
    pub fn stop(self) -> Result<(usize, Vec<Gap>)> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let gaps = self.thread.join().map_err(|_| anyhow!("the client panicked"))?;
        Ok((self.shared.requests.load(Ordering::Relaxed), gaps))
    }
}

impl Shared {
    fn ask(&self, urls: &[String]) -> Vec<Gap> {
        let (mut gaps, mut since) = (Vec::new(), None::<Instant>);
        while !self.stop.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let answer = urls
                .iter()
                .filter_map(|url| http::get(url, Duration::from_secs(5)).ok())
                .find(|answer| answer.status == 200);
            self.requests.fetch_add(1, Ordering::Relaxed);
            match (&answer, since) {
                (None, None) => since = Some(asked),
                (Some(_), Some(from)) => {
                    gaps.push(Gap { from, to: Instant::now() });
                    since = None;
                }
                _ => {}
            }
            if let Some(answer) = answer {
                self.note(&answer);
            }
        }
        if let Some(from) = since {
            gaps.push(Gap { from, to: Instant::now() });
        }
        gaps
    }

    fn note(&self, answer: &Answer) {
        let version = answer.json().ok().and_then(|json| Some(json["version"].as_str()?.to_owned()));
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = version
            && versions.last() != Some(&version)
        {
            versions.push(version);
        }
    }
}
