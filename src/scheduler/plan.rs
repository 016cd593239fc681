//! A plan as the scheduler sees it: its stages, and counts from which its status follows at once.

use super::{LaneId, Status, TaskId};
use std::collections::{BTreeMap, HashMap};

/// When a stage has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Gate {
    /// When every task is done or skipped.
    #[default]
    DoneOrSkipped,
    /// When every task is done, skipped, failed or canceled.
    Ended,
}

impl Gate {
    /// The words of the config.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DoneOrSkipped => "done",
            Self::Ended => "ended",
        }
    }
}

/// Where a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlanStatus {
    /// Something runs, or will without an operator.
    Running,
    /// Nothing goes on without an operator: what is left waits for one that failed, was canceled or is in doubt, be it of another
    /// plan on the same database.
    Blocked,
    /// Every task is done or skipped.
    Done,
    /// Every task has ended, and some failed.
    Failed,
    /// Every task has ended, none failed, and some were canceled.
    Canceled,
}

impl PlanStatus {
    /// Whether every task has ended.
    pub const fn is_end(self) -> bool {
        match self {
            Self::Done | Self::Failed | Self::Canceled => true,
            Self::Running | Self::Blocked => false,
        }
    }
}

/// How many tasks stand where.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub all: usize,
    pub not_started: usize,
    pub pending: usize,
    pub running: usize,
    pub done: usize,
    pub failed: usize,
    pub canceled: usize,
    pub skipped: usize,
    pub in_doubt: usize,
}

impl Counts {
    pub fn of(&mut self, status: Status) -> &mut usize {
        match status {
            Status::NotStarted => &mut self.not_started,
            Status::Pending => &mut self.pending,
            Status::Running => &mut self.running,
            Status::Done => &mut self.done,
            Status::Failed => &mut self.failed,
            Status::Canceled => &mut self.canceled,
            Status::Skipped => &mut self.skipped,
            Status::InDoubt => &mut self.in_doubt,
        }
    }

    /// Whether a stage with these tasks has ended.
    pub fn ended(&self, gate: Gate) -> bool {
        let satisfied = self.done + self.skipped;
        match gate {
            Gate::DoneOrSkipped => satisfied == self.all,
            Gate::Ended => satisfied + self.failed + self.canceled == self.all,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Stage {
    pub tasks: Vec<TaskId>,
    pub counts: Counts,
    /// By lane and rank: the tasks, and how many of them are neither done nor skipped. A rank of which none is left is
    /// taken out, so that the first one is the lowest that others wait for.
    pub versions: HashMap<LaneId, BTreeMap<u32, Version>>,
}

#[derive(Debug, Default)]
pub(super) struct Version {
    pub tasks: Vec<TaskId>,
    pub open: usize,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub stages: Vec<Stage>,
    /// The stage whose tasks may run; those of earlier ones may too.
    pub current: usize,
    pub counts: Counts,
    /// Tasks that wait for nothing but their time.
    pub timed: usize,
    /// Pending tasks whose lane is held by a task in doubt.
    pub stuck: usize,
    /// Nothing of it is free to run before an operator has let it go on.
    pub held: bool,
    /// What was last said of it.
    pub said: PlanStatus,
}

impl Plan {
    pub fn status(&self) -> PlanStatus {
        let counts = &self.counts;
        if counts.done + counts.skipped == counts.all {
            PlanStatus::Done
        } else if counts.running > 0 || counts.pending > self.stuck || self.timed > 0 {
            PlanStatus::Running
        } else if counts.not_started + counts.pending + counts.in_doubt > 0 {
            PlanStatus::Blocked
        } else if counts.failed > 0 {
            PlanStatus::Failed
        } else {
            PlanStatus::Canceled
        }
    }
}
