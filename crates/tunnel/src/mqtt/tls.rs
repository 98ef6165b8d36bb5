//! TLS to the broker. It always verifies: the chain against the given CA, the name against the
//! broker's host.

use std::{path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore};

use crate::files::{FileError, NamedFile, Reloaded, content, pem};

/// The variable that names the CA.
pub const CA_VARIABLE: &str = "MQTT_CA_PATH";
/// The variable that names the client's certificate.
pub const CERTIFICATE_VARIABLE: &str = "MQTT_CLIENT_CRT_PATH";
/// The variable that names the client's key.
pub const KEY_VARIABLE: &str = "MQTT_CLIENT_KEY_PATH";

/// What TLS needs, loaded and understood, and read again when the files change: the next connection
/// uses it.
#[derive(Debug, Clone)]
pub struct TlsConfig(pub(super) Reloaded<Arc<ClientConfig>>);

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
        let files = match (ca, crt, key) {
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
            (Some(ca), Some(crt), Some(key)) => {
                vec![(CA_VARIABLE, ca), (CERTIFICATE_VARIABLE, crt), (KEY_VARIABLE, key)]
            }
            (Some(ca), None, None) => vec![(CA_VARIABLE, ca)],
        };
        let file = |(variable, path): (_, &Path)| NamedFile {
            variable,
            path: path.to_owned(),
            max_bytes: pem::MAX_BYTES,
        };
        Ok(Some(Self(Reloaded::load(files.into_iter().map(file).collect(), Box::new(make))?)))
    }
}

fn make(files: &[NamedFile], contents: &[Vec<u8>]) -> Result<Arc<ClientConfig>, FileError> {
    let mut given = files.iter().zip(contents);
    let Some((ca, ca_pem)) = given.next() else {
        return Err(content(CA_VARIABLE, Path::new(""), "is missing"));
    };
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(ca.variable, &ca.path, ca_pem)? {
        roots.add(certificate).map_err(|cause| {
            content(ca.variable, &ca.path, format!("holds a certificate that is no CA: {cause}"))
        })?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| content(ca.variable, &ca.path, format!("cannot be used: {cause}")))?
        .with_root_certificates(roots);
    let (Some((crt, crt_pem)), Some((key, key_pem))) = (given.next(), given.next()) else {
        return Ok(Arc::new(builder.with_no_client_auth()));
    };
    let certificates = pem::certificates(crt.variable, &crt.path, crt_pem)?;
    let private_key = pem::private_key(key.variable, &key.path, key_pem)?;
    let config = builder.with_client_auth_cert(certificates, private_key).map_err(|cause| {
        content(key.variable, &key.path, format!("does not fit {}: {cause}", crt.path.display()))
    })?;
    Ok(Arc::new(config))
}
