//! What is seen of a statement that commits by itself before it is sent, and what is said of it afterwards.

use crate::abi;
use std::fmt;

c_enum! {
    /// How it is found out whether a statement took effect whose answer never came.
    Settled: u32, unknown = Nobody {
        /// It cannot be.
        Nobody = abi::RSD_SETTLED_BY_NOBODY, "nobody";
        /// It need not be: it may be run again.
        Repeat = abi::RSD_SETTLED_BY_REPEAT, "repeat";
        /// By what it changes.
        Observation = abi::RSD_SETTLED_BY_OBSERVATION, "observation";
        /// By the server's own mark.
        Mark = abi::RSD_SETTLED_BY_MARK, "mark";
    }
}

c_enum! {
    /// What became of a statement.
    Ruling: u32, unknown = Unknown {
        /// It cannot be known.
        Unknown = abi::RSD_RULING_UNKNOWN, "unknown";
        /// It took effect.
        Applied = abi::RSD_RULING_APPLIED, "applied";
        /// It had no effect.
        NotApplied = abi::RSD_RULING_NOT_APPLIED, "not applied";
        /// It had half an effect, which can be put right.
        Repair = abi::RSD_RULING_REPAIR, "repair";
    }
}

/// What a statement is about to change.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Observation {
    /// How its outcome would be found out.
    pub settled: Settled,
    /// The driver's own words, handed back to it.
    pub text: String,
    /// What was seen, for people.
    pub summary: String,
}

/// The judgement on a statement whose answer never came.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Verdict {
    /// What became of it.
    pub ruling: Ruling,
    /// Why: the fact that decides, or what is missing.
    pub reason: String,
    /// What is seen now, for people.
    pub summary: String,
    /// The statement that puts half an effect right; empty but for [`Ruling::Repair`].
    pub repair: String,
}

impl Verdict {
    /// A verdict without a repair.
    pub fn new(ruling: Ruling, reason: impl Into<String>) -> Self {
        Self { ruling, reason: reason.into(), ..Self::default() }
    }

    /// Half an effect, and what puts it right.
    pub fn repair(reason: impl Into<String>, repair: impl Into<String>) -> Self {
        Self { repair: repair.into(), ..Self::new(Ruling::Repair, reason) }
    }

    /// The same verdict with what is seen now.
    pub fn seen(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }
}
