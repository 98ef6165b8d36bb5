//! Texts that others wrote, made harmless where they are read: nothing of them can move a cursor, colour a line or turn
//! one around, whatever is done with them afterwards.

use std::{
    borrow::Cow,
    fmt,
    ops::Deref,
    sync::{Arc, LazyLock},
};

use serde::{Deserialize, Deserializer, Serialize};

/// More of one text nobody reads on a screen, and each Pod has some.
const MOST: usize = 4096;

/// A text of the cluster, in one line. What a terminal would obey is written out, as `\u{1b}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Text(Arc<str>);

impl Text {
    /// Somebody else keeps it too.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// None where it is empty.
    pub fn some(&self) -> Option<&str> {
        (!self.is_empty()).then_some(&**self)
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Default for Text {
    fn default() -> Self {
        // Most objects have some of these, and one allocation serves them all.
        static EMPTY: LazyLock<Text> = LazyLock::new(|| Text("".into()));
        EMPTY.clone()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        Self(clean(text).as_ref().into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer).map(|text| Self::from(&*text))
    }
}

/// The same text, harmless and in one line.
fn clean(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_control() && !is_hidden(c);
    if text.len() <= MOST && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len().min(MOST));
    for c in text.chars() {
        if clean.len() >= MOST {
            clean.push('…');
            break;
        }
        match c {
            '\n' | '\t' => clean.push(' '),
            '\r' => {}
            c if is_plain(c) => clean.push(c),
            c => clean.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(clean)
}

/// What is not seen and changes how the rest is seen: marks of direction, of no width, and tags.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (from, to) in [
            ("plain 中文 é", "plain 中文 é"),
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "\\u{1b}[2J\\u{1b}]0;title\\u{7}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("a\r\nb\tc", "a b c"),
            ("\u{202e}txt.exe\u{200b}", "\\u{202e}txt.exe\\u{200b}"),
        ] {
            assert_eq!(&*Text::from(from), to);
            let read: Text = serde_json::from_value(serde_json::json!(from)).unwrap();
            assert_eq!(&*read, to);
        }
    }

    #[test]
    fn no_character_comes_through_that_a_terminal_obeys() {
        for c in '\0'..=char::MAX {
            let text = Text::from(c.to_string());
            assert!(text.chars().all(|c| !c.is_control() && !is_hidden(c)), "{c:?}");
        }
    }

    #[test]
    fn a_text_without_an_end_has_one() {
        assert!(Text::from("中".repeat(100_000)).len() < MOST + 10);
    }
}
