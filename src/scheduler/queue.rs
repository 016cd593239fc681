//! Who starts next when there is room: of the plans that have a task that may start, the one that was served least recently, and of
//! its tasks the first. An instance at its limit holds up only its own tasks. No plan starves: each start puts its plan
//! behind all others that wait.

use super::{InstanceId, Limits, PlanId, TaskId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    running: u32,
    /// Counts the starts.
    starts: u64,
    instances: HashMap<InstanceId, Instance>,
    plans: HashMap<PlanId, Served>,
    /// The first plan of each instance that has room.
    first: BTreeSet<(u64, PlanId, InstanceId)>,
}

#[derive(Debug, Default)]
struct Instance {
    running: u32,
    /// Plans with tasks that may start here, the least recently served first.
    waiting: BTreeSet<(u64, PlanId)>,
    /// What stands for this instance in `first`.
    shown: Option<(u64, PlanId)>,
}

#[derive(Debug, Default)]
struct Served {
    /// The start at which the plan was served last.
    at: u64,
    /// Its tasks that may start, by instance.
    tasks: BTreeMap<InstanceId, BTreeSet<TaskId>>,
}

impl Queue {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            running: 0,
            starts: 0,
            instances: HashMap::new(),
            plans: HashMap::new(),
            first: BTreeSet::new(),
        }
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        let all: Vec<InstanceId> = self.instances.keys().copied().collect();
        all.into_iter().for_each(|instance| self.show(instance));
    }

    pub fn is_full(&self) -> bool {
        self.running >= self.limits.running
    }

    pub fn instance_is_full(&self, instance: InstanceId) -> bool {
        let running = self.instances.get(&instance).map_or(0, |instance| instance.running);
        running >= self.limits.instances.get(&instance).copied().unwrap_or(0)
    }

    pub fn insert(&mut self, plan: PlanId, instance: InstanceId, task: TaskId) {
        // A plan that was never served stands before those that were.
        let served = self.plans.entry(plan).or_default();
        served.tasks.entry(instance).or_default().insert(task);
        let at = served.at;
        self.instances.entry(instance).or_default().waiting.insert((at, plan));
        self.show(instance);
    }

    pub fn remove(&mut self, plan: PlanId, instance: InstanceId, task: TaskId) {
        let Some(served) = self.plans.get_mut(&plan) else { return };
        let Some(tasks) = served.tasks.get_mut(&instance) else { return };
        tasks.remove(&task);
        if tasks.is_empty() {
            served.tasks.remove(&instance);
            let at = served.at;
            if let Some(instance) = self.instances.get_mut(&instance) {
                instance.waiting.remove(&(at, plan));
            }
            self.show(instance);
        }
    }

    /// The task that starts now, if one may. It is taken out, and counts as running.
    pub fn next(&mut self) -> Option<TaskId> {
        if self.is_full() {
            return None;
        }
        let (_, plan, instance) = *self.first.first()?;
        let task = *self.plans.get(&plan)?.tasks.get(&instance)?.first()?;
        self.remove(plan, instance, task);
        self.serve(plan);
        self.running += 1;
        self.instances.entry(instance).or_default().running += 1;
        self.show(instance);
        Some(task)
    }

    pub fn ended(&mut self, instance: InstanceId) {
        self.running = self.running.saturating_sub(1);
        if let Some(instance) = self.instances.get_mut(&instance) {
            instance.running = instance.running.saturating_sub(1);
        }
        self.show(instance);
    }

    pub fn forget(&mut self, plan: PlanId) {
        self.plans.remove(&plan);
    }

    /// Puts a plan behind all others, on every instance where it waits.
    fn serve(&mut self, plan: PlanId) {
        self.starts += 1;
        let Some(served) = self.plans.get_mut(&plan) else { return };
        let before = std::mem::replace(&mut served.at, self.starts);
        let everywhere: Vec<InstanceId> = served.tasks.keys().copied().collect();
        for id in everywhere {
            if let Some(instance) = self.instances.get_mut(&id) {
                instance.waiting.remove(&(before, plan));
                instance.waiting.insert((self.starts, plan));
            }
            self.show(id);
        }
    }

    /// Sees that `first` has what it should have of an instance.
    fn show(&mut self, id: InstanceId) {
        let full = self.instance_is_full(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let wanted = if full { None } else { instance.waiting.first().copied() };
        if wanted == instance.shown {
            return;
        }
        if let Some((at, plan)) = std::mem::replace(&mut instance.shown, wanted) {
            self.first.remove(&(at, plan, id));
        }
        if let Some((at, plan)) = wanted {
            self.first.insert((at, plan, id));
        }
    }
}
