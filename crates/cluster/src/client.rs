//! The connection to the API server.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use http::header::{HeaderValue, InvalidHeaderValue, USER_AGENT};
use kube::{
    Client, Config,
    config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use tokio::time::timeout;

/// Give up a TCP and TLS handshake after this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Give up a connection on which nothing was read for this long, when something is awaited: without
/// this, a peer that vanished without a word would keep us blind until the kernel gives up. A watch
/// is ended by the server before that ([`crate::watch::LENGTH`]), however quiet it is; a page of a list
/// takes a busy server some seconds.
const READ_TIMEOUT: Duration = Duration::from_secs(45);

/// Give up a connection that takes nothing for this long.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);

/// How to find the API server.
#[derive(Debug, Clone, Default)]
pub struct ClientConfig {
    /// A kubeconfig file. Where there is none: `KUBECONFIG`, then `~/.kube/config`, then the
    /// service account of the Pod that we run in.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; its current one where there is none.
    pub context: Option<String>,
    /// `User-Agent`, by which audit logs and flow schemas tell us from others; kube's own where it
    /// is empty.
    pub user_agent: String,
}

/// Why there is no client. None of these is cured by trying again: the configuration is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig file that was named cannot be used.
    #[error("the kubeconfig {path} cannot be used: {source}")]
    Kubeconfig {
        /// Which.
        path: PathBuf,
        /// Why.
        source: KubeconfigError,
    },
    /// Neither a kubeconfig nor a service account was found.
    #[error("no API server is configured (KUBECONFIG, or a Pod's service account): {0}")]
    NotConfigured(#[source] InferConfigError),
    /// The user agent is no header value.
    #[error("the user agent cannot be sent: {0}")]
    UserAgent(#[source] InvalidHeaderValue),
    /// Certificates, keys or credentials cannot be used.
    #[error("the API server's client cannot be built: {0}")]
    Client(#[source] kube::Error),
}

/// An API server as its configuration has it.
pub struct Server(Config);

impl Server {
    /// Reads the configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// Where no API server is configured, or its configuration cannot be used.
    pub async fn configured(config: ClientConfig) -> Result<Self, ConnectError> {
        let mut kube = found(config.kubeconfig, config.context).await?;
        kube.connect_timeout = Some(CONNECT_TIMEOUT);
        kube.read_timeout = Some(READ_TIMEOUT);
        kube.write_timeout = Some(WRITE_TIMEOUT);
        // Else the time that a pooled connection was idle counts as silence.
        kube.reset_reader_on_write = true;
        // The engine backs off, object by object; a retry below it would hide that the server is busy
        // and could carry a decision out long after it was taken.
        kube.default_retry = false;
        if !config.user_agent.is_empty() {
            let value = HeaderValue::from_str(&config.user_agent).map_err(ConnectError::UserAgent)?;
            kube.headers.push((USER_AGENT, value));
        }
        Ok(Self(kube))
    }

    /// Where it is, as far as its name can be resolved within 5 s: what nobody else may be taken for.
    pub async fn addresses(&self) -> Vec<SocketAddr> {
        let url = &self.0.cluster_url;
        let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
        // An IPv6 address stands in brackets in a URL.
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let resolved = timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((host, port))).await;
        match resolved.map_err(io::Error::from).flatten() {
            Ok(addresses) => addresses.collect(),
            Err(cause) => {
                tracing::warn!(host, %cause, "the API server's address is not known: a base that names it is not refused");
                Vec::new()
            }
        }
    }

    /// Makes the client that watches and writes share.
    ///
    /// # Errors
    /// Where certificates, keys or credentials cannot be used.
    pub fn client(self) -> Result<Client, ConnectError> {
        Client::try_from(self.0).map_err(ConnectError::Client)
    }
}

async fn found(kubeconfig: Option<PathBuf>, context: Option<String>) -> Result<Config, ConnectError> {
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    match kubeconfig {
        Some(path) => {
            let read =
                async { Config::from_custom_kubeconfig(Kubeconfig::read_from(&path)?, &options).await };
            read.await.map_err(|source| ConnectError::Kubeconfig { path, source })
        }
        None if options.context.is_some() => {
            Config::from_kubeconfig(&options).await.map_err(|source| ConnectError::Kubeconfig {
                path: std::env::var_os("KUBECONFIG").map_or_else(|| "~/.kube/config".into(), PathBuf::from),
                source,
            })
        }
        None => Config::infer().await.map_err(ConnectError::NotConfigured),
    }
}
