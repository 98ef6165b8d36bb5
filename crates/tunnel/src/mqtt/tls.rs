//! TLS to the broker. It always verifies: the chain against the given CA, the name against the
//! broker's host.

use std::{fmt, path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore};

use crate::files::{FileError, content, pem, read};

/// The variable that names the CA.
pub const CA_VARIABLE: &str = "MQTT_CA_PATH";
/// The variable that names the client's certificate.
pub const CERTIFICATE_VARIABLE: &str = "MQTT_CLIENT_CRT_PATH";
/// The variable that names the client's key.
pub const KEY_VARIABLE: &str = "MQTT_CLIENT_KEY_PATH";

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
    /// A file cannot be read, or holds something else.
    #[error(transparent)]
    File(#[from] FileError),
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
            Some((crt, key)) => {
                let pem = read(CERTIFICATE_VARIABLE, crt, pem::MAX_BYTES)?;
                let certificates = pem::certificates(CERTIFICATE_VARIABLE, crt, &pem)?;
                let pem = read(KEY_VARIABLE, key, pem::MAX_BYTES)?;
                let key = pem::private_key(KEY_VARIABLE, key, &pem)?;
                builder.with_client_auth_cert(certificates, key).map_err(TlsError::Mismatch)?
            }
        };
        Ok(Some(Self(Arc::new(config))))
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let pem = read(CA_VARIABLE, path, pem::MAX_BYTES)?;
    for certificate in pem::certificates(CA_VARIABLE, path, &pem)? {
        roots.add(certificate).map_err(|cause| {
            content(CA_VARIABLE, path, format!("holds a certificate that is no CA: {cause}"))
        })?;
    }
    Ok(roots)
}
