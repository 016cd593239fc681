//! A driver without a database: it stands for a server that loses connections, refuses, sleeps and misbehaves on command, and it can
//! show nothing about any real one: no durability (its databases are in memory and end with the process), no protocol, no isolation
//! beyond "what is committed is seen", and no cost of its own.
//!
//! # Statements
//!
//! Words between blanks; `'quoted words'` where they hold a blank or a sign; `--` and `/* … */` are comments; `;` ends a statement.
//!
//! | statement | does |
//! | --- | --- |
//! | `ok` | nothing |
//! | `say WORD` | a notice |
//! | `rows N` | says that N rows were changed |
//! | `notice N` | N notices, `notice 1` to `notice N` |
//! | `sleep TIME` | takes `200ms` or `2s`, unless it is canceled or its session killed |
//! | `fail CLASS WORD` | fails with that class and message |
//! | `lost no\|yes\|unknown` | the connection is lost, and whether the statement took effect is said so |
//! | `panic WORD` | the driver panics |
//! | `create T`, `drop T` | a table; part of the transaction |
//! | `put T KEY VALUE …` | sets one row or more |
//! | `delete T KEY` | takes a row out |
//! | `count T` | says how many rows are committed, as rows changed |
//! | `load T` | rows follow, a line `KEY VALUE` each, up to a line `\.` |
//! | `begin`, `commit`, `rollback` | transaction control |
//! | `alone STATEMENT` | is refused inside a transaction, as CREATE INDEX CONCURRENTLY is; `create` and `drop` can be judged |
//! | `read-only on\|off` | a setting of the session, under which nothing can be written |
//! | `temporary T` | a table of this session |
//! | `slow-commits T TIME` | from now on a commit of changes to T takes that long, in every session |
//! | `lose-commit yes\|no` | the commit of this transaction takes effect or not, and its answer never comes |
//! | `kill SESSION` | ends another session |
//! | `running SESSION`, `labelled SESSION LABEL` | fails unless that session runs something, is called so |
//!
//! # Settings
//!
//! | setting | means |
//! | --- | --- |
//! | `password` | must be `open sesame` where it is set |
//! | `fault` | breaks one rule of the ABI, always: see [`fault`] |
//! | `panic` | the function that panics: `open`, `execute`, `split-next`, … |
#![deny(unsafe_code)]

mod batch;
mod connection;
mod contents;
pub mod fault;
mod judge;
mod ledger;
mod load;
mod misbehave;
mod perform;
mod place;
mod server;
mod settings;
mod split;
mod statement;
mod transaction;

pub use connection::Session;
pub use split::MockSplitter;

use place::Place;
use runsheet_sdk::{Driver, Error, Facts, Notices, Settings};
use settings::Options;

/// The driver.
pub struct Mock;

impl Driver for Mock {
    const NAME: &'static str = "mock";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const TITLE: &'static str = "No database";
    const FACTS: Facts =
        Facts::TRANSACTIONAL_DDL.with(Facts::ERROR_POSITION).with(Facts::CANCEL).with(Facts::NOTICES);
    const HAS_LOAD: bool = true;
    const HAS_JUDGE: bool = true;
    const HAS_BATCH: bool = true;
    type Connection = Session;
    type Splitter = MockSplitter;

    fn check(settings: &Settings) -> Vec<Error> {
        let (options, faults) = Options::read(settings);
        options.enter(Place::Check);
        faults
    }

    fn open(
        settings: &Settings,
        database: &str,
        label: &str,
        _notices: Notices<'_>,
    ) -> Result<Session, Error> {
        let (options, mut faults) = Options::read(settings);
        options.enter(Place::Open);
        match faults.is_empty() {
            true => Session::open(options, database, label),
            false => Err(faults.swap_remove(0)),
        }
    }

    fn split(settings: &Settings) -> Result<MockSplitter, Error> {
        let (options, _) = Options::read(settings);
        options.enter(Place::SplitStart);
        Ok(MockSplitter::new(options))
    }
}

#[allow(unsafe_code, reason = "the exported symbol is the ABI's")]
mod entry {
    //! The one symbol that the daemon looks for.
    runsheet_sdk::export_driver!(super::Mock);
}
