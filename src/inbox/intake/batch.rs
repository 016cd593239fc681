//! What is recorded together: new plans, sheets that have come, and the plans that have all of theirs now.

use super::Stamp;
use crate::plan::PlanName;
use crate::store::{self, NewPlan, SheetRow};
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The sheets of a plan, as far as they are there.
#[derive(Debug, Default)]
pub(super) struct FoundSheets {
    /// Those that are taken from the inbox now.
    pub taken: Vec<TakenSheet>,
    /// How many are not there.
    pub missing: usize,
}

/// A sheet that was copied from the inbox.
#[derive(Debug)]
pub(super) struct TakenSheet {
    pub place: PathBuf,
    pub stamp: Stamp,
    pub row: SheetRow,
}

/// A file of the inbox, as it was when it was read.
pub(super) type Seen = (PathBuf, Stamp);

/// What is recorded together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    record: Record,
    /// Files to be moved once it is recorded, and to which plan they belong.
    files: Vec<(Seen, PlanName)>,
    /// The bytes of files that were copied for it.
    copied: HashMap<PathBuf, (String, u64)>,
    /// The names and bytes of the batch's own plans and sheets.
    plans: HashMap<String, String>,
    sheets: HashMap<String, SheetRow>,
}

/// The part that is written.
#[derive(Debug, Default)]
pub(super) struct Record {
    sheets: Vec<SheetRow>,
    new: Vec<(NewPlan, bool)>,
    completed: Vec<(i64, String)>,
}

/// A plan that was recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    pub id: i64,
    pub name: String,
    /// Whether it has all its sheets.
    pub ready: bool,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.record.sheets.is_empty() && self.record.new.is_empty() && self.record.completed.is_empty()
    }

    /// The bytes of a plan that is in this batch.
    pub fn sha256_of(&self, plan: &str) -> Option<&str> {
        self.plans.get(plan).map(String::as_str)
    }

    /// A sheet that is in this batch.
    pub fn sheet(&self, name: &str) -> Option<&SheetRow> {
        self.sheets.get(name)
    }

    /// SHA-256 and size of a file that was copied for this batch.
    pub fn copied(&self, place: &Path) -> Option<(String, u64)> {
        self.copied.get(place).cloned()
    }

    pub fn set_copied(&mut self, place: &Path, copied: (String, u64)) {
        self.copied.insert(place.to_path_buf(), copied);
    }

    pub fn add_plan(&mut self, file: Seen, name: PlanName, new: NewPlan, found: FoundSheets) {
        self.plans.insert(new.name.clone(), new.sha256.clone());
        self.files.push((file, name.clone()));
        let ready = found.missing == 0;
        self.add_taken(&name, found);
        self.record.new.push((new, ready));
    }

    pub fn add_sheets(&mut self, plan: i64, name: PlanName, found: FoundSheets) {
        let ready = found.missing == 0;
        self.add_taken(&name, found);
        if ready {
            self.record.completed.push((plan, name.to_string()));
        }
    }

    fn add_taken(&mut self, plan: &PlanName, found: FoundSheets) {
        for sheet in found.taken {
            self.files.push(((sheet.place, sheet.stamp), plan.clone()));
            self.sheets.insert(sheet.row.name.clone(), sheet.row.clone());
            self.record.sheets.push(sheet.row);
        }
    }

    /// The part that is written, and the files that are moved afterwards.
    pub fn split(self) -> (Record, Vec<(Seen, PlanName)>) {
        (self.record, self.files)
    }
}

impl Record {
    pub fn write(self, connection: &Connection) -> Result<Vec<Recorded>, store::Error> {
        for sheet in &self.sheets {
            store::insert_sheet(connection, sheet)?;
        }
        let mut recorded = Vec::new();
        for (new, ready) in self.new {
            let id = store::accept_plan(connection, &new)?;
            recorded.push(Recorded { id, name: new.name, ready });
        }
        recorded.extend(self.completed.into_iter().map(|(id, name)| Recorded { id, name, ready: true }));
        for plan in recorded.iter_mut().filter(|plan| plan.ready) {
            plan.ready = store::roll_out(connection, plan.id)?;
        }
        Ok(recorded)
    }
}
