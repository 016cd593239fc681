//! The plans and sheets that were accepted: from the files in `accepted/`, the sheets' bytes in the state folder, and what the damaged
//! state still has. A text counts only with its hash; a sheet's name only where nothing contradicts it.

use super::Error;
use crate::config::Folders;
use crate::inbox::{is_plan, is_sheet, plan_name, sheet_places};
use crate::plan::{self, Plan, PlanName, SheetName};
use crate::store::{Millis, PlanRow, Salvage};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A plan that was accepted.
#[derive(Debug)]
pub(super) struct FoundPlan {
    pub parsed: Plan,
    pub text: String,
    pub sha256: String,
    /// The folder of the inbox that it came in, where the damaged state still says that.
    pub folder: String,
    pub accepted_time: Millis,
    /// Where it was found.
    pub source: String,
}

/// The bytes that a sheet's name stands for.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    pub sha256: String,
    pub size: u64,
    /// A file that has them.
    pub path: PathBuf,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub plans: Vec<FoundPlan>,
    /// By the sheet's name.
    pub sheets: BTreeMap<String, Bytes>,
    /// Whether there are bytes of sheets that no name stands for.
    pub has_nameless: bool,
    /// What people should know.
    pub notes: Vec<String>,
    /// All bytes of sheets, by their hash.
    bytes: HashMap<String, Bytes>,
    /// The hashes of the plans, by their names.
    names: HashMap<String, String>,
}

/// The plans of the damaged state, by their names.
type Rows<'a> = HashMap<&'a str, &'a PlanRow>;

impl Files {
    pub fn read(folders: &Folders, old: &Salvage) -> Result<Self, Error> {
        let mut files = Self::default();
        for path in files_in(&folders.state.join("sheets"))? {
            files.add_stored(path)?;
        }
        let rows: Rows<'_> = old.plans.iter().map(|row| (row.name.as_str(), row)).collect();
        let mut shelves = Vec::new();
        for project in folders_in(&folders.accepted)? {
            for shelf in folders_in(&project)? {
                shelves.push(files.shelf(&project, &shelf, &rows)?);
            }
        }
        files.add_salvaged_plans(old);
        files.add_dropped_plans(&folders.inbox)?;
        for row in old.plans.iter().filter(|row| !files.names.contains_key(&row.name)) {
            files.notes.push(format!(
                "the damaged state knew the plan {} ({}), whose file is not in accepted/ and whose text cannot be read: it is not rebuilt",
                row.name, row.status
            ));
        }
        files
            .plans
            .sort_by(|one, two| (one.accepted_time, &one.source).cmp(&(two.accepted_time, &two.source)));
        let places: HashMap<String, usize> =
            files.plans.iter().map(|plan| plan.parsed.name.to_string()).zip(0..).collect();
        for shelf in &shelves {
            if let Some(place) = places.get(&shelf.name) {
                files.name_sheets(shelf, *place);
            }
        }
        files.add_salvaged_sheets(old);
        let named: BTreeSet<&String> = files.sheets.values().map(|bytes| &bytes.sha256).collect();
        files.has_nameless = files.bytes.keys().any(|sha256| !named.contains(sha256));
        Ok(files)
    }

    /// A file that has the bytes of a sheet.
    pub fn path(&self, sheet: &str) -> Option<PathBuf> {
        self.sheets.get(sheet).map(|bytes| bytes.path.clone())
    }

    /// It is known which bytes a sheet has, where they are here.
    pub fn stands_for(&mut self, sheet: &str, sha256: &str) {
        if let Some(bytes) = self.bytes.get(sha256) {
            self.sheets.insert(sheet.to_owned(), bytes.clone());
        }
    }

    /// The sheets of a plan that are not known.
    pub fn missing(&self, plan: &Plan) -> Vec<String> {
        let names: BTreeSet<String> =
            plan.steps.iter().flat_map(|step| &step.specs).map(|spec| spec.sheet.to_string()).collect();
        names.into_iter().filter(|name| !self.sheets.contains_key(name)).collect()
    }

    /// The bytes of a sheet in the state folder, which has them under their hash.
    fn add_stored(&mut self, path: PathBuf) -> Result<(), Error> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name.starts_with('.') {
            return Ok(());
        }
        let (sha256, size) = hash(&path).map_err(reading(&path))?;
        if sha256 == name {
            self.bytes.insert(sha256.clone(), Bytes { sha256, size, path });
        } else {
            self.notes.push(format!(
                "{} does not have the bytes that it is named after, and is not used",
                path.display()
            ));
        }
        Ok(())
    }

    /// Takes the plan of a shelf, and gives the sheets that lie beside it.
    fn shelf(&mut self, project: &Path, shelf: &Path, rows: &Rows<'_>) -> Result<Shelf, Error> {
        let text = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = format!(
            "projects/{}/plans/{}",
            text(project).unwrap_or_default(),
            text(shelf).unwrap_or_default()
        );
        let mut found = Shelf { name: name.clone(), sheets: BTreeMap::new() };
        for path in files_in(shelf)? {
            let Some(file) = text(&path) else { continue };
            let bare = without_number(&file);
            if is_plan(Path::new(bare)) {
                self.plan_file(&path, &name, rows)?;
            } else if is_sheet(Path::new(bare)) && bare.ends_with(".json") {
                self.sheet_json(&path)?;
            } else if is_sheet(Path::new(bare)) {
                let (sha256, size) = hash(&path).map_err(reading(&path))?;
                self.bytes.entry(sha256.clone()).or_insert(Bytes { sha256: sha256.clone(), size, path });
                found.sheets.entry(bare.to_owned()).or_default().insert(sha256);
            }
        }
        Ok(found)
    }

    fn plan_file(&mut self, path: &Path, name: &str, rows: &Rows<'_>) -> Result<(), Error> {
        let bytes = fs::read(path).map_err(reading(path))?;
        let changed = fs::metadata(path).map_err(reading(path))?.ctime();
        let source = path.display().to_string();
        let row = rows.get(name);
        let Some(parsed) = parse(&bytes, name) else {
            self.notes.push(format!("{source} is not the plan {name}, and is passed over"));
            return Ok(());
        };
        let sha256 = hex::encode(Sha256::digest(&bytes));
        self.add_plan(FoundPlan {
            parsed,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            sha256,
            folder: row.map(|row| row.folder.clone()).unwrap_or_default(),
            accepted_time: row.map_or(changed * 1000, |row| row.accepted_time),
            source,
        });
        Ok(())
    }

    fn sheet_json(&mut self, path: &Path) -> Result<(), Error> {
        let bytes = fs::read(path).map_err(reading(path))?;
        let sheet = plan::text_of(&bytes).ok().and_then(|text| plan::parse_sheet(text).ok());
        match sheet {
            Some(sheet) => {
                // Its text is in base64 here; the state folder has it as it is.
                let sha256 = hex::encode(Sha256::digest(&sheet.content));
                self.stands_for(&sheet.name.to_string(), &sha256);
            }
            None => self.notes.push(format!("{} is no sheet, and is passed over", path.display())),
        }
        Ok(())
    }

    /// Plans whose file is not in `accepted/` any more, or not yet.
    fn add_salvaged_plans(&mut self, old: &Salvage) {
        for row in &old.plans {
            let Some(text) = old.texts.get(&row.id) else { continue };
            if self.names.contains_key(&row.name)
                || hex::encode(Sha256::digest(text.as_bytes())) != row.sha256
            {
                continue;
            }
            let Some(parsed) = parse(text.as_bytes(), &row.name) else { continue };
            self.add_plan(FoundPlan {
                parsed,
                text: text.clone(),
                sha256: row.sha256.clone(),
                folder: row.folder.clone(),
                accepted_time: row.accepted_time,
                source: "the damaged state".to_owned(),
            });
        }
    }

    /// Plans in the inbox: they may have been taken in already, and their file not moved yet. Held, they do no harm.
    fn add_dropped_plans(&mut self, inbox: &Path) -> Result<(), Error> {
        let mut places = vec![inbox.to_path_buf()];
        while let Some(place) = places.pop() {
            places.extend(folders_in(&place)?);
            for path in files_in(&place)? {
                let below = path.strip_prefix(inbox).unwrap_or(&path);
                if !is_plan(below) {
                    continue;
                }
                let bytes = fs::read(&path).map_err(reading(&path))?;
                // What is no plan, or not whole yet, was never taken in.
                let place = plan::Place { name: plan_name(below), instances: None };
                let parsed = plan::text_of(&bytes).ok().and_then(|text| plan::parse(text, &place).ok());
                let Some(parsed) = parsed else { continue };
                let folder = below.parent().unwrap_or(Path::new("")).to_string_lossy().into_owned();
                self.add_plan(FoundPlan {
                    parsed,
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                    sha256: hex::encode(Sha256::digest(&bytes)),
                    folder,
                    accepted_time: fs::metadata(&path).map_err(reading(&path))?.ctime() * 1000,
                    source: path.display().to_string(),
                });
            }
        }
        Ok(())
    }

    /// The first of a name counts: a plan never changes.
    fn add_plan(&mut self, plan: FoundPlan) {
        let name = plan.parsed.name.to_string();
        match self.names.get(&name) {
            Some(first) if *first == plan.sha256 => {}
            Some(_) => {
                self.notes.push(format!("{} is {name} with other bytes, and is passed over", plan.source))
            }
            None => {
                self.names.insert(name, plan.sha256.clone());
                self.plans.push(plan);
            }
        }
    }

    /// The names that the sheets on a shelf have in its plan, as far as a file can be one sheet only.
    fn name_sheets(&mut self, shelf: &Shelf, place: usize) {
        let Some(plan) = self.plans.get(place) else { return };
        let mut names: BTreeMap<String, BTreeSet<&SheetName>> = BTreeMap::new();
        for spec in plan.parsed.steps.iter().flat_map(|step| &step.specs) {
            for place in sheet_places(Path::new(""), &spec.sheet) {
                let file = place.file_name().map(|name| name.to_string_lossy().into_owned());
                names.entry(file.unwrap_or_default()).or_default().insert(&spec.sheet);
            }
        }
        let mut named = Vec::new();
        for (file, bytes) in &shelf.sheets {
            let one = names.get(file).filter(|names| names.len() == 1).and_then(|names| names.first());
            if let (Some(name), Some(sha256), 1) = (one, bytes.first(), bytes.len()) {
                named.push((name.to_string(), sha256.clone()));
            }
        }
        for (name, sha256) in named {
            self.stands_for(&name, &sha256);
        }
    }

    fn add_salvaged_sheets(&mut self, old: &Salvage) {
        for row in &old.sheets {
            if !self.sheets.contains_key(&row.name) {
                self.stands_for(&row.name, &row.sha256);
            }
        }
    }
}

/// A folder of what was taken in with one plan.
struct Shelf {
    /// The plan.
    name: String,
    /// The files that may be sheets, by their names without a number, and the hashes of all that have that name.
    sheets: BTreeMap<String, BTreeSet<String>>,
}

fn parse(bytes: &[u8], name: &str) -> Option<Plan> {
    let name: PlanName = name.parse().ok()?;
    let text = plan::text_of(bytes).ok()?;
    let parsed = plan::parse(text, &plan::Place { name: Some(name.clone()), instances: None }).ok()?;
    (parsed.name == name).then_some(parsed)
}

/// A second file of a name has a number behind it.
fn without_number(file: &str) -> &str {
    match file.rsplit_once('.') {
        Some((bare, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            bare
        }
        _ => file,
    }
}

fn reading(path: &Path) -> impl Fn(io::Error) -> Error {
    move |why| Error::Accepted { path: path.to_path_buf(), why }
}

/// What is in a folder, by its names; nothing where it is missing.
fn entries(folder: &Path, fits: impl Fn(&fs::FileType) -> bool) -> Result<Vec<PathBuf>, Error> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(reading(folder))?,
    };
    let mut found = Vec::new();
    for entry in read {
        let entry = entry.map_err(reading(folder))?;
        if fits(&entry.file_type().map_err(reading(folder))?) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    entries(folder, fs::FileType::is_dir)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    entries(folder, fs::FileType::is_file)
}

fn hash(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut chunk = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
        size += read as u64;
    }
    Ok((hex::encode(hash.finalize()), size))
}
