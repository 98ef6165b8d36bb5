//! Every code of the manual that is not the board's arises in a test, or its page says why it never does.

use std::{collections::BTreeMap, fs};

use anyhow::Result;
use model::{ErrorCode, Language, error::StandardCode};
use testkit::artifacts;

use super::named_tests;

/// `code test`: one test, as `path/to/file.rs::name`, in which the code arises.
const ARISING: &str = include_str!("arising_codes.tsv");

/// How the last section of a page begins where the code does not arise; the reason follows.
const NEVER: [(Language, &str); 2] =
    [(Language::English, "Never this controller: "), (Language::Chinese, "本控制器从不报出：")];

/// The codes of which neither is so, or both.
pub(super) fn untold() -> Result<Vec<String>> {
    let table: BTreeMap<&str, &str> =
        ARISING.lines().skip(1).filter_map(|line| line.split_once('\t')).collect();
    let mut wrong = Vec::new();
    for (code, place) in &table {
        let (file, test) = place.split_once("::").unwrap_or((place, ""));
        let source = fs::read_to_string(artifacts::repository().join(file)).unwrap_or_default();
        if !named_tests::has(&source, test) || !source.contains(code) {
            wrong.push(format!("{code} does not arise in {place}"));
        }
    }
    for row in StandardCode::all().iter().filter(|row| row.component != "KouplelessBoard") {
        let code = row.code.to_string();
        let never = NEVER.map(|(language, words)| last_section(row.code, language).starts_with(words));
        match (table.contains_key(code.as_str()), never) {
            (true, [false, false]) | (false, [true, true]) => {}
            (true, _) => wrong.push(format!("{code} arises, and a page says that it never does")),
            (false, _) => {
                wrong.push(format!("{code} arises in no test, and its pages do not say why it cannot"))
            }
        }
    }
    Ok(wrong)
}

/// Who raises it.
fn last_section(code: ErrorCode, language: Language) -> &'static str {
    let body = code.page(language).body().unwrap_or_default();
    let last = body.rsplit("\n## ").next().unwrap_or_default();
    last.split_once('\n').map_or("", |(_, text)| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_arises_or_its_page_says_why_not() {
        assert_eq!(untold().unwrap(), [] as [String; 0]);
    }
}
