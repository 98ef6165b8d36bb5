//! TLS on our port (`HTTP_TUNNEL_TLS_CRT_PATH`, `HTTP_TUNNEL_TLS_KEY_PATH`).

use std::{path::Path, sync::Arc};

use rustls::ServerConfig;

use crate::files::{FileError, NamedFile, Reloaded, content, pem};

/// The variable that names the certificate, with those that it was signed with.
pub const SERVER_CERTIFICATE_VARIABLE: &str = "HTTP_TUNNEL_TLS_CRT_PATH";
/// The variable that names its key.
pub const SERVER_KEY_VARIABLE: &str = "HTTP_TUNNEL_TLS_KEY_PATH";

/// Our certificate and its key, read again when the files change.
#[derive(Debug, Clone)]
pub struct ServerTls(pub(super) Reloaded<Arc<ServerConfig>>);

impl ServerTls {
    /// Reads both.
    ///
    /// # Errors
    /// Where one cannot be read, is no PEM file, or they do not fit together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, FileError> {
        let files = [(SERVER_CERTIFICATE_VARIABLE, certificate), (SERVER_KEY_VARIABLE, key)];
        let files = files.map(|(variable, path)| NamedFile {
            variable,
            path: path.to_owned(),
            max_bytes: pem::MAX_BYTES,
        });
        Reloaded::load(files.into(), Box::new(make)).map(Self)
    }
}

fn make(files: &[NamedFile], contents: &[Vec<u8>]) -> Result<Arc<ServerConfig>, FileError> {
    // Two files went in, so two are here.
    let ([crt, key], [crt_pem, key_pem]) = (files, contents) else {
        return Err(content(SERVER_KEY_VARIABLE, Path::new(""), "is missing"));
    };
    let certificates = pem::certificates(crt.variable, &crt.path, crt_pem)?;
    let private_key = pem::private_key(key.variable, &key.path, key_pem)?;
    let unfit = |cause: rustls::Error| {
        content(key.variable, &key.path, format!("does not fit {}: {cause}", crt.path.display()))
    };
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(certificates, private_key)
        .map_err(unfit)?;
    Ok(Arc::new(config))
}
