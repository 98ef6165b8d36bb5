//! The command that prints the definitions of our own kinds.

use std::process::ExitCode;

use ask::print;
use serde_json::{Value, json};

/// Prints the definitions of Module objects, operation plans and ModuleBaseline objects, for `kubectl apply -f -`. The controller
/// installs them by itself where it may.
#[derive(Debug, clap::Args)]
pub(crate) struct Crd {
    /// Only the definition of this name, such as modules.koupleless.io
    name: Option<String>,
}

impl Crd {
    pub(crate) fn run(&self) -> ExitCode {
        let all = all();
        let is_it =
            |one: &Value| one.pointer("/metadata/name").and_then(Value::as_str) == self.name.as_deref();
        let printed = match &self.name {
            None => Some(json!({ "apiVersion": "v1", "kind": "List", "items": all })),
            Some(_) => all.iter().find(|one| is_it(one)).cloned(),
        };
        let Some(printed) = printed else {
            let names: Vec<&str> =
                all.iter().filter_map(|one| one.pointer("/metadata/name")?.as_str()).collect();
            let name = self.name.as_deref().unwrap_or_default();
            eprintln!("module-controller: there is no definition {name:?}: name one of {}", names.join(", "));
            return ExitCode::from(2);
        };
        match serde_json::to_string_pretty(&printed) {
            Ok(text) => print(&format!("{text}\n")),
            Err(error) => {
                eprintln!("module-controller: writing the definition: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

/// All definitions, as JSON.
pub(crate) fn all() -> Vec<Value> {
    cluster::definition::all()
        .iter()
        .map(|definition| serde_json::to_value(definition).unwrap_or_default())
        .collect()
}
