//! Runsheet: runs database change plans dropped into a folder, in order and exactly once.
//!
//! `src/README.md` is the map: what each module is for and what it must never know.
#![deny(unsafe_code)]

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
#[allow(unsafe_code, reason = "the one module that speaks the driver ABI")]
pub mod driver;
pub mod executor;
pub mod inbox;
pub mod plan;
pub mod recover;
pub mod report;
pub mod scheduler;
pub mod sheet;
pub mod store;
