//! The authorities that the image trusts.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The columns of a line in PEM.
const COLUMNS: usize = 64;

/// Mozilla's list, in PEM: of the version in the lock file, and not of the machine that makes a release.
pub(super) fn bundle() -> String {
    let mut text = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in STANDARD.encode(certificate).as_bytes().chunks(COLUMNS) {
            let _ = writeln!(text, "{}", String::from_utf8_lossy(line));
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_has_every_authority_in_pem() {
        let bundle = bundle();
        assert!(bundle.lines().all(|line| line.len() <= COLUMNS && !line.is_empty()));
        let begins = bundle.matches("-----BEGIN CERTIFICATE-----\nMII").count();
        assert_eq!(begins, webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
        assert!(begins > 100, "{begins} authorities");
    }
}
