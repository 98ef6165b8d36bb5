//! Who serves where. A change is one exchange: a request sees the old one or the new one, and never neither.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use host::{EnterError, Entry, Module};

/// How often a request looks again, where the version that it found is being ended: each time another one was installed
/// within the time of a look.
const LOOKS: usize = 8;

/// Modules by the first segment of the path.
#[derive(Debug, Default)]
pub(crate) struct Routes(RwLock<HashMap<String, Arc<Module>>>);

/// Why a request finds nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoEntry {
    /// Nothing serves there.
    Nobody,
    /// It has as many requests at work as it may have.
    Busy,
}

impl Routes {
    pub(super) fn serve(&self, web_context_path: String, module: Arc<Module>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(web_context_path, module);
    }

    pub(super) fn close(&self, web_context_path: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(web_context_path);
    }

    /// The module that serves there.
    pub(crate) fn find(&self, web_context_path: &str) -> Option<Arc<Module>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(web_context_path).cloned()
    }

    /// Lets a request in where it belongs.
    pub(crate) fn enter(&self, web_context_path: &str) -> Result<Entry, NoEntry> {
        for _ in 0..LOOKS {
            let module = self.find(web_context_path).ok_or(NoEntry::Nobody)?;
            match module.enter() {
                Ok(entry) => return Ok(entry),
                Err(EnterError::Busy) => return Err(NoEntry::Busy),
                // Another one took its place since it was found.
                Err(EnterError::Leaving) => {}
            }
        }
        Err(NoEntry::Busy)
    }
}
