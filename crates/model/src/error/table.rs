//! The manual's tables (5.6): the standard codes, one row for each component that has it, and what
//! the sources mean.

use std::sync::LazyLock;

use super::{ErrorCode, ErrorSource, ErrorType, Language};

/// `component area source type meaning_zh suggestion_zh meaning_en suggestion_en`.
const CODES: &str = include_str!("codes.tsv");

/// `source meaning_zh meaning_en`. The manual has a table of sources for each component, which say
/// the same from their sides.
const SOURCES: &str = include_str!("sources.tsv");

/// A text in both languages; the Chinese are the manual's own words.
type Both = (&'static str, &'static str);

/// One row of the manual's tables. A code that two components have, has two rows.
#[derive(Debug)]
pub struct StandardCode {
    /// The code.
    pub code: ErrorCode,
    /// Whose table it is in: `Arklet`, `ModuleController` or `KouplelessBoard`.
    pub component: &'static str,
    area: &'static str,
    meaning: Both,
    suggestion: Both,
}

static ROWS: LazyLock<Vec<StandardCode>> =
    LazyLock::new(|| CODES.lines().skip(1).filter_map(parse).collect());

impl StandardCode {
    /// Every row, in the manual's order.
    pub fn all() -> &'static [Self] {
        &ROWS
    }

    /// What it is about, as `install`.
    pub fn area(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.area,
            Language::Chinese => AREAS.iter().find(|(en, _)| *en == self.area).map_or("", |(_, zh)| zh),
        }
    }

    /// What it means, one sentence without full stop.
    pub fn meaning(&self, language: Language) -> &'static str {
        of(self.meaning, language)
    }

    /// What to do about it; empty where the manual knows nothing to do.
    pub fn suggestion(&self, language: Language) -> &'static str {
        of(self.suggestion, language).trim_matches('-')
    }
}

/// The manual's groups.
const AREAS: [(&str, &str); 10] = [
    ("general", "通用"),
    ("query", "查询相关"),
    ("install", "安装相关"),
    ("uninstall", "卸载相关"),
    ("base", "基座相关"),
    ("scale", "扩缩容"),
    ("plan", "工单"),
    ("internal", "内部错误"),
    ("operation", "运维"),
    ("external", "外部服务调用错误"),
];

impl ErrorCode {
    /// Its rows in the manual's tables; none for a composed code.
    pub fn rows(self) -> impl Iterator<Item = &'static StandardCode> {
        ROWS.iter().filter(move |row| row.code == self)
    }
}

impl ErrorSource {
    /// What it means, one sentence without full stop.
    pub fn meaning(self, language: Language) -> &'static str {
        let cells = |line: &'static str| {
            let mut cells = line.split('\t');
            (cells.next() == Some(self.as_str())).then(|| (cells.next(), cells.next()))
        };
        match (SOURCES.lines().skip(1).find_map(cells), language) {
            (Some((_, Some(english))), Language::English) => english,
            (Some((Some(chinese), _)), Language::Chinese) => chinese,
            _ => "",
        }
    }
}

fn of((chinese, english): Both, language: Language) -> &'static str {
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

/// The row of a code; for a composed code that is not in the tables, the first of its type.
pub(super) fn row(code: ErrorCode) -> Option<&'static StandardCode> {
    code.rows().next().or_else(|| ROWS.iter().find(|row| row.code.kind == code.kind))
}

fn parse(line: &'static str) -> Option<StandardCode> {
    let mut cells = line.split('\t');
    let (component, area) = (cells.next()?, cells.next()?);
    let source = ErrorSource::from_name(cells.next()?)?;
    let code = ErrorCode::new(source, ErrorType::from_name(cells.next()?)?);
    let (meaning_zh, suggestion_zh) = (cells.next()?, cells.next()?);
    let (meaning_en, suggestion_en) = (cells.next()?, cells.next()?);
    Some(StandardCode {
        code,
        component,
        area,
        meaning: (meaning_zh, meaning_en),
        suggestion: (suggestion_zh, suggestion_en),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_names_a_type() {
        assert_eq!((ROWS.len(), CODES.lines().count() - 1), (57, 57));
        for row in StandardCode::all() {
            for language in Language::ALL {
                assert!(!row.area(*language).is_empty() && !row.meaning(*language).is_empty(), "{row:?}");
            }
        }
    }

    #[test]
    fn every_type_has_a_row() {
        for kind in ErrorType::ALL {
            assert!(ROWS.iter().any(|row| row.code.kind == *kind), "{kind:?}");
        }
    }

    #[test]
    fn a_code_of_two_components_has_both_rows() {
        let components = |source, kind| -> Vec<&str> {
            ErrorCode::new(source, kind).rows().map(|row| row.component).collect()
        };
        let disk_full = components(ErrorSource::User, ErrorType::DiskFull);
        assert_eq!(disk_full, ["Arklet", "ModuleController"]);
        let parameter = components(ErrorSource::OtherUpstream, ErrorType::InvalidParameter);
        assert_eq!(parameter, ["ModuleController", "KouplelessBoard"]);
        assert!(components(ErrorSource::KubeAPIServer, ErrorType::DiskFull).is_empty());
    }

    #[test]
    fn every_source_has_a_meaning_in_both_languages() {
        for source in ErrorSource::ALL {
            for language in Language::ALL {
                assert!(source.meaning(*language).chars().count() > 10, "{source:?}");
            }
        }
        assert_eq!(SOURCES.lines().count() - 1, ErrorSource::ALL.len());
    }
}
