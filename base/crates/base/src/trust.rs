//! Whom the base believes over https: the public certificate authorities, and those that its operator names.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// How the base talks https, with the authorities of a PEM file beside the public ones.
///
/// # Errors
/// Where the file cannot be read, or holds no certificate of an authority.
pub(crate) fn client_config(authorities: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = authorities {
        add(&mut roots, file).with_context(|| format!("base.ca-path: {}", file.display()))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().context("the versions of TLS")?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<()> {
    let public = roots.len();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?).context("a certificate that is none of an authority")?;
    }
    ensure!(roots.len() > public, "it holds no certificate");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_authority_is_refused_by_its_name() {
        let file = std::env::temp_dir().join(format!("base-trust-{}.pem", std::process::id()));
        let refused = |content: &str| {
            std::fs::write(&file, content).unwrap();
            format!("{:#}", client_config(Some(&file)).unwrap_err())
        };
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (content, says) in [("", "it holds no certificate"), (bad, "none of an authority")] {
            let said = refused(content);
            assert!(said.contains(says) && said.contains(&file.display().to_string()), "{said}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(format!("{:#}", client_config(Some(&file)).unwrap_err()).contains("base.ca-path"));
        assert!(client_config(None).is_ok());
    }
}
