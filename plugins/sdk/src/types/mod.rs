//! What goes over the ABI, as owned Rust values: the same types on the driver's
//! side and on the daemon's. No C here.

use crate::abi;
use std::fmt;

macro_rules! c_enum {
    ($(#[$doc:meta])* $name:ident: $repr:ty, unknown = $unknown:ident { $($(#[$vdoc:meta])* $variant:ident = $value:path, $text:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// The ABI's number.
            pub const fn to_abi(self) -> $repr {
                match self { $(Self::$variant => $value,)+ }
            }
            /// From the ABI's number; one that is not known is taken for the harmless default.
            pub const fn from_abi(value: $repr) -> Self {
                match value { $($value => Self::$variant,)+ _ => Self::$unknown }
            }
            /// The word used in results, logs and on the screen.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
            /// The value that a word names, if any.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl Default for $name {
            fn default() -> Self { Self::$unknown }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.word()) }
        }
    };
}

mod judging;
mod mark;

pub use judging::{Observation, Ruling, Settled, Verdict};
pub use mark::Mark;

c_enum! {
    /// What kind of failure an error is.
    Class: u32, unknown = Other {
        /// None of the others.
        Other = abi::RSD_CLASS_OTHER, "other";
        /// Not well formed.
        Syntax = abi::RSD_CLASS_SYNTAX, "syntax";
        /// Something named does not exist.
        MissingObject = abi::RSD_CLASS_MISSING_OBJECT, "missing object";
        /// What should be created exists.
        AlreadyExists = abi::RSD_CLASS_ALREADY_EXISTS, "already exists";
        /// A constraint refused the data.
        Constraint = abi::RSD_CLASS_CONSTRAINT, "constraint";
        /// The account may not do this.
        Permission = abi::RSD_CLASS_PERMISSION, "permission";
        /// The account or password was refused.
        Authentication = abi::RSD_CLASS_AUTHENTICATION, "authentication";
        /// A lock was not granted in time.
        LockTimeout = abi::RSD_CLASS_LOCK_TIMEOUT, "lock timeout";
        /// A deadlock's victim.
        Deadlock = abi::RSD_CLASS_DEADLOCK, "deadlock";
        /// Could not be serialized with others.
        Serialization = abi::RSD_CLASS_SERIALIZATION, "serialization";
        /// Out of disk, memory, connections.
        Resource = abi::RSD_CLASS_RESOURCE, "resource";
        /// The engine or driver does not have it.
        Unsupported = abi::RSD_CLASS_UNSUPPORTED, "unsupported";
        /// The connection could not be made or was lost.
        Connection = abi::RSD_CLASS_CONNECTION, "connection lost";
        /// Stopped by someone.
        Canceled = abi::RSD_CLASS_CANCELED, "canceled";
        /// A statement's own time limit.
        Timeout = abi::RSD_CLASS_TIMEOUT, "timeout";
        /// A setting of the instance is wrong.
        Setting = abi::RSD_CLASS_SETTING, "setting";
    }
}

c_enum! {
    /// Whether what failed took effect all the same.
    Applied: u32, unknown = Unknown {
        /// It cannot be known.
        Unknown = abi::RSD_APPLIED_UNKNOWN, "unknown";
        /// Certainly not.
        No = abi::RSD_APPLIED_NO, "no";
        /// Certainly.
        Yes = abi::RSD_APPLIED_YES, "yes";
    }
}

c_enum! {
    /// What a piece of a sheet is.
    Kind: u32, unknown = Other {
        /// Anything else.
        Other = abi::RSD_PIECE_OTHER, "other";
        /// Defines or changes objects.
        Ddl = abi::RSD_PIECE_DDL, "ddl";
        /// Changes rows.
        Dml = abi::RSD_PIECE_DML, "dml";
        /// Reads.
        Query = abi::RSD_PIECE_QUERY, "query";
        /// Opens a transaction.
        Begin = abi::RSD_PIECE_BEGIN, "begin";
        /// Commits it.
        Commit = abi::RSD_PIECE_COMMIT, "commit";
        /// Rolls it back.
        Rollback = abi::RSD_PIECE_ROLLBACK, "rollback";
        /// Savepoints.
        Savepoint = abi::RSD_PIECE_SAVEPOINT, "savepoint";
        /// Sets what later statements see.
        Session = abi::RSD_PIECE_SESSION, "session";
        /// Looks after storage.
        Maintenance = abi::RSD_PIECE_MAINTENANCE, "maintenance";
        /// A procedure or anonymous block.
        Call = abi::RSD_PIECE_CALL, "call";
        /// A load whose rows follow.
        Load = abi::RSD_PIECE_LOAD, "load";
        /// Rows of a load.
        Rows = abi::RSD_PIECE_ROWS, "rows";
    }
}

/// How a failed call ended, beside its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The statement failed; the connection is usable.
    Failed,
    /// The statement was stopped by a cancel; the connection is usable.
    Canceled,
    /// The connection is gone.
    Lost,
    /// The caller broke the contract; nothing was done.
    Misuse,
    /// The driver broke its own rules; the connection must be closed.
    DriverBug,
    /// The driver does not have this; nothing was done.
    Unsupported,
}

impl Failure {
    /// The ABI's status.
    pub const fn to_abi(self) -> abi::rsd_status {
        match self {
            Self::Failed => abi::RSD_FAILED,
            Self::Canceled => abi::RSD_CANCELED,
            Self::Lost => abi::RSD_LOST,
            Self::Misuse => abi::RSD_MISUSE,
            Self::DriverBug => abi::RSD_DRIVER_BUG,
            Self::Unsupported => abi::RSD_UNSUPPORTED,
        }
    }

    /// From a status that is not OK; an unknown one is the driver's fault.
    pub const fn from_abi(status: abi::rsd_status) -> Self {
        match status {
            abi::RSD_FAILED => Self::Failed,
            abi::RSD_CANCELED => Self::Canceled,
            abi::RSD_LOST => Self::Lost,
            abi::RSD_MISUSE => Self::Misuse,
            abi::RSD_UNSUPPORTED => Self::Unsupported,
            _ => Self::DriverBug,
        }
    }
}

/// Why a call failed, and what that means for the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What became of the call and of the connection.
    pub failure: Failure,
    /// The kind of failure.
    pub class: Class,
    /// Whether what was asked took effect.
    pub applied: Applied,
    /// SQLSTATE, five characters, or empty.
    pub sqlstate: String,
    /// The engine's number, or 0.
    pub code: i64,
    /// The byte of the text as passed at which the engine saw it.
    pub position: Option<usize>,
    /// The engine's message, without code.
    pub message: String,
    /// More of it, or empty.
    pub detail: String,
    /// What the engine suggests, or empty.
    pub hint: String,
    /// The object or setting that it is about, or empty.
    pub object: String,
}

impl Error {
    /// An error of a class that certainly had no effect.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            failure: match class {
                Class::Connection => Failure::Lost,
                Class::Canceled => Failure::Canceled,
                _ => Failure::Failed,
            },
            class,
            applied: Applied::No,
            sqlstate: String::new(),
            code: 0,
            position: None,
            message: message.into(),
            detail: String::new(),
            hint: String::new(),
            object: String::new(),
        }
    }

    /// The connection is gone, and whether the last call took effect is said by `applied`.
    pub fn lost(message: impl Into<String>, applied: Applied) -> Self {
        Self { applied, ..Self::new(Class::Connection, message) }
    }

    /// A wrong setting, by its name.
    pub fn setting(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { object: name.into(), ..Self::new(Class::Setting, message) }
    }

    /// The same error at a byte of the text.
    pub fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }

    /// The same error with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.sqlstate.is_empty(), self.code) {
            (true, 0) => {}
            (true, code) => write!(f, "[{code}] ")?,
            (false, 0) => write!(f, "[{}] ", self.sqlstate)?,
            (false, code) => write!(f, "[{code}, {}] ", self.sqlstate)?,
        }
        f.write_str(&self.message)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        if !self.hint.is_empty() {
            write!(f, ". {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// What the server said beside the outcome.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Notice {
    /// `WARNING`, `NOTICE`, …
    pub severity: String,
    /// SQLSTATE or empty.
    pub sqlstate: String,
    /// The engine's number or 0.
    pub code: i64,
    /// The text.
    pub message: String,
}

/// Whether a transaction is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Transaction {
    /// None is.
    None,
    /// One is.
    Open,
    /// One is, but it can only be rolled back.
    Failed,
    /// The driver cannot tell.
    #[default]
    Unknown,
}

impl Transaction {
    /// The ABI's number.
    pub const fn to_abi(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Open => 1,
            Self::Failed => 2,
            Self::Unknown => 3,
        }
    }

    /// From the ABI's number.
    pub const fn from_abi(value: u32) -> Self {
        match value {
            0 => Self::None,
            1 => Self::Open,
            2 => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

/// How a statement ended well.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Rows changed, where the statement changes rows.
    pub rows_affected: Option<u64>,
    /// Whether a transaction is open after it.
    pub transaction: Transaction,
    /// What the server called it, or empty.
    pub tag: String,
}

/// Who a session is on its server.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Identity {
    /// `PostgreSQL`, `MariaDB`, `MySQL`, `SQLite`, …
    pub product: String,
    /// The server's version.
    pub version: String,
    /// The session's number.
    pub session: String,
    /// When the session began.
    pub session_start: String,
    /// The same as long as it is the same server process.
    pub system: String,
    /// The database.
    pub database: String,
    /// The account.
    pub user: String,
    /// What it is doing now, as the server says it to others; or empty.
    pub doing: String,
}

/// What holds of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Flags(pub u32);

impl Flags {
    /// The engine refuses it inside a transaction.
    pub const ALONE: Self = Self(abi::RSD_PIECE_FLAG_ALONE);
    /// It commits what is open, and itself.
    pub const COMMITS: Self = Self(abi::RSD_PIECE_FLAG_COMMITS);
    /// Running it twice does what running it once does.
    pub const REPEATABLE: Self = Self(abi::RSD_PIECE_FLAG_REPEATABLE);
    /// It changes the session.
    pub const SESSION: Self = Self(abi::RSD_PIECE_FLAG_SESSION);
    /// The last rows of a load.
    pub const LAST: Self = Self(abi::RSD_PIECE_FLAG_LAST);
    /// It may commit where no transaction is around it.
    pub const MAY_COMMIT: Self = Self(abi::RSD_PIECE_FLAG_MAY_COMMIT);

    /// Nothing special.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Whether all of `other` hold.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A piece of a sheet; offsets count from the text that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// What holds of it.
    pub flags: Flags,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last one, without the delimiter.
    pub end: usize,
    /// Where the next call's text begins.
    pub consumed: usize,
}

/// What a splitter found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// A piece.
    Piece(Piece),
    /// The text ends before the piece does.
    More,
    /// Nothing but blanks and comments is left.
    End,
}

/// The facts of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Facts(pub u64);

impl Facts {
    /// DDL is rolled back with its transaction.
    pub const TRANSACTIONAL_DDL: Self = Self(abi::RSD_FACT_TRANSACTIONAL_DDL);
    /// Errors carry a position.
    pub const ERROR_POSITION: Self = Self(abi::RSD_FACT_ERROR_POSITION);
    /// Notices reach the sink.
    pub const NOTICES: Self = Self(abi::RSD_FACT_NOTICES);
    /// Cancel works.
    pub const CANCEL: Self = Self(abi::RSD_FACT_CANCEL);
    /// No server: the engine runs in the daemon.
    pub const EMBEDDED: Self = Self(abi::RSD_FACT_EMBEDDED);
    /// Some tables may know no transactions.
    pub const UNSAFE_TABLES: Self = Self(abi::RSD_FACT_UNSAFE_TABLES);

    /// Whether all of `other` hold.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The words for what holds, for people and scripts.
    pub fn words(self) -> Vec<&'static str> {
        [
            (Self::TRANSACTIONAL_DDL, "transactional-ddl"),
            (Self::ERROR_POSITION, "error-position"),
            (Self::NOTICES, "notices"),
            (Self::CANCEL, "cancel"),
            (Self::EMBEDDED, "embedded"),
            (Self::UNSAFE_TABLES, "unsafe-tables"),
        ]
        .into_iter()
        .filter(|(fact, _)| self.has(*fact))
        .map(|(_, word)| word)
        .collect()
    }
}
