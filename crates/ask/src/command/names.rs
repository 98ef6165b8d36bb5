//! Names of what is in the cluster, for whoever completes what is typed. Whatever goes wrong, nothing is offered: a line that is
//! being typed is no place for an error.

use std::{
    collections::BTreeSet,
    env,
    ffi::{OsStr, OsString},
    time::Duration,
};

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use kube::Client;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    client::{Connection, Server},
    read::{MODULES, VNODES, escaped},
    text::Text,
};

/// Whoever types does not wait longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of so many objects names are offered; more than that nobody reads.
const MOST: u32 = 500;

/// Objects that have names: their path, where `{namespace}` is the namespace that is asked about; their labels; where the name is.
type Objects = (&'static str, &'static str, &'static str);

const BASES: Objects = ("/api/v1/nodes", VNODES, "/metadata/name");
const MODULE_OBJECTS: Objects = ("/apis/koupleless.io/v1alpha1/modules", MODULES, "/spec/name");
const OPERATION_PLANS: Objects =
    ("/apis/koupleless.io/v1alpha1/namespaces/{namespace}/operationplans", "", "/metadata/name");

/// Nodes of bases.
pub(super) fn bases() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| offered(typed, &[BASES]))
}

/// Modules, by their names alone.
pub(super) fn modules() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| offered(typed, &[MODULE_OBJECTS]))
}

/// Bases and modules.
pub(super) fn bases_and_modules() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| offered(typed, &[BASES, MODULE_OBJECTS]))
}

/// Operation plans of the namespace that was typed, else of the context's own.
pub(super) fn plans() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| offered(typed, &[OPERATION_PLANS]))
}

/// What of these objects begins as it was typed.
fn offered(typed: &OsStr, of: &[Objects]) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let names = runtime.block_on(names(of)).into_iter().flatten();
    names.filter(|name| name.starts_with(typed)).map(CompletionCandidate::new).collect()
}

/// The names of each of these, each once; nothing of those that cannot be had in time.
async fn names(of: &[Objects]) -> Vec<BTreeSet<String>> {
    let connection = connection(env::args_os());
    let Ok(cluster) = connection.open().await else { return Vec::new() };
    let namespace = connection.namespace.as_deref().unwrap_or(&cluster.own_namespace);
    let lists = of.iter().map(|objects| timeout(PATIENCE, listed(&cluster.client, objects, namespace)));
    futures::future::join_all(lists).await.into_iter().filter_map(|listed| listed.ok()?).collect()
}

async fn listed(
    client: &Client,
    (path, labels, name): &Objects,
    namespace: &str,
) -> Option<BTreeSet<String>> {
    let path = path.replace("{namespace}", namespace);
    let path = format!("{path}?limit={MOST}&labelSelector={}", escaped(labels));
    let list: Value = client.request(http::Request::get(path).body(Vec::new()).ok()?).await.ok()?;
    let items = list.pointer("/items")?.as_array()?;
    // What others named is shown on a terminal: nothing that a terminal obeys.
    let names = items.iter().filter_map(|item| item.pointer(name)?.as_str());
    Some(names.map(|name| Text::from(name).to_string()).collect())
}

/// Whom the words that were typed already ask, as the flags of every command say it.
fn connection(words: impl Iterator<Item = OsString>) -> Connection {
    let words: Vec<String> = words.filter_map(|word| word.into_string().ok()).collect();
    let given = |long: &str, short: Option<&str>| {
        let mut found = None;
        for (at, word) in words.iter().enumerate() {
            if word == long || short == Some(word) {
                found = words.get(at + 1).cloned();
            } else if let Some(value) = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
                found = Some(value.to_owned());
            }
        }
        found.filter(|value| !value.is_empty())
    };
    let server = Server::of(given("--kubeconfig", None).map(Into::into), given("--context", None));
    Connection::of(server, given("--namespace", Some("-n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_that_were_typed_say_whom_to_ask() {
        let of = |words: &[&str]| format!("{:?}", connection(words.iter().map(OsString::from)));
        let typed = of(&["kubectl_complete-koupleless", "plan", "show", "-n", "shop", "--context=east", ""]);
        assert!(typed.contains("\"shop\"") && typed.contains("\"east\""), "{typed}");
        let typed = of(&["x", "--kubeconfig", "file", "--namespace", ""]);
        assert!(typed.contains("\"file\"") && typed.contains("namespace: None"), "{typed}");
    }
}
