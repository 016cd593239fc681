//! Which statements make one segment: a pure state machine over the kinds and flags of a sheet's statements. The same
//! sheet gives the same segments every time, which is what makes a resume possible.

use super::head::TxnMode;
use runsheet_sdk::{Facts, Flags, Kind};

/// Where a statement stands among the segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In a transaction that Runsheet opens: before it where `opens`, ended after it where `closes`.
    Inside {
        /// The segment, from 1.
        segment: u32,
        /// Whether the segment begins with it.
        opens: bool,
        /// Whether the segment is to be committed right after it.
        closes: bool,
    },
    /// The sheet's own BEGIN: opens the segment by its own text.
    OwnBegin {
        /// The segment.
        segment: u32,
    },
    /// The sheet's own COMMIT: commits the segment. Where none is open it does nothing.
    OwnCommit {
        /// The segment, if one is open.
        segment: Option<u32>,
    },
    /// The sheet's own ROLLBACK: ends the segment without effect.
    OwnRollback {
        /// The segment.
        segment: u32,
    },
    /// A segment of one statement that commits by itself.
    Alone {
        /// The segment.
        segment: u32,
    },
    /// A segment of one statement that runs in a transaction but may end it by itself.
    Guarded {
        /// The segment.
        segment: u32,
    },
    /// Outside segments: it only changes the session, and is said again to every new session.
    Session,
}

impl Placement {
    /// The segment that the statement belongs to, if any.
    pub fn segment(self) -> Option<u32> {
        match self {
            Self::Inside { segment, .. }
            | Self::OwnBegin { segment }
            | Self::OwnRollback { segment }
            | Self::Alone { segment }
            | Self::Guarded { segment } => Some(segment),
            Self::OwnCommit { segment } => segment,
            Self::Session => None,
        }
    }

    /// Whether its segment begins with it.
    pub fn begins_a_segment(self) -> bool {
        match self {
            Self::Inside { opens, .. } => opens,
            Self::OwnBegin { .. } | Self::Alone { .. } | Self::Guarded { .. } => true,
            Self::OwnCommit { .. } | Self::OwnRollback { .. } | Self::Session => false,
        }
    }

    /// Whether an open segment must be committed before this statement.
    pub fn ends_what_is_open(self) -> bool {
        match self {
            Self::Alone { .. } | Self::Guarded { .. } | Self::OwnBegin { .. } | Self::Session => true,
            Self::Inside { opens, .. } => opens,
            Self::OwnCommit { .. } | Self::OwnRollback { .. } => false,
        }
    }
}

/// What is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    /// A transaction of Runsheet's.
    Ours(u32),
    /// The sheet's own, begun at this line.
    Own(u32, u64),
}

/// Puts statements into segments.
#[derive(Clone, Debug)]
pub struct Segmenter {
    mode: TxnMode,
    facts: Facts,
    open: Open,
    count: u32,
}

impl Segmenter {
    /// For a sheet with this mode, on an engine with these facts.
    pub fn new(mode: TxnMode, facts: Facts) -> Self {
        Self { mode, facts, open: Open::Nothing, count: 0 }
    }

    /// How many segments there are so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Places the next statement, which begins at `line`. Rows of a load are not placed: they follow their load.
    ///
    /// # Errors
    /// A sentence where the sheet's own transactions do not fit together.
    pub fn place(&mut self, kind: Kind, flags: Flags, line: u64) -> Result<Placement, String> {
        match kind {
            Kind::Begin => self.begin(line),
            Kind::Commit => Ok(self.commit()),
            Kind::Rollback => self.rollback(line),
            Kind::Other
            | Kind::Ddl
            | Kind::Dml
            | Kind::Query
            | Kind::Savepoint
            | Kind::Session
            | Kind::Maintenance
            | Kind::Call
            | Kind::Load
            | Kind::Rows => Ok(self.ordinary(kind, flags)),
        }
    }

    /// Whether the sheet may end here.
    ///
    /// # Errors
    /// A sentence where it ends inside a transaction of its own.
    pub fn end(&self) -> Result<(), String> {
        match self.open {
            Open::Own(_, line) => Err(format!(
                "the sheet begins a transaction at line {line} and never ends it; nothing of it would take effect. Add a COMMIT, or take the BEGIN out: Runsheet opens transactions by itself"
            )),
            Open::Nothing | Open::Ours(_) => Ok(()),
        }
    }

    fn next(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    fn begin(&mut self, line: u64) -> Result<Placement, String> {
        if let Open::Own(_, begun) = self.open {
            return Err(format!(
                "the sheet begins a transaction here, inside the one that it began at line {begun}; end that one first"
            ));
        }
        let segment = self.next();
        self.open = Open::Own(segment, line);
        Ok(Placement::OwnBegin { segment })
    }

    fn commit(&mut self) -> Placement {
        let segment = match self.open {
            Open::Own(segment, _) | Open::Ours(segment) => Some(segment),
            Open::Nothing => None,
        };
        self.open = Open::Nothing;
        Placement::OwnCommit { segment }
    }

    fn rollback(&mut self, line: u64) -> Result<Placement, String> {
        match self.open {
            Open::Own(segment, _) => {
                self.open = Open::Nothing;
                Ok(Placement::OwnRollback { segment })
            }
            Open::Nothing | Open::Ours(_) => Err(format!(
                "the ROLLBACK at line {line} has no BEGIN before it; what it should undo is not said. Begin the transaction in the sheet, or take the ROLLBACK out"
            )),
        }
    }

    fn ordinary(&mut self, kind: Kind, flags: Flags) -> Placement {
        let own = matches!(self.open, Open::Own(..));
        let commits = flags.has(Flags::COMMITS);
        // In the sheet's own transaction the engine itself refuses what cannot be in one, as in its own client.
        let alone = commits || (flags.has(Flags::ALONE) && !own);
        if alone {
            self.open = Open::Nothing;
            // A setting has no effect of its own to be recorded.
            if flags.has(Flags::SESSION) && !commits {
                return Placement::Session;
            }
            return Placement::Alone { segment: self.next() };
        }
        if own {
            return self.inside();
        }
        if self.mode == TxnMode::Off && flags.has(Flags::MAY_COMMIT) {
            self.open = Open::Nothing;
            return Placement::Alone { segment: self.next() };
        }
        // Where DDL commits by itself, a procedure may do so too, in the middle of a transaction.
        if kind == Kind::Call && !self.facts.has(Facts::TRANSACTIONAL_DDL) {
            self.open = Open::Nothing;
            return Placement::Guarded { segment: self.next() };
        }
        self.inside()
    }

    fn inside(&mut self) -> Placement {
        match (self.open, self.mode) {
            (Open::Own(segment, _), _) | (Open::Ours(segment), TxnMode::On) => {
                Placement::Inside { segment, opens: false, closes: false }
            }
            (Open::Nothing, TxnMode::On) => {
                let segment = self.next();
                self.open = Open::Ours(segment);
                Placement::Inside { segment, opens: true, closes: false }
            }
            (Open::Nothing | Open::Ours(_), TxnMode::Off) => {
                let segment = self.next();
                self.open = Open::Nothing;
                Placement::Inside { segment, opens: true, closes: true }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(mode: TxnMode, facts: Facts, statements: &[(Kind, Flags)]) -> Vec<Placement> {
        let mut segmenter = Segmenter::new(mode, facts);
        statements
            .iter()
            .zip(1..)
            .map(|((kind, flags), line)| segmenter.place(*kind, *flags, line).unwrap())
            .collect()
    }

    const PLAIN: (Kind, Flags) = (Kind::Dml, Flags::none());

    #[test]
    fn what_the_engine_takes_into_a_transaction_is_one_segment() {
        let placed = place(TxnMode::On, Facts::TRANSACTIONAL_DDL, &[PLAIN, PLAIN, PLAIN]);
        assert_eq!(placed[0], Placement::Inside { segment: 1, opens: true, closes: false });
        assert!(placed.iter().all(|one| one.segment() == Some(1)));
    }

    #[test]
    fn a_statement_that_commits_by_itself_cuts_the_transaction_around_it() {
        let placed = place(TxnMode::On, Facts::default(), &[PLAIN, (Kind::Ddl, Flags::COMMITS), PLAIN]);
        assert_eq!(placed.iter().map(|one| one.segment()).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
        assert_eq!(placed[1], Placement::Alone { segment: 2 });
    }

    #[test]
    fn without_transactions_each_statement_has_its_own_with_its_mark() {
        let call = (Kind::Call, Flags::MAY_COMMIT);
        let placed = place(TxnMode::Off, Facts::TRANSACTIONAL_DDL, &[PLAIN, PLAIN, call]);
        assert_eq!(placed[1], Placement::Inside { segment: 2, opens: true, closes: true });
        assert_eq!(placed[2], Placement::Alone { segment: 3 });
    }

    #[test]
    fn the_sheets_own_transaction_is_a_segment_and_refuses_what_the_engine_refuses() {
        let alone = (Kind::Maintenance, Flags::ALONE);
        let begin = (Kind::Begin, Flags::none());
        let commit = (Kind::Commit, Flags::none());
        let placed =
            place(TxnMode::On, Facts::TRANSACTIONAL_DDL, &[PLAIN, begin, PLAIN, alone, commit, PLAIN]);
        assert_eq!(placed[1], Placement::OwnBegin { segment: 2 });
        assert_eq!(placed[3], Placement::Inside { segment: 2, opens: false, closes: false });
        assert_eq!(placed[4], Placement::OwnCommit { segment: Some(2) });
        assert_eq!(placed[5].segment(), Some(3));
    }

    #[test]
    fn a_setting_that_stands_alone_is_no_segment() {
        let setting = (Kind::Session, Flags::ALONE.with(Flags::SESSION));
        let placed = place(TxnMode::On, Facts::TRANSACTIONAL_DDL, &[setting, PLAIN]);
        assert_eq!((placed[0], placed[1].segment()), (Placement::Session, Some(1)));
    }

    #[test]
    fn a_call_is_guarded_where_ddl_commits_by_itself() {
        let call = (Kind::Call, Flags::MAY_COMMIT);
        assert_eq!(place(TxnMode::On, Facts::default(), &[call])[0], Placement::Guarded { segment: 1 });
        assert!(matches!(place(TxnMode::On, Facts::TRANSACTIONAL_DDL, &[call])[0], Placement::Inside { .. }));
    }

    #[test]
    fn transactions_that_do_not_fit_together_are_refused() {
        let mut segmenter = Segmenter::new(TxnMode::On, Facts::default());
        assert!(segmenter.place(Kind::Rollback, Flags::none(), 3).unwrap_err().contains("line 3"));
        segmenter.place(Kind::Begin, Flags::none(), 4).unwrap();
        assert!(segmenter.place(Kind::Begin, Flags::none(), 5).unwrap_err().contains("line 4"));
        assert!(segmenter.end().unwrap_err().contains("line 4"));
    }
}
