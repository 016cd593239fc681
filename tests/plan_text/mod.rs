//! Plans as texts, and their faults as lines, for the tests that read plans.
#![allow(dead_code, reason = "every test file uses another part of it")]

use runsheet::plan::{Faults, Place, Plan, parse};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Reads a plan for a daemon with the instances `oracle` and `pg-prod`.
pub fn read(text: &str) -> Result<Plan, Faults> {
    let instances: BTreeSet<String> = ["pg-prod", "oracle"].iter().map(|name| (*name).to_owned()).collect();
    let name = "projects/shop/plans/x".parse().expect("a plan's name");
    parse(text, &Place { name: Some(name), instances: Some(&instances) })
}

/// The faults as lines: place, sentence, and what to do behind an arrow.
pub fn lines(faults: &Faults) -> Vec<String> {
    let line = |fault: &runsheet::plan::Fault| {
        let mut text = format!("{}:{} {}", fault.line, fault.column, fault.message);
        if let Some(help) = &fault.help {
            write!(text, " -> {help}").expect("into a text");
        }
        text
    };
    faults.iter().map(line).collect()
}

pub fn faults(text: &str) -> Vec<String> {
    lines(&read(text).expect_err("the plan has faults"))
}

/// A plan of one step with these specs.
pub fn step(specs: &str) -> String {
    format!("{{\"steps\": [{{\"specs\": [\n{specs}\n]}}]}}")
}

/// A sound spec with further fields of its own and of its change.
pub fn spec(id: &str, more: &str, change: &str) -> String {
    format!(
        r#"{{"id": "{id}", {more} "changeDatabaseConfig": {{"target": "instances/oracle/databases/db1", "sheet": "projects/shop/sheets/7", {change}"type": "MIGRATE"}}}}"#
    )
}

/// A spec whose target is this value.
pub fn spec_with_target(target: &str) -> String {
    format!(
        r#"{{"id": "a", "changeDatabaseConfig": {{"target": {target}, "sheet": "projects/shop/sheets/7", "type": "DATA"}}}}"#
    )
}
