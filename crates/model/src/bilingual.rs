//! What people are told, in both languages. Who writes it into the cluster takes one of them; the log has the English text.

use std::fmt;

use crate::Language;

/// A text in both languages. One that is alike in both, as what a base answered, has one form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Bilingual {
    english: Box<str>,
    chinese: Option<Box<str>>,
}

impl Bilingual {
    /// A text with its translation. [`crate::bilingual!`] makes one of two formats.
    pub fn new(english: impl Into<Box<str>>, chinese: impl Into<Box<str>>) -> Self {
        Self { english: english.into(), chinese: Some(chinese.into()) }
    }

    /// What `say` says in each language: for a text that has others in it.
    pub fn each(say: impl Fn(Language) -> String) -> Self {
        Self::new(say(Language::English), say(Language::Chinese))
    }

    /// The text in a language.
    pub fn of(&self, language: Language) -> &str {
        match (language, &self.chinese) {
            (Language::Chinese, Some(chinese)) => chinese,
            (Language::Chinese | Language::English, _) => &self.english,
        }
    }

    /// The English text.
    pub fn english(&self) -> &str {
        &self.english
    }

    /// This with what is to say of it: `biz1: gone`.
    #[must_use]
    pub fn with(&self, more: &Self) -> Self {
        Self::each(|language| {
            let (text, more) = (self.of(language), more.of(language));
            match language {
                Language::English => format!("{text}: {more}"),
                Language::Chinese => format!("{text}：{more}"),
            }
        })
    }

    /// The same done to both.
    #[must_use]
    pub fn map(&self, change: impl Fn(&str) -> String) -> Self {
        let into = |text: &str| change(text).into_boxed_str();
        Self { english: into(&self.english), chinese: self.chinese.as_deref().map(into) }
    }
}

impl From<String> for Bilingual {
    fn from(text: String) -> Self {
        Self { english: text.into(), chinese: None }
    }
}

impl From<&str> for Bilingual {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for Bilingual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

/// A [`Bilingual`] of an English format and its Chinese translation, with the same arguments:
/// `bilingual!("{n} bases", "{n} 个基座")`.
#[macro_export]
macro_rules! bilingual {
    ($english:literal, $chinese:literal $(,)?) => {
        $crate::Bilingual::new(format!($english), format!($chinese))
    };
    ($english:literal, $chinese:literal, $($argument:tt)+) => {
        $crate::Bilingual::new(format!($english, $($argument)+), format!($chinese, $($argument)+))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_its_text_and_what_is_alike_has_one() {
        let n = 3;
        let ratio = bilingual!("{n} of {all}", "{all} 个中的 {n} 个", all = 4);
        assert_eq!((ratio.of(Language::English), ratio.of(Language::Chinese)), ("3 of 4", "4 个中的 3 个"));
        let text = bilingual!("{n} bases", "{n} 个基座");
        assert_eq!((text.of(Language::English), text.of(Language::Chinese)), ("3 bases", "3 个基座"));
        assert_eq!((text.english(), text.to_string().as_str()), ("3 bases", "3 bases"));
        let alike = Bilingual::from("gone");
        assert_eq!((alike.of(Language::English), alike.of(Language::Chinese)), ("gone", "gone"));
        assert_eq!(text.with(&alike).of(Language::English), "3 bases: gone");
        assert_eq!(text.with(&alike).of(Language::Chinese), "3 个基座：gone");
        let whole = Bilingual::each(|language| format!("{}!", text.of(language)));
        assert_eq!(whole.of(Language::Chinese), "3 个基座!");
        assert_eq!(whole.map(|text| text.chars().take(1).collect()).of(Language::Chinese), "3");
    }
}
