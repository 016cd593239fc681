//! Intents: what is on disk before a statement that commits by itself is sent, and how it ended. One without an
//! outcome is a statement of which nobody knows whether it took effect.

use super::error::Error;
use super::{Millis, word};
use rusqlite::{Connection, Row, params};

word! {
    /// How a statement that commits by itself ended.
    IntentEnd, "intent outcome" {
        /// It took effect.
        Applied = "APPLIED",
        /// It had no effect.
        NotApplied = "NOT_APPLIED",
    }
}

word! {
    /// What an intent is of.
    IntentKind, "intent kind" {
        /// A statement that commits by itself.
        Statement = "STATEMENT",
        /// The commit of a transaction whose target has no ledger.
        Commit = "COMMIT",
        /// A transaction with an effect that its rollback would not undo.
        NotUndone = "NOT_UNDONE",
    }
}

/// A statement that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIntent {
    /// Its task.
    pub task_id: i64,
    /// Its run.
    pub run_id: i64,
    /// Its segment, from 1.
    pub segment: u32,
    /// What it is of.
    pub kind: IntentKind,
    /// Its number in the sheet, from 1.
    pub statement: u64,
    /// Its first byte in the sheet.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// Its line, from 1.
    pub line: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its beginning, for people.
    pub excerpt: String,
    /// Who the session is, as JSON.
    pub session: String,
    /// How its outcome would be found out: the driver's word.
    pub settled: String,
    /// What the driver saw before it, in the driver's own words.
    pub observation: String,
    /// The same for people.
    pub summary: String,
    /// When.
    pub intent_time: Millis,
}

/// An intent as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its number.
    pub id: i64,
    /// What was about to be sent.
    pub of: NewIntent,
    /// How it ended, if that is known.
    pub outcome: Option<IntentEnd>,
}

/// Records an intent. Gives its number.
pub fn insert_intent(connection: &Connection, intent: &NewIntent) -> Result<i64, Error> {
    connection
        .prepare_cached(
            "INSERT INTO intents (task_id, run_id, segment, statement, offset, length, line, sha256, excerpt, session, intent_time, kind, settled, observation, summary)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            intent.task_id,
            intent.run_id,
            intent.segment,
            intent.statement,
            intent.offset,
            intent.length,
            intent.line,
            intent.sha256,
            intent.excerpt,
            intent.session,
            intent.intent_time,
            intent.kind.word(),
            intent.settled,
            intent.observation,
            intent.summary
        ])?;
    Ok(connection.last_insert_rowid())
}

/// Records how it ended.
pub fn end_intent(connection: &Connection, id: i64, outcome: IntentEnd, now: Millis) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE intents SET outcome = ?2, outcome_time = ?3 WHERE id = ?1")?
        .execute(params![id, outcome.word(), now])?;
    Ok(())
}

const COLUMNS: &str = "id, task_id, run_id, segment, statement, offset, length, line, sha256, excerpt, session, intent_time, outcome, kind, settled, observation, summary";

fn intent_row(row: &Row<'_>) -> rusqlite::Result<Intent> {
    Ok(Intent {
        id: row.get(0)?,
        of: NewIntent {
            task_id: row.get(1)?,
            run_id: row.get(2)?,
            segment: row.get(3)?,
            statement: row.get(4)?,
            offset: row.get(5)?,
            length: row.get(6)?,
            line: row.get(7)?,
            sha256: row.get(8)?,
            excerpt: row.get(9)?,
            session: row.get(10)?,
            intent_time: row.get(11)?,
            kind: row.get(13)?,
            settled: row.get(14)?,
            observation: row.get(15)?,
            summary: row.get(16)?,
        },
        outcome: row.get(12)?,
    })
}

/// The intents of a task whose outcome nobody recorded.
pub fn open_intents(connection: &Connection, task: i64) -> Result<Vec<Intent>, Error> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM intents WHERE task_id = ?1 AND outcome IS NULL ORDER BY id"
    ))?;
    let rows = statement.query_map([task], intent_row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The segments of a task whose statement is known to have taken effect.
pub fn ended_intents(connection: &Connection, task: i64) -> Result<Vec<Intent>, Error> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM intents WHERE task_id = ?1 AND outcome = 'APPLIED' ORDER BY segment"
    ))?;
    let rows = statement.query_map([task], intent_row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}
