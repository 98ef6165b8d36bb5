//! Heartbeats to a controller's HTTP tunnel.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::sync::watch;
use url::Url;

use super::{Life, Told};

/// How long one may take, its answer included.
const LIMIT: Duration = Duration::from_secs(5);

/// How long a controller may take to know the baseline.
const BASELINE: Duration = Duration::from_secs(30);

/// The most bytes of a baseline.
const MAX_BASELINE_BYTES: usize = 8 * 1024 * 1024;

/// The most that is read of an answer, which says nothing.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Tells a controller until `end` says so, and then a last time that the base ends. A controller that is away is told again:
/// nothing is kept for it, because the next heartbeat says the same.
pub(crate) async fn beat(controller: Url, told: Told, period: Duration, mut end: watch::Receiver<bool>) {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let url = format!("{}/heartbeat", controller.as_str().trim_end_matches('/'));
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut was_heard = true;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = end.wait_for(|end| *end) => break,
        }
        let heard = send(&client, &url, &told, Life::Activated).await;
        // Each change is said once, and not every beat.
        match &heard {
            Err(error) if was_heard => tracing::warn!("the controller does not hear the base: {error}"),
            Ok(()) if !was_heard => tracing::info!("the controller hears the base again"),
            _ => {}
        }
        was_heard = heard.is_ok();
    }
    if let Err(error) = send(&client, &url, &told, Life::Deactivated).await {
        tracing::warn!("the controller was not told that the base ends: {error}");
    }
}

/// Asks a controller for the base's baseline.
///
/// # Errors
/// Why there is none.
pub(crate) async fn query_baseline(controller: &Url, told: &Told) -> Result<Value, String> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let url = format!("{}/queryBaseline", controller.as_str().trim_end_matches('/'));
    let body = Full::new(Bytes::from(told.baseline_query().to_string()));
    let request = Request::post(&url).header(header::CONTENT_TYPE, "application/json").body(body);
    let request = request.map_err(|error| error.to_string())?;
    let exchange = async {
        let response = client.request(request).await.map_err(|error| format!("{url}: {error}"))?;
        if !response.status().is_success() {
            return Err(format!("{url} answers {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BASELINE_BYTES).collect().await;
        let body = body.map_err(|error| format!("{url}: {error}"))?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| format!("{url} answers no JSON: {error}"))
    };
    tokio::time::timeout(BASELINE, exchange)
        .await
        .unwrap_or_else(|_| Err(format!("{url}: not within {BASELINE:?}")))
}

async fn send(
    client: &Client<HttpConnector, Full<Bytes>>,
    url: &str,
    told: &Told,
    life: Life,
) -> Result<(), String> {
    let body = Full::new(Bytes::from(told.heartbeat(life).to_string()));
    let request = Request::post(url).header(header::CONTENT_TYPE, "application/json").body(body);
    let request = request.map_err(|error| error.to_string())?;
    let exchange = async {
        let response = client.request(request).await.map_err(|error| format!("{url}: {error}"))?;
        let status = response.status();
        // Read to its end, so that the connection is used again.
        let _ = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        if status.is_success() { Ok(()) } else { Err(format!("{url} answers {status}")) }
    };
    tokio::time::timeout(LIMIT, exchange)
        .await
        .unwrap_or_else(|_| Err(format!("{url}: not within {LIMIT:?}")))
}
