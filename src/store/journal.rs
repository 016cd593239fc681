//! What happened in a run, entry by entry, and what operators said. Nothing is decided from these: they are for
//! reading.

use super::Millis;
use super::error::Error;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// One entry of a run's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum LogEntry {
    /// The run was begun, or taken up again.
    Started {
        /// The try.
        attempt: u32,
        /// Whether it goes on after the daemon's death.
        resumed: bool,
        /// Who the session on the server is.
        session: String,
    },
    /// Statements ended well: one, or a row of them where a sheet has very many.
    Statements {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
        /// The line where the first begins.
        line: u64,
        /// What kind the first is.
        kind: String,
        /// The beginning of the first.
        excerpt: String,
        /// Rows that they changed.
        affected_rows: u64,
        /// How long they took, in microseconds.
        micros: u64,
    },
    /// What the server said beside an outcome.
    Notice {
        /// The statement.
        statement: u64,
        /// `WARNING`, `NOTICE`, …
        severity: String,
        /// SQLSTATE or the engine's number, or empty.
        code: String,
        /// The text.
        message: String,
    },
    /// More notices came than are kept.
    NoticesDropped {
        /// How many.
        count: u64,
    },
    /// A segment was committed together with its mark.
    Committed {
        /// The segment.
        segment: u32,
        /// Its first statement.
        first: u64,
        /// Its last statement.
        last: u64,
    },
    /// A segment was passed over, because it has taken effect before.
    PassedOver {
        /// The segment.
        segment: u32,
        /// Its first statement.
        first: u64,
        /// Its last statement.
        last: u64,
        /// How that is known.
        because: String,
    },
    /// A transaction was rolled back.
    RolledBack {
        /// The segment.
        segment: u32,
        /// Why.
        because: String,
    },
    /// It was found out what became of a statement whose answer never came.
    Judged {
        /// The statement.
        statement: u64,
        /// `applied`, `not applied`, `repair` or `unknown`.
        ruling: String,
        /// The fact that decides, or what is missing.
        reason: String,
        /// What was seen before the statement was sent.
        before: String,
        /// What is seen now.
        now: String,
    },
    /// Something else that is worth a line.
    Note {
        /// The sentence.
        text: String,
    },
    /// The run ended.
    Ended {
        /// DONE, FAILED, CANCELED or IN_DOUBT.
        status: String,
        /// The error or the reason, or empty.
        text: String,
    },
}

/// An entry with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// Grows.
    pub id: i64,
    /// When.
    pub time: Millis,
    /// What.
    #[serde(flatten)]
    pub entry: LogEntry,
}

/// What an operator said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub time: Millis,
    /// Who: user name and number.
    pub who: String,
    /// `retry`, `skip`, `cancel`, `resolve --applied`, …
    pub action: String,
    /// The plan's name.
    pub plan: String,
    /// The spec's id, where it was about one task.
    pub spec: Option<String>,
    /// Why.
    pub reason: String,
}

impl LogEntry {
    /// As it is stored.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("an entry has only text and numbers")
    }
}

/// Adds to a run's log what [`LogEntry::text`] gives.
pub fn append_log(connection: &Connection, run: i64, time: Millis, text: &str) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT INTO log (run_id, time, entry) VALUES (?1, ?2, ?3)")?
        .execute(params![run, time, text])?;
    Ok(())
}

/// The last entry of all runs that is there now.
pub fn newest_log(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.query_row("SELECT coalesce(max(id), 0) FROM log", [], |row| row.get(0))?)
}

/// A run's log from behind entry `after` up to `until`, at most `limit` of them.
pub fn log_of_run(
    connection: &Connection,
    run: i64,
    after: i64,
    until: i64,
    limit: usize,
) -> Result<Vec<LogRow>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT id, time, entry FROM log WHERE run_id = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?4",
    )?;
    let rows = statement
        .query_map(params![run, after, until, limit], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(id, time, text)| {
            let entry =
                serde_json::from_str(&text).map_err(|_| Error::Unknown { what: "log entry", value: text })?;
            Ok(LogRow { id, time, entry })
        })
        .collect()
}

/// Adds to the audit log.
pub fn append_audit(connection: &Connection, entry: &AuditEntry) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO audit (time, who, action, plan, spec, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![entry.time, entry.who, entry.action, entry.plan, entry.spec, entry.reason])?;
    Ok(())
}

/// What operators said of a plan after their word number `after`, each with its number.
pub fn audit_of_plan(
    connection: &Connection,
    plan: &str,
    after: i64,
) -> Result<Vec<(i64, AuditEntry)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT id, time, who, action, plan, spec, reason FROM audit WHERE plan = ?1 AND id > ?2 ORDER BY id",
    )?;
    let rows = statement
        .query_map(params![plan, after], |row| {
            let entry = AuditEntry {
                time: row.get(1)?,
                who: row.get(2)?,
                action: row.get(3)?,
                plan: row.get(4)?,
                spec: row.get(5)?,
                reason: row.get(6)?,
            };
            Ok((row.get(0)?, entry))
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
