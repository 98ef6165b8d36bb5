//! What a module may use: what its package asks for, up to what the base allows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use package::Limits;
use wasmtime::ResourceLimiter;

const MIB: usize = 1024 * 1024;

/// The most table elements of one instance: a large program has some ten thousand functions.
const MAX_TABLE_ELEMENTS: usize = 200_000;

/// The most that any module gets, whatever its package asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceilings {
    /// Linear memory of one instance, in MiB.
    pub memory_mib: u32,
    /// How long a request may take.
    pub request: Duration,
    /// Requests of one module at work at one time.
    pub concurrent_requests: u32,
    /// The body of one answer, in MiB.
    pub response_mib: u32,
    /// Linear memory of all instances together, in MiB.
    pub total_memory_mib: u32,
    /// What is kept of a module's output, in KiB.
    pub log_kib: u32,
    /// The requests that one instance may answer.
    pub reuse: u32,
}

impl Default for Ceilings {
    fn default() -> Self {
        Self {
            memory_mib: 256,
            request: Duration::from_secs(60),
            concurrent_requests: 256,
            response_mib: 64,
            total_memory_mib: 1024,
            log_kib: 256,
            reuse: 1000,
        }
    }
}

/// What one module gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Linear memory of one instance, in bytes.
    pub memory_bytes: usize,
    /// How long a request may take.
    pub request: Duration,
    /// Requests at work at one time.
    pub concurrent_requests: u32,
    /// The body of one answer, in bytes.
    pub response_bytes: u64,
    /// The requests that one instance answers, one after the other.
    pub reuse: u32,
}

impl Quota {
    /// What a package asks for, where that is less than the ceilings, and else the default: 64 MiB of memory, 30 s,
    /// 64 requests, 16 MiB of answer, an instance for each request.
    pub fn new(asked: &Limits, ceilings: &Ceilings) -> Self {
        let of = |asked: Option<u32>, default: u32, ceiling: u32| asked.unwrap_or(default).min(ceiling);
        let memory = of(asked.memory_mib, 64, ceilings.memory_mib);
        let request = Duration::from_millis(asked.request_ms.unwrap_or(30_000).into());
        Self {
            memory_bytes: usize::try_from(memory).unwrap_or(usize::MAX).saturating_mul(MIB),
            request: request.min(ceilings.request),
            concurrent_requests: of(asked.concurrent_requests, 64, ceilings.concurrent_requests),
            response_bytes: u64::from(of(asked.response_mib, 16, ceilings.response_mib)) << 20,
            reuse: of(asked.reuse, 1, ceilings.reuse),
        }
    }
}

/// The linear memory of all instances together.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(ceilings: &Ceilings) -> Arc<Self> {
        let mib = usize::try_from(ceilings.total_memory_mib).unwrap_or(usize::MAX);
        Arc::new(Self { used: AtomicUsize::new(0), bytes: mib.saturating_mul(MIB) })
    }

    pub(crate) fn used_and_most(&self) -> (usize, usize) {
        (self.used.load(Ordering::Relaxed), self.bytes)
    }

    fn take(&self, more: usize) -> bool {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(more).filter(|used| *used <= self.bytes)
        });
        taken.is_ok()
    }
}

/// The memory of one instance, all its linear memories together. It goes back to the budget when this is dropped.
#[derive(Debug)]
pub(crate) struct Memory {
    budget: Arc<Budget>,
    used: usize,
    limit: usize,
    /// A growth was refused: by its own limit, or because all together have no more.
    refused: Option<&'static str>,
}

impl Memory {
    pub(crate) fn new(budget: Arc<Budget>, limit: usize) -> Self {
        Self { budget, used: 0, limit, refused: None }
    }

    /// Why it did not get more, where it did not.
    pub(crate) fn refused(&self) -> Option<&'static str> {
        self.refused
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.used, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        if self.used.saturating_add(more) > self.limit {
            self.refused = Some("its memory limit is reached");
            return Ok(false);
        }
        if !self.budget.take(more) {
            self.refused = Some("the memory for all modules together is used up");
            return Ok(false);
        }
        self.used += more;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_may_ask_for_less_and_gets_no_more_than_the_ceiling() {
        let ceilings = Ceilings::default();
        let quota = Quota::new(&Limits::default(), &ceilings);
        assert_eq!((quota.memory_bytes, quota.concurrent_requests, quota.reuse), (64 * MIB, 64, 1));
        let asked = Limits {
            memory_mib: Some(1 << 20),
            request_ms: Some(5),
            concurrent_requests: Some(1),
            response_mib: Some(u32::MAX),
            reuse: Some(u32::MAX),
        };
        let quota = Quota::new(&asked, &ceilings);
        assert_eq!((quota.memory_bytes, quota.concurrent_requests, quota.reuse), (256 * MIB, 1, 1000));
        assert_eq!((quota.request, quota.response_bytes), (Duration::from_millis(5), 64 << 20));
    }

    #[test]
    fn all_memories_of_an_instance_count_together_and_come_back() {
        let budget = Budget::new(&Ceilings { total_memory_mib: 10, ..Ceilings::default() });
        let mut one = Memory::new(budget.clone(), 8 * MIB);
        assert!(one.memory_growing(0, 5 * MIB, None).unwrap());
        assert!(!one.memory_growing(0, 4 * MIB, None).unwrap());
        assert_eq!(one.refused(), Some("its memory limit is reached"));
        let mut other = Memory::new(budget.clone(), 8 * MIB);
        assert!(!other.memory_growing(0, 6 * MIB, None).unwrap());
        assert_eq!(other.refused(), Some("the memory for all modules together is used up"));
        drop(one);
        assert!(other.memory_growing(0, 6 * MIB, None).unwrap());
        drop(other);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
