//! Sheets that name themselves: Bytebase's Sheet JSON. They are taken in without any plan.

use super::lookup::other_sheet;
use super::{Candidate, Intake, Limit, Refused, Stamp, plan, sha256, store};
use crate::plan::SheetFile;
use crate::store::SheetRow;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

/// A sheet in JSON is held in memory, so it may not have as many bytes as one in a `.sql` file.
const BYTES_MAX: u64 = 128 << 20;

/// One that is stored and not recorded yet.
struct Stored {
    place: PathBuf,
    stamp: Stamp,
    project: String,
    row: SheetRow,
}

impl Intake {
    /// Takes in a group of them. True where one was, or was refused.
    pub(super) fn sheets_in_json(&mut self, group: &[(&Candidate, Instant)], now: Instant) -> bool {
        let mut refused = false;
        let mut stored: Vec<Stored> = Vec::new();
        let mut names: HashMap<String, SheetRow> = HashMap::new();
        for (candidate, since) in group {
            let Some(sheet) = self.sheet_in_json(candidate, *since, now, &mut refused) else { continue };
            let (place, stamp, name) = (&candidate.place, candidate.thing.stamp(), sheet.name.to_string());
            let first = match names.get(&name) {
                Some(first) => Some(first.clone()),
                None => match self.ask(|connection| store::sheet_by_name(connection, &name)) {
                    Some(first) => first,
                    None => continue,
                },
            };
            let sha256 = sha256(&sheet.content);
            if let Some(first) = first
                && first.sha256 != sha256
            {
                refused |= self.refuse(place, stamp, &other_sheet(place, &first, &sha256));
                continue;
            }
            let put = self.sheets.put(&mut sheet.content.as_slice(), self.options.max_sheet_bytes);
            let put = self.attempt(place, "it cannot be stored", put.map_err(io::Error::other));
            let Some((sha256, size)) = put else { continue };
            let taken_time = jiff::Timestamp::now().as_millisecond();
            let row = SheetRow { name: name.clone(), sha256, size, taken_time };
            names.insert(name, row.clone());
            stored.push(Stored { place: place.clone(), stamp, project: sheet.name.project, row });
        }
        refused | self.record_sheets(stored)
    }

    /// The sheet of a file, if it is whole and sound.
    fn sheet_in_json(
        &mut self,
        candidate: &Candidate,
        since: Instant,
        now: Instant,
        refused: &mut bool,
    ) -> Option<SheetFile> {
        // Base64 takes four bytes for three.
        let in_base64 = self.options.max_sheet_bytes.saturating_mul(4) / 3 + (1 << 16);
        let limit = if in_base64 <= BYTES_MAX {
            let help = "Raise the limit in the config, or cut the sheet.";
            Limit { bytes: in_base64, what: "`inbox.max_sheet_bytes`", help }
        } else {
            Limit { bytes: BYTES_MAX, what: "a sheet in JSON", help: "Drop its text as a `.sql` file." }
        };
        let bytes = self.bytes(candidate, limit, refused)?;
        let parsed = match plan::text_of(&bytes) {
            Ok(text) => plan::parse_sheet(text).map_err(|faults| (faults, text.to_owned())),
            Err(faulty) => Err(faulty),
        };
        match parsed {
            Ok(sheet) if sheet.content.len() as u64 > self.options.max_sheet_bytes => {
                let (size, most) = (sheet.content.len(), self.options.max_sheet_bytes);
                let message =
                    format!("its content has {size} bytes, and `inbox.max_sheet_bytes` allows {most}");
                let help = "Raise the limit in the config, or cut the sheet.";
                let place = &candidate.place;
                *refused |=
                    self.refuse(place, candidate.thing.stamp(), &Refused::sentence(place, message, help));
                None
            }
            Ok(sheet) => {
                self.broken_off.remove(&candidate.place);
                Some(sheet)
            }
            Err((faults, text)) => {
                *refused |= self.faulty(candidate, since, now, &text, faults);
                None
            }
        }
    }

    fn record_sheets(&mut self, stored: Vec<Stored>) -> bool {
        if stored.is_empty() {
            return false;
        }
        let rows: Vec<SheetRow> = stored.iter().map(|one| one.row.clone()).collect();
        let recorded = self
            .record(move |connection| rows.iter().try_for_each(|row| store::insert_sheet(connection, row)));
        if recorded.is_none() {
            return false;
        }
        // Plans may wait for them.
        self.tried = None;
        for one in &stored {
            let folder = self.options.accepted.join(&one.project).join("sheets");
            if self.shelve(&one.place, one.stamp, &folder) {
                tracing::info!(sheet = one.row.name, "taken in");
            }
        }
        true
    }
}
