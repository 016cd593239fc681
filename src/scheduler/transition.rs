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
        self.clock(now);
        let mut plan = Plan {
            stages: Vec::with_capacity(stages.len()),
            current: 0,
            counts: Counts::default(),
            timed: 0,
            stuck: 0,
            said: PlanStatus::Running,
        };
        let mut interrupted = Vec::new();
        for (stage, index) in stages.into_iter().zip(0..) {
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
        self.touched.insert(id);
        for task in interrupted {
            self.release(task);
        }
        if let Some(stage) = self.plans.get(&id).and_then(|plan| plan.stages.first()) {
            self.consider_all(stage.tasks.clone());
        }
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

    /// An operator says what became of the statement in doubt: the run goes on, before anything else on its lane.
    pub fn resolve(&mut self, id: TaskId, now: Time) -> Result<Vec<Decision>, Refusal> {
        self.clock(now);
        match self.status(id).ok_or(Refusal::Unknown)? {
            Status::InDoubt => {
                let lane = self.tasks.get(&id).ok_or(Refusal::Unknown)?.lane;
                self.let_go_of_doubt(lane);
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

    /// Starts what may start, says where plans stand, and gives out what was decided.
    fn decide(&mut self) -> Vec<Decision> {
        while !self.draining
            && let Some(id) = self.queue.next()
        {
            self.start(id);
        }
        for id in std::mem::take(&mut self.touched) {
            let Some(plan) = self.plans.get_mut(&id) else { continue };
            let status = plan.status();
            if status != plan.said {
                plan.said = status;
                self.decisions.push(Decision::Plan(id, status));
            }
        }
        std::mem::take(&mut self.decisions)
    }

    fn start(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let (lane_id, resume, earliest) = (task.lane, task.resume, task.earliest);
        if let Some(earliest) = earliest {
            self.due.remove(&(earliest, id));
        }
        if let Some(lane) = self.lanes.get_mut(&lane_id) {
            assert!(lane.holder == Holder::Nobody, "a lane that is held has nobody in the queue");
            lane.holder = Holder::Running(id);
            lane.queued = None;
            lane.resuming.remove(&id);
            lane.free.remove(&id);
        }
        self.count(id, Status::Running);
        self.decisions.push(Decision::Start { task: id, resume });
    }

    /// The clock shows `now`: what is due is free, and what is not due any more waits again.
    fn clock(&mut self, now: Time) {
        self.now = now;
        while let Some((time, id)) = self.timed.first().copied()
            && time <= now
        {
            self.timed.pop_first();
            self.untimed(id);
            self.release(id);
        }
        while let Some((time, id)) = self.due.last().copied()
            && time > now
        {
            self.due.pop_last();
            self.withdraw(id);
            self.set(id, Status::NotStarted);
            self.consider(id);
        }
    }

    fn untimed(&mut self, id: TaskId) {
        let plan = self.tasks.get(&id).map(|task| task.plan);
        if let Some(plan) = plan.and_then(|plan| self.plans.get_mut(&plan)) {
            plan.timed -= 1;
        }
        if let Some(plan) = plan {
            self.touched.insert(plan);
        }
    }

    fn consider_all(&mut self, tasks: Vec<TaskId>) {
        tasks.into_iter().for_each(|task| self.consider(task));
    }

    /// Frees a task that has not started, if nothing but its turn is lacking.
    fn consider(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else { return };
        let Some(plan) = self.plans.get(&task.plan) else { return };
        let blocked = task.status != Status::NotStarted
            || task.stage > plan.current
            || task.dependencies_open > 0
            || lower_version(plan, task).is_some();
        if blocked {
            return;
        }
        match task.earliest {
            Some(time) if time > self.now => {
                let plan = task.plan;
                if self.timed.insert((time, id))
                    && let Some(plan) = self.plans.get_mut(&plan)
                {
                    plan.timed += 1;
                }
                self.touched.insert(plan);
            }
            Some(_) | None => self.release(id),
        }
    }

    /// Makes a task pending on its lane.
    fn release(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else { return };
        let (lane_id, resume, earliest) = (task.lane, task.resume, task.earliest);
        let lane = self.lanes.entry(lane_id).or_insert_with(Lane::new);
        let doubt = matches!(lane.holder, Holder::InDoubt(_));
        if resume {
            lane.resuming.insert(id);
        } else {
            lane.free.insert(id);
            if let Some(earliest) = earliest {
                self.due.insert((earliest, id));
            }
        }
        self.set(id, Status::Pending);
        if doubt {
            self.stuck(id, true);
        }
        self.refresh(lane_id);
    }

    /// Takes a task from wherever it waits, before its status changes.
    fn withdraw(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.resume = false;
        let (lane_id, earliest) = (task.lane, task.earliest);
        if let Some(earliest) = earliest {
            self.due.remove(&(earliest, id));
            if self.timed.remove(&(earliest, id)) {
                self.untimed(id);
            }
        }
        let Some(lane) = self.lanes.get_mut(&lane_id) else { return };
        let was = lane.free.remove(&id) | lane.resuming.remove(&id);
        if was && matches!(lane.holder, Holder::InDoubt(_)) {
            self.stuck(id, false);
        }
        self.refresh(lane_id);
    }

    fn stuck(&mut self, id: TaskId, yes: bool) {
        let Some(plan_id) = self.tasks.get(&id).map(|task| task.plan) else { return };
        if let Some(plan) = self.plans.get_mut(&plan_id) {
            plan.stuck = if yes { plan.stuck + 1 } else { plan.stuck - 1 };
        }
        self.touched.insert(plan_id);
    }

    /// A lane is now held by a task in doubt: all that wait for it wait for an operator.
    fn hold_in_doubt(&mut self, lane: super::LaneId) {
        self.waiters(lane).into_iter().for_each(|id| self.stuck(id, true));
        self.refresh(lane);
    }

    fn let_go_of_doubt(&mut self, lane: super::LaneId) {
        self.waiters(lane).into_iter().for_each(|id| self.stuck(id, false));
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.holder = Holder::Nobody;
        }
        self.refresh(lane);
    }

    fn waiters(&self, lane: super::LaneId) -> Vec<TaskId> {
        self.lanes
            .get(&lane)
            .map(|lane| lane.free.union(&lane.resuming).copied().collect())
            .unwrap_or_default()
    }

    /// Sees that the lane's next task, and no other, stands in the queue.
    fn refresh(&mut self, id: super::LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let wanted = lane.candidate();
        if wanted == lane.queued {
            return;
        }
        let before = std::mem::replace(&mut lane.queued, wanted);
        if let Some(task) = before.and_then(|task| self.tasks.get(&task).map(|found| (task, found))) {
            self.queue.remove(task.1.plan, task.1.instance, task.0);
        }
        if let Some(task) = wanted.and_then(|task| self.tasks.get(&task).map(|found| (task, found))) {
            self.queue.insert(task.1.plan, task.1.instance, task.0);
        }
    }

    /// Changes the counts with a status.
    fn count(&mut self, id: TaskId, to: Status) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let from = std::mem::replace(&mut task.status, to);
        self.touched.insert(task.plan);
        if let Some(plan) = self.plans.get_mut(&task.plan) {
            let stage = plan.stages.get_mut(task.stage).map(|stage| &mut stage.counts);
            for counts in stage.into_iter().chain([&mut plan.counts]) {
                *counts.of(from) -= 1;
                *counts.of(to) += 1;
            }
        }
    }

    /// Sets a status, and frees whom it frees.
    fn set(&mut self, id: TaskId, to: Status) {
        if self.status(id) == Some(to) {
            return;
        }
        self.count(id, to);
        self.decisions.push(Decision::Task(id, to));
        if to.is_satisfied() {
            self.satisfied(id);
        }
        if let Some(plan) = self.plan_of(id) {
            self.pass_stages(plan);
        }
    }

    fn satisfied(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let dependants = std::mem::take(&mut task.dependants);
        let (plan_id, stage, lane, rank) = (task.plan, task.stage, task.lane, task.rank);
        for other in dependants {
            if let Some(other) = self.tasks.get_mut(&other) {
                other.dependencies_open -= 1;
            }
            self.consider(other);
        }
        let Some(rank) = rank else { return };
        let Some(stage) = self.plans.get_mut(&plan_id).and_then(|plan| plan.stages.get_mut(stage)) else {
            return;
        };
        let Some(versions) = stage.versions.get_mut(&lane) else { return };
        let Some(version) = versions.get_mut(&rank) else { return };
        version.open -= 1;
        if version.open == 0 {
            let lowest = versions.first_key_value().map(|(rank, _)| *rank);
            versions.remove(&rank);
            // Those of the next rank waited only if this was the lowest.
            let freed = versions.first_key_value().filter(|_| lowest == Some(rank));
            let freed = freed.map(|(_, version)| version.tasks.clone()).unwrap_or_default();
            self.consider_all(freed);
        }
    }

    /// Goes on to the next stage as long as the current one has ended.
    fn pass_stages(&mut self, id: PlanId) {
        loop {
            let Some(plan) = self.plans.get_mut(&id) else { return };
            let ended = plan.stages.get(plan.current).is_some_and(|stage| stage.counts.ended(self.gate));
            if !ended || plan.current + 1 >= plan.stages.len() {
                return;
            }
            plan.current += 1;
            let tasks = plan.stages.get(plan.current).map(|stage| stage.tasks.clone()).unwrap_or_default();
            self.consider_all(tasks);
        }
    }
}

/// The lowest unfinished version that a task waits for, if it waits for one.
pub(super) fn lower_version<'a>(plan: &'a Plan, task: &Task) -> Option<&'a [TaskId]> {
    let rank = task.rank?;
    let versions = plan.stages.get(task.stage)?.versions.get(&task.lane)?;
    let (lowest, version) = versions.first_key_value()?;
    (*lowest < rank).then_some(version.tasks.as_slice())
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
