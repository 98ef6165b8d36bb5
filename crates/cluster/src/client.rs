//! The connection to the API server.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use http::header::{HeaderValue, InvalidHeaderValue, USER_AGENT};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt},
    config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use tokio::time::timeout;
use tower::{BoxError, util::MapErrLayer};

/// Give up a TCP and TLS handshake after this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Give up a connection on which nothing was read for this long, when something is awaited: without
/// this, a peer that vanished without a word would keep us blind until the kernel gives up. A watch
/// is ended by the server before that ([`crate::watch::LENGTH`]), however quiet it is; a page of a list
/// takes a busy server some seconds.
const READ_TIMEOUT: Duration = Duration::from_secs(45);

/// Give up a connection that takes nothing for this long.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection is kept that nothing is asked on: longer than from one renewal of a Lease to the next, which is 12 s.
/// Where the server speaks HTTP/1.1 only there are about a hundred after a burst, each with its buffers, which kube
/// keeps for as long as the server does (90 s).
const IDLE: Duration = Duration::from_secs(15);

/// What a stream may bring that nobody has read yet: some hundred Pods.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all streams of a connection: more than all watches together may, so that a watch that is read slowly
/// holds up no other stream.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// A connection of HTTP/2 with open requests that says nothing for this long is asked whether it is still there,
const PING_AFTER: Duration = Duration::from_secs(10);
/// and given up where it does not answer for this long: all requests and watches hang on it.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

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
        client(self.0, IDLE).map_err(ConnectError::Client)
    }
}

/// As kube makes one, but over one connection of HTTP/2 where the server speaks it, which kube's own does not. Through a
/// proxy, and where a program tells the credentials, which may expire, it is kube's own.
fn client(config: Config, idle: Duration) -> kube::Result<Client> {
    let name = config.tls_server_name.clone().map(TryInto::try_into).transpose();
    let (None, None, Ok(name)) = (&config.proxy_url, &config.auth_info.exec, name) else {
        // Why a name is none is for kube to say.
        return Client::try_from(config);
    };
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // A frame that waits for the answer to the one before would hold up all that share the connection.
    tcp.set_nodelay(true);
    let mut tls =
        HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config()?).https_or_http();
    if let Some(name) = name {
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let mut connector = TimeoutConnector::new(tls.enable_all_versions().wrap_connector(tcp));
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let client: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(idle)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .build(connector);
    let builder = ClientBuilder::new(client, config.default_namespace.clone())
        .with_layer(&MapErrLayer::new(BoxError::from))
        .with_layer(&config.extra_headers_layer()?);
    Ok(match config.auth_layer()? {
        Some(auth) => builder.with_layer(&auth).with_layer(&config.base_uri_layer()).build(),
        None => builder.with_layer(&config.base_uri_layer()).build(),
    })
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn a_connection_that_nothing_is_asked_on_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).await.unwrap();
            let asked = Instant::now();
            assert_eq!(stream.read(&mut request[read..]).await.unwrap(), 0, "nothing more is asked");
            (String::from_utf8_lossy(&request[..read]).into_owned(), asked.elapsed())
        });
        let mut config = Config::new(url);
        config.headers.push((USER_AGENT, HeaderValue::from_static("module-controller/test")));
        let client = client(config, Duration::from_millis(100)).unwrap();
        let request = http::Request::get("/api").body(Vec::new()).unwrap();
        assert_eq!(client.request_text(request).await.unwrap(), "{}");
        let (request, kept) = tokio::time::timeout(Duration::from_secs(10), server).await.unwrap().unwrap();
        assert!(request.starts_with("GET /api HTTP/1.1"), "{request}");
        assert!(request.contains("user-agent: module-controller/test"), "{request}");
        assert!(kept >= Duration::from_millis(50), "{kept:?}");
    }
}
