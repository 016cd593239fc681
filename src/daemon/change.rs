//! What a decision of the scheduler writes: one list of changes, recorded in one transaction.

use crate::store::{self, Millis, PlanRow, PlanStatus, TaskRow, TaskStatus};
use rusqlite::Connection;

/// One change to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The task stands here.
    Task {
        /// Which.
        task: i64,
        /// Where.
        status: TaskStatus,
    },
    /// The plan stands here.
    Plan {
        /// Which.
        plan: i64,
        /// Where.
        status: PlanStatus,
    },
    /// A run begins, or is taken up again.
    Start {
        /// Of this task.
        task: i64,
        /// Of this plan.
        plan: i64,
        /// Whether the last run goes on.
        resume: bool,
    },
    /// A run is to be stopped; nothing is recorded until it has ended.
    Cancel {
        /// Of this task.
        task: i64,
    },
}

/// A run that is on the disk and may begin.
#[derive(Clone, Debug)]
pub(super) struct Started {
    /// Its plan.
    pub plan: PlanRow,
    /// Its task.
    pub task: TaskRow,
    /// Its number.
    pub run: i64,
    /// The try.
    pub attempt: u32,
    /// Whether it goes on.
    pub resumed: bool,
}

/// Records changes in their order. Gives the runs that may begin once this is committed.
pub(super) fn record(
    connection: &Connection,
    changes: &[Change],
    now: Millis,
) -> Result<Vec<Started>, store::Error> {
    let mut started = Vec::new();
    for change in changes {
        match *change {
            Change::Task { task, status } => store::set_task_status(connection, task, status)?,
            Change::Plan { plan, status } => store::set_plan_status(connection, plan, status, now)?,
            Change::Start { task, plan, resume } => {
                store::set_task_status(connection, task, TaskStatus::Running)?;
                let resumed = resume && store::latest_run(connection, task)?.is_some();
                let (run, attempt) = if resumed {
                    store::resume_run(connection, task)?
                } else {
                    store::start_run(connection, task, now)?
                };
                let missing = |what| store::Error::Unknown { what, value: task.to_string() };
                let plan = store::plan_by_id(connection, plan)?.ok_or_else(|| missing("plan of a task"))?;
                let task = store::task_by_id(connection, task)?.ok_or_else(|| missing("task to be run"))?;
                started.push(Started { plan, task, run, attempt, resumed });
            }
            Change::Cancel { .. } => {}
        }
    }
    Ok(started)
}
