//! One run from its start to its end: survey the sheet, connect, fence, ask the ledger, perform, and settle what a lost
//! connection leaves open.

use super::failure;
use super::fence::{self, Fence};
use super::intent::{Recorded, session_text};
use super::job::{End, Ended, Job, SchemaVersion};
use super::journal::Journal;
use super::perform::{Counts, Lost, Performed, Performer};
use super::pool::Pool;
use super::stop::Wanted;
use crate::driver::Connection;
use crate::report::ErrorReport;
use crate::sheet::Survey;
use crate::store::{LogEntry, Store};
use runsheet_sdk::{Class, Error, Failure, Mark};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a lost connection is tried again before the run is given up.
const RECONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// How often a run goes on after its connection was lost.
const CONNECTIONS_LOST_MAX: u32 = 3;
/// How often a pause looks whether the run is to stop.
const PAUSE_LOOK: Duration = Duration::from_millis(50);
/// What it means for the data, and what to do, where a run ended before its first statement.
const NOTHING_RUN: &str = "Nothing was run in this try. Put right what stopped it, and retry.";
/// How long between two tries.
const RECONNECT_WAIT: Duration = Duration::from_millis(500);

/// The task's key in every ledger: the same on every host for the same plan and spec, so that a restored or second
/// daemon finds the marks of the first.
pub fn task_key(plan: &str, plan_sha256: &str, spec: &str) -> String {
    let mut hash = Sha256::new();
    for part in [plan, plan_sha256, spec] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// Makes one run.
pub(super) fn run(job: &Job, store: &Store, pool: &Pool) -> Ended {
    let mut journal = Journal::new(store.clone(), job.run_id);
    let survey = match job.instance.surveys.of(job) {
        Ok(survey) => survey,
        Err(error) => {
            let detail = format!("Nothing of the sheet was run in this try. {}", failure::CORRECT_THE_SHEET);
            let end = End::Failed { error: failure::of_sheet(&error), detail, by_chance: false };
            return finish(&mut journal, None, Counts::default(), end);
        }
    };
    // Every intent belongs to a run.
    let is_unheard_of = job.attempt == 1 && !job.resumed;
    let mut run = Run { job, store, pool, survey, journal, counts: Counts::default(), is_unheard_of };
    let end = run.make();
    let Run { mut journal, survey, counts, .. } = run;
    finish(&mut journal, Some(survey.statements), counts, end)
}

fn finish(journal: &mut Journal, statements_total: Option<u64>, counts: Counts, end: End) -> Ended {
    let said = match &end {
        End::Done { detail } => Some(("DONE", detail.clone().unwrap_or_default())),
        End::Failed { error, .. } => Some(("FAILED", failure::sentence(error))),
        End::Canceled { detail } => Some(("CANCELED", detail.clone())),
        End::InDoubt { error, .. } => Some(("IN_DOUBT", failure::sentence(error))),
        End::Interrupted => None,
    };
    if let Some((status, text)) = said {
        journal.entry(LogEntry::Ended { status: status.to_owned(), text });
    }
    journal.flush();
    Ended { end, statements_total, statements_done: counts.statements, affected_rows: counts.affected_rows }
}

/// A run under way.
struct Run<'a> {
    job: &'a Job,
    store: &'a Store,
    pool: &'a Pool,
    survey: Arc<Survey>,
    journal: Journal,
    counts: Counts,
    /// Whether nothing can be recorded of the task: this is its first run, and it has not been on a connection yet.
    is_unheard_of: bool,
}

/// How one connection's part of a run ended.
enum Part {
    /// The run is over.
    Over(End),
    /// The connection is gone.
    Lost(Lost),
}

impl Run<'_> {
    /// Tries until the run ends by something else than chance, or has been tried often enough.
    fn make(&mut self) -> End {
        let retry = self.job.instance.retry;
        let (mut tried, mut wait) = (1, retry.backoff);
        loop {
            let end = self.once();
            let End::Failed { error, by_chance: true, detail } = &end else { return end };
            if tried >= retry.attempts {
                return end;
            }
            tried += 1;
            self.journal.note(format!(
                "{}; nothing of it is left behind, and it is tried again in {wait:.1?} (try {tried} of {})",
                error.message, retry.attempts
            ));
            match self.pause(wait) {
                Wanted::Run => wait = wait.saturating_mul(2),
                Wanted::Drain => return End::Interrupted,
                Wanted::Cancel => return End::Canceled { detail: detail.clone() },
            }
        }
    }

    /// Waits, and stops waiting where the run is to stop.
    fn pause(&self, wait: Duration) -> Wanted {
        let begun = Instant::now();
        while begun.elapsed() < wait && self.job.stop.wanted() == Wanted::Run {
            std::thread::sleep(PAUSE_LOOK.min(wait));
        }
        self.job.stop.wanted()
    }

    /// Tries once, over as many connections as it takes.
    fn once(&mut self) -> End {
        let mut lost: Option<Lost> = None;
        for _ in 0..=CONNECTIONS_LOST_MAX {
            let connection = if lost.is_some() { self.reconnect() } else { self.connect() };
            let mut connection = match (connection, lost.take()) {
                (Ok(connection), before) => {
                    lost = before;
                    connection
                }
                (Err(error), None) => return self.not_connected(&error),
                (Err(error), Some(before)) => return not_settled(before.error, &error.to_string()),
            };
            self.job.stop.attach(connection.cancel_handle());
            let part = self.on(&mut connection, lost.take());
            self.job.stop.detach();
            self.give_back(connection);
            match part {
                Part::Over(end) => return end,
                Part::Lost(again) => {
                    self.journal.note(lost_words(&again.error.message));
                    lost = Some(again);
                }
            }
        }
        let error = lost.map_or_else(Box::default, |lost| lost.error);
        not_settled(error, "the connection was lost again and again")
    }

    fn label(&self) -> String {
        format!("runsheet {}/{}", self.job.plan, self.job.spec)
    }

    fn connect(&mut self) -> Result<Connection, Error> {
        let journal = &mut self.journal;
        let label = format!("runsheet {}/{}", self.job.plan, self.job.spec);
        self.pool
            .take(&self.job.instance, &self.job.database, &label, &mut |notice| journal.notice(0, notice))
    }

    fn reconnect(&mut self) -> Result<Connection, Error> {
        let begun = Instant::now();
        loop {
            match self.connect() {
                Ok(connection) => return Ok(connection),
                Err(error) if begun.elapsed() > RECONNECT_TIME_MAX => return Err(error),
                Err(error) => {
                    if self.job.stop.wanted() != Wanted::Run {
                        return Err(error);
                    }
                    std::thread::sleep(RECONNECT_WAIT);
                }
            }
        }
    }

    fn not_connected(&self, error: &Error) -> End {
        let target = format!("instances/{}/databases/{}", self.job.instance.name, self.job.database);
        End::Failed {
            error: failure::of_session(&format!("no connection to {target}"), error),
            detail: NOTHING_RUN.to_owned(),
            by_chance: matches!(error.class, Class::Connection | Class::Resource),
        }
    }

    /// Puts the connection back, where it is certain that nothing of this run hangs on it.
    fn give_back(&self, mut connection: Connection) {
        let clean = !connection.is_lost()
            && self.job.stop.wanted() != Wanted::Cancel
            && connection.rollback().is_ok()
            && connection.unlock().is_ok();
        if clean {
            self.pool.give(&self.job.instance, &self.job.database, connection);
        } else {
            drop(connection);
            self.pool.leave(&self.job.instance.name);
        }
    }

    /// The run on one connection; `lost` is what the one before it was lost in.
    fn on(&mut self, connection: &mut Connection, lost: Option<Lost>) -> Part {
        match self.prepared(connection) {
            Ok(Ok(prepared)) => match lost.and_then(|lost| settle(lost, &prepared)) {
                Some(end) => Part::Over(end),
                None => self.perform(connection, prepared),
            },
            Ok(Err(end)) => Part::Over(end),
            Err(error) => not_prepared(&error, lost),
        }
    }

    /// Fence, ledger and what earlier runs have recorded; or the end, where nothing is to be run.
    fn prepared(&mut self, connection: &mut Connection) -> Result<Result<Prepared, End>, Error> {
        match fence::take(connection, self.job, self.store, &mut self.journal)? {
            Fence::Held => {}
            Fence::Stopped(Wanted::Cancel) => {
                return Ok(Err(End::Canceled {
                    detail: "Canceled before anything was run in this try.".to_owned(),
                }));
            }
            Fence::Stopped(_) => return Ok(Err(End::Interrupted)),
        }
        let session = match connection.identity() {
            // A kept connection: it was remembered when it was asked.
            Some(known) => session_text(known),
            None => {
                let identity = connection.identify()?;
                fence::remember(&identity, self.job, self.store);
                session_text(&identity)
            }
        };
        self.journal.entry(LogEntry::Started {
            attempt: self.job.attempt,
            resumed: self.job.resumed,
            session: format!("{} ({})", session, self.label()),
        });
        let ledger = self.job.instance.ledger && connection.has_ledger();
        let marks = if ledger { self.ledger(connection)? } else { Vec::new() };
        if ledger && let Some(end) = self.version(connection, &marks)? {
            return Ok(Err(end));
        }
        if std::mem::take(&mut self.is_unheard_of) {
            return Ok(Ok(Prepared { session, ledger, marks, recorded: Recorded::default() }));
        }
        match Recorded::read(self.store, self.job.task_id) {
            Ok(recorded) => Ok(Ok(Prepared { session, ledger, marks, recorded })),
            Err(error) => {
                tracing::error!(task = self.job.task_id, "a run is put off: {error}");
                Ok(Err(End::Interrupted))
            }
        }
    }

    fn ledger(&self, connection: &mut Connection) -> Result<Vec<Mark>, Error> {
        connection.prepare_ledger()?;
        connection.read_marks(&task_key(&self.job.plan, &self.job.plan_sha256, &self.job.spec))
    }

    /// Whether the schema version is in this database already: then the task is done, or cannot be.
    fn version(&self, connection: &mut Connection, own: &[Mark]) -> Result<Option<End>, Error> {
        let Some(SchemaVersion { written: version, key }) = &self.job.schema_version else { return Ok(None) };
        // Its own mark is of an earlier run that was cut off; going on says more than stopping.
        if own.iter().any(|mark| mark.complete) {
            return Ok(None);
        }
        let Some(mark) = connection.find_version(key)? else { return Ok(None) };
        let by = format!(
            "plan {}, spec {}, at {} from host {}",
            mark.plan, mark.spec, mark.applied_time, mark.host
        );
        if mark.sheet_sha256 == self.job.sheet_sha256 {
            return Ok(Some(End::Done {
                detail: Some(format!(
                    "Not run: schema version {version} is in this database already, with the same sheet ({by})."
                )),
            }));
        }
        Ok(Some(End::Failed {
            error: Box::new(ErrorReport {
                class: "schema version".to_owned(),
                message: format!(
                    "schema version {version} is in this database already, with another sheet: {} (sha256 {}) by {by}; this task has {} (sha256 {})",
                    mark.sheet, mark.sheet_sha256, self.job.sheet, self.job.sheet_sha256
                ),
                ..ErrorReport::default()
            }),
            detail: "Nothing was run. Give the change a version of its own, or skip the task if the other sheet stands for it.".to_owned(),
            by_chance: false,
        }))
    }

    fn perform(&mut self, connection: &mut Connection, prepared: Prepared) -> Part {
        let mut performer =
            Performer::new(self.job, self.store, connection, &mut self.journal, &self.survey, prepared);
        let performed = performer.perform();
        let counts = performer.counts();
        self.counts.statements = counts.statements;
        self.counts.affected_rows += counts.affected_rows;
        match performed {
            Performed::Ended(end) => Part::Over(end),
            Performed::Lost(lost) => Part::Lost(lost),
        }
    }
}

/// What is known before the first statement.
pub(super) struct Prepared {
    /// Who the session is.
    pub session: String,
    /// Whether the target has a ledger.
    pub ledger: bool,
    /// What the ledger has of the task.
    pub marks: Vec<Mark>,
    /// What is recorded here of it.
    pub recorded: Recorded,
}

/// The database could not be asked what is in already; what an earlier connection was lost in is then as open as it was.
fn not_prepared(error: &Error, lost: Option<Lost>) -> Part {
    match (error.failure, lost) {
        (Failure::Lost, Some(before)) => Part::Lost(before),
        (Failure::Lost, None) => {
            Part::Lost(Lost { error: failure::of_session("before the sheet", error), segment: None })
        }
        (_, Some(before)) => Part::Over(not_settled(before.error, &error.to_string())),
        (_, None) => Part::Over(End::Failed {
            error: failure::of_session("before the sheet could be run", error),
            detail: NOTHING_RUN.to_owned(),
            by_chance: matches!(error.class, Class::LockTimeout | Class::Deadlock | Class::Serialization),
        }),
    }
}

/// What became of the segment in which a connection was lost, now that the fence shows that the old session is gone:
/// nothing, where the run may go on; the end, where it certainly had no effect.
fn settle(lost: Lost, prepared: &Prepared) -> Option<End> {
    let known = lost.segment.is_some_and(|segment| {
        prepared.marks.iter().any(|mark| mark.segment == segment)
            || prepared.recorded.applied.contains_key(&segment)
            || prepared.recorded.open.contains_key(&segment)
    });
    if known {
        return None;
    }
    let mut error = lost.error;
    error.message = lost_words(&error.message);
    Some(End::Failed {
        error,
        detail: "The old session is gone, and nothing of the transaction that was open is in the database. What was committed before it stays; a retry goes on from there."
            .to_owned(),
        by_chance: true,
    })
}

/// What was seen of a connection's end; a server's farewell does not say that it is one.
fn lost_words(seen: &str) -> String {
    if seen.starts_with("the connection ") {
        seen.to_owned()
    } else {
        format!("the connection was lost: {seen}")
    }
}

/// The connection was lost and could not be made again: what took effect is asked of the ledger at the next try.
fn not_settled(mut error: Box<ErrorReport>, why: &str) -> End {
    error.message =
        format!("{}; and the database could not be asked what became of it: {why}", error.message);
    End::Failed {
        error,
        detail: "Whether the last transaction was committed is not known now. A retry asks the database's ledger first, and runs only what is not in."
            .to_owned(),
        by_chance: false,
    }
}
