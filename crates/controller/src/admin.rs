//! `/healthz`, `/readyz` and `/metrics`, which tell the truth; and, for who is on the same machine or in the same Pod, `/debug`.

mod debug;
mod serve;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use cluster::{Counters, Watches};
use prometheus_client::metrics::histogram::Histogram;
use report::Reporter;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

use crate::{
    commands::Commands,
    dispatch::{self, Pulse},
    metrics::{self, Process},
    settings::Settings,
    tunnels::Tunnels,
};

/// A loop that has not come round for this long hangs: it does so at least once a second, and no
/// step takes a tenth of one.
const HANGS_AFTER: Duration = Duration::from_secs(20);

/// What the pages are made of.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) pulse: Pulse,
    pub(crate) watches: Arc<Watches>,
    pub(crate) tunnels: Tunnels,
    pub(crate) counters: Arc<Counters>,
    /// Requests to the kubelet API.
    pub(crate) kubelet_requests: Arc<kubelet::Counts>,
    pub(crate) reporter: Reporter,
    pub(crate) commands: Commands,
    pub(crate) pod_starts: Histogram,
    pub(crate) process: Process,
    pub(crate) queues: Queues,
    pub(crate) questions: mpsc::Sender<dispatch::Question>,
}

/// The queues before the loop.
#[derive(Clone)]
pub(crate) struct Queues {
    pub(crate) cluster: mpsc::WeakSender<engine::Event>,
    pub(crate) tunnels: mpsc::WeakSender<tunnel::Event>,
}

impl Queues {
    /// How many events wait in each.
    pub(crate) fn waiting(&self) -> [(&'static str, usize); 2] {
        [("cluster", waiting(&self.cluster)), ("tunnels", waiting(&self.tunnels))]
    }
}

fn waiting<T>(queue: &mpsc::WeakSender<T>) -> usize {
    queue.upgrade().map_or(0, |sender| sender.max_capacity().saturating_sub(sender.capacity()))
}

impl Admin {
    /// Serves the pages until `stop` becomes true.
    pub(crate) async fn serve(self, settings: &Settings, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        let pages = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics_page))
            .route("/debug/vnodes.json", get(debug::vnodes))
            .with_state(self);
        for &listen in &settings.admin {
            let listener = TcpListener::bind(listen)
                .await
                .with_context(|| format!("ADMIN_LISTEN: listening on {listen}"))?;
            tracing::info!(address = %listener.local_addr()?, "health and metrics are served");
            tokio::spawn(serve::serve(listener, pages.clone(), stop.clone()));
        }
        Ok(())
    }

    /// Nothing keeps this controller from its work.
    pub(crate) fn is_ready(&self) -> bool {
        self.troubles().is_empty()
    }

    /// What keeps this controller from its work: one line each.
    fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        for watch in self.watches.health() {
            let kind = format!("{:?}", watch.kind).to_lowercase();
            if watch.ended {
                troubles.push(format!("the watch of {kind} has ended"));
            } else if !watch.synced || watch.failing {
                let error =
                    watch.last_error.map_or_else(|| "nothing was said yet".to_owned(), |error| error.reason);
                let state = if watch.synced { "fails" } else { "has not listed everything yet" };
                troubles.push(format!("the watch of {kind} {state}: {error}"));
            }
        }
        if let Some(stats) = self.tunnels.mqtt_stats().filter(|stats| !stats.up) {
            let reason = stats.down.unwrap_or_else(|| "it has not answered yet".to_owned());
            troubles.push(format!("the broker is not connected: {reason}"));
        }
        let summary = self.pulse.read().1;
        if summary.fenced_off {
            troubles.push("this replica acts for no base: its own Lease is not renewed".to_owned());
        }
        if let Some(twin) = self.pulse.twin().filter(|twin| twin.yields) {
            troubles.push(dispatch::describe(&twin));
        } else if summary.cut_off {
            troubles.push("this replica reaches no base; a replica that does is to have them".to_owned());
        }
        troubles
    }

    /// What people shall know and what a Pod that is not ready would not help against: of bases that talk over HTTP a
    /// Service would then send it nothing, and they would stay silent.
    fn notes(&self) -> Vec<String> {
        let summary = self.pulse.read().1;
        let held_back = summary.held_back.then(|| {
            format!(
                "{} of {} bases are silent at once, so the network, the broker or this controller is at fault: no Node is \
                 deleted",
                summary.silent, summary.vnodes
            )
        });
        let unreached = summary.kubelet_unreached.then(|| {
            "the kubelet API is on, and no Service of this namespace has the label \
             virtual-kubelet.koupleless.io/kubelet-proxy-service=true: VNodes do not name it, and `kubectl logs` does not work"
                .to_owned()
        });
        held_back.into_iter().chain(unreached).collect()
    }
}

/// 200 as long as the loop comes round: a restart helps against nothing else.
async fn healthz(State(admin): State<Admin>) -> impl IntoResponse {
    let (ago, _) = admin.pulse.read();
    if ago < HANGS_AFTER {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("the loop hangs since {} s\n", ago.as_secs()))
    }
}

/// 200 when the API server is watched and every tunnel is up; else what is missing. What else people shall know follows.
async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let troubles = admin.troubles();
    let mut page = String::new();
    for trouble in &troubles {
        let _ = writeln!(page, "not ready: {trouble}");
    }
    for note in admin.notes() {
        let _ = writeln!(page, "note: {note}");
    }
    if troubles.is_empty() {
        (StatusCode::OK, format!("ok\n{page}"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, page)
    }
}

async fn metrics_page(State(admin): State<Admin>) -> impl IntoResponse {
    let kind = [("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    match metrics::page(admin) {
        Ok(page) => (StatusCode::OK, kind, page),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, kind, String::new()),
    }
}
