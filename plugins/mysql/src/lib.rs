//! The driver for MySQL and MariaDB: a blocking client of their protocol, because what must be seen and refused (the state of the
//! transaction, several statements in one request, files of this machine) is hidden by the clients that exist.
#![deny(unsafe_code)]

mod batch;
mod cancel;
mod client;
mod connect;
mod connection;
mod error;
pub mod judge;
mod ledger;
mod lock;
mod server;
mod settings;
pub mod split;
mod text;
mod warnings;

pub use connection::Session;
pub use split::MySqlSplitter;

use runsheet_sdk::{Driver, Error, Facts, Notices, Settings};
use settings::Options;

/// The driver.
pub struct MySql;

impl Driver for MySql {
    const NAME: &'static str = "mysql";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const TITLE: &'static str = "MySQL and MariaDB";
    const FACTS: Facts =
        Facts::CANCEL.with(Facts::NOTICES).with(Facts::ERROR_POSITION).with(Facts::UNSAFE_TABLES);
    const HAS_JUDGE: bool = true;
    const HAS_BATCH: bool = true;
    type Connection = Session;
    type Splitter = MySqlSplitter;

    fn check(settings: &Settings) -> Vec<Error> {
        Options::read(settings).err().unwrap_or_default()
    }

    fn open(
        settings: &Settings,
        database: &str,
        _label: &str,
        _notices: Notices<'_>,
    ) -> Result<Session, Error> {
        let options = Options::read(settings).map_err(|mut faults| faults.swap_remove(0))?;
        Session::open(options, database)
    }

    fn split(settings: &Settings) -> Result<MySqlSplitter, Error> {
        Ok(MySqlSplitter::for_mode(settings.text("sql_mode").unwrap_or_default()))
    }
}

#[allow(unsafe_code, reason = "the exported symbol is the ABI's")]
mod entry {
    //! The one symbol that the daemon looks for.
    runsheet_sdk::export_driver!(super::MySql);
}
