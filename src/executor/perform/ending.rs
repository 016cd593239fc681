//! How a run stops before its sheet's end: what is rolled back, what stays, and what that means for people.

use super::{Halt, Lost, Open, Performed, Performer};
use crate::executor::failure;
use crate::executor::job::End;
use crate::executor::stop::Wanted;
use crate::report::ErrorReport;
use crate::sheet::{PiecesError, Statement};
use crate::store::LogEntry;
use runsheet_sdk::{Applied, Class, Error, Failure};

impl Performer<'_> {
    pub(super) fn roll_back(&mut self, because: &str) {
        if let Some(open) = self.open.take() {
            // An error here means that the connection is gone, and then the server rolls back.
            let _ = self.connection.rollback();
            self.journal.entry(LogEntry::RolledBack { segment: open.segment, because: because.to_owned() });
        }
    }

    /// What is in and what is not, for people.
    pub(super) fn standing(&self, open: Option<Open>) -> String {
        let kept = match self.counts.statements {
            0 => "Nothing of the sheet has taken effect.".to_owned(),
            1 => "Statement 1 has taken effect and stays.".to_owned(),
            count => format!("Statements 1 to {count} have taken effect and stay."),
        };
        let Some(open) = open else { return kept };
        let undone =
            format!("{kept} The transaction that began with statement {} was rolled back.", open.first);
        match open.not_undone {
            Some((_, statement)) => format!(
                "{undone} But statement {statement} changed a table that knows no transactions, and what it did there stays: the next try asks before it runs the transaction again."
            ),
            None => undone,
        }
    }

    pub(super) fn canceled(&mut self) -> Halt {
        let open = self.open;
        self.roll_back("the task was canceled");
        Performed::Ended(End::Canceled { detail: self.standing(open) })
    }

    pub(super) fn failed(&mut self, statement: &Statement<'_>, error: &Error) -> Halt {
        let report = failure::of_statement(error, statement);
        self.ended_by(report, self.open, error)
    }

    /// The failure of a load whose rows have begun.
    pub(super) fn row_failed(&mut self, rows: &Statement<'_>, error: &Error) -> Halt {
        let report = match self.rows_begin {
            Some(begin) => failure::of_row(error, rows.number, begin, &self.job.sheet_path),
            None => failure::of_statement(error, rows),
        };
        self.ended_by(report, self.open, error)
    }

    /// The failure of what ends a transaction: no statement of it failed, so its whole extent is told.
    pub(super) fn segment_failed(&mut self, what: &str, open: Open, error: &Error) -> Halt {
        let extent = format!(
            "the transaction of statements {} to {} (lines {} to {}) {what}",
            open.first, open.last, open.lines.0, open.lines.1
        );
        let mut report = failure::of_session(&extent, error);
        report.statement = Some(open.last);
        report.line = Some(open.lines.1);
        self.ended_by(report, Some(open), error)
    }

    pub(super) fn ended_by(&mut self, report: Box<ErrorReport>, open: Option<Open>, error: &Error) -> Halt {
        match error.failure {
            Failure::Lost | Failure::DriverBug => {
                Performed::Lost(Lost { error: report, segment: open.map(|open| open.segment) })
            }
            Failure::Canceled if self.job.stop.wanted() == Wanted::Cancel => self.canceled(),
            Failure::Failed | Failure::Canceled | Failure::Misuse | Failure::Unsupported => {
                self.roll_back(&report.message);
                let advice = failure::advice(error.class, self.counts.statements > 0);
                let detail = format!("{} {advice}", self.standing(open));
                Performed::Ended(End::Failed { error: report, detail, by_chance: by_chance(open, error) })
            }
        }
    }

    pub(super) fn sheet_fault(&mut self, error: &PiecesError) -> Halt {
        let open = self.open;
        self.roll_back("the sheet could not be read on");
        let detail = self.standing(open);
        Performed::Ended(End::Failed { error: failure::of_sheet(error), detail, by_chance: false })
    }
}

/// Whether the engine says that trying again may help, and nothing of the failed segment is left behind.
fn by_chance(open: Option<Open>, error: &Error) -> bool {
    let chance = matches!(error.class, Class::LockTimeout | Class::Deadlock | Class::Serialization);
    let left = open.is_some_and(|open| open.not_undone.is_some());
    chance && error.applied == Applied::No && !left
}
