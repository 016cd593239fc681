//! Taking in: copy and make durable, record in one transaction, then move the original. A crash between any two of
//! these is made good by the next look, because every step can be done again.

mod batch;
mod lookup;

use super::file::{ReadFile, Root};
use super::name::{Kind, SUBMITTED, plan_name, sheet_places};
use super::reject::{Refused, reject};
use super::scan::{Candidate, Looked, Stamp, Thing};
use super::{Accepted, Options, shelf};
use crate::plan::{self, PlanName, SheetName};
use crate::store::{self, PlanRow, PlanStatus, Reader, Sheets, Store};
use batch::Batch;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many plans and sheets are taken in with one transaction.
const BATCH_MAX: usize = 1_000;
/// How long a file that could not be read is left alone.
const UNREADABLE_WAIT: Duration = Duration::from_secs(30);

/// What takes files in.
pub(super) struct Intake {
    options: Options,
    root: Root,
    store: Store,
    reader: Reader,
    sheets: Sheets,
    accepted: Accepted,
    /// Plans that stop in the middle, and when they are given up.
    broken_off: HashMap<PathBuf, Instant>,
    /// Files that could not be read, and when they are tried again.
    unreadable: HashMap<PathBuf, Instant>,
    /// The settled sheets at the last look that tried to complete plans.
    tried: HashSet<(PathBuf, Stamp)>,
}

impl Intake {
    pub fn new(options: Options, store: Store, sheets: Sheets, accepted: Accepted) -> io::Result<Self> {
        Ok(Self {
            root: Root::open(&options.inbox)?,
            reader: store.reader().map_err(io::Error::other)?,
            options,
            store,
            sheets,
            accepted,
            broken_off: HashMap::new(),
            unreadable: HashMap::new(),
            tried: HashSet::new(),
        })
    }

    /// When a file that was put off is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.broken_off.values().chain(self.unreadable.values()).min().copied()
    }

    /// Moves sheets whose plan was recorded just before a crash.
    pub fn finish_earlier(&mut self) {
        if let Err(error) = lookup::finish_earlier(self) {
            tracing::warn!("what an earlier start had taken in could not be moved out of the inbox: {error}");
        }
    }

    /// Takes in what is settled. True where something was, or was refused.
    pub fn take(&mut self, looked: &Looked, instances: &BTreeSet<String>, now: Instant) -> bool {
        let exists = |place: &PathBuf, _: &mut Instant| {
            looked.settled.contains_key(place) || looked.unsettled.contains_key(place)
        };
        self.broken_off.retain(exists);
        self.unreadable.retain(|place, until| exists(place, until) && *until > now);
        let mut took = false;
        for (candidate, _) in looked.of_kind(Kind::SheetJson) {
            took |= self.sheet_json(candidate);
        }
        let plans = looked.of_kind(Kind::Plan);
        for group in plans.chunks(BATCH_MAX) {
            let mut batch = Batch::default();
            for (candidate, since) in group {
                took |= self.plan(candidate, *since, looked, instances, &mut batch, now);
            }
            took |= self.commit(batch);
        }
        took | self.complete(looked)
    }

    /// Does what may fail with a file, and says it once where it does.
    fn attempt<T>(&mut self, place: &Path, what: &str, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::warn!("{}: {what}: {error}; it is tried again", place.display());
                self.unreadable.insert(place.to_path_buf(), Instant::now() + UNREADABLE_WAIT);
                None
            }
        }
    }

    fn refuse(&mut self, place: &Path, refused: &Refused) -> bool {
        let result = reject(&self.options.inbox, &self.options.rejected, place, refused);
        self.attempt(place, "it is refused, but cannot be moved to rejected/", result).is_some()
    }

    /// The bytes of a settled file. The inner nothing: it is not to be taken now.
    fn bytes(&mut self, candidate: &Candidate, limit: u64, what: &str) -> Option<Vec<u8>> {
        let place = &candidate.place;
        if self.unreadable.contains_key(place) {
            return None;
        }
        let stamp = match candidate.thing {
            Thing::File(stamp) => stamp,
            Thing::Other(thing, _) => {
                let message = format!("it is {thing}; only plain files are taken in");
                self.refuse(place, &Refused::sentence(place, message, "Drop the file itself."));
                return None;
            }
        };
        let read = self.root.read(place, stamp, limit);
        match self.attempt(place, "it cannot be read", read)? {
            ReadFile::Whole(bytes) => Some(bytes),
            ReadFile::Changed => None,
            ReadFile::TooLarge(size) => {
                let message = format!("it has {size} bytes, and {what} allows {limit}");
                self.refuse(
                    place,
                    &Refused::sentence(place, message, "Raise the limit in the config, or cut the file."),
                );
                None
            }
        }
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
        let place = candidate.place.clone();
        let Some(bytes) = self.bytes(candidate, self.options.max_plan_bytes, "`inbox.max_plan_bytes`") else {
            return false;
        };
        let text = match plan::text_of(&bytes) {
            Ok(text) => text,
            Err((faults, shown)) => return self.refuse(&place, &Refused::faults(&place, &shown, faults)),
        };
        let where_ = plan::Place { name: plan_name(&place), instances: Some(instances) };
        let parsed = match plan::parse(text, &where_) {
            Ok(parsed) => parsed,
            Err(faults) => {
                let give_up = since + self.options.settle_max;
                if faults.is_unfinished() && now < give_up {
                    self.broken_off.insert(place, give_up);
                    return false;
                }
                self.broken_off.remove(&place);
                return self.refuse(&place, &Refused::faults(&place, text, faults));
            }
        };
        self.broken_off.remove(&place);
        let sha256 = hex(&bytes);
        let name = parsed.name.to_string();
        let known = self.reader.read(|connection| store::plan_by_name(connection, &name));
        match known {
            Ok(None) => match batch.sha256_of(&name) {
                None => self.new_plan(&place, &parsed, sha256, text, looked, batch),
                Some(first) if first == sha256 => false,
                Some(_) => {
                    let message =
                        format!("another file in the inbox is the plan {name} too, with other bytes");
                    self.refuse(&place, &Refused::sentence(&place, message, "Give one of them another name."))
                }
            },
            Ok(Some(first)) if first.sha256 == sha256 => self.same_plan(&place, &parsed.name, &first),
            Ok(Some(first)) => self.refuse(&place, &other_plan(&place, &first, &sha256)),
            Err(error) => {
                tracing::error!("the inbox cannot ask the state: {error}");
                false
            }
        }
    }

    /// The same plan again: nothing happens to it, and the file goes to the others.
    fn same_plan(&mut self, place: &Path, name: &PlanName, first: &PlanRow) -> bool {
        let taken = jiff::Timestamp::from_millisecond(first.accepted_time).unwrap_or_default();
        tracing::info!(
            "{}: the plan {name} is known with the same bytes since {taken:.0}; nothing to do",
            place.display()
        );
        let moved = shelf::move_into(&self.options.inbox.join(place), &self.shelf(name));
        self.attempt(place, "it cannot be moved to accepted/", moved).is_some()
    }

    fn shelf(&self, name: &PlanName) -> PathBuf {
        self.options.accepted.join(&name.project).join(&name.plan)
    }

    fn new_plan(
        &mut self,
        place: &Path,
        parsed: &plan::Plan,
        sha256: String,
        text: &str,
        looked: &Looked,
        batch: &mut Batch,
    ) -> bool {
        let folder = place.parent().unwrap_or(Path::new("")).to_path_buf();
        let names: BTreeSet<&SheetName> =
            parsed.steps.iter().flat_map(|step| &step.specs).map(|spec| &spec.sheet).collect();
        let found = match self.sheets_of(&folder, names.into_iter(), looked, batch) {
            Ok(found) => found,
            Err(lookup::Problem::Conflict { sheet_place, refused }) => {
                let also = self.refuse(&sheet_place, &refused);
                return self.refuse(place, &refused) | also;
            }
            Err(lookup::Problem::Later) => return false,
        };
        let new = batch::new_plan(parsed, sha256, text, &folder);
        batch.add_plan(place.to_path_buf(), parsed.name.clone(), new, found);
        false
    }

    /// Records a batch and then moves its files. True where there was something in it.
    fn commit(&mut self, batch: Batch) -> bool {
        if batch.is_empty() {
            return false;
        }
        if let Err(error) = self.sheets.sync() {
            tracing::error!("sheets could not be made durable: {error}");
            return false;
        }
        let (record, files) = batch.split();
        let ready = match self.store.write_and_wait(move |connection| record.write(connection)) {
            Ok(ready) => ready,
            Err(error) => {
                tracing::error!("nothing could be taken in, because it cannot be recorded: {error}");
                return false;
            }
        };
        for (place, name) in files {
            let moved = shelf::move_into(&self.options.inbox.join(&place), &self.shelf(&name));
            // A sheet that two plans share is moved with the first.
            if moved.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                continue;
            }
            self.attempt(&place, "it was taken in, but cannot be moved to accepted/", moved);
            self.remove_submitted(&place);
        }
        for plan in ready {
            tracing::info!(plan = plan.name, ready = plan.ready, "taken in");
            if plan.ready {
                (self.accepted)(plan.id);
            }
        }
        true
    }

    /// Removes the folders that `submit` made for a plan, once they are empty. Folders that people made stay.
    fn remove_submitted(&self, place: &Path) {
        let is_submitted = |folder: &Path| {
            folder.iter().any(|part| part.to_str().is_some_and(|part| part.starts_with(SUBMITTED)))
        };
        for folder in place.ancestors().skip(1).take_while(|folder| is_submitted(folder)) {
            // One that still holds something stays, and so do those around it.
            if std::fs::remove_dir(self.options.inbox.join(folder)).is_err() {
                return;
            }
        }
    }

    /// Gives plans that wait the sheets that have come.
    fn complete(&mut self, looked: &Looked) -> bool {
        let settled: HashSet<(PathBuf, Stamp)> = looked
            .of_kind(Kind::Sheet)
            .into_iter()
            .filter_map(|(candidate, _)| match candidate.thing {
                Thing::File(stamp) => Some((candidate.place.clone(), stamp)),
                Thing::Other(..) => None,
            })
            .collect();
        self.refuse_links(looked);
        if settled == self.tried && !settled.is_empty() {
            return false;
        }
        let waiting = match self.reader.read(store::plans_waiting_for_sheets) {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::error!("the inbox cannot ask the state: {error}");
                return false;
            }
        };
        let mut took = false;
        for group in waiting.chunks(BATCH_MAX) {
            let mut batch = Batch::default();
            for plan in group {
                took |= self.complete_plan(plan, looked, &mut batch);
            }
            took |= self.commit(batch);
        }
        self.tried = settled;
        took
    }

    fn complete_plan(&mut self, plan: &PlanRow, looked: &Looked, batch: &mut Batch) -> bool {
        assert!(plan.status == PlanStatus::WaitingForSheets, "only plans that wait are asked for");
        let Ok(name) = plan.name.parse::<PlanName>() else { return false };
        let names: BTreeSet<SheetName> =
            match self.reader.read(|connection| store::tasks_of_plan(connection, plan.id)) {
                Ok(tasks) => tasks.iter().filter_map(|task| task.sheet.parse().ok()).collect(),
                Err(_) => return false,
            };
        match self.sheets_of(Path::new(&plan.folder), names.iter(), looked, batch) {
            Ok(found) => {
                if found.missing == 0 || !found.taken.is_empty() {
                    batch.add_sheets(plan.id, name, found);
                }
                false
            }
            Err(lookup::Problem::Conflict { sheet_place, refused }) => self.refuse(&sheet_place, &refused),
            Err(lookup::Problem::Later) => false,
        }
    }

    /// Sheets that are no files are refused even where no plan asks for them.
    fn refuse_links(&mut self, looked: &Looked) {
        for (candidate, _) in looked.of_kind(Kind::Sheet) {
            if matches!(candidate.thing, Thing::Other(..)) {
                self.bytes(candidate, 0, "");
            }
        }
    }

    fn sheet_json(&mut self, candidate: &Candidate) -> bool {
        let place = candidate.place.clone();
        // Base64 takes four bytes for three.
        let limit = self.options.max_sheet_bytes.saturating_mul(4) / 3 + (1 << 16);
        let Some(bytes) = self.bytes(candidate, limit, "`inbox.max_sheet_bytes`") else { return false };
        let text = match plan::text_of(&bytes) {
            Ok(text) => text,
            Err((faults, shown)) => return self.refuse(&place, &Refused::faults(&place, &shown, faults)),
        };
        let sheet = match plan::parse_sheet(text) {
            Ok(sheet) => sheet,
            Err(faults) => return self.refuse(&place, &Refused::faults(&place, text, faults)),
        };
        let name = sheet.name.to_string();
        let known = self.reader.read(|connection| store::sheet_by_name(connection, &name));
        let sha256 = hex(&sheet.content);
        if let Ok(Some(first)) = &known
            && first.sha256 != sha256
        {
            let refused = lookup::other_sheet(&place, &sheet.name, first, &sha256);
            return self.refuse(&place, &refused);
        }
        let put = self.sheets.put(&mut sheet.content.as_slice(), self.options.max_sheet_bytes);
        let put = put
            .map_err(io::Error::other)
            .and_then(|put| self.sheets.sync().map(|()| put).map_err(io::Error::other));
        let Some((sha256, size)) = self.attempt(&place, "it cannot be stored", put) else { return false };
        let row = store::SheetRow { name, sha256, size, taken_time: jiff::Timestamp::now().as_millisecond() };
        if let Err(error) = self.store.write_and_wait(move |connection| store::insert_sheet(connection, &row))
        {
            tracing::error!("a sheet could not be recorded: {error}");
            return false;
        }
        let folder = self.options.accepted.join(&sheet.name.project).join("sheets");
        let moved = shelf::move_into(&self.options.inbox.join(&place), &folder);
        self.tried.clear();
        self.attempt(&place, "it was taken in, but cannot be moved to accepted/", moved).is_some()
    }
}

fn other_plan(place: &Path, first: &PlanRow, sha256: &str) -> Refused {
    let taken = jiff::Timestamp::from_millisecond(first.accepted_time).unwrap_or_default();
    let message = format!(
        "the plan {} was taken in at {taken:.0} with other bytes (sha256 {}; this file has {sha256}); it stays as it is",
        first.name, first.sha256
    );
    Refused::sentence(place, message, "A plan never changes. Give this one another name.")
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
