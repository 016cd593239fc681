//! Taking in: copy and make durable, record in one transaction, then move the original. A crash between any two of
//! these is made good by the next look, because every step can be done again.

mod batch;
mod complete;
mod lookup;
mod put_off;
mod sheet_json;
mod surplus;

use super::file::{ReadFile, Root};
use super::name::{Kind, SUBMITTED, plan_name, sheet_places, shown};
use super::reject::{Refused, reject};
use super::scan::{Candidate, Looked, Stamp, Thing};
use super::{News, Options, Tell, shelf};
use crate::plan::{self, PlanName, SheetName};
use crate::store::{self, PlanRow, Reader, SheetUser, Sheets, Store};
use batch::Batch;
use put_off::PutOff;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How many plans and sheets are taken in with one transaction.
const BATCH_MAX: usize = 1_000;
/// How many folders are remembered in which a plan was dropped again.
const AGAIN_MAX: usize = 100_000;

/// What takes files in.
pub(super) struct Intake {
    options: Options,
    root: Root,
    store: Store,
    reader: Reader,
    sheets: Sheets,
    tell: Tell,
    /// Files that only lack their end, and when they are given up.
    broken_off: HashMap<PathBuf, Instant>,
    /// Files with which something went wrong that may go right later.
    put_off: PutOff,
    /// The sheets that were there when the plans that wait were last tried; nothing where they must be tried anew.
    tried: Option<HashSet<(PathBuf, Stamp)>>,
    /// The sheets that nobody asks for, as far as is known.
    idle_sheets: HashSet<(PathBuf, Stamp)>,
    /// The sheets of plans that were dropped once more, in another folder than at first.
    again: Vec<SheetUser>,
}

/// How many bytes a file may have, what says so, and what to do about it.
#[derive(Clone, Copy)]
struct Limit<'a> {
    bytes: u64,
    what: &'a str,
    help: &'a str,
}

impl Intake {
    pub fn new(options: Options, root: Root, store: Store, sheets: Sheets, tell: Tell) -> io::Result<Self> {
        Ok(Self {
            root,
            reader: store.reader().map_err(io::Error::other)?,
            put_off: PutOff::new(options.rescan),
            options,
            store,
            sheets,
            tell,
            broken_off: HashMap::new(),
            tried: None,
            idle_sheets: HashSet::new(),
            again: Vec::new(),
        })
    }

    /// Another folder stands where the inbox is.
    pub fn set_root(&mut self, root: Root) {
        self.root = root;
    }

    /// What was put off is tried at the next look.
    pub fn try_again(&mut self) {
        self.put_off.try_again();
    }

    /// When a file is due that is waited for.
    pub fn next_due(&self) -> Option<Instant> {
        self.broken_off.values().min().copied()
    }

    /// When something is due that went wrong.
    pub fn next_try(&self) -> Option<Instant> {
        self.put_off.next_due()
    }

    /// Takes in what is settled. True where something was, or was refused.
    pub fn take(
        &mut self,
        looked: &Looked,
        instances: &BTreeSet<String>,
        now: Instant,
        goes_on: &dyn Fn() -> bool,
    ) -> bool {
        let exists =
            |place: &Path| looked.settled.contains_key(place) || looked.unsettled.contains_key(place);
        self.broken_off.retain(|place, _| exists(place));
        self.put_off.look(exists, now);
        let mut took = false;
        for group in looked.of_kind(Kind::SheetJson).chunks(BATCH_MAX).take_while(|_| goes_on()) {
            took |= self.sheets_in_json(group, now);
        }
        for group in looked.of_kind(Kind::Plan).chunks(BATCH_MAX).take_while(|_| goes_on()) {
            let mut batch = Batch::default();
            for (candidate, since) in group {
                took |= self.plan(candidate, *since, looked, instances, &mut batch, now);
            }
            took |= self.commit(batch);
        }
        if goes_on() {
            took |= self.refuse_links(looked);
            took |= self.complete(looked);
        }
        if goes_on() && !took {
            took |= self.clear_surplus(looked);
        }
        took
    }

    /// Does what may fail with a file, and says it once where it does.
    fn attempt<T>(&mut self, place: &Path, what: &str, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if self.put_off.add(place, &format!("{what}: {error}")) {
                    tracing::warn!("{}: {what}: {error}; it is tried again", shown(place));
                }
                None
            }
        }
    }

    /// The state could not be read, so nothing is decided by it.
    fn ask<T>(&mut self, read: impl FnOnce(&rusqlite::Connection) -> Result<T, store::Error>) -> Option<T> {
        self.reader
            .read(read)
            .map_err(|error| tracing::error!("the inbox cannot ask the state: {error}"))
            .ok()
    }

    fn refuse(&mut self, place: &Path, stamp: Stamp, refused: &Refused) -> bool {
        let result = reject(&self.root, &self.options.rejected, place, stamp, refused);
        let done = self.attempt(place, "it is refused, but cannot be moved to rejected/", result);
        self.remove_submitted(place);
        done == Some(true)
    }

    /// Moves a file that was taken in. True where it is gone from the inbox.
    fn shelve(&mut self, place: &Path, stamp: Stamp, folder: &Path) -> bool {
        let moved = shelf::move_into(&self.root, place, stamp, folder);
        let moved = self.attempt(place, "it was taken in, but cannot be moved to accepted/", moved);
        self.remove_submitted(place);
        matches!(moved, Some(Some(_)))
    }

    fn shelf(&self, name: &PlanName) -> PathBuf {
        self.options.accepted.join(&name.project).join(&name.plan)
    }

    /// The bytes of a settled file; nothing where it is not to be taken now. The flag is set where it was refused.
    fn bytes(&mut self, candidate: &Candidate, limit: Limit<'_>, refused: &mut bool) -> Option<Vec<u8>> {
        let place = &candidate.place;
        if self.put_off.contains(place) {
            return None;
        }
        let stamp = match candidate.thing {
            Thing::File(stamp) => stamp,
            Thing::Other(thing, stamp) => {
                *refused = self.refuse(place, stamp, &Refused::no_file(place, thing));
                return None;
            }
        };
        let read = self.root.read(place, stamp, limit.bytes);
        match self.attempt(place, "it cannot be read", read)? {
            ReadFile::Whole(bytes) => Some(bytes),
            ReadFile::Changed => None,
            ReadFile::TooLarge(size) => {
                let message = format!("it has {size} bytes, and {} allows {}", limit.what, limit.bytes);
                *refused = self.refuse(place, stamp, &Refused::sentence(place, message, limit.help));
                None
            }
        }
    }

    /// Refuses a file for its faults, unless only its end is missing and may still come.
    fn faulty(
        &mut self,
        candidate: &Candidate,
        since: Instant,
        now: Instant,
        text: &str,
        faults: plan::Faults,
    ) -> bool {
        let (place, give_up) = (&candidate.place, since + self.options.settle_max);
        if faults.is_unfinished() && now < give_up {
            self.broken_off.insert(place.clone(), give_up);
            return false;
        }
        self.broken_off.remove(place);
        self.refuse(place, candidate.thing.stamp(), &Refused::faults(place, text, faults))
    }

    fn plan(
        &mut self,
        candidate: &Candidate,
        since: Instant,
        looked: &Looked,
        instances: &BTreeSet<String>,
        batch: &mut Batch,
        now: Instant,
    ) -> bool {
        let (place, stamp) = (&candidate.place, candidate.thing.stamp());
        let limit = Limit {
            bytes: self.options.max_plan_bytes,
            what: "`inbox.max_plan_bytes`",
            help: "Raise the limit in the config, or make more than one plan of it.",
        };
        let mut refused = false;
        let Some(bytes) = self.bytes(candidate, limit, &mut refused) else { return refused };
        let text = match plan::text_of(&bytes) {
            Ok(text) => text,
            Err((faults, shown)) => return self.faulty(candidate, since, now, &shown, faults),
        };
        let from = plan::Place { name: plan_name(place), instances: Some(instances) };
        let parsed = match plan::parse(text, &from) {
            Ok(parsed) => parsed,
            Err(faults) => return self.faulty(candidate, since, now, text, faults),
        };
        self.broken_off.remove(place);
        let (name, sha256) = (parsed.name.to_string(), sha256(&bytes));
        let Some(known) = self.ask(|connection| store::plan_by_name(connection, &name)) else { return false };
        match known {
            None => match batch.sha256_of(&name) {
                None => self.new_plan(candidate, &parsed, sha256, text, looked, batch),
                Some(first) if first == sha256 => false,
                Some(_) => {
                    let message =
                        format!("another file in the inbox is the plan {name} too, with other bytes");
                    let help = "Give one of them another name.";
                    self.refuse(place, stamp, &Refused::sentence(place, message, help))
                }
            },
            Some(first) if first.sha256 == sha256 => self.same_plan(candidate, &parsed, &first),
            Some(first) => self.refuse(place, stamp, &other_plan(place, &first, &sha256)),
        }
    }

    /// The same plan again: nothing happens to it, and the file goes to the others.
    fn same_plan(&mut self, candidate: &Candidate, parsed: &plan::Plan, first: &PlanRow) -> bool {
        let (place, taken) = (&candidate.place, time(first.accepted_time));
        let moved = self.shelve(place, candidate.thing.stamp(), &self.shelf(&parsed.name));
        if moved {
            tracing::info!(
                "{}: the plan {} is known with the same bytes since {taken}; nothing to do",
                shown(place),
                parsed.name
            );
            let folder = folder_of(place);
            if folder != Path::new(&first.folder) && self.again.len() < AGAIN_MAX {
                let folder = folder.to_string_lossy();
                self.again.extend(sheets_of(parsed).into_iter().map(|sheet| SheetUser {
                    plan: first.name.clone(),
                    folder: folder.clone().into_owned(),
                    sheet: sheet.to_string(),
                }));
                self.idle_sheets.clear();
            }
        }
        moved
    }

    fn new_plan(
        &mut self,
        candidate: &Candidate,
        parsed: &plan::Plan,
        sha256: String,
        text: &str,
        looked: &Looked,
        batch: &mut Batch,
    ) -> bool {
        let (place, stamp) = (&candidate.place, candidate.thing.stamp());
        let folder = folder_of(place);
        let found = match self.sheets_of(folder, sheets_of(parsed).into_iter(), looked, batch) {
            Ok(found) => found,
            Err(lookup::Problem::Conflict(conflict)) => {
                let sheet = self.refuse(&conflict.place, conflict.stamp, &conflict.refused);
                return self.refuse(place, stamp, &conflict.refused) | sheet;
            }
            Err(lookup::Problem::Later) => return false,
        };
        let now = jiff::Timestamp::now().as_millisecond();
        let new = super::new_plan(parsed, sha256, text, folder, now);
        batch.add_plan((place.clone(), stamp), parsed.name.clone(), new, found);
        false
    }

    /// Records a batch and then moves its files. True where there was something in it.
    fn commit(&mut self, batch: Batch) -> bool {
        if batch.is_empty() {
            return false;
        }
        let (record, files) = batch.split();
        let recorded = self.record(move |connection| record.write(connection));
        let Some(recorded) = recorded else { return false };
        for ((place, stamp), name) in files {
            // A sheet that two plans share is moved with the first.
            self.shelve(&place, stamp, &self.shelf(&name));
        }
        for plan in recorded {
            tracing::info!(plan = plan.name, ready = plan.ready, "taken in");
            if plan.ready {
                (self.tell)(News::Accepted(plan.id));
            }
        }
        true
    }

    /// Makes the sheets that were copied durable, and then records what needs them. Where that fails, the daemon must end.
    fn record<T: Send + 'static>(
        &mut self,
        write: impl FnOnce(&rusqlite::Connection) -> Result<T, store::Error> + Send + 'static,
    ) -> Option<T> {
        let written = self.sheets.sync().and_then(|()| self.store.write_and_wait(write));
        if let Err(error) = &written {
            tracing::error!("nothing can be taken in, because it cannot be recorded: {error}");
            self.tried = None;
            (self.tell)(News::Failed(error.to_string()));
        }
        written.ok()
    }

    /// Removes the folders that `submit` made for a plan, once they are empty. Folders that people made stay.
    fn remove_submitted(&self, place: &Path) {
        for folder in place.ancestors().skip(1).take_while(|folder| is_submitted(folder)) {
            // One that still holds something stays, and so do those around it.
            if std::fs::remove_dir(self.options.inbox.join(folder)).is_err() {
                return;
            }
        }
    }

    /// Sheets that are no files are refused even where no plan asks for them.
    fn refuse_links(&mut self, looked: &Looked) -> bool {
        let mut refused = false;
        for (candidate, _) in looked.of_kind(Kind::Sheet) {
            if let Thing::Other(thing, stamp) = candidate.thing
                && !self.put_off.contains(&candidate.place)
            {
                let place = &candidate.place;
                refused |= self.refuse(place, stamp, &Refused::no_file(place, thing));
            }
        }
        refused
    }
}

/// Whether a place is in a folder that `submit` made.
fn is_submitted(place: &Path) -> bool {
    place.iter().any(|part| part.to_str().is_some_and(|part| part.starts_with(SUBMITTED)))
}

fn folder_of(place: &Path) -> &Path {
    place.parent().unwrap_or(Path::new(""))
}

fn sheets_of(plan: &plan::Plan) -> BTreeSet<&SheetName> {
    plan.steps.iter().flat_map(|step| &step.specs).map(|spec| &spec.sheet).collect()
}

/// A time as a person reads it.
fn time(milliseconds: i64) -> String {
    format!("{:.0}", jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default())
}

fn other_plan(place: &Path, first: &PlanRow, sha256: &str) -> Refused {
    let message = format!(
        "the plan {} was taken in at {} with other bytes (sha256 {}; this file has {sha256}); it stays as it is",
        first.name,
        time(first.accepted_time),
        first.sha256
    );
    Refused::sentence(place, message, "A plan never changes. Give this one another name.")
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
