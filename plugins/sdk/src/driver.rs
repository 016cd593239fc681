//! The safe side of the ABI: what a driver in Rust implements. The contracts are
//! those of the functions of the same name in [`crate::abi`].

use crate::settings::Settings;
use crate::types::{
    Class, Error, Facts, Failure, Identity, Mark, Notice, Observation, Outcome, Split, Verdict,
};

/// Where notices go, in the order in which the server says them.
pub type Notices<'a> = &'a mut dyn FnMut(Notice);

/// A database engine.
pub trait Driver: 'static {
    /// The name that `driver = "…"` means.
    const NAME: &'static str;
    /// The driver's version.
    const VERSION: &'static str;
    /// What it speaks to, for people.
    const TITLE: &'static str;
    /// What is true of the engine.
    const FACTS: Facts;
    /// Whether its sessions have [`Connection::load`].
    const HAS_LOAD: bool = false;
    /// Whether its sessions have [`Connection::judge`].
    const HAS_JUDGE: bool = false;
    /// Whether its sessions have [`Connection::batch`].
    const HAS_BATCH: bool = false;
    /// Its sessions.
    type Connection: Connection;
    /// Its way of cutting sheets.
    type Splitter: Splitter;

    /// Every fault of the settings that can be seen without connecting.
    fn check(settings: &Settings) -> Vec<Error>;

    /// Connects to a database; `label` is what the session calls itself on the server.
    fn open(
        settings: &Settings,
        database: &str,
        label: &str,
        notices: Notices<'_>,
    ) -> Result<Self::Connection, Error>;

    /// Begins with a sheet.
    fn split(settings: &Settings) -> Result<Self::Splitter, Error>;
}

/// A session.
pub trait Connection: Send + 'static {
    /// Makes the session as new for the task `label`.
    fn reset(&mut self, label: &str) -> Result<(), Error>;
    /// Asks whether the server still answers.
    fn ping(&mut self) -> Result<(), Error>;
    /// Who the session is.
    fn identify(&mut self) -> Result<Identity, Error>;
    /// Runs exactly one statement, or fails having run none.
    fn execute(&mut self, sql: &[u8], notices: Notices<'_>) -> Result<Outcome, Error>;
    /// Opens a transaction.
    fn begin(&mut self) -> Result<(), Error>;
    /// Ok only where the server says that it committed. Notices are those of deferred triggers and the like.
    fn commit(&mut self, notices: Notices<'_>) -> Result<(), Error>;
    /// Ends the transaction without effect; Ok where none is open.
    fn rollback(&mut self) -> Result<(), Error>;
    /// What stops the running statement from another thread. Asked for once, after opening.
    fn canceler(&self) -> Box<dyn Canceler>;

    /// Takes the lock of one runner per database.
    fn try_lock(&mut self) -> Result<TryLock, Error>;
    /// Lets go of it; Ok where it was not held.
    fn unlock(&mut self) -> Result<(), Error>;
    /// Ends the session that holds the lock, if it is the very one that `holder` names.
    fn end_holder(&mut self, _holder: &Identity) -> Result<(), Error> {
        Err(unsupported("this driver cannot end another session"))
    }

    /// Makes the ledger's table where it is missing.
    fn prepare_ledger(&mut self) -> Result<(), Error>;
    /// Writes a mark: in the open transaction, or by itself.
    fn write_mark(&mut self, mark: &Mark) -> Result<(), Error>;
    /// The marks of a task in the order of segments; none where the table is missing.
    fn read_marks(&mut self, task: &str) -> Result<Vec<Mark>, Error>;
    /// The complete mark that brought a schema version, if any.
    fn find_version(&mut self, schema_version: &str) -> Result<Option<Mark>, Error>;

    /// Loads of rows that stand in the sheet, where the engine has them and [`Driver::HAS_LOAD`] says so.
    fn load(&mut self) -> Option<&mut dyn LoadRows> {
        None
    }

    /// Judging of statements that commit by themselves, where the driver has it and [`Driver::HAS_JUDGE`] says so.
    fn judge(&mut self) -> Option<&mut dyn Judge> {
        None
    }

    /// Statements sent in one go, where the driver has that and [`Driver::HAS_BATCH`] says so.
    fn batch(&mut self) -> Option<&mut dyn Batch> {
        None
    }
}

/// The error of what a driver does not have.
pub(crate) fn unsupported(what: &str) -> Error {
    Error { failure: Failure::Unsupported, ..Error::new(Class::Unsupported, what) }
}

/// What was seen before a statement that commits by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It may be sent.
    Before(Observation),
    /// A mark of the server shows that this very segment took effect before: it must not be sent.
    Applied(Verdict),
}

/// Exactly once for statements that commit by themselves.
pub trait Judge {
    /// Looks at what a statement is about to change.
    fn observe(&mut self, sql: &[u8], mark: &Mark) -> Result<Observed, Error>;
    /// Runs it so that the server's own mark goes with it, where there is one.
    fn execute(
        &mut self,
        sql: &[u8],
        mark: &Mark,
        observation: &str,
        notices: Notices<'_>,
    ) -> Result<Outcome, Error>;
    /// Says what became of it, now that the lock shows that the session that sent it is gone. Changes nothing.
    fn judge(&mut self, sql: &[u8], mark: &Mark, observation: &str) -> Result<Verdict, Error>;
    /// What a statement in a transaction changes that a rollback does not undo; nothing where it undoes all.
    fn vet(&mut self, _sql: &[u8]) -> Result<Option<Observation>, Error> {
        Ok(None)
    }
    /// What the server's settings and the account's rights mean for exactly once.
    fn advise(&mut self, notices: Notices<'_>) -> Result<(), Error>;
}

/// A load whose rows stand in the sheet after its statement.
pub trait LoadRows {
    /// Sends the statement; Ok where the server now waits for rows.
    fn begin(&mut self, sql: &[u8], notices: Notices<'_>) -> Result<(), Error>;
    /// Sends rows.
    fn rows(&mut self, rows: &[u8]) -> Result<(), Error>;
    /// Ends the load.
    fn end(&mut self, notices: Notices<'_>) -> Result<Outcome, Error>;
}

/// What is said of the statements of a batch, one behind the other: the notices of each before its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of the first statement whose outcome has not been said.
    Notice(Notice),
    /// That statement has run.
    Outcome(Outcome),
}

/// Where the answers to a batch go.
pub type Answers<'a> = &'a mut dyn FnMut(Answer);

/// Statements of one transaction in one go.
pub trait Batch {
    /// Runs them one behind the other. An error is that of the first one without an outcome, and none behind it has run.
    fn execute(&mut self, statements: &[&[u8]], answers: Answers<'_>) -> Result<(), Error>;
}

/// Stops a running statement from another thread.
pub trait Canceler: Send + Sync + 'static {
    /// Asks and returns soon, within five seconds; no effect on an idle session.
    fn cancel(&self) -> Result<(), Error>;
}

/// How asking for the lock ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TryLock {
    /// This session has it.
    Held,
    /// Another session has it: which, where that can be known.
    Busy(Option<Box<Identity>>),
}

/// Cuts a sheet into pieces.
pub trait Splitter: Send + 'static {
    /// The next piece of `text`, which begins where the last piece ended. `at_end` says that the sheet
    /// ends with it. After [`Split::More`] the same bytes come again with more behind them, so
    /// what was read already need not be read again.
    fn next(&mut self, text: &[u8], at_end: bool) -> Result<Split, Error>;
}
