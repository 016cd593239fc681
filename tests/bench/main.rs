//! The benches: how long things take beside what nobody could do without. Each prints a table of medians; none is a test, and without a name
//! none is run.
//!
//!     cargo build --release --workspace && cargo test --release --test bench -- NAME… [--json] [--megabytes N] [--engine NAME]

#[path = "../site/mod.rs"]
mod site;

mod big;
mod engine;
mod intake;
mod process;
mod restart;
mod tiny;
mod turns;

use anyhow::{Context, Result};
use serde_json::Value;
use site::Engine;

/// The benches by name.
const NAMES: [&str; 6] = ["big", "engine", "intake", "many", "restart", "tiny"];

fn main() -> Result<()> {
    let mut names = Vec::new();
    let (mut json, mut megabytes, mut engine) = (false, big::MEGABYTES, String::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = true,
            "--megabytes" => megabytes = arguments.next().context("--megabytes needs a number")?.parse()?,
            "--engine" => engine = arguments.next().context("--engine needs a name")?,
            name if NAMES.contains(&name) => names.push(argument),
            // A word for the other tests: the runner gives the same to all.
            other => {
                println!("{other} is no bench; these are: {}", NAMES.join(", "));
                return Ok(());
            }
        }
    }
    let engines: Vec<_> = Engine::all().into_iter().filter(|(name, _)| name.contains(&engine)).collect();
    for name in names {
        let table = match name.as_str() {
            "big" => big::run(megabytes, &engines)?,
            "engine" => engine::run()?,
            "intake" => intake::run()?,
            "many" => tiny::run_many(&engines)?,
            "tiny" => tiny::run_tiny(&engines)?,
            _ => restart::run()?,
        };
        if json { println!("{}", table.json(&name)) } else { println!("{}", table.text(&name)) }
    }
    Ok(())
}

/// What a bench has measured.
struct Table {
    /// What is true of every row.
    head: String,
    rows: Vec<Row>,
}

/// One thing that was measured.
struct Row {
    what: String,
    number: f64,
    unit: &'static str,
}

impl Row {
    fn new(what: impl Into<String>, number: f64, unit: &'static str) -> Self {
        Self { what: what.into(), number, unit }
    }
}

impl Table {
    fn text(&self, name: &str) -> String {
        let rows = self.rows.iter().map(|row| format!("  {:<52} {:>9.2} {}", row.what, row.number, row.unit));
        let rows: Vec<String> = rows.collect();
        format!("{name}: {}\n{}", self.head, rows.join("\n"))
    }

    fn json(&self, name: &str) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| serde_json::json!({ "what": row.what, "value": row.number, "unit": row.unit }))
            .collect();
        serde_json::json!({ "bench": name, "head": self.head, "rows": rows })
    }
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
