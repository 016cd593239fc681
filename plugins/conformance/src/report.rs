//! What came of a run: a verdict for every rule, for people and for tests.

use std::fmt;
use std::time::Duration;

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule holds, as far as was seen.
    Passed,
    /// The rule is about something that is not there: what.
    Skipped(String),
    /// The rule is broken: what was seen.
    Failed(String),
}

/// What came of one rule.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case's name.
    pub name: &'static str,
    /// The rule.
    pub rule: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// How long that took.
    pub time: Duration,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The driver, for people.
    pub driver: String,
    /// What repeats the run's random choices.
    pub seed: u64,
    /// Every case, in order.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// The names of the cases that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.names(|verdict| matches!(verdict, Verdict::Failed(_)))
    }

    /// The names of the cases that were skipped.
    pub fn skipped(&self) -> Vec<&'static str> {
        self.names(|verdict| matches!(verdict, Verdict::Skipped(_)))
    }

    fn names(&self, wanted: impl Fn(&Verdict) -> bool) -> Vec<&'static str> {
        self.outcomes.iter().filter(|outcome| wanted(&outcome.verdict)).map(|outcome| outcome.name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (RUNSHEET_SEED={})", self.driver, self.seed)?;
        for Outcome { name, rule, verdict, time } in &self.outcomes {
            let time = time.as_millis();
            match verdict {
                Verdict::Passed => writeln!(f, "  passed   {time:>6} ms  {name:<26} {rule}")?,
                Verdict::Skipped(why) => writeln!(f, "  skipped             {name:<26} {why}")?,
                Verdict::Failed(seen) => {
                    writeln!(f, "  FAILED   {time:>6} ms  {name:<26} {rule}\n           but {seen}")?;
                }
            }
        }
        let (failed, skipped) = (self.failed().len(), self.skipped().len());
        let passed = self.outcomes.len() - failed - skipped;
        write!(f, "{passed} passed, {skipped} skipped, {failed} failed")
    }
}
