//! `module-controller explain`: what an error code means. It needs no settings and no cluster.

mod list;
mod near;
mod reasons;

use std::{env, process::ExitCode};

use ask::print;
use clap::ValueEnum;
use model::{ErrorCode, ErrorType, Language};

use self::reasons::Reason;

/// Explains an error code or a reason, as a Pod, a Node, an Event or the log shows it, or a finding of `check`; finds them by
/// words too; lists all where none is given.
///
/// Needs no settings and no cluster. Ends with code 2 where there is no such code, and says which
/// come close.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The code, as `Arklet.PullBizError`, or the reason, as `HeldByPlan`, in upper or lower case. A type alone, as
    /// `DiskFull`, stands for every code that ends so. Anything else is looked for in names and meanings.
    code: Option<String>,
    /// The language. [default: Chinese where LC_ALL, LC_MESSAGES or LANG begins with zh, else English]
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

/// The languages as the command line names them.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Lang {
    /// English
    En,
    /// Chinese
    Zh,
}

impl Explain {
    /// Prints the answer.
    pub(crate) fn run(&self) -> ExitCode {
        let language = match self.lang {
            Some(Lang::En) => Language::English,
            Some(Lang::Zh) => Language::Chinese,
            None => language(),
        };
        match self.answer(language) {
            Ok(text) => print(&text),
            Err(text) => {
                eprint!("{text}");
                ExitCode::from(2)
            }
        }
    }

    fn answer(&self, language: Language) -> Result<String, String> {
        let Some(given) = &self.code else { return Ok(list::all(language)) };
        let words = given.trim();
        // Copied from a text, quotes and colons come along.
        let given = given.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if let Some(kind) = ErrorType::from_name(given) {
            let codes = ErrorCode::with_page().iter().filter(|code| code.kind == kind);
            return Ok(codes.map(|code| code.page(language).to_string()).collect::<Vec<_>>().join("\n"));
        }
        if let Some(page) = ask::page(given, language) {
            return Ok(page);
        }
        if let Some(reason) = Reason::of_name(given) {
            return Ok(reason.page(language));
        }
        match given.parse::<ErrorCode>() {
            Ok(code) => Ok(code.page(language).to_string()),
            Err(why) => {
                let asked = if given.is_empty() { words } else { given };
                // What has a dot was meant as a code.
                let found = (!asked.contains('.')).then(|| list::with_words(asked, language)).flatten();
                found.ok_or_else(|| near::refusal(asked, &why, language))
            }
        }
    }
}

/// The language of whoever asks.
pub(crate) fn language() -> Language {
    of_locale(|variable| env::var(variable).ok())
}

/// The language of messages, by POSIX's order of the variables that say it.
fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Language {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
    Language::of_locale(&locale.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: &str, language: Language) -> Result<String, String> {
        Explain { code: Some(code.to_owned()), lang: None }.answer(language)
    }

    #[test]
    fn the_first_variable_that_says_something_decides() {
        let language = |set: &[(&str, &str)]| {
            of_locale(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(language(&[]), Language::English);
        assert_eq!(language(&[("LANG", "zh_CN.UTF-8")]), Language::Chinese);
        assert_eq!(language(&[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")]), Language::English);
        assert_eq!(language(&[("LC_ALL", ""), ("LC_MESSAGES", "zh_TW"), ("LANG", "C")]), Language::Chinese);
    }

    #[test]
    fn a_type_alone_stands_for_all_its_codes() {
        let text = answer("unknownerror", Language::English).unwrap();
        let titles: Vec<&str> = text.lines().filter(|line| line.starts_with("# ")).collect();
        assert_eq!(
            titles,
            ["# Arklet.UnknownError", "# ModuleController.UnknownError", "# KouplelessBoard.UnknownError"]
        );
    }

    #[test]
    fn case_and_what_comes_along_with_a_copy_do_not_matter() {
        let page = answer("User.DiskFull", Language::English).unwrap();
        for given in ["user.diskfull", "USER.DISKFULL", "`User.DiskFull`", " User.DiskFull: "] {
            assert_eq!(answer(given, Language::English).as_ref(), Ok(&page), "{given}");
        }
        assert!(answer("", Language::English).is_err());
    }

    #[test]
    fn reasons_are_explained_and_words_are_looked_for_in_both_languages() {
        let page = answer("HeldByPlan", Language::Chinese).unwrap();
        assert!(page.starts_with("# HeldByPlan\n") && page.contains("工单"), "{page}");
        for (words, language, found) in [
            ("拉包", Language::Chinese, "Arklet.PullBizError"),
            ("拉包", Language::English, "Arklet.PullBizError"),
            ("Pulling the package", Language::Chinese, "Arklet.PullBizError"),
            ("失联", Language::Chinese, "BlastRadius"),
        ] {
            let said = answer(words, language).unwrap();
            assert!(said.lines().any(|line| line.starts_with(found)), "{words}: {said}");
        }
        for nothing in ["x", "no such words", "Arklet.PullBizErrr"] {
            assert!(answer(nothing, Language::English).is_err(), "{nothing}");
        }
    }

    #[test]
    fn every_code_and_every_type_is_explained() {
        for code in ErrorCode::with_page() {
            for language in Language::ALL {
                let text = answer(&code.to_string(), *language).unwrap();
                assert!(text.starts_with(&format!("# {code}\n")), "{text}");
                assert!(answer(code.kind.as_str(), *language).unwrap().contains(&text));
            }
        }
    }
}
