//! Segments that are transactions: opened, filled, and committed together with their mark.

use super::{Halt, Open, Performer};
use crate::executor::intent;
use crate::executor::stop::Wanted;
use crate::sheet::Statement;
use crate::store::{IntentEnd, IntentKind, LogEntry};
use runsheet_sdk::{Applied, Error, Facts, Flags, Kind, Observation};

impl Performer<'_> {
    pub(super) fn opened(&mut self, segment: u32, statement: &Statement<'_>) {
        self.open = Some(Open {
            segment,
            first: statement.number,
            last: statement.number,
            lines: (statement.line, statement.line),
            affected_rows: 0,
            begun: (!self.ledger).then_some((statement.offset, statement.line)),
            not_undone: None,
        });
    }

    pub(super) fn include(&mut self, statement: &Statement<'_>) {
        if let Some(open) = &mut self.open {
            open.last = statement.number;
            open.lines.1 = statement.line;
        }
    }

    pub(super) fn execute_inside(&mut self, statement: &Statement<'_>) -> Result<(), Halt> {
        let seen = self.vet(statement);
        self.vetted(statement, seen)?;
        let outcome = self.execute(statement)?;
        self.include(statement);
        if let Some(open) = &mut self.open {
            open.affected_rows += outcome.rows_affected.unwrap_or(0);
        }
        Ok(())
    }

    /// Commits the open segment, if one is, together with its mark.
    pub(super) fn commit(&mut self) -> Result<(), Halt> {
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
            return Err(self.segment_failed("could not be marked in the ledger", open, &error));
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
                return Err(self.segment_failed("was not committed", open, &error));
            }
        }
        for intent in intent.into_iter().chain(open.not_undone.map(|(intent, _)| intent)) {
            self.record(intent::end(self.store, intent, IntentEnd::Applied))?;
        }
        self.open = None;
        self.counts.statements += open.last + 1 - open.first;
        self.counts.affected_rows += open.affected_rows;
        self.journal.entry(LogEntry::Committed { segment: open.segment, first: open.first, last: open.last });
        Ok(())
    }

    /// Without a ledger nothing in the target tells whether a commit happened: what is about to be committed is recorded.
    pub(super) fn commit_intent(&mut self, open: Open, offset: u64, line: u64) -> Result<i64, Halt> {
        let text = format!("COMMIT of statements {} to {}", open.first, open.last);
        let commit = Statement {
            number: open.last,
            kind: Kind::Commit,
            flags: Flags::none(),
            offset,
            line,
            lead: b"",
            lead_column: 0,
            text: text.as_bytes(),
        };
        let (kind, seen) = (IntentKind::Commit, Observation::default());
        self.record(intent::begin(self.store, self.job, open.segment, kind, &commit, &self.session, seen))
    }

    /// What a statement of the open transaction changes that a rollback does not undo, where the engine has such tables.
    pub(super) fn vet(&mut self, statement: &Statement<'_>) -> Result<Option<Observation>, Error> {
        let may_be_unsafe = self.job.instance.driver.facts().has(Facts::UNSAFE_TABLES);
        let is_known = self.open.is_none_or(|open| open.not_undone.is_some());
        if !may_be_unsafe || is_known || !matches!(statement.kind, Kind::Dml | Kind::Load) {
            return Ok(None);
        }
        self.connection.vet(statement.text)
    }

    /// Records it before the statement is sent, since a rollback, or a crash in the middle, would leave it behind. Nothing that goes
    /// before the statement may still wait to be sent.
    pub(super) fn vetted(
        &mut self,
        statement: &Statement<'_>,
        seen: Result<Option<Observation>, Error>,
    ) -> Result<(), Halt> {
        let seen = seen.map_err(|error| self.failed(statement, &error))?;
        let (Some(seen), Some(open)) = (seen, self.open) else { return Ok(()) };
        self.journal.note(format!("statement {}: {}", statement.number, seen.summary));
        let kind = IntentKind::NotUndone;
        let begun = intent::begin(self.store, self.job, open.segment, kind, statement, &self.session, seen);
        let intent = self.record(begun)?;
        self.open = Some(Open { not_undone: Some((intent, statement.number)), ..open });
        Ok(())
    }

    pub(super) fn own_rollback(&mut self, statement: &Statement<'_>, segment: u32) -> Result<(), Halt> {
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
}
