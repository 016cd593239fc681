//! Plans, their stages and, at acceptance, their tasks.

use super::error::Error;
use super::salvage::readable;
use super::tasks::{TaskStatus, insert_dependency, insert_task, set_task_status, tasks_of_plan};
use super::{Millis, word};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;

word! {
    /// Where a plan stands.
    PlanStatus, "plan status" {
        /// Some of its sheets have not come.
        WaitingForSheets = "WAITING_FOR_SHEETS",
        /// It is being run, or waits for time or its turn.
        Running = "RUNNING",
        /// Nothing can go on without an operator.
        Blocked = "BLOCKED",
        /// Every task is DONE or SKIPPED.
        Done = "DONE",
        /// Nothing is left to run, and some task FAILED.
        Failed = "FAILED",
        /// Nothing is left to run, none FAILED, some were CANCELED.
        Canceled = "CANCELED",
    }
}

/// A plan as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    /// Grows in the order of acceptance.
    pub id: i64,
    /// `projects/{project}/plans/{plan}`.
    pub name: String,
    /// For people.
    pub title: String,
    /// SHA-256 of the plan file's bytes.
    pub sha256: String,
    /// The folder in the inbox that it came in, relative to the inbox; its sheets are looked for there first.
    pub folder: String,
    /// Where it stands.
    pub status: PlanStatus,
    /// When it was taken in.
    pub accepted_time: Millis,
    /// When its first task started.
    pub start_time: Option<Millis>,
    /// When it came to its end, if it has.
    pub end_time: Option<Millis>,
    /// Whether it was rebuilt from a damaged state, and nothing of it is started before an operator has said so.
    pub held: bool,
}

/// A plan to be taken in.
#[derive(Clone, Debug)]
pub struct NewPlan {
    /// As [`PlanRow::name`].
    pub name: String,
    /// As [`PlanRow::title`].
    pub title: String,
    /// As [`PlanRow::sha256`].
    pub sha256: String,
    /// The plan file's text.
    pub text: String,
    /// As [`PlanRow::folder`].
    pub folder: String,
    /// When.
    pub accepted_time: Millis,
    /// Its stages in their order.
    pub stages: Vec<NewStage>,
}

/// A stage to be taken in.
#[derive(Clone, Debug)]
pub struct NewStage {
    /// For people.
    pub title: String,
    /// Its tasks in the plan's order.
    pub tasks: Vec<NewTask>,
}

/// A task to be taken in.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// The spec's id.
    pub spec_id: String,
    /// The instance's name.
    pub instance: String,
    /// The database's name.
    pub database: String,
    /// The sheet's name.
    pub sheet: String,
    /// `MIGRATE` or `DATA`.
    pub change_type: String,
    /// The schema version that it brings.
    pub schema_version: Option<String>,
    /// Not before this.
    pub earliest_time: Option<Millis>,
    /// The places, in the same stage, of those that it depends on.
    pub depends_on: Vec<usize>,
}

/// Records a plan as waiting for its sheets, with its stages and tasks. Gives its id.
pub fn accept_plan(connection: &Connection, plan: &NewPlan) -> Result<i64, Error> {
    connection
        .prepare_cached(
            "INSERT INTO plans (name, title, sha256, folder, status, accepted_time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            plan.name,
            plan.title,
            plan.sha256,
            plan.folder,
            PlanStatus::WaitingForSheets.word(),
            plan.accepted_time
        ])?;
    let plan_id = connection.last_insert_rowid();
    connection
        .prepare_cached("INSERT INTO plan_texts (plan_id, text) VALUES (?1, ?2)")?
        .execute(params![plan_id, plan.text])?;
    for (stage, index) in plan.stages.iter().zip(0_i64..) {
        connection
            .prepare_cached("INSERT INTO stages (plan_id, idx, title) VALUES (?1, ?2, ?3)")?
            .execute(params![plan_id, index, stage.title])?;
        let ids = stage
            .tasks
            .iter()
            .map(|task| insert_task(connection, plan_id, index, task))
            .collect::<Result<Vec<i64>, Error>>()?;
        for (task, id) in stage.tasks.iter().zip(&ids) {
            for other in task.depends_on.iter().filter_map(|place| ids.get(*place)) {
                insert_dependency(connection, *id, *other)?;
            }
        }
    }
    Ok(plan_id)
}

/// Ties every task of a plan to the bytes of its sheet, and sets the plan running. False where it does not wait for its
/// sheets any more: an operator has canceled it meanwhile.
///
/// # Errors
/// [`Error::Unknown`] where a sheet is still missing.
pub fn roll_out(connection: &Connection, plan_id: i64) -> Result<bool, Error> {
    if !waits_for_sheets(connection, plan_id)? {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "UPDATE tasks SET sheet_sha256 = (SELECT sha256 FROM sheets WHERE name = tasks.sheet) WHERE plan_id = ?1",
        )?
        .execute([plan_id])?;
    let missing: Option<String> = connection
        .prepare_cached("SELECT sheet FROM tasks WHERE plan_id = ?1 AND sheet_sha256 IS NULL LIMIT 1")?
        .query_row([plan_id], |row| row.get(0))
        .optional()?;
    if let Some(value) = missing {
        return Err(Error::Unknown { what: "sheet of a plan that is to run", value });
    }
    set_plan_status(connection, plan_id, PlanStatus::Running, 0)?;
    Ok(true)
}

fn waits_for_sheets(connection: &Connection, plan_id: i64) -> Result<bool, Error> {
    Ok(plan_by_id(connection, plan_id)?.is_some_and(|plan| plan.status == PlanStatus::WaitingForSheets))
}

/// Cancels a plan that waits for its sheets, with all its tasks. False where it does not wait any more.
pub fn cancel_waiting_plan(connection: &Connection, plan_id: i64, now: Millis) -> Result<bool, Error> {
    if !waits_for_sheets(connection, plan_id)? {
        return Ok(false);
    }
    for task in tasks_of_plan(connection, plan_id)? {
        set_task_status(connection, task.id, TaskStatus::Canceled)?;
    }
    set_plan_status(connection, plan_id, PlanStatus::Canceled, now)?;
    Ok(true)
}

/// Sets where a plan stands; an end gets its time, which is never before its start, and going on takes it away.
pub fn set_plan_status(
    connection: &Connection,
    plan_id: i64,
    status: PlanStatus,
    now: Millis,
) -> Result<(), Error> {
    let end = match status {
        PlanStatus::Done | PlanStatus::Failed | PlanStatus::Canceled => Some(now),
        PlanStatus::WaitingForSheets | PlanStatus::Running | PlanStatus::Blocked => None,
    };
    connection
        .prepare_cached("UPDATE plans SET status = ?2, end_time = max(?3, coalesce(start_time, accepted_time)) WHERE id = ?1")?
        .execute(params![plan_id, status.word(), end])?;
    Ok(())
}

/// Holds a plan, or lets it go on.
pub fn set_plan_held(connection: &Connection, plan_id: i64, held: bool) -> Result<(), Error> {
    connection.prepare_cached("UPDATE plans SET held = ?2 WHERE id = ?1")?.execute(params![plan_id, held])?;
    Ok(())
}

const COLUMNS: &str = "id, name, title, sha256, folder, status, accepted_time, start_time, end_time, held";

fn plan_row(row: &Row<'_>) -> rusqlite::Result<PlanRow> {
    Ok(PlanRow {
        id: row.get(0)?,
        name: row.get(1)?,
        title: row.get(2)?,
        sha256: row.get(3)?,
        folder: row.get(4)?,
        status: row.get(5)?,
        accepted_time: row.get(6)?,
        start_time: row.get(7)?,
        end_time: row.get(8)?,
        held: row.get(9)?,
    })
}

/// All plans in the order of acceptance.
pub fn plans(connection: &Connection) -> Result<Vec<PlanRow>, Error> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM plans ORDER BY id"))?;
    let rows = statement.query_map([], plan_row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The plans that miss sheets, in the order of acceptance.
pub fn plans_waiting_for_sheets(connection: &Connection) -> Result<Vec<PlanRow>, Error> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM plans WHERE status = 'WAITING_FOR_SHEETS' ORDER BY id"
    ))?;
    let rows = statement.query_map([], plan_row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The plan of a name.
pub fn plan_by_name(connection: &Connection, name: &str) -> Result<Option<PlanRow>, Error> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM plans WHERE name = ?1"))?
        .query_row([name], plan_row)
        .optional()?)
}

/// The titles of a plan's stages in their order.
pub fn stages(connection: &Connection, plan_id: i64) -> Result<Vec<String>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT title FROM stages WHERE plan_id = ?1 ORDER BY idx")?;
    let rows = statement.query_map([plan_id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The status of a task when it is taken in.
pub(super) const FIRST: TaskStatus = TaskStatus::NotStarted;

/// The plan of a number.
pub fn plan_by_id(connection: &Connection, id: i64) -> Result<Option<PlanRow>, Error> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM plans WHERE id = ?1"))?
        .query_row([id], plan_row)
        .optional()?)
}

/// Records that a plan's result file shows this end of it.
pub fn set_shown_end(connection: &Connection, plan_id: i64, end: Millis) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE plans SET shown_end = ?2 WHERE id = ?1")?
        .execute(params![plan_id, end])?;
    Ok(())
}

/// The plans whose result files do not show their end.
pub fn plans_not_shown(connection: &Connection) -> Result<Vec<i64>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM plans WHERE end_time IS NOT NULL AND shown_end IS NOT end_time ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The plans that are under way or stand still, in the order of acceptance.
pub fn plans_not_ended(connection: &Connection) -> Result<Vec<PlanRow>, Error> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM plans WHERE status IN ('RUNNING', 'BLOCKED') ORDER BY id"
    ))?;
    let rows = statement.query_map([], plan_row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// All plans of a damaged database that can be read.
pub(super) fn all_plans(connection: &Connection, whole: &mut bool) -> Vec<PlanRow> {
    readable(connection, &format!("SELECT {COLUMNS} FROM plans ORDER BY id"), whole, plan_row)
}

/// The texts of the plans of a damaged database that can be read.
pub(super) fn all_texts(connection: &Connection, whole: &mut bool) -> HashMap<i64, String> {
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    readable(connection, "SELECT plan_id, text FROM plan_texts", whole, row).into_iter().collect()
}
