//! Texts that many objects have are kept once: a fleet has fifty thousand modules of fifty names.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use ask::{Text, read::Object};

/// Fewer than these are not worth looking through.
const FEW: usize = 4_096;

/// The texts that are kept.
#[derive(Debug, Default)]
pub(super) struct Interner(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    texts: HashSet<Text>,
    /// So many are looked through for those that nobody has any more.
    full: usize,
}

impl Interner {
    /// The texts of an object become those that are there already.
    pub(super) fn share(&self, object: &mut impl Object) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for text in object.common_texts() {
            match known.texts.get(text) {
                Some(same) => *text = same.clone(),
                None => {
                    known.texts.insert(text.clone());
                }
            }
        }
        if known.texts.len() > known.full.max(FEW) {
            known.texts.retain(Text::is_shared);
            known.full = 2 * known.texts.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use ask::read::Module;

    use super::*;

    fn module(version: &str) -> Module {
        Module { name: "cart".into(), version: version.into(), ..Module::default() }
    }

    #[test]
    fn the_same_text_is_kept_once_and_what_nobody_has_goes() {
        let interner = Interner::default();
        let (mut one, mut other) = (module("1"), module("1"));
        interner.share(&mut one);
        interner.share(&mut other);
        assert_eq!(one.version.as_ptr(), other.version.as_ptr());
        for number in 0..3 * FEW {
            interner.share(&mut module(&format!("gone-{number}")));
        }
        let known = interner.0.lock().unwrap();
        assert!(known.texts.len() <= FEW + 2, "{}", known.texts.len());
        assert!(known.texts.contains(&one.version));
    }
}
