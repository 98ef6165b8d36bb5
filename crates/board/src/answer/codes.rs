//! Error codes, as the program explains them.

use model::{Language, error::StandardCode};
use serde::Serialize;
use utoipa::ToSchema;

/// All standard codes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Codes {
    items: Vec<CodeSummary>,
}

#[derive(Debug, Serialize, ToSchema)]
struct CodeSummary {
    code: String,
    /// The component, and the area of it.
    category: String,
    meaning: &'static str,
    suggestion: &'static str,
}

pub(crate) fn codes(language: Language) -> Codes {
    let item = |row: &StandardCode| CodeSummary {
        code: row.code.to_string(),
        category: format!("{} · {}", row.component, row.area(language)),
        meaning: row.meaning(language),
        suggestion: row.suggestion(language),
    };
    Codes { items: StandardCode::all().iter().map(item).collect() }
}
