//! The lines that go over the socket.

use crate::report::{LogPlace, LogReport, PlanReport, PlanSummary};
use serde::{Deserialize, Serialize};

/// The longest line that either side takes.
pub const LINE_BYTES_MAX: usize = 256 << 20;

/// A plan or a task as a person names it: a plan's full name or any unique end or beginning of it, for a task followed
/// by `/` and a unique beginning of its spec's id.
pub type Selector = String;

/// What a command asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// All plans, newest last.
    Plans,
    /// One plan, whole.
    Plan {
        /// Which.
        plan: Selector,
    },
    /// The log of a plan's or a task's runs, from where the asker stands.
    Log {
        /// Which plan or task.
        of: Selector,
        /// Where the asker stands.
        place: LogPlace,
    },
    /// Run what FAILED or was CANCELED again.
    Retry {
        /// Which plan or task.
        of: Selector,
        /// Why.
        reason: String,
    },
    /// Take a task for not needed.
    Skip {
        /// Which plan or task.
        of: Selector,
        /// Why.
        reason: String,
    },
    /// Stop a task, or all of a plan that has not ended.
    Cancel {
        /// Which plan or task.
        of: Selector,
        /// Why.
        reason: String,
    },
    /// Let a plan go on that was rebuilt from a damaged state.
    Release {
        /// Which plan.
        of: Selector,
        /// Why.
        reason: String,
    },
    /// Say what became of the statement of a task that is IN_DOUBT.
    Resolve {
        /// Which task.
        of: Selector,
        /// Whether it took effect.
        applied: bool,
        /// Why, or how that is known.
        reason: String,
    },
    /// Look into the inbox now.
    Scan,
}

/// What the daemon answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Answer {
    /// All plans.
    Plans {
        /// In the order of acceptance.
        plans: Vec<PlanSummary>,
    },
    /// One plan.
    Plan {
        /// The plan.
        plan: Box<PlanReport>,
    },
    /// Logs.
    Log {
        /// The logs.
        log: LogReport,
    },
    /// It was done and is on the disk: what was, in a sentence for each task.
    Done {
        /// The sentences.
        did: Vec<String>,
    },
    /// It was not done.
    Refused {
        /// Why, and what to do.
        why: String,
        /// Whether it was the asker's mistake (no such plan, ambiguous, not in that status).
        usage: bool,
    },
}
