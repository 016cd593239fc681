//! What the matrix has found.

use super::Options;
use super::fault::{Fault, Kind};
use super::trial::Outcome;
use std::collections::BTreeMap;
use std::fmt;

/// What was found on one engine, or on all.
#[derive(Default)]
pub struct Tally {
    name: String,
    trials: u64,
    statements: u64,
    /// Faults that came, by their kind.
    kinds: BTreeMap<Kind, u64>,
    /// Kinds of faults that have not come.
    pub never: Vec<Kind>,
    /// Faults that hit a daemon that was going on after another one.
    in_recovery: u64,
    /// Statements that a person was asked about, as the driver's table says, by what they are.
    asked: BTreeMap<&'static str, u64>,
    unjustified: Vec<String>,
    wrong: Vec<String>,
    /// Plans of which nothing can be said.
    given_up: u64,
    /// Plans that waited until the server missed a client.
    waited: u64,
}

impl Tally {
    pub fn new(name: &str, kinds: &[Kind]) -> Self {
        Self { name: name.to_owned(), never: kinds.to_vec(), ..Self::default() }
    }

    /// How many faults have come.
    pub fn came(&self) -> u64 {
        self.kinds.values().sum()
    }

    /// Whether anything was wrong.
    pub fn has_wrong(&self) -> bool {
        !self.wrong.is_empty() || !self.unjustified.is_empty()
    }

    /// Counts a trial. What is wrong is printed at once: a long run may be ended before its report.
    pub fn count(&mut self, number: u64, faults: &[Fault], outcome: Outcome, seed: u64) {
        self.trials += 1;
        self.statements += outcome.statements;
        self.in_recovery += outcome.in_recovery;
        for kind in outcome.came {
            self.never.retain(|never| *never != kind);
            *self.kinds.entry(kind).or_default() += 1;
        }
        for kind in outcome.asked {
            *self.asked.entry(kind).or_default() += 1;
        }
        let again = format!("--engine {} --seed {seed} --trial {number}", self.name);
        for (what, of) in [("WRONG", &outcome.wrong), ("NOT TO BE ASKED", &outcome.unjustified)] {
            if !of.is_empty() {
                println!("{what} ({again}), {faults:?}:\n  {}", of.join("\n  "));
            }
        }
        self.waited += u64::from(outcome.waited);
        if let Some(why) = outcome.given_up {
            println!("GIVEN UP ({again}), {faults:?}: the server itself broke:\n{why}");
            self.given_up += 1;
        }
        if !outcome.wrong.is_empty() {
            self.wrong.push(again.clone());
        }
        if !outcome.unjustified.is_empty() {
            self.unjustified.push(again);
        }
    }

    /// Adds what was found on another engine.
    pub fn add(&mut self, other: Self) {
        self.trials += other.trials;
        self.statements += other.statements;
        self.in_recovery += other.in_recovery;
        self.given_up += other.given_up;
        self.waited += other.waited;
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        for (kind, count) in other.asked {
            *self.asked.entry(kind).or_default() += count;
        }
        self.never.extend(other.never);
        self.unjustified.extend(other.unjustified);
        self.wrong.extend(other.wrong);
    }

    /// All in one line.
    pub fn line(&self) -> String {
        let asked: u64 = self.asked.values().sum();
        format!(
            "{} faults ({} in a recovery) in {} plans of {} statements: {} wrong, {} needlessly in doubt, {} in doubt as the tables say",
            self.came(),
            self.in_recovery,
            self.trials,
            self.statements,
            self.wrong.len(),
            self.unjustified.len(),
            asked
        )
    }

    /// Whether nothing was lost, doubled or out of order, nobody was asked needlessly, and, where the run was long enough for it, every kind of
    /// fault has come.
    pub fn is_good(&self, options: &Options) -> bool {
        let all_came = options.trial.is_some() || options.time.is_some() || self.never.is_empty();
        !self.has_wrong() && all_came
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.line())?;
        let points = self.kinds.iter().filter(|(kind, _)| matches!(kind, Kind::KillAtPoint(..)));
        let (count, sum) = points.fold((0, 0), |(count, sum), (_, came)| (count + 1, sum + came));
        for (kind, came) in self.kinds.iter().filter(|(kind, _)| !matches!(kind, Kind::KillAtPoint(..))) {
            write!(f, "\n  {came:>6}  {kind}")?;
        }
        write!(f, "\n  {sum:>6}  daemon killed before or after a call of the driver, at {count} points")?;
        for (kind, count) in &self.asked {
            write!(f, "\n  {count:>6}  in doubt: {kind}")?;
        }
        if self.given_up > 0 {
            write!(f, "\n  {:>6}  plans given up, because the server itself broke", self.given_up)?;
        }
        if self.waited > 0 {
            write!(f, "\n  {:>6}  plans waited until the server missed a client that was gone", self.waited)?;
        }
        for kind in &self.never {
            write!(f, "\n   never  {kind}")?;
        }
        for again in &self.wrong {
            write!(f, "\n   WRONG  {again}")?;
        }
        for again in &self.unjustified {
            write!(f, "\n   NOT TO BE ASKED  {again}")?;
        }
        Ok(())
    }
}
