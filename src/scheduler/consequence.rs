//! What a change of one task means for the others: who is free to run now, who must wait again, which stage or plan has ended.

use super::lane::{Holder, Lane};
use super::plan::{Plan, PlanStatus};
use super::task::{Status, Task};
use super::{Decision, PlanId, Scheduler, TaskId, Time};

impl Scheduler {
    /// Starts what may start, says where plans stand, and gives out what was decided.
    pub(super) fn decide(&mut self) -> Vec<Decision> {
        while !self.draining
            && !self.taking_up
            && let Some(id) = self.queue.next()
        {
            self.start(id);
        }
        for id in std::mem::take(&mut self.touched) {
            let Some(plan) = self.plans.get_mut(&id) else { continue };
            let status = plan.status();
            if status != plan.said {
                self.active += usize::from(status == PlanStatus::Running);
                self.active -= usize::from(plan.said == PlanStatus::Running);
                plan.said = status;
                self.decisions.push(Decision::Plan(id, status));
            }
        }
        std::mem::take(&mut self.decisions)
    }

    pub(super) fn start(&mut self, id: TaskId) {
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
    pub(super) fn clock(&mut self, now: Time) {
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

    pub(super) fn untimed(&mut self, id: TaskId) {
        let plan = self.tasks.get(&id).map(|task| task.plan);
        if let Some(plan) = plan.and_then(|plan| self.plans.get_mut(&plan)) {
            plan.timed -= 1;
        }
        if let Some(plan) = plan {
            self.touched.insert(plan);
        }
    }

    pub(super) fn consider_all(&mut self, tasks: Vec<TaskId>) {
        tasks.into_iter().for_each(|task| self.consider(task));
    }

    /// Frees a task that has not started, if nothing but its turn is lacking.
    pub(super) fn consider(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else { return };
        let Some(plan) = self.plans.get(&task.plan) else { return };
        let blocked = task.status != Status::NotStarted
            || plan.held
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
    pub(super) fn release(&mut self, id: TaskId) {
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
    pub(super) fn withdraw(&mut self, id: TaskId) {
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

    /// Whether the plan of a task waits for an operator to let it go on.
    pub(super) fn is_held(&self, id: TaskId) -> bool {
        self.plan_of(id).and_then(|plan| self.plans.get(&plan)).is_some_and(|plan| plan.held)
    }

    pub(super) fn stuck(&mut self, id: TaskId, yes: bool) {
        let Some(plan_id) = self.tasks.get(&id).map(|task| task.plan) else { return };
        if let Some(plan) = self.plans.get_mut(&plan_id) {
            plan.stuck = if yes { plan.stuck + 1 } else { plan.stuck - 1 };
        }
        self.touched.insert(plan_id);
    }

    /// A lane is now held by a task in doubt: all that wait for it wait for an operator.
    pub(super) fn hold_in_doubt(&mut self, lane: super::LaneId) {
        self.waiters(lane).into_iter().for_each(|id| self.stuck(id, true));
        self.refresh(lane);
    }

    pub(super) fn let_go_of_doubt(&mut self, lane: super::LaneId) {
        self.waiters(lane).into_iter().for_each(|id| self.stuck(id, false));
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.holder = Holder::Nobody;
        }
        self.refresh(lane);
    }

    pub(super) fn waiters(&self, lane: super::LaneId) -> Vec<TaskId> {
        self.lanes
            .get(&lane)
            .map(|lane| lane.free.union(&lane.resuming).copied().collect())
            .unwrap_or_default()
    }

    /// Sees that the lane's next task, and no other, stands in the queue.
    pub(super) fn refresh(&mut self, id: super::LaneId) {
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
    pub(super) fn count(&mut self, id: TaskId, to: Status) {
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
    pub(super) fn set(&mut self, id: TaskId, to: Status) {
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

    pub(super) fn satisfied(&mut self, id: TaskId) {
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

    /// Goes on to the next stage as long as the current one and all before it have ended.
    pub(super) fn pass_stages(&mut self, id: PlanId) {
        loop {
            let Some(plan) = self.plans.get_mut(&id) else { return };
            // An earlier one may go on again by a retry. The current one is asked first: mostly it says no.
            let mut open = plan.stages.iter().take(plan.current + 1).rev();
            let ended = open.all(|stage| stage.counts.ended(self.gate));
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
