//! How sheets are cut: against tables of what is wanted, against the engine and its shell, and against rules that hold for every text.

#[path = "../../../../tests/split/contract.rs"]
mod contract;
#[path = "../../../../tests/split/cut.rs"]
mod cut;
mod engine;
mod grammar;
#[path = "../../../../tests/split/random.rs"]
mod random;
mod rules;
mod shell;
mod table;
