//! A transaction: the changes that wait for their commit, and what they make of the tables for their own session.

use crate::contents::{Change, Contents};
use crate::fault::Fault;
use crate::settings::Options;
use runsheet_sdk::{Class, Error, Mark};
use std::collections::HashMap;

/// An open transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    changes: Vec<Change>,
    /// Tables that it has made (true) or dropped (false).
    tables: HashMap<String, bool>,
    /// A statement has opened it.
    pub is_own: bool,
    /// A statement has failed: it can only be rolled back.
    pub has_failed: bool,
    /// The answer to its commit is to get lost, after it took effect (true) or not.
    pub lose_commit: Option<bool>,
}

impl Transaction {
    /// Whether a table is there for this session.
    pub fn has_table(&self, contents: &Contents, table: &str) -> bool {
        self.tables.get(table).copied().unwrap_or_else(|| contents.has_table(table))
    }

    /// Whether it has written this mark itself.
    pub fn has_mark(&self, mark: &Mark) -> bool {
        self.changes.iter().any(|change| match change {
            Change::Mark(own) => own.task == mark.task && own.segment == mark.segment,
            _ => false,
        })
    }

    pub fn add(&mut self, contents: &mut Contents, change: Change, options: &Options) {
        match &change {
            Change::Create(table) => {
                self.tables.insert(table.clone(), true);
            }
            Change::Drop(table) => {
                self.tables.insert(table.clone(), false);
            }
            Change::Put { table, .. } if options.has(Fault::SeenEarly) => {
                *contents.seen_early.entry(table.clone()).or_default() += 1;
            }
            _ => {}
        }
        self.changes.push(change);
    }

    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Makes all changes for everybody, or none.
    ///
    /// # Errors
    /// Where another session was quicker with one of the marks.
    pub fn commit(self, contents: &mut Contents, options: &Options) -> Result<(), Error> {
        let repeated = self.changes.iter().any(|change| match change {
            Change::Mark(mark) => contents.has_mark(mark),
            _ => false,
        });
        if repeated && !options.has(Fault::MarkTwice) {
            return Err(Error::new(Class::AlreadyExists, "the mark is in the ledger already"));
        }
        contents.seen_early.clear();
        let rows = self.changes.iter().filter(|change| matches!(change, Change::Put { .. })).count();
        let mut changes = self.changes;
        if rows > 1 && options.has(Fault::CommitForgets) {
            changes.pop();
        }
        changes.into_iter().for_each(|change| contents.apply(change));
        Ok(())
    }

    /// Makes none of the changes, but for a rule that is broken.
    pub fn rollback(self, contents: &mut Contents, options: &Options) {
        contents.seen_early.clear();
        let kept =
            |change: &Change| matches!(change, Change::Create(_)) && options.has(Fault::RollbackKeepsDdl);
        self.changes.into_iter().filter(kept).for_each(|change| contents.apply(change));
    }
}
