//! A session.

use crate::cancel::Cancel;
use crate::client::{Answer, Client, Fault};
use crate::connect::connect;
use crate::server::Server;
use crate::settings::Options;
use crate::split::{MySqlSplitter, Strings};
use crate::{error, judge, ledger, lock, warnings};
use runsheet_network::Deadline;
use runsheet_sdk::{
    Applied, Batch, Canceler, Class, Connection, Error, Failure, Flags, Identity, Judge, Kind, Mark, Notices,
    Outcome, Split, Splitter, Transaction, TryLock,
};
use std::time::Duration;

/// How long the farewell to a server may take.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// A session.
pub struct Session {
    options: Options,
    database: String,
    client: Client,
    server: Server,
    /// Why the server has rolled back the transaction that was open, as long as nobody has ended it.
    rolled_back: Option<String>,
    lost: bool,
    /// A statement was larger than the server takes from this session.
    outgrown: bool,
    /// Something was asked since the last statement, so that ROW_COUNT() does not know any more what it did.
    counts_are_gone: bool,
    /// A statement of this sheet had warnings whose texts are wanted: they are kept only for a statement that none follows.
    has_warned: bool,
    pub(crate) holds_lock: bool,
    pub(crate) ledger_is_known: bool,
    pub(crate) judging: judge::State,
}

/// A sheet is cut before there is a session, by the instance's own word: where the server reads strings otherwise, it would be cut
/// in the wrong places.
fn read_alike(options: &Options, server: &Server) -> Result<(), Error> {
    if Strings::of_mode(&server.sql_mode) == options.strings {
        return Ok(());
    }
    let message = format!(
        "the server's sql_mode `{}` says how strings are read, and the instance does not say it: sheets would be cut in the wrong places",
        server.sql_mode
    );
    Err(Error::setting("sql_mode", message)
        .hint(format!("Set sql_mode = \"{}\" on the instance", server.sql_mode)))
}

impl Session {
    pub(crate) fn open(options: Options, database: &str) -> Result<Self, Error> {
        let mut client = connect(&options, database)?;
        let begun = client.query(options.init.as_bytes(), false);
        let server = begun.and_then(|_| Server::ask(&mut client)).map_err(|fault| Error {
            applied: Applied::No,
            position: None,
            ..error::from(fault, b"")
        })?;
        read_alike(&options, &server)?;
        client.wait_for_ever();
        Ok(Self {
            options,
            database: database.to_owned(),
            client,
            server,
            rolled_back: None,
            lost: false,
            outgrown: false,
            counts_are_gone: false,
            has_warned: false,
            holds_lock: false,
            ledger_is_known: false,
            judging: judge::State::default(),
        })
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Gives the session up: nothing more is sent.
    pub(crate) fn give_up(&mut self, error: Error) -> Error {
        self.lost = true;
        error
    }

    /// Whether the next statement is inside a transaction, by the server's own word.
    pub(crate) fn in_transaction(&self) -> bool {
        self.client.in_transaction()
    }

    /// The server, as an identity without a session.
    pub(crate) fn server_identity(&self) -> Identity {
        Identity {
            product: self.server.product.to_owned(),
            system: self.server.system.clone(),
            ..Identity::default()
        }
    }

    /// Makes sure that the session is there before something is sent. What is sent to one that the server has ended while it was
    /// idle is certainly not carried out.
    fn ready(&mut self) -> Result<(), Error> {
        if self.lost {
            return Err(Error::lost("the connection was lost before", Applied::No));
        }
        let Some(farewell) = self.client.farewell() else { return Ok(()) };
        self.lost = true;
        let said = error::from(farewell, b"");
        let hint =
            "It was killed or idle for longer than the server's `wait_timeout`, or the server was stopped";
        Err(Error { failure: Failure::Lost, applied: Applied::No, position: None, ..said }.hint(hint))
    }

    fn exchange(&mut self, sql: &[u8], keep: bool) -> Result<Answer, Error> {
        self.ready()?;
        let answer = self.client.query(sql, keep);
        answer.map_err(|fault| self.failed(fault, sql))
    }

    /// The error that a fault is; remembers where the connection is gone.
    fn failed(&mut self, fault: Fault, sql: &[u8]) -> Error {
        let error = error::from(fault, sql);
        self.lost |= error.failure == Failure::Lost;
        error
    }

    /// Runs SQL of the driver's own, and gives its rows as text.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        // It is not the sheet's text that an error is about.
        let answer =
            self.exchange(sql.as_bytes(), true).map_err(|error| Error { position: None, ..error })?;
        Ok(answer.rows)
    }

    /// Runs SQL of the driver's own.
    pub(crate) fn run(&mut self, sql: &str) -> Result<(), Error> {
        self.query(sql).map(drop)
    }

    /// The first cell of a query's first row.
    pub(crate) fn ask(&mut self, sql: &str) -> Result<Option<String>, Error> {
        Ok(self.query(sql)?.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
    }

    /// How large a request may be.
    pub(crate) fn room(&self) -> usize {
        // The command's own byte, and one that the server never fills.
        self.server.packet_bytes_max.saturating_sub(2)
    }

    /// Remembers that something was asked which the sheet does not know of.
    pub(crate) fn forget_counts(&mut self) {
        self.counts_are_gone = true;
    }

    /// Refuses a statement that asks what the one before it did, where the server does not know that any more.
    pub(crate) fn may_count(&mut self, sql: &[u8]) -> Result<(), Error> {
        if std::mem::take(&mut self.counts_are_gone) { warnings::refuse_counts(sql) } else { Ok(()) }
    }

    /// Whether statements are to go alone, because what the server notes about them is to be read.
    pub(crate) fn has_warned(&self) -> bool {
        self.has_warned
    }

    /// Remembers that.
    pub(crate) fn expect_warnings(&mut self) {
        self.has_warned = self.options.reads_warnings;
    }

    /// Sends several statements in one request.
    pub(crate) fn ask_several(&mut self, statements: &[u8]) -> Result<(), Error> {
        self.ready()?;
        let asked = self.client.take_several(true).and_then(|()| self.client.ask(statements));
        asked.map_err(|fault| self.failed(fault, b""))
    }

    /// The answer to the next of them, and whether there is one more behind it.
    pub(crate) fn next_of_several(&mut self, statement: &[u8]) -> Result<(Answer, bool), Error> {
        self.client.next_answer().map_err(|fault| self.failed(fault, statement))
    }

    /// From here on a request is one statement again.
    pub(crate) fn end_several(&mut self) -> Result<(), Error> {
        self.client.take_several(false).map_err(|fault| {
            let error = self.failed(fault, b"");
            self.give_up(Error { failure: Failure::Lost, applied: Applied::Unknown, ..error })
        })
    }

    /// What the statement is. Whether it is one, the server says: it takes no more than one in a request.
    fn classified(&self, sql: &[u8]) -> Result<(Kind, Flags, usize), Error> {
        let mut splitter = MySqlSplitter::for_statement(!self.client.no_backslash_escapes());
        let Split::Piece(first) = splitter.next(sql, true)? else {
            return Err(Error::new(Class::Syntax, "there is no statement in the text"));
        };
        if splitter.last_has_body() {
            // A routine's body has semicolons of its own.
            return Ok((first.kind, first.flags, sql.len()));
        }
        let rest = sql.get(first.consumed..).unwrap_or_default();
        if !matches!(splitter.next(rest, true), Ok(Split::End)) {
            return Err(Error::new(Class::Syntax, "the text has more than one statement; none was run"));
        }
        Ok((first.kind, first.flags, first.end))
    }

    /// Says what the server has noted about a statement that ended well.
    pub(crate) fn noted(&mut self, warnings: u16, notices: Notices<'_>) -> Result<(), Error> {
        if warnings == 0 {
            return Ok(());
        }
        if !self.options.reads_warnings {
            warnings::count(warnings, "which were not read (`warnings` of the instance)", notices);
            return Ok(());
        }
        self.has_warned = true;
        self.counts_are_gone = true;
        warnings::say(self, warnings, None, notices)
    }

    /// Finds out what a failed statement has left: what the server notes about it, and whether the transaction is still there.
    pub(crate) fn look_after(&mut self, error: Error, was_open: bool, notices: Notices<'_>) -> Error {
        if self.lost || warnings::say(self, 0, Some(&error), notices).is_err() {
            return error;
        }
        let rolls_back = matches!(error.class, Class::Deadlock | Class::LockTimeout | Class::Serialization)
            || matches!(error.code, 1206 | 3101);
        if was_open && !self.in_transaction() && rolls_back {
            self.rolled_back = Some(error.message.clone());
            let told = "the server has rolled back the whole transaction";
            let detail =
                if error.detail.is_empty() { told.to_owned() } else { format!("{}; {told}", error.detail) };
            return Error { detail, ..error };
        }
        error
    }

    fn transaction(&self) -> Transaction {
        match (&self.rolled_back, self.in_transaction()) {
            (Some(_), _) => Transaction::Failed,
            (None, true) => Transaction::Open,
            (None, false) => Transaction::None,
        }
    }

    /// Refuses to commit what is not there any more.
    fn is_whole(&self) -> Result<(), Error> {
        match &self.rolled_back {
            None => Ok(()),
            Some(why) => Err(Error::new(
                Class::Other,
                format!("nothing was committed: the server had rolled back the transaction before ({why})"),
            )),
        }
    }
}

impl Connection for Session {
    fn reset(&mut self, _label: &str) -> Result<(), Error> {
        self.ready()?;
        if self.outgrown {
            // A session keeps the limit that it began with.
            return Err(Error::lost("a new session may take larger statements than this one", Applied::No));
        }
        self.rolled_back = None;
        self.counts_are_gone = false;
        self.has_warned = false;
        self.holds_lock = false;
        self.ledger_is_known = false;
        self.judging.reset();
        let (init, database) = (self.options.init.clone(), self.database.clone());
        let again = self.client.reset().and_then(|()| self.client.query(init.as_bytes(), false));
        // The reset keeps a database that a sheet has changed to.
        let again =
            again.and_then(|_| if database.is_empty() { Ok(()) } else { self.client.choose(&database) });
        again.map_err(|fault| self.failed(fault, b""))
    }

    fn ping(&mut self) -> Result<(), Error> {
        self.ready()?;
        self.client.ping().map_err(|fault| self.failed(fault, b""))
    }

    fn identify(&mut self) -> Result<Identity, Error> {
        self.ready()?;
        Ok(Identity {
            version: self.server.version.clone(),
            session: self.client.connection().to_string(),
            session_start: self.server.session_start.clone(),
            database: self.database.clone(),
            user: self.server.user.clone(),
            ..self.server_identity()
        })
    }

    fn execute(&mut self, sql: &[u8], notices: Notices<'_>) -> Result<Outcome, Error> {
        let room = self.room();
        if sql.len() > room {
            let message = format!(
                "the statement has {} bytes, and the server takes {room} (max_allowed_packet)",
                sql.len()
            );
            self.outgrown = true;
            return Err(Error::new(Class::Resource, message)
                .hint("Set the server's max_allowed_packet higher, or cut the statement into smaller ones"));
        }
        self.ready()?;
        let (kind, _, end) = self.classified(sql)?;
        match kind {
            Kind::Commit => self.is_whole()?,
            Kind::Begin | Kind::Rollback => self.rolled_back = None,
            _ => {}
        }
        if kind == Kind::Ddl {
            self.counts_are_gone = false;
        } else {
            self.may_count(sql)?;
        }
        let was_open = self.in_transaction();
        let answer = match self.exchange(sql.get(..end).unwrap_or(sql), false) {
            Ok(answer) => answer,
            Err(error) => return Err(self.look_after(error, was_open, notices)),
        };
        self.judging.ran(kind);
        self.noted(answer.warnings, notices)?;
        Ok(Outcome {
            rows_affected: matches!(kind, Kind::Dml | Kind::Call).then_some(answer.affected),
            transaction: self.transaction(),
            tag: answer.info,
        })
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.rolled_back = None;
        self.run("START TRANSACTION")
    }

    fn commit(&mut self, notices: Notices<'_>) -> Result<(), Error> {
        self.is_whole()?;
        let was_open = self.in_transaction();
        match self.exchange(b"COMMIT", false) {
            Ok(answer) => self.noted(answer.warnings, notices),
            Err(error) => Err(self.look_after(Error { position: None, ..error }, was_open, notices)),
        }
    }

    fn rollback(&mut self) -> Result<(), Error> {
        self.rolled_back = None;
        self.run("ROLLBACK")
    }

    fn canceler(&self) -> Box<dyn Canceler> {
        Box::new(Cancel {
            options: self.options.clone(),
            peer: self.client.stream().peer().clone(),
            connection: self.client.connection(),
            system: self.server.system.clone(),
        })
    }

    fn try_lock(&mut self) -> Result<TryLock, Error> {
        lock::try_lock(self)
    }

    fn unlock(&mut self) -> Result<(), Error> {
        self.ready()?;
        lock::unlock(self)
    }

    fn end_holder(&mut self, holder: &Identity) -> Result<(), Error> {
        self.ready()?;
        lock::end_holder(self, holder)
    }

    fn prepare_ledger(&mut self) -> Result<(), Error> {
        self.ready()?;
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
            self.client.quit(Deadline::after(FAREWELL_TIME_MAX));
        }
    }
}
