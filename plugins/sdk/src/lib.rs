//! What a Runsheet driver is made with.
//!
//! - [`abi`]: the C ABI, one source for Rust and for `include/runsheet_driver.h`.
//! - [`types`]: what goes over it, as owned Rust values.
//! - [`Driver`], [`Connection`], [`Splitter`]: the safe traits that a driver in Rust implements.
//! - [`export_driver!`]: exports it.
//! - [`sink`], [`text`]: crossing the border, in both directions; the daemon uses them too.
//!
//! A driver knows statements, sessions and its engine. It knows no plan, no
//! task's state and no file of the daemon.

pub mod abi;
pub mod types;

mod driver;
pub mod export;
pub mod log;
mod settings;
pub mod sink;
pub mod text;

pub use driver::{
    Answer, Answers, Batch, Canceler, Connection, Driver, Judge, LoadRows, Notices, Observed, Splitter,
    TryLock,
};
pub use settings::Settings;
pub use types::{
    Applied, Class, Error, Facts, Failure, Flags, Identity, Kind, Mark, Notice, Observation, Outcome, Piece,
    Ruling, Settled, Split, Transaction, Verdict,
};
