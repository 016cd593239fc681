//! A session.

use crate::cancel::Cancel;
use crate::connect::connect;
use crate::settings::Options;
use crate::split::MySqlSplitter;
use crate::{error, farewell, ledger, raw};
use mysql::Conn;
use mysql::prelude::Queryable;
use runsheet_sdk::{
    Applied, Canceler, Class, Connection, Error, Failure, Flags, Identity, Kind, Mark, Notice, Notices,
    Outcome, Split, Splitter, Transaction, TryLock,
};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The longest lock name that both servers take.
const LOCK_NAME_MAX: usize = 64;

/// A session.
pub struct Session {
    options: Options,
    database: String,
    client: Conn,
    identity: Identity,
    /// The longest statement that the server takes, in bytes.
    packet_max: usize,
    /// Whether the next statement is inside a transaction that was begun here.
    pub(crate) in_transaction: bool,
    lost: bool,
    holds_lock: bool,
    pub(crate) ledger_is_known: bool,
}

impl Session {
    pub(crate) fn open(options: Options, database: &str) -> Result<Self, Error> {
        let client = connect(&options, database, options.connect_timeout)?;
        let mut session = Self {
            options,
            database: database.to_owned(),
            client,
            identity: Identity::default(),
            packet_max: usize::MAX,
            in_transaction: false,
            lost: false,
            holds_lock: false,
            ledger_is_known: false,
        };
        session.look_around()?;
        Ok(session)
    }

    /// What is the same for the session's whole life.
    fn look_around(&mut self) -> Result<(), Error> {
        type Row = (String, String, String, String, String, String);
        let row: Option<Row> = self.ask(
            "SELECT CONCAT(@@max_allowed_packet), VERSION(), CURRENT_USER(), CONCAT(CONNECTION_ID()), CONCAT(@@hostname, ':', @@port), CONCAT(UTC_TIMESTAMP())",
        )?;
        let (packet, version, user, session, system, now) = row.unwrap_or_default();
        self.packet_max = packet.parse().unwrap_or(usize::MAX);
        let product = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
        let schema = if product == "MariaDB" { "information_schema" } else { "performance_schema" };
        // Both are seconds of the statement's own beginning, so that every session computes the same.
        let started: Option<String> = self.ask(&format!(
            "SELECT CONCAT(UTC_TIMESTAMP() - INTERVAL VARIABLE_VALUE SECOND) FROM {schema}.global_status WHERE VARIABLE_NAME = 'Uptime'"
        ))?;
        self.identity = Identity {
            product: product.to_owned(),
            version,
            session,
            session_start: now,
            system: format!("{system} started {}", started.unwrap_or_default()),
            database: self.database.clone(),
            user,
            ..Identity::default()
        };
        Ok(())
    }

    fn ask<T: mysql::prelude::FromRow>(&mut self, query: &str) -> Result<Option<T>, Error> {
        self.client.query_first(query).map_err(|failed| self.failed(failed, b""))
    }

    fn run(&mut self, query: &str) -> Result<(), Error> {
        self.client.query_drop(query).map_err(|failed| self.failed(failed, b""))
    }

    fn failed(&mut self, failed: mysql::Error, sql: &[u8]) -> Error {
        self.lose(error::from(failed, sql))
    }

    /// Fails where the session is gone already, so that nothing is sent to it.
    fn is_there(&mut self) -> Result<(), Error> {
        if self.lost {
            return Err(Error::lost("the connection was lost before", Applied::No));
        }
        farewell::look(&self.client).map_err(|error| self.lose(error))
    }

    /// Remembers that the connection is gone, where an error says so.
    pub(crate) fn lose(&mut self, error: Error) -> Error {
        self.lost |= error.failure == Failure::Lost;
        error
    }

    pub(crate) fn client(&mut self) -> &mut Conn {
        &mut self.client
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// The lock's name: the same for every Runsheet and this database, however long its name is.
    fn lock_name(&self) -> String {
        let name = format!("runsheet:{}", self.database);
        if name.len() <= LOCK_NAME_MAX {
            return name;
        }
        let mut hash = DefaultHasher::new();
        self.database.hash(&mut hash);
        let end = name.floor_char_boundary(LOCK_NAME_MAX - 17);
        format!("{}:{:016x}", name.get(..end).unwrap_or_default(), hash.finish())
    }

    /// Refuses more than one statement as far as that can be seen: the server itself would run them all. A routine's body has
    /// semicolons of its own.
    fn one_statement(&self, sql: &[u8]) -> Result<(Kind, Flags), Error> {
        let mut splitter = MySqlSplitter::new(!self.client.no_backslash_escape());
        let Split::Piece(first) = splitter.next(sql, true)? else {
            return Err(Error::new(Class::Syntax, "there is no statement in the text"));
        };
        let rest = sql.get(first.consumed..).unwrap_or_default();
        if !splitter.last_has_body() && !matches!(splitter.next(rest, true), Ok(Split::End)) {
            return Err(Error::new(Class::Syntax, "the text has more than one statement; none was run"));
        }
        Ok((first.kind, first.flags))
    }

    fn warnings(&mut self, notices: Notices<'_>) -> Result<(), Error> {
        // In the character set of the session, which may be any.
        let warnings: Vec<(Vec<u8>, i64, Vec<u8>)> =
            self.client.query("SHOW WARNINGS").map_err(|failed| self.failed(failed, b""))?;
        for (severity, code, message) in warnings {
            let [severity, message] =
                [severity, message].map(|text| String::from_utf8_lossy(&text).into_owned());
            notices(Notice { severity, sqlstate: String::new(), code, message });
        }
        Ok(())
    }
}

/// What came of a statement.
#[derive(Default)]
struct Came {
    affected: u64,
    warnings: u64,
    info: String,
}

/// Sends a statement and reads all that comes of it. Rows are dropped; an error among them is the statement's.
fn exchange(client: &mut Conn, sql: &[u8]) -> mysql::Result<Came> {
    let mut came = Came::default();
    let mut result = client.query_iter(raw::as_text(sql))?;
    while let Some(mut set) = result.iter() {
        came.affected += set.affected_rows();
        came.warnings += u64::from(set.warnings());
        came.info = set.info_str().into_owned();
        if let Some(failed) = set.find_map(Result::err) {
            return Err(failed);
        }
    }
    Ok(came)
}

impl Connection for Session {
    fn reset(&mut self, _label: &str) -> Result<(), Error> {
        self.is_there()?;
        self.in_transaction = false;
        self.holds_lock = false;
        self.ledger_is_known = false;
        self.client.reset().map_err(|failed| self.failed(failed, b""))?;
        if self.database.is_empty() {
            return Ok(());
        }
        // The reset keeps a database that a sheet has changed to.
        let database = self.database.clone();
        self.client.select_db(&database).map_err(|failed| self.failed(failed, b""))
    }

    fn ping(&mut self) -> Result<(), Error> {
        self.is_there()?;
        self.client.ping().map_err(|failed| self.failed(failed, b""))
    }

    fn identify(&mut self) -> Result<Identity, Error> {
        self.is_there()?;
        Ok(self.identity.clone())
    }

    fn execute(&mut self, sql: &[u8], notices: Notices<'_>) -> Result<Outcome, Error> {
        self.is_there()?;
        if sql.len() + 1 > self.packet_max {
            return Err(Error::new(
                Class::Resource,
                format!(
                    "the statement has {} bytes, and the server takes {} (max_allowed_packet)",
                    sql.len(),
                    self.packet_max
                ),
            ));
        }
        let (kind, flags) = self.one_statement(sql)?;
        let Came { affected, warnings, info } =
            exchange(&mut self.client, sql).map_err(|failed| self.failed(failed, sql))?;
        if flags.has(Flags::COMMITS) || matches!(kind, Kind::Commit | Kind::Rollback) {
            self.in_transaction = false;
        }
        if kind == Kind::Begin {
            self.in_transaction = true;
        }
        if warnings > 0 {
            self.warnings(notices)?;
        }
        let rows_affected = matches!(kind, Kind::Dml | Kind::Call).then_some(affected);
        Ok(Outcome { rows_affected, transaction: Transaction::Unknown, tag: info })
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.is_there()?;
        self.run("START TRANSACTION")?;
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self, _notices: Notices<'_>) -> Result<(), Error> {
        self.is_there()?;
        self.run("COMMIT")?;
        self.in_transaction = false;
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), Error> {
        self.is_there()?;
        self.run("ROLLBACK")?;
        self.in_transaction = false;
        Ok(())
    }

    fn canceler(&self) -> Box<dyn Canceler> {
        Box::new(Cancel { options: self.options.clone(), connection: self.client.connection_id() })
    }

    fn try_lock(&mut self) -> Result<TryLock, Error> {
        self.is_there()?;
        if self.holds_lock {
            return Ok(TryLock::Held);
        }
        let name = self.lock_name().replace('\\', "\\\\").replace('\'', "''");
        let got: Option<Option<i64>> = self.ask(&format!("SELECT GET_LOCK('{name}', 0)"))?;
        if got == Some(Some(1)) {
            self.holds_lock = true;
            return Ok(TryLock::Held);
        }
        let holder: Option<Option<u64>> = self.ask(&format!("SELECT IS_USED_LOCK('{name}')"))?;
        Ok(TryLock::Busy(holder.flatten().map(|session| {
            Box::new(Identity {
                product: self.identity.product.clone(),
                session: session.to_string(),
                system: self.identity.system.clone(),
                ..Identity::default()
            })
        })))
    }

    fn unlock(&mut self) -> Result<(), Error> {
        self.is_there()?;
        if !self.holds_lock {
            return Ok(());
        }
        self.holds_lock = false;
        let name = self.lock_name().replace('\\', "\\\\").replace('\'', "''");
        self.run(&format!("DO RELEASE_LOCK('{name}')"))
    }

    fn prepare_ledger(&mut self) -> Result<(), Error> {
        self.is_there()?;
        ledger::prepare(self).map_err(|error| self.lose(error))
    }

    fn write_mark(&mut self, mark: &Mark) -> Result<(), Error> {
        self.is_there()?;
        ledger::write(self, mark)
    }

    fn read_marks(&mut self, task: &str) -> Result<Vec<Mark>, Error> {
        self.is_there()?;
        ledger::read(self, task)
    }

    fn find_version(&mut self, schema_version: &str) -> Result<Option<Mark>, Error> {
        self.is_there()?;
        ledger::find_version(self, schema_version)
    }
}
