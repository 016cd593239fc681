//! The session and its server at the moment of an observation; and a session that is made steady for it, whatever a sheet has
//! made of it, since what a server shows depends on the session that asks.

use super::words::Dialect;
use crate::connection::Session;
use crate::lock;
use crate::text::literal;
use runsheet_sdk::{Class, Error};

/// What `@@sql_select_limit` is where nobody has set it.
const NO_LIMIT: &str = "18446744073709551615";
/// Modes that change how definitions are shown.
const SHOWING_MODES: &[&str] = &[
    "ANSI",
    "ANSI_QUOTES",
    "DB2",
    "MAXDB",
    "MSSQL",
    "MYSQL323",
    "MYSQL40",
    "NO_FIELD_OPTIONS",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "ORACLE",
    "PAD_CHAR_TO_FULL_LENGTH",
    "POSTGRESQL",
];

/// What is asked before anything is looked at.
#[derive(Debug, Default)]
pub(crate) struct Moment {
    /// Seconds since 1970, by the server's clock.
    pub time: i64,
    /// The server, however often it is started.
    pub server: String,
    /// The session's database, or nothing.
    pub database: String,
    sql_mode: String,
    charset: String,
    results: String,
    quotes: String,
    limit: String,
    /// Whether each statement is a transaction, and what it does is logged.
    pub is_plain: bool,
    /// Whether a power loss takes no event out of the binary log.
    pub log_is_durable: bool,
    /// What MariaDB has last logged in each domain, by each server.
    pub log_state: String,
    /// The session's domain on MariaDB.
    pub domain: String,
}

impl Moment {
    /// Asks.
    ///
    /// # Errors
    /// Where the session has lost its lock on the database.
    pub fn ask(session: &mut Session) -> Result<Self, Error> {
        let own = if session.is_mariadb() {
            "CONCAT(@@hostname, ':', @@port, '/', @@server_id), @@GLOBAL.gtid_binlog_state, @@SESSION.gtid_domain_id"
        } else {
            "@@server_uuid, '', ''"
        };
        let lock = literal(&lock::name(session.database()));
        let query = format!(
            "SELECT UNIX_TIMESTAMP(SYSDATE()), DATABASE(), @@SESSION.sql_mode, @@character_set_client, @@character_set_results, \
             @@SESSION.sql_quote_show_create, @@SESSION.sql_select_limit, @@SESSION.autocommit, @@SESSION.sql_log_bin, \
             @@GLOBAL.sync_binlog, IS_USED_LOCK({lock}) = CONNECTION_ID(), {own}"
        );
        let row = session.query(&query)?.into_iter().next().unwrap_or_default();
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        let time = next().split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
        let (database, sql_mode, charset, results) = (next(), next(), next(), next());
        let (quotes, limit, autocommit, logged, synced, held) =
            (next(), next(), next(), next(), next(), next());
        if session.holds_lock && held != "1" {
            session.holds_lock = false;
            return Err(Error::new(
                Class::Other,
                "the session has lost its lock on the database, and with it the right to work there alone",
            )
            .hint("A statement such as RELEASE_ALL_LOCKS() lets go of it; take it out of the sheet"));
        }
        Ok(Self {
            time,
            server: next(),
            log_state: next(),
            domain: next(),
            database,
            sql_mode,
            charset,
            results,
            quotes,
            limit,
            is_plain: autocommit == "1" && logged == "1",
            log_is_durable: synced == "1",
        })
    }

    /// How the session reads statements.
    pub fn dialect(&self, session: &Session) -> Dialect {
        Dialect::new(session.is_mariadb(), session.version(), &self.sql_mode)
    }

    /// Whether the session reads names as they stand in the sheet.
    pub fn reads_utf8(&self) -> bool {
        self.charset.starts_with("utf8")
    }

    fn is_steady(&self) -> bool {
        let shows = |mode: &str| SHOWING_MODES.iter().any(|one| mode.eq_ignore_ascii_case(one));
        self.charset == "utf8mb4"
            && self.results == "utf8mb4"
            && self.quotes == "1"
            && self.limit == NO_LIMIT
            && !self.sql_mode.split(',').any(shows)
    }

    /// Looks at something in a session that shows everything as every other session does, and puts back what it was.
    pub fn steadily<T>(
        &self,
        session: &mut Session,
        look: impl FnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.is_steady() {
            return look(session);
        }
        session.run(&setting("", "utf8mb4", "utf8mb4", "1", NO_LIMIT))?;
        let seen = look(session);
        let back = setting(&self.sql_mode, &self.charset, &self.results, &self.quotes, &self.limit);
        session.run(&back)?;
        seen
    }
}

fn setting(sql_mode: &str, charset: &str, results: &str, quotes: &str, limit: &str) -> String {
    // Results may be asked for as they are.
    let results = if results.is_empty() { "NULL" } else { results };
    format!(
        "SET SESSION sql_mode = '{sql_mode}', character_set_client = {charset}, character_set_results = {results}, \
         SESSION sql_quote_show_create = {quotes}, SESSION sql_select_limit = {limit}"
    )
}
