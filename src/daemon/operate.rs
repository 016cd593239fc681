//! An operator's words: found fitting or refused, recorded with who said them and why, and then carried out.

use super::engine::{Engine, now};
use super::event::Event;
use super::schedule::{Acted, StoredPlan};
use super::work;
use crate::control::Answer;
use crate::report::Subject;
use crate::store::{self, AuditEntry, PlanRow, PlanStatus, TaskRow};
use tokio::sync::oneshot;

/// How many tasks are named one by one.
const NAMED_MAX: usize = 20;

/// What an operator wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Run again what FAILED or was CANCELED.
    Retry,
    /// Take for not needed.
    Skip,
    /// Stop.
    Cancel,
    /// Let a plan go on that was rebuilt from a damaged state.
    Release,
    /// Say what became of a statement in doubt.
    Resolve {
        /// Whether it took effect.
        applied: bool,
    },
}

impl Order {
    fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Cancel => "cancel",
            Self::Release => "release",
            Self::Resolve { applied: true } => "resolve --applied",
            Self::Resolve { applied: false } => "resolve --not-applied",
        }
    }

    /// What becomes of a task, or of several.
    fn sentence(self, what: &str, many: bool, running: bool) -> String {
        let (is, runs) = if many { ("are", "run") } else { ("is", "runs") };
        match self {
            Self::Retry => format!("{what} {runs} again"),
            Self::Skip => format!("{what} {is} skipped"),
            Self::Cancel if running => format!("{what} {is} being stopped"),
            Self::Cancel => format!("{what} {is} canceled"),
            Self::Release => format!("{what} goes on"),
            Self::Resolve { applied: true } => {
                format!("{what} goes on after the statement that was in doubt")
            }
            Self::Resolve { applied: false } => format!("{what} runs the statement that was in doubt"),
        }
    }
}

/// An order with who gave it.
pub(super) struct Spoken {
    pub subject: Subject,
    pub order: Order,
    pub who: String,
    pub reason: String,
    pub answer: oneshot::Sender<Answer>,
}

impl Spoken {
    fn audit(&self) -> AuditEntry {
        AuditEntry {
            time: now(),
            who: self.who.clone(),
            action: self.order.word().to_owned(),
            plan: self.subject.plan().name.clone(),
            spec: self.subject.task().map(|task| task.spec_id.clone()),
            reason: self.reason.clone(),
        }
    }
}

/// Answers once it is known whether what was asked is on the disk. Whoever asked may have gone; it is done all the same.
fn tell(
    answer: oneshot::Sender<Answer>,
    did: Vec<String>,
) -> impl FnOnce(Result<(), &store::Error>) + Send + 'static {
    move |recorded| {
        let _ = answer.send(match recorded {
            Ok(()) => Answer::Done { did },
            Err(error) => Answer::Refused { why: error.to_string(), usage: false },
        });
    }
}

impl Engine {
    /// An operator spoke.
    pub(super) fn ordered(&mut self, spoken: Spoken) {
        let plan = spoken.subject.plan().clone();
        let refuse = |answer: oneshot::Sender<Answer>, why: String, usage: bool| {
            let _ = answer.send(Answer::Refused { why, usage });
        };
        match self.lacks_sheets(plan.id) {
            Ok(false) => {}
            Ok(true) => return self.ordered_before_its_sheets(spoken, &plan),
            Err(error) => return refuse(spoken.answer, error.to_string(), false),
        }
        if let Err(error) = self.know(plan.id) {
            return refuse(spoken.answer, error.to_string(), false);
        }
        let task = spoken.subject.task().map(|task| task.id);
        match self.decide(spoken.order, plan.id, task) {
            Ok(acted) => self.carry_out(spoken, &plan, task, acted),
            Err(why) => refuse(spoken.answer, why, true),
        }
        // One that has ended, and still has, is not kept.
        self.schedule.forget(plan.id);
    }

    fn decide(&mut self, order: Order, plan: i64, task: Option<i64>) -> Result<Acted, String> {
        match order {
            Order::Retry => self.schedule.retry(plan, task, now()),
            Order::Skip => self.schedule.skip(plan, task, now()),
            Order::Cancel => self.schedule.cancel(plan, task, now()),
            Order::Release if task.is_some() => {
                Err("name the plan: `release` is about a whole one".to_owned())
            }
            Order::Release => self.schedule.release(plan, now()),
            Order::Resolve { .. } => match task {
                Some(task) => self.schedule.resolve(plan, task, now()),
                None => Err("name the task, as PLAN/SPEC: `resolve` is about one task".to_owned()),
            },
        }
    }

    fn carry_out(&mut self, spoken: Spoken, plan: &PlanRow, task: Option<i64>, acted: Acted) {
        let (entry, order) = (spoken.audit(), spoken.order);
        let did = match acted.specs.len() {
            0 => vec![order.sentence(&plan.name, false, false)],
            1..=NAMED_MAX => acted
                .specs
                .iter()
                .map(|(spec, running)| order.sentence(&format!("{}/{spec}", plan.name), false, *running))
                .collect(),
            count => {
                let running = acted.specs.iter().any(|(_, running)| *running);
                vec![order.sentence(&format!("{count} tasks of {}", plan.name), true, running)]
            }
        };
        let released = (order == Order::Release).then_some(plan.id);
        self.apply_with(
            vec![plan.id],
            acted.changes,
            move |connection| {
                if let Some(plan) = released {
                    store::set_plan_held(connection, plan, false)?;
                }
                if let (Order::Resolve { applied }, Some(task)) = (order, task) {
                    work::settle_intents(connection, task, applied, now())?;
                }
                store::append_audit(connection, &entry)
            },
            tell(spoken.answer, did),
        );
    }

    /// Sees that the scheduler knows a plan that has ended, so that it can be retried. Its rows are read behind everything that was
    /// decided: what is still on its way to the disk would look as if it had not happened, and would be done again.
    fn know(&mut self, plan: i64) -> Result<(), store::Error> {
        if self.schedule.knows(plan) {
            return Ok(());
        }
        let stored = self.parts.store.write_and_wait(move |connection| StoredPlan::read(connection, plan))?;
        if let Some(stored) = stored {
            let changes = self.schedule.recall(&stored, now());
            self.apply(plan, changes);
        }
        Ok(())
    }

    /// Whether a plan was never rolled out: it waits for sheets, or was canceled while it did.
    fn lacks_sheets(&self, plan: i64) -> Result<bool, store::Error> {
        let has_none = |task: &TaskRow| task.sheet_sha256.is_none();
        let tasks = self.parts.store.reader()?.read(|connection| store::tasks_of_plan(connection, plan))?;
        Ok(tasks.iter().any(has_none))
    }

    /// The scheduler does not know such a plan, and must not: its tasks have nothing to run. It can be given up, no more.
    fn ordered_before_its_sheets(&mut self, spoken: Spoken, plan: &PlanRow) {
        let name = &plan.name;
        let why = match (spoken.order, spoken.subject.task()) {
            _ if plan.status != PlanStatus::WaitingForSheets => format!(
                "the plan {name} was canceled before all its sheets had come, so nothing of it can be run; drop it again under another name"
            ),
            (Order::Cancel, None) => return self.give_up(spoken, plan),
            (order, _) => format!(
                "the plan {name} still waits for sheets, so there is nothing to {}; `runsheet cancel {name}` gives the whole plan up",
                order.word()
            ),
        };
        let _ = spoken.answer.send(Answer::Refused { why, usage: true });
    }

    /// Cancels a plan that waits for sheets, unless the last of them comes first.
    fn give_up(&mut self, spoken: Spoken, plan: &PlanRow) {
        self.unrecorded += 1;
        let (entry, answer, id, time) = (spoken.audit(), spoken.answer, plan.id, now());
        let (name, handle) = (plan.name.clone(), self.parts.handle.clone());
        self.parts.store.write(
            move |connection| {
                let given_up = store::cancel_waiting_plan(connection, id, time)?;
                if given_up {
                    store::append_audit(connection, &entry)?;
                }
                Ok(given_up)
            },
            move |result| {
                let said = match &result {
                    Ok(true) => Answer::Done { did: vec![Order::Cancel.sentence(&name, false, false)] },
                    Ok(false) => Answer::Refused {
                        why: format!(
                            "the last sheet of the plan {name} has just come, and it runs; say it again"
                        ),
                        usage: false,
                    },
                    Err(error) => Answer::Refused { why: error.to_string(), usage: false },
                };
                // Whoever asked may have gone.
                let _ = answer.send(said);
                handle.send(match result {
                    Ok(_) => Event::Recorded(vec![id]),
                    Err(error) => Event::StoreFailed(error.to_string()),
                });
            },
        );
    }
}
