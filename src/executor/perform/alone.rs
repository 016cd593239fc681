//! Statements that commit by themselves: seen and recorded before they are sent, and recorded again when their answer is there.
//! What an earlier try left open is judged before anything else of its segment is done.

use super::{Halt, Lost, Performed, Performer};
use crate::executor::job::End;
use crate::executor::{failure, intent};
use crate::report::ErrorReport;
use crate::sheet::{Placement, Statement};
use crate::store::{Intent, IntentEnd, IntentKind, LogEntry};
use runsheet_sdk::{
    Applied, Error, Failure, Flags, Mark, Observation, Observed, Ruling, Settled as By, Verdict,
};

/// How often half effects of one statement are put right before a person is asked.
const REPAIRS_MAX: usize = 16;

/// What is to be done with a segment of which an earlier try left something open.
pub(super) enum Settled {
    /// To be run.
    Run,
    /// To be passed over, and why.
    PassOver(String),
}

impl Performer<'_> {
    /// Finds out what became of what an earlier try left open in this segment, whose first statement this is.
    pub(super) fn settle(&mut self, segment: u32, statement: &Statement<'_>) -> Result<Settled, Halt> {
        self.close_later(segment)?;
        let Some(open) = self.recorded.open.get(&segment).cloned() else { return Ok(Settled::Run) };
        match open.of.kind {
            IntentKind::Statement => self.settle_statement(segment, statement, &open),
            IntentKind::Commit => Err(self.in_doubt(
                &open,
                &Verdict::new(
                    Ruling::Unknown,
                    "the target has no ledger, so nothing in the database tells whether this transaction was committed",
                ),
            )),
            IntentKind::NotUndone => Err(self.in_doubt(
                &open,
                &Verdict::new(
                    Ruling::Unknown,
                    "it changed a table that knows no transactions, and how far it came cannot be told",
                ),
            )),
        }
    }

    /// A segment is sent only when the ledger has the one before: where this one is not in it, no later one was ever sent. A rebuilt
    /// state records more than one as open, because it does not know how far the task had come.
    fn close_later(&mut self, segment: u32) -> Result<(), Halt> {
        if !self.ledger {
            return Ok(());
        }
        let later = self.recorded.open.split_off(&(segment + 1));
        for open in later.into_values() {
            self.record(intent::end(self.store, open.id, IntentEnd::NotApplied))?;
        }
        Ok(())
    }

    fn settle_statement(
        &mut self,
        segment: u32,
        statement: &Statement<'_>,
        open: &Intent,
    ) -> Result<Settled, Halt> {
        if open.of.sha256 != intent::sha256(statement.text) {
            let reason = "the statement that was recorded is not the one that stands in the sheet";
            return Err(self.in_doubt(open, &Verdict::new(Ruling::Unknown, reason)));
        }
        let unseen = open.of.settled == By::Nobody.word();
        if open.of.settled == By::Repeat.word() || unseen && statement.flags.has(Flags::REPEATABLE) {
            self.judged(open, &Verdict::new(Ruling::NotApplied, "running it again does no harm"));
            return self.settled(segment, open, IntentEnd::NotApplied, Settled::Run);
        }
        let mark = self.mark(segment, statement.number, statement.number);
        for _ in 0..REPAIRS_MAX {
            let verdict = match self.connection.judge(statement.text, &mark, &open.of.observation) {
                Ok(verdict) => verdict,
                Err(error) if matches!(error.failure, Failure::Lost | Failure::DriverBug) => {
                    let error = failure::of_statement(&error, statement);
                    return Err(Performed::Lost(Lost { error, segment: Some(segment) }));
                }
                Err(error) => {
                    Verdict::new(Ruling::Unknown, format!("the database could not be asked: {error}"))
                }
            };
            self.judged(open, &verdict);
            match verdict.ruling {
                Ruling::Applied => {
                    return self.settled(
                        segment,
                        open,
                        IntentEnd::Applied,
                        Settled::PassOver(verdict.reason),
                    );
                }
                Ruling::NotApplied => {
                    return self.settled(segment, open, IntentEnd::NotApplied, Settled::Run);
                }
                Ruling::Unknown => return Err(self.in_doubt(open, &verdict)),
                Ruling::Repair => self.repair(segment, statement, &verdict.repair)?,
            }
        }
        let reason = "its half effect was put right again and again, and is still there";
        Err(self.in_doubt(open, &Verdict::new(Ruling::Unknown, reason)))
    }

    fn settled(
        &mut self,
        segment: u32,
        open: &Intent,
        outcome: IntentEnd,
        settled: Settled,
    ) -> Result<Settled, Halt> {
        self.record(intent::end(self.store, open.id, outcome))?;
        self.recorded.open.remove(&segment);
        Ok(settled)
    }

    /// The intent stays open meanwhile: a crash in the repair leads here again.
    fn repair(&mut self, segment: u32, statement: &Statement<'_>, repair: &str) -> Result<(), Halt> {
        self.journal.note(format!("put right by: {repair}"));
        // It may take long, and is to be seen meanwhile.
        self.journal.flush();
        let journal = &mut *self.journal;
        let number = statement.number;
        self.connection
            .execute(repair.as_bytes(), &mut |notice| journal.notice(number, notice))
            .map(drop)
            .map_err(|error| {
                let what =
                    format!("the half effect of statement {number} could not be put right by `{repair}`");
                let report = failure::of_session(&what, &error);
                match self.ended_by(report, None, &error) {
                    // What the statement itself came to is still to be judged.
                    Performed::Lost(Lost { error, .. }) => {
                        Performed::Lost(Lost { error, segment: Some(segment) })
                    }
                    ended @ Performed::Ended(_) => ended,
                }
            })
    }

    fn judged(&mut self, open: &Intent, verdict: &Verdict) {
        self.journal.entry(LogEntry::Judged {
            statement: open.of.statement,
            ruling: verdict.ruling.word().to_owned(),
            reason: verdict.reason.clone(),
            before: open.of.summary.clone(),
            now: verdict.summary.clone(),
        });
    }

    /// Stops the task until a person has looked.
    fn in_doubt(&mut self, open: &Intent, verdict: &Verdict) -> Halt {
        let of = &open.of;
        let sent = jiff::Timestamp::from_millisecond(of.intent_time).unwrap_or_default();
        let message = format!(
            "statement {} was about to be sent at {sent:.0}, and whether it took effect cannot be known: {}",
            of.statement, verdict.reason
        );
        let seen = |when: &str, what: &str| {
            if what.is_empty() { String::new() } else { format!("{when}: {what}. ") }
        };
        let detail = format!(
            "{}{}It was sent by {}. Look at the database: did statement {} (line {}) take effect? If it did, `runsheet resolve {}/{} --applied`: the task goes on after it. If it did not, `--not-applied`: the task runs it. Until then nothing else runs on this database.",
            seen("Before it", &of.summary),
            seen("Now", &verdict.summary),
            of.session,
            of.statement,
            of.line,
            self.job.plan,
            self.job.spec
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
        Performed::Ended(End::InDoubt { error: Box::new(error), detail })
    }

    /// Runs a statement that commits by itself.
    pub(super) fn alone(&mut self, statement: &Statement<'_>, segment: u32) -> Result<(), Halt> {
        let mark = self.mark(segment, statement.number, statement.number);
        let seen = match self.connection.observe(statement.text, &mark) {
            Ok(Observed::Before(seen)) => seen,
            Ok(Observed::Applied(verdict)) => {
                return self.pass_over(statement, segment, Placement::Alone { segment }, &verdict.reason);
            }
            Err(error) => return Err(self.failed(statement, &error)),
        };
        let observation = seen.text.clone();
        let can_be_judged = seen.settled != By::Nobody;
        self.journal.flush();
        let intent = self.intend(statement, segment, seen)?;
        let begun = std::time::Instant::now();
        let journal = &mut *self.journal;
        let mut notices = |notice| journal.notice(statement.number, notice);
        let sent = self.connection.execute_marked(statement.text, &mark, &observation, &mut notices);
        let outcome = match sent {
            Ok(outcome) => outcome,
            Err(error) => return Err(self.alone_failed(statement, segment, intent, &error)),
        };
        // A server may acknowledge what its crash takes back, where the sheet or its settings allow that; the mark's commit is on its disk
        // when it is answered, and all before it too. So the statement stays open until then, where it can be judged.
        let rows = outcome.rows_affected.unwrap_or(0);
        self.counts.statements += 1;
        self.counts.affected_rows += rows;
        if can_be_judged {
            self.mark_alone(statement, &mark)?;
        }
        self.record(intent::end(self.store, intent, IntentEnd::Applied))?;
        self.journal.statement(statement, rows, begun.elapsed());
        // Of what nobody could judge, the answer counts for more: nobody need be asked.
        if can_be_judged { Ok(()) } else { self.mark_alone(statement, &mark) }
    }

    fn mark_alone(&mut self, statement: &Statement<'_>, mark: &Mark) -> Result<(), Halt> {
        if !self.ledger {
            return Ok(());
        }
        self.connection.write_mark(mark).map_err(|error| self.failed(statement, &error))
    }

    fn intend(&mut self, statement: &Statement<'_>, segment: u32, seen: Observation) -> Result<i64, Halt> {
        let kind = IntentKind::Statement;
        self.record(intent::begin(self.store, self.job, segment, kind, statement, &self.session, seen))
    }

    /// A statement in a transaction that it may end by itself: recorded like one that commits, marked like one that does not.
    pub(super) fn guarded(&mut self, statement: &Statement<'_>, segment: u32) -> Result<(), Halt> {
        // Before the intent: where no transaction is to be had, nothing was sent, and nobody need ask what became of it.
        self.connection.begin().map_err(|error| self.failed(statement, &error))?;
        let intent = self.intend(statement, segment, Observation::default())?;
        let begun = std::time::Instant::now();
        let outcome = match self.send(statement) {
            Ok(outcome) => outcome,
            Err(error) => return Err(look_first(self.alone_failed(statement, segment, intent, &error))),
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
            return Err(look_first(self.alone_failed(statement, segment, intent, &error)));
        }
        self.record(intent::end(self.store, intent, IntentEnd::Applied))?;
        self.counts.statements += 1;
        self.counts.affected_rows += rows;
        Ok(())
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
            // The intent is open: the next connection settles it.
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
}

/// The failure of a statement that may have committed a part of what it did: it is not tried again before a person has looked.
fn look_first(halt: Halt) -> Halt {
    match halt {
        Performed::Ended(End::Failed { error, detail, .. }) => {
            let detail = format!(
                "{detail} What the statement itself had committed before it failed stays, and a retry runs all of it again: look first."
            );
            Performed::Ended(End::Failed { error, detail, by_chance: false })
        }
        other => other,
    }
}
