//! The ledger: a table in the file itself, so that a mark is committed with what it marks.

use crate::connection::Session;
use crate::error;
use runsheet_sdk::{Class, Error, Mark};
use rusqlite::{OptionalExtension, Row, params};

/// In the table's text, where `.schema` shows it.
const STAMP: &str = "/* runsheet ledger 1 */";
/// What every version's stamp begins with.
const STAMP_BEGIN: &str = "/* runsheet ledger ";

const COLUMNS: &[&str] = &[
    "task",
    "segment",
    "first_statement",
    "last_statement",
    "complete",
    "plan",
    "spec",
    "sheet",
    "sheet_sha256",
    "schema_version",
    "host",
    "applied_time",
];

const CREATE: &str = "CREATE TABLE main.runsheet_ledger /* runsheet ledger 1 */ (
    task TEXT NOT NULL,
    segment INTEGER NOT NULL,
    first_statement INTEGER NOT NULL,
    last_statement INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    plan TEXT NOT NULL,
    spec TEXT NOT NULL,
    sheet TEXT NOT NULL,
    sheet_sha256 TEXT NOT NULL,
    schema_version TEXT,
    host TEXT NOT NULL,
    applied_time TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (task, segment)
) STRICT, WITHOUT ROWID;
CREATE INDEX main.runsheet_ledger_version ON runsheet_ledger (schema_version) WHERE complete = 1;";

const INSERT: &str = "INSERT INTO main.runsheet_ledger (task, segment, first_statement, last_statement, complete, plan, spec, sheet, sheet_sha256, schema_version, host)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, nullif(?10, ''), ?11)";

/// What the file has under the table's name.
enum Found {
    Nothing,
    Ours,
}

/// Looks at the table, and refuses one that is not ours.
fn look(session: &Session) -> Result<Found, Error> {
    let text: Option<Option<String>> = session
        .sqlite()?
        .prepare_cached("SELECT sql FROM main.sqlite_schema WHERE name = 'runsheet_ledger' COLLATE NOCASE")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)).optional())
        .map_err(error::from)?;
    let Some(text) = text else { return Ok(Found::Nothing) };
    let text = text.unwrap_or_default();
    let refuse = |message: &str| {
        let error = Error::new(Class::AlreadyExists, message);
        Err(Error { object: "runsheet_ledger".to_owned(), ..error })
    };
    if !text.contains(STAMP) {
        return refuse(if text.contains(STAMP_BEGIN) {
            "the table runsheet_ledger was made by a newer Runsheet, and was not touched; install that version here too"
        } else {
            "there is a table runsheet_ledger that is not Runsheet's, and it was not touched; rename it, or set `ledger = \"none\"` on the instance"
        });
    }
    let columns: Vec<String> = session
        .sqlite()?
        .prepare_cached("SELECT name FROM pragma_table_info('runsheet_ledger', 'main')")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(error::from)?;
    match COLUMNS.iter().find(|name| !columns.iter().any(|column| column == *name)) {
        None => Ok(Found::Ours),
        Some(missing) => refuse(&format!(
            "the table runsheet_ledger has lost its column {missing}, so what has run here cannot be told; put it back as `.schema` of another database shows it"
        )),
    }
}

pub(crate) fn prepare(session: &mut Session) -> Result<(), Error> {
    if session.ledger_is_known {
        return Ok(());
    }
    let outside = session.is_autocommit();
    if let Found::Nothing = look(session)? {
        if outside {
            make(session)?;
        } else {
            session.sqlite()?.execute_batch(CREATE).map_err(|error| refused(session, error))?;
        }
    }
    // Made in a transaction, it is gone again where that is rolled back.
    session.ledger_is_known = outside;
    Ok(())
}

/// Makes the table in a transaction of its own, unless another session was quicker.
fn make(session: &Session) -> Result<(), Error> {
    let sqlite = session.sqlite()?;
    sqlite.execute_batch("BEGIN IMMEDIATE").map_err(|error| refused(session, error))?;
    let made = look(session).and_then(|found| match found {
        Found::Ours => Ok(()),
        Found::Nothing => sqlite.execute_batch(CREATE).map_err(|error| refused(session, error)),
    });
    let ended = made.and_then(|()| sqlite.execute_batch("COMMIT").map_err(|error| refused(session, error)));
    if ended.is_err() && !sqlite.is_autocommit() {
        // The error that is given says why; a rollback can only fail where nothing is open any more.
        let _ = sqlite.execute_batch("ROLLBACK");
    }
    ended
}

fn refused(session: &Session, error: rusqlite::Error) -> Error {
    let error = session.said(error::from_commit(error));
    Error { message: format!("the table runsheet_ledger cannot be made: {}", error.message), ..error }
}

pub(crate) fn write(session: &mut Session, mark: &Mark) -> Result<(), Error> {
    let statement = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let written = session.sqlite()?.prepare_cached(INSERT).and_then(|mut insert| {
        insert.execute(params![
            mark.task,
            mark.segment,
            statement(mark.first_statement),
            statement(mark.last_statement),
            mark.complete,
            mark.plan,
            mark.spec,
            mark.sheet,
            mark.sheet_sha256,
            mark.schema_version,
            mark.host
        ])
    });
    let Err(error) = written else { return Ok(()) };
    let error = session.said(error::from_commit(error));
    if error.class != Class::Constraint {
        return Err(error);
    }
    let message = format!("the ledger already has a mark for segment {} of task {}", mark.segment, mark.task);
    Err(Error {
        class: Class::AlreadyExists,
        object: "runsheet_ledger".to_owned(),
        detail: error.message.clone(),
        message,
        ..error
    })
}

fn mark(row: &Row<'_>) -> rusqlite::Result<Mark> {
    Ok(Mark {
        task: row.get(0)?,
        segment: row.get(1)?,
        first_statement: row.get(2)?,
        last_statement: row.get(3)?,
        complete: row.get(4)?,
        plan: row.get(5)?,
        spec: row.get(6)?,
        sheet: row.get(7)?,
        sheet_sha256: row.get(8)?,
        schema_version: row.get::<_, Option<String>>(9)?.unwrap_or_default(),
        host: row.get(10)?,
        applied_time: row.get(11)?,
    })
}

/// The rows that a condition on `?1` holds for; none where the table is missing.
fn marks(session: &Session, condition: &str, value: &str) -> Result<Vec<Mark>, Error> {
    if !session.ledger_is_known && matches!(look(session)?, Found::Nothing) {
        return Ok(Vec::new());
    }
    let query = format!("SELECT {} FROM main.runsheet_ledger WHERE {condition}", COLUMNS.join(", "));
    session
        .sqlite()?
        .prepare_cached(&query)
        .and_then(|mut statement| statement.query_map([value], mark)?.collect())
        .map_err(|error| session.said(error::from(error)))
}

pub(crate) fn read(session: &mut Session, task: &str) -> Result<Vec<Mark>, Error> {
    marks(session, "task = ?1 ORDER BY segment", task)
}

pub(crate) fn find_version(session: &mut Session, schema_version: &str) -> Result<Option<Mark>, Error> {
    let found =
        marks(session, "schema_version = ?1 AND complete = 1 ORDER BY applied_time LIMIT 1", schema_version)?;
    Ok(found.into_iter().next())
}
