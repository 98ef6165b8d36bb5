//! TLS of the kubelet API: its certificate, and the authority of its callers' certificates, read again when the files change.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use tunnel::files::{FileError, NamedFile, Reloaded, content, pem};

/// The variable that names the certificate, with those that it was signed with.
pub const CERTIFICATE_VARIABLE: &str = "KUBELET_PROXY_TLS_CRT_PATH";
/// The variable that names its key.
pub const KEY_VARIABLE: &str = "KUBELET_PROXY_TLS_KEY_PATH";
/// The variable that names the authority of callers' certificates.
pub const CLIENT_CA_VARIABLE: &str = "KUBELET_PROXY_CLIENT_CA_PATH";

/// A certificate and its key.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is no good.
    #[error(transparent)]
    File(#[from] FileError),
    /// No certificate could be made.
    #[error("no certificate could be made: {0}")]
    Made(#[from] rcgen::Error),
}

/// What it serves with. A new pair of files that is no good changes nothing, and is said.
pub(crate) fn load(
    certificate: Option<(PathBuf, PathBuf)>,
    client_ca: PathBuf,
) -> Result<Reloaded<Arc<ServerConfig>>, TlsError> {
    let named = |variable, path| NamedFile { variable, path, max_bytes: pem::MAX_BYTES };
    let mut files = vec![named(CLIENT_CA_VARIABLE, client_ca)];
    let own = match certificate {
        Some((crt, key)) => {
            files.extend([named(CERTIFICATE_VARIABLE, crt), named(KEY_VARIABLE, key)]);
            None
        }
        None => Some(self_signed()?),
    };
    let make = move |files: &[NamedFile], contents: &[Vec<u8>]| {
        make(files, contents, own.as_ref().map(|(crt, key)| (crt.clone(), key.clone_key())))
    };
    Ok(Reloaded::load(files, Box::new(make))?)
}

fn self_signed() -> Result<Pair, rcgen::Error> {
    let made = rcgen::generate_simple_self_signed(["module-controller".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}

fn make(
    files: &[NamedFile],
    contents: &[Vec<u8>],
    own: Option<Pair>,
) -> Result<Arc<ServerConfig>, FileError> {
    let mut all = files.iter().zip(contents);
    let missing = || content(KEY_VARIABLE, std::path::Path::new(""), "is missing");
    let (ca, ca_pem) = all.next().ok_or_else(missing)?;
    let unfit_ca =
        |cause: &dyn std::fmt::Display| content(ca.variable, &ca.path, format!("is no good: {cause}"));
    let mut roots = RootCertStore::empty();
    for authority in pem::certificates(ca.variable, &ca.path, ca_pem)? {
        roots.add(authority).map_err(|cause| unfit_ca(&cause))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let callers = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|cause| unfit_ca(&cause))?;
    let (pair, place) = match own {
        Some(pair) => (pair, ca),
        None => {
            let ((crt, crt_pem), (key, key_pem)) = all.next().zip(all.next()).ok_or_else(missing)?;
            let certificates = pem::certificates(crt.variable, &crt.path, crt_pem)?;
            ((certificates, pem::private_key(key.variable, &key.path, key_pem)?), key)
        }
    };
    let unfit = |cause: rustls::Error| content(place.variable, &place.path, format!("does not fit: {cause}"));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_client_cert_verifier(callers)
        .with_single_cert(pair.0, pair.1)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_new_pair_keeps_the_old_one_and_what_is_missing_at_the_start_is_named() {
        let directory = std::env::temp_dir().join(format!("kubelet-tls-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = |name: &str| directory.join(name);
        let issue = || rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let write = |made: &rcgen::CertifiedKey<rcgen::KeyPair>| {
            std::fs::write(file("crt"), made.cert.pem()).unwrap();
            std::fs::write(file("key"), made.signing_key.serialize_pem()).unwrap();
        };
        std::fs::write(file("ca"), issue().cert.pem()).unwrap();
        let pair = || Some((file("crt"), file("key")));
        let missing = load(pair(), file("ca")).unwrap_err().to_string();
        assert!(missing.starts_with("KUBELET_PROXY_TLS_CRT_PATH"), "{missing}");
        write(&issue());
        let served = load(pair(), file("ca")).unwrap();
        let first = served.current();
        std::fs::write(file("key"), issue().signing_key.serialize_pem()).unwrap();
        served.look();
        assert!(Arc::ptr_eq(&first, &served.current()), "a key that does not fit is not taken");
        write(&issue());
        served.look();
        assert!(!Arc::ptr_eq(&first, &served.current()));
        assert!(load(None, file("ca")).is_ok(), "without files it makes one");
        std::fs::write(file("ca"), "nothing").unwrap();
        let none = load(None, file("ca")).unwrap_err().to_string();
        assert!(none.starts_with("KUBELET_PROXY_CLIENT_CA_PATH"), "{none}");
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
