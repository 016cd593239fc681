//! Task runs: the tries of a task.

use super::error::Error;
use super::{Millis, word};
use rusqlite::{Connection, OptionalExtension, Row, params};

word! {
    /// Where a run stands.
    RunStatus, "run status" {
        /// Under way, or cut off by the daemon's death.
        Running = "RUNNING",
        /// All its statements took effect.
        Done = "DONE",
        /// A statement failed.
        Failed = "FAILED",
        /// Stopped by an operator.
        Canceled = "CANCELED",
        /// What its last statement did cannot be known.
        InDoubt = "IN_DOUBT",
    }
}

/// A run as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number among all runs.
    pub id: i64,
    /// Its task.
    pub task_id: i64,
    /// The try, from 1.
    pub attempt: u32,
    /// Where it stands.
    pub status: RunStatus,
    /// When it started.
    pub start_time: Millis,
    /// When it ended.
    pub end_time: Option<Millis>,
    /// How often it was taken up again after the daemon's death.
    pub resumes: u32,
    /// How many statements the sheet has, once it was read to its end.
    pub statements_total: Option<u64>,
    /// How many took effect.
    pub statements_done: u64,
    /// How many rows they changed.
    pub affected_rows: u64,
    /// Why it ended as it did, where that is worth a sentence.
    pub detail: Option<String>,
    /// The error, as JSON.
    pub error: Option<String>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// Anything but running.
    pub status: RunStatus,
    /// When.
    pub end_time: Millis,
    /// As [`Run::statements_total`].
    pub statements_total: Option<u64>,
    /// As [`Run::statements_done`].
    pub statements_done: u64,
    /// As [`Run::affected_rows`].
    pub affected_rows: u64,
    /// As [`Run::detail`].
    pub detail: Option<String>,
    /// As [`Run::error`].
    pub error: Option<String>,
}

/// Begins the next try of a task. Gives the run's number and the try's.
pub fn start_run(connection: &Connection, task: i64, now: Millis) -> Result<(i64, u32), Error> {
    // Not by max() or an order: SQLite would plan such a query anew for every task, for the sake of its statistics.
    let mut earlier = connection.prepare_cached("SELECT attempt FROM runs WHERE task_id = ?1")?;
    let attempts = earlier.query_map([task], |row| row.get(0))?.collect::<Result<Vec<u32>, _>>()?;
    let attempt = attempts.into_iter().max().unwrap_or(0) + 1;
    connection
        .prepare_cached("INSERT INTO runs (task_id, attempt, status, start_time) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![task, attempt, RunStatus::Running.word(), now])?;
    let run = connection.last_insert_rowid();
    connection
        .prepare_cached(
            "UPDATE plans SET start_time = ?2 WHERE start_time IS NULL AND id = (SELECT plan_id FROM tasks WHERE id = ?1)",
        )?
        .execute(params![task, now])?;
    Ok((run, attempt))
}

/// Takes the last run of a task up again. Gives the run's number and the try's.
pub fn resume_run(connection: &Connection, task: i64) -> Result<(i64, u32), Error> {
    Ok(connection
        .prepare_cached(
            "UPDATE runs SET status = ?2, resumes = resumes + 1, end_time = NULL, error = NULL, detail = NULL
             WHERE id = (SELECT id FROM runs WHERE task_id = ?1 ORDER BY attempt DESC LIMIT 1) RETURNING id, attempt",
        )?
        .query_row(params![task, RunStatus::Running.word()], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Records how a run ended; where the clock was set back meanwhile, not before it started.
pub fn end_run(connection: &Connection, run: i64, end: &RunEnd) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE runs SET status = ?2, end_time = max(?3, start_time), statements_total = ?4, statements_done = ?5, affected_rows = ?6,
             detail = ?7, error = ?8 WHERE id = ?1",
        )?
        .execute(params![
            run,
            end.status.word(),
            end.end_time,
            end.statements_total,
            end.statements_done,
            end.affected_rows,
            end.detail,
            end.error
        ])?;
    Ok(())
}

const COLUMNS: &str = "runs.id, task_id, attempt, runs.status, start_time, end_time, resumes, statements_total, statements_done, affected_rows, detail, error";

fn run_row(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: row.get(0)?,
        task_id: row.get(1)?,
        attempt: row.get(2)?,
        status: row.get(3)?,
        start_time: row.get(4)?,
        end_time: row.get(5)?,
        resumes: row.get(6)?,
        statements_total: row.get(7)?,
        statements_done: row.get(8)?,
        affected_rows: row.get(9)?,
        detail: row.get(10)?,
        error: row.get(11)?,
    })
}

/// All runs of a plan's tasks, by task and try.
pub fn runs_of_plan(connection: &Connection, plan_id: i64) -> Result<Vec<Run>, Error> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs JOIN tasks ON tasks.id = task_id WHERE plan_id = ?1 ORDER BY task_id, attempt"
    ))?;
    let rows = statement.query_map([plan_id], run_row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The last run of a task.
pub fn latest_run(connection: &Connection, task: i64) -> Result<Option<Run>, Error> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM runs WHERE task_id = ?1 ORDER BY attempt DESC LIMIT 1"
        ))?
        .query_row([task], run_row)
        .optional()?)
}
