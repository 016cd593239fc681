//! Statements of the open transaction that go to the server together, so that a large sheet does not wait for the way there and back at
//! each of them. A batch is as large as the server is quick: whoever watches or cancels never waits for it for long.
//!
//! INSERTs of one row each are not joined into one of many rows, though PostgreSQL takes a third of the time for that: triggers and rules of
//! a statement would come once for all, and the server would tell the place of a wrong row in a text that stands in no sheet.

use super::{Halt, Performer};
use crate::sheet::{Placement, Statement};
use runsheet_sdk::Kind;
use std::time::{Duration, Instant};

/// How many statements a batch has at most.
const STATEMENTS_MAX: usize = 1_000;
/// How many bytes.
const BYTES_MAX: usize = 128 * 1024;
/// A batch that takes longer is followed by one of half its size.
const TIME_MAX: Duration = Duration::from_millis(50);

/// Statements that wait to be sent.
#[derive(Default)]
pub(super) struct Batch<'c> {
    statements: Vec<Statement<'c>>,
    bytes: usize,
}

/// How many statements go together now.
pub(super) struct Pace(usize);

impl Default for Pace {
    fn default() -> Self {
        Self(1)
    }
}

impl Pace {
    /// Makes the next batch as large as the time of this one allows.
    fn adapt(&mut self, took: Duration) {
        self.0 = if took > TIME_MAX { self.0 / 2 } else { self.0 * 2 }.clamp(1, STATEMENTS_MAX);
    }
}

impl Performer<'_> {
    /// Whether a statement can go together with others of its transaction, instead of by itself behind those that wait.
    pub(super) fn may_wait(&self, statement: &Statement<'_>, placement: Placement) -> bool {
        let Placement::Inside { segment, opens: false, closes: false } = placement else { return false };
        self.open.is_some_and(|open| open.segment == segment)
            && !self.journal.tells_each()
            && self.connection.has_batches()
            && matches!(statement.kind, Kind::Dml | Kind::Ddl | Kind::Query)
            && statement.text.len() < BYTES_MAX
    }

    /// Lets a statement wait for others that go with it.
    pub(super) fn wait<'c>(&mut self, batch: &mut Batch<'c>, statement: Statement<'c>) -> Result<(), Halt> {
        let seen = self.vet(&statement);
        if !matches!(seen, Ok(None)) {
            // It is not to be told of, or recorded, before what goes before it has run.
            self.send_waiting(batch)?;
        }
        self.vetted(&statement, seen)?;
        batch.statements.push(statement);
        batch.bytes += statement.text.len();
        let is_full = batch.statements.len() >= self.pace.0 || batch.bytes >= BYTES_MAX;
        if is_full { self.send_waiting(batch) } else { Ok(()) }
    }

    /// Sends what waits.
    pub(super) fn send_waiting(&mut self, batch: &mut Batch<'_>) -> Result<(), Halt> {
        let Batch { statements, .. } = std::mem::take(batch);
        let Some(first) = statements.first() else { return Ok(()) };
        self.watch(first);
        let texts: Vec<&[u8]> = statements.iter().map(|statement| statement.text).collect();
        let journal = &mut *self.journal;
        let number_of = |index: usize| statements.get(index).unwrap_or(first).number;
        let begun = Instant::now();
        let came = self.connection.execute_batch(&texts, &mut |index, notice| {
            journal.notice(number_of(index), notice);
        });
        let took = begun.elapsed();
        if let Some(last) = came.outcomes.len().checked_sub(1).and_then(|index| statements.get(index)) {
            let rows = came.outcomes.iter().filter_map(|outcome| outcome.rows_affected).sum();
            self.journal.statements(first, last.number, rows, took);
            self.include(last);
            if let Some(open) = &mut self.open {
                open.affected_rows += rows;
            }
        }
        if let Some(error) = came.error {
            // Behind the last one only the connection can have failed.
            let failed = statements.get(came.outcomes.len()).or(statements.last()).unwrap_or(first);
            return Err(self.failed(failed, &error));
        }
        self.pace.adapt(took);
        Ok(())
    }
}
