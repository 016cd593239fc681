//! What can still be read of a damaged database, from a copy of it. Texts of plans and names of sheets are checked against their
//! hashes; where a task stood is for showing only, unless everything that is decided by was found whole.

use super::error::Error;
use super::folder::DATABASE;
use super::plans::{PlanRow, all_plans, all_texts};
use super::recovery::Recovery;
use super::sheets::{SheetRow, all_sheets};
use super::tasks::{TaskRow, all_tasks};
use super::{schema, soundness, wal};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use std::collections::HashMap;
use tempfile::TempDir;

/// What was read.
#[derive(Debug)]
pub struct Salvage {
    copy: TempDir,
    /// Whether the tables that anything is decided by were found whole, with nothing missing: then they may be believed.
    pub is_sound: bool,
    /// The plans.
    pub plans: Vec<PlanRow>,
    /// The texts of their files, by plan.
    pub texts: HashMap<i64, String>,
    /// The sheets.
    pub sheets: Vec<SheetRow>,
    /// The tasks.
    pub tasks: Vec<TaskRow>,
}

/// Reads what can be read.
///
/// # Errors
/// Where the damaged files cannot be copied. That they cannot be read is none.
pub fn salvage(recovery: &Recovery<'_>) -> Result<Salvage, Error> {
    let copy = recovery.copy()?;
    let file = copy.path().join(DATABASE);
    // Judged before the file is opened, which would make the log's index anew.
    let log_is_whole = wal::fault(&file, recovery.index_is_of_now()).is_ok_and(|fault| fault.is_none());
    let mut all = Salvage {
        copy,
        is_sound: false,
        plans: Vec::new(),
        texts: HashMap::new(),
        sheets: Vec::new(),
        tasks: Vec::new(),
    };
    let Ok(mut connection) = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE) else {
        return Ok(all);
    };
    // An older layout becomes this one, in the copy. What that cannot do shows below.
    let is_upgraded = schema::prepare(&mut connection).is_ok();
    let is_sound = log_is_whole && is_upgraded && matches!(soundness::check_deciding(&connection), Ok(None));
    let mut is_readable = true;
    all.plans = all_plans(&connection, &mut is_readable);
    all.texts = all_texts(&connection, &mut is_readable);
    all.sheets = all_sheets(&connection, &mut is_readable);
    all.tasks = all_tasks(&connection, &mut is_readable);
    // A file that is new, or was emptied, is whole, and knows nothing.
    all.is_sound = is_sound && is_readable && !all.plans.is_empty();
    Ok(all)
}

impl Salvage {
    /// Fills the new database with everything that is decided by, and with as much of the rest as can be read. Every plan that has
    /// not ended is held.
    ///
    /// # Errors
    /// Where the new database cannot be written.
    pub fn carry_over(&self, recovery: &Recovery<'_>) -> Result<(), Error> {
        assert!(self.is_sound, "only what is whole is believed");
        let mut new = Connection::open(recovery.rebuilt_file())?;
        schema::prepare(&mut new)?;
        let copy = self.copy.path().join(DATABASE);
        new.execute("ATTACH ?1 AS old", [copy.to_string_lossy()])?;
        let transaction = new.transaction()?;
        for table in soundness::DECIDING {
            transaction.execute(&format!("INSERT INTO main.{table} SELECT * FROM old.{table}"), [])?;
        }
        // What ran when the state was damaged is run anew: its intents say what is to be asked first.
        transaction.execute(
            "UPDATE main.runs SET status = 'CANCELED', end_time = start_time, detail = 'The state was damaged while it ran, and was rebuilt.'
             WHERE status = 'RUNNING'",
            [],
        )?;
        transaction.execute(
            "UPDATE main.tasks SET status = 'NOT_STARTED' WHERE status IN ('RUNNING', 'PENDING')",
            [],
        )?;
        transaction.execute("UPDATE main.plans SET held = 1 WHERE end_time IS NULL", [])?;
        transaction.commit()?;
        new.execute("DETACH old", [])?;
        // Through a connection of its own: what is malformed there must not spoil what is written here.
        let old = Connection::open_with_flags(&copy, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let transaction = new.transaction()?;
        for &(table, columns) in READ_ONLY {
            copy_readable(&old, &transaction, table, columns)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

/// The tables that nothing is decided by, and how many columns they have.
const READ_ONLY: &[(&str, usize)] = &[("log", 4), ("audit", 7)];

/// Copies the rows of a table up to the first that cannot be read: they are many, and one after the other.
fn copy_readable(old: &Connection, new: &Connection, table: &str, columns: usize) -> Result<(), Error> {
    let places = vec!["?"; columns].join(", ");
    let mut insert = new.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
    let Ok(mut select) = old.prepare(&format!("SELECT * FROM {table} ORDER BY 1")) else {
        return Ok(());
    };
    let mut rows = select.query([])?;
    while let Ok(Some(row)) = rows.next() {
        let values = (0..columns).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>();
        // A row that cannot be, of a run that there never was, is left out.
        let _ = values.and_then(|values| insert.execute(rusqlite::params_from_iter(values)));
    }
    Ok(())
}

/// The rows of a query as far as they can be read; `whole` becomes false where some cannot.
pub(super) fn readable<T>(
    connection: &Connection,
    query: &str,
    whole: &mut bool,
    row: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    let mut read = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(next) = rows.next()? {
            match row(next) {
                Ok(value) => found.push(value),
                Err(_) => *whole = false,
            }
        }
        Ok(())
    };
    *whole &= read().is_ok();
    found
}
