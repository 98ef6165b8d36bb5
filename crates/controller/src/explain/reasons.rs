//! The reasons of states, conditions and Events that are no error codes.

use model::Language;

/// One a line: its name, where it stands and what it means, each of these in English and in Chinese.
const TEXTS: &str = include_str!("reasons.tsv");

/// A reason.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reason {
    pub(super) name: &'static str,
    place: [&'static str; 2],
    meaning: [&'static str; 2],
}

impl Reason {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        TEXTS.lines().filter_map(|line| {
            let mut cells = line.split('\t');
            let mut next = || cells.next();
            Some(Self { name: next()?, place: [next()?, next()?], meaning: [next()?, next()?] })
        })
    }

    /// The one of this name, in upper or lower case.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::all().find(|reason| reason.name.eq_ignore_ascii_case(name))
    }

    /// What is told of it.
    pub(super) fn page(self, language: Language) -> String {
        format!("# {}\n\n{}\n\n{}\n", self.name, pick(self.place, language), self.meaning(language))
    }

    pub(super) fn meaning(self, language: Language) -> &'static str {
        pick(self.meaning, language)
    }
}

fn pick([english, chinese]: [&'static str; 2], language: Language) -> &'static str {
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_is_there_once_and_is_told_in_both_languages() {
        let names: Vec<&str> = Reason::all().map(|reason| reason.name).collect();
        assert_eq!(names.len(), TEXTS.lines().count(), "a line lacks a cell");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for reason in Reason::all() {
            let has_chinese = |text: &str| text.chars().any(|c| ('\u{3400}'..='\u{9fff}').contains(&c));
            assert!(has_chinese(reason.meaning(Language::Chinese)), "{reason:?}");
            assert!(!has_chinese(&reason.page(Language::English)), "{reason:?}");
        }
        assert!(Reason::of_name("heldbyplan").unwrap().page(Language::English).starts_with("# HeldByPlan\n"));
    }
}
