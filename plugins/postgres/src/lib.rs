//! The PostgreSQL driver: a blocking client over `postgres-protocol`, because what must be seen (COMMIT's command tag, the order
//! of notices, the transaction state) is hidden by the clients that exist.
#![deny(unsafe_code)]

mod auth;
mod batch;
mod cancel;
mod connect;
mod connection;
mod error;
pub mod judge;
mod ledger;
mod load;
mod lock;
mod place;
mod pooler;
mod settings;
pub mod split;
mod wire;

pub use connection::Session;
pub use split::PostgresSplitter;

use runsheet_sdk::{Driver, Error, Facts, Notices, Settings};
use settings::Options;

/// The driver.
pub struct Postgres;

impl Driver for Postgres {
    const NAME: &'static str = "postgres";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const TITLE: &'static str = "PostgreSQL";
    const FACTS: Facts =
        Facts::TRANSACTIONAL_DDL.with(Facts::ERROR_POSITION).with(Facts::CANCEL).with(Facts::NOTICES);
    const HAS_LOAD: bool = true;
    const HAS_JUDGE: bool = true;
    const HAS_BATCH: bool = true;
    type Connection = Session;
    type Splitter = PostgresSplitter;

    fn check(settings: &Settings) -> Vec<Error> {
        Options::read(settings).err().unwrap_or_default()
    }

    fn open(
        settings: &Settings,
        database: &str,
        label: &str,
        notices: Notices<'_>,
    ) -> Result<Session, Error> {
        let options = Options::read(settings).map_err(|mut faults| faults.swap_remove(0))?;
        Session::open(options, database, label, notices)
    }

    fn split(_settings: &Settings) -> Result<PostgresSplitter, Error> {
        Ok(PostgresSplitter::default())
    }
}

#[allow(unsafe_code, reason = "the exported symbol is the ABI's")]
mod entry {
    //! The one symbol that the daemon looks for.
    runsheet_sdk::export_driver!(super::Postgres);
}
