//! A session.

use crate::auth::Login;
use crate::cancel::Cancel;
use crate::connect::{connect, short};
use crate::error::Said;
use crate::settings::Options;
use crate::split::PostgresSplitter;
use crate::wire::{Answer, STATEMENT_TAIL, SYNC, Wire, lost, query, statement_head};
use crate::{ledger, lock, place, pooler};
use postgres_protocol::message::backend::Message;
use runsheet_network::Deadline;
use runsheet_sdk::{
    Applied, Batch, Canceler, Class, Connection, Error, Failure, Identity, Judge, Kind, LoadRows, Mark,
    Notices, Outcome, Split, Splitter, Transaction, TryLock,
};
use std::collections::HashMap;
use std::io;
use std::time::Duration;

/// The first version with `client_connection_check_interval`.
const CHECKS_CLIENT: u32 = 14;
/// The longest statement: the server takes a message of a gigabyte, less one byte, with what stands around the statement.
const STATEMENT_BYTES_MAX: usize = 0x3FFF_FFFF - 16;
/// How long the farewell to a server may take.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// A session.
pub struct Session {
    pub(crate) wire: Wire,
    options: Options,
    database: String,
    process: i32,
    key: i32,
    parameters: HashMap<String, String>,
    transaction: Transaction,
    lost: bool,
    pub(crate) buffer: Vec<u8>,
    /// The load under way.
    pub(crate) load: crate::load::Load,
    pub(crate) holds_lock: bool,
    pub(crate) ledger: ledger::Known,
}

impl Session {
    pub(crate) fn open(
        options: Options,
        database: &str,
        label: &str,
        notices: Notices<'_>,
    ) -> Result<Self, Error> {
        let (wire, login) = connect(&options, database, label, &mut |said: Said| notices(said.notice()))?;
        let mut session = Self::new(options.clone(), database, wire, login);
        session.notice_a_lost_client(true)?;
        pooler::refuse_shared(&mut session, &options, database)?;
        session.wire.stream_mut().wait_for_ever();
        Ok(session)
    }

    /// A session that has logged in.
    pub(crate) fn new(options: Options, database: &str, wire: Wire, login: Login) -> Self {
        Self {
            wire,
            options,
            database: database.to_owned(),
            process: login.process,
            key: login.key,
            parameters: login.parameters,
            transaction: Transaction::None,
            lost: false,
            buffer: Vec::new(),
            load: crate::load::Load::default(),
            holds_lock: false,
            ledger: ledger::Known::No,
        }
    }

    /// Whether the server looks out for a client that has died in the middle of a statement.
    pub(crate) fn notice_a_lost_client(&mut self, notice: bool) -> Result<(), Error> {
        if self.major_version() < CHECKS_CLIENT {
            return Ok(());
        }
        let interval = if notice { "500ms" } else { "0" };
        // A platform without it says no, which is no harm.
        let asked = self.query(&format!("SET client_connection_check_interval = '{interval}'"));
        asked.map(drop).or_else(|error| if self.lost { Err(error) } else { Ok(()) })
    }

    fn major_version(&self) -> u32 {
        major(self.parameters.get("server_version").map_or("", String::as_str))
    }

    /// The version, and whether the server is one that only reads.
    fn version(&self) -> String {
        let version = self.parameters.get("server_version").cloned().unwrap_or_default();
        if self.is_standby() { format!("{version}, a standby") } else { version }
    }

    fn is_standby(&self) -> bool {
        self.parameters.get("in_hot_standby").is_some_and(|word| word == "on")
    }

    /// The server process that the server has named at the login.
    pub(crate) fn process_of_login(&self) -> i32 {
        self.process
    }

    /// The server process that the session is of, and not only the server: it is another one after a restart.
    pub(crate) fn system(&mut self) -> Result<String, Error> {
        let rows = self.query(&format!(
            "SELECT pg_catalog.concat(system_identifier, ' started ', {}) FROM pg_catalog.pg_control_system()",
            lock::utc("pg_catalog.pg_postmaster_start_time()")
        ))?;
        Ok(rows.into_iter().flatten().next().flatten().unwrap_or_default())
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

    /// Gives the session up: nothing more is sent.
    pub(crate) fn give_up(&mut self, error: Error) -> Error {
        self.lost = true;
        error
    }

    /// Whether what the server reads is in UTF-8.
    pub(crate) fn is_utf8(&self) -> bool {
        self.options.is_utf8()
    }

    /// Makes sure that the session is there before something is sent. A farewell that waits on an idle one means that nothing
    /// was done.
    fn ready(&mut self) -> Result<(), Error> {
        if self.lost {
            return Err(Error::lost("the connection was lost before", Applied::No));
        }
        let open = self.wire.listen().map_err(|error| self.broken(&error, Applied::No))?;
        // Notices and settings that nobody asked for are nothing.
        while let Some(message) =
            self.wire.heard(b"ESNA").map_err(|error| self.broken(&error, Applied::No))?
        {
            match message {
                Message::ErrorResponse(body) => {
                    self.lost = true;
                    let error = Said::read(body.fields()).error(None);
                    return Err(Error { failure: Failure::Lost, applied: Applied::No, ..error });
                }
                Message::ParameterStatus(body) => {
                    if let (Ok(name), Ok(value)) = (body.name(), body.value()) {
                        self.parameters.insert(name.to_owned(), value.to_owned());
                    }
                }
                _ => {}
            }
        }
        if open {
            return Ok(());
        }
        let closed = io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection");
        Err(self.broken(&closed, Applied::No))
    }

    /// Sends what is in the buffer.
    pub(crate) fn send(&mut self) -> Result<(), Error> {
        self.ready()?;
        let buffer = std::mem::take(&mut self.buffer);
        let sent = self.wire.send(&buffer);
        self.buffer = buffer;
        sent.map_err(|error| self.broken(&error, Applied::Unknown))
    }

    /// The connection is gone; if the server has said why, that is the error.
    pub(crate) fn broken(&mut self, error: &io::Error, applied: Applied) -> Error {
        self.lost = true;
        match self.wire.last_words() {
            Some(said) => Error { failure: Failure::Lost, applied, ..said.error(None) },
            None => lost(error, applied),
        }
    }

    /// Reads the answer to a statement.
    pub(crate) fn answer(&mut self, sql: &[u8], keep: bool, notices: Notices<'_>) -> Result<Answer, Error> {
        let utf8 = self.options.is_utf8();
        self.answer_placed(keep, notices, |said| place::in_statement(said, sql, utf8))
    }

    /// Reads the answer to one request; `place` finds where its error is.
    pub(crate) fn answer_placed(
        &mut self,
        keep: bool,
        notices: Notices<'_>,
        place: impl FnOnce(&Said) -> Option<usize>,
    ) -> Result<Answer, Error> {
        let heard = self.wire.answer(keep, &mut |said: Said| notices(said.notice()));
        self.settled(heard, place)
    }

    /// What was heard on the way to the server's being ready, as an answer or an error.
    pub(crate) fn settled(
        &mut self,
        heard: io::Result<Answer>,
        place: impl FnOnce(&Said) -> Option<usize>,
    ) -> Result<Answer, Error> {
        let answer = heard.map_err(|error| self.broken(&error, Applied::Unknown))?;
        self.transaction = answer.transaction;
        match answer.error {
            None => Ok(answer),
            Some(said) => {
                self.lost |= said.is_fatal();
                let position = place(&said);
                Err(self.explained(said.error(position)))
            }
        }
    }

    fn explained(&self, error: Error) -> Error {
        if error.sqlstate == "25006" && error.hint.is_empty() && self.is_standby() {
            return error.hint("This server is a standby; name the primary by `host`");
        }
        error
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

    fn rolled_back(tag: &str) -> Error {
        Error::new(
            Class::Other,
            format!(
                "the server answered COMMIT with {tag}: an earlier statement of the transaction had failed, and nothing of it took effect"
            ),
        )
    }
}

/// Refuses what no request has room for.
pub(crate) fn can_be_sent(sql: &[u8]) -> Result<(), Error> {
    if let Some(at) = memchr::memchr(0, sql) {
        return Err(Error::new(Class::Syntax, "there is a NUL byte in the statement").at(at));
    }
    if sql.len() > STATEMENT_BYTES_MAX {
        return Err(Error::new(
            Class::Resource,
            format!("the statement has {} bytes, and PostgreSQL takes {STATEMENT_BYTES_MAX}", sql.len()),
        ));
    }
    Ok(())
}

/// The number before the first dot of a version such as `15.14 (Debian …)`, `18beta1` or `9.6.24`.
fn major(version: &str) -> u32 {
    version.split(|c: char| !c.is_ascii_digit()).next().and_then(|major| major.parse().ok()).unwrap_or(0)
}

/// How many rows a command tag says: the last word of those that change rows.
pub(crate) fn rows_of(tag: &str) -> Option<u64> {
    let mut words = tag.split(' ');
    match words.next()? {
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY" => words.next_back()?.parse().ok(),
        _ => None,
    }
}

/// Whether a statement that was answered with ROLLBACK had asked for that.
fn asks_to_roll_back(sql: &[u8]) -> bool {
    match PostgresSplitter::default().next(sql, true) {
        Ok(Split::Piece(piece)) => matches!(piece.kind, Kind::Rollback | Kind::Savepoint),
        Ok(Split::More | Split::End) | Err(_) => false,
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
        self.ledger = self.ledger.for_the_next();
        let first = self.answer(b"", false, &mut |_| {});
        let second = self.answer(b"", false, &mut |_| {});
        first.and(second).map(drop)
    }

    fn ping(&mut self) -> Result<(), Error> {
        self.query("").map(drop)
    }

    fn identify(&mut self) -> Result<Identity, Error> {
        let rows = self.query(&format!(
            "SELECT pg_catalog.pg_backend_pid(),
                    (SELECT {} FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()),
                    session_user",
            lock::utc("backend_start")
        ))?;
        let system = self.system()?;
        let cell =
            |index: usize| rows.first().and_then(|row| row.get(index)).cloned().flatten().unwrap_or_default();
        Ok(Identity {
            product: "PostgreSQL".to_owned(),
            version: self.version(),
            session: cell(0),
            session_start: cell(1),
            system,
            database: self.database.clone(),
            user: cell(2),
            ..Identity::default()
        })
    }

    fn execute(&mut self, sql: &[u8], notices: Notices<'_>) -> Result<Outcome, Error> {
        can_be_sent(sql)?;
        self.ready()?;
        let mut head = std::mem::take(&mut self.buffer);
        head.clear();
        statement_head(sql, &mut head);
        let sent = self.wire.send_around(&mut head, sql, &[&STATEMENT_TAIL[..], &SYNC].concat());
        self.buffer = head;
        sent.map_err(|error| self.broken(&error, Applied::Unknown))?;
        let answer = self.answer(sql, false, notices)?;
        if answer.copy_in {
            self.refuse_rows()?;
            return Err(Error::new(
                Class::Unsupported,
                "this COPY waits for rows from the client, and the sheet has none behind it",
            ));
        }
        if answer.tag == "ROLLBACK" && !asks_to_roll_back(sql) {
            return Err(Self::rolled_back(&answer.tag));
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
            tag => Err(Self::rolled_back(tag)),
        }
    }

    fn rollback(&mut self) -> Result<(), Error> {
        if self.transaction == Transaction::None { Ok(()) } else { self.query("ROLLBACK").map(drop) }
    }

    fn canceler(&self) -> Box<dyn Canceler> {
        Box::new(Cancel {
            options: self.options.clone(),
            peer: self.wire.stream().peer().clone(),
            with_tls: self.wire.stream().is_secret(),
            process: self.process,
            key: self.key,
        })
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

    fn end_holder(&mut self, holder: &Identity) -> Result<(), Error> {
        lock::end_holder(self, holder)
    }

    fn load(&mut self) -> Option<&mut dyn LoadRows> {
        Some(self)
    }

    fn judge(&mut self) -> Option<&mut dyn Judge> {
        Some(self)
    }

    fn batch(&mut self) -> Option<&mut dyn Batch> {
        Some(self)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.lost {
            self.wire.stream_mut().limit(Deadline::after(FAREWELL_TIME_MAX));
            // Terminate; the server ends the session by itself if this does not reach it.
            let _ = self.wire.send(&[b'X', 0, 0, 0, 4]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_every_form_are_read() {
        let table = [
            ("15.14 (Debian 15.14-0+deb12u1)", 15),
            ("18beta1", 18),
            ("17rc1", 17),
            ("9.6.24", 9),
            ("14.5.0.1 (EDB)", 14),
            ("", 0),
            ("unknown", 0),
        ];
        for (version, wanted) in table {
            assert_eq!(major(version), wanted, "{version:?}");
        }
    }

    #[test]
    fn only_a_statement_that_asks_for_it_may_be_answered_with_rollback() {
        for asks in ["ROLLBACK", "-- so\nabort work;", "ROLLBACK TO SAVEPOINT a"] {
            assert!(asks_to_roll_back(asks.as_bytes()), "{asks}");
        }
        for does_not in ["COMMIT", "END", "PREPARE TRANSACTION 'x'", "/* rollback */ commit", ""] {
            assert!(!asks_to_roll_back(does_not.as_bytes()), "{does_not}");
        }
    }
}
