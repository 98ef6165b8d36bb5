//! TLS to the broker. It always verifies: the chain against the given CA, the name against the
//! broker's host.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
};

/// The variable that names the CA.
pub const CA_VARIABLE: &str = "MQTT_CA_PATH";
/// The variable that names the client's certificate.
pub const CERTIFICATE_VARIABLE: &str = "MQTT_CLIENT_CRT_PATH";
/// The variable that names the client's key.
pub const KEY_VARIABLE: &str = "MQTT_CLIENT_KEY_PATH";

/// The largest PEM file, in bytes: the bundle of all public CAs has about 220 KiB.
const MAX_PEM_BYTES: u64 = 4 * 1024 * 1024;

/// What TLS needs, loaded and understood.
#[derive(Clone)]
pub struct TlsConfig(pub(super) Arc<ClientConfig>);

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsConfig(…)")
    }
}

/// Why TLS cannot be set up: the variable, the file and what is wrong. Not worth a retry.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of the three is set and another that it needs is not.
    #[error("{missing} is not set, but {set} is: {why}")]
    Incomplete {
        /// The variable to set.
        missing: &'static str,
        /// The one that needs it.
        set: &'static str,
        /// What for.
        why: &'static str,
    },
    /// The file cannot be read.
    #[error("{variable}: {} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The variable that names it.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("{variable}: {} {what}", path.display())]
    Content {
        /// The variable that names it.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Each file is good, but they do not make a configuration.
    #[error("{CERTIFICATE_VARIABLE} and {KEY_VARIABLE} do not fit together: {0}")]
    Mismatch(rustls::Error),
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Library(rustls::Error),
}

impl TlsConfig {
    /// Reads the files that `MQTT_CA_PATH`, `MQTT_CLIENT_CRT_PATH` and `MQTT_CLIENT_KEY_PATH`
    /// name. None where none of them is set: plain TCP. Certificate and key are for brokers that
    /// want to know their clients; they need each other, and the CA.
    ///
    /// # Errors
    /// [`TlsError`], naming the variable and the file.
    pub fn load(ca: Option<&Path>, crt: Option<&Path>, key: Option<&Path>) -> Result<Option<Self>, TlsError> {
        let incomplete = |missing, set, why| Err(TlsError::Incomplete { missing, set, why });
        let (ca, client) = match (ca, crt, key) {
            (None, None, None) => return Ok(None),
            (_, Some(_), None) => {
                return incomplete(KEY_VARIABLE, CERTIFICATE_VARIABLE, "a certificate needs its key");
            }
            (_, None, Some(_)) => {
                return incomplete(CERTIFICATE_VARIABLE, KEY_VARIABLE, "a key needs its certificate");
            }
            (None, Some(_), Some(_)) => {
                return incomplete(CA_VARIABLE, CERTIFICATE_VARIABLE, "the broker is verified against it");
            }
            (Some(ca), Some(crt), Some(key)) => (ca, Some((crt, key))),
            (Some(ca), None, None) => (ca, None),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Library)?
            .with_root_certificates(roots(ca)?);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some((crt, key)) => builder
                .with_client_auth_cert(certificates(CERTIFICATE_VARIABLE, crt)?, private_key(key)?)
                .map_err(TlsError::Mismatch)?,
        };
        Ok(Some(Self(Arc::new(config))))
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CA_VARIABLE, path)? {
        roots.add(certificate).map_err(|cause| {
            content(CA_VARIABLE, path, format!("holds a certificate that is no CA: {cause}"))
        })?;
    }
    Ok(roots)
}

fn certificates(variable: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(variable, path)?;
    let found = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|cause| content(variable, path, format!("is no PEM file: {cause}")))?;
    if found.is_empty() {
        return Err(content(variable, path, "holds no PEM certificate (-----BEGIN CERTIFICATE-----)".into()));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(KEY_VARIABLE, path)?).map_err(|cause| match cause {
        pem::Error::NoItemsFound => {
            content(KEY_VARIABLE, path, "holds no unencrypted PEM key (PKCS#8, PKCS#1 or SEC1)".into())
        }
        cause => content(KEY_VARIABLE, path, format!("is no PEM file: {cause}")),
    })
}

fn read(variable: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |cause| TlsError::Unreadable { variable, path: path.to_owned(), cause };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_PEM_BYTES {
        return Err(content(
            variable,
            path,
            format!("has {length} bytes; at most {MAX_PEM_BYTES} are taken"),
        ));
    }
    std::fs::read(path).map_err(unreadable)
}

fn content(variable: &'static str, path: &Path, what: String) -> TlsError {
    TlsError::Content { variable, path: path.to_owned(), what }
}
