//! Finding the sheets of a plan: beside it, from the inbox's root, or stored.

use super::batch::{Batch, FoundSheets};
use super::{Intake, Looked, Refused, Root, SheetName, Thing, sheet_places, shelf};
use crate::store::{self, SheetRow};
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Why the sheets of a plan are not known now.
pub(super) enum Problem {
    /// A file has other bytes than the sheet that is known under its name.
    Conflict { sheet_place: PathBuf, refused: Refused },
    /// Something could not be read now.
    Later,
}

impl Intake {
    /// The sheets of a plan, as far as they are there. Those in the inbox are copied.
    pub(super) fn sheets_of<'n>(
        &mut self,
        folder: &Path,
        names: impl Iterator<Item = &'n SheetName>,
        looked: &Looked,
        batch: &Batch,
    ) -> Result<FoundSheets, Problem> {
        let mut found = FoundSheets::default();
        for name in names {
            let text = name.to_string();
            let known = match batch.sheet(&text) {
                Some(sheet) => Some(sheet.clone()),
                None => self.reader.read(|connection| store::sheet_by_name(connection, &text)).map_err(
                    |error| {
                        tracing::error!("the inbox cannot ask the state: {error}");
                        Problem::Later
                    },
                )?,
            };
            match self.file_of(folder, name, looked) {
                // A file that is still being written may be meant: an older one is not taken in its stead.
                File::Settling => found.missing += 1,
                File::None if known.is_none() => found.missing += 1,
                File::None => {}
                File::At(place) => match self.copy(&place, looked)? {
                    None => found.missing += 1,
                    Some((sha256, size)) => match known {
                        Some(first) if first.sha256 != sha256 => {
                            let refused = other_sheet(&place, name, &first, &sha256);
                            return Err(Problem::Conflict { sheet_place: place, refused });
                        }
                        Some(_) | None => {
                            let taken_time = jiff::Timestamp::now().as_millisecond();
                            found.taken.push((place, SheetRow { name: text, sha256, size, taken_time }));
                        }
                    },
                },
            }
        }
        Ok(found)
    }

    fn file_of(&self, folder: &Path, name: &SheetName, looked: &Looked) -> File {
        for place in sheet_places(folder, name) {
            if looked.is_settling(&place) {
                return File::Settling;
            }
            if let Some((candidate, _)) = looked.settled.get(&place)
                && matches!(candidate.thing, Thing::File(_))
                && !self.unreadable.contains_key(&place)
            {
                return File::At(place);
            }
        }
        File::None
    }

    /// Copies a sheet into the state. Nothing where it has changed or cannot be read now.
    fn copy(&mut self, place: &Path, looked: &Looked) -> Result<Option<(String, u64)>, Problem> {
        let Some((candidate, _)) = looked.settled.get(place) else { return Ok(None) };
        let Thing::File(stamp) = candidate.thing else { return Ok(None) };
        let opened = self.root.same_file(place, stamp);
        let Some(Some(mut file)) = self.attempt(place, "it cannot be read", opened) else { return Ok(None) };
        match self.sheets.put(&mut file, self.options.max_sheet_bytes) {
            Ok(put) => {
                let same = file.metadata().is_ok_and(|meta| super::Stamp::of(&meta) == stamp);
                Ok(same.then_some(put))
            }
            Err(store::Error::Io { why, .. }) if why.kind() == io::ErrorKind::FileTooLarge => {
                let limit = self.options.max_sheet_bytes;
                let message = format!("it is larger than `inbox.max_sheet_bytes`, which is {limit}");
                let help = "Raise the limit in the config, or cut the sheet.";
                self.refuse(place, &Refused::sentence(place, message, help));
                Ok(None)
            }
            Err(error) => {
                self.attempt::<()>(place, "it cannot be stored", Err(io::Error::other(error)));
                Err(Problem::Later)
            }
        }
    }
}

enum File {
    None,
    Settling,
    At(PathBuf),
}

pub(super) fn other_sheet(place: &Path, name: &SheetName, first: &SheetRow, sha256: &str) -> Refused {
    let taken = jiff::Timestamp::from_millisecond(first.taken_time).unwrap_or_default();
    let message = format!(
        "the sheet {name} was taken in at {taken:.0} with other bytes (sha256 {}; this file has {sha256}); it stays as it is",
        first.sha256
    );
    Refused::sentence(
        place,
        message,
        "A sheet never changes. Give this one another name, and say that name in the plan.",
    )
}

/// Moves sheets that were recorded before a crash, but are still in the inbox: those that stand where their plan would have found
/// them, with the bytes that are stored.
pub(super) fn finish_earlier(intake: &mut Intake) -> Result<(), store::Error> {
    let Ok(scan) = super::super::scan::Scan::of(&intake.options) else { return Ok(()) };
    for candidate in scan.candidates {
        let (super::Kind::Sheet, Thing::File(_)) = (candidate.kind, candidate.thing) else { continue };
        let Some(stem) = candidate.place.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let users = intake.reader.read(|connection| store::users_of_sheets_called(connection, stem))?;
        for user in users {
            let (Ok(sheet), Ok(plan)) =
                (user.sheet.parse::<SheetName>(), user.plan.parse::<super::PlanName>())
            else {
                continue;
            };
            let meant = sheet_places(Path::new(&user.folder), &sheet).contains(&candidate.place);
            if meant && sha256_of(&intake.root, &candidate.place).is_some_and(|found| found == user.sha256) {
                let from = intake.options.inbox.join(&candidate.place);
                let moved = shelf::move_into(&from, &intake.shelf(&plan));
                intake.attempt(&candidate.place, "it cannot be moved to accepted/", moved);
                break;
            }
        }
    }
    Ok(())
}

fn sha256_of(root: &Root, place: &Path) -> Option<String> {
    let mut file = root.file(place).ok()?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk).ok()? {
            0 => break,
            read => hash.update(chunk.get(..read)?),
        }
    }
    Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
