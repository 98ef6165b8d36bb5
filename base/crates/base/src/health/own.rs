//! A module's own health: asked inside it, now and then.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use host::Module;
use lifecycle::{Biz, Instance};
use serde_json::{Value, json};

use super::Status;
use crate::modules::{Answer, Modules, Probe};

/// How long a module may take to say how it is.
const LIMIT: Duration = Duration::from_millis(500);

/// How long what it said holds.
const FRESH: Duration = Duration::from_secs(1);

/// A module's own health.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Own {
    pub(crate) status: Status,
    /// Its health indicators by name, each `{status, details}`.
    pub(crate) details: Value,
}

/// What modules said lately.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<HashMap<Instance, (Instant, Own)>>);

impl Asked {
    /// All modules with their own health, asked side by side where it is not known.
    pub(crate) async fn of_all(self: &Arc<Self>, modules: &Modules) -> Vec<(Biz, Option<Own>)> {
        let all = modules.with_code();
        self.said().retain(|instance, _| all.iter().any(|(biz, _)| biz.instance == *instance));
        let mut asking = Vec::new();
        for (biz, module) in all {
            let this = self.clone();
            asking.push(tokio::spawn(async move {
                let own = match module {
                    Some(module) => Some(this.of(biz.instance, &module).await),
                    None => None,
                };
                (biz, own)
            }));
        }
        let mut seen = Vec::new();
        for one in asking {
            // A task that panicked has said so in the log.
            seen.extend(one.await.ok());
        }
        seen
    }

    /// The health of one.
    pub(crate) async fn of(&self, instance: Instance, module: &Arc<Module>) -> Own {
        let fresh = |(at, own): &(Instant, Own)| (at.elapsed() < FRESH).then(|| own.clone());
        if let Some(own) = self.said().get(&instance).and_then(fresh) {
            return own;
        }
        let own = match Probe::ask(module, "/actuator/health", LIMIT).await {
            Ok(answer) if answer.is_unknown() => derived(module),
            Ok(answer) => told(&answer),
            // Somebody else is asking, and will know in a moment.
            Err(error) if error.is_busy() => {
                let last = self.said().get(&instance).map(|(_, own)| own.clone());
                return last.unwrap_or_else(|| derived(module));
            }
            Err(error) => Own {
                status: Status::Down,
                details: json!({"health": {"status": "DOWN", "details": {"error": error.to_string()}}}),
            },
        };
        self.said().insert(instance, (Instant::now(), own.clone()));
        own
    }

    fn said(&self) -> MutexGuard<'_, HashMap<Instance, (Instant, Own)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A module that knows no health of its own is as well as its last requests went.
fn derived(module: &Module) -> Own {
    let recent = module.recent();
    let status = if recent.is_failing() { Status::Down } else { Status::Up };
    let details = json!({"answered": recent.answered, "trapped": recent.trapped, "late": recent.late});
    Own { status, details: json!({"requests": {"status": status.as_str(), "details": details}}) }
}

/// `{status, components?}` as Spring Boot has it. What says nothing is judged by its code.
fn told(answer: &Answer) -> Own {
    let status = match answer.body.get("status").and_then(Value::as_str) {
        Some("UP") => Status::Up,
        Some("UNKNOWN") => Status::Unknown,
        Some(_) => Status::Down,
        None if answer.status.is_success() => Status::Up,
        None => Status::Down,
    };
    let details = answer.body.get("components").filter(|components| components.is_object());
    Own { status, details: details.cloned().unwrap_or_else(|| json!({})) }
}
