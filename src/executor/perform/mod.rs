//! The statements of a sheet, in their order, on one connection: each segment that is not in yet is run and marked, the
//! others are passed over.

mod alone;
mod batch;
mod ending;
mod transaction;

use super::failure::{self, RowsBegin};
use super::intent::{self, Recorded};
use super::job::{End, Job};
use super::journal::Journal;
use super::run::{Prepared, task_key};
use super::stop::Wanted;
use crate::driver::Connection;
use crate::report::ErrorReport;
use crate::sheet::{Next, Pieces, PiecesError, Placement, Segmenter, Statement, Survey, read_ahead};
use crate::store::{self, IntentEnd, LogEntry, Store};
use alone::Settled;
use batch::{Batch, Pace};
use runsheet_sdk::{Error, Failure, Flags, Kind, Mark, Outcome};
use std::collections::BTreeMap;
use std::fs::File;
use std::time::Instant;

/// Sheets that are as large are read ahead on a thread of their own, which a small one does not pay for.
const READ_AHEAD_BYTES: u64 = 1024 * 1024;

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Statements that took effect, those of earlier tries included.
    pub statements: u64,
    /// Rows that the statements of this connection changed.
    pub affected_rows: u64,
}

/// How performing ended.
pub(super) enum Performed {
    /// The run is over.
    Ended(End),
    /// The connection is gone; what became of the segment is to be asked of the ledger.
    Lost(Lost),
}

/// A connection that was lost in the middle of a run.
pub(super) struct Lost {
    /// What was seen.
    pub error: Box<ErrorReport>,
    /// The segment that was under way, if one was.
    pub segment: Option<u32>,
}

/// Why the loop stops before the sheet's end.
type Halt = Performed;

/// A segment that is open on the server.
#[derive(Clone, Copy)]
struct Open {
    segment: u32,
    first: u64,
    last: u64,
    /// The lines of its first and last statement.
    lines: (u64, u64),
    /// Rows and statements that count only once it is committed.
    affected_rows: u64,
    /// Set where there is no ledger: the intent of its commit is recorded then.
    begun: Option<(u64, u64)>,
    /// The intent of what a rollback would not undo, and the statement that first did such a thing.
    not_undone: Option<(i64, u64)>,
}

pub(super) struct Performer<'a> {
    job: &'a Job,
    store: &'a Store,
    connection: &'a mut Connection,
    journal: &'a mut Journal,
    survey: &'a Survey,
    session: String,
    ledger: bool,
    key: String,
    host: String,
    /// The segments that the ledger has.
    marked: BTreeMap<u32, Mark>,
    recorded: Recorded,
    open: Option<Open>,
    /// How many statements go to the server together.
    pace: Pace,
    /// Rows that follow belong to a load that is passed over.
    passing_rows: bool,
    /// Rows that follow end the transaction.
    closes_with_rows: bool,
    /// Where the rows of the load under way begin, once they have.
    rows_begin: Option<RowsBegin>,
    counts: Counts,
}

impl<'a> Performer<'a> {
    pub(super) fn new(
        job: &'a Job,
        store: &'a Store,
        connection: &'a mut Connection,
        journal: &'a mut Journal,
        survey: &'a Survey,
        prepared: Prepared,
    ) -> Self {
        let Prepared { session, ledger, marks, recorded } = prepared;
        Self {
            key: task_key(&job.plan, &job.plan_sha256, &job.spec),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            marked: marks.into_iter().map(|mark| (mark.segment, mark)).collect(),
            job,
            store,
            connection,
            journal,
            survey,
            session,
            ledger,
            recorded,
            open: None,
            pace: Pace::default(),
            passing_rows: false,
            closes_with_rows: false,
            rows_begin: None,
            counts: Counts::default(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Runs what is not in yet.
    pub(super) fn perform(&mut self) -> Performed {
        match self.through() {
            Ok(()) => Performed::Ended(End::Done { detail: None }),
            Err(halt) => halt,
        }
    }

    fn through(&mut self) -> Result<(), Halt> {
        let mut pieces = self.pieces().map_err(|error| self.sheet_fault(&error))?;
        self.job.progress.begins(&self.job.sheet_path, self.survey.bytes);
        if self.survey.bytes < READ_AHEAD_BYTES {
            return self.chunks(&mut || pieces.chunk());
        }
        let ended = read_ahead(pieces, |next| self.chunks(next));
        ended.map_err(|error| self.sheet_fault(&error.into()))?
    }

    fn pieces(&self) -> Result<Pieces<File>, PiecesError> {
        let splitter =
            self.job.instance.driver.split(&self.job.instance.settings).map_err(PiecesError::Driver)?;
        Ok(Pieces::new(File::open(&self.job.sheet_path)?, splitter))
    }

    fn chunks(&mut self, next: Next<'_>) -> Result<(), Halt> {
        let mut segmenter = Segmenter::new(self.survey.head.txn_mode, self.job.instance.driver.facts());
        let mut load = Instant::now();
        while let Some(chunk) = next().map_err(|error| self.sheet_fault(&error))? {
            let mut batch = Batch::default();
            for statement in chunk.statements() {
                if statement.kind == Kind::Rows {
                    self.rows(&statement, load)?;
                    continue;
                }
                let placement = self.place(&mut segmenter, &statement)?;
                let waits = self.may_wait(&statement, placement);
                if !waits {
                    self.send_waiting(&mut batch)?;
                }
                if placement.ends_what_is_open() {
                    self.commit()?;
                }
                self.stop_if_wanted()?;
                if waits {
                    self.wait(&mut batch, statement)?;
                    continue;
                }
                self.watch(&statement);
                self.one(&statement, placement)?;
                load = Instant::now();
            }
            self.send_waiting(&mut batch)?;
        }
        self.commit()?;
        self.mark_an_empty_sheet()
    }

    fn place(&mut self, segmenter: &mut Segmenter, statement: &Statement<'_>) -> Result<Placement, Halt> {
        let placed = segmenter.place(statement.kind, statement.flags, statement.line);
        placed.map_err(|message| self.sheet_fault(&statement.fault(0, message).into()))
    }

    fn watch(&self, statement: &Statement<'_>) {
        let (pending, rows) =
            self.open.map_or((0, 0), |open| (open.last + 1 - open.first, open.affected_rows));
        self.job.progress.at(statement, self.counts.statements + pending, self.counts.affected_rows + rows);
    }

    fn stop_if_wanted(&mut self) -> Result<(), Halt> {
        match self.job.stop.wanted() {
            Wanted::Run => Ok(()),
            // What is open goes on to its commit, so that its work is not thrown away.
            Wanted::Drain if self.open.is_some() => Ok(()),
            Wanted::Drain => Err(Performed::Ended(End::Interrupted)),
            Wanted::Cancel => Err(self.canceled()),
        }
    }

    fn one(&mut self, statement: &Statement<'_>, placement: Placement) -> Result<(), Halt> {
        self.passing_rows = false;
        self.rows_begin = None;
        if let Some(segment) = placement.segment() {
            if let Some(because) = self.known(segment) {
                return self.pass_over(statement, segment, placement, &because);
            }
            if placement.begins_a_segment()
                && let Settled::PassOver(because) = self.settle(segment, statement)?
            {
                return self.pass_over(statement, segment, placement, &because);
            }
        }
        match placement {
            Placement::Session => {
                self.execute(statement)?;
                self.counts.statements += 1;
                Ok(())
            }
            Placement::Inside { segment, opens, closes } => {
                if opens {
                    self.connection.begin().map_err(|error| self.failed(statement, &error))?;
                    self.opened(segment, statement);
                }
                self.execute_inside(statement)?;
                // The rows of a load belong to its transaction.
                self.closes_with_rows = closes && statement.kind == Kind::Load;
                if closes && !self.closes_with_rows { self.commit() } else { Ok(()) }
            }
            Placement::OwnBegin { segment } => {
                self.execute(statement)?;
                self.opened(segment, statement);
                Ok(())
            }
            Placement::OwnCommit { segment: Some(_) } => {
                self.include(statement);
                self.commit()
            }
            Placement::OwnCommit { segment: None } => {
                self.counts.statements += 1;
                Ok(())
            }
            Placement::OwnRollback { segment } => self.own_rollback(statement, segment),
            Placement::Alone { segment } => self.alone(statement, segment),
            Placement::Guarded { segment } => self.guarded(statement, segment),
        }
    }

    /// How it is known that a segment has taken effect before, if it has.
    fn known(&self, segment: u32) -> Option<String> {
        if let Some(mark) = self.marked.get(&segment) {
            return Some(format!("the ledger has it since {} (host {})", mark.applied_time, mark.host));
        }
        self.recorded.applied.get(&segment).map(|_| "it is recorded here as applied".to_owned())
    }

    fn pass_over(
        &mut self,
        statement: &Statement<'_>,
        segment: u32,
        placement: Placement,
        because: &str,
    ) -> Result<(), Halt> {
        self.passing_rows = statement.kind == Kind::Load;
        self.counts.statements += 1;
        if let Some(open) = self.recorded.open.remove(&segment) {
            self.record(intent::end(self.store, open.id, IntentEnd::Applied))?;
        }
        let whole = matches!(placement, Placement::Alone { .. } | Placement::Guarded { .. });
        if self.ledger && whole && !self.marked.contains_key(&segment) {
            // Known here, but a crash came before the ledger heard of it.
            let mark = self.mark(segment, statement.number, statement.number);
            self.connection.write_mark(&mark).map_err(|error| self.failed(statement, &error))?;
            self.marked.insert(segment, mark);
        }
        if placement.begins_a_segment() {
            let (first, last) = match self.marked.get(&segment) {
                Some(mark) => (mark.first_statement, mark.last_statement),
                None => (statement.number, statement.number),
            };
            self.journal.entry(LogEntry::PassedOver { segment, first, last, because: because.to_owned() });
        }
        if statement.flags.has(Flags::SESSION) {
            // What it set is gone with the old session, and what follows may depend on it.
            let journal = &mut *self.journal;
            let number = statement.number;
            self.connection
                .execute(statement.text, &mut |notice| journal.notice(number, notice))
                .map_err(|error| self.failed(statement, &error))?;
        }
        Ok(())
    }

    /// Runs a statement by itself; its error ends the run.
    fn execute(&mut self, statement: &Statement<'_>) -> Result<Outcome, Halt> {
        let begun = Instant::now();
        match self.send(statement) {
            Ok(outcome) => {
                self.journal.statement(statement, outcome.rows_affected.unwrap_or(0), begun.elapsed());
                Ok(outcome)
            }
            Err(error) => Err(self.failed(statement, &error)),
        }
    }

    fn send(&mut self, statement: &Statement<'_>) -> Result<Outcome, Error> {
        let journal = &mut *self.journal;
        let number = statement.number;
        let mut notices = |notice| journal.notice(number, notice);
        if statement.kind == Kind::Load {
            self.connection.begin_load(statement.text, &mut notices)?;
            return Ok(Outcome::default());
        }
        self.connection.execute(statement.text, &mut notices)
    }

    /// Rows of a load: passed on to the server, or passed over with their load.
    fn rows(&mut self, rows: &Statement<'_>, begun: Instant) -> Result<(), Halt> {
        if self.passing_rows {
            return Ok(());
        }
        self.rows_begin.get_or_insert(RowsBegin { line: rows.line, offset: rows.offset });
        let sent = if rows.text.is_empty() { Ok(()) } else { self.connection.load_rows(rows.text) };
        sent.map_err(|error| self.row_failed(rows, &error))?;
        if rows.flags.has(Flags::LAST) {
            let journal = &mut *self.journal;
            let number = rows.number;
            let ended = self.connection.end_load(&mut |notice| journal.notice(number, notice));
            let outcome = ended.map_err(|error| self.row_failed(rows, &error))?;
            let count = outcome.rows_affected.unwrap_or(0);
            self.journal
                .note(format!("statement {number}: {count} rows were loaded in {:.1?}", begun.elapsed()));
            if let Some(open) = &mut self.open {
                open.affected_rows += count;
            }
            if std::mem::take(&mut self.closes_with_rows) {
                return self.commit();
            }
        }
        Ok(())
    }

    fn mark(&self, segment: u32, first_statement: u64, last_statement: u64) -> Mark {
        Mark {
            task: self.key.clone(),
            segment,
            first_statement,
            last_statement,
            complete: segment >= self.survey.segments,
            plan: self.job.plan.clone(),
            spec: self.job.spec.clone(),
            sheet: self.job.sheet.clone(),
            sheet_sha256: self.job.sheet_sha256.clone(),
            schema_version: self
                .job
                .schema_version
                .as_ref()
                .map(|version| version.key.clone())
                .unwrap_or_default(),
            host: self.host.clone(),
            applied_time: String::new(),
        }
    }

    /// A sheet without any segment still brings its schema version.
    fn mark_an_empty_sheet(&mut self) -> Result<(), Halt> {
        if !self.ledger || self.survey.segments > 0 || self.marked.contains_key(&1) {
            return Ok(());
        }
        let mark = self.mark(1, 0, 0);
        self.connection.write_mark(&mark).map_err(|error| match error.failure {
            Failure::Lost | Failure::DriverBug => {
                Performed::Lost(Lost { error: failure::of_session("the ledger", &error), segment: None })
            }
            _ => Performed::Ended(End::Failed {
                error: failure::of_session("the ledger did not take the mark", &error),
                detail: "The sheet has no statement that changes anything; a retry does no harm.".to_owned(),
                by_chance: false,
            }),
        })
    }

    fn record<T>(&mut self, written: Result<T, store::Error>) -> Result<T, Halt> {
        written.map_err(|error| {
            // What cannot be recorded is not done: the run stops here, and the next start goes on by what is on disk.
            tracing::error!(task = self.job.task_id, "a run stops, because it cannot be recorded: {error}");
            Performed::Ended(End::Interrupted)
        })
    }
}
