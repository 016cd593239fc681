//! Sheets of a real job: a film rental's database for each engine, some thousand rows in each, and the frame that lets a server's own
//! tables tell when a task began and ended.

pub mod client;
mod frame;
mod rows;

pub use frame::{Entry, Frame};

use rows::Form;

/// The dialects that the sheets are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    MySql,
    Sqlite,
}

/// The whole rental sheet of a dialect, rows and all.
pub fn rental(dialect: Dialect) -> String {
    let (mut sheet, form) = match dialect {
        Dialect::Postgres => (include_str!("rental.postgres.sql").to_owned(), Form::Copy),
        Dialect::MySql => (include_str!("rental.mysql.sql").to_owned(), Form::Backslashed),
        Dialect::Sqlite => (include_str!("rental.sqlite.sql").to_owned(), Form::Doubled),
    };
    for (mark, make) in rows::TABLES {
        if sheet.contains(mark) {
            sheet = sheet.replace(mark, &rows::written(&make(dialect), form));
        }
    }
    sheet
}
