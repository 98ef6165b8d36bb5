//! The custom section itself: found, and added.

use std::borrow::Cow;

use wasm_encoder::{CustomSection, Encode as _};
use wasmparser::{Encoding, Parser, Payload};

use crate::{Manifest, PackageError};

/// The section's name.
pub const SECTION: &str = "koupleless:biz";

/// The most bytes of the section: far more than any that says what it should.
const MAX_SECTION_BYTES: usize = 64 * 1024;

/// What a package says it is. Sections of components and modules inside it do not count.
///
/// # Errors
/// Where the bytes are no component, or the section is absent, there twice, too long or unreadable.
pub fn read(bytes: &[u8]) -> Result<Manifest, PackageError> {
    match sections(bytes)?.as_slice() {
        [] => Err(PackageError::NoSection),
        [one] if one.len() > MAX_SECTION_BYTES => {
            Err(PackageError::LongSection { bytes: one.len(), limit: MAX_SECTION_BYTES })
        }
        [one] => Manifest::parse(one),
        many => Err(PackageError::ManySections(many.len())),
    }
}

/// The same component with the section at its end.
///
/// # Errors
/// Where the bytes are no component, or one that has the section already.
pub fn stamp(bytes: &[u8], manifest: &Manifest) -> Result<Vec<u8>, PackageError> {
    if let Some(there) = sections(bytes)?.first() {
        // What cannot be read is there all the same.
        let biz = Manifest::parse(there).map(|manifest| manifest.id.to_string()).ok();
        return Err(PackageError::Stamped(biz.unwrap_or_else(|| "something that cannot be read".to_owned())));
    }
    let json = manifest.to_json();
    let section = CustomSection { name: Cow::Borrowed(SECTION), data: Cow::Borrowed(json.as_bytes()) };
    let mut stamped = bytes.to_vec();
    stamped.push(0); // a custom section's id
    section.encode(&mut stamped);
    Ok(stamped)
}

/// The data of the sections of our name, at the top level of a component.
fn sections(bytes: &[u8]) -> Result<Vec<&[u8]>, PackageError> {
    let mut found = Vec::new();
    // What is open of components and modules inside the component.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| PackageError::NotWasm(error.message().to_owned()))? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(PackageError::CoreModule);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                found.push(section.data());
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wasm_encoder::{Component, Module, ModuleSection};

    use super::*;

    fn manifest(json: &str) -> Manifest {
        Manifest::parse(json.as_bytes()).unwrap()
    }

    fn biz1() -> Manifest {
        manifest(r#"{"name":"biz1","version":"1.0.0","limits":{"memoryMiB":8}}"#)
    }

    #[test]
    fn what_is_stamped_is_read_and_the_rest_stays() {
        let component = Component::new().finish();
        assert_eq!(read(&component), Err(PackageError::NoSection));
        let stamped = stamp(&component, &biz1()).unwrap();
        assert!(stamped.starts_with(&component));
        assert_eq!(read(&stamped), Ok(biz1()));
    }

    #[test]
    fn a_section_is_stamped_once() {
        let stamped = stamp(&Component::new().finish(), &biz1()).unwrap();
        let again = stamp(&stamped, &biz1()).unwrap_err();
        assert_eq!(again, PackageError::Stamped("biz1:1.0.0".to_owned()));
        assert!(again.to_string().contains("stamp the component that the compiler wrote"), "{again}");
    }

    #[test]
    fn what_is_inside_says_nothing_of_the_whole() {
        let mut module = Module::new();
        module.section(&CustomSection { name: SECTION.into(), data: b"{}".as_slice().into() });
        let mut component = Component::new();
        component.section(&ModuleSection(&module));
        let component = component.finish();
        assert_eq!(read(&component), Err(PackageError::NoSection));
        assert_eq!(read(&stamp(&component, &biz1()).unwrap()), Ok(biz1()));
        assert_eq!(read(&module.finish()), Err(PackageError::CoreModule));
    }

    #[test]
    fn a_long_section_is_not_read() {
        let mut component = Component::new();
        let data = vec![b' '; MAX_SECTION_BYTES + 1];
        component.section(&CustomSection { name: SECTION.into(), data: data.into() });
        assert!(matches!(read(&component.finish()), Err(PackageError::LongSection { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer(bytes: Vec<u8>) {
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn a_package_cut_short_is_refused_or_whole(cut in 0_usize..200) {
            let stamped = stamp(&Component::new().finish(), &biz1()).unwrap();
            let cut = cut.min(stamped.len());
            let is_whole = cut == stamped.len();
            prop_assert_eq!(read(&stamped[..cut]).is_ok(), is_whole);
        }
    }
}
