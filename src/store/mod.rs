//! The daemon's memory on disk: one SQLite file, one thread that writes to it, readers beside it, and
//! the sheets in a folder named by their content. What is not committed here has not happened.
//! It knows no scheduler, no driver and no socket: rows in, rows out.

mod error;
mod folder;
mod intents;
mod journal;
mod plans;
mod recovery;
mod runs;
mod salvage;
mod schema;
mod sessions;
mod sheets;
mod soundness;
mod tasks;
mod wal;
mod word;
mod writer;

pub use error::Error;
pub use folder::{StateFolder, make_folders};
pub use intents::{
    Intent, IntentEnd, IntentKind, NewIntent, end_intent, ended_intents, insert_intent, open_intents,
};
pub use journal::{
    AuditEntry, LogEntry, LogRow, append_audit, append_log, audit_of_plan, log_of_run, newest_log,
};
pub use plans::{
    NewPlan, NewStage, NewTask, PlanRow, PlanStatus, accept_plan, cancel_waiting_plan, plan_by_id,
    plan_by_name, plans, plans_not_ended, plans_not_shown, plans_waiting_for_sheets, roll_out, set_plan_held,
    set_plan_status, set_shown_end, stages,
};
pub use recovery::Recovery;
pub use runs::{Run, RunEnd, RunStatus, end_run, latest_run, resume_run, runs_of_plan, start_run};
pub use salvage::{Salvage, salvage};
pub use sessions::{session_of, set_session};
pub use sheets::{SheetRow, SheetUser, Sheets, insert_sheet, sheet_by_name, sheets_called, users_of_sheets};
pub use tasks::{
    TaskRow, TaskStatus, dependencies_of_plan, set_task_status, task_by_id, task_counts, tasks_of_plan,
};
use word::word;
pub use writer::{Reader, Store};

/// Milliseconds since 1970-01-01 UTC, as times are stored.
pub type Millis = i64;
