//! Ring 2: the kubelet API of all VNodes: `kubectl logs` of a module, and figures of its base.
//!
//! ```text
//! API server --TLS, client certificate--> serve --> callers: who is it, and may it? --> API server
//!                                           |
//!                                           +--> module: which Pod, VNode and biz? --> API server
//!                                           +--> base_log: the base keeps the log --> base
//!                                           +--> pod_log: it is in the log of the base's Pod, cut by lines --> API server
//!                                           +--> stats: how is the base? --> base
//! ```
//!
//! It keeps nothing but answers that hold for seconds, so every replica serves every VNode. It writes nothing. Nobody is anonymous,
//! and where the API server does not say that a caller may, the caller may not. Connections, answers under way, heads, waits and
//! what is kept of a log have limits.

mod api;
mod asked;
mod base_log;
mod body;
mod cache;
mod callers;
mod counts;
mod held;
mod impatient;
mod lines;
mod module;
mod pod_log;
mod refusal;
mod routes;
mod serve;
mod stats;
mod subject;
pub mod tls;

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc};

use cluster::Writer;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tunnel::Addresses;

pub use crate::counts::Counts;
use crate::{api::Api, routes::App};

/// How it is served.
#[derive(Debug, Clone)]
pub struct KubeletSettings {
    /// Where.
    pub listen: SocketAddr,
    /// The certificate and its key; none for one that it makes by itself.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The authority of callers' certificates.
    pub client_ca: PathBuf,
}

/// What it works with.
#[derive(Clone)]
pub struct Parts {
    api: Api,
    env: String,
    base_namespaces: Vec<String>,
    addresses: Addresses,
    cluster: Writer,
    counts: Arc<Counts>,
}

impl Parts {
    /// A client of its own, so that logs hold up nothing else; the environment of the VNodes; where bases run
    /// (`BASE_POD_NAMESPACES`); which addresses may be called; who finds the Pods of bases; where requests are counted.
    pub fn new(
        client: kube::Client,
        env: String,
        base_namespaces: Vec<String>,
        addresses: Addresses,
        cluster: Writer,
        counts: Arc<Counts>,
    ) -> Self {
        Self { api: Api(client), env, base_namespaces, addresses, cluster, counts }
    }
}

/// Why it cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Files are no good.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// Somebody else has the port, or there is no such address.
    #[error("{listen} cannot be listened on: {cause}")]
    Listen {
        /// Where it was to be served.
        listen: SocketAddr,
        /// Why not.
        cause: std::io::Error,
    },
}

/// A kubelet API that is served.
pub struct Kubelet {
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl fmt::Debug for Kubelet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kubelet")
    }
}

impl Kubelet {
    /// Begins to serve.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(settings: KubeletSettings, parts: Parts) -> Result<Self, StartError> {
        let KubeletSettings { listen, certificate, client_ca } = settings;
        let is_own = certificate.is_none();
        let tls = tls::load(certificate, client_ca)?;
        let listener =
            TcpListener::bind(listen).await.map_err(|cause| StartError::Listen { listen, cause })?;
        let (stop, stopped) = watch::channel(false);
        tracing::info!(%listen, "the kubelet API is served");
        if is_own {
            tracing::info!(
                "it has a certificate that it made itself, which an API server does not verify by default"
            );
        }
        let serving = tokio::spawn(serve::serve(listener, tls, Arc::new(App::new(parts)), stopped));
        Ok(Self { stop, serving })
    }

    /// Ends it at once: a log that somebody follows ends.
    pub async fn end(self) {
        self.stop.send_replace(true);
        // It fails only where the process ends anyway.
        let _ = self.serving.await;
    }
}
