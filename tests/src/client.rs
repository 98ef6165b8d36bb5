//! Requests without pause, while something is done to the one who answers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use testkit::{http, java_base::JavaBase};

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
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<(usize, Vec<Gap>)>,
}

impl Client {
    /// A request is answered where any of the paths answers: two versions may serve beside each other.
    pub fn start(base: &JavaBase, paths: &'static [&'static str]) -> Self {
        Self::start_at(SocketAddr::from((base.ip(), base.web_port())), paths)
    }

    /// As [`Client::start`], of whatever listens there.
    pub fn start_at(base: SocketAddr, paths: &'static [&'static str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let root = format!("http://{base}");
        let thread = thread::spawn(move || {
            let (mut requests, mut gaps, mut since) = (0, Vec::new(), None::<Instant>);
            while !stopped.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let answered = paths.iter().any(|path| {
                    http::get(&format!("{root}/{path}/who"), Duration::from_secs(5))
                        .is_ok_and(|a| a.status == 200)
                });
                requests += 1;
                match (answered, since) {
                    (false, None) => since = Some(asked),
                    (true, Some(from)) => {
                        gaps.push(Gap { from, to: Instant::now() });
                        since = None;
                    }
                    _ => {}
                }
            }
            if let Some(from) = since {
                gaps.push(Gap { from, to: Instant::now() });
            }
            (requests, gaps)
        });
        Self { stop, thread }
    }

    /// How many requests were sent, and when none was answered.
    pub fn stop(self) -> Result<(usize, Vec<Gap>)> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the client panicked"))
    }
}
