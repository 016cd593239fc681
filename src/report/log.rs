//! The log of a plan or a task, as commands show it.

use super::{Subject, find};
use crate::store::{
    self, AuditEntry, Error, LogRow, PlanRow, PlanStatus, Run, RunStatus, TaskRow, TaskStatus,
};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How many entries go into one report; the next one goes on from there.
const ENTRIES_MAX: usize = 20_000;

/// Where a reader of a log stands. At first nowhere; then where the last report says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlace {
    /// Everything up to this entry was read.
    after: i64,
    /// The report is one of several, which together go up to this entry; 0 for all that there is now.
    until: i64,
    /// They have come to this run,
    run: i64,
    /// and in it to this entry.
    entry: i64,
    /// The last word of an operator that was read.
    audit: i64,
}

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
    /// What operators said of it.
    pub audit: Vec<AuditEntry>,
    /// Where the reader stands now.
    pub place: LogPlace,
    /// Whether there is more to be read at once.
    pub more: bool,
    /// Whether nothing goes on by itself, so that following makes no sense.
    pub ended: bool,
}

/// The log of what `name` means, from where the reader stands. The inner error is a sentence for the asker.
pub fn log_of(
    connection: &Connection,
    name: &str,
    place: LogPlace,
) -> Result<Result<LogReport, String>, Error> {
    let subject = match find(connection, name)? {
        Ok(subject) => subject,
        Err(why) => return Ok(Err(why)),
    };
    let plan = subject.plan();
    let tasks: HashMap<i64, TaskRow> = match subject.task() {
        None => store::tasks_of_plan(connection, plan.id)?,
        Some(task) => vec![task.clone()],
    }
    .into_iter()
    .map(|task| (task.id, task))
    .collect();
    let mut runs = store::runs_of_plan(connection, plan.id)?;
    runs.retain(|run| tasks.contains_key(&run.task_id));
    let mut report = LogReport { ended: ended(&subject, &runs), ..LogReport::default() };
    let until = if place.until == 0 { store::newest_log(connection)? } else { place.until };
    let from = runs.iter().position(|run| run.id == place.run).unwrap_or(0);
    let mut room = ENTRIES_MAX;
    for run in runs.iter().skip(from) {
        let after = if run.id == place.run { place.entry } else { place.after };
        let entries = store::log_of_run(connection, run.id, after, until, room)?;
        let (Some(task), Some(last)) = (tasks.get(&run.task_id), entries.last().map(|row| row.id)) else {
            continue;
        };
        room -= entries.len();
        report.blocks.push(block(plan, task, run, entries));
        if room == 0 {
            report.place = LogPlace { until, run: run.id, entry: last, ..place };
            report.more = true;
            return Ok(Ok(report));
        }
    }
    let of_subject = |entry: &AuditEntry| {
        subject.task().is_none_or(|task| entry.spec.as_ref().is_none_or(|spec| *spec == task.spec_id))
    };
    let audit = store::audit_of_plan(connection, &plan.name, place.audit)?;
    let newest = audit.last().map_or(place.audit, |(id, _)| *id);
    report.audit = audit.into_iter().map(|(_, entry)| entry).filter(of_subject).collect();
    report.place = LogPlace { after: until, audit: newest, ..LogPlace::default() };
    Ok(Ok(report))
}

fn block(plan: &PlanRow, task: &TaskRow, run: &Run, entries: Vec<LogRow>) -> LogBlock {
    LogBlock {
        plan: plan.name.clone(),
        spec_id: task.spec_id.clone(),
        target: task.target(),
        sheet: task.sheet.clone(),
        attempt: run.attempt,
        entries,
    }
}

/// Whether nothing of it goes on without an operator.
fn ended(subject: &Subject, runs: &[Run]) -> bool {
    let waits = |task: &TaskRow| matches!(task.status, TaskStatus::NotStarted | TaskStatus::Pending);
    let goes_on = matches!(subject.plan().status, PlanStatus::Running | PlanStatus::WaitingForSheets);
    let runs_now = runs.iter().any(|run| run.status == RunStatus::Running);
    !(runs_now || goes_on && subject.task().is_none_or(waits))
}
