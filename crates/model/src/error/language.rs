//! The languages that texts for people come in.

/// In which language a text is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Chinese, the manual's own language.
    Chinese,
}

impl Language {
    /// Both.
    pub const ALL: &[Self] = &[Self::English, Self::Chinese];

    /// That of a POSIX locale, as `zh_CN.UTF-8`; English for every one that is not Chinese.
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Self::Chinese } else { Self::English }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_names_its_language_first() {
        for chinese in ["zh_CN.UTF-8", "zh", "zh-Hans", "ZH_TW", "zh.utf8"] {
            assert_eq!(Language::of_locale(chinese), Language::Chinese, "{chinese}");
        }
        for other in ["", "C", "POSIX", "en_US.UTF-8", "de_DE@euro", "zha_CN"] {
            assert_eq!(Language::of_locale(other), Language::English, "{other}");
        }
    }
}
