//! Plans that wait for sheets get those that have come.

use super::batch::Batch;
use super::{BATCH_MAX, Intake, Kind, Looked, PlanName, SheetName, Stamp, Thing, lookup};
use crate::store::{self, PlanRow, PlanStatus};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

impl Intake {
    /// Gives plans that wait the sheets that have come. True where there were some.
    pub(super) fn complete(&mut self, looked: &Looked) -> bool {
        let ready = Some(self.ready_sheets(looked));
        if ready == self.tried {
            return false;
        }
        let Some(waiting) = self.ask(store::plans_waiting_for_sheets) else { return false };
        self.tried = ready;
        let mut took = false;
        for group in waiting.chunks(BATCH_MAX) {
            let mut batch = Batch::default();
            for plan in group {
                took |= self.complete_plan(plan, looked, &mut batch);
            }
            took |= self.commit(batch);
        }
        took
    }

    /// The settled sheets that may be read now.
    pub(super) fn ready_sheets(&self, looked: &Looked) -> HashSet<(PathBuf, Stamp)> {
        let sheets =
            looked.of_kind(Kind::Sheet).into_iter().filter_map(|(candidate, _)| match candidate.thing {
                Thing::File(stamp) => Some((candidate.place.clone(), stamp)),
                Thing::Other(..) => None,
            });
        sheets.filter(|(place, _)| !self.put_off.contains(place)).collect()
    }

    fn complete_plan(&mut self, plan: &PlanRow, looked: &Looked, batch: &mut Batch) -> bool {
        assert!(plan.status == PlanStatus::WaitingForSheets, "only plans that wait are asked for");
        let Ok(name) = plan.name.parse::<PlanName>() else { return false };
        let Some(tasks) = self.ask(|connection| store::tasks_of_plan(connection, plan.id)) else {
            return false;
        };
        let names: BTreeSet<SheetName> = tasks.iter().filter_map(|task| task.sheet.parse().ok()).collect();
        match self.sheets_of(Path::new(&plan.folder), names.iter(), looked, batch) {
            Ok(found) => {
                if found.missing == 0 || !found.taken.is_empty() {
                    batch.add_sheets(plan.id, name, found);
                }
                false
            }
            Err(lookup::Problem::Conflict(conflict)) => {
                self.refuse(&conflict.place, conflict.stamp, &conflict.refused)
            }
            Err(lookup::Problem::Later) => false,
        }
    }
}
