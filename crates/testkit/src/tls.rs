//! Certificates for 127.0.0.1 that nobody trusts by default, listeners that have them, and callers.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::http::Answer;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Who calls a server over TLS, and whom that one trusts.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// `Authorization`, where it is sent.
    pub authorization: Option<String>,
    /// PEM files of its own certificate and key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// PEM file of the certificate that the server must have; any is taken where none is named.
    pub trusted: Option<PathBuf>,
}

impl Caller {
    /// `GET url`.
    pub fn get(&self, url: &str) -> Result<Answer> {
        let pem = |path: &Path| fs::read(path).with_context(|| format!("reading {}", path.display()));
        let mut tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        tls = match &self.trusted {
            Some(path) => tls.root_certs(RootCerts::new_with_certs(&[Certificate::from_pem(&pem(path)?)?])),
            None => tls.disable_verification(true),
        };
        if let Some((certificate, key)) = &self.certificate {
            let own = Certificate::from_pem(&pem(certificate)?)?;
            tls =
                tls.client_cert(Some(ClientCert::new_with_certs(&[own], PrivateKey::from_pem(&pem(key)?)?)));
        }
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            .build()
            .into();
        let mut request = agent.get(url);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.call().with_context(|| format!("GET {url}"))?;
        let status = response.status().as_u16();
        let body = response.body_mut().read_to_string().with_context(|| format!("GET {url}"))?;
        Ok(Answer { status, body })
    }
}

/// A new certificate for 127.0.0.1 and its key.
pub struct SelfSigned(rcgen::CertifiedKey<rcgen::KeyPair>);

impl SelfSigned {
    /// Makes one.
    pub fn new() -> Result<Self> {
        Ok(Self(rcgen::generate_simple_self_signed(vec![Ipv4Addr::LOCALHOST.to_string()])?))
    }

    /// The certificate as PEM.
    pub fn certificate(&self) -> String {
        self.0.cert.pem()
    }

    /// Writes both as PEM files.
    pub fn write(&self, certificate: &Path, key: &Path) -> Result<()> {
        fs::write(key, self.0.signing_key.serialize_pem()).context("writing a key")?;
        fs::write(certificate, self.certificate()).context("writing a certificate")
    }

    /// What accepts connections with it.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor> {
        let key = PrivateKeyDer::try_from(self.0.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.0.cert.der().clone()], key)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// A listener whose connections begin with a handshake.
pub(crate) struct TlsListener {
    pub(crate) listener: TcpListener,
    pub(crate) acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            // Whoever does not trust it goes away.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
