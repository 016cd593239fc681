//! What a database holds, and what a transaction changes in it.

use runsheet_sdk::Mark;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The name of the ledger's table.
pub(crate) const LEDGER: &str = "runsheet_ledger";

/// One change of a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Create(String),
    Drop(String),
    Put { table: String, key: String, value: String },
    Delete { table: String, key: String },
    Ledger,
    Mark(Box<Mark>),
}

impl Change {
    /// The table that it is about, where it is one of a sheet's.
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::Create(table)
            | Self::Drop(table)
            | Self::Put { table, .. }
            | Self::Delete { table, .. } => Some(table),
            Self::Ledger | Self::Mark(_) => None,
        }
    }
}

/// A database: what is committed, and the lock.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    tables: HashMap<String, HashMap<String, String>>,
    marks: HashMap<String, BTreeMap<u32, Mark>>,
    /// The complete mark that brought a version, by its task and segment.
    versions: HashMap<String, (String, u32)>,
    pub has_ledger: bool,
    /// The session that holds the lock of one runner.
    pub lock: Option<u64>,
    /// How long a commit of changes to a table takes.
    pub slow_commits: HashMap<String, Duration>,
    /// Rows that are seen before they are committed, where that rule is broken.
    pub seen_early: HashMap<String, u64>,
}

impl Contents {
    pub fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// How many rows a table has for everybody.
    pub fn count(&self, table: &str) -> u64 {
        let rows = self.tables.get(table).map_or(0, |rows| rows.len() as u64);
        rows + self.seen_early.get(table).copied().unwrap_or(0)
    }

    pub fn has_row(&self, table: &str, key: &str) -> bool {
        self.tables.get(table).is_some_and(|rows| rows.contains_key(key))
    }

    pub fn has_mark(&self, mark: &Mark) -> bool {
        self.marks.get(&mark.task).is_some_and(|marks| marks.contains_key(&mark.segment))
    }

    /// The marks of a task, in the order of segments.
    pub fn marks(&self, task: &str) -> Vec<Mark> {
        self.marks.get(task).map(|marks| marks.values().cloned().collect()).unwrap_or_default()
    }

    /// The complete mark that brought a version.
    pub fn version(&self, version: &str) -> Option<Mark> {
        let (task, segment) = self.versions.get(version)?;
        self.marks.get(task)?.get(segment).cloned()
    }

    /// Any mark that has this version, complete or not.
    pub fn any_with_version(&self, version: &str) -> Option<Mark> {
        self.marks.values().flat_map(BTreeMap::values).find(|mark| mark.schema_version == version).cloned()
    }

    /// The longest time that a commit of these changes takes.
    pub fn commit_time(&self, changes: &[Change]) -> Duration {
        if self.slow_commits.is_empty() {
            return Duration::ZERO;
        }
        let times = changes.iter().filter_map(Change::table).filter_map(|table| self.slow_commits.get(table));
        times.max().copied().unwrap_or_default()
    }

    /// Makes a change for everybody.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Create(table) => {
                self.tables.entry(table).or_default();
            }
            Change::Drop(table) => {
                self.tables.remove(&table);
            }
            Change::Put { table, key, value } => {
                self.tables.entry(table).or_default().insert(key, value);
            }
            Change::Delete { table, key } => {
                if let Some(rows) = self.tables.get_mut(&table) {
                    rows.remove(&key);
                }
            }
            Change::Ledger => self.has_ledger = true,
            Change::Mark(mark) => {
                if mark.complete && !mark.schema_version.is_empty() {
                    self.versions.insert(mark.schema_version.clone(), (mark.task.clone(), mark.segment));
                }
                self.marks.entry(mark.task.clone()).or_default().insert(mark.segment, *mark);
            }
        }
    }
}
