//! A session.

use crate::cancel::Cancel;
use crate::error::Said;
use crate::settings::{Mode, Options};
use crate::stream::Stream;
use crate::wire::{Answer, Wire, lost, one_statement, query};
use crate::{auth, ledger, lock};
use runsheet_sdk::{
    Applied, Canceler, Class, Connection, Error, Failure, Identity, LoadRows, Mark, Notices, Outcome,
    Transaction, TryLock,
};
use std::collections::HashMap;
use std::io;

/// How much of a load goes into one message.
const COPY_BYTES: usize = 64 * 1024;
/// The longest name that the server keeps.
const LABEL_BYTES_MAX: usize = 63;
/// The first version with `client_connection_check_interval`.
const CHECKS_CLIENT: u32 = 14;

/// A session.
pub struct Session {
    wire: Wire,
    options: Options,
    database: String,
    process: i32,
    secret: i32,
    parameters: HashMap<String, String>,
    transaction: Transaction,
    lost: bool,
    buffer: Vec<u8>,
    /// The statement of the load under way.
    loading: Vec<u8>,
    pub(crate) holds_lock: bool,
    pub(crate) ledger_is_known: bool,
}

/// A label as the server keeps it.
fn short(label: &str) -> &str {
    label.get(..label.floor_char_boundary(LABEL_BYTES_MAX)).unwrap_or(label)
}

impl Session {
    pub(crate) fn open(
        options: Options,
        database: &str,
        label: &str,
        notices: Notices<'_>,
    ) -> Result<Self, Error> {
        let unreachable = |error: io::Error| {
            Error::lost(format!("no connection to {}: {error}", options.place()), Applied::No)
        };
        let mut said = |said: Said| notices(said.notice());
        let stream = Stream::connect(&options, options.connect_timeout).map_err(unreachable)?;
        let first = auth::login(stream, &options, database, short(label), &mut said);
        let login = match first {
            // `allow` means: without TLS, unless the server insists.
            Err(error) if options.tls == Mode::Allow && error.sqlstate == "28000" => {
                let stream = Stream::connect_tls(&options, options.connect_timeout).map_err(unreachable)?;
                auth::login(stream, &options, database, short(label), &mut said)
            }
            other => other,
        };
        let (wire, login) = login.map_err(|error| Error {
            message: format!("{} (connecting to {}, database {database:?})", error.message, options.place()),
            ..error
        })?;
        wire.stream().wait_for_ever().map_err(|error| lost(&error, Applied::No))?;
        let mut session = Self {
            wire,
            options,
            database: database.to_owned(),
            process: login.process,
            secret: login.secret,
            parameters: login.parameters,
            transaction: Transaction::None,
            lost: false,
            buffer: Vec::new(),
            loading: Vec::new(),
            holds_lock: false,
            ledger_is_known: false,
        };
        if session.major_version() >= CHECKS_CLIENT {
            // So that the server stops when the daemon has died. A platform without it says no, which is no harm.
            let asked = session.query("SET client_connection_check_interval = '500ms'");
            asked.map(drop).or_else(|error| if session.lost { Err(error) } else { Ok(()) })?;
        }
        Ok(session)
    }

    fn major_version(&self) -> u32 {
        let version = self.parameters.get("server_version").map_or("", String::as_str);
        version.split(|c: char| !c.is_ascii_digit()).next().and_then(|major| major.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn ledger_schema(&self) -> &str {
        &self.options.ledger_schema
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.transaction != Transaction::None
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Sends what is in the buffer. A farewell that waits on an idle session means that nothing was done.
    fn send(&mut self) -> Result<(), Error> {
        if self.lost {
            return Err(Error::lost("the connection was lost before", Applied::No));
        }
        if self.wire.stream().has_something_to_say() {
            self.look_for_farewell()?;
        }
        let buffer = std::mem::take(&mut self.buffer);
        let sent = self.wire.send(&buffer);
        self.buffer = buffer;
        sent.map_err(|error| self.broken(&error, Applied::Unknown))
    }

    /// Reads what the server said while nobody asked: notices and settings are nothing, an error is its end.
    fn look_for_farewell(&mut self) -> Result<(), Error> {
        use postgres_protocol::message::backend::Message;
        while self.wire.stream().has_something_to_say() {
            match self.wire.next() {
                Ok(Message::ErrorResponse(body)) => {
                    self.lost = true;
                    let error = Said::read(body.fields()).error(b"");
                    return Err(Error { failure: Failure::Lost, applied: Applied::No, ..error });
                }
                Ok(_) => {}
                Err(error) => return Err(self.broken(&error, Applied::No)),
            }
        }
        Ok(())
    }

    fn broken(&mut self, error: &io::Error, applied: Applied) -> Error {
        self.lost = true;
        lost(error, applied)
    }

    /// Reads the answer to one request.
    fn answer(&mut self, sql: &[u8], keep: bool, notices: Notices<'_>) -> Result<Answer, Error> {
        let mut said = |said: Said| notices(said.notice());
        let answer = match self.wire.answer(keep, &mut said) {
            Ok(answer) => answer,
            Err(error) => return Err(self.broken(&error, Applied::Unknown)),
        };
        self.transaction = answer.transaction;
        match answer.error {
            None => Ok(answer),
            Some(said) => {
                self.lost |= said.is_fatal();
                Err(said.error(sql))
            }
        }
    }

    /// Runs SQL of the driver's own, and gives its rows as text.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.buffer.clear();
        query(sql.as_bytes(), &mut self.buffer);
        self.send()?;
        let answer = self
            .answer(sql.as_bytes(), true, &mut |_| {})
            .map_err(|error| Error { position: None, ..error })?;
        Ok(answer.rows)
    }
}

/// How many rows a command tag says: the last word of those that change rows.
fn rows_of(tag: &str) -> Option<u64> {
    let mut words = tag.split(' ');
    match words.next()? {
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY" => words.next_back()?.parse().ok(),
        _ => None,
    }
}

impl Connection for Session {
    fn reset(&mut self, label: &str) -> Result<(), Error> {
        self.rollback()?;
        self.buffer.clear();
        let label = short(label).replace('\'', "''");
        query(b"DISCARD ALL", &mut self.buffer);
        let mut settings = format!("SET application_name = '{}'", label.replace('\\', "/"));
        if self.major_version() >= CHECKS_CLIENT {
            settings.push_str("; SET client_connection_check_interval = '500ms'");
        }
        query(settings.as_bytes(), &mut self.buffer);
        self.send()?;
        self.holds_lock = false;
        self.ledger_is_known = false;
        let first = self.answer(b"", false, &mut |_| {});
        let second = self.answer(b"", false, &mut |_| {});
        first.and(second).map(drop)
    }

    fn ping(&mut self) -> Result<(), Error> {
        self.query("").map(drop)
    }

    fn identify(&mut self) -> Result<Identity, Error> {
        let rows = self.query(
            "SELECT pg_catalog.pg_backend_pid(),
                    (SELECT backend_start FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()),
                    pg_catalog.concat(pg_catalog.inet_server_addr(), ':', pg_catalog.inet_server_port(), ' started ', pg_catalog.pg_postmaster_start_time()),
                    session_user",
        )?;
        let cell =
            |index: usize| rows.first().and_then(|row| row.get(index)).cloned().flatten().unwrap_or_default();
        Ok(Identity {
            product: "PostgreSQL".to_owned(),
            version: self.parameters.get("server_version").cloned().unwrap_or_default(),
            session: cell(0),
            session_start: cell(1),
            system: cell(2),
            database: self.database.clone(),
            user: cell(3),
            ..Identity::default()
        })
    }

    fn execute(&mut self, sql: &[u8], notices: Notices<'_>) -> Result<Outcome, Error> {
        if let Some(at) = sql.iter().position(|byte| *byte == 0) {
            return Err(Error::new(Class::Syntax, "there is a NUL byte in the statement").at(at));
        }
        one_statement(sql, &mut self.buffer);
        self.send()?;
        let answer = self.answer(sql, false, notices)?;
        if answer.copy_in {
            self.refuse_rows()?;
            return Err(Error::new(
                Class::Unsupported,
                "this COPY waits for rows from the client, and the sheet has none behind it",
            ));
        }
        Ok(Outcome { rows_affected: rows_of(&answer.tag), transaction: answer.transaction, tag: answer.tag })
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.query("BEGIN").map(drop)
    }

    fn commit(&mut self, notices: Notices<'_>) -> Result<(), Error> {
        self.buffer.clear();
        query(b"COMMIT", &mut self.buffer);
        self.send()?;
        let answer = self.answer(b"", false, notices)?;
        match answer.tag.as_str() {
            "COMMIT" => Ok(()),
            tag => Err(Error::new(
                Class::Other,
                format!(
                    "the server answered COMMIT with {tag}: an earlier statement of the transaction had failed, and nothing of it took effect"
                ),
            )),
        }
    }

    fn rollback(&mut self) -> Result<(), Error> {
        if self.transaction == Transaction::None { Ok(()) } else { self.query("ROLLBACK").map(drop) }
    }

    fn canceler(&self) -> Box<dyn Canceler> {
        Box::new(Cancel { options: self.options.clone(), process: self.process, secret: self.secret })
    }

    fn try_lock(&mut self) -> Result<TryLock, Error> {
        lock::try_lock(self)
    }

    fn unlock(&mut self) -> Result<(), Error> {
        lock::unlock(self)
    }

    fn prepare_ledger(&mut self) -> Result<(), Error> {
        ledger::prepare(self)
    }

    fn write_mark(&mut self, mark: &Mark) -> Result<(), Error> {
        ledger::write(self, mark)
    }

    fn read_marks(&mut self, task: &str) -> Result<Vec<Mark>, Error> {
        ledger::read(self, task)
    }

    fn find_version(&mut self, schema_version: &str) -> Result<Option<Mark>, Error> {
        ledger::find_version(self, schema_version)
    }

    fn load(&mut self) -> Option<&mut dyn LoadRows> {
        Some(self)
    }
}

impl Session {
    /// Tells a server that waits for rows that there are none.
    fn refuse_rows(&mut self) -> Result<(), Error> {
        self.buffer.clear();
        let reason = b"no rows\0";
        self.buffer.push(b'f');
        self.buffer.extend_from_slice(&u32::try_from(4 + reason.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.buffer.extend_from_slice(reason);
        // The Sync that was sent with the statement was dropped while the server waited.
        self.buffer.extend_from_slice(&[b'S', 0, 0, 0, 4]);
        let buffer = std::mem::take(&mut self.buffer);
        self.wire.send(&buffer).map_err(|error| self.broken(&error, Applied::No))?;
        match self.answer(b"", false, &mut |_| {}) {
            Err(error) if error.failure == Failure::Lost => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl LoadRows for Session {
    fn begin(&mut self, sql: &[u8], notices: Notices<'_>) -> Result<(), Error> {
        self.buffer.clear();
        query(sql, &mut self.buffer);
        self.send()?;
        let answer = self.answer(sql, false, notices)?;
        if !answer.copy_in {
            return Err(Error::new(
                Class::Unsupported,
                "the server does not wait for rows after this statement",
            ));
        }
        self.loading = sql.to_vec();
        Ok(())
    }

    fn rows(&mut self, rows: &[u8]) -> Result<(), Error> {
        for chunk in rows.chunks(COPY_BYTES) {
            self.buffer.clear();
            self.buffer.push(b'd');
            self.buffer.extend_from_slice(&u32::try_from(4 + chunk.len()).unwrap_or(u32::MAX).to_be_bytes());
            self.buffer.extend_from_slice(chunk);
            let buffer = std::mem::take(&mut self.buffer);
            let sent = self.wire.send(&buffer);
            self.buffer = buffer;
            sent.map_err(|error| self.broken(&error, Applied::Unknown))?;
        }
        // A row that the server refused is told at the end, where its answer is read.
        Ok(())
    }

    fn end(&mut self, notices: Notices<'_>) -> Result<Outcome, Error> {
        let done = [b'c', 0, 0, 0, 4];
        self.wire.send(&done).map_err(|error| self.broken(&error, Applied::Unknown))?;
        let sql = std::mem::take(&mut self.loading);
        let answer = self.answer(&sql, false, notices)?;
        Ok(Outcome { rows_affected: rows_of(&answer.tag), transaction: answer.transaction, tag: answer.tag })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.lost {
            // Terminate; the server ends the session by itself if this does not reach it.
            let _ = self.wire.send(&[b'X', 0, 0, 0, 4]);
        }
    }
}
