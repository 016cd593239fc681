//! The daemon's one loop: events come in (a plan was taken in, a run ended, an operator spoke, time passed), the scheduler
//! decides, the store records, and only what is recorded is carried out. Everything that decides is elsewhere.

use super::change::Change;
use super::due::Due;
use super::event::{EngineHandle, Event, Signal, View};
use super::results::Results;
use super::schedule::{Schedule, StoredPlan};
use super::work::{self, Begun};
use super::{Exit, systemd};
use crate::config::Config;
use crate::driver::Drivers;
use crate::executor::{Finished, Instance, Pool, Progress, Stop, Workers};
use crate::inbox;
use crate::store::{self, Millis, Sheets, Store};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often the wall clock is looked at while a task waits for a time: clocks are set.
const CLOCK_LOOK: Duration = Duration::from_secs(10);
/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(20);
/// How often it is looked whether nothing is left to do, under `--until-idle`.
const IDLE_LOOK: Duration = Duration::from_millis(50);

/// A run that is under way.
struct Running {
    plan: i64,
    stop: Arc<Stop>,
    progress: Arc<Progress>,
}

/// What the engine is made of.
pub(super) struct Parts {
    pub config_path: PathBuf,
    pub config: Config,
    pub drivers: Drivers,
    pub store: Store,
    pub sheets: Sheets,
    pub pool: Arc<Pool>,
    pub inbox: inbox::Handle,
    pub handle: EngineHandle,
    pub until_idle: bool,
}

/// The loop and what it holds.
pub(super) struct Engine {
    pub(super) parts: Parts,
    pub(super) schedule: Schedule,
    instances: Arc<HashMap<String, Arc<Instance>>>,
    workers: Workers,
    results: Results,
    running: HashMap<i64, Running>,
    due: Due,
    terminates: u32,
    drain_until: Option<Instant>,
    failed: Option<Exit>,
    /// Decisions that are on their way to the disk: the daemon does not end before they are told of.
    pub(super) unrecorded: u32,
    status: String,
}

/// The wall clock.
pub(super) fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

impl Engine {
    /// Puts the parts together and takes up what the last daemon left.
    pub(super) fn new(parts: Parts) -> Result<Self, super::Error> {
        let handle = parts.handle.clone();
        let workers = Workers::new(parts.store.clone(), Arc::clone(&parts.pool), move |finished| {
            handle.send(Event::Finished(finished));
        });
        let results =
            Results::start(&parts.config.folders.results, &parts.store).map_err(super::Error::Thread)?;
        let mut engine = Self {
            schedule: Schedule::new(&parts.config, now()),
            instances: work::instances(&parts.config, &parts.drivers),
            workers,
            results,
            running: HashMap::new(),
            due: Due::default(),
            terminates: 0,
            drain_until: None,
            failed: None,
            unrecorded: 0,
            status: String::new(),
            parts,
        };
        engine.restore()?;
        Ok(engine)
    }

    fn restore(&mut self) -> Result<(), super::Error> {
        let plans = self.parts.store.reader()?.read(store::plans_not_ended)?;
        for plan in plans {
            self.take_up(plan.id)?;
        }
        let not_shown = self.parts.store.reader()?.read(store::plans_not_shown)?;
        self.mark_dirty(not_shown);
        let changes = self.schedule.begin(now());
        self.apply_with(Vec::new(), changes, |_| Ok(()), |_| {});
        Ok(())
    }

    /// Gives a stored plan to the scheduler.
    fn take_up(&mut self, plan: i64) -> Result<(), store::Error> {
        if self.schedule.knows(plan) {
            // An operator's word on it came before the inbox's.
            return Ok(());
        }
        let stored = self.parts.store.reader()?.read(|connection| StoredPlan::read(connection, plan))?;
        if let Some(stored) = stored {
            let changes = self.schedule.accept(&stored, now());
            self.apply(plan, changes);
        }
        Ok(())
    }

    /// Runs until the daemon ends. Gives why it ended.
    pub(super) async fn run(mut self, mut events: mpsc::UnboundedReceiver<Event>) -> Exit {
        let mut beat = systemd::watchdog().map(|every| (Instant::now(), every));
        loop {
            let wait = self.until_next(beat);
            let event = tokio::select! {
                event = events.recv() => event,
                () = tokio::time::sleep(wait) => None,
            };
            // Asked before what has come is worked off: a plan that the inbox told of before it fell idle is among that.
            let inbox_is_idle = self.parts.inbox.is_idle();
            if let Some(event) = event {
                self.on(event);
            }
            // What has come meanwhile is worked off before the clock is looked at again.
            while let Ok(event) = events.try_recv() {
                self.on(event);
            }
            self.time_passed();
            if let Some((last, every)) = &mut beat
                && last.elapsed() >= *every
            {
                systemd::alive();
                *last = Instant::now();
            }
            if let Some(exit) = self.ended(inbox_is_idle) {
                self.close();
                return exit;
            }
        }
    }

    /// How long nothing can happen by itself.
    fn until_next(&self, beat: Option<(Instant, Duration)>) -> Duration {
        let mut wait = Duration::from_secs(3600);
        if let Some(wake) = self.schedule.next_wake() {
            let left = u64::try_from(wake.saturating_sub(now())).unwrap_or(0);
            wait = wait.min(Duration::from_millis(left)).min(CLOCK_LOOK);
        }
        if let Some(due) = self.due.next() {
            wait = wait.min(due.saturating_duration_since(Instant::now()));
        }
        if let Some((last, every)) = beat {
            wait = wait.min(every.saturating_sub(last.elapsed()));
        }
        if self.parts.pool.has_idle() {
            wait = wait.min(SWEEP);
        }
        if self.drain_until.is_some() {
            wait = wait.min(Duration::from_secs(5));
        }
        if self.parts.until_idle {
            wait = wait.min(IDLE_LOOK);
        }
        wait
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Accepted(plan) => {
                if let Err(error) = self.take_up(plan) {
                    self.store_failed(&error.to_string());
                }
            }
            Event::Finished(finished) => self.finished(finished),
            Event::Recorded(plans) => {
                self.unrecorded -= 1;
                self.mark_dirty(plans);
            }
            Event::StoreFailed(why) => self.store_failed(&why),
            Event::NoThread(why) => {
                tracing::error!("no thread for a run could be started: {why}");
                self.failed.get_or_insert(Exit::Bug);
            }
            Event::Order(spoken) => self.ordered(*spoken),
            Event::View(plan, answer) => {
                // Whoever asked may have gone.
                let _ = answer.send(self.view(plan));
            }
            Event::Signal(signal) => self.signaled(signal),
            Event::Scan => self.parts.inbox.wake(),
        }
    }

    fn mark_dirty(&mut self, plans: Vec<i64>) {
        let now = Instant::now();
        for plan in plans {
            self.due.add(plan, self.schedule.size_of(plan), now);
        }
    }

    /// Records changes with what else belongs to them, and has them carried out once they are on the disk.
    pub(super) fn apply(&mut self, plan: i64, changes: Vec<Change>) {
        self.apply_with(vec![plan], changes, |_| Ok(()), |_| {});
    }

    pub(super) fn apply_with(
        &mut self,
        mut plans: Vec<i64>,
        changes: Vec<Change>,
        also: impl FnOnce(&rusqlite::Connection) -> Result<(), store::Error> + Send + 'static,
        told: impl FnOnce(Result<(), &store::Error>) + Send + 'static,
    ) {
        let mut starts = HashMap::new();
        for change in &changes {
            match *change {
                Change::Start { task, plan, .. } => {
                    plans.push(plan);
                    starts.insert(task, self.begin(task, plan));
                }
                Change::Cancel { task } => {
                    if let Some(running) = self.running.get(&task) {
                        running.stop.cancel();
                    }
                }
                Change::Plan { plan, .. } => plans.push(plan),
                Change::Task { .. } => {}
            }
        }
        let time = now();
        self.unrecorded += 1;
        let (handle, workers) = (self.parts.handle.clone(), self.workers.clone());
        self.parts.store.write(
            move |connection| {
                also(connection)?;
                super::change::record(connection, &changes, time)
            },
            move |result| {
                told(result.as_ref().map(|_| ()));
                match result {
                    Ok(started) => {
                        for one in started {
                            let Some(with) = starts.remove(&one.task.id) else { continue };
                            match work::begin(&workers, one, with) {
                                Begun::Yes => {}
                                Begun::Failed(task_id, run_id, ended) => {
                                    handle.send(Event::Finished(Finished {
                                        task_id,
                                        run_id,
                                        ended: Some(*ended),
                                    }));
                                }
                                Begun::NoThread(error) => handle.send(Event::NoThread(error.to_string())),
                            }
                        }
                        handle.send(Event::Recorded(plans));
                    }
                    Err(error) => handle.send(Event::StoreFailed(error.to_string())),
                }
            },
        );
    }

    /// Makes what a run needs besides its row.
    fn begin(&mut self, task: i64, plan: i64) -> work::With {
        let running =
            Running { plan, stop: Arc::new(Stop::default()), progress: Arc::new(Progress::default()) };
        let with = work::With {
            stop: Arc::clone(&running.stop),
            progress: Arc::clone(&running.progress),
            sheets: self.parts.sheets.clone(),
            instances: Arc::clone(&self.instances),
        };
        self.running.insert(task, running);
        with
    }

    fn finished(&mut self, finished: Finished) {
        let Finished { task_id, run_id, ended } = finished;
        let Some(running) = self.running.remove(&task_id) else { return };
        let Some(ended) = ended else {
            tracing::error!(
                task = task_id,
                "the code that ran a task broke down; the daemon ends, and goes on by what is on the disk"
            );
            self.failed.get_or_insert(Exit::Bug);
            return;
        };
        let Some((how, run)) = work::outcome(&ended, now()) else {
            // Runs stop like this where the daemon ends. Otherwise only one stops that could not be recorded.
            if self.drain_until.is_none() {
                self.store_failed("a run could not be recorded");
            }
            return;
        };
        let changes = self.schedule.ended(task_id, how, now());
        self.apply_with(
            vec![running.plan],
            changes,
            move |connection| store::end_run(connection, run_id, &run),
            |_| {},
        );
    }

    fn view(&self, plan: i64) -> View {
        let progress = self
            .running
            .iter()
            .filter(|(_, running)| running.plan == plan)
            .filter_map(|(task, running)| Some((*task, running.progress.report()?)))
            .collect();
        View { waiting: self.schedule.waiting_of(plan), progress }
    }

    fn signaled(&mut self, signal: Signal) {
        match signal {
            Signal::Terminate => self.terminate(),
            Signal::Scan => self.parts.inbox.wake(),
            Signal::Reload => self.reload(),
            Signal::Dump => {
                for (task, running) in &self.running {
                    tracing::info!(task, plan = running.plan, progress = ?running.progress.report(), "running");
                }
                tracing::info!(running = self.running.len(), results = self.due.len(), "state");
            }
        }
    }

    fn terminate(&mut self) {
        self.terminates += 1;
        match self.terminates {
            1 => {
                tracing::info!(
                    running = self.running.len(),
                    "ending: nothing new is started, running statements may end"
                );
                self.drain();
            }
            _ => {
                tracing::warn!("ending now: running statements are canceled");
                self.cancel_all();
            }
        }
    }

    fn drain(&mut self) {
        systemd::stopping();
        self.parts.inbox.stop();
        self.drain_until = Some(Instant::now() + self.parts.config.daemon.drain_timeout);
        let changes = self.schedule.drain(now());
        for running in self.running.values() {
            running.stop.drain();
        }
        self.apply_with(Vec::new(), changes, |_| Ok(()), |_| {});
    }

    fn cancel_all(&mut self) {
        for running in self.running.values() {
            running.stop.cancel();
        }
    }

    fn reload(&mut self) {
        systemd::reloading();
        match Config::load(&self.parts.config_path) {
            Ok(config) => self.reconfigure(config),
            Err(error) => tracing::error!("the config was not reloaded, and the old one stays: {error}"),
        }
        systemd::ready();
    }

    fn reconfigure(&mut self, config: Config) {
        for what in super::not_reloadable(&self.parts.config, &config) {
            tracing::warn!(
                "`{what}` has changed in the config; it takes effect only when the daemon is started again"
            );
        }
        for name in self.parts.config.instances.keys() {
            self.parts.pool.forget(name);
        }
        self.instances = work::instances(&config, &self.parts.drivers);
        self.parts.inbox.set_instances(config.instances.keys().cloned().collect());
        let changes = self.schedule.configure(&config, now());
        let folders = std::mem::replace(&mut self.parts.config, config).folders;
        self.parts.config.folders = folders;
        tracing::info!(instances = self.instances.len(), "the config was reloaded");
        self.apply_with(Vec::new(), changes, |_| Ok(()), |_| {});
    }

    fn store_failed(&mut self, why: &str) {
        if self.failed.is_none() {
            tracing::error!("the state cannot be recorded, so the daemon ends: {why}");
            self.failed = Some(Exit::Unrecorded);
            self.parts.inbox.stop();
            for running in self.running.values() {
                running.stop.drain();
            }
        }
    }

    fn time_passed(&mut self) {
        if self.drain_until.is_none() && self.failed.is_none() {
            let changes = self.schedule.time_passed(now());
            if !changes.is_empty() {
                self.apply_with(Vec::new(), changes, |_| Ok(()), |_| {});
            }
        }
        if let Some(until) = self.drain_until {
            systemd::stopping();
            if Instant::now() >= until && self.terminates < 2 {
                tracing::warn!("`drain_timeout` has passed");
                self.terminates = 2;
                self.cancel_all();
            }
        }
        let due = self.due.take(Instant::now());
        self.write_results(due);
        self.parts.pool.sweep();
        self.say_status();
    }

    fn write_results(&self, plans: Vec<i64>) {
        for plan in plans {
            self.results.write(plan, self.schedule.waiting_of(plan));
        }
    }

    fn say_status(&mut self) {
        let status = self.schedule.status_line(self.running.len());
        if status != self.status {
            systemd::status(&status);
            self.status = status;
        }
    }

    /// Why the daemon is to end now, if it is.
    fn ended(&self, inbox_is_idle: bool) -> Option<Exit> {
        if let Some(exit) = self.failed {
            return Some(exit);
        }
        if self.drain_until.is_some() {
            return (self.running.is_empty() && self.unrecorded == 0).then_some(Exit::Fine);
        }
        let idle = self.parts.until_idle
            && self.running.is_empty()
            && self.unrecorded == 0
            && !self.schedule.has_work()
            && inbox_is_idle;
        idle.then_some(Exit::Idle)
    }

    fn close(&mut self) {
        systemd::stopping();
        self.parts.inbox.stop();
        let left = self.due.take_all();
        self.write_results(left);
        self.results.close();
        self.parts.store.close();
    }
}
