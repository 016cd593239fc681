//! What is recorded together: new plans, sheets that have come, and the plans that have all of theirs now.

use crate::plan::{self, PlanName};
use crate::store::{self, NewPlan, NewStage, NewTask, SheetRow};
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The sheets of a plan, as far as they are there.
#[derive(Debug, Default)]
pub(super) struct FoundSheets {
    /// Those that are taken from the inbox now, with their places.
    pub taken: Vec<(PathBuf, SheetRow)>,
    /// How many are not there.
    pub missing: usize,
}

/// What is recorded together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    record: Record,
    /// Files to be moved once it is recorded, and to which plan they belong.
    files: Vec<(PathBuf, PlanName)>,
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

    pub fn add_plan(&mut self, place: PathBuf, name: PlanName, new: NewPlan, found: FoundSheets) {
        self.plans.insert(new.name.clone(), new.sha256.clone());
        self.files.push((place, name.clone()));
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
        for (place, sheet) in found.taken {
            self.files.push((place, plan.clone()));
            self.sheets.insert(sheet.name.clone(), sheet.clone());
            self.record.sheets.push(sheet);
        }
    }

    /// The part that is written, and the files that are moved afterwards.
    pub fn split(self) -> (Record, Vec<(PathBuf, PlanName)>) {
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

/// A plan as it is stored.
pub(super) fn new_plan(parsed: &plan::Plan, sha256: String, text: &str, folder: &Path) -> NewPlan {
    let stages = parsed
        .steps
        .iter()
        .map(|step| NewStage { title: step.title.clone(), tasks: step.specs.iter().map(new_task).collect() });
    NewPlan {
        name: parsed.name.to_string(),
        title: parsed.title.clone(),
        sha256,
        text: text.to_owned(),
        folder: folder.to_string_lossy().into_owned(),
        accepted_time: jiff::Timestamp::now().as_millisecond(),
        stages: stages.collect(),
    }
}

fn new_task(spec: &plan::Spec) -> NewTask {
    NewTask {
        spec_id: spec.id.clone(),
        instance: spec.target.instance.clone(),
        database: spec.target.database.clone(),
        sheet: spec.sheet.to_string(),
        change_type: spec.change_type.word().to_owned(),
        schema_version: spec.schema_version.as_ref().map(|version| version.as_str().to_owned()),
        earliest_time: spec.earliest_allowed_time.map(|time| time.as_millisecond()),
        depends_on: spec.depends_on.clone(),
    }
}
