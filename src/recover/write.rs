//! What was rebuilt becomes rows of a new database, in one transaction.

use super::files::Files;
use super::judge::Fate;
use super::report::Recovered;
use super::{Error, Rebuilt};
use crate::report::ErrorReport;
use crate::store::{
    self, AuditEntry, Millis, NewIntent, PlanStatus, Recovery, RunEnd, RunStatus, SheetRow, Sheets, TaskRow,
    TaskStatus,
};
use rusqlite::Connection;
use std::collections::HashMap;
use std::fs::File;

/// Fills the new database. `report` says where each plan stands.
pub(super) fn all(
    recovery: &Recovery<'_>,
    sheets: &Sheets,
    files: &Files,
    plans: Vec<Rebuilt>,
    report: &Recovered,
    who: &str,
    now: Millis,
) -> Result<(), Error> {
    let rows = store_sheets(sheets, files, now)?;
    let standing: Vec<(PlanStatus, bool)> =
        report.plans.iter().map(|plan| (plan.status, plan.held)).collect();
    let (who, damage) = (who.to_owned(), report.damage.clone());
    let store = recovery.rebuilt()?;
    let written = store.write_and_wait(move |connection| {
        for row in &rows {
            store::insert_sheet(connection, row)?;
        }
        for (plan, (status, held)) in plans.iter().zip(standing) {
            write_plan(connection, plan, status, held, now)?;
            let entry = AuditEntry {
                time: now,
                who: who.clone(),
                action: "recover".to_owned(),
                plan: plan.new.name.clone(),
                spec: None,
                reason: damage.clone(),
            };
            store::append_audit(connection, &entry)?;
        }
        Ok(())
    });
    store.close();
    Ok(written?)
}

/// Sees that the state folder has the bytes of every sheet whose name is known.
fn store_sheets(sheets: &Sheets, files: &Files, now: Millis) -> Result<Vec<SheetRow>, Error> {
    let mut rows = Vec::new();
    for (name, bytes) in &files.sheets {
        if bytes.path != sheets.path(&bytes.sha256) {
            let io = |why| Error::Accepted { path: bytes.path.clone(), why };
            sheets.put(&mut File::open(&bytes.path).map_err(io)?, u64::MAX)?;
        }
        let row =
            SheetRow { name: name.clone(), sha256: bytes.sha256.clone(), size: bytes.size, taken_time: now };
        rows.push(row);
    }
    sheets.sync()?;
    Ok(rows)
}

fn write_plan(
    connection: &Connection,
    plan: &Rebuilt,
    status: PlanStatus,
    held: bool,
    now: Millis,
) -> Result<(), store::Error> {
    let id = store::accept_plan(connection, &plan.new)?;
    if plan.missing.is_empty() {
        store::roll_out(connection, id)?;
    }
    store::set_plan_status(connection, id, status, now)?;
    store::set_plan_held(connection, id, held)?;
    let fates: HashMap<&str, &Fate> =
        plan.tasks.iter().map(|task| (task.spec.as_str(), &task.fate)).collect();
    for task in store::tasks_of_plan(connection, id)? {
        if let Some(fate) = fates.get(task.spec_id.as_str()) {
            write_task(connection, &plan.new.name, &task, fate, now)?;
        }
    }
    Ok(())
}

fn write_task(
    connection: &Connection,
    plan: &str,
    task: &TaskRow,
    fate: &Fate,
    now: Millis,
) -> Result<(), store::Error> {
    store::set_task_status(connection, task.id, fate.status)?;
    let status = match fate.status {
        TaskStatus::Done => RunStatus::Done,
        TaskStatus::InDoubt => RunStatus::InDoubt,
        TaskStatus::Failed => RunStatus::Failed,
        // One of which nothing is known to have begun has no run.
        TaskStatus::NotStarted | TaskStatus::Pending | TaskStatus::Running
            if fate.done == 0 && fate.open.is_empty() =>
        {
            return Ok(());
        }
        TaskStatus::NotStarted
        | TaskStatus::Pending
        | TaskStatus::Running
        | TaskStatus::Canceled
        | TaskStatus::Skipped => RunStatus::Canceled,
    };
    let (run, _) = store::start_run(connection, task.id, now)?;
    for (segment, kind) in &fate.open {
        let intent = NewIntent {
            task_id: task.id,
            run_id: run,
            segment: segment.number,
            kind: *kind,
            statement: segment.statement,
            offset: segment.offset,
            length: segment.text.len() as u64,
            line: segment.line,
            sha256: segment.sha256(),
            excerpt: segment.excerpt.clone(),
            session: "a session that is not known any more".to_owned(),
            settled: runsheet_sdk::Settled::Nobody.word().to_owned(),
            observation: String::new(),
            summary: String::new(),
            intent_time: now,
        };
        store::insert_intent(connection, &intent)?;
    }
    let error = (fate.status == TaskStatus::InDoubt).then(|| in_doubt(plan, &task.spec_id, fate));
    let (error, detail) = match error {
        Some((error, detail)) => (serde_json::to_string(&error).ok(), detail),
        None => (None, format!("The state was rebuilt: {}.", fate.why)),
    };
    let end = RunEnd {
        status,
        end_time: now,
        statements_total: None,
        statements_done: fate.done,
        affected_rows: 0,
        detail: Some(detail),
        error,
    };
    store::end_run(connection, run, &end)
}

/// The question to a person.
fn in_doubt(plan: &str, spec: &str, fate: &Fate) -> (ErrorReport, String) {
    let message =
        format!("the state was rebuilt, and what became of this task cannot be known: {}", fate.why);
    let report = ErrorReport { class: "in doubt".to_owned(), message, ..ErrorReport::default() };
    let Some((first, _)) = fate.open.first() else {
        let detail = format!(
            "Look at the database before anything else. `runsheet resolve {plan}/{spec} --not-applied` lets the task run, once its plan is released: what the ledger has is passed over, but a statement that commits by itself and has no mark would be run, whether it is in or not."
        );
        return (report, detail);
    };
    let others = match fate.open.len() {
        1 => String::new(),
        count => format!(" The same is then asked of the next of {count} parts, one after the other."),
    };
    let detail = format!(
        "Look at the database: did statement {} (line {}) take effect? If it did, `runsheet resolve {plan}/{spec} --applied`: the task goes on after it. If it did not, or was never sent, `--not-applied`: the task runs it. Both once the plan is released; until it is answered, nothing else runs on this database.{others}",
        first.statement, first.line
    );
    let report = ErrorReport {
        statement: Some(first.statement),
        line: Some(first.line),
        column: Some(1),
        excerpt: Some(first.excerpt.clone()),
        ..report
    };
    (report, detail)
}
