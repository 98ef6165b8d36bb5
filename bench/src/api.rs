//! Requests to the API server, made with the controller's own client settings and no more work than they need.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use cluster::plans::OperationPlan;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::Client;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ObjectMeta, Request};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

/// No request takes longer on a machine that works at all.
const LIMIT: Duration = Duration::from_secs(30);

/// How the name of a VNode begins, and that of its Lease.
const VNODE: &str = "virtual-node-";

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

fn modules(namespace: &str) -> Request {
    Request::new(format!("/apis/koupleless.io/v1alpha1/namespaces/{namespace}/modules"))
}

/// What is read of the answer to a creation.
#[derive(Deserialize)]
struct Made {
    metadata: ObjectMeta,
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
        self.call("ending a Pod's deletion", pods(namespace).delete(name, &at_once(uid))).await
    }

    /// Patches a Pod, as whoever updates a module in place does.
    pub async fn patch_pod(&self, namespace: &str, name: &str, patch: &Value) -> Result<()> {
        let request = pods(namespace).patch(name, &PatchParams::default(), &Patch::Strategic(patch));
        self.call("patching a Pod", request).await
    }

    /// Makes a Module object, as the controller does, and gives its UID.
    pub async fn create_module(&self, namespace: &str, module: &Value) -> Result<String> {
        let parameters = PostParams { field_manager: Some("bench".to_owned()), ..PostParams::default() };
        let request = modules(namespace).create(&parameters, module.to_string().into_bytes());
        let made: Made = self.ask("creating a Module object", request).await?;
        made.metadata.uid.context("a Module object without a UID")
    }

    /// Patches a Module object's status, as the controller does.
    pub async fn patch_module_status(&self, namespace: &str, name: &str, patch: &Value) -> Result<()> {
        let parameters = PatchParams { field_manager: Some("bench".to_owned()), ..PatchParams::default() };
        let request = modules(namespace).patch_subresource("status", name, &parameters, &Patch::Merge(patch));
        self.call("patching a Module object's status", request).await
    }

    /// Deletes a Module object, as the controller does.
    pub async fn delete_module(&self, namespace: &str, name: &str, uid: &str) -> Result<()> {
        let request = modules(namespace).delete(name, &at_once(uid));
        self.call("deleting a Module object", request).await
    }

    /// Makes a Deployment, or gives it this template.
    pub async fn apply_deployment(&self, namespace: &str, deployment: &Value) -> Result<()> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let name = deployment.pointer("/metadata/name").and_then(Value::as_str).context("a name")?;
        let parameters = PatchParams::apply("bench").force();
        let patch = Patch::Apply(deployment);
        let applied = tokio::time::timeout(LIMIT, api.patch(name, &parameters, &patch));
        applied.await.context("applying a Deployment")?.context("applying a Deployment").map(drop)
    }

    /// Deletes a Deployment; its Pods go after it.
    pub async fn delete_deployment(&self, namespace: &str, name: &str) -> Result<()> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let parameters = DeleteParams::background();
        let deleted = tokio::time::timeout(LIMIT, api.delete(name, &parameters));
        deleted.await.context("deleting a Deployment")?.context("deleting a Deployment").map(drop)
    }

    /// Makes an operation plan, as a user does.
    pub async fn create_plan(&self, namespace: &str, plan: &OperationPlan) -> Result<()> {
        let api: Api<OperationPlan> = Api::namespaced(self.client.clone(), namespace);
        let parameters = PostParams::default();
        let made = tokio::time::timeout(LIMIT, api.create(&parameters, plan));
        made.await.context("making an operation plan")?.context("making an operation plan").map(drop)
    }

    /// Confirms what an operation plan waits for, as a person does.
    pub async fn confirm_plan(&self, namespace: &str, name: &str, offered: i64) -> Result<()> {
        let api: Api<OperationPlan> = Api::namespaced(self.client.clone(), namespace);
        let patch = Patch::Merge(json!({"spec": {"confirmed": offered}}));
        let parameters = PatchParams::default();
        let patched = tokio::time::timeout(LIMIT, api.patch(name, &parameters, &patch));
        patched.await.context("confirming a plan")?.context("confirming a plan").map(drop)
    }

    /// True once the Deployment's rollout has ended: all replicas are of the last template, available, and no others
    /// are left.
    pub async fn is_rolled_out(&self, namespace: &str, name: &str) -> Result<bool> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let got = tokio::time::timeout(LIMIT, api.get(name)).await.context("reading a Deployment")?;
        let found = got.context("reading a Deployment")?;
        let wanted = found.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let Some(status) = found.status else { return Ok(false) };
        let counts = [status.replicas, status.updated_replicas, status.available_replicas];
        Ok(status.observed_generation == found.metadata.generation
            && counts.iter().all(|count| *count == Some(wanted)))
    }

    /// The Leases of all VNodes.
    pub async fn leases(&self) -> Result<Vec<LeaseSpec>> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), "kube-node-lease");
        // From the server's own cache: whoever looks shall not be a load.
        let parameters = ListParams { resource_version: Some("0".to_owned()), ..ListParams::default() };
        let listed = tokio::time::timeout(LIMIT, api.list(&parameters)).await.context("listing Leases")?;
        let ours = listed
            .context("listing Leases")?
            .items
            .into_iter()
            .filter(|lease| lease.metadata.name.as_ref().is_some_and(|name| name.starts_with(VNODE)));
        Ok(ours.filter_map(|lease| lease.spec).collect())
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
        self.ask::<IgnoredAny, E>(what, request).await.map(drop)
    }

    async fn ask<T: DeserializeOwned, E: std::error::Error + Send + Sync + 'static>(
        &self,
        what: &str,
        request: Result<http::Request<Vec<u8>>, E>,
    ) -> Result<T> {
        let request = request.with_context(|| what.to_owned())?;
        let call = tokio::time::timeout(LIMIT, self.client.request::<T>(request));
        let answer = call.await.map_err(|_| anyhow!("{what}: no answer within {LIMIT:?}"))?;
        answer.with_context(|| what.to_owned())
    }
}

/// The object of this UID, and no grace.
fn at_once(uid: &str) -> DeleteParams {
    DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() }),
        ..DeleteParams::default()
    }
}
