//! What can go wrong with the state folder.

use std::path::PathBuf;

/// Why the state folder cannot be used, or a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another daemon holds the folder.
    #[error(
        "{folder} is in use by another Runsheet daemon ({holder}); two daemons on one state folder would run statements twice. Stop the other one, or give this one its own `[folders] root`"
    )]
    Taken {
        /// The state folder.
        folder: PathBuf,
        /// Who it is.
        holder: String,
    },
    /// A newer Runsheet has written it.
    #[error(
        "{file} was written by a newer Runsheet (state version {found}, this one knows {known}); nothing was changed. Install the newer version again"
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The version that this program writes.
        known: i64,
    },
    /// It is another program's database.
    #[error(
        "{file} is a SQLite database, but not one of Runsheet's (application id {found:#x}); nothing was changed. Move it away or name another state folder"
    )]
    Foreign {
        /// The database.
        file: PathBuf,
        /// What it says.
        found: i64,
    },
    /// It is damaged.
    #[error(
        "{file} is damaged: {why}. Nothing was run and nothing was changed, and the databases' own ledgers still know what is in. `runsheet recover --dry-run` shows what can be rebuilt from them and from the accepted files; `runsheet recover` does it, keeps the damaged file under another name, and starts nothing"
    )]
    Corrupt {
        /// The database.
        file: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// The file system refused.
    #[error("{path}: {why}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A read or write of the database failed.
    #[error("the state database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row holds what no version of this program writes.
    #[error("the state database holds {value:?} as a {what}, which this program does not know")]
    Unknown {
        /// What kind of value.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// The writer has stopped after an earlier failure.
    #[error("the state database takes no more writes, because an earlier one failed: {0}")]
    Stopped(String),
}
