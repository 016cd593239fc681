//! How sheets are cut: against tables of what is wanted, against psql itself, and against rules that hold for every text.

#[path = "../../../../tests/split/contract.rs"]
mod contract;
#[path = "../../../../tests/split/cut.rs"]
mod cut;
mod grammar;
mod psql;
#[path = "../../../../tests/split/random.rs"]
mod random;
mod recorder;
mod rules;
mod table;
mod transactions;
