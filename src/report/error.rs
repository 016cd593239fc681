//! What failed, with its place in the sheet.

use serde::{Deserialize, Serialize};

/// An error of a statement, or of a run outside any statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    /// SQLSTATE, or the engine's number, or empty.
    pub code: String,
    /// `syntax`, `constraint`, `permission`, `lock timeout`, `connection lost`, …
    pub class: String,
    /// The engine's message, with what it means for the data and what to do.
    pub message: String,
    /// The statement, from 1; absent where it was none's.
    pub statement: Option<u64>,
    /// The line in the sheet, from 1.
    pub line: Option<u64>,
    /// The column in that line, from 1, in characters.
    pub column: Option<u64>,
    /// The line's text, cut where it is long.
    pub excerpt: Option<String>,
}
