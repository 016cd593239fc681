//! The events, and what each does to the states.

use super::lane::{Holder, Lane};
use super::plan::{Counts, Gate, Plan, PlanStatus, Stage};
use super::task::{NewTask, Restored, Status, Task};
use super::{Decision, Limits, PlanId, Scheduler, TaskId, Time};
use std::collections::HashMap;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It took effect.
    Done,
    /// It failed.
    Failed,
    /// It was stopped.
    Canceled,
    /// What its last statement did cannot be known.
    InDoubt,
}

impl End {
    const fn status(self) -> Status {
        match self {
            Self::Done => Status::Done,
            Self::Failed => Status::Failed,
            Self::Canceled => Status::Canceled,
            Self::InDoubt => Status::InDoubt,
        }
    }
}

/// An event that does not fit the state; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such task.
    #[error("the task is not known")]
    Unknown,
    /// The plan is not held.
    #[error("the plan is not held")]
    NotHeld,
    /// It stands where this makes no sense.
    #[error("{event} does not fit a task that is {status:?}")]
    Unfit {
        /// What was asked.
        event: &'static str,
        /// Where the task stands.
        status: Status,
    },
}

impl Scheduler {
    /// Takes up a plan: a new one, or a stored one with where its tasks stood.
    pub fn accept(&mut self, id: PlanId, stages: Vec<Vec<NewTask>>, now: Time) -> Vec<Decision> {
        self.take_up(id, stages, false, now)
    }

    /// Takes up a stored plan of which nothing is free to run before [`Scheduler::release_plan`]. Its tasks in doubt hold their
    /// lanes all the same.
    pub fn accept_held(&mut self, id: PlanId, stages: Vec<Vec<NewTask>>, now: Time) -> Vec<Decision> {
        self.take_up(id, stages, true, now)
    }

    fn take_up(&mut self, id: PlanId, stages: Vec<Vec<NewTask>>, held: bool, now: Time) -> Vec<Decision> {
        self.clock(now);
        let mut plan = Plan {
            stages: Vec::with_capacity(stages.len()),
            current: 0,
            counts: Counts::default(),
            timed: 0,
            stuck: 0,
            held,
            said: PlanStatus::Running,
        };
        let mut interrupted = Vec::new();
        for (stage, index) in stages.into_iter().zip(0..) {
            // A stage that was reached once stays open, even where a retry has made an earlier one go on again.
            if stage.iter().any(|new| was_reached(new.restored)) {
                plan.current = index;
            }
            let mut dependants: HashMap<TaskId, Vec<TaskId>> = HashMap::new();
            let satisfied: HashMap<TaskId, bool> = stage
                .iter()
                .map(|task| (task.id, matches!(task.restored, Restored::At(status) if status.is_satisfied())))
                .collect();
            let mut made = Stage::default();
            for new in stage {
                for other in &new.depends_on {
                    dependants.entry(*other).or_default().push(new.id);
                }
                let open = new.depends_on.iter().filter(|other| satisfied.get(other) == Some(&false)).count();
                if new.restored == Restored::Interrupted {
                    interrupted.push(new.id);
                }
                self.add(id, index, &mut plan, &mut made, new, open);
            }
            for (task, those) in dependants {
                if let Some(task) = self.tasks.get_mut(&task) {
                    task.dependants = those;
                }
            }
            plan.stages.push(made);
        }
        self.plans.insert(id, plan);
        self.active += 1;
        self.touched.insert(id);
        if !held {
            interrupted.into_iter().for_each(|task| self.release(task));
        }
        self.consider_open(id);
        self.pass_stages(id);
        // A plan is told of even if it stands where a new one would.
        let status = self.plans.get(&id).map(Plan::status);
        let mut decisions = self.decide();
        if status == Some(PlanStatus::Running) {
            decisions.push(Decision::Plan(id, PlanStatus::Running));
        }
        decisions
    }

    fn add(
        &mut self,
        id: PlanId,
        stage: usize,
        plan: &mut Plan,
        made: &mut Stage,
        new: NewTask,
        open: usize,
    ) {
        let status = match new.restored {
            Restored::Waiting | Restored::Interrupted => Status::NotStarted,
            Restored::At(status) => status,
        };
        for counts in [&mut plan.counts, &mut made.counts] {
            counts.all += 1;
            *counts.of(status) += 1;
        }
        if let Some(rank) = new.rank
            && !status.is_satisfied()
        {
            let version = made.versions.entry(new.lane).or_default().entry(rank).or_default();
            version.tasks.push(new.id);
            version.open += 1;
        }
        made.tasks.push(new.id);
        let lane = self.lanes.entry(new.lane).or_insert_with(Lane::new);
        if status == Status::InDoubt {
            lane.holder = Holder::InDoubt(new.id);
        }
        let task = Task {
            plan: id,
            stage,
            lane: new.lane,
            instance: new.instance,
            earliest: new.earliest,
            rank: new.rank,
            dependencies_open: open,
            depends_on: new.depends_on,
            dependants: Vec::new(),
            status,
            resume: new.restored == Restored::Interrupted,
        };
        self.tasks.insert(new.id, task);
        if status == Status::InDoubt {
            self.hold_in_doubt(new.lane);
        }
    }

    /// An operator lets a held plan go on.
    pub fn release_plan(&mut self, id: PlanId, now: Time) -> Result<Vec<Decision>, Refusal> {
        self.clock(now);
        let plan = self.plans.get_mut(&id).ok_or(Refusal::Unknown)?;
        if !std::mem::take(&mut plan.held) {
            return Err(Refusal::NotHeld);
        }
        self.touched.insert(id);
        self.consider_open(id);
        self.pass_stages(id);
        Ok(self.decide())
    }

    /// Frees what may run of the stages that are open.
    fn consider_open(&mut self, id: PlanId) {
        let open = self.plans.get(&id).map(|plan| plan.stages.iter().take(plan.current + 1));
        let open: Vec<TaskId> =
            open.into_iter().flatten().flat_map(|stage| stage.tasks.iter().copied()).collect();
        self.consider_all(open);
    }

    /// Everything that was stored has been accepted: only now may tasks start, since a lane may be held, or a run be cut off, in
    /// any of the plans.
    pub fn begin(&mut self, now: Time) -> Vec<Decision> {
        self.clock(now);
        self.taking_up = false;
        self.decide()
    }

    /// The clock shows this now.
    pub fn time_passed(&mut self, now: Time) -> Vec<Decision> {
        self.clock(now);
        self.decide()
    }

    /// A run has ended.
    pub fn ended(&mut self, id: TaskId, end: End, now: Time) -> Result<Vec<Decision>, Refusal> {
        self.clock(now);
        let task = self.tasks.get_mut(&id).ok_or(Refusal::Unknown)?;
        if task.status != Status::Running {
            return Err(Refusal::Unfit { event: "the end of a run", status: task.status });
        }
        task.resume = false;
        let (lane, instance) = (task.lane, task.instance);
        self.queue.ended(instance);
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.holder = match end {
                End::InDoubt => Holder::InDoubt(id),
                End::Done | End::Failed | End::Canceled => Holder::Nobody,
            };
        }
        self.set(id, end.status());
        if end == End::InDoubt {
            self.hold_in_doubt(lane);
        }
        self.refresh(lane);
        Ok(self.decide())
    }

    /// An operator wants a task run again.
    pub fn retry(&mut self, id: TaskId, now: Time) -> Result<Vec<Decision>, Refusal> {
        self.clock(now);
        match self.status(id).ok_or(Refusal::Unknown)? {
            Status::Failed | Status::Canceled => {
                self.set(id, Status::NotStarted);
                self.consider(id);
                Ok(self.decide())
            }
            status @ (Status::NotStarted
            | Status::Pending
            | Status::Running
            | Status::Done
            | Status::Skipped
            | Status::InDoubt) => Err(Refusal::Unfit { event: "retry", status }),
        }
    }

    /// An operator says that a task is not needed.
    pub fn skip(&mut self, id: TaskId, now: Time) -> Result<Vec<Decision>, Refusal> {
        self.clock(now);
        match self.status(id).ok_or(Refusal::Unknown)? {
            Status::NotStarted | Status::Pending | Status::Failed | Status::Canceled => {
                self.withdraw(id);
                self.set(id, Status::Skipped);
                Ok(self.decide())
            }
            status @ (Status::Running | Status::Done | Status::Skipped | Status::InDoubt) => {
                Err(Refusal::Unfit { event: "skip", status })
            }
        }
    }

    /// An operator wants a task stopped.
    pub fn cancel(&mut self, id: TaskId, now: Time) -> Result<Vec<Decision>, Refusal> {
        self.clock(now);
        match self.status(id).ok_or(Refusal::Unknown)? {
            Status::NotStarted | Status::Pending => {
                self.withdraw(id);
                self.set(id, Status::Canceled);
                Ok(self.decide())
            }
            Status::Running => {
                self.decisions.push(Decision::Cancel(id));
                Ok(self.decide())
            }
            status @ (Status::Done
            | Status::Failed
            | Status::Canceled
            | Status::Skipped
            | Status::InDoubt) => Err(Refusal::Unfit { event: "cancel", status }),
        }
    }

    /// An operator says what became of the statement in doubt: the run goes on, before anything else on its lane. Of a plan
    /// that is held, it is run when that is let go.
    pub fn resolve(&mut self, id: TaskId, now: Time) -> Result<Vec<Decision>, Refusal> {
        self.clock(now);
        match self.status(id).ok_or(Refusal::Unknown)? {
            Status::InDoubt => {
                let lane = self.tasks.get(&id).ok_or(Refusal::Unknown)?.lane;
                self.let_go_of_doubt(lane);
                if self.is_held(id) {
                    self.set(id, Status::NotStarted);
                    return Ok(self.decide());
                }
                if let Some(task) = self.tasks.get_mut(&id) {
                    task.resume = true;
                }
                self.release(id);
                Ok(self.decide())
            }
            status @ (Status::NotStarted
            | Status::Pending
            | Status::Running
            | Status::Done
            | Status::Failed
            | Status::Canceled
            | Status::Skipped) => Err(Refusal::Unfit { event: "resolve", status }),
        }
    }

    /// Nothing new is to be started any more.
    pub fn drain(&mut self, now: Time) -> Vec<Decision> {
        self.clock(now);
        self.draining = true;
        self.decide()
    }

    /// The config has changed.
    pub fn configure(&mut self, gate: Gate, limits: Limits, now: Time) -> Vec<Decision> {
        self.clock(now);
        self.gate = gate;
        self.queue.set_limits(limits);
        let plans: Vec<PlanId> = self.plans.keys().copied().collect();
        for plan in plans {
            self.pass_stages(plan);
        }
        self.decide()
    }
}

/// Whether a task has been free, so that its stage was reached.
fn was_reached(restored: Restored) -> bool {
    match restored {
        Restored::Interrupted => true,
        Restored::Waiting => false,
        Restored::At(status) => match status {
            Status::Pending | Status::Running | Status::Done | Status::Failed | Status::InDoubt => true,
            Status::NotStarted | Status::Canceled | Status::Skipped => false,
        },
    }
}
