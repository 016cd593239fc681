//! Statements of the open transaction that go to the server together, so that a large sheet does not wait for the way there and back at
//! each of them. A batch is as large as the server is quick: whoever watches or cancels never waits for it for long.

use super::{Halt, Performer};
use crate::sheet::{Placement, Statement};
use runsheet_sdk::{Flags, Kind};
use std::ops::Range;
use std::time::{Duration, Instant};

/// How many statements a batch has at most.
const STATEMENTS_MAX: usize = 1_000;
/// How many bytes, which bounds what is held in memory beside the sheet's own buffer.
const BYTES_MAX: usize = 128 * 1024;
/// A batch that takes longer is followed by one of half its size.
const TIME_MAX: Duration = Duration::from_millis(50);

/// A statement that waits to be sent. Its text is in the batch's buffer.
struct Waiting {
    number: u64,
    kind: Kind,
    flags: Flags,
    offset: u64,
    line: u64,
    lead_column: u64,
    lead: Range<usize>,
    text: Range<usize>,
}

/// Statements that wait to be sent.
pub(super) struct Batch {
    waiting: Vec<Waiting>,
    buffer: Vec<u8>,
    /// How many go together now.
    size: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { waiting: Vec::new(), buffer: Vec::new(), size: 1 }
    }
}

impl Batch {
    fn push(&mut self, statement: &Statement<'_>) {
        let mut keep = |bytes: &[u8]| {
            let begin = self.buffer.len();
            self.buffer.extend_from_slice(bytes);
            begin..self.buffer.len()
        };
        let Statement { number, kind, flags, offset, line, lead_column, lead, text } = *statement;
        let (lead, text) = (keep(lead), keep(text));
        self.waiting.push(Waiting { number, kind, flags, offset, line, lead_column, lead, text });
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= self.size || self.buffer.len() >= BYTES_MAX
    }

    fn statement(&self, index: usize) -> Option<Statement<'_>> {
        let waiting = self.waiting.get(index)?;
        let bytes = |range: &Range<usize>| self.buffer.get(range.clone()).unwrap_or_default();
        let Waiting { number, kind, flags, offset, line, lead_column, .. } = *waiting;
        let (lead, text) = (bytes(&waiting.lead), bytes(&waiting.text));
        Some(Statement { number, kind, flags, offset, line, lead, lead_column, text })
    }

    /// Forgets what waits, which was sent or is not to be.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.buffer.clear();
    }

    /// Makes the next batch as large as this one's time allows.
    fn resize(&mut self, took: Duration) {
        self.size = if took > TIME_MAX { self.size / 2 } else { self.size * 2 }.clamp(1, STATEMENTS_MAX);
    }
}

impl Performer<'_> {
    /// Lets a statement wait for others that go with it, if it is one that can; else it is to be run by itself, behind those that wait.
    pub(super) fn waits(&mut self, statement: &Statement<'_>, placement: Placement) -> Result<bool, Halt> {
        if !self.may_wait(statement, placement) {
            return Ok(false);
        }
        self.vet(statement)?;
        self.batch.push(statement);
        if self.batch.is_full() {
            self.send_waiting()?;
        }
        Ok(true)
    }

    fn may_wait(&self, statement: &Statement<'_>, placement: Placement) -> bool {
        let Placement::Inside { segment, opens: false, closes: false } = placement else { return false };
        self.open.is_some_and(|open| open.segment == segment)
            && !self.journal.tells_each()
            && self.connection.has_batches()
            && matches!(statement.kind, Kind::Dml | Kind::Ddl | Kind::Query)
            && statement.text.len() < BYTES_MAX
    }

    /// Sends what waits.
    pub(super) fn send_waiting(&mut self) -> Result<(), Halt> {
        let mut batch = std::mem::take(&mut self.batch);
        let sent = self.send_batch(&mut batch);
        batch.clear();
        self.batch = batch;
        sent
    }

    fn send_batch(&mut self, batch: &mut Batch) -> Result<(), Halt> {
        let Some(first) = batch.statement(0) else { return Ok(()) };
        self.watch(&first);
        let statements: Vec<Statement<'_>> =
            (0..batch.waiting.len()).filter_map(|index| batch.statement(index)).collect();
        let texts: Vec<&[u8]> = statements.iter().map(|statement| statement.text).collect();
        let journal = &mut *self.journal;
        let number_of = |index: usize| statements.get(index).unwrap_or(&first).number;
        let begun = Instant::now();
        let came = self.connection.execute_batch(&texts, &mut |index, notice| {
            journal.notice(number_of(index), notice);
        });
        let took = begun.elapsed();
        if let Some(last) = came.outcomes.len().checked_sub(1).and_then(|index| statements.get(index)) {
            let rows = came.outcomes.iter().filter_map(|outcome| outcome.rows_affected).sum();
            self.journal.statements(&first, last.number, rows, took);
            self.include(last);
            if let Some(open) = &mut self.open {
                open.affected_rows += rows;
            }
        }
        if let Some(error) = came.error {
            // Behind the last one only the connection can have failed.
            let failed = statements.get(came.outcomes.len()).or(statements.last()).unwrap_or(&first);
            return Err(self.failed(failed, &error));
        }
        batch.resize(took);
        Ok(())
    }
}
