//! The scheduler under random plans, ends, operators, limits, clocks and restarts: after every event each rule is computed anew from
//! nothing but the statuses that it gave out, by plain loops that share no code with it. `RUNSHEET_SEED` repeats a run, and
//! `RUNSHEET_EVENTS` makes it longer.
#![allow(clippy::unwrap_used, reason = "a simulation whose own numbers do not fit stops at once")]

use runsheet::scheduler::{
    Decision, End, Gate, InstanceId, LaneId, Limits, NewTask, PlanId, PlanStatus, Restored, Scheduler,
    Status, TaskId, Time, Waiting,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const EVENTS: u64 = 1_000_000;
/// More tasks than this are not known at once: the check after each event looks at all of them.
const TASKS_MAX: usize = 36;
const LANES: u32 = 6;
const INSTANCES: u32 = 3;

/// Splitmix64: the seed alone repeats everything.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// A task as the model sees it: what it was made of, and the last status that was given out.
#[derive(Clone, Debug)]
struct Task {
    new: NewTask,
    plan: PlanId,
    stage: usize,
    status: Status,
    resume: bool,
}

struct Model {
    scheduler: Scheduler,
    gate: Gate,
    limits: Limits,
    now: i64,
    draining: bool,
    /// Plans that wait for an operator to let them go on.
    held: BTreeSet<PlanId>,
    /// The last open stage of each plan, as it was before the event.
    opened: BTreeMap<PlanId, usize>,
    tasks: BTreeMap<TaskId, Task>,
    plans: BTreeMap<PlanId, (usize, PlanStatus)>,
    next_task: i64,
    next_plan: i64,
    /// By plan that may start something: who was started since it could.
    passed_by: HashMap<PlanId, BTreeSet<PlanId>>,
    starts: u64,
}

fn satisfied(status: Status) -> bool {
    matches!(status, Status::Done | Status::Skipped)
}

fn instance_of(lane: LaneId) -> InstanceId {
    InstanceId(lane.0 % INSTANCES)
}

fn random_limits(random: &mut Random) -> Limits {
    Limits {
        running: 1 + u32::try_from(random.below(5)).unwrap(),
        instances: (0..INSTANCES)
            .map(|id| (InstanceId(id), 1 + u32::try_from(random.below(3)).unwrap()))
            .collect(),
    }
}

impl Model {
    fn new(random: &mut Random) -> Self {
        let limits = random_limits(random);
        let mut scheduler = Scheduler::new(Gate::DoneOrSkipped, limits.clone(), Time(1_000));
        assert!(scheduler.begin(Time(1_000)).is_empty(), "nothing is stored");
        Self {
            scheduler,
            gate: Gate::DoneOrSkipped,
            limits,
            now: 1_000,
            draining: false,
            held: BTreeSet::new(),
            opened: BTreeMap::new(),
            tasks: BTreeMap::new(),
            plans: BTreeMap::new(),
            next_task: 1,
            next_plan: 1,
            passed_by: HashMap::new(),
            starts: 0,
        }
    }

    fn of_stage(&self, plan: PlanId, stage: usize) -> impl Iterator<Item = &Task> {
        self.tasks.values().filter(move |task| task.plan == plan && task.stage == stage)
    }

    /// The stage whose turn it is: the first that has not ended.
    fn current(&self, plan: PlanId) -> usize {
        let (stages, _) = self.plans[&plan];
        let ended = |task: &Task| {
            satisfied(task.status)
                || (self.gate == Gate::Ended && matches!(task.status, Status::Failed | Status::Canceled))
        };
        (0..stages).find(|stage| !self.of_stage(plan, *stage).all(ended)).unwrap_or(stages.saturating_sub(1))
    }

    fn gated(&self, task: &Task) -> bool {
        let dependency = |id: &TaskId| !satisfied(self.tasks[id].status);
        self.held.contains(&task.plan)
            || task.stage > self.open_up_to(task.plan)
            || task.new.depends_on.iter().any(dependency)
            || self.lower_version(task)
            || task.new.earliest.is_some_and(|time| time.0 > self.now)
    }

    /// The last stage whose tasks may run. One that was reached once stays open, even where a retry, or another gate, makes an earlier
    /// one go on again; after a restart only where one of its tasks has been free.
    fn open_up_to(&self, plan: PlanId) -> usize {
        let opened = self.opened.get(&plan).copied().unwrap_or(0);
        opened.max(self.current(plan)).max(self.reached(plan))
    }

    /// Keeps in mind, after an event, which stages are open.
    fn keep_opened(&mut self) {
        let plans: Vec<PlanId> = self.plans.keys().copied().collect();
        self.opened = plans.into_iter().map(|plan| (plan, self.open_up_to(plan))).collect();
    }

    /// The last stage of which a task has been free.
    fn reached(&self, plan: PlanId) -> usize {
        self.tasks
            .values()
            .filter(|task| {
                task.plan == plan
                    && !matches!(task.status, Status::NotStarted | Status::Skipped | Status::Canceled)
            })
            .map(|task| task.stage)
            .max()
            .unwrap_or(0)
    }

    fn lower_version(&self, task: &Task) -> bool {
        task.new.rank.is_some_and(|rank| {
            self.of_stage(task.plan, task.stage).any(|other| {
                other.new.lane == task.new.lane
                    && other.new.rank.is_some_and(|lower| lower < rank)
                    && !satisfied(other.status)
            })
        })
    }

    fn holder(&self, lane: LaneId) -> Option<&Task> {
        self.tasks
            .values()
            .find(|task| task.new.lane == lane && matches!(task.status, Status::Running | Status::InDoubt))
    }

    /// The one that is next on a lane.
    fn first(&self, lane: LaneId) -> Option<&Task> {
        let pending = || {
            self.tasks.values().filter(move |task| task.new.lane == lane && task.status == Status::Pending)
        };
        pending().find(|task| task.resume).or_else(|| pending().next())
    }

    fn running_on(&self, instance: InstanceId) -> u32 {
        let count = self
            .tasks
            .values()
            .filter(|task| task.status == Status::Running && task.new.instance == instance);
        u32::try_from(count.count()).unwrap()
    }

    fn running(&self) -> u32 {
        u32::try_from(self.tasks.values().filter(|task| task.status == Status::Running).count()).unwrap()
    }

    /// Tasks that nothing keeps from starting.
    fn startable(&self) -> Vec<&Task> {
        if self.draining || self.running() >= self.limits.running {
            return Vec::new();
        }
        (0..LANES)
            .map(LaneId)
            .filter(|lane| self.holder(*lane).is_none())
            .filter_map(|lane| self.first(lane))
            .filter(|task| self.running_on(task.new.instance) < self.limits.instances[&task.new.instance])
            .collect()
    }

    /// Applies what was decided, step by step, and judges each start.
    fn apply(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::Task(id, status) => {
                    if let Some(task) = self.tasks.get_mut(&id) {
                        task.status = status;
                        if status != Status::Pending {
                            task.resume = false;
                        }
                    }
                }
                Decision::Start { task, resume } => self.started(task, resume),
                Decision::Cancel(id) => {
                    assert_eq!(self.tasks[&id].status, Status::Running, "only what runs is canceled")
                }
                Decision::Plan(id, status) => {
                    if let Some(plan) = self.plans.get_mut(&id) {
                        plan.1 = status;
                    }
                }
            }
        }
    }

    fn started(&mut self, id: TaskId, resume: bool) {
        let task = &self.tasks[&id];
        assert_eq!(task.status, Status::Pending, "a task that starts was free: {id:?}");
        assert_eq!(task.resume, resume, "a run goes on exactly where one was cut off: {id:?}");
        assert!(task.resume || !self.gated(task), "a task that starts has passed every gate: {id:?}");
        let startable = self.startable();
        assert!(
            startable.iter().any(|other| other.new.id == id),
            "{id:?} starts although its lane or a limit holds it"
        );
        let plan = task.plan;
        let waiting: BTreeSet<PlanId> =
            startable.iter().map(|task| task.plan).filter(|other| *other != plan).collect();
        // Those that could not start at this moment begin to count anew when they can.
        self.passed_by.retain(|other, _| waiting.contains(other));
        for other in waiting {
            let passed = self.passed_by.entry(other).or_default();
            assert!(
                passed.insert(plan),
                "{plan:?} is served twice while {other:?} waits with a task that could start"
            );
        }
        self.starts += 1;
        let task = self.tasks.get_mut(&id).unwrap();
        task.status = Status::Running;
        task.resume = false;
    }

    fn plan_status(&self, plan: PlanId) -> PlanStatus {
        let tasks: Vec<&Task> = self.tasks.values().filter(|task| task.plan == plan).collect();
        let any = |status: Status| tasks.iter().any(|task| task.status == status);
        let goes_on = tasks.iter().any(|task| match task.status {
            Status::Running => true,
            Status::Pending => {
                self.holder(task.new.lane).is_none_or(|holder| holder.status == Status::Running)
            }
            Status::NotStarted => self.waits_for_time_alone(task),
            Status::Done | Status::Failed | Status::Canceled | Status::Skipped | Status::InDoubt => false,
        });
        if tasks.iter().all(|task| satisfied(task.status)) {
            PlanStatus::Done
        } else if goes_on {
            PlanStatus::Running
        } else if any(Status::NotStarted) || any(Status::Pending) || any(Status::InDoubt) {
            PlanStatus::Blocked
        } else if any(Status::Failed) {
            PlanStatus::Failed
        } else {
            PlanStatus::Canceled
        }
    }

    fn waits_for_time_alone(&self, task: &Task) -> bool {
        let mut timeless = task.clone();
        timeless.new.earliest = None;
        task.new.earliest.is_some() && !self.gated(&timeless)
    }

    /// Every rule, from scratch.
    fn check(&self) {
        for task in self.tasks.values() {
            let id = task.new.id;
            assert_eq!(self.scheduler.status(id), Some(task.status), "what was said of {id:?} is what it is");
            match task.status {
                Status::NotStarted => {
                    assert!(self.gated(task), "{id:?} has passed every gate and is not free: {task:?}")
                }
                Status::Pending => {
                    assert!(task.resume || !self.gated(task), "{id:?} is free before its time: {task:?}")
                }
                Status::Running
                | Status::Done
                | Status::Failed
                | Status::Canceled
                | Status::Skipped
                | Status::InDoubt => {}
            }
            self.check_waiting(task);
        }
        for lane in (0..LANES).map(LaneId) {
            let holders = self.tasks.values().filter(|task| {
                task.new.lane == lane && matches!(task.status, Status::Running | Status::InDoubt)
            });
            assert!(holders.count() <= 1, "two tasks hold {lane:?}");
        }
        assert!(self.startable().is_empty(), "these could run and do not: {:?}", self.startable());
        let running = self.plans.values().filter(|(_, said)| *said == PlanStatus::Running).count();
        assert_eq!(self.scheduler.counts(), (self.plans.len(), running), "plans, and those that can go on");
        for (plan, (_, said)) in &self.plans {
            assert_eq!(
                *said,
                self.plan_status(*plan),
                "the status of {plan:?}: {:#?}",
                self.tasks.values().filter(|task| task.plan == *plan).collect::<Vec<_>>()
            );
        }
    }

    /// The cause that is given must be true, and there must be one exactly for those that wait.
    fn check_waiting(&self, task: &Task) {
        let waiting = self.scheduler.waiting(task.new.id);
        let waits = matches!(task.status, Status::NotStarted | Status::Pending);
        assert_eq!(waiting.is_some(), waits, "{task:?} waits for {waiting:?}");
        let open = |id: &TaskId| !satisfied(self.tasks[id].status);
        let true_cause = match &waiting {
            None => true,
            Some(Waiting::Stage(current)) => *current < task.stage,
            Some(Waiting::Dependency(on)) => {
                !on.is_empty() && on.iter().all(|id| task.new.depends_on.contains(id) && open(id))
            }
            Some(Waiting::Version(on)) => {
                !on.is_empty() && on.iter().all(|id| open(id) && self.tasks[id].new.rank < task.new.rank)
            }
            Some(Waiting::Time(until)) => until.0 > self.now,
            Some(Waiting::Lane(id)) => self
                .holder(task.new.lane)
                .or_else(|| self.first(task.new.lane))
                .is_some_and(|other| other.new.id == *id && *id != task.new.id),
            Some(Waiting::ConnectionLimit(instance)) => {
                self.running_on(*instance) >= self.limits.instances[instance]
                    && *instance == task.new.instance
            }
            Some(Waiting::RunningLimit) => self.running() >= self.limits.running,
            Some(Waiting::Held) => self.held.contains(&task.plan),
            Some(Waiting::Draining) => self.draining,
        };
        assert!(true_cause, "{task:?} is said to wait for {waiting:?}, which is not so");
    }

    fn accept(&mut self, random: &mut Random) {
        let plan = PlanId(self.next_plan);
        self.next_plan += 1;
        let mut stages = Vec::new();
        for stage in 0..usize::try_from(1 + random.below(3)).unwrap() {
            let mut tasks: Vec<NewTask> = Vec::new();
            for _ in 0..1 + random.below(5) {
                let lane = LaneId(u32::try_from(random.below(u64::from(LANES))).unwrap());
                let depends_on = tasks.iter().map(|task| task.id).filter(|_| random.one_in(4)).collect();
                let new = NewTask {
                    id: TaskId(self.next_task),
                    lane,
                    instance: instance_of(lane),
                    depends_on,
                    earliest: random
                        .one_in(5)
                        .then(|| Time(self.now - 50 + i64::try_from(random.below(200)).unwrap())),
                    // Ranks fall nowhere, as the plan's own rules see to it: no circle with the dependencies.
                    rank: random.one_in(4).then(|| u32::try_from(tasks.len() + stage * 10).unwrap()),
                    restored: Restored::Waiting,
                };
                self.next_task += 1;
                tasks.push(new);
            }
            stages.push(tasks);
        }
        if random.one_in(6) {
            self.held.insert(plan);
        }
        self.take_up(plan, stages);
    }

    fn take_up(&mut self, plan: PlanId, stages: Vec<Vec<NewTask>>) {
        self.plans.insert(plan, (stages.len(), PlanStatus::Running));
        for (stage, tasks) in stages.iter().enumerate() {
            for new in tasks {
                let (status, resume) = match new.restored {
                    Restored::Waiting => (Status::NotStarted, false),
                    Restored::Interrupted => (Status::NotStarted, true),
                    Restored::At(status) => (status, false),
                };
                self.tasks.insert(new.id, Task { new: new.clone(), plan, stage, status, resume });
            }
        }
        let decisions = if self.held.contains(&plan) {
            self.scheduler.accept_held(plan, stages, Time(self.now))
        } else {
            self.scheduler.accept(plan, stages, Time(self.now))
        };
        self.apply(decisions);
    }

    /// The daemon dies and starts again from what was stored.
    fn restart(&mut self) {
        let (tasks, plans) = (std::mem::take(&mut self.tasks), std::mem::take(&mut self.plans));
        self.scheduler = Scheduler::new(self.gate, self.limits.clone(), Time(self.now));
        self.draining = false;
        self.opened.clear();
        self.passed_by.clear();
        for (plan, (stages, _)) in plans {
            let mut stored = vec![Vec::new(); stages];
            for task in tasks.values().filter(|task| task.plan == plan) {
                let restored = match task.status {
                    Status::NotStarted if task.resume => Restored::Interrupted,
                    Status::NotStarted => Restored::Waiting,
                    // A resolved task that waits for its turn has its word on the disk, and goes on.
                    Status::Pending if task.resume => Restored::Interrupted,
                    Status::Pending => Restored::Waiting,
                    Status::Running => Restored::Interrupted,
                    ended => Restored::At(ended),
                };
                stored[task.stage].push(NewTask { restored, ..task.new.clone() });
            }
            self.take_up(plan, stored);
        }
        let decisions = self.scheduler.begin(Time(self.now));
        self.apply(decisions);
    }

    fn forget_ended(&mut self) {
        let ended: Vec<PlanId> =
            self.plans.iter().filter(|(_, (_, status))| status.is_end()).map(|(id, _)| *id).collect();
        for plan in ended {
            self.scheduler.forget(plan);
            self.plans.remove(&plan);
            self.held.remove(&plan);
            self.tasks.retain(|_, task| task.plan != plan);
            self.passed_by.remove(&plan);
        }
    }

    fn any_task(&self, random: &mut Random) -> Option<TaskId> {
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        (!ids.is_empty()).then(|| ids[usize::try_from(random.below(ids.len() as u64)).unwrap()])
    }

    /// An operator's word on some task: it changes something exactly where it fits.
    fn operate(&mut self, random: &mut Random) {
        let Some(id) = self.any_task(random) else { return };
        let status = self.tasks[&id].status;
        let now = Time(self.now);
        let (fits, decided) = match random.below(5) {
            4 => {
                let plan = self.tasks[&id].plan;
                (self.held.remove(&plan), self.scheduler.release_plan(plan, now))
            }
            0 => (matches!(status, Status::Failed | Status::Canceled), self.scheduler.retry(id, now)),
            1 => {
                let fits = matches!(
                    status,
                    Status::NotStarted | Status::Pending | Status::Failed | Status::Canceled
                );
                (fits, self.scheduler.skip(id, now))
            }
            2 => {
                let fits = matches!(status, Status::NotStarted | Status::Pending | Status::Running);
                (fits, self.scheduler.cancel(id, now))
            }
            _ => {
                let fits = status == Status::InDoubt;
                if fits && !self.held.contains(&self.tasks[&id].plan) {
                    self.tasks.get_mut(&id).unwrap().resume = true;
                }
                (fits, self.scheduler.resolve(id, now))
            }
        };
        assert_eq!(decided.is_ok(), fits, "{decided:?} for {status:?}");
        // A refusal may have seen the clock, and changes nothing else.
        if let Ok(decisions) = decided {
            self.apply(decisions);
        }
    }

    fn end_one(&mut self, random: &mut Random) {
        let running: Vec<TaskId> = self
            .tasks
            .values()
            .filter(|task| task.status == Status::Running)
            .map(|task| task.new.id)
            .collect();
        if running.is_empty() {
            return;
        }
        let id = running[usize::try_from(random.below(running.len() as u64)).unwrap()];
        let end = match random.below(20) {
            0..14 => End::Done,
            14..17 => End::Failed,
            17..19 => End::Canceled,
            _ => End::InDoubt,
        };
        let decisions = self.scheduler.ended(id, end, Time(self.now)).expect("it runs");
        self.apply(decisions);
    }

    fn event(&mut self, random: &mut Random) {
        match random.below(100) {
            0..12 if self.tasks.len() < TASKS_MAX => self.accept(random),
            0..60 => self.end_one(random),
            60..82 => self.operate(random),
            82..92 => {
                self.now += i64::try_from(random.below(80)).unwrap() - 25;
                let decisions = self.scheduler.time_passed(Time(self.now));
                self.apply(decisions);
            }
            92..95 => {
                self.limits = random_limits(random);
                self.gate = if random.one_in(3) { Gate::Ended } else { Gate::DoneOrSkipped };
                let decisions = self.scheduler.configure(self.gate, self.limits.clone(), Time(self.now));
                self.apply(decisions);
            }
            95 if random.one_in(4) => {
                self.draining = true;
                let decisions = self.scheduler.drain(Time(self.now));
                self.apply(decisions);
            }
            95..97 => self.restart(),
            _ => self.forget_ended(),
        }
        self.keep_opened();
    }
}

fn simulate(seed: u64, events: u64) {
    println!("RUNSHEET_SEED={seed}");
    let mut random = Random(seed);
    let mut model = Model::new(&mut random);
    for _ in 0..events {
        model.event(&mut random);
        model.check();
    }
    assert!(model.starts > 0, "nothing was started, so nothing was shown");
    println!("{} starts under seed {seed}", model.starts);
}

/// A given seed runs alone; without one, two share the events and the machine's two cores.
#[test]
fn every_rule_holds_after_every_event() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let events = number("RUNSHEET_EVENTS").unwrap_or(EVENTS);
    if let Some(seed) = number("RUNSHEET_SEED") {
        return simulate(seed, events);
    }
    let seed = u64::from(std::process::id());
    std::thread::scope(|scope| {
        scope.spawn(|| simulate(seed, events / 2));
        scope.spawn(|| simulate(seed << 32, events / 2));
    });
}

#[test]
fn the_cost_of_an_event_does_not_grow_with_the_plan() {
    // Not by the clock: a plan of 100,000 tasks on 1,000 lanes runs through, which a scan over all tasks at each
    // event (10^10 steps) would not within a test's patience.
    let lanes = 1_000;
    let stage: Vec<NewTask> = (0..100_000)
        .map(|id| NewTask {
            id: TaskId(id),
            lane: LaneId(u32::try_from(id % lanes).unwrap()),
            instance: InstanceId(0),
            depends_on: Vec::new(),
            earliest: None,
            rank: None,
            restored: Restored::Waiting,
        })
        .collect();
    let limits = Limits { running: 64, instances: HashMap::from([(InstanceId(0), 64)]) };
    let mut scheduler = Scheduler::new(Gate::DoneOrSkipped, limits, Time(0));
    scheduler.begin(Time(0));
    let mut running: Vec<TaskId> = Vec::new();
    let collect = |decisions: Vec<Decision>, running: &mut Vec<TaskId>| {
        running.extend(decisions.iter().filter_map(|decision| match decision {
            Decision::Start { task, .. } => Some(*task),
            Decision::Task(..) | Decision::Cancel(_) | Decision::Plan(..) => None,
        }));
    };
    collect(scheduler.accept(PlanId(1), vec![stage], Time(0)), &mut running);
    let mut ended = 0;
    while let Some(task) = running.pop() {
        collect(scheduler.ended(task, End::Done, Time(0)).expect("it runs"), &mut running);
        ended += 1;
    }
    assert_eq!(ended, 100_000);
    assert_eq!(scheduler.plan_status(PlanId(1)), Some(PlanStatus::Done));
}
