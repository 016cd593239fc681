//! Statements in one go: one request of several, which the server is told to take for the time of this request only. It runs them one
//! behind the other, answers each, and stops at the first error. Sending one request behind another without waiting would not do: after
//! a deadlock the later ones would run outside the transaction.

use crate::connection::Session;
use crate::warnings;
use runsheet_sdk::{
    Answer, Answers, Applied, Batch, Class, Connection, Error, Notices, Outcome, Transaction,
};

/// What stands between two statements: a comment at the end of one ends with its line.
const BETWEEN: &[u8] = b"\n;";

impl Batch for Session {
    fn execute(&mut self, statements: &[&[u8]], answers: Answers<'_>) -> Result<(), Error> {
        let mut rest = statements;
        while let Some(first) = rest.first() {
            let count = self.together(rest);
            let (now, later) = rest.split_at(count.max(1));
            if count > 1 {
                self.execute_together(now, answers)?;
            } else {
                let outcome =
                    Connection::execute(self, first, &mut |notice| answers(Answer::Notice(notice)))?;
                answers(Answer::Outcome(outcome));
            }
            rest = later;
        }
        Ok(())
    }
}

impl Session {
    /// How many of these can go in one request.
    fn together(&self, statements: &[&[u8]]) -> usize {
        if self.has_warned() {
            return 1;
        }
        let mut room = self.room();
        let fits = |statement: &&&[u8]| {
            let length = statement.len() + BETWEEN.len();
            let fits = length <= room && is_plainly_one(statement);
            room = room.saturating_sub(length);
            fits
        };
        statements.iter().take_while(fits).count()
    }

    fn execute_together(&mut self, statements: &[&[u8]], answers: Answers<'_>) -> Result<(), Error> {
        if let Some(first) = statements.first() {
            self.may_count(first)?;
        }
        self.ask_several(&statements.join(BETWEEN))?;
        for (index, statement) in statements.iter().enumerate() {
            let is_last = index + 1 == statements.len();
            match self.next_of_several(statement) {
                Ok((answer, more)) if more != is_last => {
                    let notices = &mut |notice| answers(Answer::Notice(notice));
                    if is_last {
                        self.noted(answer.warnings, notices)?;
                    } else {
                        self.noted_too_late(answer.warnings, notices);
                    }
                    answers(Answer::Outcome(Outcome {
                        rows_affected: (!answer.has_rows).then_some(answer.affected),
                        transaction: Transaction::Open,
                        tag: answer.info,
                    }));
                }
                Ok(_) => {
                    let why = "the server sees another number of statements in a request than stand in it; its transaction is given up";
                    return Err(self.give_up(Error::lost(why, Applied::Unknown)));
                }
                Err(error) => {
                    let error = self.look_after(error, true, &mut |notice| answers(Answer::Notice(notice)));
                    if self.is_lost() {
                        return Err(error);
                    }
                    self.end_several()?;
                    // What the server quotes goes on into the next ones; alone it says where the fault is. It has read nothing of it.
                    let alone = error.class == Class::Syntax && self.in_transaction();
                    let again = alone.then(|| Connection::execute(self, statement, &mut |_| {}));
                    return Err(again.and_then(Result::err).unwrap_or(error));
                }
            }
        }
        self.end_several()
    }

    /// Says that a statement had warnings which are gone, because others were run behind it. From here on each goes alone.
    fn noted_too_late(&mut self, counted: u16, notices: Notices<'_>) {
        if counted > 0 {
            self.expect_warnings();
            warnings::count(
                counted,
                "which the server has not kept, because other statements came behind it",
                notices,
            );
        }
    }
}

/// Whether no server can take a text for more than one statement: a semicolon stands in none but the plainest strings.
fn is_plainly_one(sql: &[u8]) -> bool {
    if memchr::memchr(b';', sql).is_none() {
        return true;
    }
    let mut quote = None;
    let mut before = 0;
    for byte in sql.iter().copied() {
        match quote {
            // Where it is an escape, it may hide the string's end.
            Some(_) if byte == b'\\' => return false,
            Some(end) if byte == end => quote = None,
            Some(_) => {}
            None => match byte {
                b'\'' | b'"' | b'`' => quote = Some(byte),
                b';' | b'#' => return false,
                b'-' if before == b'-' => return false,
                b'*' if before == b'/' => return false,
                _ => {}
            },
        }
        before = byte;
    }
    quote.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_plainly_one_statement_where_its_semicolons_stand_in_plain_strings() {
        let one: [&str; 6] = [
            "INSERT INTO t VALUES (1, 'x')",
            "INSERT INTO `a;b` VALUES (1, 'x; it''s', \"y;\")",
            "INSERT INTO t VALUES (-1 - 2, 'a;--b')",
            "INSERT INTO t VALUES ('it\\'s')",
            "UPDATE t SET a = 1 -- so",
            "UPDATE t SET a = 4/2, b = ';'",
        ];
        for text in one {
            assert!(is_plainly_one(text.as_bytes()), "{text}");
        }
        let perhaps_more = [
            "INSERT INTO t VALUES (1);",
            "INSERT INTO t VALUES (1) -- a; b",
            "INSERT INTO t VALUES (1) # a; b",
            "INSERT INTO t VALUES (1 /* a; b */)",
            "INSERT INTO t VALUES ('it\\'s; so')",
            "INSERT INTO t VALUES ('a;",
            "BEGIN NOT ATOMIC INSERT INTO t VALUES (1); COMMIT; END",
        ];
        for text in perhaps_more {
            assert!(!is_plainly_one(text.as_bytes()), "{text}");
        }
    }
}
