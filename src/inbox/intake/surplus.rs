//! Sheets that no plan waits for: those that are known are moved or refused, so that nobody believes that they will be run; the
//! others wait for their plan, for days if need be.

use super::lookup::other_sheet;
use super::{Intake, Kind, Looked, PlanName, Refused, Stamp, folder_of, is_submitted, sheet_places, shown};
use crate::plan::SheetName;
use crate::store::{self, SheetRow, SheetUser};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Which known sheets would be found at a place, and for which plans.
type Known<'k> = HashMap<PathBuf, Vec<(&'k SheetRow, &'k SheetUser)>>;

impl Intake {
    /// Looks through the sheets that are left when no plan can go on. True where one was moved.
    pub(super) fn clear_surplus(&mut self, looked: &Looked) -> bool {
        let ready = self.ready_sheets(looked);
        self.idle_sheets.retain(|sheet| ready.contains(sheet));
        let plans: Vec<&Path> = looked
            .settled
            .values()
            .map(|(candidate, _)| candidate)
            .chain(looked.unsettled.values())
            .filter(|candidate| candidate.kind == Kind::Plan)
            .map(|candidate| folder_of(&candidate.place))
            .collect();
        let left: Vec<(PathBuf, Stamp)> = ready
            .into_iter()
            .filter(|sheet| !self.idle_sheets.contains(sheet) && !may_be_wanted(&sheet.0, &plans))
            .collect();
        if left.is_empty() {
            return false;
        }
        let ids: HashSet<&str> = left.iter().filter_map(|(place, _)| place.file_stem()?.to_str()).collect();
        let again = self.again.clone();
        let asked = self.ask(|connection| {
            let rows = store::sheets_called(connection, &ids)?;
            let names: HashSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
            let mut users = store::users_of_sheets(connection, &names)?;
            users.extend(again.into_iter().filter(|user| names.contains(user.sheet.as_str())));
            Ok((rows, users))
        });
        let Some((rows, users)) = asked else { return false };
        let known = known(&rows, &users);
        let mut moved = false;
        for (place, stamp) in left {
            moved |= self.judge_left(&place, stamp, &known, &rows, &users);
            self.idle_sheets.insert((place, stamp));
        }
        moved
    }

    fn judge_left(
        &mut self,
        place: &Path,
        stamp: Stamp,
        known: &Known<'_>,
        rows: &[SheetRow],
        users: &[SheetUser],
    ) -> bool {
        let meant = known.get(place);
        if meant.is_none() && !is_submitted(place) {
            return false;
        }
        let hashed = self.sha256_of(place, stamp);
        let Some(Some(sha256)) = self.attempt(place, "it cannot be read", hashed) else { return false };
        let same = match meant {
            Some(meant) => meant.iter().find(|(row, _)| row.sha256 == sha256).map(|(_, user)| *user),
            // In a folder that was made for one plan, it was meant for that one, or for nothing.
            None => rows
                .iter()
                .find(|row| row.sha256 == sha256)
                .and_then(|row| users.iter().find(|user| user.sheet == row.name)),
        };
        if let Some(plan) = same.and_then(|user| user.plan.parse::<PlanName>().ok()) {
            return self.shelve(place, stamp, &self.shelf(&plan));
        }
        match meant.and_then(|meant| meant.first()) {
            // What lies in the root may be meant for any project.
            Some((first, _)) if folder_of(place) == Path::new("") => {
                tracing::warn!(
                    "{}: it is not what was taken in as the sheet {}; it waits for another plan that asks for it",
                    shown(place),
                    first.name
                );
                false
            }
            Some((first, _)) => self.refuse(place, stamp, &other_sheet(place, first, &sha256)),
            None => {
                let message = "the plan that it was submitted with does not ask for it, or was refused";
                let help = "Submit it again with a plan that asks for it.";
                self.refuse(place, stamp, &Refused::sentence(place, message, help))
            }
        }
    }

    fn sha256_of(&self, place: &Path, stamp: Stamp) -> io::Result<Option<String>> {
        let Some(mut file) = self.root.same_file(place, stamp)? else { return Ok(None) };
        let mut hash = Sha256::new();
        let mut chunk = vec![0; 1 << 16];
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                read => hash.update(chunk.get(..read).unwrap_or_default()),
            }
        }
        Ok(Some(hex::encode(hash.finalize())))
    }
}

fn known<'k>(rows: &'k [SheetRow], users: &'k [SheetUser]) -> Known<'k> {
    let by_name: HashMap<&str, &SheetRow> = rows.iter().map(|row| (row.name.as_str(), row)).collect();
    let mut known = Known::new();
    for user in users {
        let (Some(row), Ok(name)) = (by_name.get(user.sheet.as_str()), user.sheet.parse::<SheetName>())
        else {
            continue;
        };
        for place in sheet_places(Path::new(&user.folder), &name) {
            known.entry(place).or_default().push((row, user));
        }
    }
    known
}

/// Whether a plan that is still to be judged may ask for a sheet.
fn may_be_wanted(place: &Path, plans: &[&Path]) -> bool {
    let folder = folder_of(place);
    let is_from_root = folder == Path::new("") || folder.starts_with("projects");
    let submitted = is_submitted(place);
    plans.iter().any(|plan| folder.starts_with(plan) || (is_from_root && !submitted))
}
