//! The statements of a sheet, in their order, on one connection: each segment that is not in yet is run and marked, the
//! others are passed over.

use super::failure;
use super::intent::{self, Recorded};
use super::job::{End, Job};
use super::journal::Journal;
use super::run::task_key;
use super::stop::Wanted;
use crate::driver::Connection;
use crate::report::ErrorReport;
use crate::sheet::{Fault, Pieces, PiecesError, Placement, Segmenter, Statement, Survey};
use crate::store::{self, IntentEnd, LogEntry, Store};
use runsheet_sdk::{Applied, Error, Failure, Flags, Kind, Mark, Outcome};
use std::collections::BTreeMap;
use std::fs::File;
use std::time::Instant;

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
    /// Rows and statements that count only once it is committed.
    affected_rows: u64,
    /// Set where there is no ledger: the intent of its commit is recorded then.
    begun: Option<(u64, u64)>,
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
    /// Rows that follow belong to a load that is passed over.
    passing_rows: bool,
    counts: Counts,
}

impl<'a> Performer<'a> {
    #[allow(clippy::too_many_arguments, reason = "one call; a struct for it would only be taken apart again")]
    pub(super) fn new(
        job: &'a Job,
        store: &'a Store,
        connection: &'a mut Connection,
        journal: &'a mut Journal,
        survey: &'a Survey,
        session: String,
        ledger: bool,
        marks: &[Mark],
        recorded: Recorded,
    ) -> Self {
        Self {
            key: task_key(&job.plan, &job.plan_sha256, &job.spec),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            marked: marks.iter().map(|mark| (mark.segment, mark.clone())).collect(),
            job,
            store,
            connection,
            journal,
            survey,
            session,
            ledger,
            recorded,
            open: None,
            passing_rows: false,
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
        let mut segmenter = Segmenter::new(self.survey.head.txn_mode, self.job.instance.driver.facts());
        let mut load = Instant::now();
        self.job.progress.begins(&self.job.sheet_path, self.survey.bytes);
        loop {
            let statement = match pieces.advance() {
                Ok(Some(statement)) => statement,
                Ok(None) => break,
                Err(error) => return Err(self.sheet_fault(&error)),
            };
            if statement.kind == Kind::Rows {
                self.rows(&statement, load)?;
                continue;
            }
            let placement =
                segmenter.place(statement.kind, statement.flags, statement.line).map_err(|message| {
                    let (line, column, excerpt) = statement.place(0);
                    let fault = Fault {
                        line,
                        column,
                        offset: statement.offset,
                        statement: statement.number,
                        excerpt,
                        message,
                    };
                    self.sheet_fault(&PiecesError::Sheet(fault))
                })?;
            if placement.ends_what_is_open() {
                self.commit()?;
            }
            self.stop_if_wanted()?;
            self.watch(&statement);
            self.one(&statement, placement)?;
            load = Instant::now();
        }
        self.commit()?;
        self.mark_an_empty_sheet()
    }

    fn pieces(&self) -> Result<Pieces<File>, PiecesError> {
        let splitter =
            self.job.instance.driver.split(&self.job.instance.settings).map_err(PiecesError::Driver)?;
        Ok(Pieces::new(File::open(&self.job.sheet_path)?, splitter))
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
        if let Some(segment) = placement.segment()
            && let Some(because) = self.known(segment)
        {
            return self.pass_over(statement, segment, placement, &because);
        }
        match placement {
            Placement::Session => {
                self.execute(statement)?;
                self.counts.statements += 1;
                Ok(())
            }
            Placement::Inside { segment, opens, closes } => {
                if opens {
                    self.doubt(segment, statement)?;
                    self.connection.begin().map_err(|error| self.failed(statement, &error))?;
                    self.opened(segment, statement);
                }
                self.execute_inside(statement)?;
                if closes { self.commit() } else { Ok(()) }
            }
            Placement::OwnBegin { segment } => {
                self.doubt(segment, statement)?;
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
        let first =
            !matches!(placement, Placement::Inside { opens: false, .. } | Placement::OwnCommit { .. });
        if first {
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

    /// Stops where an earlier run left a statement of this segment of which nobody knows whether it took effect.
    fn doubt(&mut self, segment: u32, statement: &Statement<'_>) -> Result<(), Halt> {
        let Some(open) = self.recorded.open.get(&segment) else { return Ok(()) };
        if statement.flags.has(Flags::REPEATABLE) {
            let id = open.id;
            self.recorded.open.remove(&segment);
            self.journal
                .note(format!("statement {} is run again: doing it twice does no harm", statement.number));
            return self.record(intent::end(self.store, id, IntentEnd::NotApplied));
        }
        let of = &open.of;
        let sent = jiff::Timestamp::from_millisecond(of.intent_time).unwrap_or_default();
        let message = format!(
            "statement {} was about to be sent at {sent} by {}; whether it took effect is not known, and nothing of the task is run until an operator says so",
            of.statement, of.session
        );
        let detail = format!(
            "Look at the database: did statement {} (line {}) take effect? If it did, `runsheet resolve {}/{} --applied`: the task goes on after it. If it did not, `--not-applied`: the task runs it.",
            of.statement, of.line, self.job.plan, self.job.spec
        );
        let error = ErrorReport {
            class: "in doubt".to_owned(),
            message,
            statement: Some(of.statement),
            line: Some(of.line),
            column: Some(1),
            excerpt: Some(of.excerpt.clone()),
            ..ErrorReport::default()
        };
        Err(Performed::Ended(End::InDoubt { error: Box::new(error), detail }))
    }

    fn opened(&mut self, segment: u32, statement: &Statement<'_>) {
        self.open = Some(Open {
            segment,
            first: statement.number,
            last: statement.number,
            affected_rows: 0,
            begun: (!self.ledger).then_some((statement.offset, statement.line)),
        });
    }

    fn include(&mut self, statement: &Statement<'_>) {
        if let Some(open) = &mut self.open {
            open.last = statement.number;
        }
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

    fn execute_inside(&mut self, statement: &Statement<'_>) -> Result<(), Halt> {
        let outcome = self.execute(statement)?;
        self.include(statement);
        if let Some(open) = &mut self.open {
            open.affected_rows += outcome.rows_affected.unwrap_or(0);
        }
        Ok(())
    }

    /// Rows of a load: passed on to the server, or passed over with their load.
    fn rows(&mut self, rows: &Statement<'_>, begun: Instant) -> Result<(), Halt> {
        if self.passing_rows {
            return Ok(());
        }
        let sent = if rows.text.is_empty() { Ok(()) } else { self.connection.load_rows(rows.text) };
        sent.map_err(|error| self.failed(rows, &error))?;
        if rows.flags.has(Flags::LAST) {
            let journal = &mut *self.journal;
            let number = rows.number;
            let ended = self.connection.end_load(&mut |notice| journal.notice(number, notice));
            let outcome = ended.map_err(|error| self.failed(rows, &error))?;
            let count = outcome.rows_affected.unwrap_or(0);
            self.journal
                .note(format!("statement {number}: {count} rows were loaded in {:.1?}", begun.elapsed()));
            if let Some(open) = &mut self.open {
                open.affected_rows += count;
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
            schema_version: self.job.schema_version.clone().unwrap_or_default(),
            host: self.host.clone(),
            applied_time: String::new(),
        }
    }

    /// Commits the open segment, if one is, together with its mark.
    fn commit(&mut self) -> Result<(), Halt> {
        let Some(open) = self.open else { return Ok(()) };
        if self.job.stop.wanted() == Wanted::Cancel {
            return Err(self.canceled());
        }
        let written = if self.ledger {
            let mark = self.mark(open.segment, open.first, open.last);
            self.connection.write_mark(&mark)
        } else {
            Ok(())
        };
        if let Err(error) = written {
            return Err(self.segment_failed("the ledger did not take the mark", open, &error));
        }
        let intent = match open.begun {
            Some((offset, line)) => Some(self.commit_intent(open, offset, line)?),
            None => None,
        };
        let journal = &mut *self.journal;
        match self.connection.commit(&mut |notice| journal.notice(open.last, notice)) {
            Ok(()) => {}
            Err(error) => {
                if let (Some(intent), Applied::No) = (intent, error.applied) {
                    self.record(intent::end(self.store, intent, IntentEnd::NotApplied))?;
                }
                return Err(self.segment_failed("the transaction was not committed", open, &error));
            }
        }
        if let Some(intent) = intent {
            self.record(intent::end(self.store, intent, IntentEnd::Applied))?;
        }
        self.open = None;
        self.counts.statements += open.last + 1 - open.first;
        self.counts.affected_rows += open.affected_rows;
        self.journal.entry(LogEntry::Committed { segment: open.segment, first: open.first, last: open.last });
        Ok(())
    }

    /// Without a ledger nothing in the target tells whether a commit happened: what is about to be committed is recorded.
    fn commit_intent(&mut self, open: Open, offset: u64, line: u64) -> Result<i64, Halt> {
        let text = format!("COMMIT of statements {} to {}", open.first, open.last);
        let commit = Statement {
            number: open.last,
            kind: Kind::Commit,
            flags: Flags::none(),
            offset,
            line,
            text: text.as_bytes(),
        };
        self.record(intent::begin(self.store, self.job, open.segment, &commit, &self.session))
    }

    fn own_rollback(&mut self, statement: &Statement<'_>, segment: u32) -> Result<(), Halt> {
        let first = self.open.map_or(statement.number, |open| open.first);
        self.connection.rollback().map_err(|error| self.failed(statement, &error))?;
        self.open = None;
        if self.ledger {
            let mark = self.mark(segment, first, statement.number);
            self.connection.write_mark(&mark).map_err(|error| self.failed(statement, &error))?;
        }
        self.counts.statements += statement.number + 1 - first;
        self.journal.entry(LogEntry::RolledBack { segment, because: "the sheet says so".to_owned() });
        Ok(())
    }

    /// A statement that commits by itself: recorded before it is sent, and again when its answer is there.
    fn alone(&mut self, statement: &Statement<'_>, segment: u32) -> Result<(), Halt> {
        self.doubt(segment, statement)?;
        let intent = self.record(intent::begin(self.store, self.job, segment, statement, &self.session))?;
        let begun = Instant::now();
        let outcome = match self.send(statement) {
            Ok(outcome) => outcome,
            Err(error) => return Err(self.alone_failed(statement, segment, intent, &error)),
        };
        self.record(intent::end(self.store, intent, IntentEnd::Applied))?;
        let rows = outcome.rows_affected.unwrap_or(0);
        self.journal.statement(statement, rows, begun.elapsed());
        self.counts.statements += 1;
        self.counts.affected_rows += rows;
        if self.ledger {
            let mark = self.mark(segment, statement.number, statement.number);
            self.connection.write_mark(&mark).map_err(|error| self.failed(statement, &error))?;
        }
        Ok(())
    }

    /// A statement in a transaction that it may end by itself: recorded like one that commits, marked like one that does not.
    fn guarded(&mut self, statement: &Statement<'_>, segment: u32) -> Result<(), Halt> {
        self.doubt(segment, statement)?;
        let intent = self.record(intent::begin(self.store, self.job, segment, statement, &self.session))?;
        self.connection.begin().map_err(|error| self.failed(statement, &error))?;
        let begun = Instant::now();
        let outcome = match self.send(statement) {
            Ok(outcome) => outcome,
            Err(error) => return Err(self.alone_failed(statement, segment, intent, &error)),
        };
        let rows = outcome.rows_affected.unwrap_or(0);
        self.journal.statement(statement, rows, begun.elapsed());
        let marked = if self.ledger {
            let mark = self.mark(segment, statement.number, statement.number);
            self.connection.write_mark(&mark)
        } else {
            Ok(())
        };
        let journal = &mut *self.journal;
        let number = statement.number;
        let committed =
            marked.and_then(|()| self.connection.commit(&mut |notice| journal.notice(number, notice)));
        if let Err(error) = committed {
            return Err(self.alone_failed(statement, segment, intent, &error));
        }
        self.record(intent::end(self.store, intent, IntentEnd::Applied))?;
        self.counts.statements += 1;
        self.counts.affected_rows += rows;
        Ok(())
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

    fn roll_back(&mut self, because: &str) {
        if let Some(open) = self.open.take() {
            // An error here means that the connection is gone, and then the server rolls back.
            let _ = self.connection.rollback();
            self.journal.entry(LogEntry::RolledBack { segment: open.segment, because: because.to_owned() });
        }
    }

    /// What is in and what is not, for people.
    fn standing(&self, open: Option<Open>) -> String {
        let kept = match self.counts.statements {
            0 => "Nothing of the sheet has taken effect.".to_owned(),
            1 => "Statement 1 has taken effect and stays.".to_owned(),
            count => format!("Statements 1 to {count} have taken effect and stay."),
        };
        match open {
            Some(open) => {
                format!("{kept} The transaction that began with statement {} was rolled back.", open.first)
            }
            None => kept,
        }
    }

    fn canceled(&mut self) -> Halt {
        let open = self.open;
        self.roll_back("the task was canceled");
        Performed::Ended(End::Canceled { detail: self.standing(open) })
    }

    fn failed(&mut self, statement: &Statement<'_>, error: &Error) -> Halt {
        let report = failure::of_statement(error, statement);
        self.ended_by(report, self.open, error)
    }

    fn segment_failed(&mut self, what: &str, open: Open, error: &Error) -> Halt {
        let mut report = failure::of_session(what, error);
        report.statement = Some(open.last);
        self.ended_by(report, Some(open), error)
    }

    fn ended_by(&mut self, report: Box<ErrorReport>, open: Option<Open>, error: &Error) -> Halt {
        match error.failure {
            Failure::Lost | Failure::DriverBug => {
                Performed::Lost(Lost { error: report, segment: open.map(|open| open.segment) })
            }
            Failure::Canceled if self.job.stop.wanted() == Wanted::Cancel => self.canceled(),
            Failure::Failed | Failure::Canceled | Failure::Misuse | Failure::Unsupported => {
                self.roll_back(&report.message);
                let detail = format!("{} A retry goes on from there.", self.standing(open));
                Performed::Ended(End::Failed { error: report, detail })
            }
        }
    }

    /// The failure of a statement whose intent is on disk.
    fn alone_failed(&mut self, statement: &Statement<'_>, segment: u32, intent: i64, error: &Error) -> Halt {
        let known = match error.applied {
            Applied::No => Some(IntentEnd::NotApplied),
            Applied::Yes => Some(IntentEnd::Applied),
            Applied::Unknown => None,
        };
        if let Some(outcome) = known
            && let Err(halt) = self.record(intent::end(self.store, intent, outcome))
        {
            return halt;
        }
        match known {
            // The intent is open: the settling after a new connection finds it, and says so.
            None => Performed::Lost(Lost {
                error: failure::of_statement(error, statement),
                segment: Some(segment),
            }),
            Some(_) => {
                // A transaction may still be open around a statement that was to be guarded.
                let _ = self.connection.rollback();
                self.failed(statement, error)
            }
        }
    }

    fn sheet_fault(&mut self, error: &PiecesError) -> Halt {
        let open = self.open;
        self.roll_back("the sheet could not be read on");
        Performed::Ended(End::Failed { error: failure::of_sheet(error), detail: self.standing(open) })
    }
}
