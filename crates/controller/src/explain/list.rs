//! All codes in short, for whoever does not know which to ask for.

use std::fmt::Write as _;

use model::{ErrorCode, ErrorSource, Language, error::StandardCode};

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
    let _ = writeln!(text, "\n{}", word(language, "Sources", "来源"));
    for source in ErrorSource::ALL {
        let _ = writeln!(text, "    {:<width$}  {}", source.as_str(), source.meaning(language));
    }
    text
}

fn line(text: &mut String, code: ErrorCode, meaning: &str, width: usize) {
    let _ = writeln!(text, "    {:<width$}  {meaning}", code.to_string());
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
