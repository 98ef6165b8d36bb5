//! The standard codes with their meanings and suggestions, one row each.

use std::sync::LazyLock;

use super::ErrorCode;

/// The rows of the manual's three tables, as [`Row`]; source: 5.6.
const TSV: &str = include_str!("codes.tsv");

/// One standard code. The Chinese columns are the manual's own words.
pub(super) struct Row {
    source: &'static str,
    kind: &'static str,
    pub(super) meaning_en: &'static str,
    pub(super) suggestion_en: &'static str,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| TSV.lines().skip(1).filter_map(parse).collect());

/// The row of a code; for a composed code that is not in the tables, the first of its type.
pub(super) fn row(code: ErrorCode) -> Option<&'static Row> {
    let of_type = || ROWS.iter().filter(|row| row.kind == code.kind.as_str());
    of_type().find(|row| row.source == code.source.as_str()).or_else(|| of_type().next())
}

/// `component area source type meaning_zh suggestion_zh meaning_en suggestion_en`, tab separated.
fn parse(line: &'static str) -> Option<Row> {
    let mut cells = line.split('\t').skip(2);
    let (source, kind) = (cells.next()?, cells.next()?);
    let mut cells = cells.skip(2);
    Some(Row { source, kind, meaning_en: cells.next()?, suggestion_en: cells.next().unwrap_or("") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorType;

    #[test]
    fn every_row_is_read_and_names_a_type() {
        assert_eq!(ROWS.len(), TSV.lines().count() - 1);
        for row in ROWS.iter() {
            assert!(ErrorType::ALL.iter().any(|kind| kind.as_str() == row.kind), "{}", row.kind);
        }
    }

    #[test]
    fn every_type_has_a_row() {
        for kind in ErrorType::ALL {
            assert!(ROWS.iter().any(|row| row.kind == kind.as_str()), "{kind:?}");
        }
    }
}
