//! Making reports from stored rows.

use super::{
    ErrorReport, PlanReport, PlanSummary, ProgressReport, RunReport, StageReport, StageStatus, TaskReport,
    WaitingCause, WaitingReport,
};
use crate::store::{self, Error, Millis, PlanRow, PlanStatus, Run, TaskRow, TaskStatus};
use jiff::Timestamp;
use rusqlite::Connection;
use std::collections::{BTreeSet, HashMap};

/// How many missing sheets a task names that are not its own.
const SHEETS_NAMED_MAX: usize = 20;

/// A stored time as an instant. Times are the daemon's own, so one out of range is a damaged row, shown as the epoch.
fn time(millis: Millis) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A plan as it is stored. `waiting` and `progress` are what only a running daemon knows.
pub fn of_plan(
    connection: &Connection,
    plan: &PlanRow,
    waiting: &HashMap<i64, WaitingReport>,
    progress: &HashMap<i64, ProgressReport>,
) -> Result<PlanReport, Error> {
    let tasks = store::tasks_of_plan(connection, plan.id)?;
    let mut runs: HashMap<i64, Vec<RunReport>> = HashMap::new();
    for run in store::runs_of_plan(connection, plan.id)? {
        runs.entry(run.task_id).or_default().push(run_report(run));
    }
    let missing: BTreeSet<String> = match plan.status {
        PlanStatus::WaitingForSheets => missing_sheets(connection, &tasks)?,
        PlanStatus::Running
        | PlanStatus::Blocked
        | PlanStatus::Done
        | PlanStatus::Failed
        | PlanStatus::Canceled => BTreeSet::new(),
    };
    let mut stages: Vec<StageReport> = store::stages(connection, plan.id)?
        .into_iter()
        .map(|title| StageReport { title, status: StageStatus::NotStarted, tasks: Vec::new() })
        .collect();
    for task in tasks {
        let Some(stage) = stages.get_mut(task.stage) else { continue };
        let for_sheets = waits_for_sheets(&task.sheet, &missing);
        stage.tasks.push(TaskReport {
            target: task.target(),
            spec_id: task.spec_id,
            sheet: task.sheet,
            change_type: task.change_type,
            schema_version: task.schema_version,
            status: task.status,
            waiting: waiting.get(&task.id).cloned().or(for_sheets),
            progress: progress.get(&task.id).cloned(),
            runs: runs.remove(&task.id).unwrap_or_default(),
        });
    }
    for stage in &mut stages {
        stage.status = stage_status(&stage.tasks);
    }
    Ok(PlanReport {
        plan: plan.name.clone(),
        title: plan.title.clone(),
        sha256: plan.sha256.clone(),
        status: plan.status,
        accepted_time: time(plan.accepted_time),
        start_time: plan.start_time.map(time),
        end_time: plan.end_time.map(time),
        missing_sheets: missing.into_iter().collect(),
        stages,
    })
}

fn missing_sheets(connection: &Connection, tasks: &[TaskRow]) -> Result<BTreeSet<String>, Error> {
    let mut missing = BTreeSet::new();
    for name in tasks.iter().map(|task| &task.sheet).collect::<BTreeSet<_>>() {
        if store::sheet_by_name(connection, name)?.is_none() {
            missing.insert(name.clone());
        }
    }
    Ok(missing)
}

/// A plan starts when all its sheets are there: a task whose own is there waits for those of the others.
fn waits_for_sheets(own: &String, missing: &BTreeSet<String>) -> Option<WaitingReport> {
    if missing.is_empty() {
        return None;
    }
    let on = if missing.contains(own) {
        vec![own.clone()]
    } else {
        missing.iter().take(SHEETS_NAMED_MAX).cloned().collect()
    };
    Some(WaitingReport { cause: WaitingCause::MissingSheet, on, until: None })
}

fn run_report(run: Run) -> RunReport {
    let error = run.error.map(|text| {
        serde_json::from_str(&text).unwrap_or_else(|_| ErrorReport {
            class: "other".to_owned(),
            message: text,
            ..ErrorReport::default()
        })
    });
    RunReport {
        attempt: run.attempt,
        status: run.status,
        start_time: time(run.start_time),
        end_time: run.end_time.map(time),
        resumes: run.resumes,
        statements_total: run.statements_total,
        statements_done: run.statements_done,
        affected_rows: run.affected_rows,
        detail: run.detail,
        error,
    }
}

/// What the tasks of a stage come to together.
fn stage_status(tasks: &[TaskReport]) -> StageStatus {
    let any = |status: TaskStatus| tasks.iter().any(|task| task.status == status);
    let untouched = tasks.iter().all(|task| task.status == TaskStatus::NotStarted && task.runs.is_empty());
    if any(TaskStatus::Running) || any(TaskStatus::Pending) {
        StageStatus::Running
    } else if any(TaskStatus::InDoubt) {
        StageStatus::Blocked
    } else if untouched {
        StageStatus::NotStarted
    } else if any(TaskStatus::NotStarted) {
        // Those left over wait for a time, or for one that failed or was canceled.
        if any(TaskStatus::Failed) || any(TaskStatus::Canceled) {
            StageStatus::Blocked
        } else {
            StageStatus::Running
        }
    } else if any(TaskStatus::Failed) {
        StageStatus::Failed
    } else if any(TaskStatus::Canceled) {
        StageStatus::Canceled
    } else {
        StageStatus::Done
    }
}

/// A plan in one line.
pub fn summary(connection: &Connection, plan: &PlanRow) -> Result<PlanSummary, Error> {
    let mut summary = PlanSummary {
        plan: plan.name.clone(),
        title: plan.title.clone(),
        status: plan.status,
        accepted_time: time(plan.accepted_time),
        start_time: plan.start_time.map(time),
        end_time: plan.end_time.map(time),
        tasks: 0,
        done: 0,
        running: 0,
        failed: 0,
        in_doubt: 0,
    };
    for (status, count) in store::task_counts(connection, plan.id)? {
        summary.tasks += count;
        match status {
            TaskStatus::Done | TaskStatus::Skipped => summary.done += count,
            TaskStatus::Running => summary.running += count,
            TaskStatus::Failed => summary.failed += count,
            TaskStatus::InDoubt => summary.in_doubt += count,
            TaskStatus::NotStarted | TaskStatus::Pending | TaskStatus::Canceled => {}
        }
    }
    Ok(summary)
}
