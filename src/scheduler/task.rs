//! A task as the scheduler sees it.

use super::{InstanceId, LaneId, PlanId, TaskId, Time};

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Its stage, a dependency, a lower version or its time has not come.
    NotStarted,
    /// Free to run; waits for its lane and its turn.
    Pending,
    /// A run of it is under way.
    Running,
    /// It took effect.
    Done,
    /// Its last run failed.
    Failed,
    /// An operator stopped it.
    Canceled,
    /// An operator said that it is not needed.
    Skipped,
    /// What its last statement did must be said by an operator.
    InDoubt,
}

impl Status {
    /// Whether those that wait for it may go on.
    pub const fn is_satisfied(self) -> bool {
        matches!(self, Self::Done | Self::Skipped)
    }
}

/// What was known of a task when the scheduler was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// New, or waiting when the daemon ended.
    Waiting,
    /// Its run was cut off: it goes on before anything else on its lane.
    Interrupted,
    /// It had come to this end, or to this doubt.
    At(Status),
}

/// A task to be taken up.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Its number.
    pub id: TaskId,
    /// Its database.
    pub lane: LaneId,
    /// Its instance.
    pub instance: InstanceId,
    /// Tasks of the same stage that must be done or skipped before.
    pub depends_on: Vec<TaskId>,
    /// Not before this.
    pub earliest: Option<Time>,
    /// Its schema version as a rank in its plan: it waits for every lower one of its stage and lane.
    pub rank: Option<u32>,
    /// Where it stood.
    pub restored: Restored,
}

#[derive(Debug)]
pub(super) struct Task {
    pub plan: PlanId,
    pub stage: usize,
    pub lane: LaneId,
    pub instance: InstanceId,
    pub earliest: Option<Time>,
    pub rank: Option<u32>,
    pub depends_on: Vec<TaskId>,
    pub dependants: Vec<TaskId>,
    /// How many of `depends_on` are neither done nor skipped.
    pub dependencies_open: usize,
    pub status: Status,
    /// Its last run goes on when it starts: it has passed every gate before.
    pub resume: bool,
}
