//! Between rows and the scheduler's numbers: tasks become numbers with lanes and ranks, decisions become changes to be
//! recorded, and causes of waiting become words. It decides nothing by itself.

use super::change::Change;
use crate::config::Config;
use crate::plan::SchemaVersion;
use crate::report::{WaitingCause, WaitingReport};
use crate::scheduler::{
    Decision, End, Gate, InstanceId, LaneId, Limits, NewTask, PlanId, PlanStatus, Refusal, Restored,
    Scheduler, Status, TaskId, Time, Waiting,
};
use crate::store::{self, Millis, TaskRow, TaskStatus};
use jiff::Timestamp;
use rusqlite::Connection;
use std::collections::{BTreeSet, HashMap};

/// How many tasks of an instance that is not in the config run at once; each of them fails at once.
const GONE_LIMIT: u32 = 1;

/// How a run ended, for the scheduler.
pub(super) type RunEnded = End;

/// The scheduler, and the names behind its numbers.
pub(super) struct Schedule {
    scheduler: Scheduler,
    gate: Gate,
    limits: Limits,
    instances: Names<String>,
    lanes: Names<(String, String)>,
    /// The plan and the spec of each known task.
    specs: HashMap<TaskId, String>,
    plan_names: HashMap<PlanId, String>,
}

/// What an operator's word does.
pub(super) struct Acted {
    pub changes: Vec<Change>,
    /// The specs of the tasks that it is about, and whether each was running.
    pub specs: Vec<(String, bool)>,
}

/// A plan with its tasks as they are stored.
pub(super) struct StoredPlan {
    pub plan: store::PlanRow,
    pub tasks: Vec<TaskRow>,
    /// Which task depends on which.
    pub dependencies: Vec<(i64, i64)>,
}

impl StoredPlan {
    /// Nothing where there is no such plan.
    pub fn read(connection: &Connection, plan: i64) -> Result<Option<Self>, store::Error> {
        let Some(row) = store::plan_by_id(connection, plan)? else { return Ok(None) };
        Ok(Some(Self {
            plan: row,
            tasks: store::tasks_of_plan(connection, plan)?,
            dependencies: store::dependencies_of_plan(connection, plan)?,
        }))
    }
}

/// Numbers for names, given in the order in which the names come.
struct Names<T> {
    numbers: HashMap<T, u32>,
    names: Vec<T>,
}

impl<T: Clone + Eq + std::hash::Hash> Names<T> {
    fn new() -> Self {
        Self { numbers: HashMap::new(), names: Vec::new() }
    }

    fn number(&mut self, name: &T) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("fewer than 4 billion databases");
        self.numbers.insert(name.clone(), number);
        self.names.push(name.clone());
        number
    }
}

fn gate(config: &Config) -> Gate {
    match config.scheduler.stage_gate {
        crate::config::StageGate::DoneOrSkipped => Gate::DoneOrSkipped,
        crate::config::StageGate::Ended => Gate::Ended,
    }
}

impl Schedule {
    pub(super) fn new(config: &Config, now: Millis) -> Self {
        let mut instances = Names::new();
        let (gate, limits) = (gate(config), limits(config, &mut instances));
        Self {
            scheduler: Scheduler::new(gate, limits.clone(), Time(now)),
            gate,
            limits,
            instances,
            lanes: Names::new(),
            specs: HashMap::new(),
            plan_names: HashMap::new(),
        }
    }

    /// Takes up a plan by its rows.
    pub(super) fn accept(&mut self, stored: &StoredPlan, now: Millis) -> Vec<Change> {
        let decisions = self.enter(stored, now);
        self.changes(decisions)
    }

    /// Takes up a plan that has ended, so that an operator's word on it finds its tasks. It stays known until
    /// [`Schedule::forget`], and nothing of it is recorded anew.
    pub(super) fn recall(&mut self, stored: &StoredPlan, now: Millis) -> Vec<Change> {
        let own = PlanId(stored.plan.id);
        let mut decisions = self.enter(stored, now);
        decisions.retain(|decision| !matches!(decision, Decision::Plan(plan, _) if *plan == own));
        self.changes(decisions)
    }

    fn enter(&mut self, stored: &StoredPlan, now: Millis) -> Vec<Decision> {
        let StoredPlan { plan, tasks, dependencies } = stored;
        let mut decisions = self.admit(tasks, now);
        let mut depends_on: HashMap<i64, Vec<TaskId>> = HashMap::new();
        for (task, other) in dependencies {
            depends_on.entry(*task).or_default().push(TaskId(*other));
        }
        let ranks = ranks(tasks);
        let mut stages: Vec<Vec<NewTask>> = Vec::new();
        for task in tasks {
            if stages.len() <= task.stage {
                stages.resize_with(task.stage + 1, Vec::new);
            }
            let new = NewTask {
                id: TaskId(task.id),
                lane: LaneId(self.lanes.number(&(task.instance.clone(), task.database.clone()))),
                instance: InstanceId(self.instances.number(&task.instance)),
                depends_on: depends_on.remove(&task.id).unwrap_or_default(),
                earliest: task.earliest_time.map(Time),
                rank: task.schema_version.as_ref().and_then(|version| ranks.get(version).copied()),
                restored: restored(task.status),
            };
            self.specs.insert(new.id, task.spec_id.clone());
            if let Some(stage) = stages.get_mut(task.stage) {
                stage.push(new);
            }
        }
        self.plan_names.insert(PlanId(plan.id), plan.name.clone());
        decisions.extend(if plan.held {
            self.scheduler.accept_held(PlanId(plan.id), stages, Time(now))
        } else {
            self.scheduler.accept(PlanId(plan.id), stages, Time(now))
        });
        decisions
    }

    /// Gives room to instances that are not in the config any more: their tasks are to fail with a sentence, not to wait for ever.
    fn admit(&mut self, tasks: &[TaskRow], now: Millis) -> Vec<Decision> {
        let known = self.limits.instances.len();
        for task in tasks {
            let instance = InstanceId(self.instances.number(&task.instance));
            self.limits.instances.entry(instance).or_insert(GONE_LIMIT);
        }
        if self.limits.instances.len() == known {
            return Vec::new();
        }
        self.scheduler.configure(self.gate, self.limits.clone(), Time(now))
    }

    pub(super) fn knows(&self, plan: i64) -> bool {
        self.scheduler.knows(PlanId(plan))
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.scheduler.next_wake().map(|time| time.0)
    }

    /// Everything that was stored is known: tasks may start.
    pub(super) fn begin(&mut self, now: Millis) -> Vec<Change> {
        let decisions = self.scheduler.begin(Time(now));
        self.changes(decisions)
    }

    pub(super) fn time_passed(&mut self, now: Millis) -> Vec<Change> {
        let decisions = self.scheduler.time_passed(Time(now));
        self.changes(decisions)
    }

    pub(super) fn drain(&mut self, now: Millis) -> Vec<Change> {
        let decisions = self.scheduler.drain(Time(now));
        self.changes(decisions)
    }

    pub(super) fn configure(&mut self, config: &Config, now: Millis) -> Vec<Change> {
        self.gate = gate(config);
        self.limits = limits(config, &mut self.instances);
        let decisions = self.scheduler.configure(self.gate, self.limits.clone(), Time(now));
        self.changes(decisions)
    }

    /// A run has ended.
    pub(super) fn ended(&mut self, task: i64, how: RunEnded, now: Millis) -> Vec<Change> {
        match self.scheduler.ended(TaskId(task), how, Time(now)) {
            Ok(decisions) => self.changes(decisions),
            Err(refusal) => panic!("the end of a run that the scheduler did not start: {refusal}"),
        }
    }

    /// Runs a task again, or all of a plan that FAILED or was CANCELED.
    pub(super) fn retry(&mut self, plan: i64, task: Option<i64>, now: Millis) -> Result<Acted, String> {
        let fits = |status| matches!(status, Status::Failed | Status::Canceled);
        self.each(plan, task, "FAILED or CANCELED", fits, |scheduler, task| scheduler.retry(task, Time(now)))
    }

    /// Takes a task for not needed, or all of a plan that FAILED or was CANCELED.
    pub(super) fn skip(&mut self, plan: i64, task: Option<i64>, now: Millis) -> Result<Acted, String> {
        let fits = |status| matches!(status, Status::Failed | Status::Canceled);
        self.each(plan, task, "FAILED or CANCELED", fits, |scheduler, task| scheduler.skip(task, Time(now)))
    }

    /// Stops a task, or all of a plan that has not ended.
    pub(super) fn cancel(&mut self, plan: i64, task: Option<i64>, now: Millis) -> Result<Acted, String> {
        let fits = |status| matches!(status, Status::NotStarted | Status::Pending | Status::Running);
        // Those that wait go first, so that none of them starts in the place of one that is stopped.
        self.each(plan, task, "waiting or running", fits, |scheduler, task| scheduler.cancel(task, Time(now)))
    }

    /// Lets a task in doubt go on; what became of its statement is recorded with it.
    pub(super) fn resolve(&mut self, plan: i64, task: i64, now: Millis) -> Result<Acted, String> {
        let fits = |status| status == Status::InDoubt;
        self.each(plan, Some(task), "IN_DOUBT", fits, |scheduler, task| scheduler.resolve(task, Time(now)))
    }

    /// Lets a plan that was rebuilt from a damaged state go on.
    pub(super) fn release(&mut self, plan: i64, now: Millis) -> Result<Acted, String> {
        let released = self.scheduler.release_plan(PlanId(plan), Time(now));
        let decisions = released.map_err(|refusal| sentence(&refusal))?;
        Ok(Acted { changes: self.changes(decisions), specs: Vec::new() })
    }

    fn each(
        &mut self,
        plan: i64,
        task: Option<i64>,
        which: &str,
        fits: impl Fn(Status) -> bool,
        act: impl Fn(&mut Scheduler, TaskId) -> Result<Vec<Decision>, Refusal>,
    ) -> Result<Acted, String> {
        let mut tasks: Vec<TaskId> = match task {
            Some(task) => vec![TaskId(task)],
            None => self.scheduler.tasks_of(PlanId(plan)).collect(),
        };
        if task.is_none() {
            tasks.retain(|task| self.scheduler.status(*task).is_some_and(&fits));
        }
        if tasks.is_empty() {
            return Err(format!("no task of the plan is {which}; nothing was changed"));
        }
        let specs = tasks.iter().map(|task| self.acted_on(*task)).collect();
        tasks.reverse();
        let mut decisions = Vec::new();
        for one in tasks {
            match act(&mut self.scheduler, one) {
                Ok(more) => decisions.extend(more),
                Err(refusal) if task.is_some() => return Err(sentence(&refusal)),
                // One that an earlier step has moved on needs nothing more.
                Err(_) => {}
            }
        }
        Ok(Acted { changes: self.changes(decisions), specs })
    }

    fn acted_on(&self, task: TaskId) -> (String, bool) {
        let running = self.scheduler.status(task) == Some(Status::Running);
        (self.specs.get(&task).cloned().unwrap_or_default(), running)
    }

    fn changes(&mut self, decisions: Vec<Decision>) -> Vec<Change> {
        let mut changes = Vec::with_capacity(decisions.len());
        for decision in decisions {
            changes.push(match decision {
                Decision::Task(task, status) => Change::Task { task: task.0, status: stored(status) },
                Decision::Start { task, resume } => {
                    let plan = self.scheduler.plan_of(task).map_or(0, |plan| plan.0);
                    Change::Start { task: task.0, plan, resume }
                }
                Decision::Cancel(task) => Change::Cancel { task: task.0 },
                Decision::Plan(plan, status) => {
                    if status.is_end() {
                        self.forget(plan.0);
                    }
                    Change::Plan { plan: plan.0, status: stored_plan(status) }
                }
            });
        }
        changes
    }

    /// A plan that has ended needs no memory; an operator's word takes it up again from the store.
    pub(super) fn forget(&mut self, plan: i64) {
        let plan = PlanId(plan);
        if self.scheduler.plan_status(plan).is_some_and(PlanStatus::is_end) {
            for task in self.scheduler.tasks_of(plan).collect::<Vec<_>>() {
                self.specs.remove(&task);
            }
            self.scheduler.forget(plan);
            self.plan_names.remove(&plan);
        }
    }

    /// Whether any plan can go on by itself.
    pub(super) fn has_work(&self) -> bool {
        self.scheduler.counts().1 > 0
    }

    /// One line for systemd.
    pub(super) fn status_line(&self, running: usize) -> String {
        let (plans, active) = self.scheduler.counts();
        let next = self
            .next_wake()
            .and_then(|time| Timestamp::from_millisecond(time).ok())
            .map_or_else(String::new, |time| format!(", next at {time:.0}"));
        format!("{active} plans under way, {} blocked, {running} tasks running{next}", plans - active)
    }

    /// How many tasks a plan has; none where it has ended.
    pub(super) fn size_of(&self, plan: i64) -> usize {
        self.scheduler.size_of(PlanId(plan))
    }

    /// What the tasks of a plan wait for.
    pub(super) fn waiting_of(&self, plan: i64) -> HashMap<i64, WaitingReport> {
        self.scheduler
            .tasks_of(PlanId(plan))
            .filter_map(|task| Some((task.0, self.words(PlanId(plan), self.scheduler.waiting(task)?))))
            .collect()
    }

    /// As [`Schedule::waiting_of`], where what was started is not: it waits for a daemon.
    pub(super) fn waiting_for_a_daemon(&self, plan: i64) -> HashMap<i64, WaitingReport> {
        let report = WaitingReport { cause: WaitingCause::NoDaemon, on: Vec::new(), until: None };
        let started = |task: &TaskId| self.scheduler.status(*task) == Some(Status::Running);
        let mut waiting = self.waiting_of(plan);
        let tasks = self.scheduler.tasks_of(PlanId(plan)).filter(started);
        waiting.extend(tasks.map(|task| (task.0, report.clone())));
        waiting
    }

    fn words(&self, plan: PlanId, waiting: Waiting) -> WaitingReport {
        let named = |tasks: &[TaskId]| tasks.iter().map(|task| self.name(plan, *task)).collect();
        let (cause, on, until) = match waiting {
            Waiting::Stage(stage) => (WaitingCause::Stage, vec![format!("stage {}", stage + 1)], None),
            Waiting::Dependency(tasks) => (WaitingCause::Dependency, named(&tasks), None),
            Waiting::Version(tasks) => (WaitingCause::Version, named(&tasks), None),
            Waiting::Time(time) => (WaitingCause::Time, Vec::new(), Timestamp::from_millisecond(time.0).ok()),
            Waiting::Lane(task) => (WaitingCause::Lane, vec![self.name(plan, task)], None),
            Waiting::ConnectionLimit(instance) => {
                let name = self.instances.names.get(instance.0 as usize).cloned().unwrap_or_default();
                (WaitingCause::ConnectionLimit, vec![name], None)
            }
            Waiting::RunningLimit => (WaitingCause::RunningLimit, Vec::new(), None),
            Waiting::Held => (WaitingCause::Held, Vec::new(), None),
            Waiting::Draining => (WaitingCause::Draining, Vec::new(), None),
        };
        WaitingReport { cause, on, until }
    }

    /// A task's spec, with its plan where that is another one.
    fn name(&self, plan: PlanId, task: TaskId) -> String {
        let spec = self.specs.get(&task).cloned().unwrap_or_default();
        match self.scheduler.plan_of(task) {
            Some(other) if other != plan => {
                let name = self.plan_names.get(&other).cloned().unwrap_or_default();
                format!("{name}/{spec}")
            }
            Some(_) | None => spec,
        }
    }
}

fn limits(config: &Config, instances: &mut Names<String>) -> Limits {
    let gone = instances.numbers.values().map(|number| (InstanceId(*number), GONE_LIMIT));
    let mut each: HashMap<InstanceId, u32> = gone.collect();
    for instance in config.instances.values() {
        each.insert(InstanceId(instances.number(&instance.name)), instance.max_connections);
    }
    Limits { running: config.scheduler.max_running_tasks, instances: each }
}

/// The ranks of a plan's schema versions, lowest first.
fn ranks(tasks: &[TaskRow]) -> HashMap<String, u32> {
    let texts: BTreeSet<&String> = tasks.iter().filter_map(|task| task.schema_version.as_ref()).collect();
    let versions: BTreeSet<SchemaVersion> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    let numbered: Vec<SchemaVersion> = versions.into_iter().collect();
    texts
        .into_iter()
        .filter_map(|text| {
            let version: SchemaVersion = text.parse().ok()?;
            let rank = numbered.binary_search(&version).ok()?;
            Some((text.clone(), u32::try_from(rank).ok()?))
        })
        .collect()
}

fn restored(status: TaskStatus) -> Restored {
    match status {
        TaskStatus::NotStarted | TaskStatus::Pending => Restored::Waiting,
        TaskStatus::Running => Restored::Interrupted,
        TaskStatus::Done => Restored::At(Status::Done),
        TaskStatus::Failed => Restored::At(Status::Failed),
        TaskStatus::Canceled => Restored::At(Status::Canceled),
        TaskStatus::Skipped => Restored::At(Status::Skipped),
        TaskStatus::InDoubt => Restored::At(Status::InDoubt),
    }
}

fn stored(status: Status) -> TaskStatus {
    match status {
        Status::NotStarted => TaskStatus::NotStarted,
        Status::Pending => TaskStatus::Pending,
        Status::Running => TaskStatus::Running,
        Status::Done => TaskStatus::Done,
        Status::Failed => TaskStatus::Failed,
        Status::Canceled => TaskStatus::Canceled,
        Status::Skipped => TaskStatus::Skipped,
        Status::InDoubt => TaskStatus::InDoubt,
    }
}

fn stored_plan(status: PlanStatus) -> store::PlanStatus {
    match status {
        PlanStatus::Running => store::PlanStatus::Running,
        PlanStatus::Blocked => store::PlanStatus::Blocked,
        PlanStatus::Done => store::PlanStatus::Done,
        PlanStatus::Failed => store::PlanStatus::Failed,
        PlanStatus::Canceled => store::PlanStatus::Canceled,
    }
}

/// A refusal for the operator.
fn sentence(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Unknown => "the task is not known".to_owned(),
        Refusal::NotHeld => "the plan is not held, so there is nothing to release".to_owned(),
        Refusal::Unfit { event, status } => {
            let advice = match status {
                Status::InDoubt => "; say what became of its statement by `runsheet resolve`",
                Status::Running => "; cancel it first, or wait for its end",
                Status::NotStarted
                | Status::Pending
                | Status::Done
                | Status::Failed
                | Status::Canceled
                | Status::Skipped => "",
            };
            format!(
                "{event} makes no sense for a task that is {}{advice}; nothing was changed",
                stored(*status)
            )
        }
    }
}
