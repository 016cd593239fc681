//! Tasks and what they depend on.

use super::error::Error;
use super::plans::{FIRST, NewTask};
use super::salvage::readable;
use super::{Millis, word};
use rusqlite::{Connection, OptionalExtension, Row, params};

word! {
    /// Where a task stands.
    TaskStatus, "task status" {
        /// Something must happen before it may run.
        NotStarted = "NOT_STARTED",
        /// Free to run; waits for its turn.
        Pending = "PENDING",
        /// A run of it is under way.
        Running = "RUNNING",
        /// It took effect, once.
        Done = "DONE",
        /// Its last run failed.
        Failed = "FAILED",
        /// An operator stopped it.
        Canceled = "CANCELED",
        /// An operator said that it is not needed.
        Skipped = "SKIPPED",
        /// Whether its last statement took effect cannot be known without an operator.
        InDoubt = "IN_DOUBT",
    }
}

/// A task as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Grows in the order of acceptance, within a plan in its order.
    pub id: i64,
    /// Its plan.
    pub plan_id: i64,
    /// Its stage, from 0.
    pub stage: usize,
    /// The spec's id.
    pub spec_id: String,
    /// The instance's name.
    pub instance: String,
    /// The database's name.
    pub database: String,
    /// The sheet's name.
    pub sheet: String,
    /// The sheet's bytes, once it is there.
    pub sheet_sha256: Option<String>,
    /// `MIGRATE` or `DATA`.
    pub change_type: String,
    /// The schema version that it brings.
    pub schema_version: Option<String>,
    /// Not before this.
    pub earliest_time: Option<Millis>,
    /// Where it stands.
    pub status: TaskStatus,
}

impl TaskRow {
    /// `instances/{instance}/databases/{database}`.
    pub fn target(&self) -> String {
        format!("instances/{}/databases/{}", self.instance, self.database)
    }
}

pub(super) fn insert_task(
    connection: &Connection,
    plan_id: i64,
    stage: i64,
    task: &NewTask,
) -> Result<i64, Error> {
    connection
        .prepare_cached(
            "INSERT INTO tasks (plan_id, stage, spec_id, instance, database, sheet, change_type, schema_version, earliest_time, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            plan_id,
            stage,
            task.spec_id,
            task.instance,
            task.database,
            task.sheet,
            task.change_type,
            task.schema_version,
            task.earliest_time,
            FIRST.word()
        ])?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn insert_dependency(connection: &Connection, task: i64, depends_on: i64) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT INTO dependencies (task_id, depends_on) VALUES (?1, ?2)")?
        .execute([task, depends_on])?;
    Ok(())
}

/// Sets where a task stands.
pub fn set_task_status(connection: &Connection, task: i64, status: TaskStatus) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE tasks SET status = ?2 WHERE id = ?1")?
        .execute(params![task, status.word()])?;
    Ok(())
}

const COLUMNS: &str = "id, plan_id, stage, spec_id, instance, database, sheet, sheet_sha256, change_type, schema_version, earliest_time, status";

fn task_row(row: &Row<'_>) -> rusqlite::Result<TaskRow> {
    Ok(TaskRow {
        id: row.get(0)?,
        plan_id: row.get(1)?,
        stage: row.get(2)?,
        spec_id: row.get(3)?,
        instance: row.get(4)?,
        database: row.get(5)?,
        sheet: row.get(6)?,
        sheet_sha256: row.get(7)?,
        change_type: row.get(8)?,
        schema_version: row.get(9)?,
        earliest_time: row.get(10)?,
        status: row.get(11)?,
    })
}

/// The tasks of a plan in its order.
pub fn tasks_of_plan(connection: &Connection, plan_id: i64) -> Result<Vec<TaskRow>, Error> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM tasks WHERE plan_id = ?1 ORDER BY id"))?;
    let rows = statement.query_map([plan_id], task_row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// A task by its number.
pub fn task_by_id(connection: &Connection, task: i64) -> Result<Option<TaskRow>, Error> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM tasks WHERE id = ?1"))?
        .query_row([task], task_row)
        .optional()?)
}

/// Which task of a plan depends on which, as pairs of numbers.
pub fn dependencies_of_plan(connection: &Connection, plan_id: i64) -> Result<Vec<(i64, i64)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT task_id, depends_on FROM dependencies JOIN tasks ON tasks.id = task_id WHERE plan_id = ?1 ORDER BY 1, 2",
    )?;
    let rows =
        statement.query_map([plan_id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// How many tasks of a plan stand where.
pub fn task_counts(connection: &Connection, plan_id: i64) -> Result<Vec<(TaskStatus, u64)>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT status, count(*) FROM tasks WHERE plan_id = ?1 GROUP BY status")?;
    let rows =
        statement.query_map([plan_id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// All tasks of a damaged database that can be read.
pub(super) fn all_tasks(connection: &Connection, whole: &mut bool) -> Vec<TaskRow> {
    readable(connection, &format!("SELECT {COLUMNS} FROM tasks ORDER BY id"), whole, task_row)
}
