//! The database's layout and its versions: judged before it is touched, upgraded step by step.

use super::error::Error;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Marks the file as ours: "RUNS".
const APPLICATION_ID: i64 = 0x5255_4E53;

/// One step a version; the list's length is the version that this program writes.
const STEPS: &[&str] = &[
    "
    CREATE TABLE sheets (
        name        TEXT PRIMARY KEY,
        sha256      TEXT NOT NULL,
        size        INTEGER NOT NULL,
        taken_time  INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE plans (
        id             INTEGER PRIMARY KEY,
        name           TEXT NOT NULL UNIQUE,
        title          TEXT NOT NULL,
        sha256         TEXT NOT NULL,
        text           TEXT NOT NULL,
        folder         TEXT NOT NULL,
        status         TEXT NOT NULL,
        accepted_time  INTEGER NOT NULL,
        start_time     INTEGER,
        end_time       INTEGER
    ) STRICT;
    CREATE INDEX plans_waiting ON plans (id) WHERE status = 'WAITING_FOR_SHEETS';
    CREATE TABLE stages (
        plan_id  INTEGER NOT NULL REFERENCES plans (id),
        idx      INTEGER NOT NULL,
        title    TEXT NOT NULL,
        PRIMARY KEY (plan_id, idx)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tasks (
        id              INTEGER PRIMARY KEY,
        plan_id         INTEGER NOT NULL REFERENCES plans (id),
        stage           INTEGER NOT NULL,
        spec_id         TEXT NOT NULL,
        instance        TEXT NOT NULL,
        database        TEXT NOT NULL,
        sheet           TEXT NOT NULL,
        sheet_sha256    TEXT,
        change_type     TEXT NOT NULL,
        schema_version  TEXT,
        earliest_time   INTEGER,
        status          TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX tasks_of_plan ON tasks (plan_id, spec_id);
    CREATE TABLE dependencies (
        task_id     INTEGER NOT NULL REFERENCES tasks (id),
        depends_on  INTEGER NOT NULL REFERENCES tasks (id),
        PRIMARY KEY (task_id, depends_on)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE runs (
        id                INTEGER PRIMARY KEY,
        task_id           INTEGER NOT NULL REFERENCES tasks (id),
        attempt           INTEGER NOT NULL,
        status            TEXT NOT NULL,
        start_time        INTEGER NOT NULL,
        end_time          INTEGER,
        resumes           INTEGER NOT NULL DEFAULT 0,
        statements_total  INTEGER,
        statements_done   INTEGER NOT NULL DEFAULT 0,
        affected_rows     INTEGER NOT NULL DEFAULT 0,
        detail            TEXT,
        error             TEXT
    ) STRICT;
    CREATE UNIQUE INDEX runs_of_task ON runs (task_id, attempt);
    CREATE TABLE intents (
        id            INTEGER PRIMARY KEY,
        task_id       INTEGER NOT NULL REFERENCES tasks (id),
        run_id        INTEGER NOT NULL REFERENCES runs (id),
        segment       INTEGER NOT NULL,
        statement     INTEGER NOT NULL,
        offset        INTEGER NOT NULL,
        length        INTEGER NOT NULL,
        line          INTEGER NOT NULL,
        sha256        TEXT NOT NULL,
        excerpt       TEXT NOT NULL,
        session       TEXT NOT NULL,
        intent_time   INTEGER NOT NULL,
        outcome       TEXT,
        outcome_time  INTEGER
    ) STRICT;
    CREATE INDEX intents_of_task ON intents (task_id, segment);
    CREATE TABLE log (
        id      INTEGER PRIMARY KEY,
        run_id  INTEGER NOT NULL REFERENCES runs (id),
        time    INTEGER NOT NULL,
        entry   TEXT NOT NULL
    ) STRICT;
    CREATE INDEX log_of_run ON log (run_id, id);
    CREATE TABLE audit (
        id      INTEGER PRIMARY KEY,
        time    INTEGER NOT NULL,
        who     TEXT NOT NULL,
        action  TEXT NOT NULL,
        plan    TEXT NOT NULL,
        spec    TEXT,
        reason  TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_of_plan ON audit (plan, id);
",
    // What was seen before a statement, and who held a database last.
    "
    ALTER TABLE intents ADD COLUMN kind TEXT NOT NULL DEFAULT 'STATEMENT';
    ALTER TABLE intents ADD COLUMN settled TEXT NOT NULL DEFAULT 'nobody';
    ALTER TABLE intents ADD COLUMN observation TEXT NOT NULL DEFAULT '';
    ALTER TABLE intents ADD COLUMN summary TEXT NOT NULL DEFAULT '';
    CREATE TABLE sessions (
        instance  TEXT NOT NULL,
        database  TEXT NOT NULL,
        session   TEXT NOT NULL,
        time      INTEGER NOT NULL,
        PRIMARY KEY (instance, database)
    ) STRICT, WITHOUT ROWID;
",
    // Which end of a plan its result file shows: one that was reached right before a crash is not in there.
    "
    ALTER TABLE plans ADD COLUMN shown_end INTEGER;
    UPDATE plans SET shown_end = end_time;
    CREATE INDEX plans_not_shown ON plans (id) WHERE end_time IS NOT NULL AND shown_end IS NOT end_time;
",
];

/// The version that this program writes.
fn known() -> i64 {
    i64::try_from(STEPS.len()).expect("the list of steps is short")
}

fn corrupt(file: &Path) -> impl Fn(rusqlite::Error) -> Error {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Corrupt { file: file.to_path_buf(), why: error.to_string() }
        }
        _ => Error::Sqlite(error),
    }
}

/// Looks at an existing file without changing it: ours, not newer, not damaged.
pub(super) fn judge(file: &Path) -> Result<(), Error> {
    let reader = judge_version(file)?;
    let verdict: String =
        reader.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(corrupt(file))?;
    if verdict == "ok" { Ok(()) } else { Err(Error::Corrupt { file: file.to_path_buf(), why: verdict }) }
}

/// Looks only at whose file it is and of which version.
pub(super) fn judge_version(file: &Path) -> Result<Connection, Error> {
    let reader = look(file).map_err(corrupt(file))?;
    let pragma = |name: &str| reader.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
    let found: i64 = pragma("user_version").map_err(corrupt(file))?;
    let id: i64 = pragma("application_id").map_err(corrupt(file))?;
    let tables: i64 = reader
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(corrupt(file))?;
    // An empty file is a first start that was cut short.
    if id != APPLICATION_ID && (id != 0 || tables != 0) {
        return Err(Error::Foreign { file: file.to_path_buf(), found: id });
    }
    if found > known() {
        return Err(Error::Newer { file: file.to_path_buf(), found, known: known() });
    }
    Ok(reader)
}

/// Whether a first start was cut short, and its journal not taken back yet: there is nothing in the file.
pub(super) fn is_half_made(file: &Path) -> bool {
    is_beside(file, "-journal")
}

/// Whether a file of SQLite's own lies beside the database, and is not empty.
fn is_beside(file: &Path, ending: &str) -> bool {
    let mut beside = file.as_os_str().to_owned();
    beside.push(ending);
    std::fs::metadata(beside).is_ok_and(|beside| beside.len() > 0)
}

/// A connection that leaves the folder as it is, where it can: only a log of writes that are not in the file yet is read
/// in the usual way, which needs an index of it beside it; and the journal of a first start that was cut short is taken back, which is
/// a write. Without that the file may be half a page of nothing.
fn look(file: &Path) -> rusqlite::Result<Connection> {
    if is_half_made(file) {
        return Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE);
    }
    if is_beside(file, "-wal") {
        return Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY);
    }
    let escaped: String = file
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                char::from(*byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)
}

/// Sets up the writing connection, and brings an older layout up to this version, each step in a transaction
/// of its own with its version.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), Error> {
    // WAL with FULL: each commit is on the disk when it returns; NORMAL loses acknowledged commits in a power cut.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (step, version) in STEPS.iter().zip(1..) {
        if version > found {
            let transaction = connection.transaction()?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.commit()?;
        }
    }
    Ok(())
}
