//! Finding the sheets of a plan: beside it, from the inbox's root, or stored.

use super::batch::{Batch, FoundSheets, TakenSheet};
use super::{Intake, Looked, Refused, SheetName, Stamp, Thing, sheet_places, time};
use crate::store::{self, SheetRow};
use std::io;
use std::path::{Path, PathBuf};

/// Why the sheets of a plan are not known now.
pub(super) enum Problem {
    /// A file has other bytes than the sheet that is known under its name.
    Conflict(Conflict),
    /// Something could not be read now.
    Later,
}

/// A file that cannot be the sheet that it is called.
pub(super) struct Conflict {
    pub place: PathBuf,
    pub stamp: Stamp,
    pub refused: Refused,
}

/// What stands where a sheet is looked for.
enum File {
    None,
    /// Something that may be meant, but cannot be taken now.
    NotNow,
    At(PathBuf, Stamp),
}

impl Intake {
    /// The sheets of a plan, as far as they are there. Those in the inbox are copied.
    pub(super) fn sheets_of<'n>(
        &mut self,
        folder: &Path,
        names: impl Iterator<Item = &'n SheetName>,
        looked: &Looked,
        batch: &mut Batch,
    ) -> Result<FoundSheets, Problem> {
        let mut found = FoundSheets::default();
        for name in names {
            let text = name.to_string();
            let known = match batch.sheet(&text) {
                Some(sheet) => Some(sheet.clone()),
                None => {
                    self.ask(|connection| store::sheet_by_name(connection, &text)).ok_or(Problem::Later)?
                }
            };
            let (place, stamp) = match self.file_of(folder, name, looked) {
                File::At(place, stamp) => (place, stamp),
                // It may be meant: an older one is not taken in its stead.
                File::NotNow => {
                    found.missing += 1;
                    continue;
                }
                File::None => {
                    found.missing += usize::from(known.is_none());
                    continue;
                }
            };
            let Some((sha256, size)) = self.copy(&place, stamp, batch)? else {
                found.missing += 1;
                continue;
            };
            if let Some(first) = known
                && first.sha256 != sha256
            {
                let refused = other_sheet(&place, &first, &sha256);
                return Err(Problem::Conflict(Conflict { place, stamp, refused }));
            }
            let taken_time = jiff::Timestamp::now().as_millisecond();
            let row = SheetRow { name: text, sha256, size, taken_time };
            found.taken.push(TakenSheet { place, stamp, row });
        }
        Ok(found)
    }

    fn file_of(&self, folder: &Path, name: &SheetName, looked: &Looked) -> File {
        for place in sheet_places(folder, name) {
            if looked.unsettled.contains_key(&place) {
                return File::NotNow;
            }
            match looked.settled.get(&place).map(|(candidate, _)| candidate.thing) {
                Some(Thing::File(stamp)) if !self.put_off.contains(&place) => return File::At(place, stamp),
                Some(Thing::File(_) | Thing::Other(..)) => return File::NotNow,
                // It may be among those that were not looked at.
                None if looked.is_cut && self.options.inbox.join(&place).symlink_metadata().is_ok() => {
                    return File::NotNow;
                }
                None => {}
            }
        }
        File::None
    }

    /// Copies a sheet into the state. Nothing where it has changed or cannot be read now.
    fn copy(
        &mut self,
        place: &Path,
        stamp: Stamp,
        batch: &mut Batch,
    ) -> Result<Option<(String, u64)>, Problem> {
        // Very many plans may share one sheet.
        if let Some(copied) = batch.copied(place) {
            return Ok(Some(copied));
        }
        let limit = self.options.max_sheet_bytes;
        if stamp.size() == 0 {
            let help = "A sheet that is to do nothing holds a comment.";
            self.refuse(place, stamp, &Refused::sentence(place, "it is empty", help));
            return Ok(None);
        }
        if stamp.size() > limit {
            let message =
                format!("it has {} bytes, and `inbox.max_sheet_bytes` allows {limit}", stamp.size());
            let help = "Raise the limit in the config, or cut the sheet.";
            self.refuse(place, stamp, &Refused::sentence(place, message, help));
            return Ok(None);
        }
        let opened = self.root.same_file(place, stamp);
        let Some(Some(mut file)) = self.attempt(place, "it cannot be read", opened) else { return Ok(None) };
        let put = self.sheets.put(&mut file, limit).map_err(io::Error::other);
        let put = self.attempt(place, "it cannot be stored", put).ok_or(Problem::Later)?;
        if file.metadata().is_ok_and(|meta| Stamp::of(&meta) == stamp) {
            batch.set_copied(place, put.clone());
            Ok(Some(put))
        } else {
            Ok(None)
        }
    }
}

pub(super) fn other_sheet(place: &Path, first: &SheetRow, sha256: &str) -> Refused {
    let message = format!(
        "the sheet {} was taken in at {} with other bytes (sha256 {}; this file has {sha256}); it stays as it is",
        first.name,
        time(first.taken_time),
        first.sha256
    );
    Refused::sentence(
        place,
        message,
        "A sheet never changes. Give this one another name, and say that name in the plan.",
    )
}
