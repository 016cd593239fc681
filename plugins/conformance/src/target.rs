//! What a driver is tried on: where it connects to, the words of its engine, and a way to look and to reach in without the driver.

use anyhow::Result;
use runsheet_sdk::{Class, Identity, Settings};
use std::any::Any;
use std::path::PathBuf;
use std::time::Duration;

/// A driver, and what it is tried on.
pub struct Target {
    /// The driver's library.
    pub library: PathBuf,
    /// Settings of an instance under which `database` can be opened and changed.
    pub settings: Settings,
    /// Settings that must be set: without one of them, `check` names it.
    pub required: Vec<&'static str>,
    /// Settings under which the account's `password` is refused. Nothing where there are no accounts.
    pub refused: Option<Settings>,
    /// An empty database.
    pub database: String,
    /// Another one.
    pub second_database: String,
    /// The words of the engine.
    pub statements: Statements,
    /// Sheets, and the pieces that they are.
    pub sheets: Vec<Sheet>,
    /// The time after which nothing that counts seconds can take two sessions for one.
    pub apart: Duration,
    /// How long something is waited for that must come.
    pub patience: Duration,
    /// The look from outside.
    pub outside: Box<dyn Outside>,
}

/// What is seen and done without the driver: by the engine's own client, say.
pub trait Outside: Send + Sync {
    /// How many rows of a table everybody sees; nothing where there is no such table.
    fn rows(&self, database: &str, table: &str) -> Result<Option<u64>>;

    /// Whether sessions can be ended from outside.
    fn can_kill(&self) -> bool {
        true
    }

    /// Ends a session; comes back when it is gone.
    fn kill(&self, session: &Identity) -> Result<()>;

    /// Whether a session runs something now. Only asked where there is a server.
    fn is_running(&self, session: &Identity) -> Result<bool>;

    /// From now on commits that change this table wait, until what is given is dropped. Only asked where there is a server.
    fn hold_commits(&self, database: &str, table: &str) -> Result<Box<dyn Any>>;

    /// Whether the server shows what a session calls itself.
    fn shows_labels(&self) -> bool;

    /// What a session calls itself.
    fn label(&self, session: &Identity, expected: &str) -> Result<bool>;
}

/// The words of an engine. `{table}` stands for a table's name, `{id}` for a number.
#[derive(Clone, Debug)]
pub struct Statements {
    /// Makes a table whose first column is a key of whole numbers.
    pub create: &'static str,
    /// Puts one row in.
    pub insert: &'static str,
    /// What is counted and how it is called, one after the other on one table.
    pub counted: Vec<Counted>,
    /// Statements that fail where the table has a row 1.
    pub failing: Vec<Failing>,
    /// Opens a transaction.
    pub begin: &'static str,
    /// Two statements in one text, each of which puts a row in.
    pub two: Vec<&'static str>,
    /// The same as `insert`, with delimiters, blanks and comments around it.
    pub decorated: Vec<&'static str>,
    /// Statements whose fault has a place, behind text of more than one byte a character.
    pub misplaced: Vec<Misplaced>,
    /// More than a thousand notices.
    pub notices: Option<Notices>,
    /// Runs for a long time, and does nothing.
    pub slow: &'static str,
    /// Lets the session write nothing from now on, where sessions have settings.
    pub read_only: Option<&'static str>,
    /// Makes a table that only this session sees, into which `insert` puts rows, where the engine has such tables.
    pub temporary: Option<&'static str>,
    /// Commit by themselves, and can be judged: each on a table of its own.
    pub judged: Vec<&'static str>,
    /// A load of rows, where the driver has it.
    pub load: Option<Load>,
    /// Make a table where the ledger would be, with one row in it.
    pub foreign_ledger: Vec<&'static str>,
    /// That table.
    pub ledger_table: &'static str,
}

/// A statement, how many rows it says to have changed, and what the server calls it.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The statement.
    pub text: &'static str,
    /// Rows changed.
    pub rows: Option<u64>,
    /// The tag, where it is always the same.
    pub tag: Option<&'static str>,
}

/// A statement that fails, and the class of its failure.
#[derive(Clone, Debug)]
pub struct Failing {
    /// The statement.
    pub text: &'static str,
    /// The class.
    pub class: Class,
}

/// A statement with a fault, and the text that begins where the engine sees it.
#[derive(Clone, Debug)]
pub struct Misplaced {
    /// The statement.
    pub text: &'static str,
    /// The text at the fault.
    pub at: &'static str,
}

/// How notices are made. Each ends with its number, from 1.
#[derive(Clone, Debug)]
pub struct Notices {
    /// Statements before it.
    pub before: Vec<&'static str>,
    /// The statement.
    pub statement: String,
    /// How many come.
    pub count: usize,
}

/// A load into a table as `create` makes it.
#[derive(Clone, Debug)]
pub struct Load {
    /// The statement.
    pub statement: &'static str,
    /// Rows, as they stand in a sheet.
    pub rows: &'static str,
    /// How many they are.
    pub count: u64,
    /// Rows of which one is refused.
    pub wrong_rows: &'static str,
}

/// A sheet, and the pieces that a splitter must find in it.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// The text.
    pub text: String,
    /// The pieces, in order. Rows of a load are one piece.
    pub pieces: Vec<String>,
    /// Whether a piece of it, taken for a sheet, is that one piece again; not so where a piece has a delimiter in it.
    pub pieces_are_sheets: bool,
}

impl Sheet {
    /// A sheet of text that is a piece and text that is none, in turns; it begins with text that is none.
    pub fn of(turns: &[&str]) -> Self {
        let pieces = turns.iter().skip(1).step_by(2).map(|piece| (*piece).to_owned()).collect();
        Self { text: turns.concat(), pieces, pieces_are_sheets: true }
    }

    /// The same, where a piece may have a delimiter in it.
    pub fn with_bodies(turns: &[&str]) -> Self {
        Self { pieces_are_sheets: false, ..Self::of(turns) }
    }
}
