//! The seal of what a replica sends on: an Ed25519 signature by the key that its membership Lease
//! publishes, over who sends it, to whom, its number, and the body.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ring::{
    error::Unspecified,
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};

/// What a signature is for begins with this, so that it is good for nothing else.
const PURPOSE: &str = "module-controller forwards heartbeats, 1";

/// On whom, for whom and the how many-th of its sender: no two have the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) number: u64,
}

impl Envelope<'_> {
    /// What is signed. No incarnation holds a zero, so that no two envelopes read the same.
    fn with(&self, body: &[u8]) -> Vec<u8> {
        let number = self.number.to_string();
        let parts = [PURPOSE.as_bytes(), self.from.as_bytes(), self.to.as_bytes(), number.as_bytes(), body];
        parts.join(&0)
    }
}

/// The key pair of one process. It has no `Debug`, and never leaves the process.
pub(super) struct Seal(Ed25519KeyPair);

impl Seal {
    /// A new one.
    pub(super) fn new() -> Result<Self, Unspecified> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())?;
        Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map(Self).map_err(|_| Unspecified)
    }

    /// The public key, as Leases publish it.
    pub(super) fn key(&self) -> String {
        BASE64.encode(self.0.public_key())
    }

    /// The signature, as a header carries it.
    pub(super) fn sign(&self, envelope: Envelope<'_>, body: &[u8]) -> String {
        BASE64.encode(self.0.sign(&envelope.with(body)))
    }
}

/// Whether the signature is of the owner of this key, for this very message.
pub(super) fn is_good(key: &str, envelope: Envelope<'_>, body: &[u8], signature: &str) -> bool {
    let (Ok(key), Ok(signature)) = (BASE64.decode(key), BASE64.decode(signature)) else { return false };
    UnparsedPublicKey::new(&ED25519, key).verify(&envelope.with(body), &signature).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_one_message_of_one_sender_to_one_receiver() {
        let (seal, other) = (Seal::new().unwrap(), Seal::new().unwrap());
        let envelope = Envelope { from: "a-1", to: "b-1", number: 7 };
        let signature = seal.sign(envelope, b"body");
        assert!(is_good(&seal.key(), envelope, b"body", &signature));
        for (envelope, body) in [
            (Envelope { from: "a-2", ..envelope }, &b"body"[..]),
            (Envelope { to: "b-2", ..envelope }, b"body"),
            (Envelope { number: 8, ..envelope }, b"body"),
            (envelope, b"bodY"),
        ] {
            assert!(!is_good(&seal.key(), envelope, body, &signature));
        }
        assert!(!is_good(&other.key(), envelope, b"body", &signature));
        for bad in ["", "no base64!", &signature[1..]] {
            assert!(!is_good(&seal.key(), envelope, b"body", bad), "{bad}");
            assert!(!is_good(bad, envelope, b"body", &signature), "{bad}");
        }
    }
}
