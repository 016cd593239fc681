//! What the database says after a kill and the starts behind it.

use super::job::Job;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::fmt;

/// How many words of a tool are kept.
const WORDS_MAX: usize = 300;

/// What grows with each time that a statement takes effect, besides the rows of the trace.
const COUNTS: &str = "FROM counter";

/// How it came out, for the table: each kill is one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The tool says done, and everything took effect exactly once.
    Exact,
    /// The tool does not come to its end until a person has repaired something; nothing took effect twice.
    Stuck,
    /// A row of the trace or a counter shows that something took effect twice, whether the tool says done or not.
    Doubled,
    /// The tool says done, and something is missing or not as it should be.
    Lost,
}

/// An outcome with its reasons.
pub struct Verdict {
    pub outcome: Outcome,
    /// The tool does not come to its end.
    pub stuck: bool,
    /// What was seen in the database that should not be.
    pub seen: Vec<String>,
    /// The tool's own last words, where it is stuck.
    pub words: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:?}", self.outcome)?;
        for seen in &self.seen {
            write!(to, "; {seen}")?;
        }
        if self.stuck { write!(to, "; stuck: {}", self.words) } else { Ok(()) }
    }
}

/// Asks the database of a job.
pub fn judge(job: &Job, done: bool, words: String) -> Result<Verdict> {
    let mut doubled = Vec::new();
    let mut missing = Vec::new();
    for target in &job.scenario.targets {
        // Where the first migration never came, there is no trace.
        let rows = job.query("SELECT id FROM trace ORDER BY seq").unwrap_or_default();
        let found: Vec<u64> = rows.iter().filter_map(|row| row.first()?.parse().ok()).collect();
        let (have, want) = (counts(&found), counts(&target.trace));
        for (id, count) in &have {
            let wanted = want.get(id).copied().unwrap_or_default();
            if *count > wanted {
                doubled.push(format!("row {id} of the trace is there {count} times, not {wanted}"));
            }
        }
        if found != target.trace {
            missing.push(format!("the trace is {found:?}, not {:?}", target.trace));
        }
        for check in &target.checks {
            // An object that is not there may be an error of the query.
            let rows = job.query(&check.query).unwrap_or_default();
            let cell = rows.first().and_then(|row| row.first()).cloned().unwrap_or_default();
            if cell == check.wanted {
                continue;
            }
            let seen = format!("{} gives {cell:?}, not {:?}", check.query, check.wanted);
            // Of other objects nobody can tell whether there is too much of one or too little of another.
            match (cell.parse::<u64>(), check.wanted.parse::<u64>()) {
                (Ok(cell), Ok(wanted)) if check.query.contains(COUNTS) && cell > wanted => doubled.push(seen),
                _ => missing.push(seen),
            }
        }
    }
    let outcome = match (done, doubled.is_empty(), missing.is_empty()) {
        (_, false, _) => Outcome::Doubled,
        (false, true, _) => Outcome::Stuck,
        (true, true, false) => Outcome::Lost,
        (true, true, true) => Outcome::Exact,
    };
    let seen = match outcome {
        Outcome::Doubled => doubled,
        Outcome::Lost => missing,
        // Of what is stuck in its middle, much is not there yet.
        Outcome::Stuck | Outcome::Exact => Vec::new(),
    };
    let words = if done { String::new() } else { last(&words) };
    Ok(Verdict { outcome, stuck: !done, seen, words })
}

/// Shows, on a database that holds exactly what it should, that the judge has eyes: a row too many is doubled, and rows too few are lost.
pub fn prove(job: &Job) -> Result<()> {
    let rows = job.scenario.targets.iter().flat_map(|target| &target.trace);
    let row = rows.copied().next();
    job.query(&format!("INSERT INTO trace (id) VALUES ({})", row.unwrap_or_default()))?;
    let doubled = judge(job, true, String::new())?;
    ensure!(doubled.outcome == Outcome::Doubled, "a row that is there twice was judged {doubled}");
    if row.is_some() {
        job.query("DELETE FROM trace")?;
        let lost = judge(job, true, String::new())?;
        ensure!(lost.outcome == Outcome::Lost, "a trace that is not there was judged {lost}");
    }
    Ok(())
}

fn counts(ids: &[u64]) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for id in ids {
        *counts.entry(*id).or_default() += 1;
    }
    counts
}

/// The end of a text, in one line.
fn last(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let skipped = line.chars().count().saturating_sub(WORDS_MAX);
    line.chars().skip(skipped).collect()
}
