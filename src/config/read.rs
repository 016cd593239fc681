//! From files and variables to the config: merged first, then read section by section, with every fault kept.

use super::place::Places;
use super::reading::{Reading, Secrets};
use super::size::{bytes, duration};
use super::{
    Config, ConfigError, DaemonSettings, Folders, InboxSettings, LogFormat, SchedulerSettings, StageGate,
    instance,
};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

/// The sections and their keys; variables and the nearest known name need them.
const SECTIONS: &[(&str, &[&str])] = &[
    ("folders", &["root", "inbox", "accepted", "rejected", "results", "state"]),
    ("daemon", &["socket", "plugins", "log", "log_level", "drain_timeout"]),
    ("scheduler", &["max_running_tasks", "stage_gate"]),
    ("inbox", &["settle", "settle_max", "rescan", "max_sheet_bytes", "max_plan_bytes", "max_files"]),
];
/// Keys that are named in the design of the config but mean nothing yet.
const NOT_BUILT: &[&str] = &["required_signatures", "allowed_signers", "approval"];
/// Where everything is, unless the config says otherwise.
const ROOT: &str = "/var/lib/runsheet";

pub(super) fn load(
    path: &Path,
    variables: &mut dyn Iterator<Item = (String, String)>,
    secrets: Secrets,
) -> Result<Config, ConfigError> {
    let mut reading = Reading::new(path.parent().unwrap_or(Path::new(".")), secrets);
    let mut whole = file(path, &mut reading)?;
    for extra in extra_files(path)? {
        merge(&mut whole, file(&extra, &mut reading)?);
    }
    put_together(whole, variables, reading)
}

/// A config without any file.
pub(super) fn of_variables(
    variables: &mut dyn Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    put_together(toml::Table::new(), variables, Reading::new(Path::new(""), Secrets::Leave))
}

fn put_together(
    mut whole: toml::Table,
    variables: &mut dyn Iterator<Item = (String, String)>,
    mut reading: Reading,
) -> Result<Config, ConfigError> {
    for (name, value) in variables {
        variable(&mut whole, &name, value, &mut reading);
    }
    let mut config = sections(&whole, &mut reading);
    (config.places, config.warnings) = reading.end().map_err(ConfigError::Faults)?;
    Ok(config)
}

fn file(path: &Path, reading: &mut Reading) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|why| ConfigError::Unreadable { path: path.to_path_buf(), why })?;
    let syntax = |why: toml::de::Error| ConfigError::syntax(path, &text, &why);
    let places = DeTable::parse(&text).map_err(syntax)?;
    let table: toml::Table = text.parse().map_err(syntax)?;
    reading.places.add_file(path, &text, places.get_ref());
    unknown(&table, reading);
    Ok(table)
}

fn extra_files(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = path.parent().unwrap_or(Path::new(".")).join("conf.d");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(ConfigError::Unreadable { path: folder, why }),
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    Ok(files)
}

/// A fault for each key that nobody knows, with its line.
fn unknown(table: &toml::Table, reading: &mut Reading) {
    let mut names: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    names.push("instances");
    for (name, value) in table {
        let Some((_, keys)) = SECTIONS.iter().find(|(section, _)| section == name) else {
            if name != "instances" {
                reading.fault(name, no_such(name, "section", &names));
            }
            continue;
        };
        if !value.is_table() {
            reading.fault(name, format!("`{name}` must be a section: [{name}]"));
        }
        for key in value.as_table().into_iter().flat_map(toml::Table::keys) {
            let place = format!("{name}.{key}");
            if NOT_BUILT.contains(&key.as_str()) {
                reading.fault(&place, format!("`{place}` is not built yet; take it out"));
            } else if !keys.contains(&key.as_str()) {
                reading.fault(&place, no_such(key, &format!("key of [{name}]"), keys));
            }
        }
    }
}

fn no_such(name: &str, what: &str, known: &[&str]) -> String {
    let near = known.iter().min_by_key(|known| strsim::damerau_levenshtein(name, known));
    let help = match near {
        Some(near) if strsim::damerau_levenshtein(name, near) <= 3 => format!("did you mean `{near}`?"),
        _ => format!("there are: {}", known.join(", ")),
    };
    format!("`{name}` is no {what}; {help}")
}

/// The later one wins; tables are put together, everything else is replaced.
fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// `RUNSHEET_SECTION_KEY`; variables of other names that begin so are other programs' business, but a section's must be known.
fn variable(whole: &mut toml::Table, name: &str, value: String, reading: &mut Reading) {
    let Some(rest) = name.strip_prefix("RUNSHEET_") else { return };
    let rest = rest.to_lowercase();
    for (section, keys) in SECTIONS {
        let Some(key) = rest.strip_prefix(section).and_then(|rest| rest.strip_prefix('_')) else { continue };
        if !keys.contains(&key) {
            let known = keys.join(", ");
            // Whatever a file has at such a key, the variable is what is wrong.
            reading.places.add_variable(name, name);
            reading.fault(name, format!("the variable names no key of [{section}]; there are: {known}"));
            return;
        }
        let value = match value.parse::<i64>() {
            Ok(number) => toml::Value::Integer(number),
            Err(_) => toml::Value::String(value),
        };
        let table = whole.entry(*section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let Some(table) = table.as_table_mut() {
            table.insert(key.to_owned(), value);
            reading.places.add_variable(&format!("{section}.{key}"), name);
        }
        return;
    }
}

/// A table being read.
pub(super) struct Section<'a> {
    place: &'a str,
    left: toml::Table,
    reading: &'a mut Reading,
}

impl<'a> Section<'a> {
    pub fn new(place: &'a str, table: Option<&toml::Table>, reading: &'a mut Reading) -> Self {
        Self { place, left: table.cloned().unwrap_or_default(), reading }
    }

    fn take<T>(
        &mut self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&toml::Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.left.remove(key)?;
        let found = read(&value);
        if found.is_none() {
            let place = format!("{}.{key}", self.place);
            self.reading.fault(&place, format!("`{place}` must be {wanted}, not {value}"));
        }
        found
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        self.take(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    pub fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key).map(|text| self.reading.path(&text))
    }

    pub fn word(&mut self, key: &str, words: &[&str]) -> Option<String> {
        let wanted = format!("one of {}", words.join(", "));
        self.take(key, &wanted, |value| value.as_str().filter(|word| words.contains(word)).map(str::to_owned))
    }

    pub fn number(&mut self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let wanted = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        self.take(key, &wanted, |value| {
            value
                .as_integer()
                .and_then(|number| u64::try_from(number).ok())
                .filter(|number| bounds.contains(number))
        })
    }

    pub fn table(&mut self, key: &str) -> Option<toml::Table> {
        self.take(key, "a table", |value| value.as_table().cloned())
    }

    pub fn duration(&mut self, key: &str) -> Option<Duration> {
        self.take(key, "a duration such as \"2s\" or \"1h 30m\"", duration)
    }

    fn bytes(&mut self, key: &str) -> Option<u64> {
        self.take(key, "a size such as \"2 GiB\"", bytes)
    }

    /// What nobody asked for.
    pub fn rest(self) -> toml::Table {
        self.left
    }
}

fn sections(whole: &toml::Table, reading: &mut Reading) -> Config {
    let table = |name: &str| whole.get(name).and_then(toml::Value::as_table);
    let folders = folders(&mut Section::new("folders", table("folders"), reading));
    let daemon = daemon(&mut Section::new("daemon", table("daemon"), reading));
    let mut section = Section::new("scheduler", table("scheduler"), reading);
    let running = section.number("max_running_tasks", 1..=10_000).unwrap_or(16);
    let gate = section.word("stage_gate", &["done", "ended"]);
    let scheduler = SchedulerSettings {
        max_running_tasks: u32::try_from(running).unwrap_or(u32::MAX),
        stage_gate: if gate.as_deref() == Some("ended") {
            StageGate::Ended
        } else {
            StageGate::DoneOrSkipped
        },
    };
    let mut section = Section::new("inbox", table("inbox"), reading);
    let inbox = InboxSettings {
        settle: section.duration("settle").unwrap_or(Duration::from_secs(2)),
        settle_max: section.duration("settle_max").unwrap_or(Duration::from_secs(60)),
        rescan: section.duration("rescan").unwrap_or(Duration::from_secs(30)).max(Duration::from_secs(1)),
        max_sheet_bytes: section.bytes("max_sheet_bytes").unwrap_or(4 << 30),
        max_plan_bytes: section.bytes("max_plan_bytes").unwrap_or(64 << 20),
        max_files: usize::try_from(section.number("max_files", 1..=10_000_000).unwrap_or(1_000_000))
            .unwrap_or(usize::MAX),
    };
    let mut instances = BTreeMap::new();
    for (name, value) in table("instances").into_iter().flatten() {
        match value.as_table() {
            Some(table) => {
                if let Some(instance) = instance::read(name, table, reading) {
                    instances.insert(name.clone(), instance);
                }
            }
            None => {
                let place = format!("instances.{name}");
                reading.fault(&place, format!("`{place}` must be a table: [{place}]"));
            }
        }
    }
    Config { folders, daemon, scheduler, inbox, instances, warnings: Vec::new(), places: Places::default() }
}

fn folders(section: &mut Section<'_>) -> Folders {
    let root = section.path("root").unwrap_or_else(|| PathBuf::from(ROOT));
    let mut folder = |name: &str| section.path(name).unwrap_or_else(|| root.join(name));
    Folders {
        inbox: folder("inbox"),
        accepted: folder("accepted"),
        rejected: folder("rejected"),
        results: folder("results"),
        state: folder("state"),
    }
}

fn daemon(section: &mut Section<'_>) -> DaemonSettings {
    let log = section.word("log", &["auto", "human", "json", "journal"]);
    DaemonSettings {
        socket: section.path("socket").unwrap_or_else(|| PathBuf::from("/run/runsheet/runsheet.sock")),
        plugins: section.path("plugins").unwrap_or_else(plugins),
        log: match log.as_deref() {
            Some("human") => LogFormat::Human,
            Some("json") => LogFormat::Json,
            Some("journal") => LogFormat::Journal,
            Some(_) | None => LogFormat::Auto,
        },
        log_level: section.text("log_level").unwrap_or_else(|| "info".to_owned()),
        drain_timeout: section.duration("drain_timeout").unwrap_or(Duration::from_secs(600)),
    }
}

/// The drivers beside the program, where there are some (a build that was not installed), else the installed ones.
fn plugins() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_path_buf));
    let has_drivers = |folder: &PathBuf| {
        std::fs::read_dir(folder).is_ok_and(|mut entries| {
            entries.any(|entry| {
                entry
                    .is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("librunsheet_driver_"))
            })
        })
    };
    beside.filter(has_drivers).unwrap_or_else(|| PathBuf::from("/usr/lib/runsheet/drivers"))
}
