//! What kind a statement is, and whether it commits by itself, from its first words; the list is that of both manuals ("statements
//! that cause an implicit commit").

use runsheet_sdk::{Class, Error, Flags, Kind};

/// How many words are kept.
const KEPT_MAX: usize = 12;
/// The longest word that means anything.
const WORD_BYTES_MAX: usize = 24;

/// The first words of a statement, in lower case; a quoted name and a sign that matters count as words.
#[derive(Debug, Default)]
pub(super) struct Words {
    kept: Vec<String>,
    /// Whether no further word would tell anything.
    settled: bool,
    writes: bool,
    /// Whether the body's language was named, and AS was the last word.
    language: bool,
    last_is_as: bool,
}

impl Words {
    pub fn push(&mut self, word: &[u8]) {
        if self.settled {
            return;
        }
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if self.word(0) == "set" && self.word(1) == "statement" && is(b"for") {
            // SET STATEMENT … FOR is what stands behind it.
            *self = Self::default();
            return;
        }
        self.writes |= matches!(word.len(), 6 | 7)
            && (is(b"insert") || is(b"update") || is(b"delete") || is(b"replace"));
        self.language |= is(b"language");
        self.last_is_as = is(b"as");
        if self.kept.len() < KEPT_MAX {
            let short = word.get(..word.len().min(WORD_BYTES_MAX)).unwrap_or_default();
            self.kept.push(String::from_utf8_lossy(short).to_lowercase());
            self.settled =
                matches!(self.word(0), "insert" | "update" | "delete" | "replace" | "select" | "values");
        }
    }

    pub fn quoted(&mut self) {
        self.sign(b'`');
    }

    pub fn sign(&mut self, sign: u8) {
        if self.settled {
            return;
        }
        self.last_is_as = false;
        if matches!(sign, b'`' | b'@' | b'=' | b'.' | b':') && self.kept.len() < KEPT_MAX {
            self.kept.push(char::from(sign).to_string());
        }
    }

    fn word(&self, index: usize) -> &str {
        self.kept.get(index).map_or("", String::as_str)
    }

    fn has(&self, word: &str) -> bool {
        self.kept.iter().any(|kept| kept == word)
    }

    fn has_both(&self, first: &str, second: &str) -> bool {
        self.kept.windows(2).any(|pair| matches!(pair, [one, two] if one == first && two == second))
    }

    /// Whether a dollar would begin the body of a routine in another language.
    pub fn may_quote_by_dollars(&self) -> bool {
        self.last_is_as && self.language && self.word(0) == "create"
    }

    /// Whether it is a SET of any kind.
    pub fn is_setting(&self) -> bool {
        self.word(0) == "set"
    }

    /// Statements that cannot be run as the sheet's promises want it.
    ///
    /// # Errors
    /// With what to do instead.
    pub fn refuse(&self) -> Result<(), Error> {
        let to_savepoint = self.word(1) == "to" || self.word(2) == "to";
        let releases = self.has("release") && !self.has_both("no", "release") && !to_savepoint;
        let message = match (self.word(0), self.word(1)) {
            ("xa", _) => "an XA transaction would be left open behind the task; use BEGIN and COMMIT",
            ("commit" | "rollback", _) if self.has_both("and", "chain") || releases => {
                "AND CHAIN and RELEASE change the session behind the task; write a plain COMMIT or ROLLBACK"
            }
            ("load", "data" | "xml") if self.has("local") => {
                "LOAD DATA LOCAL reads a file of the client's machine, which a sheet cannot do; use LOAD DATA with a file on the server, or INSERTs"
            }
            _ => return Ok(()),
        };
        Err(Error::new(Class::Syntax, message))
    }

    /// Whether the statement may hold others in its body.
    pub fn has_body(&self) -> bool {
        let routine = ["procedure", "function", "trigger", "event", "package"];
        match self.word(0) {
            "create" | "alter" => routine.iter().any(|word| self.has(word)),
            "begin" => !self.begins_transaction(),
            "if" | "case" | "loop" | "repeat" | "while" | "for" | "declare" => true,
            // A label.
            _ => self.word(1) == ":" && self.word(2) != "=",
        }
    }

    fn begins_transaction(&self) -> bool {
        self.kept.len() == 1 || (self.kept.len() == 2 && self.word(1) == "work")
    }

    pub fn classify(self) -> (Kind, Flags) {
        let plain = |kind| (kind, Flags::none());
        let commits = |kind| (kind, Flags::COMMITS);
        let again = Flags::COMMITS.with(Flags::REPEATABLE);
        match (self.word(0), self.word(1)) {
            ("begin", _) if self.begins_transaction() => plain(Kind::Begin),
            ("start", "transaction") => plain(Kind::Begin),
            ("commit", _) => plain(Kind::Commit),
            ("rollback", "to") => plain(Kind::Savepoint),
            ("rollback", "work") if self.word(2) == "to" => plain(Kind::Savepoint),
            ("rollback", _) => plain(Kind::Rollback),
            ("savepoint" | "release", _) => plain(Kind::Savepoint),
            ("insert" | "update" | "delete" | "replace" | "load", _) if !self.loads_index() => {
                plain(Kind::Dml)
            }
            ("with", _) if self.writes => plain(Kind::Dml),
            (
                "select" | "show" | "with" | "values" | "table" | "explain" | "describe" | "desc" | "help"
                | "checksum",
                _,
            ) => plain(Kind::Query),
            ("call" | "do" | "execute", _) => (Kind::Call, Flags::MAY_COMMIT),
            ("create" | "drop", "temporary") => plain(Kind::Ddl),
            ("create", "or") if self.word(3) == "temporary" => plain(Kind::Ddl),
            ("create" | "alter" | "drop" | "rename" | "truncate" | "grant" | "revoke" | "import", _) => {
                commits(Kind::Ddl)
            }
            ("install" | "uninstall" | "clone" | "shutdown" | "restart", _) => commits(Kind::Other),
            ("change" | "stop" | "reset" | "purge", _) => commits(Kind::Other),
            ("start", _) => commits(Kind::Other),
            // ANALYZE of a statement runs it.
            ("analyze", _) if self.writes => plain(Kind::Dml),
            ("analyze", word) if !matches!(word, "table" | "tables" | "local" | "no_write_to_binlog") => {
                plain(Kind::Query)
            }
            ("analyze" | "check" | "optimize" | "repair" | "flush" | "cache" | "load", _) => {
                (Kind::Maintenance, again)
            }
            // Table locks end with the next transaction, which every statement here stands in.
            ("lock" | "unlock", _) => (Kind::Session, Flags::ALONE.with(Flags::SESSION)),
            ("set", _) => self.setting(),
            ("use", _) => (Kind::Session, Flags::SESSION),
            ("prepare" | "deallocate", _) => (Kind::Session, Flags::SESSION),
            _ if self.has_body() => (Kind::Call, Flags::MAY_COMMIT),
            _ => plain(Kind::Other),
        }
    }

    fn loads_index(&self) -> bool {
        self.word(0) == "load" && self.word(1) == "index"
    }

    fn setting(&self) -> (Kind, Flags) {
        match self.word(1) {
            "password" => (Kind::Ddl, Flags::COMMITS),
            "default" if self.word(2) == "role" => (Kind::Ddl, Flags::COMMITS),
            "resource" => (Kind::Other, Flags::COMMITS),
            // For all sessions, and in no transaction: recorded by itself.
            "global" | "persist" | "persist_only" => (Kind::Other, Flags::ALONE),
            "@" if self.word(2) == "@" && matches!(self.word(3), "global" | "persist" | "persist_only") => {
                (Kind::Other, Flags::ALONE)
            }
            // Of the next transaction, and refused inside of one.
            "transaction" => (Kind::Session, Flags::ALONE.with(Flags::SESSION)),
            // It may commit what is open.
            _ if self.has("autocommit") => (Kind::Session, Flags::ALONE.with(Flags::SESSION)),
            _ => (Kind::Session, Flags::SESSION),
        }
    }
}
