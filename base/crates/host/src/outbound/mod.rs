//! Calls of modules to other hosts: those that their packages name, at addresses that the base's operator allows.

mod addresses;
mod body;
mod resolver;

use std::{error::Error as _, fmt, io, sync::Arc, time::Duration};

use http::{Method, Request, Response, Uri, uri::Scheme};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error as ClientError, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use package::{OutboundHost, normalized};
use rustls::{CertificateError, ClientConfig};
use tokio::sync::Semaphore;
use url::Host;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpHooks, p2::bindings::http::types::ErrorCode,
};

pub use self::addresses::Networks;
use self::{
    body::Answer,
    resolver::{Lookup, ResolveError, Resolver},
};
use crate::output::Output;

/// The calls of one module at work at one time.
const CALLS: usize = 64;

/// How long a host may take to be reached.
const CONNECT: Duration = Duration::from_secs(10);

/// How long it may say nothing where the module sets no time. The deadline of the module's own request ends it before.
const SILENT: Duration = Duration::from_secs(60);

/// The most that is kept of a host's connections for the next call, and how long.
const KEPT: usize = 4;
const KEPT_FOR: Duration = Duration::from_secs(15);

/// The most that is read of an answer's head.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The calls of one module, of all its instances.
pub(crate) struct Outbound {
    hosts: Vec<OutboundHost>,
    networks: Arc<Networks>,
    client: Client<HttpsConnector<HttpConnector<Resolver>>, WasiBody>,
    places: Arc<Semaphore>,
    /// The most of a body, either way.
    limit: u64,
}

impl Outbound {
    /// None where a package names no host.
    pub(crate) fn new(
        hosts: &[OutboundHost],
        networks: &Arc<Networks>,
        tls: &ClientConfig,
        limit: u64,
    ) -> Option<Arc<Self>> {
        if hosts.is_empty() {
            None
        } else {
            Some(Self::looking_up(hosts, networks, tls, limit, Resolver::system()))
        }
    }

    fn looking_up(
        hosts: &[OutboundHost],
        networks: &Arc<Networks>,
        tls: &ClientConfig,
        limit: u64,
        lookup: Lookup,
    ) -> Arc<Self> {
        let mut http = HttpConnector::new_with_resolver(Resolver::new(networks.clone(), lookup));
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        http.set_nodelay(true);
        let https = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT_FOR)
            .pool_max_idle_per_host(KEPT)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .build(https.wrap_connector(http));
        Arc::new(Self {
            hosts: hosts.to_vec(),
            networks: networks.clone(),
            client,
            places: Arc::new(Semaphore::new(CALLS)),
            limit,
        })
    }

    /// Whether a request may be sent: what it says of its destination has to be what is connected to.
    fn admit(&self, method: &Method, uri: &Uri) -> Result<(), CallRefused> {
        // A host that forwards what it is told to would lead to any other.
        if *method == Method::CONNECT {
            return Err(CallRefused::Method);
        }
        let authority = uri.authority().ok_or(CallRefused::Uri)?;
        let is_absolute = uri.path().starts_with('/');
        if authority.as_str().contains('@') || !is_absolute {
            return Err(CallRefused::Uri);
        }
        let own = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let port = match authority.port() {
            Some(port) => port.as_str().parse().map_err(|_| CallRefused::Uri)?,
            None => own,
        };
        let host = normalized(authority.host()).ok_or(CallRefused::Uri)?;
        if !self.hosts.iter().any(|one| one.allows(&host, port, port == own)) {
            return Err(CallRefused::NotNamed(format!("{host}:{port}")));
        }
        // A name is checked when it is resolved, an address is not resolved.
        let checked = match host {
            Host::Ipv4(ip) => self.networks.check(ip.into()),
            Host::Ipv6(ip) => self.networks.check(ip.into()),
            Host::Domain(_) => Ok(()),
        };
        checked.map_err(|why| CallRefused::Address(why.to_string()))
    }

    async fn send(
        self: Arc<Self>,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, CallRefused> {
        self.admit(request.method(), request.uri())?;
        let place = self.places.clone().try_acquire_owned().map_err(|_| CallRefused::TooMany)?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let request = request
            .map(|body| Limited::new(body, limit).map_err(move |error| of_body(error, limit)).boxed_unsync());
        let head = options.first_byte_timeout.unwrap_or(SILENT).min(SILENT);
        let connect = options.connect_timeout.unwrap_or(CONNECT).min(CONNECT);
        let sent = tokio::time::timeout(connect + head, self.client.request(request)).await;
        let response = sent.map_err(|_| CallRefused::Late)?.map_err(|error| of_client(&error))?;
        let between = options.between_bytes_timeout.unwrap_or(SILENT).min(SILENT);
        Ok(response.map(|body| Answer::new(body, self.limit, between, place).boxed_unsync()))
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// A call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum CallRefused {
    #[error("outboundHosts of its package does not name {0}; name it and stamp the package again")]
    NotNamed(String),
    #[error("{0}; the base's operator may allow it by base.module.outbound.networks")]
    Address(String),
    #[error("CONNECT is not allowed")]
    Method,
    #[error("the URL names no host, or a user, or has no path")]
    Uri,
    #[error("{CALLS} calls of the module are at work already")]
    TooMany,
    #[error("the host did not answer in time")]
    Late,
    #[error("{0}")]
    Name(String),
    #[error("{1}")]
    Connect(io::ErrorKind, String),
    #[error("{0}")]
    Certificate(String),
    #[error("{0}")]
    Body(String, u64),
    #[error("{0}")]
    Protocol(String),
}

impl From<CallRefused> for Error {
    fn from(refused: CallRefused) -> Self {
        match refused {
            CallRefused::NotNamed(_) => Self::HttpRequestDenied,
            CallRefused::Address(_) => Self::DestinationIpProhibited,
            CallRefused::Method => Self::HttpRequestMethodInvalid,
            CallRefused::Uri => Self::HttpRequestUriInvalid,
            CallRefused::TooMany => Self::ConnectionLimitReached,
            CallRefused::Late => Self::ConnectionReadTimeout,
            CallRefused::Name(rcode) => Self::DnsError { rcode: Some(rcode), info_code: None },
            CallRefused::Body(_, limit) => Self::HttpRequestBodySize(Some(limit)),
            CallRefused::Certificate(_) => Self::TlsCertificateError,
            CallRefused::Connect(io::ErrorKind::TimedOut, _) => Self::ConnectionTimeout,
            CallRefused::Connect(io::ErrorKind::InvalidData | io::ErrorKind::Other, _) => {
                Self::TlsProtocolError
            }
            CallRefused::Connect(..) => Self::ConnectionRefused,
            CallRefused::Protocol(_) => Self::HttpProtocolError,
        }
    }
}

fn of_body(error: Box<dyn std::error::Error + Send + Sync>, limit: usize) -> Error {
    if error.is::<LengthLimitError>() {
        return Error::HttpRequestBodySize(Some(limit as u64));
    }
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(other) => Error::InternalError(Some(other.to_string())),
    }
}

/// What a client's error comes from: it is somewhere below.
fn of_client(error: &ClientError) -> CallRefused {
    let (mut text, mut next, mut seen) = (error.to_string(), error.source(), None);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        if let Some(refused) = cause.downcast_ref::<ResolveError>() {
            return match refused {
                ResolveError::Refused(why) => CallRefused::Address(why.to_string()),
                ResolveError::Unknown(_) => CallRefused::Name(refused.to_string()),
            };
        }
        if let Some(Error::HttpRequestBodySize(limit)) = cause.downcast_ref::<Error>() {
            return CallRefused::Body(text, limit.unwrap_or_default());
        }
        if let Some(failed) = cause.downcast_ref::<io::Error>() {
            if let Some(why) = certificate_error(failed) {
                return CallRefused::Certificate(format!("{text}{}", hint(why)));
            }
            seen = Some(failed.kind());
        }
        next = cause.source();
    }
    match seen {
        Some(kind) if error.is_connect() => CallRefused::Connect(kind, text),
        _ => CallRefused::Protocol(text),
    }
}

/// Why the host's certificate was not good enough: TLS says so in an error of an error of I/O.
fn certificate_error(error: &io::Error) -> Option<&CertificateError> {
    let inner = error.get_ref()?;
    match (inner.downcast_ref::<io::Error>(), inner.downcast_ref::<rustls::Error>()) {
        (Some(inner), _) => certificate_error(inner),
        (None, Some(rustls::Error::InvalidCertificate(why))) => Some(why),
        (None, _) => None,
    }
}

fn hint(why: &CertificateError) -> &'static str {
    if *why == CertificateError::UnknownIssuer {
        "; the base's operator may have its certificate authority trusted by base.ca-path"
    } else {
        ""
    }
}

/// What an instance's calls go through.
#[derive(Debug, Clone)]
pub(crate) struct WayOut {
    pub(crate) outbound: Option<Arc<Outbound>>,
    pub(crate) output: Output,
}

type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for WayOut {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _ended: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let Self { outbound, output } = self.clone();
        let uri = request.uri().clone();
        Box::new(async move {
            let sent = match outbound {
                Some(outbound) => outbound.send(request, options.unwrap_or_default()).await,
                None => {
                    Err(CallRefused::NotNamed(uri.authority().map_or_else(String::new, ToString::to_string)))
                }
            };
            match sent {
                Ok(response) => Ok((response, Box::new(async { Ok(()) }) as Box<_>)),
                Err(refused) => {
                    // Whoever wrote the module reads its log. The query of a URL may be a secret.
                    let host = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
                    output.print(format!("a call to {host} came to nothing: {refused}").as_bytes());
                    Err(refused.into())
                }
            }
        })
    }

    // Said in the module's own output, and not in the base's log, which no module may fill.

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        if error.is_incomplete_message() {
            ErrorCode::HttpResponseIncomplete
        } else {
            ErrorCode::HttpProtocolError
        }
    }

    fn p2_error_from_connect(&mut self, _error: &io::Error) -> ErrorCode {
        ErrorCode::ConnectionRefused
    }

    fn p2_error_from_tls(&mut self, _error: &io::Error) -> ErrorCode {
        ErrorCode::TlsProtocolError
    }
}

#[cfg(test)]
mod tests;
