//! All codes in short, for whoever does not know which to ask for.

use std::fmt::Write as _;

use model::{ErrorCode, ErrorSource, Language, error::StandardCode};

use super::reasons::Reason;

/// Fewer characters than that are in nearly everything.
const LEAST: usize = 2;

/// Every standard code with its meaning, by component and area; then the composed codes that have
/// a page, and what the sources mean.
pub(super) fn all(language: Language) -> String {
    let width = ErrorCode::with_page().iter().map(|code| code.to_string().len()).max().unwrap_or(0);
    let mut text = match language {
        Language::English => {
            "Error codes are written Source.Type, and any source may stand with any type.\n\
             `module-controller explain <CODE>` says more of one.\n"
        }
        Language::Chinese => {
            "错误码的形式是“来源.类型”，来源和类型可以任意组合。\n用 `module-controller explain <CODE>` 查看某个错误码的详细说明。\n"
        }
    }
    .to_owned();
    let (mut component, mut area) = ("", "");
    for row in StandardCode::all() {
        if row.component != component {
            (component, area) = (row.component, "");
            let _ = writeln!(text, "\n{component}");
        }
        if row.area(language) != area {
            area = row.area(language);
            let _ = writeln!(text, "  {area}");
        }
        line(&mut text, row.code, row.meaning(language), width);
    }
    let _ = writeln!(text, "\n{}", word(language, "Composed", "组合而成"));
    for code in ErrorCode::with_page().iter().filter(|code| code.rows().next().is_none()) {
        let of_type = StandardCode::all().iter().find(|row| row.code.kind == code.kind);
        line(&mut text, *code, of_type.map_or("", |row| row.meaning(language)), width);
    }
    let _ = writeln!(
        text,
        "\n{}",
        word(language, "Reasons of states, conditions and Events", "状态、condition 和 Event 的 reason")
    );
    for reason in Reason::all() {
        let _ = writeln!(text, "    {:<width$}  {}", reason.name, first_sentence(reason.meaning(language)));
    }
    let _ = writeln!(text, "\n{}", word(language, "Sources", "来源"));
    for source in ErrorSource::ALL {
        let _ = writeln!(text, "    {:<width$}  {}", source.as_str(), source.meaning(language));
    }
    text
}

/// The codes and reasons whose names or meanings, in whichever language, have these words in them; none where none has.
pub(super) fn with_words(words: &str, language: Language) -> Option<String> {
    let words = words.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&words);
    let of_code = |row: &&StandardCode| {
        has(&row.code.to_string())
            || Language::ALL
                .iter()
                .any(|language| has(row.meaning(*language)) || has(row.suggestion(*language)))
    };
    let of_reason = |reason: &Reason| {
        has(reason.name) || Language::ALL.iter().any(|language| has(reason.meaning(*language)))
    };
    let codes = StandardCode::all().iter().filter(of_code);
    let mut found: Vec<(String, &str)> =
        codes.map(|row| (row.code.to_string(), row.meaning(language))).collect();
    found.extend(
        Reason::all()
            .filter(of_reason)
            .map(|reason| (reason.name.to_owned(), first_sentence(reason.meaning(language)))),
    );
    if words.chars().count() < LEAST || found.is_empty() {
        return None;
    }
    let width = found.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    Some(found.iter().map(|(name, meaning)| format!("{name:<width$}  {meaning}\n")).collect())
}

fn line(text: &mut String, code: ErrorCode, meaning: &str, width: usize) {
    let _ = writeln!(text, "    {:<width$}  {meaning}", code.to_string());
}

fn first_sentence(text: &str) -> &str {
    let end = text.find('。').or_else(|| text.find(". ")).unwrap_or(text.len());
    text.get(..end).unwrap_or(text).trim_end_matches('.')
}

fn word(language: Language, english: &'static str, chinese: &'static str) -> &'static str {
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_listed_under_its_component_and_area() {
        for language in Language::ALL {
            let text = all(*language);
            for row in StandardCode::all() {
                let under = text.split(&format!("\n{}\n", row.component)).nth(1).unwrap();
                let under = under.split("\n\n").next().unwrap();
                let (code, meaning) = (row.code.to_string(), row.meaning(*language));
                assert!(under.contains(&format!("  {}\n", row.area(*language))), "{}", row.area(*language));
                assert!(
                    under.lines().any(|line| {
                        let mut words = line.trim().splitn(2, ' ');
                        words.next() == Some(code.as_str())
                            && words.next().is_some_and(|said| said.trim() == meaning)
                    }),
                    "{code}: {meaning} is not in\n{under}"
                );
            }
        }
    }
}
