//! Carrying out one statement.

use crate::connection::Session;
use crate::contents::Change;
use crate::fault::Fault;
use crate::server::{SERVER, Woken, hold};
use crate::statement::{self, Statement};
use runsheet_sdk::{Applied, Class, Error, Notice, Notices, Outcome, Transaction};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How many notices come where they are cut off.
const NOTICES_CUT: u64 = 100;

/// Whether another session is here at the same moment; it takes its time, so that they meet.
fn is_beside() -> bool {
    static HERE: AtomicU32 = AtomicU32::new(0);
    let beside = HERE.fetch_add(1, Ordering::AcqRel) > 0;
    std::thread::sleep(Duration::from_millis(1));
    HERE.fetch_sub(1, Ordering::AcqRel);
    beside
}

fn notice(message: String) -> Notice {
    Notice { severity: "NOTICE".to_owned(), message, ..Notice::default() }
}

fn missing(table: &str) -> Error {
    Error {
        object: table.to_owned(),
        ..Error::new(Class::MissingObject, format!("there is no table {table}"))
    }
}

impl Session {
    /// Carries out a text of one statement.
    pub(crate) fn execute_text(&mut self, sql: &[u8], notices: Notices<'_>) -> Result<Outcome, Error> {
        let done = self.one(sql).and_then(|statement| {
            let ends = matches!(statement, Statement::Commit | Statement::Rollback);
            if !ends && self.transaction.as_ref().is_some_and(|transaction| transaction.has_failed) {
                return Err(Error::new(
                    Class::Other,
                    "the transaction has failed; only its rollback is left",
                ));
            }
            self.perform(statement, notices)
        });
        let done = done.map_err(|error| self.misplace(error, sql));
        self.fails_transaction(&done);
        done
    }

    /// A statement that fails dooms the transaction that is open.
    pub(crate) fn fails_transaction(&mut self, done: &Result<Outcome, Error>) {
        if let (Err(_), Some(transaction)) = (done, self.transaction.as_mut()) {
            transaction.has_failed = true;
        }
    }

    /// The text's only statement.
    fn one(&mut self, sql: &[u8]) -> Result<Statement, Error> {
        let has_comment = sql.windows(2).any(|two| two == b"--" || two == b"/*");
        if has_comment && self.fault(Fault::CommentRefused) {
            return Err(Error::new(Class::Syntax, "there is a comment in the text"));
        }
        let mut statements = statement::read(sql)?.into_iter();
        let Some(first) = statements.next() else {
            if self.fault(Fault::EmptyEndsSession) {
                SERVER.end(&self.presence);
                return Err(self.lost(Applied::No));
            }
            return Err(Error::new(Class::Syntax, "there is no statement in the text"));
        };
        if statements.next().is_none() || self.fault(Fault::FirstOfTwo) {
            return Ok(first);
        }
        if self.fault(Fault::FirstThenRefused) {
            self.perform(first, &mut |_| {})?;
        }
        Err(Error::new(Class::Syntax, "the text has more than one statement; none was run"))
    }

    /// Breaks the rules about an error's position.
    fn misplace(&self, error: Error, sql: &[u8]) -> Error {
        let characters =
            |at: usize| String::from_utf8_lossy(sql.get(..at).unwrap_or_default()).chars().count();
        let position = match error.position {
            _ if self.fault(Fault::PositionMissing) => None,
            Some(at) if self.fault(Fault::PositionInCharacters) => Some(characters(at)),
            other => other,
        };
        Error { position, ..error }
    }

    /// How a statement ended well.
    pub(crate) fn outcome(&self, rows_affected: Option<u64>, tag: &str) -> Outcome {
        let transaction = match &self.transaction {
            None => Transaction::None,
            Some(_) if self.fault(Fault::TransactionUnsaid) => Transaction::None,
            Some(transaction) if transaction.has_failed => Transaction::Failed,
            Some(_) => Transaction::Open,
        };
        Outcome { rows_affected, transaction, tag: tag.to_owned() }
    }

    /// Refuses to write where the session is set to read only.
    pub(crate) fn writable(&self) -> Result<(), Error> {
        if self.read_only {
            return Err(Error::new(Class::Permission, "the session is read-only"));
        }
        Ok(())
    }

    /// Refuses a table that is not there for this session.
    pub(crate) fn needs_table(&self, table: &str) -> Result<(), Error> {
        let contents = hold(&self.database.contents);
        let there = match &self.transaction {
            Some(transaction) => transaction.has_table(&contents, table),
            None => contents.has_table(table),
        };
        if there || self.temporary.contains(table) { Ok(()) } else { Err(missing(table)) }
    }

    fn perform(&mut self, statement: Statement, notices: Notices<'_>) -> Result<Outcome, Error> {
        match statement {
            Statement::Ok => {}
            Statement::Say(word) => notices(notice(word)),
            Statement::Rows(rows) => return Ok(self.outcome(Some(rows), "ROWS")),
            Statement::Notice(count) => self.give_notices(count, notices),
            Statement::Sleep(time) => self.sleep(time)?,
            Statement::Fail(class, message) => {
                let unknown = self.fault(Fault::AppliedUnknown);
                let applied = if unknown { Applied::Unknown } else { Applied::No };
                return Err(Error { applied, ..Error::new(class, message) });
            }
            Statement::Lost(applied) => {
                SERVER.end(&self.presence);
                return Err(self.lost(applied));
            }
            Statement::Panic(message) => panic!("{message}"),
            Statement::Create(_) | Statement::Drop(_) => return self.define(statement),
            Statement::Put(..) | Statement::Delete(..) => return self.write(statement),
            Statement::Count(table) => {
                self.needs_table(&table)?;
                let count = hold(&self.database.contents).count(&table);
                return Ok(self.outcome(Some(count), "COUNT"));
            }
            Statement::Load(_) => {
                let message = "this load waits for rows, and the sheet has none behind it";
                return Err(Error::new(Class::Unsupported, message));
            }
            Statement::Begin => {
                self.begin_transaction()?;
                self.transaction.iter_mut().for_each(|transaction| transaction.is_own = true);
            }
            Statement::Commit => self.commit_transaction()?,
            Statement::Rollback => self.rollback_transaction(),
            Statement::Alone(statement) if self.transaction.is_none() => {
                return self.perform(*statement, notices);
            }
            Statement::Alone(_) => {
                return Err(Error::new(Class::Other, "this cannot run inside a transaction"));
            }
            Statement::ReadOnly(on) => self.read_only = on,
            Statement::Temporary(table) => {
                self.temporary.insert(table);
            }
            Statement::SlowCommits(table, time) => {
                hold(&self.database.contents).slow_commits.insert(table, time);
            }
            Statement::LoseCommit(applied) => match self.transaction.as_mut() {
                Some(transaction) => transaction.lose_commit = Some(applied),
                None => return Err(Error::new(Class::Other, "no transaction is open")),
            },
            Statement::Kill(number) => SERVER.end(SERVER.session(number)?.as_ref()),
            Statement::Running(number) => {
                let running = SERVER.session(number)?.is_running();
                self.holds(running, "it runs nothing")?;
            }
            Statement::Labelled(number, label) => {
                let same = SERVER.session(number)?.label() == label;
                self.holds(same, "it is called otherwise")?;
            }
        }
        Ok(self.outcome(None, "OK"))
    }

    fn holds(&self, holds: bool, why_not: &str) -> Result<(), Error> {
        if holds { Ok(()) } else { Err(Error::new(Class::Constraint, why_not)) }
    }

    fn give_notices(&self, count: u64, notices: Notices<'_>) {
        let last = if self.fault(Fault::NoticesCut) { count.min(NOTICES_CUT) } else { count };
        for number in 1..=last {
            let number = if self.fault(Fault::NoticesUnordered) { last + 1 - number } else { number };
            notices(notice(format!("notice {number}")));
        }
    }

    fn sleep(&self, time: Duration) -> Result<(), Error> {
        match self.presence.wait(time) {
            Woken::Passed => Ok(()),
            Woken::Killed if self.fault(Fault::LostOnlyFails) => {
                Err(Error::new(Class::Other, "the session was ended"))
            }
            Woken::Killed if self.fault(Fault::LostSaysNo) => Err(self.lost(Applied::No)),
            Woken::Killed => Err(self.lost(Applied::Unknown)),
            Woken::Canceled => {
                if self.fault(Fault::CancelEndsSession) {
                    SERVER.end(&self.presence);
                }
                Err(Error::new(Class::Canceled, "canceled"))
            }
        }
    }

    fn define(&mut self, statement: Statement) -> Result<Outcome, Error> {
        self.writable()?;
        let database = Arc::clone(&self.database);
        let change = match statement {
            Statement::Create(table) if self.needs_table(&table).is_ok() => {
                let message = format!("there is a table {table} already");
                return Err(Error { object: table, ..Error::new(Class::AlreadyExists, message) });
            }
            Statement::Create(table) => Change::Create(table),
            Statement::Drop(table) => {
                self.needs_table(&table)?;
                Change::Drop(table)
            }
            _ => return Err(Error::new(Class::Unsupported, "this defines nothing")),
        };
        self.change(&mut hold(&database.contents), change);
        Ok(self.outcome(None, "OK"))
    }

    fn write(&mut self, statement: Statement) -> Result<Outcome, Error> {
        self.writable()?;
        if self.fault(Fault::ThreadBound) && std::thread::current().id() != self.opener {
            return Err(Error::new(Class::Other, "this is not the thread that opened the session"));
        }
        let database = Arc::clone(&self.database);
        let (table, changes) = match statement {
            Statement::Put(table, rows) => {
                let put = |(key, value)| Change::Put { table: table.clone(), key, value };
                let changes: Vec<Change> = rows.into_iter().map(put).collect();
                (table, changes)
            }
            Statement::Delete(table, key) => {
                let there = hold(&database.contents).has_row(&table, &key);
                let change = there.then(|| Change::Delete { table: table.clone(), key });
                (table, change.into_iter().collect())
            }
            _ => return Err(Error::new(Class::Unsupported, "this writes nothing")),
        };
        self.needs_table(&table)?;
        let mut count = changes.len() as u64;
        if self.fault(Fault::LosesBeside) && is_beside() {
            return Ok(self.outcome(Some(count), "OK"));
        }
        if !self.temporary.contains(&table) {
            let mut contents = hold(&database.contents);
            for change in changes {
                self.change(&mut contents, change);
            }
        }
        if self.fault(Fault::WrongCount) {
            count = count.saturating_sub(1);
        }
        Ok(self.outcome(Some(count), "OK"))
    }
}
