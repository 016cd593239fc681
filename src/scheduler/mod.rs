//! The order of tasks: a pure state machine. Events go in with the time, decisions come out; it has no clock, no thread and no
//! I/O, and knows tasks only as numbers. The cost of an event does not grow with the plans: every set that a rule
//! needs is kept, never searched for.
//!
//! The rules: a stage starts when the one before has ended; one task at a time on a lane (a database, across all plans), in the
//! order of acceptance; dependencies and lower schema versions first; not before a task's time; never more than the
//! limits; and no plan waits for ever behind another (see `queue`). A task that waits holds up nobody.

mod consequence;
mod lane;
mod plan;
mod queue;
mod task;
mod transition;
mod waiting;

pub use plan::{Gate, PlanStatus};
pub use task::{NewTask, Restored, Status};
pub use transition::{End, Refusal};
pub use waiting::Waiting;

use lane::Lane;
use plan::Plan;
use queue::Queue;
use std::collections::{BTreeSet, HashMap};
use task::Task;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);
    };
}

number! {
    /// A task; grows in the order of acceptance, and within a plan in its order.
    TaskId(i64)
}
number! {
    /// A plan.
    PlanId(i64)
}
number! {
    /// A database, across all plans.
    LaneId(u32)
}
number! {
    /// An instance.
    InstanceId(u32)
}
number! {
    /// The wall clock, in milliseconds since 1970.
    Time(i64)
}

/// What is to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The task stands here now.
    Task(TaskId, Status),
    /// The task is to be run; its status is running.
    Start {
        /// Which.
        task: TaskId,
        /// Whether its last run goes on, instead of a new one.
        resume: bool,
    },
    /// The running task is to be stopped; how it ends counts.
    Cancel(TaskId),
    /// The plan stands here now.
    Plan(PlanId, PlanStatus),
}

/// How much may run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tasks of all plans.
    pub running: u32,
    /// Tasks on each instance; one that is not named may run none.
    pub instances: HashMap<InstanceId, u32>,
}

/// The scheduler.
#[derive(Debug)]
pub struct Scheduler {
    gate: Gate,
    now: Time,
    draining: bool,
    /// What was stored is still being taken up: nothing is started before all of it is known.
    taking_up: bool,
    tasks: HashMap<TaskId, Task>,
    plans: HashMap<PlanId, Plan>,
    /// How many of them were last said to be running.
    active: usize,
    lanes: HashMap<LaneId, Lane>,
    queue: Queue,
    /// Tasks that wait for nothing but their time.
    timed: BTreeSet<(Time, TaskId)>,
    /// Tasks whose time has come but which have not started: if the clock is set back, they wait again.
    due: BTreeSet<(Time, TaskId)>,
    /// Plans whose status may have changed in this event.
    touched: BTreeSet<PlanId>,
    decisions: Vec<Decision>,
}

impl Scheduler {
    /// Without any plan.
    pub fn new(gate: Gate, limits: Limits, now: Time) -> Self {
        Self {
            gate,
            now,
            draining: false,
            taking_up: true,
            tasks: HashMap::new(),
            plans: HashMap::new(),
            active: 0,
            lanes: HashMap::new(),
            queue: Queue::new(limits),
            timed: BTreeSet::new(),
            due: BTreeSet::new(),
            touched: BTreeSet::new(),
            decisions: Vec::new(),
        }
    }

    /// When the next task's time comes, if one waits for it alone.
    pub fn next_wake(&self) -> Option<Time> {
        self.timed.first().map(|(time, _)| *time)
    }

    /// Whether a plan is known.
    pub fn knows(&self, plan: PlanId) -> bool {
        self.plans.contains_key(&plan)
    }

    /// Where a plan stands.
    pub fn plan_status(&self, plan: PlanId) -> Option<PlanStatus> {
        self.plans.get(&plan).map(|plan| plan.said)
    }

    /// Where a task stands.
    pub fn status(&self, task: TaskId) -> Option<Status> {
        self.tasks.get(&task).map(|task| task.status)
    }

    /// How many tasks a plan has.
    pub fn size_of(&self, plan: PlanId) -> usize {
        self.plans.get(&plan).map_or(0, |plan| plan.stages.iter().map(|stage| stage.tasks.len()).sum())
    }

    /// The tasks of a plan in its order.
    pub fn tasks_of(&self, plan: PlanId) -> impl Iterator<Item = TaskId> {
        self.plans
            .get(&plan)
            .into_iter()
            .flat_map(|plan| &plan.stages)
            .flat_map(|stage| stage.tasks.iter().copied())
    }

    /// The plan of a task.
    pub fn plan_of(&self, task: TaskId) -> Option<PlanId> {
        self.tasks.get(&task).map(|task| task.plan)
    }

    /// How many plans are known, and how many of them can go on by themselves.
    pub fn counts(&self) -> (usize, usize) {
        (self.plans.len(), self.active)
    }

    /// Forgets a plan of which nothing runs. One that is asked for again must be accepted again.
    pub fn forget(&mut self, plan: PlanId) {
        let ended = self.plans.get(&plan).is_some_and(|plan| plan.said.is_end());
        if !ended {
            return;
        }
        self.queue.forget(plan);
        if let Some(plan) = self.plans.remove(&plan) {
            for task in plan.stages.iter().flat_map(|stage| &stage.tasks) {
                self.tasks.remove(task);
            }
        }
    }
}
