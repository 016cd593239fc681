//! An instance's settings. What they mean for a file is in `place` and `connection`.

use runsheet_sdk::{Error, Settings};
use std::path::PathBuf;
use std::time::Duration;

const KNOWN: &[&str] = &[
    "directory",
    "extension",
    "create",
    "busy_timeout",
    "journal_mode",
    "synchronous",
    "foreign_keys",
    "attach",
];

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const BUSY_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);

/// MEMORY and OFF are left out: a crash under them can leave half a transaction in the file.
const JOURNAL_MODES: &[&str] = &["delete", "truncate", "persist", "wal"];
const SYNCHRONOUS: &[&str] = &["normal", "full", "extra"];

/// The settings, read.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The folder that holds one file for each database.
    pub directory: PathBuf,
    /// What is put behind a database's name to make the file's, unless a file of the bare name is there.
    pub extension: String,
    /// Whether a file that is missing is made.
    pub create: bool,
    /// How long another program's lock on the file is waited for.
    pub busy_timeout: Duration,
    /// The journal mode that each session sets; nothing leaves the file's own.
    pub journal_mode: Option<String>,
    /// How much of a commit must be on the disk before it is said to be one.
    pub synchronous: String,
    /// Whether foreign keys are enforced; off, as in the sqlite3 shell.
    pub foreign_keys: bool,
    /// Whether a sheet may open other files, by ATTACH and by VACUUM INTO.
    pub attach: bool,
}

/// The value, or the default and a fault.
fn take<T>(faults: &mut Vec<Error>, read: Result<T, Error>, default: T) -> T {
    read.unwrap_or_else(|fault| {
        faults.push(fault);
        default
    })
}

impl Options {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every fault of them.
    pub fn read(settings: &Settings) -> Result<Self, Vec<Error>> {
        let mut faults = settings.unknown(KNOWN);
        let faulty = &mut faults;
        let options = Self {
            directory: take(faulty, directory(settings), PathBuf::new()),
            extension: take(faulty, extension(settings), String::new()),
            create: take(faulty, settings.flag("create", false), false),
            busy_timeout: take(faulty, busy_timeout(settings), BUSY_TIMEOUT),
            journal_mode: take(faulty, journal_mode(settings), None),
            synchronous: take(
                faulty,
                settings.word("synchronous", "extra", SYNCHRONOUS).map(str::to_owned),
                String::new(),
            ),
            foreign_keys: take(faulty, settings.flag("foreign_keys", false), false),
            attach: take(faulty, settings.flag("attach", false), false),
        };
        if faults.is_empty() { Ok(options) } else { Err(faults) }
    }
}

fn directory(settings: &Settings) -> Result<PathBuf, Error> {
    let directory = PathBuf::from(settings.required("directory")?);
    if directory.is_absolute() {
        return Ok(directory);
    }
    Err(Error::setting(
        "directory",
        format!(
            "`directory` must be an absolute path, which {} is not; a service has no folder of its own to begin from",
            directory.display()
        ),
    ))
}

fn extension(settings: &Settings) -> Result<String, Error> {
    let extension = settings.text("extension").unwrap_or(".db");
    if extension.contains(['/', '\0']) || !(extension.is_empty() || extension.starts_with('.')) {
        return Err(Error::setting(
            "extension",
            format!(
                "`extension` must be empty or begin with a dot and have no slash, as \".db\"; it is {extension:?}"
            ),
        ));
    }
    Ok(extension.to_owned())
}

fn busy_timeout(settings: &Settings) -> Result<Duration, Error> {
    let timeout = settings.duration("busy_timeout", BUSY_TIMEOUT)?;
    if timeout > BUSY_TIMEOUT_MAX {
        return Err(Error::setting("busy_timeout", "`busy_timeout` must be at most 24h"));
    }
    Ok(timeout)
}

fn journal_mode(settings: &Settings) -> Result<Option<String>, Error> {
    if settings.text("journal_mode").is_none() {
        return Ok(None);
    }
    settings.word("journal_mode", "", JOURNAL_MODES).map(|mode| Some(mode.to_owned()))
}
