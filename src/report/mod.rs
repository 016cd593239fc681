//! The one shape in which a plan's state is shown: by `status --json`, in `results/…/result.json`, and, drawn,
//! on the screen. Types and their making from stored rows; it decides nothing.

mod build;
mod error;
mod find;
mod log;

pub use build::{of_plan, summary};
pub use error::ErrorReport;
pub use find::{Subject, find};
pub use log::{LogBlock, LogPlace, LogReport, log_of};

use crate::store::{PlanStatus, RunStatus, TaskStatus};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A plan with all its stages, tasks and runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// `projects/{project}/plans/{plan}`.
    pub plan: String,
    /// For people.
    pub title: String,
    /// SHA-256 of the plan file.
    pub sha256: String,
    /// Where it stands.
    pub status: PlanStatus,
    /// When it was taken in.
    pub accepted_time: Timestamp,
    /// When its first task started.
    pub start_time: Option<Timestamp>,
    /// When it came to its end.
    pub end_time: Option<Timestamp>,
    /// The names of the sheets that have not come; only while it waits for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_sheets: Vec<String>,
    /// Its stages in their order.
    pub stages: Vec<StageReport>,
}

/// A stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageReport {
    /// For people.
    pub title: String,
    /// What its tasks come to together.
    pub status: StageStatus,
    /// Its tasks in the plan's order.
    pub tasks: Vec<TaskReport>,
}

/// What the tasks of a stage come to together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StageStatus {
    /// None of them has been run yet.
    NotStarted,
    /// Some run, or are free to.
    Running,
    /// Nothing in it can go on without an operator.
    Blocked,
    /// All are DONE or SKIPPED.
    Done,
    /// All have ended, and some FAILED.
    Failed,
    /// All have ended, none FAILED, some were CANCELED.
    Canceled,
}

/// A task.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskReport {
    /// The spec's id.
    pub spec_id: String,
    /// `instances/{instance}/databases/{database}`.
    pub target: String,
    /// The sheet's name.
    pub sheet: String,
    /// `MIGRATE` or `DATA`.
    #[serde(rename = "type")]
    pub change_type: String,
    /// The schema version that it brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<String>,
    /// Where it stands.
    pub status: TaskStatus,
    /// What it waits for.
    pub waiting: Option<WaitingReport>,
    /// What its running statement does; only from a daemon that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
    /// Its tries.
    pub runs: Vec<RunReport>,
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingReport {
    /// Which kind of cause.
    pub cause: WaitingCause,
    /// Whom or what for: spec ids (with their plan, where it is another), sheets, an instance.
    pub on: Vec<String>,
    /// Until when, where it is a time.
    pub until: Option<Timestamp>,
}

/// Why a task waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WaitingCause {
    /// Its earliest time has not come.
    Time,
    /// A task that it depends on is neither DONE nor SKIPPED.
    Dependency,
    /// A lower schema version of its database is not finished.
    Version,
    /// Another task is on its database.
    Lane,
    /// The instance's `max_connections` are in use.
    ConnectionLimit,
    /// The daemon's `max_running_tasks` are in use.
    RunningLimit,
    /// The stage before has not ended.
    Stage,
    /// The daemon is ending, and starts nothing.
    Draining,
    /// Its sheet has not come.
    MissingSheet,
    /// Its plan was rebuilt from a damaged state, and is held until an operator releases it.
    Held,
    /// No daemon runs.
    NoDaemon,
}

/// How far a running task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressReport {
    /// The statement that runs, from 1.
    pub statement: u64,
    /// The line where it begins.
    pub line: u64,
    /// Its beginning.
    pub excerpt: String,
    /// How long it has been running, in milliseconds.
    pub statement_millis: u64,
    /// Statements that ended well in this run.
    pub statements_done: u64,
    /// Rows that they changed.
    pub affected_rows: u64,
    /// Bytes of the sheet that are done with.
    pub bytes_done: u64,
    /// Bytes of the sheet.
    pub bytes_total: u64,
}

/// A try of a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// The try, from 1.
    pub attempt: u32,
    /// Where it stands.
    pub status: RunStatus,
    /// When it started.
    pub start_time: Timestamp,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// How often it was taken up again.
    pub resumes: u32,
    /// Statements of the sheet, once it was read to its end.
    pub statements_total: Option<u64>,
    /// Statements that took effect.
    pub statements_done: u64,
    /// Rows that they changed.
    pub affected_rows: u64,
    /// Why it ended as it did, where that is worth a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What failed.
    pub error: Option<ErrorReport>,
}

/// A plan in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// Its name.
    pub plan: String,
    /// For people.
    pub title: String,
    /// Where it stands.
    pub status: PlanStatus,
    /// When it was taken in.
    pub accepted_time: Timestamp,
    /// When its first task started.
    pub start_time: Option<Timestamp>,
    /// When it came to its end.
    pub end_time: Option<Timestamp>,
    /// How many tasks it has.
    pub tasks: u64,
    /// How many are DONE or SKIPPED.
    pub done: u64,
    /// How many run.
    pub running: u64,
    /// How many FAILED.
    pub failed: u64,
    /// How many are IN_DOUBT.
    pub in_doubt: u64,
}
