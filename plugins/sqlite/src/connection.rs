//! A session: one open file, opened anew for each task because that is SQLite's only true reset.

use crate::busy::{self, Cancel, Interrupt};
use crate::guard::{self, Refusal};
use crate::identity::{identity, next_session};
use crate::lock::{self, Held};
use crate::settings::Options;
use crate::split::SqliteSplitter;
use crate::{error, ledger};
use runsheet_sdk::{
    Applied, Canceler, Class, Connection, Error, Failure, Identity, Kind, Mark, Notices, Outcome, Split,
    Splitter, Transaction, TryLock,
};
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use std::path::PathBuf;
use std::sync::Arc;

/// Statements of the driver's own that are kept prepared.
const PREPARED_MAX: usize = 8;

/// An open database.
pub struct Session {
    options: Options,
    database: String,
    file: PathBuf,
    number: u64,
    /// Nothing where a reset could not open the file again.
    connection: Option<rusqlite::Connection>,
    interrupt: Arc<Interrupt>,
    refusal: Refusal,
    lock: Option<Held>,
    /// Whether the ledger's table was looked at, and is ours.
    pub(crate) ledger_is_known: bool,
}

impl Session {
    pub(crate) fn open(options: Options, database: &str) -> Result<Self, Error> {
        let mut session = Self {
            file: options.file(database)?,
            options,
            database: database.to_owned(),
            number: next_session(),
            connection: None,
            interrupt: Arc::default(),
            refusal: Refusal::default(),
            lock: None,
            ledger_is_known: false,
        };
        session.connect()?;
        Ok(session)
    }

    fn connect(&mut self) -> Result<(), Error> {
        self.interrupt.begin();
        let connection = self.connected().map_err(|error| {
            let mut error = self.said(error::from(error));
            error.message =
                format!("the database file {} cannot be opened: {}", self.file.display(), error.message);
            error
        })?;
        self.interrupt.attach(&connection);
        self.connection = Some(connection);
        Ok(())
    }

    fn connected(&self) -> rusqlite::Result<rusqlite::Connection> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, self.options.create);
        let mut connection = rusqlite::Connection::open_with_flags(&self.file, flags)?;
        connection
            .busy_handler(Some(busy::handler(self.options.busy_timeout, Arc::clone(&self.interrupt))))?;
        connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
        // Words in double quotes that name no column are text, as for the shell.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, true)?;
        if let Some(mode) = &self.options.journal_mode {
            set(&connection, "journal_mode", mode)?;
        }
        // What was committed must survive a power cut: the ledger's mark is only worth as much. Only `extra` syncs the folder from which a
        // rollback journal was removed, which is the commit; with a write-ahead log it is the same as `full`.
        set(&connection, "synchronous", &self.options.synchronous)?;
        set(&connection, "foreign_keys", if self.options.foreign_keys { "on" } else { "off" })?;
        // The first look into the file, so that one that is no database is refused here.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        connection.authorizer(Some(guard::authorizer(&self.options, self.refusal.clone())))?;
        Ok(connection)
    }

    /// The engine's connection.
    pub(crate) fn sqlite(&self) -> Result<&rusqlite::Connection, Error> {
        self.connection
            .as_ref()
            .ok_or_else(|| Error::lost("the file was closed, and could not be opened again", Applied::No))
    }

    /// The error with the words of whoever refused the statement, or of the cancel that ended its waiting.
    pub(crate) fn said(&self, mut error: Error) -> Error {
        if let Some(words) = self.refusal.take() {
            return Error { message: words, class: Class::Permission, ..error };
        }
        if error.class == Class::LockTimeout && self.interrupt.is_wanted() {
            error.class = Class::Canceled;
            error.failure = Failure::Canceled;
            "canceled while it waited for another program's lock on the file".clone_into(&mut error.message);
            error.hint.clear();
        }
        error
    }

    /// Whether no transaction is open.
    pub(crate) fn is_autocommit(&self) -> bool {
        self.connection.as_ref().is_none_or(rusqlite::Connection::is_autocommit)
    }

    fn transaction(&self) -> Transaction {
        if self.is_autocommit() { Transaction::None } else { Transaction::Open }
    }

    /// Runs a statement that ends or begins a transaction.
    fn control(&self, sql: &str) -> Result<(), Error> {
        self.interrupt.begin();
        self.sqlite()?.execute_batch(sql).map_err(|error| self.said(error::from_commit(error)))
    }
}

fn set(connection: &rusqlite::Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    // Some settings answer with a row, others with none.
    let mut statement = connection.prepare(&format!("PRAGMA {name} = {value}"))?;
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(())
}

/// Refuses what is not exactly one statement, before anything of it is prepared: SQLite carries out some settings while it
/// prepares them. Gives the statement's kind.
fn one_statement(sql: &[u8]) -> Result<Kind, Error> {
    let mut splitter = SqliteSplitter::default();
    let Split::Piece(first) = splitter.next(sql, true)? else {
        return Err(Error::new(Class::Syntax, "there is no statement in the text"));
    };
    let rest = sql.get(first.consumed..).unwrap_or_default();
    if splitter.next(rest, true)? != Split::End {
        return Err(Error::new(Class::Syntax, "the text has more than one statement; none was run")
            .at(first.consumed));
    }
    Ok(first.kind)
}

impl Connection for Session {
    fn reset(&mut self, _label: &str) -> Result<(), Error> {
        self.lock = None;
        self.ledger_is_known = false;
        // Closed first: the old session may hold locks that the new one would wait for.
        self.connection = None;
        self.file = self.options.file(&self.database)?;
        self.number = next_session();
        self.connect()
    }

    fn ping(&mut self) -> Result<(), Error> {
        self.interrupt.begin();
        self.sqlite()?.query_row("SELECT 1", [], |_| Ok(())).map_err(error::from)
    }

    fn identify(&mut self) -> Result<Identity, Error> {
        Ok(identity(self.number, &self.file, &self.database))
    }

    fn execute(&mut self, sql: &[u8], _notices: Notices<'_>) -> Result<Outcome, Error> {
        let kind = one_statement(sql)?;
        let text = std::str::from_utf8(sql).map_err(|wrong| {
            Error::new(
                Class::Syntax,
                "the statement is not UTF-8, which SQLite's text is; save the sheet as UTF-8",
            )
            .at(wrong.valid_up_to())
        })?;
        self.interrupt.begin();
        let writes_by_itself = self.is_autocommit();
        let connection = self.sqlite()?;
        let run = || {
            let mut statement = connection.prepare(text)?;
            // Rows are stepped through and dropped: what a SELECT does is done, and nothing is kept.
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            Ok(())
        };
        let ended = if writes_by_itself || kind == Kind::Commit {
            run().map_err(error::from_commit)
        } else {
            run().map_err(error::from)
        };
        ended.map_err(|error| self.said(error))?;
        let rows_affected = (kind == Kind::Dml).then(|| connection.changes());
        Ok(Outcome { rows_affected, transaction: self.transaction(), tag: String::new() })
    }

    fn begin(&mut self) -> Result<(), Error> {
        // Immediate: a file that another program writes to is seen now and not in the middle.
        self.control("BEGIN IMMEDIATE")
    }

    fn commit(&mut self, _notices: Notices<'_>) -> Result<(), Error> {
        if self.sqlite()?.is_autocommit() {
            return Err(Error::new(
                Class::Other,
                "there is no transaction to commit: an earlier statement has rolled it back",
            ));
        }
        self.control("COMMIT")
    }

    fn rollback(&mut self) -> Result<(), Error> {
        if self.is_autocommit() { Ok(()) } else { self.control("ROLLBACK") }
    }

    fn canceler(&self) -> Box<dyn Canceler> {
        Box::new(Cancel(Arc::clone(&self.interrupt)))
    }

    fn try_lock(&mut self) -> Result<TryLock, Error> {
        if self.lock.is_some() {
            return Ok(TryLock::Held);
        }
        let own = identity(self.number, &self.file, &self.database);
        match lock::ask(&self.file, &own)? {
            lock::Asked::Held(held) => {
                self.lock = Some(held);
                Ok(TryLock::Held)
            }
            lock::Asked::Busy(holder) => Ok(TryLock::Busy(holder.map(Box::new))),
        }
    }

    fn unlock(&mut self) -> Result<(), Error> {
        self.lock = None;
        Ok(())
    }

    fn prepare_ledger(&mut self) -> Result<(), Error> {
        self.interrupt.begin();
        ledger::prepare(self)
    }

    fn write_mark(&mut self, mark: &Mark) -> Result<(), Error> {
        self.interrupt.begin();
        ledger::write(self, mark)
    }

    fn read_marks(&mut self, task: &str) -> Result<Vec<Mark>, Error> {
        self.interrupt.begin();
        ledger::read(self, task)
    }

    fn find_version(&mut self, schema_version: &str) -> Result<Option<Mark>, Error> {
        self.interrupt.begin();
        ledger::find_version(self, schema_version)
    }
}
