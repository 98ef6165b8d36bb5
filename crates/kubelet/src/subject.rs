//! Who a client certificate says that its bearer is: the common name is the user, organizations are groups, as everywhere in
//! Kubernetes. The certificate was verified before; what is read here is the DER of its subject (RFC 5280, 4.1.2.4).

use crate::callers::User;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
/// UTF8String, PrintableString and IA5String: texts that are UTF-8 as they stand.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.4.10
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// The user of a subject, which is the content of its outermost SEQUENCE; none where it names none, or cannot be read.
pub(crate) fn user(subject: &[u8]) -> Option<User> {
    let (mut name, mut groups) = (None, Vec::new());
    let mut sets = subject;
    while !sets.is_empty() {
        let mut pairs = element(&mut sets, |tag| tag == SET)?;
        while !pairs.is_empty() {
            let mut pair = element(&mut pairs, |tag| tag == SEQUENCE)?;
            let kind = element(&mut pair, |tag| tag == OBJECT_ID)?;
            if kind != COMMON_NAME && kind != ORGANIZATION {
                continue;
            }
            let text = element(&mut pair, |tag| TEXTS.contains(&tag))?;
            let text = std::str::from_utf8(text).ok().filter(|text| !text.is_empty())?.to_owned();
            match kind {
                COMMON_NAME => name = Some(text),
                _ => groups.push(text),
            }
        }
    }
    groups.push("system:authenticated".to_owned());
    Some(User { name: name?, uid: String::new(), groups, extra: serde_json::Value::Null })
}

/// Takes the next element off and gives its content, where its tag is one that is expected.
fn element<'a>(from: &mut &'a [u8], expected: impl Fn(u8) -> bool) -> Option<&'a [u8]> {
    let (tag, rest) = from.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ ..=0x7f => (usize::from(short), rest),
        // One or two further bytes of length: a subject is far below 64 KiB.
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *from = rest;
    expected(*tag).then_some(content)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn subject_of(entries: &[(DnType, &str)]) -> Option<User> {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in entries {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        user(webpki::EndEntityCert::try_from(certificate.der()).unwrap().subject())
    }

    #[test]
    fn the_common_name_is_the_user_and_organizations_are_groups() {
        let found = subject_of(&[
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "system:masters"),
            (DnType::CommonName, "kube-apiserver-kubelet-client"),
        ]);
        let found = found.unwrap();
        assert_eq!(found.name, "kube-apiserver-kubelet-client");
        assert_eq!(found.groups, ["system:masters", "system:authenticated"]);
        let long = "n".repeat(300);
        assert_eq!(subject_of(&[(DnType::CommonName, &long)]).unwrap().name, long);
    }

    #[test]
    fn one_that_names_nobody_or_cannot_be_read_is_nobody() {
        assert_eq!(subject_of(&[(DnType::OrganizationName, "system:masters")]), None);
        for broken in
            [&[0x31][..], &[0x31, 0x05, 0x30], &[0x31, 0x84, 0, 0, 0, 0], &[0x30, 0x00], &[0xff; 40]]
        {
            assert_eq!(user(broken), None, "{broken:?}");
        }
    }
}
