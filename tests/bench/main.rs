//! The benches: how long things take beside what nobody could do without. Each prints a table of medians; none is a test, and without a name
//! none is run.
//!
//!     cargo build --release --workspace && cargo test --release --test bench -- NAME… [--json]

#[path = "../site/mod.rs"]
mod site;

mod restart;

use anyhow::Result;
use serde_json::Value;

fn main() -> Result<()> {
    let mut names = Vec::new();
    let mut json = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => json = true,
            "restart" => names.push(argument),
            // A word for the other tests: the runner gives the same to all.
            other => {
                println!("{other} is no bench; `restart` is");
                return Ok(());
            }
        }
    }
    for (name, run) in [("restart", restart::run as fn() -> Result<Table>)] {
        if names.iter().any(|wanted| wanted == name) {
            let table = run()?;
            if json { println!("{}", table.json(name)) } else { println!("{}", table.text(name)) }
        }
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
    what: &'static str,
    /// As people read it.
    value: String,
    /// As scripts do.
    number: f64,
    unit: &'static str,
}

impl Table {
    fn text(&self, name: &str) -> String {
        let rows: Vec<String> =
            self.rows.iter().map(|row| format!("  {:<46} {:>12}", row.what, row.value)).collect();
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
