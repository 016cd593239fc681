//! What a run is given, and what it comes to: plain data.

use super::progress::Progress;
use super::stop::Stop;
use super::surveys::Surveys;
use crate::driver::Library;
use crate::report::ErrorReport;
use runsheet_sdk::Settings;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// An instance as the executor needs it.
#[derive(Debug)]
pub struct Instance {
    /// Its name in the config.
    pub name: String,
    /// Its driver.
    pub driver: Library,
    /// The driver's settings.
    pub settings: Settings,
    /// Whether the targets get a ledger table.
    pub ledger: bool,
    /// How many connections there may be at once, idle ones included.
    pub max_connections: u32,
    /// What becomes of an earlier session that still runs a statement.
    pub orphans: Orphans,
    /// How often a run that failed by chance is tried again by itself.
    pub retry: Retry,
    /// What its sheets hold.
    pub surveys: Surveys,
}

/// What becomes of a session of a dead daemon that still runs its last statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// It is waited for.
    Wait,
    /// It is ended.
    Cancel,
}

/// How a run that failed by chance (a lock timeout, a deadlock, a lost connection that certainly left nothing behind) is
/// tried again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often it is tried in all.
    pub attempts: u32,
    /// How long before the second; each next waits twice as long.
    pub backoff: Duration,
}

/// A schema version.
#[derive(Clone, Debug)]
pub struct SchemaVersion {
    /// As the plan has it.
    pub written: String,
    /// As ledgers have it: the same for all ways to write the same version.
    pub key: String,
}

/// One run to be made.
#[derive(Clone, Debug)]
pub struct Job {
    /// The task.
    pub task_id: i64,
    /// The run.
    pub run_id: i64,
    /// The try, from 1.
    pub attempt: u32,
    /// Whether an earlier daemon, or an earlier run before an operator's word, has begun it.
    pub resumed: bool,
    /// The plan's name.
    pub plan: String,
    /// SHA-256 of the plan file.
    pub plan_sha256: String,
    /// The spec's id.
    pub spec: String,
    /// The sheet's name.
    pub sheet: String,
    /// SHA-256 of the sheet.
    pub sheet_sha256: String,
    /// The sheet's file.
    pub sheet_path: PathBuf,
    /// The schema version that the task brings.
    pub schema_version: Option<SchemaVersion>,
    /// Where.
    pub instance: Arc<Instance>,
    /// Which database there.
    pub database: String,
    /// How it is stopped.
    pub stop: Arc<Stop>,
    /// How far it is.
    pub progress: Arc<Progress>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum End {
    /// Every statement took effect.
    Done {
        /// Why nothing was run, or another remark.
        detail: Option<String>,
    },
    /// A statement failed; what took effect before it stays, and is not run again by a retry.
    Failed {
        /// What failed.
        error: Box<ErrorReport>,
        /// What it means for the data.
        detail: String,
        /// Whether it failed by chance and certainly left nothing behind, so that trying again by itself makes sense.
        by_chance: bool,
    },
    /// Stopped by an operator.
    Canceled {
        /// What it means for the data.
        detail: String,
    },
    /// Whether a statement took effect cannot be known.
    InDoubt {
        /// Which, and why.
        error: Box<ErrorReport>,
        /// What is known, and what each answer would do.
        detail: String,
    },
    /// The daemon is ending, or can record nothing more: the run is taken up again at the next start.
    Interrupted,
}

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How.
    pub end: End,
    /// Statements of the sheet, where it could be read to its end.
    pub statements_total: Option<u64>,
    /// Statements that took effect, those of earlier tries included.
    pub statements_done: u64,
    /// Rows that the statements of this try changed.
    pub affected_rows: u64,
}
