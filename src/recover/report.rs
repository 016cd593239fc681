//! What a recovery found, in the one shape in which it is shown: by `--json`, and, drawn, on the screen.

use super::Rebuilt;
use crate::store::{PlanStatus, Salvage, TaskRow, TaskStatus};
use serde::Serialize;
use std::collections::HashMap;

/// A recovery.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovered {
    /// What is wrong with the state.
    pub damage: String,
    /// Where the damaged files are kept.
    pub aside: String,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether everything that is decided by was whole in the damaged state, and was carried over as it was.
    pub old_is_sound: bool,
    /// The plans, in the order of acceptance.
    pub plans: Vec<PlanRecovered>,
    /// What else people should know.
    pub notes: Vec<String>,
}

/// A plan that was rebuilt.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRecovered {
    /// Its name.
    pub plan: String,
    /// Where its text was found.
    pub source: String,
    /// Where it stands.
    pub status: PlanStatus,
    /// Whether nothing of it is started before an operator releases it.
    pub held: bool,
    /// The sheets that it misses.
    pub missing_sheets: Vec<String>,
    /// Its tasks in its order.
    pub tasks: Vec<TaskRecovered>,
}

/// A task that was rebuilt.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRecovered {
    /// The spec's id.
    pub spec_id: String,
    /// `instances/{instance}/databases/{database}`.
    pub target: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// How many statements are known to be in.
    pub statements_done: u64,
    /// How that is known.
    pub why: String,
    /// Where the damaged state says that it stood; for comparing only.
    pub before: Option<TaskStatus>,
}

/// Where the damaged state says that tasks stood, by their plans and specs.
pub(super) type Before<'a> = HashMap<(&'a str, &'a str), TaskStatus>;

pub(super) fn before(old: &Salvage) -> Before<'_> {
    let names: HashMap<i64, &str> = old.plans.iter().map(|plan| (plan.id, plan.name.as_str())).collect();
    let named = |task: &TaskRow| names.get(&task.plan_id).copied();
    old.tasks.iter().filter_map(|task| Some(((named(task)?, task.spec_id.as_str()), task.status))).collect()
}

/// Where a plan stands whose tasks stand here.
pub(super) fn plan_status(missing: usize, tasks: impl Iterator<Item = TaskStatus>) -> PlanStatus {
    let (mut open, mut failed, mut canceled) = (false, false, false);
    for status in tasks {
        match status {
            TaskStatus::Done | TaskStatus::Skipped => {}
            TaskStatus::Failed => failed = true,
            TaskStatus::Canceled => canceled = true,
            TaskStatus::NotStarted | TaskStatus::Pending | TaskStatus::Running | TaskStatus::InDoubt => {
                open = true;
            }
        }
    }
    match (open, failed, canceled) {
        (true, ..) if missing > 0 => PlanStatus::WaitingForSheets,
        (true, ..) => PlanStatus::Blocked,
        (false, true, _) => PlanStatus::Failed,
        (false, false, true) => PlanStatus::Canceled,
        (false, false, false) => PlanStatus::Done,
    }
}

/// A plan whose row was carried over.
pub(super) fn of_sound(old: &Salvage) -> Vec<PlanRecovered> {
    let mut tasks: HashMap<i64, Vec<TaskRecovered>> = HashMap::new();
    for task in &old.tasks {
        tasks.entry(task.plan_id).or_default().push(TaskRecovered {
            spec_id: task.spec_id.clone(),
            target: task.target(),
            status: match task.status {
                TaskStatus::Running | TaskStatus::Pending => TaskStatus::NotStarted,
                other => other,
            },
            statements_done: 0,
            why: "carried over".to_owned(),
            before: Some(task.status),
        });
    }
    let plans = old.plans.iter().map(|plan| PlanRecovered {
        plan: plan.name.clone(),
        source: "the damaged state, in which this is whole".to_owned(),
        status: plan.status,
        held: plan.end_time.is_none(),
        missing_sheets: Vec::new(),
        tasks: tasks.remove(&plan.id).unwrap_or_default(),
    });
    plans.collect()
}

pub(super) fn of_rebuilt(rebuilt: &Rebuilt) -> PlanRecovered {
    let status = plan_status(rebuilt.missing.len(), rebuilt.tasks.iter().map(|task| task.fate.status));
    let tasks = rebuilt.tasks.iter().map(|task| TaskRecovered {
        spec_id: task.spec.clone(),
        target: task.target.clone(),
        status: task.fate.status,
        statements_done: task.fate.done,
        why: task.fate.why.clone(),
        before: task.before,
    });
    PlanRecovered {
        plan: rebuilt.new.name.clone(),
        source: rebuilt.source.clone(),
        status,
        held: matches!(status, PlanStatus::Blocked | PlanStatus::WaitingForSheets),
        missing_sheets: rebuilt.missing.clone(),
        tasks: tasks.collect(),
    }
}
