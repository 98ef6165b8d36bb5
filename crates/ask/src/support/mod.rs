//! `report`: what somebody who is asked for help needs to see, in one file and without secrets.

mod redact;

use std::io::{Cursor, Write};

use kube::Client;
use serde_json::{Value, json};
use zip::{CompressionMethod, ZipWriter, result::ZipResult, write::SimpleFileOptions};

use crate::{
    picture::{NotShown, Picture},
    read::{Failure, raw},
    text::Text,
};

/// Of the log of one Pod the last so many lines, and no more bytes than that.
const LOG: &str = "tailLines=5000&limitBytes=4194304";
/// No more Pods' logs than that.
const LOGS: usize = 10;

/// One file of the report.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Entry {
    pub(crate) fn text(name: &str, text: String) -> Self {
        Self { name: name.to_owned(), text }
    }

    pub(crate) fn json(name: &str, value: &Value) -> Self {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        Self { name: name.to_owned(), text: text + "\n" }
    }
}

/// What the API server has: objects as they are but for secrets, and logs of the controller.
pub(crate) async fn gathered(client: &Client, picture: &mut Picture) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (name, path, labels) in [
        ("nodes", "/api/v1/nodes", "module-controller.koupleless.io/component=vnode"),
        ("modules", "/apis/koupleless.io/v1alpha1/modules", ""),
        ("operationplans", "/apis/koupleless.io/v1alpha1/operationplans", ""),
        ("modulebaselines", "/apis/koupleless.io/v1alpha1/modulebaselines", ""),
        ("pods", "/api/v1/pods", "module-controller.koupleless.io/component=module"),
        ("leases", "/apis/coordination.k8s.io/v1/leases", "module-controller.koupleless.io/env"),
        ("controller-pods", "/api/v1/pods", "app.kubernetes.io/name=module-controller"),
        ("controller-pods-of-the-manual", "/api/v1/pods", "app=module-controller"),
        ("controller-deployments", "/apis/apps/v1/deployments", "app.kubernetes.io/name=module-controller"),
    ] {
        match raw::objects(client, path, labels).await {
            Ok(found) => {
                let objects: Vec<Value> = found.items.into_iter().map(|one| redact::object(one.0)).collect();
                if name.starts_with("controller-pods") {
                    entries.extend(logs(client, &objects, picture).await);
                }
                entries.push(Entry::json(&format!("objects/{name}.json"), &json!(objects)));
            }
            Err(failure) => skip(picture, name, &failure),
        }
    }
    match raw::objects(client, "/api/v1/events", "").await {
        Ok(found) => {
            let is_ours = |event: &Value| {
                event.pointer("/reportingComponent").is_some_and(|by| by == "module-controller")
            };
            let events = found.items.into_iter().map(|one| one.0).filter(is_ours);
            let events: Vec<Value> = events.map(redact::object).collect();
            entries.push(Entry::json("objects/events.json", &json!(events)));
        }
        Err(failure) => skip(picture, "Events", &failure),
    }
    entries
}

fn skip(picture: &mut Picture, what: &str, failure: &Failure) {
    picture.not_shown.push(NotShown { what: what.into(), why: failure.why().clone() });
}

/// The logs of these Pods.
async fn logs(client: &Client, pods: &[Value], picture: &mut Picture) -> Vec<Entry> {
    let mut entries = Vec::new();
    for pod in pods.iter().take(LOGS) {
        let word = |at: &str| pod.pointer(at).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (word("/metadata/namespace"), word("/metadata/name"));
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/log?{LOG}");
        match raw::text(client, &path).await {
            Ok(log) => entries
                .push(Entry::text(&format!("logs/{namespace}_{name}.log"), harmless(&redact::text(&log)))),
            Err(failure) => skip(picture, &format!("the log of {namespace}/{name}"), &failure),
        }
    }
    entries
}

/// Line by line what no terminal would obey: somebody will look at it on one.
fn harmless(log: &str) -> String {
    log.lines().fold(String::new(), |all, line| all + &Text::from(line) + "\n")
}

/// The file.
pub(crate) fn archive(entries: &[Entry]) -> ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(0o600);
    for entry in entries {
        zip.start_file(&*entry.name, options)?;
        zip.write_all(entry.text.as_bytes())?;
    }
    zip.finish().map(Cursor::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_put_in_is_what_comes_out() {
        let entries = [Entry::text("a.txt", "中文\n".to_owned()), Entry::json("objects/b.json", &json!([1]))];
        let mut archive = zip::ZipArchive::new(Cursor::new(archive(&entries).unwrap())).unwrap();
        for entry in &entries {
            let mut text = String::new();
            archive.by_name(&entry.name).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, entry.text);
        }
    }

    #[test]
    fn a_log_moves_no_cursor() {
        assert_eq!(harmless("one\n\u{1b}[2Jtwo\n"), "one\n\\u{1b}[2Jtwo\n");
    }
}
