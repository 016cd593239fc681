//! The SQLite driver: one file per database in a folder, the engine bundled and run inside the daemon. It knows no server, no network and no account.
//!
//! # Settings of an instance
//!
//! | setting | means |
//! | --- | --- |
//! | `directory` | required: the folder, as an absolute path; links that lead out of it are refused |
//! | `extension` | put behind a database's name to make the file's (default `.db`); a file of the bare name goes first |
//! | `create` | whether a missing file is made (default `false`) |
//! | `busy_timeout` | how long another program's lock is waited for (default `5s`) |
//! | `journal_mode` | `delete`, `truncate`, `persist` or `wal`, set by each session; unset leaves the file's own |
//! | `synchronous` | `normal`, `full` or `extra` (default); a power cut can take back what was reported as done under `normal`, and under `full` where the file has no write-ahead log. A sheet may not set less |
//! | `foreign_keys` | whether they are enforced from the start (default `false`, as in the sqlite3 shell) |
//! | `attach` | whether a sheet may open other files by ATTACH and VACUUM INTO (default `false`) |
//!
//! The files of a daemon's own state are never opened: a folder that has `runsheet.db` beside `sheets/` is refused, and so is that
//! file's name anywhere, and a file with a second (hard) link. The lock of one runner per database is a file
//! `FILE-runsheet-lock`, made when it is needed and never removed.
#![deny(unsafe_code)]

mod busy;
mod connection;
mod error;
mod guard;
mod identity;
mod ledger;
mod lock;
mod place;
mod settings;
pub mod split;

pub use connection::Session;
pub use split::SqliteSplitter;

use runsheet_sdk::{Class, Driver, Error, Facts, Notices, Settings};
use settings::Options;

/// Versions below this can lose commits when a write-ahead log is reset.
const VERSION_NUMBER_MIN: i32 = 3_051_003;

const _: () = assert!(rusqlite::ffi::SQLITE_VERSION_NUMBER >= VERSION_NUMBER_MIN);

/// The driver.
pub struct Sqlite;

impl Driver for Sqlite {
    const NAME: &'static str = "sqlite";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const TITLE: &'static str = "SQLite";
    const FACTS: Facts =
        Facts::TRANSACTIONAL_DDL.with(Facts::ERROR_POSITION).with(Facts::CANCEL).with(Facts::EMBEDDED);
    type Connection = Session;
    type Splitter = SqliteSplitter;

    fn check(settings: &Settings) -> Vec<Error> {
        Options::read(settings).err().unwrap_or_default()
    }

    fn open(
        settings: &Settings,
        database: &str,
        _label: &str,
        _notices: Notices<'_>,
    ) -> Result<Session, Error> {
        if rusqlite::version_number() < VERSION_NUMBER_MIN {
            let message = format!(
                "the SQLite that this driver was linked with, {}, can lose commits; at least 3.51.3 is needed",
                rusqlite::version()
            );
            return Err(Error::new(Class::Unsupported, message));
        }
        let options = Options::read(settings).map_err(|mut faults| faults.swap_remove(0))?;
        Session::open(options, database)
    }

    fn split(_settings: &Settings) -> Result<SqliteSplitter, Error> {
        Ok(SqliteSplitter::default())
    }
}

#[allow(unsafe_code, reason = "the exported symbol is the ABI's")]
mod entry {
    //! The one symbol that the daemon looks for.
    runsheet_sdk::export_driver!(super::Sqlite);
}
