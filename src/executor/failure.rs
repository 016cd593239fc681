//! How a run fails, as the report shows it: the engine's error with its place in the sheet.

use crate::report::ErrorReport;
use crate::sheet::{Fault, PiecesError, Statement};
use runsheet_sdk::Error;

/// SQLSTATE and the engine's number, as far as there are any.
fn code(error: &Error) -> String {
    match (error.sqlstate.is_empty(), error.code) {
        (true, 0) => String::new(),
        (true, code) => code.to_string(),
        (false, 0) => error.sqlstate.clone(),
        (false, code) => format!("{code} ({})", error.sqlstate),
    }
}

fn message(error: &Error) -> String {
    let mut text = error.message.clone();
    if !error.detail.is_empty() {
        text = format!("{text} ({})", error.detail);
    }
    if !error.hint.is_empty() {
        text = format!("{text}. {}", error.hint);
    }
    text
}

/// An error in one line of the log, with its place.
pub(super) fn sentence(error: &ErrorReport) -> String {
    let place = match (error.statement, error.line) {
        (Some(statement), Some(line)) => format!("statement {statement}, line {line}: "),
        (Some(statement), None) => format!("statement {statement}: "),
        (None, _) => String::new(),
    };
    let code = if error.code.is_empty() { String::new() } else { format!("[{}] ", error.code) };
    format!("{place}{code}{}", error.message)
}

/// An error of a statement.
pub(super) fn of_statement(error: &Error, statement: &Statement<'_>) -> Box<ErrorReport> {
    let (line, column, excerpt) = statement.place(error.position.unwrap_or(0));
    Box::new(ErrorReport {
        code: code(error),
        class: error.class.word().to_owned(),
        message: message(error),
        statement: Some(statement.number),
        line: Some(line),
        column: Some(column),
        excerpt: Some(excerpt),
    })
}

/// An error of no statement of the sheet: connecting, the ledger, a commit.
pub(super) fn of_session(what: &str, error: &Error) -> Box<ErrorReport> {
    Box::new(ErrorReport {
        code: code(error),
        class: error.class.word().to_owned(),
        message: format!("{what}: {}", message(error)),
        ..ErrorReport::default()
    })
}

/// A fault of the sheet itself.
pub(super) fn of_sheet(error: &PiecesError) -> Box<ErrorReport> {
    match error {
        PiecesError::Sheet(Fault { line, column, statement, excerpt, message, .. }) => {
            Box::new(ErrorReport {
                class: "syntax".to_owned(),
                message: message.clone(),
                statement: (*statement > 0).then_some(*statement),
                line: Some(*line),
                column: Some(*column),
                excerpt: Some(excerpt.clone()),
                ..ErrorReport::default()
            })
        }
        PiecesError::Driver(error) => of_session("the driver could not split the sheet", error),
        PiecesError::Read(error) => Box::new(ErrorReport {
            class: "other".to_owned(),
            message: format!("the sheet could not be read from the state folder: {error}"),
            ..ErrorReport::default()
        }),
    }
}
