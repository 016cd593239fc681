//! Why a task waits: the true cause at this moment, found at a cost that depends on the task's own dependencies alone.

use super::consequence::lower_version;
use super::lane::Holder;
use super::{InstanceId, Scheduler, Status, TaskId, Time};

/// How many tasks are named at most.
const NAMED_MAX: usize = 20;

/// Why a task waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The stage before its own has not ended; this is the one that runs, from 0.
    Stage(usize),
    /// These are neither done nor skipped.
    Dependency(Vec<TaskId>),
    /// These bring a lower schema version and are neither done nor skipped.
    Version(Vec<TaskId>),
    /// Its time has not come.
    Time(Time),
    /// This one has its database, or comes before it there.
    Lane(TaskId),
    /// The instance has no room.
    ConnectionLimit(InstanceId),
    /// The daemon has no room.
    RunningLimit,
    /// Its plan is held until an operator lets it go on.
    Held,
    /// Nothing is started any more.
    Draining,
}

impl Scheduler {
    /// Why a task waits; nothing where it does not.
    pub fn waiting(&self, id: TaskId) -> Option<Waiting> {
        let task = self.tasks.get(&id)?;
        match task.status {
            Status::NotStarted => self.gated(id),
            Status::Pending => {
                let lane = self.lanes.get(&task.lane)?;
                match lane.holder {
                    Holder::Running(holder) | Holder::InDoubt(holder) => return Some(Waiting::Lane(holder)),
                    Holder::Nobody => {}
                }
                if self.draining {
                    return Some(Waiting::Draining);
                }
                match lane.first() {
                    Some(first) if first != id => Some(Waiting::Lane(first)),
                    Some(_) | None if self.queue.instance_is_full(task.instance) => {
                        Some(Waiting::ConnectionLimit(task.instance))
                    }
                    Some(_) | None => Some(Waiting::RunningLimit),
                }
            }
            Status::Running
            | Status::Done
            | Status::Failed
            | Status::Canceled
            | Status::Skipped
            | Status::InDoubt => None,
        }
    }

    fn gated(&self, id: TaskId) -> Option<Waiting> {
        let task = self.tasks.get(&id)?;
        let plan = self.plans.get(&task.plan)?;
        if plan.held {
            return Some(Waiting::Held);
        }
        if task.stage > plan.current {
            return Some(Waiting::Stage(plan.current));
        }
        if task.dependencies_open > 0 {
            let open = task
                .depends_on
                .iter()
                .copied()
                .filter(|other| self.status(*other).is_some_and(|status| !status.is_satisfied()));
            return Some(Waiting::Dependency(open.take(NAMED_MAX).collect()));
        }
        if let Some(tasks) = lower_version(plan, task) {
            let open = tasks
                .iter()
                .copied()
                .filter(|other| self.status(*other).is_some_and(|status| !status.is_satisfied()));
            return Some(Waiting::Version(open.take(NAMED_MAX).collect()));
        }
        task.earliest.map(Waiting::Time)
    }
}
