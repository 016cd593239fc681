//! Shows that a driver keeps the contract of the ABI: a suite that takes a driver's library and a [`Target`] to try it on, and gives a
//! [`Report`] of every rule. It knows no engine: what is particular to one, its words and a way to look at it without the driver, is
//! the target's.
//!
//! A case is skipped only for what the driver or its target says is not there: a fact, an extension, a server. One run at a time
//! in a process, and nothing else may print meanwhile, since the suite watches the process itself.

mod bench;
mod case;
mod cases;
mod raw;
mod report;
mod run;
mod surroundings;
mod symbols;
mod target;

pub use report::{Report, Verdict};
pub use run::{load, run};
pub use target::{Counted, Failing, Load, Misplaced, Notices, Outside, Sheet, Statements, Target};
