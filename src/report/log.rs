//! The log of a plan or a task, as commands show it.

use super::{Subject, find};
use crate::store::{self, AuditEntry, Error, LogRow, PlanStatus, RunStatus, TaskStatus};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// How many entries of a run go into one report.
const ENTRIES_MAX: u32 = 20_000;

/// New entries of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogBlock {
    /// The plan.
    pub plan: String,
    /// The spec.
    pub spec_id: String,
    /// Where it runs.
    pub target: String,
    /// The sheet.
    pub sheet: String,
    /// The try.
    pub attempt: u32,
    /// The entries.
    pub entries: Vec<LogRow>,
}

/// Logs of several runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogReport {
    /// A block for each run that has new entries, in the order of tasks and tries.
    pub blocks: Vec<LogBlock>,
    /// What operators said of the plan; only from the beginning.
    pub audit: Vec<AuditEntry>,
    /// Whether everything has come to its end, so that following makes no sense.
    pub ended: bool,
}

/// The log of what `name` means, from behind entry `after`. The inner error is a sentence for the asker.
pub fn log_of(connection: &Connection, name: &str, after: i64) -> Result<Result<LogReport, String>, Error> {
    let subject = match find(connection, name)? {
        Ok(subject) => subject,
        Err(why) => return Ok(Err(why)),
    };
    let plan = subject.plan();
    let tasks = match &subject {
        Subject::Plan(plan) => store::tasks_of_plan(connection, plan.id)?,
        Subject::Task(_, task) => vec![(**task).clone()],
    };
    let mut runs = store::runs_of_plan(connection, plan.id)?;
    runs.retain(|run| tasks.iter().any(|task| task.id == run.task_id));
    let ended = !runs.iter().any(|run| run.status == RunStatus::Running)
        && match &subject {
            Subject::Plan(plan) => plan.status != PlanStatus::Running,
            Subject::Task(_, task) => !matches!(task.status, TaskStatus::NotStarted | TaskStatus::Pending),
        };
    let mut blocks = Vec::new();
    for run in runs {
        let entries = store::log_of_run(connection, run.id, after, ENTRIES_MAX)?;
        let Some(task) = tasks.iter().find(|task| task.id == run.task_id) else { continue };
        if !entries.is_empty() {
            blocks.push(LogBlock {
                plan: plan.name.clone(),
                spec_id: task.spec_id.clone(),
                target: task.target(),
                sheet: task.sheet.clone(),
                attempt: run.attempt,
                entries,
            });
        }
    }
    let audit = if after == 0 { store::audit_of_plan(connection, &plan.name)? } else { Vec::new() };
    Ok(Ok(LogReport { blocks, audit, ended }))
}
