//! The config: read whole, every fault at once with its place, secrets resolved and never shown. It knows no driver: an
//! instance's own settings are passed on as text.

mod error;
mod instance;
mod place;
mod read;
mod reading;
mod secret;
mod size;

pub use error::ConfigError;
pub use place::Places;

use reading::Secrets;
use runsheet_sdk::Settings;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the config is, unless somebody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/runsheet/config.toml";

/// The whole config.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where files are.
    pub folders: Folders,
    /// The daemon itself.
    pub daemon: DaemonSettings,
    /// What runs at once.
    pub scheduler: SchedulerSettings,
    /// How files are taken in.
    pub inbox: InboxSettings,
    /// The database servers, by name.
    pub instances: BTreeMap<String, Instance>,
    /// What is allowed, but worth a word.
    pub warnings: Vec<String>,
    /// Where each key was written.
    pub places: Places,
}

/// Where files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Plans and sheets are dropped here.
    pub inbox: PathBuf,
    /// Originals of what was taken in.
    pub accepted: PathBuf,
    /// What was refused, with why.
    pub rejected: PathBuf,
    /// What came of each plan.
    pub results: PathBuf,
    /// The daemon's own.
    pub state: PathBuf,
}

/// The daemon itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonSettings {
    /// The control socket.
    pub socket: PathBuf,
    /// The folder of drivers.
    pub plugins: PathBuf,
    /// How log lines look.
    pub log: LogFormat,
    /// Which log lines there are: `info`, or a filter such as `runsheet=debug`.
    pub log_level: String,
    /// How long running statements may go on when the daemon ends.
    pub drain_timeout: Duration,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For the journal where standard error is the journal, else for people.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
    /// With the journal's priorities.
    Journal,
}

/// What runs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchedulerSettings {
    /// Tasks of all plans.
    pub max_running_tasks: u32,
    /// When a stage has ended.
    pub stage_gate: StageGate,
}

/// When a stage has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageGate {
    /// When every task is DONE or SKIPPED.
    DoneOrSkipped,
    /// When every task is DONE, SKIPPED, FAILED or CANCELED.
    Ended,
}

/// How files are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxSettings {
    /// How long a file must be quiet before it is taken.
    pub settle: Duration,
    /// How long a plan that stops in the middle is waited for before it is refused.
    pub settle_max: Duration,
    /// How often the inbox is looked at when nothing wakes the daemon.
    pub rescan: Duration,
    /// The largest sheet.
    pub max_sheet_bytes: u64,
    /// The largest plan.
    pub max_plan_bytes: u64,
    /// How many files are looked at.
    pub max_files: usize,
}

/// A database server.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// How many connections there may be at once.
    pub max_connections: u32,
    /// Where it is recorded what has taken effect.
    pub ledger: Ledger,
    /// Whether a statement that a dead daemon left running is ended, instead of waited for.
    pub cancel_orphans: bool,
    /// How often a run that failed by chance is tried in all.
    pub retry_attempts: u32,
    /// How long before its second try; each next waits twice as long.
    pub retry_backoff: Duration,
    /// The driver's own settings.
    pub settings: Settings,
}

/// Where it is recorded what has taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ledger {
    /// In a table of the target.
    Target,
    /// Only in the daemon's own state.
    None,
}

impl Config {
    /// Reads the file at `path`, then `conf.d/*.toml` beside it in the order of their names, then the variables
    /// `RUNSHEET_SECTION_KEY`.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        read::load(path, &mut std::env::vars(), Secrets::Read)
    }

    /// As [`Config::load_without_secrets`] for those who can do without any instance: where the file is the usual one and is
    /// not there, everything is as it is by itself.
    ///
    /// # Errors
    /// Everything that is wrong with a file that is there.
    pub fn load_if_there(path: &Path) -> Result<Self, ConfigError> {
        if path == Path::new(DEFAULT_PATH) && !path.exists() {
            return read::of_variables(&mut std::env::vars());
        }
        Self::load_without_secrets(path)
    }

    /// As [`Config::load`] for those who connect to no database: secrets stay where they are kept, and may be out of reach.
    ///
    /// # Errors
    /// Everything that is wrong besides.
    pub fn load_without_secrets(path: &Path) -> Result<Self, ConfigError> {
        read::load(path, &mut std::env::vars(), Secrets::Leave)
    }
}
