//! Where a task stands, from what is known of it: pure. Only the target's ledger says that something is in. What nobody can know
//! becomes a question to a person, never a guess.

use super::outline::Segment;
use crate::store::{IntentKind, TaskStatus};
use runsheet_sdk::{Error, Mark, Observed, Ruling, Settled, Verdict};

/// What a target says of a task.
#[derive(Clone, Debug)]
pub(super) enum Evidence {
    /// It has a ledger.
    Ledger {
        /// The marks of the task.
        marks: Vec<Mark>,
        /// What is behind the last mark.
        next: Next,
    },
    /// It has no ledger; these are the segments of the sheet.
    NoLedger(Vec<Segment>),
    /// It could not be asked, for this reason; these segments might be in without a mark, where that can be told.
    Unasked(String, Option<Vec<Segment>>),
}

/// What is behind the last mark of a task.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// Nothing.
    Nothing,
    /// A segment that is run without a doubt, and why that is so.
    Clear(&'static str),
    /// A segment that may be in without its mark, and why.
    Open(Box<Segment>, String),
    /// The sheet could not be read or cut.
    Unknown(String),
}

/// Whether the bytes of a task's sheet are known.
#[derive(Clone, Copy, Debug)]
pub(super) enum SheetKnown {
    Yes,
    /// They are not; and whether they may have been here once.
    No {
        may_have_come: bool,
    },
}

/// All that is known of a task.
pub(super) struct Facts<'a> {
    pub evidence: &'a Evidence,
    pub sheet: SheetKnown,
    /// Where the damaged state says that it stood. Only an operator's word in it counts, and only so that less is run.
    pub before: Option<TaskStatus>,
}

/// Where a task stands.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub status: TaskStatus,
    /// How many statements are in.
    pub done: u64,
    /// The segments that are recorded as open, with what each is of.
    pub open: Vec<(Segment, IntentKind)>,
    pub why: String,
}

impl Fate {
    fn new(status: TaskStatus, done: u64, why: impl Into<String>) -> Self {
        Self { status, done, open: Vec::new(), why: why.into() }
    }

    pub fn in_doubt(open: Vec<(Segment, IntentKind)>, why: impl Into<String>) -> Self {
        Self { status: TaskStatus::InDoubt, done: 0, open, why: why.into() }
    }
}

pub(super) fn fate(facts: &Facts<'_>) -> Fate {
    let known = by_evidence(facts);
    let words = "the damaged state says so, and running less does no harm";
    match (known.status, facts.before) {
        // A task that an operator has taken for not needed is not run, whatever is known of it.
        (TaskStatus::InDoubt | TaskStatus::NotStarted, Some(TaskStatus::Skipped)) => {
            Fate::new(TaskStatus::Skipped, known.done, words)
        }
        (TaskStatus::NotStarted, Some(before @ (TaskStatus::Canceled | TaskStatus::Failed))) => {
            Fate { status: before, why: format!("{words}; {}", known.why), ..known }
        }
        _ => known,
    }
}

fn by_evidence(facts: &Facts<'_>) -> Fate {
    match facts.evidence {
        Evidence::Ledger { marks, next } => by_ledger(marks, next, facts.sheet),
        Evidence::NoLedger(segments) => without_ledger(segments, facts.sheet),
        Evidence::Unasked(why, segments) => unasked(why, segments.as_deref(), facts.sheet),
    }
}

fn unasked(why: &str, segments: Option<&[Segment]>, sheet: SheetKnown) -> Fate {
    let why = format!("not asked ({why})");
    let open = match (sheet, segments) {
        (SheetKnown::No { may_have_come: true }, _) => return Fate::in_doubt(Vec::new(), sheet_lost()),
        (SheetKnown::No { may_have_come: false }, _) => Vec::new(),
        (SheetKnown::Yes, Some(segments)) => {
            segments.iter().map(|segment| (segment.clone(), segment.kind())).collect()
        }
        (SheetKnown::Yes, None) => {
            let why = format!("{why}, and what its sheet would run cannot be told");
            return Fate::in_doubt(Vec::new(), why);
        }
    };
    let why = format!("{why}; the daemon asks before it runs anything");
    Fate { open, ..Fate::new(TaskStatus::NotStarted, 0, why) }
}

fn by_ledger(marks: &[Mark], next: &Next, sheet: SheetKnown) -> Fate {
    if let Some(mark) = marks.iter().find(|mark| mark.complete) {
        let why = format!("the ledger has all of it since {} (host {})", mark.applied_time, mark.host);
        return Fate::new(TaskStatus::Done, mark.last_statement, why);
    }
    let done = marks.iter().map(|mark| mark.last_statement).max().unwrap_or(0);
    let has = match done {
        0 => "the ledger has nothing of it".to_owned(),
        1 => "the ledger has statement 1".to_owned(),
        done => format!("the ledger has statements 1 to {done}"),
    };
    let lost = match sheet {
        SheetKnown::Yes => false,
        SheetKnown::No { may_have_come } => may_have_come || done > 0,
    };
    let doubt = |open, why: String| Fate { done, ..Fate::in_doubt(open, format!("{has}; {why}")) };
    match next {
        _ if lost => doubt(Vec::new(), sheet_lost()),
        Next::Nothing => Fate::new(TaskStatus::NotStarted, done, has),
        Next::Clear(why) => Fate::new(TaskStatus::NotStarted, done, format!("{has}; {why}")),
        Next::Open(segment, why) => doubt(vec![((**segment).clone(), segment.kind())], why.clone()),
        Next::Unknown(_) if matches!(sheet, SheetKnown::No { .. }) => {
            Fate::new(TaskStatus::NotStarted, done, format!("{has}; its sheet has not come"))
        }
        Next::Unknown(why) => doubt(Vec::new(), format!("what comes next cannot be told: {why}")),
    }
}

fn without_ledger(segments: &[Segment], sheet: SheetKnown) -> Fate {
    match sheet {
        SheetKnown::No { may_have_come: true } => Fate::in_doubt(Vec::new(), sheet_lost()),
        SheetKnown::No { may_have_come: false } => {
            Fate::new(TaskStatus::NotStarted, 0, "its sheet has not come")
        }
        SheetKnown::Yes => {
            let open = segments.iter().map(|segment| {
                let kind = if segment.is_alone { segment.kind() } else { IntentKind::Commit };
                (segment.clone(), kind)
            });
            let why = "the target has no ledger, so nothing outside the damaged state tells what is in";
            Fate::in_doubt(open.collect(), why)
        }
    }
}

fn sheet_lost() -> String {
    "its sheet may have come, and cannot be found under its name".to_owned()
}

/// What the driver says of a statement that commits by itself, of which nothing from before it was sent is known any more, and whose
/// mark is not in the ledger. The error is why it may be in.
pub(super) fn of_observed(
    observed: &Result<Observed, Error>,
    judged: &Result<Verdict, Error>,
    repeatable: bool,
) -> Result<&'static str, String> {
    let repeat = match observed {
        Ok(Observed::Applied(_)) => return Ok("the server's own mark has the next"),
        Ok(Observed::Before(seen)) => {
            seen.settled == Settled::Repeat || (seen.settled == Settled::Nobody && repeatable)
        }
        Err(error) => return Err(format!("what it is about to change could not be looked at: {error}")),
    };
    match judged {
        _ if repeat => Ok("running the next again does no harm"),
        Ok(Verdict { ruling: Ruling::Applied, .. }) => Ok("the server's own mark has the next"),
        Ok(Verdict { ruling: Ruling::NotApplied, .. }) => {
            Ok("the server's own mark tells that the next is not in")
        }
        Ok(Verdict { ruling: Ruling::Unknown | Ruling::Repair, .. }) | Err(_) => {
            Err("the next statement commits by itself, and what was seen before it is lost with the state"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(number: u32, is_alone: bool) -> Segment {
        Segment { number, is_alone, ..Segment::default() }
    }

    fn mark(segment: u32, complete: bool) -> Mark {
        Mark { segment, last_statement: u64::from(segment) * 2, complete, ..Mark::default() }
    }

    fn judged(evidence: &Evidence, before: Option<TaskStatus>) -> Fate {
        fate(&Facts { evidence, sheet: SheetKnown::Yes, before })
    }

    #[test]
    fn the_ledger_says_what_is_in_whatever_the_damaged_state_says() {
        let whole = Evidence::Ledger { marks: vec![mark(1, false), mark(2, true)], next: Next::Nothing };
        for before in
            [None, Some(TaskStatus::NotStarted), Some(TaskStatus::Failed), Some(TaskStatus::Skipped)]
        {
            assert_eq!(judged(&whole, before).status, TaskStatus::Done, "{before:?}");
        }
        let half = Evidence::Ledger { marks: vec![mark(1, false)], next: Next::Clear("") };
        let fate = judged(&half, Some(TaskStatus::Done));
        assert_eq!((fate.status, fate.done), (TaskStatus::NotStarted, 2));
    }

    #[test]
    fn what_may_be_in_without_a_mark_is_in_doubt_and_asked_for() {
        let next = Next::Open(Box::new(segment(2, true)), "it commits by itself".to_owned());
        let open = Evidence::Ledger { marks: vec![mark(1, false)], next };
        let fate = judged(&open, Some(TaskStatus::NotStarted));
        assert_eq!((fate.status, fate.open.len()), (TaskStatus::InDoubt, 1));
        // An operator's CANCELED can have been taken back since; SKIPPED cannot.
        assert_eq!(judged(&open, Some(TaskStatus::Canceled)).status, TaskStatus::InDoubt);
        assert_eq!(judged(&open, Some(TaskStatus::Skipped)).status, TaskStatus::Skipped);
    }

    #[test]
    fn without_a_ledger_every_segment_is_asked_for() {
        let fate =
            judged(&Evidence::NoLedger(vec![segment(1, false), segment(2, true)]), Some(TaskStatus::Done));
        assert_eq!(fate.status, TaskStatus::InDoubt);
        let kinds: Vec<IntentKind> = fate.open.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds, [IntentKind::Commit, IntentKind::Statement]);
    }

    #[test]
    fn a_target_that_was_not_asked_is_asked_by_the_daemon() {
        let fate = judged(&Evidence::Unasked("gone".to_owned(), Some(vec![segment(1, true)])), None);
        assert_eq!((fate.status, fate.open.len()), (TaskStatus::NotStarted, 1));
        let fate = judged(&Evidence::Unasked("no driver".to_owned(), None), None);
        assert_eq!(fate.status, TaskStatus::InDoubt);
    }

    #[test]
    fn a_sheet_that_cannot_be_found_is_a_doubt_only_where_it_may_have_come() {
        let none = Evidence::Ledger { marks: Vec::new(), next: Next::Unknown("no sheet".to_owned()) };
        let of = |may_have_come| {
            let sheet = SheetKnown::No { may_have_come };
            super::fate(&Facts { evidence: &none, sheet, before: None }).status
        };
        assert_eq!((of(false), of(true)), (TaskStatus::NotStarted, TaskStatus::InDoubt));
    }
}
