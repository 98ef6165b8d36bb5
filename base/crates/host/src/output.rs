//! What a module prints: lines of its own log and of the base's, there each with the module's name, and no more than so many.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::log::Log;

/// What a module may print in a second, in the long run.
const BYTES_PER_SECOND: usize = 64 * 1024;

/// What it may print at once.
const BURST_BYTES: usize = 256 * 1024;

/// The longest line; what is longer becomes several.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// The most that is taken in one write.
const MAX_WRITE_BYTES: usize = 64 * 1024;

/// A module's output, of all its instances.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    biz: Arc<str>,
    log: Arc<Log>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    allowed: usize,
    since: Instant,
    dropped: usize,
}

/// One stream of one instance.
#[derive(Debug)]
struct Lines {
    output: Output,
    /// What has no end yet.
    begun: Vec<u8>,
}

impl Output {
    /// What is printed is kept up to `limit` bytes.
    pub(crate) fn new(biz: &str, limit: usize) -> Self {
        let shared = Shared { allowed: BURST_BYTES, since: Instant::now(), dropped: 0 };
        Self { biz: biz.into(), log: Log::new(limit), shared: Arc::new(Mutex::new(shared)) }
    }

    /// What was printed last.
    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// A line, where the limit allows it.
    pub(crate) fn print(&self, line: &[u8]) {
        let Some(dropped) = self.admit(line.len(), Instant::now()) else { return };
        if dropped > 0 {
            let said = format!("{dropped} bytes of its output were dropped");
            tracing::warn!(target: "module", biz = %self.biz, "{said}");
            self.log.push(&said);
        }
        let text: String =
            String::from_utf8_lossy(line).chars().filter(|c| !c.is_control() || *c == '\t').collect();
        tracing::info!(target: "module", biz = %self.biz, "{text}");
        self.log.push(&text);
    }

    /// Whether so many bytes may be printed, and how many were not since it was asked last.
    fn admit(&self, bytes: usize, now: Instant) -> Option<usize> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = now.saturating_duration_since(shared.since).as_millis();
        let earned = usize::try_from(millis).unwrap_or(usize::MAX).saturating_mul(BYTES_PER_SECOND) / 1000;
        if earned > 0 {
            shared.allowed = shared.allowed.saturating_add(earned).min(BURST_BYTES);
            shared.since = now;
        }
        match shared.allowed.checked_sub(bytes + 1) {
            Some(left) => {
                shared.allowed = left;
                Some(std::mem::take(&mut shared.dropped))
            }
            None => {
                shared.dropped += bytes;
                None
            }
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    /// Only WASI 0.3 asks for it, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Lines { output: self.clone(), begun: Vec::new() })
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            for part in piece.chunks(MAX_LINE_BYTES) {
                if self.begun.len() + part.len() > MAX_LINE_BYTES {
                    self.output.print(&std::mem::take(&mut self.begun));
                }
                self.begun.extend_from_slice(part);
            }
            if pieces.peek().is_some() {
                self.output.print(&std::mem::take(&mut self.begun));
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE_BYTES)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.begun.is_empty() {
            self.output.print(&self.begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_dropped_and_what_comes_after_says_how_much() {
        let output = Output::new("a:1", 1024);
        let start = Instant::now();
        assert_eq!(output.admit(BURST_BYTES - 1, start), Some(0));
        assert_eq!(output.admit(1_000, start), None);
        assert_eq!(output.admit(1_000, start + Duration::from_secs(1)), Some(1_000));
        assert_eq!(output.admit(BYTES_PER_SECOND, start + Duration::from_secs(1)), None);
    }
}
