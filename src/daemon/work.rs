//! Between stored rows and the executor: a run that was recorded becomes a job, and how it ended becomes a row.

use super::change::Started;
use super::schedule::RunEnded;
use crate::config::{Config, Ledger};
use crate::driver::Drivers;
use crate::executor::{
    End, Ended, Instance, Job, Orphans, Progress, Retry, SchemaVersion, Stop, Surveys, Workers,
};
use crate::plan;
use crate::report::ErrorReport;
use crate::store::{self, IntentEnd, Millis, RunEnd, RunStatus, Sheets};
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::Arc;

/// What a run needs besides its row.
pub(super) struct With {
    pub stop: Arc<Stop>,
    pub progress: Arc<Progress>,
    pub sheets: Sheets,
    pub instances: Arc<HashMap<String, Arc<Instance>>>,
}

/// The configured instances whose drivers are there.
pub(super) fn instances(config: &Config, drivers: &Drivers) -> Arc<HashMap<String, Arc<Instance>>> {
    let usable = config.instances.values().filter_map(|instance| {
        let driver = drivers.get(&instance.driver)?;
        let made = Instance {
            name: instance.name.clone(),
            driver,
            settings: instance.settings.clone(),
            ledger: instance.ledger == Ledger::Target,
            max_connections: instance.max_connections,
            orphans: if instance.cancel_orphans { Orphans::Cancel } else { Orphans::Wait },
            retry: Retry { attempts: instance.retry_attempts, backoff: instance.retry_backoff },
            surveys: Surveys::default(),
        };
        Some((instance.name.clone(), Arc::new(made)))
    });
    Arc::new(usable.collect())
}

/// How handing a run over went.
pub(super) enum Begun {
    /// A thread has it.
    Yes,
    /// It cannot be run at all, and failed with this.
    Failed(i64, i64, Box<Ended>),
    /// The system gives no thread.
    NoThread(std::io::Error),
}

/// Hands a run that is on the disk to a thread.
pub(super) fn begin(workers: &Workers, started: Started, with: With) -> Begun {
    let Started { plan, task, run, attempt, resumed } = started;
    let Some(instance) = with.instances.get(&task.instance).cloned() else {
        let message = format!(
            "the instance {} is not in the config any more, or its driver could not be loaded; `runsheet config check` says which",
            task.instance
        );
        let error = ErrorReport { class: "setting".to_owned(), message, ..ErrorReport::default() };
        let detail = "Nothing was run in this try.".to_owned();
        let end = End::Failed { error: Box::new(error), detail, by_chance: false };
        let ended = Ended { end, statements_total: None, statements_done: 0, affected_rows: 0 };
        return Begun::Failed(task.id, run, Box::new(ended));
    };
    let sha256 = task.sheet_sha256.unwrap_or_default();
    let job = Job {
        task_id: task.id,
        run_id: run,
        attempt,
        resumed,
        plan: plan.name,
        plan_sha256: plan.sha256,
        spec: task.spec_id,
        sheet: task.sheet,
        sheet_path: with.sheets.path(&sha256),
        sheet_sha256: sha256,
        schema_version: task.schema_version.map(schema_version),
        instance,
        database: task.database,
        stop: with.stop,
        progress: with.progress,
    };
    match workers.run(job) {
        Ok(()) => Begun::Yes,
        Err(error) => Begun::NoThread(error),
    }
}

/// A version that no plan could have comes from a row that nobody has written; then it stands for itself.
fn schema_version(written: String) -> SchemaVersion {
    let key =
        written.parse::<plan::SchemaVersion>().map_or_else(|_| written.clone(), |version| version.key());
    SchemaVersion { written, key }
}

/// What an ended run means for the scheduler and for its row. Nothing where it is to be taken up again.
pub(super) fn outcome(ended: &Ended, now: Millis) -> Option<(RunEnded, RunEnd)> {
    let json =
        |error: &ErrorReport| serde_json::to_string(error).expect("an error has only text and numbers");
    let (how, status, detail, error) = match &ended.end {
        End::Done { detail } => (RunEnded::Done, RunStatus::Done, detail.clone(), None),
        End::Failed { error, detail, .. } => {
            (RunEnded::Failed, RunStatus::Failed, Some(detail.clone()), Some(json(error)))
        }
        End::Canceled { detail } => (RunEnded::Canceled, RunStatus::Canceled, Some(detail.clone()), None),
        End::InDoubt { error, detail } => {
            (RunEnded::InDoubt, RunStatus::InDoubt, Some(detail.clone()), Some(json(error)))
        }
        End::Interrupted => return None,
    };
    let run = RunEnd {
        status,
        end_time: now,
        statements_total: ended.statements_total,
        statements_done: ended.statements_done,
        affected_rows: ended.affected_rows,
        detail,
        error,
    };
    Some((how, run))
}

/// Records an operator's word on the statements of a task that are in doubt: a rebuilt state may have more than one. That the first took
/// effect says nothing of the others; that it did not means that they were never sent.
pub(super) fn settle_intents(
    connection: &Connection,
    task: i64,
    applied: bool,
    now: Millis,
) -> Result<(), store::Error> {
    let outcome = if applied { IntentEnd::Applied } else { IntentEnd::NotApplied };
    let open = store::open_intents(connection, task)?;
    let first = open.iter().map(|intent| intent.of.segment).min();
    for intent in open.iter().filter(|intent| !applied || Some(intent.of.segment) == first) {
        store::end_intent(connection, intent.id, outcome, now)?;
    }
    Ok(())
}
