//! How a run fails, as the report shows it: the engine's error with its place in the sheet.

use crate::report::ErrorReport;
use crate::sheet::{Fault, PiecesError, Statement, row_text};
use runsheet_sdk::{Class, Error};
use std::path::Path;

/// Where the rows of a load begin in the sheet.
#[derive(Clone, Copy)]
pub(super) struct RowsBegin {
    pub line: u64,
    pub offset: u64,
}

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

/// An error of a load whose rows begin at `begin`: of the row that the engine names, if it names one.
pub(super) fn of_row(error: &Error, number: u64, begin: RowsBegin, sheet: &Path) -> Box<ErrorReport> {
    let row = error.position.map(|row| row as u64);
    Box::new(ErrorReport {
        code: code(error),
        class: error.class.word().to_owned(),
        message: message(error),
        statement: Some(number),
        line: Some(begin.line + row.unwrap_or(0)),
        column: row.map(|_| 1),
        // Where the sheet cannot be read again, the place is told all the same.
        excerpt: row.and_then(|row| row_text(sheet, begin.offset, row).ok()),
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

/// What to do now, behind a sentence on what is in.
pub(super) fn advice(class: Class, anything_in: bool) -> String {
    let retry = if anything_in {
        "Put right what stopped it, and retry: the task goes on after what is in."
    } else {
        "Put right what stopped it, and retry: the sheet is run from its beginning."
    };
    match class {
        Class::Syntax | Class::Unsupported => CORRECT_THE_SHEET.to_owned(),
        Class::Constraint | Class::MissingObject | Class::AlreadyExists | Class::Other => {
            format!("{retry} Where the sheet itself is wrong: {CORRECT_THE_SHEET}")
        }
        _ => retry.to_owned(),
    }
}

/// What to do about a sheet of which nothing can be run.
pub(super) const CORRECT_THE_SHEET: &str = "A sheet never changes, so put a corrected one, or the rest of it, into a plan of its own, and skip this task.";

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
