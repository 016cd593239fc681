//! How sheets are cut: against tables of what is wanted, against the client itself, and against rules that hold for every text.

mod client;
#[path = "../../../../tests/split/contract.rs"]
mod contract;
#[path = "../../../../tests/split/cut.rs"]
mod cut;
mod grammar;
#[path = "../../../../tests/split/random.rs"]
mod random;
mod recorder;
mod rules;
mod table;
mod transactions;
