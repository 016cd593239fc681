//! Judging a state before anything of it is changed: whose it is, of which version, and whether it is whole.
//!
//! What it costs is bounded. The tables that anything is decided by are checked fully, rows against indexes: 0.15 s for 100,000 tasks.
//! The rest, which is mostly the log, is checked for its structure and for [`REST_TIME_MAX`] at most: 0.2 s for the 220 MB
//! that go with those tasks.

use super::error::Error;
use super::folder::DATABASE;
use super::schema::{APPLICATION_ID, known};
use super::wal;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The tables that anything is decided by.
pub(super) const DECIDING: &[&str] =
    &["plans", "plan_texts", "stages", "tasks", "dependencies", "sheets", "runs", "intents", "sessions"];
/// How long the rest is looked at. What is behind that shows when it is read, and nothing is decided by it.
const REST_TIME_MAX: Duration = Duration::from_secs(3);

pub(super) fn corrupt(file: &Path) -> impl Fn(rusqlite::Error) -> Error {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(file, error.to_string()),
        _ => Error::Sqlite(error),
    }
}

pub(super) fn damaged(file: &Path, why: String) -> Error {
    Error::Corrupt { file: file.to_path_buf(), why }
}

/// Looks at a folder's database without changing it: ours, not newer, not damaged, and not missing where there was one. Nobody
/// else may have it open.
pub(super) fn judge(folder: &Path) -> Result<(), Error> {
    let file = folder.join(DATABASE);
    if is_missing(folder, &file)? {
        return Ok(());
    }
    judge_log(folder, &file)?;
    let reader = judge_version(&file)?;
    if let Some(why) = check_deciding(&reader).map_err(corrupt(&file))? {
        return Err(damaged(&file, why));
    }
    match check_for(&reader, REST_TIME_MAX) {
        Ok(None) => Ok(()),
        Ok(Some(why)) => Err(damaged(&file, why)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::info!(
                "{} is large: what anything is decided by was checked, the rest only for {REST_TIME_MAX:?}",
                file.display()
            );
            Ok(())
        }
        Err(error) => Err(corrupt(&file)(error)),
    }
}

/// As [`judge`], as far as a reader needs it, which may come while a daemon writes.
pub(super) fn judge_to_read(folder: &Path, is_taken: bool) -> Result<(), Error> {
    let file = folder.join(DATABASE);
    if !is_taken {
        is_missing(folder, &file)?;
        judge_log(folder, &file)?;
    }
    fs::metadata(&file).map_err(|why| Error::Io { path: file.clone(), why })?;
    judge_version(&file).map(drop)
}

/// Whether there is no database yet. One that is gone or empty while the sheets that it knew are still there is a loss.
fn is_missing(folder: &Path, file: &Path) -> Result<bool, Error> {
    let size = match fs::metadata(file) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(why) => return Err(Error::Io { path: file.to_path_buf(), why }),
    };
    let knew_sheets = || fs::read_dir(folder.join("sheets")).is_ok_and(|mut sheets| sheets.next().is_some());
    if size == 0 && knew_sheets() {
        let what = if file.exists() { "it is empty" } else { "it is gone" };
        return Err(damaged(file, format!("{what}, while the sheets that it knew are still there")));
    }
    Ok(!file.exists())
}

fn judge_log(folder: &Path, file: &Path) -> Result<(), Error> {
    let fault = wal::fault(file, wal::is_of_this_boot(folder))
        .map_err(|why| Error::Io { path: file.to_path_buf(), why })?;
    fault.map_or(Ok(()), |why| Err(damaged(file, why)))
}

/// What is wrong with the tables that anything is decided by. An older version has fewer of them.
pub(super) fn check_deciding(connection: &Connection) -> rusqlite::Result<Option<String>> {
    for table in DECIDING {
        let is_there = connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1")?.exists([table])?;
        if is_there && let Some(why) = check(connection, &format!("integrity_check('{table}')"))? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// What a check says, where it is not that all is well.
fn check(connection: &Connection, pragma: &str) -> rusqlite::Result<Option<String>> {
    let verdict: String = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

/// The structure of the whole file, for so long.
fn check_for(connection: &Connection, time: Duration) -> rusqlite::Result<Option<String>> {
    let interrupt = connection.get_interrupt_handle();
    let (ended, end) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if end.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let verdict = check(connection, "quick_check(1)");
        drop(ended);
        verdict
    })
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
    fs::metadata(beside).is_ok_and(|beside| beside.len() > 0)
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
