//! What kind a statement is, and whether it can stand in a transaction, from its words. The list of those that cannot was tried
//! on a server, statement by statement.

use super::strings;
use runsheet_sdk::{Class, Error, Flags, Kind};

/// How many words are kept.
const KEPT_MAX: usize = 8;
/// The longest word that means anything.
const WORD_BYTES_MAX: usize = 24;

/// The words of a statement outside parentheses, in lower case.
#[derive(Debug, Default)]
pub(super) struct Words {
    kept: Vec<String>,
    /// Whether no further word would tell anything.
    settled: bool,
    last_is_from: bool,
    /// COPY … FROM STDIN, or STDOUT, which the server takes for the same.
    from_client: bool,
    concurrently: bool,
    writes: bool,
    set_tablespace: bool,
    last_is_set: bool,
    chain: bool,
    last_is_and: bool,
}

impl Words {
    pub fn push(&mut self, word: &[u8], parentheses: u32) {
        if self.settled {
            return;
        }
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        self.writes |=
            matches!(word.len(), 5 | 6) && (is(b"insert") || is(b"update") || is(b"delete") || is(b"merge"));
        // A query may begin with parentheses.
        if parentheses > 0 && !self.kept.is_empty() {
            return;
        }
        if self.kept.len() < KEPT_MAX {
            let short = word.get(..word.len().min(WORD_BYTES_MAX)).unwrap_or_default();
            self.kept.push(String::from_utf8_lossy(short).to_lowercase());
            self.settled = matches!(self.word(0), "insert" | "update" | "delete" | "select" | "values");
        }
        self.from_client |= self.last_is_from && (is(b"stdin") || is(b"stdout"));
        self.last_is_from = is(b"from");
        self.concurrently |= is(b"concurrently");
        self.set_tablespace |= self.last_is_set && is(b"tablespace");
        self.last_is_set = is(b"set");
        self.chain |= self.last_is_and && is(b"chain");
        self.last_is_and = is(b"and");
    }

    /// Something that is no word stands between two words.
    pub fn other(&mut self) {
        self.last_is_from = false;
        self.last_is_set = false;
        self.last_is_and = false;
    }

    fn word(&self, index: usize) -> &str {
        self.kept.get(index).map_or("", String::as_str)
    }

    /// Whether the statement makes a function or procedure, as psql tells.
    pub fn makes_routine(&self) -> bool {
        let routine = |word: &str| matches!(word, "function" | "procedure");
        self.word(0) == "create"
            && (routine(self.word(1))
                || (self.word(1) == "or" && self.word(2) == "replace" && routine(self.word(3))))
    }

    /// Statements that cannot be run as the sheet's promises want it.
    ///
    /// # Errors
    /// With what to do instead.
    pub fn refuse(&self, statement: &[u8]) -> Result<(), Error> {
        let message = match (self.word(0), self.word(1)) {
            ("prepare", "transaction") => {
                "PREPARE TRANSACTION would leave a transaction open behind the task; commit it in the sheet"
            }
            ("commit" | "end" | "rollback" | "abort", _) if self.chain => {
                "AND CHAIN opens a transaction that is not said by a BEGIN; write COMMIT and BEGIN"
            }
            ("discard", "all") => {
                "DISCARD ALL would let go of the lock that keeps a second runner out; write RESET ALL, DISCARD TEMP, DISCARD PLANS or DISCARD SEQUENCES"
            }
            ("set", "local") if strings::setting(statement) == Some(false) => {
                "standard_conforming_strings would be off only to the end of the transaction; write SET without LOCAL, or strings as E'…'"
            }
            _ => return Ok(()),
        };
        Err(Error::new(Class::Syntax, message))
    }

    /// Whether a backslash escapes in the strings after this statement, where it did or did not in those before.
    pub fn escapes(&self, statement: &[u8], before: bool) -> bool {
        match (self.word(0), self.word(1)) {
            ("set", _) => strings::setting(statement).map_or(before, |conforming| !conforming),
            ("reset", "all") => false,
            ("reset", _) if strings::setting(statement).is_some() => false,
            _ => before,
        }
    }

    pub fn classify(self, statement: &[u8]) -> (Kind, Flags) {
        let plain = |kind| (kind, Flags::none());
        let alone = |kind| (kind, Flags::ALONE);
        match (self.word(0), self.word(1)) {
            ("begin", _) | ("start", "transaction") => plain(Kind::Begin),
            ("commit" | "rollback", "prepared") => alone(Kind::Other),
            ("commit" | "end", _) => plain(Kind::Commit),
            ("rollback" | "abort", "to") => plain(Kind::Savepoint),
            ("rollback" | "abort", _) if self.word(2) == "to" => plain(Kind::Savepoint),
            ("rollback" | "abort", _) => plain(Kind::Rollback),
            ("savepoint" | "release", _) => plain(Kind::Savepoint),
            ("set", "local" | "transaction" | "constraints") => plain(Kind::Session),
            ("set" | "reset", _) => (Kind::Session, Flags::SESSION),
            ("discard" | "deallocate" | "prepare" | "listen" | "unlisten" | "load", _) => {
                (Kind::Session, Flags::SESSION)
            }
            ("copy", _) if self.from_client => plain(Kind::Load),
            ("insert" | "update" | "delete" | "merge" | "copy", _) => plain(Kind::Dml),
            ("with", _) if self.writes => plain(Kind::Dml),
            ("select", _) if sets_config(statement) => (Kind::Session, Flags::SESSION),
            ("with" | "select" | "values" | "table" | "show" | "explain" | "fetch", _) => plain(Kind::Query),
            ("call" | "do", _) => (Kind::Call, Flags::MAY_COMMIT),
            ("vacuum", _) => (Kind::Maintenance, Flags::ALONE.with(Flags::REPEATABLE)),
            // Of a partitioned table, or of all, these two cannot be in a transaction either, and their words do not tell.
            ("cluster" | "reindex", _) => (Kind::Maintenance, Flags::ALONE.with(Flags::REPEATABLE)),
            ("analyze" | "checkpoint", _) => (Kind::Maintenance, Flags::REPEATABLE),
            ("create" | "drop" | "alter", _) if self.ddl_is_alone() => alone(Kind::Ddl),
            (
                "create" | "drop" | "alter" | "truncate" | "comment" | "grant" | "revoke" | "import"
                | "refresh",
                _,
            )
            | ("security" | "reassign", _) => plain(Kind::Ddl),
            _ => plain(Kind::Other),
        }
    }

    fn ddl_is_alone(&self) -> bool {
        match (self.word(0), self.word(1)) {
            ("create" | "drop", "database" | "tablespace") => true,
            ("create" | "drop" | "alter", "subscription") => true,
            ("create", "unique" | "index") | ("drop", "index") => self.concurrently,
            ("alter", "system") => true,
            ("alter", "database") => self.set_tablespace,
            ("alter", "table") => self.concurrently,
            _ => false,
        }
    }
}

/// `SELECT pg_catalog.set_config('search_path', …)`, as dumps begin.
fn sets_config(statement: &[u8]) -> bool {
    let head = statement.get(..statement.len().min(64)).unwrap_or_default().to_ascii_lowercase();
    memchr::memmem::find(&head, b"set_config(").is_some()
}
