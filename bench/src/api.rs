//! Requests to the API server, made with the controller's own client settings and no more work than they need.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request;
use serde::de::IgnoredAny;
use serde_json::Value;

/// No request takes longer on a machine that works at all.
const LIMIT: Duration = Duration::from_secs(30);

/// A client of one API server.
#[derive(Clone)]
pub struct Server {
    /// For watches.
    pub client: Client,
}

/// Where Nodes or Pods live.
fn nodes() -> Request {
    Request::new(<Node as kube::Resource>::url_path(&(), None))
}

fn pods(namespace: &str) -> Request {
    Request::new(<Pod as kube::Resource>::url_path(&(), Some(namespace)))
}

impl Server {
    /// Connects as the controller does.
    pub async fn connect(kubeconfig: &Path) -> Result<Self> {
        let config = cluster::ClientConfig {
            kubeconfig: Some(kubeconfig.to_owned()),
            user_agent: "bench".to_owned(),
            ..cluster::ClientConfig::default()
        };
        let server = cluster::Server::configured(config).await;
        let client = server.and_then(cluster::Server::client).context("connecting to the API server")?;
        Ok(Self { client })
    }

    /// Makes a Pod.
    pub async fn create_pod(&self, namespace: &str, pod: &Value) -> Result<()> {
        let request = pods(namespace).create(&PostParams::default(), pod.to_string().into_bytes());
        self.call("creating a Pod", request).await
    }

    /// Patches a Pod's status, as the controller does.
    pub async fn patch_pod_status(&self, namespace: &str, name: &str, patch: &Value) -> Result<()> {
        let request = pods(namespace).patch_subresource(
            "status",
            name,
            &PatchParams { field_manager: Some("bench".to_owned()), ..PatchParams::default() },
            &Patch::Strategic(patch),
        );
        self.call("patching a Pod's status", request).await
    }

    /// Asks for a Pod's deletion, as a user does.
    pub async fn delete_pod(&self, namespace: &str, name: &str) -> Result<()> {
        self.call("deleting a Pod", pods(namespace).delete(name, &DeleteParams::default())).await
    }

    /// Ends a Pod's deletion, as the controller does.
    pub async fn finish_pod(&self, namespace: &str, name: &str, uid: &str) -> Result<()> {
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() }),
            ..DeleteParams::default()
        };
        self.call("ending a Pod's deletion", pods(namespace).delete(name, &params)).await
    }

    /// Makes a Node.
    pub async fn create_node(&self, node: &Value) -> Result<()> {
        let request = nodes().create(&PostParams::default(), node.to_string().into_bytes());
        self.call("creating a Node", request).await
    }

    /// Patches a Node's status.
    pub async fn patch_node_status(&self, name: &str, patch: &Value) -> Result<()> {
        let request =
            nodes().patch_subresource("status", name, &PatchParams::default(), &Patch::Strategic(patch));
        self.call("patching a Node's status", request).await
    }

    /// Deletes a Node.
    pub async fn delete_node(&self, name: &str) -> Result<()> {
        self.call("deleting a Node", nodes().delete(name, &DeleteParams::default())).await
    }

    /// The server's metrics page.
    pub async fn metrics(&self) -> Result<String> {
        let request = http::Request::get("/metrics").body(Vec::new()).context("asking for /metrics")?;
        let page = tokio::time::timeout(LIMIT, self.client.request_text(request));
        page.await.map_err(|_| anyhow!("no answer within {LIMIT:?}"))?.context("the API server's /metrics")
    }

    async fn call<E: std::error::Error + Send + Sync + 'static>(
        &self,
        what: &str,
        request: Result<http::Request<Vec<u8>>, E>,
    ) -> Result<()> {
        let request = request.with_context(|| what.to_owned())?;
        let call = tokio::time::timeout(LIMIT, self.client.request::<IgnoredAny>(request));
        let answer = call.await.map_err(|_| anyhow!("{what}: no answer within {LIMIT:?}"))?;
        answer.map(drop).with_context(|| what.to_owned())
    }
}
