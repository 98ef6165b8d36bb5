//! Figures: what a base says of itself, in a kubelet's words. What is not known is absent, and never zero.
//!
//! All VNodes have one address, so a request says by `node` which of them is meant; without it a single one is.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use engine::view::{ContainerState, PodView};
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::{net::TcpStream, time::timeout};
use url::form_urlencoded;

use crate::{
    body::{Body, full},
    callers::{Subresource, User},
    module::{Node, is_name},
    refusal::Refusal,
    routes::App,
};

/// How long a base may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that is read of what it says, in bytes: a base with a thousand modules says some hundred KB.
const MOST_BYTES: usize = 4 * 1024 * 1024;
const MIB: f64 = 1024.0 * 1024.0;

#[derive(Deserialize)]
struct ListJson<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct NamedJson {
    metadata: NameJson,
}

#[derive(Deserialize)]
struct NameJson {
    name: String,
}

/// `/pods`: the Pods of a VNode, as the API server has them.
pub(crate) async fn pods(app: &App, caller: &User, query: &str) -> Result<Body, Refusal> {
    let _place = app.figures.acquire().await;
    let node = one(app, caller, Subresource::Proxy, query).await?.ok_or_else(unnamed)?;
    pods_of(app, &node).await.map(full)
}

/// `/stats/summary` of a VNode.
pub(crate) async fn summary(app: &App, caller: &User, query: &str) -> Result<Body, Refusal> {
    let _place = app.figures.acquire().await;
    let node = one(app, caller, Subresource::Stats, query).await?.ok_or_else(unnamed)?;
    let list = pods_of(app, &node).await?;
    let items: ListJson<'_> = serde_json::from_str(&list).map_err(unreadable)?;
    let pods: Vec<PodView> = items.items.iter().filter_map(|pod| cluster::read_pod(pod.get()).ok()).collect();
    let used = used_bytes(app, &node).await;
    Ok(full(summed_up(node.name(), used, &pods, Timestamp::now()).to_string()))
}

/// `/metrics/resource` of a VNode. Of several none has figures that are its own, and a scraper is not disturbed.
pub(crate) async fn resource(app: &App, caller: &User, query: &str) -> Result<Body, Refusal> {
    let _place = app.figures.acquire().await;
    let used = match one(app, caller, Subresource::Metrics, query).await? {
        Some(node) => used_bytes(app, &node).await,
        None => None,
    };
    Ok(full(exposition(used, Timestamp::now())))
}

fn summed_up(node: &str, used: Option<u64>, pods: &[PodView], now: Timestamp) -> Value {
    let mut of_node = json!({ "nodeName": node });
    if let (Some(used), Some(fields)) = (used, of_node.as_object_mut()) {
        fields
            .insert("memory".to_owned(), json!({ "time": now, "usageBytes": used, "workingSetBytes": used }));
    }
    let containers = |pod: &PodView| -> Vec<Value> {
        let running = pod.status.containers.iter().filter_map(|status| match &status.state {
            ContainerState::Running { started: Some(started) } => {
                Some(json!({ "name": status.name, "startTime": started }))
            }
            _ => None,
        });
        running.collect()
    };
    let pods: Vec<Value> = pods
        .iter()
        .map(|pod| {
            let reference =
                json!({ "name": pod.pod.name, "namespace": pod.pod.namespace, "uid": pod.pod.uid });
            let started = pod.status.started.or(Some(pod.created));
            json!({ "podRef": reference, "startTime": started, "containers": containers(pod) })
        })
        .collect();
    json!({ "node": of_node, "pods": pods })
}

fn exposition(used: Option<u64>, now: Timestamp) -> String {
    let mut page = String::new();
    if let Some(used) = used {
        page.push_str(&format!(
            "# HELP node_memory_working_set_bytes [STABLE] Memory that the base says that it uses\n\
             # TYPE node_memory_working_set_bytes gauge\n\
             node_memory_working_set_bytes {used} {}\n",
            now.as_millisecond()
        ));
    }
    page.push_str(
        "# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise\n\
         # TYPE resource_scrape_error gauge\n\
         resource_scrape_error 0\n",
    );
    page
}

/// The VNode that is meant, of which the caller may know this.
async fn one(app: &App, caller: &User, what: Subresource, query: &str) -> Result<Option<Node>, Refusal> {
    let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "node");
    let named = named.map(|(_, value)| value.into_owned());
    app.callers.admit(caller, what, named.as_deref().unwrap_or_default()).await?;
    let name = match named {
        Some(name) => name,
        None => {
            let env = &app.parts.env;
            let path =
                format!("/api/v1/nodes?limit=2&labelSelector=module-controller.koupleless.io/env%3D{env}");
            let list = app.parts.api.get(&path).await?.unwrap_or_default();
            let list: ListJson<'_> = serde_json::from_str(&list).map_err(unreadable)?;
            let [only] = list.items.as_slice() else { return Ok(None) };
            serde_json::from_str::<NamedJson>(only.get()).map_err(unreadable)?.metadata.name
        }
    };
    let gone = || Refusal::not_found(format!("{name:?} is no VNode of this controller"));
    if !is_name(&name) {
        return Err(gone());
    }
    Node::find(&app.parts.api, &name, &app.parts.env).await?.ok_or_else(gone).map(Some)
}

fn unnamed() -> Refusal {
    Refusal::bad(
        "the VNodes of this controller share this address: say which is meant, as in ?node=virtual-node-a",
    )
}

fn unreadable(error: impl std::fmt::Display) -> Refusal {
    Refusal::unavailable(format!("the API server answered what cannot be read: {error}"))
}

async fn pods_of(app: &App, node: &Node) -> Result<String, Refusal> {
    let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{}", node.name());
    Ok(app.parts.api.get(&path).await?.unwrap_or_default())
}

/// What the base says that it uses; none where it does not say, or is not reached over HTTP.
async fn used_bytes(app: &App, node: &Node) -> Option<u64> {
    let base = node.arklet().filter(|base| app.parts.addresses.check(*base).is_ok())?;
    let said = timeout(PATIENCE, health(base)).await.ok()??;
    used(&serde_json::from_slice(&said).ok()?)
}

async fn health(base: SocketAddr) -> Option<Bytes> {
    let stream = TcpStream::connect(base).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let request = Request::post("/health")
        .header(header::HOST, base.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from_static(b"{}")));
    let response = sender.send_request(request.ok()?).await.ok()?;
    Some(Limited::new(response.into_body(), MOST_BYTES).collect().await.ok()?.to_bytes())
}

/// Of a Java base heap and what is beside it; of others what stands for the metaspace: the memory of its modules.
fn used(health: &Value) -> Option<u64> {
    let jvm = health.pointer("/data/healthData/jvm")?;
    let number = |name: &str| jvm.get(name)?.as_f64().filter(|number| *number >= 0.0);
    let java = number("used heap memory(M)").zip(number("used non heap memory(M)"));
    let bytes = java.map(|(heap, beside)| (heap + beside) * MIB).or_else(|| number("java used metaspace"))?;
    // What a JVM uses is far below 2^53 bytes, and not negative.
    Some(bytes as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_base_says_is_read_and_what_it_does_not_say_is_absent() {
        let of = |jvm: Value| used(&json!({ "data": { "healthData": { "jvm": jvm } } }));
        assert_eq!(of(json!({"used heap memory(M)": 2.0, "used non heap memory(M)": 1.5})), Some(3_670_016));
        assert_eq!(of(json!({"java used metaspace": 7, "used heap memory(M)": 2.0})), Some(7));
        assert_eq!(of(json!({"used heap memory(M)": 2.0})), None);
        assert_eq!(of(json!({"java used metaspace": -1})), None);
        assert_eq!(used(&json!({})), None);
    }

    #[test]
    fn figures_are_in_a_kubelets_words_and_none_is_made_up() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let pod = json!({
            "metadata": {"name": "p", "namespace": "ns", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": "n", "containers": [{"name": "biz1"}, {"name": "biz2"}]},
            "status": {"containerStatuses": [
                {"name": "biz1", "state": {"running": {"startedAt": "2026-01-01T00:00:01Z"}}},
                {"name": "biz2", "state": {"waiting": {"reason": "x"}}},
            ]},
        });
        let pods = [cluster::read_pod(&pod.to_string()).unwrap()];
        let expected = json!([{
            "podRef": {"name": "p", "namespace": "ns", "uid": "u"},
            "startTime": "2026-01-01T00:00:00Z",
            "containers": [{"name": "biz1", "startTime": "2026-01-01T00:00:01Z"}],
        }]);
        let known = summed_up("n", Some(7), &pods, now);
        let memory = json!({"time": "2026-01-01T00:00:00Z", "usageBytes": 7, "workingSetBytes": 7});
        assert_eq!(known, json!({"node": {"nodeName": "n", "memory": memory}, "pods": expected}));
        assert_eq!(summed_up("n", None, &[], now), json!({"node": {"nodeName": "n"}, "pods": []}));
        assert!(exposition(Some(7), now).contains("\nnode_memory_working_set_bytes 7 1767225600000\n"));
        let unknown = exposition(None, now);
        assert!(!unknown.contains("node_") && unknown.ends_with("\nresource_scrape_error 0\n"), "{unknown}");
    }
}
