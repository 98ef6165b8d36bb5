//! Reads objects as `kubectl get -o json` does, within this process. A test that waits looks many times, and each process of
//! kubectl costs a tenth of a second of processor time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// How long the API server may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What tests wait for, by the name that they call it, and where it is in the API.
const RESOURCES: [(&[&str], &str, Scope); 11] = [
    (&["node", "nodes"], "api/v1/nodes", Scope::Cluster),
    (&["pod", "pods"], "api/v1/pods", Scope::Namespace),
    (&["serviceaccount"], "api/v1/serviceaccounts", Scope::Namespace),
    (&["deployment", "deployments"], "apis/apps/v1/deployments", Scope::Namespace),
    (&["daemonset", "daemonsets"], "apis/apps/v1/daemonsets", Scope::Namespace),
    (&["replicasets"], "apis/apps/v1/replicasets", Scope::Namespace),
    (&["events.events.k8s.io"], "apis/events.k8s.io/v1/events", Scope::Namespace),
    (&["lease", "leases"], "apis/coordination.k8s.io/v1/leases", Scope::Namespace),
    (&["modules.koupleless.io"], "apis/koupleless.io/v1alpha1/modules", Scope::Namespace),
    (&["modulebaseline"], "apis/koupleless.io/v1alpha1/modulebaselines", Scope::Cluster),
    (&["job", "jobs"], "apis/batch/v1/jobs", Scope::Namespace),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Cluster,
    Namespace,
}

/// One who reads with the rights of a kubeconfig.
#[derive(Debug)]
pub(crate) struct Reader {
    agent: ureq::Agent,
    server: String,
}

impl Reader {
    /// By a kubeconfig of one user, who has a certificate, as JSON with its data.
    pub(crate) fn new(kubeconfig: &Value) -> Result<Self> {
        let data = |pointer: &str| -> Result<Vec<u8>> {
            let text =
                kubeconfig.pointer(pointer).and_then(Value::as_str).with_context(|| pointer.to_owned())?;
            BASE64_STANDARD.decode(text).with_context(|| pointer.to_owned())
        };
        let root = Certificate::from_pem(&data("/clusters/0/cluster/certificate-authority-data")?)?;
        let own = Certificate::from_pem(&data("/users/0/user/client-certificate-data")?)?;
        let key = PrivateKey::from_pem(&data("/users/0/user/client-key-data")?)?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[root]))
            .client_cert(Some(ClientCert::new_with_certs(&[own], key)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            .build()
            .into();
        let server = kubeconfig.pointer("/clusters/0/cluster/server").and_then(Value::as_str);
        Ok(Self { agent, server: server.context("no server in the kubeconfig")?.to_owned() })
    }

    /// What `kubectl <args> -o json` would give; none where only kubectl can say, because it asks for something else or the API
    /// server cannot be reached. An error has kubectl's words.
    pub(crate) fn get(&self, args: &[&str]) -> Result<Option<Value>> {
        let Some(request) = Request::of(args) else { return Ok(None) };
        let mut call = self.agent.get(format!("{}/{}", self.server, request.path));
        for (name, value) in request.selectors {
            call = call.query(name, value);
        }
        let Ok(mut response) = call.call() else { return Ok(None) };
        let Ok(text) = response.body_mut().with_config().limit(1 << 30).read_to_string() else {
            return Ok(None);
        };
        let Ok(mut body) = serde_json::from_str::<Value>(&text) else { return Ok(None) };
        if !response.status().is_success() {
            let word = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            bail!("kubectl {}: Error from server ({}): {}", args.join(" "), word("reason"), word("message"));
        }
        name_items(&mut body);
        Ok(Some(body))
    }
}

/// In a list of one kind its items do not say what they are; those that kubectl shows do.
fn name_items(list: &mut Value) {
    let version = list.get("apiVersion").cloned().unwrap_or_default();
    let kind = list
        .get("kind")
        .and_then(Value::as_str)
        .and_then(|kind| kind.strip_suffix("List"))
        .map(str::to_owned);
    let (Some(kind), Some(items)) = (kind, list.get_mut("items").and_then(Value::as_array_mut)) else {
        return;
    };
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.insert("apiVersion".to_owned(), version.clone());
        item.insert("kind".to_owned(), json!(kind));
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    path: String,
    selectors: Vec<(&'static str, &'a str)>,
}

impl<'a> Request<'a> {
    fn of(args: &[&'a str]) -> Option<Self> {
        let (mut namespace, mut selectors, mut words) = (Some("default"), vec![], vec![]);
        let mut args = args.iter().copied();
        while let Some(arg) = args.next() {
            match arg {
                "-n" => namespace = Some(args.next()?),
                "-A" => namespace = None,
                "-l" => selectors.push(("labelSelector", args.next()?)),
                "--field-selector" => selectors.push(("fieldSelector", args.next()?)),
                _ if arg.starts_with('-') => return None,
                _ => words.push(arg),
            }
        }
        let (resource, name) = match words[..] {
            ["get", resource] => (resource, None),
            ["get", resource, name] => (resource, Some(name)),
            _ => return None,
        };
        let (_, path, scope) = RESOURCES.iter().find(|(names, ..)| names.contains(&resource))?;
        let mut path = (*path).to_owned();
        if let (Scope::Namespace, Some(namespace), Some((group, plural))) =
            (scope, namespace, path.rsplit_once('/'))
        {
            path = format!("{group}/namespaces/{namespace}/{plural}");
        }
        if let Some(name) = name {
            path = format!("{path}/{name}");
        }
        Some(Self { path, selectors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(args: &[&str]) -> Option<String> {
        Request::of(args).map(|request| format!("{} {:?}", request.path, request.selectors))
    }

    #[test]
    fn what_tests_wait_for_is_read_here_and_all_else_by_kubectl() {
        let is = |args: &[&str], expected: &str| assert_eq!(path(args).as_deref(), Some(expected));
        is(&["get", "nodes", "-l", "a=b"], r#"api/v1/nodes [("labelSelector", "a=b")]"#);
        is(&["get", "node", "one"], "api/v1/nodes/one []");
        is(&["-n", "ns", "get", "pod", "p"], "api/v1/namespaces/ns/pods/p []");
        is(&["get", "pods"], "api/v1/namespaces/default/pods []");
        is(&["get", "leases", "-A"], "apis/coordination.k8s.io/v1/leases []");
        for other in [
            &["get", "pods,nodes"][..],
            &["get", "md", "x"],
            &["get", "pods", "--watch"],
            &["version"],
            &["get", "pods", "-n"],
        ] {
            assert_eq!(path(other), None, "{other:?}");
        }
    }

    #[test]
    fn items_of_a_list_say_what_they_are() {
        let mut list = json!({"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [{"spec": {}}]});
        name_items(&mut list);
        assert_eq!(list["items"], json!([{"apiVersion": "apps/v1", "kind": "Deployment", "spec": {}}]));
        let mut one = json!({"apiVersion": "v1", "kind": "Pod"});
        name_items(&mut one);
        assert_eq!(one, json!({"apiVersion": "v1", "kind": "Pod"}));
    }
}
