//! What the kills showed: a table for people and for the README, and JSON for scripts.

use super::migrations::Layout;
use super::outcome::{Outcome, Verdict};
use anyhow::Result;
use serde_json::json;

/// One tool on one engine.
pub struct Row {
    tool: &'static str,
    verdicts: Vec<Verdict>,
}

/// Sheets that count for nobody.
#[derive(Debug)]
pub struct Left {
    pub scenario: u64,
    /// Who could not bring them in undisturbed.
    pub tool: String,
    pub why: String,
}

/// One engine.
pub struct Engine {
    name: String,
    version: String,
    pub scenarios: u64,
    pub left_out: Vec<Left>,
    pub rows: Vec<Row>,
}

/// All of it.
pub struct Report {
    pub date: String,
    pub seed: u64,
    /// Of each tool on each engine.
    pub kills: u64,
    pub layout: Layout,
    /// Each tool, and what it says it is.
    pub versions: Vec<(String, String)>,
    pub engines: Vec<Engine>,
}

/// The day, for the table.
pub fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

impl Row {
    pub fn kills(&self) -> u64 {
        self.verdicts.len() as u64
    }

    pub fn count(&mut self, verdict: Verdict) {
        self.verdicts.push(verdict);
    }

    fn of(&self, outcome: Outcome) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.outcome == outcome).count()
    }

    /// Its outcomes in words, without those that never came.
    fn cell(&self) -> String {
        let words = [
            (Outcome::Exact, "exact"),
            (Outcome::Stuck, "stuck"),
            (Outcome::Doubled, "doubled"),
            (Outcome::Lost, "lost"),
        ];
        let cells: Vec<String> = words
            .iter()
            .filter(|(outcome, _)| self.of(*outcome) > 0)
            .map(|(outcome, word)| format!("{} {word}", self.of(*outcome)))
            .collect();
        cells.join(", ")
    }

    /// Where it stands, in a line.
    pub fn line(&self) -> String {
        format!("{} after {} kills: {}", self.tool, self.kills(), self.cell())
    }
}

impl Engine {
    pub fn new(name: &str, version: String, tools: impl Iterator<Item = &'static str>) -> Self {
        let rows = tools.map(|tool| Row { tool, verdicts: Vec::new() }).collect();
        Self { name: name.to_owned(), version, scenarios: 0, left_out: Vec::new(), rows }
    }

    /// Its name and the numbers of its version.
    fn label(&self) -> String {
        let numbers = self.version.split(|character: char| !character.is_ascii_digit() && character != '.');
        format!("{} {}", self.name, numbers.into_iter().next().unwrap_or_default()).trim().to_owned()
    }
}

impl Report {
    pub fn print(&self) -> Result<()> {
        let layout = match self.layout {
            Layout::Sheets => "a migration for each sheet",
            Layout::Statements => "a migration for each statement",
        };
        println!("peers, {}, seed {}, {layout}", self.date, self.seed);
        for (_, version) in &self.versions {
            println!("  {version}");
        }
        for engine in &self.engines {
            println!("  {}: {} scenarios", engine.label(), engine.scenarios);
            for left in &engine.left_out {
                println!("    left out, scenario {}: {}: {}", left.scenario, left.tool, left.why);
            }
        }
        println!("\n{}", self.table());
        Ok(())
    }

    /// As Markdown.
    fn table(&self) -> String {
        let cells = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut heads = vec![format!("of {} kills on each engine", self.kills)];
        heads.extend(self.engines.iter().map(Engine::label));
        let mut table = cells(heads) + &cells(vec!["---".to_owned(); self.engines.len() + 1]);
        for (place, (_, version)) in self.versions.iter().enumerate() {
            // The tool's own, without what it reaches the databases with.
            let mut row = vec![version.split(',').next().unwrap_or_default().to_owned()];
            row.extend(self.engines.iter().filter_map(|engine| engine.rows.get(place)).map(Row::cell));
            table += &cells(row);
        }
        table
    }

    pub fn print_json(&self) -> Result<()> {
        let engines: Vec<_> = self.engines.iter().map(Engine::json).collect();
        let tools: serde_json::Map<_, _> =
            self.versions.iter().map(|(tool, version)| (tool.clone(), json!(version))).collect();
        let report = json!({ "date": self.date, "seed": self.seed, "kills": self.kills, "eachStatement": self.layout == Layout::Statements,
            "tools": tools, "engines": engines });
        println!("{}", serde_json::to_string_pretty(&report)?);
        Ok(())
    }
}

impl Engine {
    fn json(&self) -> serde_json::Value {
        let left_out: Vec<_> = self
            .left_out
            .iter()
            .map(|left| json!({ "scenario": left.scenario, "tool": left.tool, "why": left.why }))
            .collect();
        let rows: Vec<_> = self.rows.iter().map(Row::json).collect();
        json!({ "engine": self.name, "version": self.version, "scenarios": self.scenarios, "leftOut": left_out, "tools": rows })
    }
}

impl Row {
    fn json(&self) -> serde_json::Value {
        let both = |verdict: &&Verdict| verdict.outcome == Outcome::Doubled && verdict.stuck;
        let why: Vec<_> = self
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome != Outcome::Exact)
            .map(ToString::to_string)
            .collect();
        json!({ "tool": self.tool, "kills": self.kills(), "exact": self.of(Outcome::Exact), "stuck": self.of(Outcome::Stuck),
            "doubled": self.of(Outcome::Doubled), "doubledAndStuck": self.verdicts.iter().filter(both).count(),
            "lost": self.of(Outcome::Lost), "why": why })
    }
}
