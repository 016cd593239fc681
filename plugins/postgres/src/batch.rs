//! Statements in one go: each is parsed, bound and executed by messages of its own, so that the server takes no more than one for one, and
//! one Sync stands behind them all. From an error on the server passes over whatever comes before the Sync.
//!
//! One simple query of many statements takes a quarter less time. But `current_query()`, which audit triggers keep, and what the server logs
//! of a statement would then be the text of all of them, and a fault in the last one's syntax would be told before the first has run.

use crate::connection::{Session, can_be_sent, rows_of};
use crate::place;
use crate::wire::{STATEMENT_TAIL, SYNC, Word, statement_head};
use runsheet_sdk::{Answer, Answers, Applied, Batch, Error, Outcome, Transaction};

impl Batch for Session {
    fn execute(&mut self, statements: &[&[u8]], answers: Answers<'_>) -> Result<(), Error> {
        // One that cannot be sent fails behind those before it.
        let fit = statements.iter().take_while(|statement| can_be_sent(statement).is_ok()).count();
        let (sent, rest) = statements.split_at(fit);
        if !sent.is_empty() {
            self.execute_all(sent, answers)?;
        }
        rest.first().map_or(Ok(()), |statement| can_be_sent(statement))
    }
}

impl Session {
    fn execute_all(&mut self, statements: &[&[u8]], answers: Answers<'_>) -> Result<(), Error> {
        self.buffer.clear();
        for statement in statements {
            statement_head(statement, &mut self.buffer);
            self.buffer.extend_from_slice(statement);
            self.buffer.extend_from_slice(&STATEMENT_TAIL);
        }
        self.buffer.extend_from_slice(&SYNC);
        self.send()?;
        let mut done = 0;
        let heard = self.wire.words(false, &mut |word| match word {
            Word::Notice(said) => answers(Answer::Notice(said.notice())),
            Word::Done(tag) => {
                done += 1;
                let rows_affected = rows_of(&tag);
                answers(Answer::Outcome(Outcome { rows_affected, transaction: Transaction::Open, tag }));
            }
        });
        let utf8 = self.is_utf8();
        let at_work = statements.get(done).copied().unwrap_or_default();
        let answer = self.settled(heard, |said| place::in_statement(said, at_work, utf8))?;
        if answer.copy_in {
            // What was sent behind it has become its rows.
            let why =
                "a statement of a batch waits for rows, which none of it may; its transaction is given up";
            return Err(self.give_up(Error::lost(why, Applied::No)));
        }
        Ok(())
    }
}
