//! Certificates and keys, in PEM.

use std::path::Path;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};

use super::{FileError, content};

/// The largest PEM file, in bytes: the bundle of all public CAs has about 220 KiB.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// At least one certificate.
///
/// # Errors
/// Where there is none, or the file is no PEM file.
pub fn certificates(
    variable: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|cause| content(variable, path, format!("is no PEM file: {cause}")))?;
    if found.is_empty() {
        return Err(content(variable, path, "holds no PEM certificate (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(found)
}

/// One key.
///
/// # Errors
/// Where there is none, or the file is no PEM file.
pub fn private_key(
    variable: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<PrivateKeyDer<'static>, FileError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|cause| match cause {
        pem::Error::NoItemsFound => {
            content(variable, path, "holds no unencrypted PEM key (PKCS#8, PKCS#1 or SEC1)")
        }
        cause => content(variable, path, format!("is no PEM file: {cause}")),
    })
}
