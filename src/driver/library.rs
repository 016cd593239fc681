//! One driver library: judged before it is mapped, checked before it is called, never unloaded.

use super::connection::{self, Connection};
use super::error::LoadError;
use super::splitter::Splitter;
use super::trust;
use libloading::os::unix::{Library as Mapped, RTLD_LOCAL, RTLD_NOW};
use runsheet_sdk::abi::{
    RSD_ABI_MINOR, RSD_FAILED, RSD_OK, rsd_batch, rsd_driver, rsd_entry, rsd_host, rsd_judge, rsd_ledger,
    rsd_load, rsd_lock, rsd_open_args, rsd_option, rsd_split, rsd_str,
};
use runsheet_sdk::sink::{Collected, size};
use runsheet_sdk::text::{lend, string};
use runsheet_sdk::{Error, Facts, Failure, Notice, Settings};
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

/// glibc's flag against unloading: a library with thread-local destructors or threads of its own
/// must stay mapped, whatever happens.
const RTLD_NODELETE: i32 = 0x1000;

/// A loaded driver. Copies are cheap, and it lives as long as the process.
#[derive(Clone, Copy)]
pub struct Library(&'static Loaded);

struct Loaded {
    path: PathBuf,
    name: String,
    version: String,
    title: String,
    driver: &'static rsd_driver,
    extensions: Extensions,
}

/// The tables of the extensions that the driver has.
#[derive(Clone, Copy)]
pub(super) struct Extensions {
    pub split: Option<&'static rsd_split>,
    pub lock: Option<&'static rsd_lock>,
    pub ledger: Option<&'static rsd_ledger>,
    pub load: Option<&'static rsd_load>,
    pub judge: Option<&'static rsd_judge>,
    pub batch: Option<&'static rsd_batch>,
}

// SAFETY: the tables are constants of the library, which is never unloaded (rule 1), and their functions
// are called under rule 4, which `Connection` and `Splitter` keep by borrowing themselves mutably.
unsafe impl Send for Loaded {}
// SAFETY: as above.
unsafe impl Sync for Loaded {}

impl Library {
    /// Judges, maps and starts the library at `path`.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Self::load_unless(path, |_| None)
    }

    /// The same, but a library whose name is `taken` by another file is not started.
    pub(super) fn load_unless(
        path: &Path,
        taken: impl FnOnce(&str) -> Option<PathBuf>,
    ) -> Result<Self, LoadError> {
        trust::judge(path)?;
        // SAFETY: mapping runs the library's constructors; `trust` has shown that only root or
        // the daemon's user could have written it, which is the trust that a plugin needs.
        let mapped = unsafe { Mapped::open(Some(path), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) }
            .map_err(|error| LoadError::Unloadable { path: path.into(), why: said(&error) })?;
        let mapped = ManuallyDrop::new(mapped);
        // SAFETY: the symbol's type is fixed by the ABI's major version, which is in its name.
        let entry = unsafe { mapped.get::<*const rsd_entry>(b"rsd_entry_v1\0") }
            .map_err(|error| LoadError::NoEntry { path: path.into(), why: said(&error) })?;
        // SAFETY: the symbol is a constant in a library that stays mapped.
        let entry: Option<&'static rsd_entry> = unsafe { (*entry).as_ref() };
        let entry =
            entry.ok_or_else(|| LoadError::NoEntry { path: path.into(), why: "it is NULL".to_owned() })?;
        start(path, entry, taken)
    }

    /// The file.
    pub fn path(&self) -> &'static Path {
        &self.0.path
    }

    /// The name that `driver = "…"` means.
    pub fn name(&self) -> &'static str {
        &self.0.name
    }

    /// The driver's version.
    pub fn version(&self) -> &'static str {
        &self.0.version
    }

    /// What it speaks to, for people.
    pub fn title(&self) -> &'static str {
        &self.0.title
    }

    /// What is true of its engine.
    pub fn facts(&self) -> Facts {
        Facts(self.0.driver.facts)
    }

    /// The raw table of functions, for those who prove what no safe call can show.
    pub fn table(&self) -> &'static rsd_driver {
        self.0.driver
    }

    /// The extensions that it has, by name.
    pub fn extensions(&self) -> Vec<&'static str> {
        let has = &self.0.extensions;
        [
            (has.split.is_some(), "rsd.split/1"),
            (has.lock.is_some(), "rsd.lock/1"),
            (has.ledger.is_some(), "rsd.ledger/1"),
            (has.load.is_some(), "rsd.load/1"),
            (has.judge.is_some(), "rsd.judge/1"),
            (has.batch.is_some(), "rsd.batch/1"),
        ]
        .into_iter()
        .filter(|(there, _)| *there)
        .map(|(_, name)| name)
        .collect()
    }

    /// Every fault of an instance's settings that can be seen without connecting.
    pub fn check(&self, settings: &Settings) -> Vec<Error> {
        let Some(check) = self.0.driver.check else { return Vec::new() };
        let mut dropped = |_: usize, _: Notice| {};
        let mut collected = Collected::new(&mut dropped);
        let sink = collected.sink();
        let status = with_args(settings, "", "", |args| {
            // SAFETY: rule 3: arguments and sink live during the call; `start` saw that the function is there.
            unsafe { check(args, &sink) }
        });
        let failed = status != RSD_OK && (status != RSD_FAILED || collected.errors.is_empty());
        // Settings that the driver could not judge are not good ones.
        let unsaid = failed.then(|| collected.error(Failure::from_abi(status)));
        let mut faults = std::mem::take(&mut collected.errors);
        faults.extend(unsaid);
        faults
    }

    /// Connects to a database. `label` is what the session calls itself on the server.
    pub fn open(
        &self,
        settings: &Settings,
        database: &str,
        label: &str,
        notices: &mut dyn FnMut(Notice),
    ) -> Result<Connection, Error> {
        with_args(settings, database, label, |args| {
            connection::open(self.0.driver, self.0.extensions, args, notices)
        })
    }

    /// Begins to split a sheet.
    pub fn split(&self, settings: &Settings) -> Result<Splitter, Error> {
        with_args(settings, "", "", |args| Splitter::start(self.0.extensions.split, args))
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("name", &self.0.name).field("path", &self.0.path).finish()
    }
}

/// What the system said, which libloading has as the error's source.
fn said(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn start(
    path: &Path,
    entry: &'static rsd_entry,
    taken: impl FnOnce(&str) -> Option<PathBuf>,
) -> Result<Library, LoadError> {
    large_enough::<rsd_entry>(path, "entry", entry.struct_size)?;
    // SAFETY: the entry's texts are constants of the library.
    let (name, version, title) = unsafe {
        (
            string(entry.name).into_owned(),
            string(entry.version).into_owned(),
            string(entry.title).into_owned(),
        )
    };
    let well_formed = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !well_formed {
        return Err(LoadError::BadName { path: path.into(), name });
    }
    if let Some(first) = taken(&name) {
        return Err(LoadError::Twice { path: path.into(), name, first });
    }
    let begin = entry.start.ok_or(LoadError::Missing { path: path.into(), function: "start" })?;
    let host: &'static rsd_host = Box::leak(Box::new(rsd_host {
        struct_size: size::<rsd_host>(),
        abi_minor: RSD_ABI_MINOR,
        // The driver's name, for its log lines; leaked, since the driver may log for ever.
        ctx: Box::into_raw(Box::new(name.clone())).cast::<c_void>(),
        log: Some(log),
    }));
    // SAFETY: called once for each library, before anything else; the host's table lives for ever.
    let driver: Option<&'static rsd_driver> = unsafe { begin(host).as_ref() };
    let driver = driver.ok_or(LoadError::Refused { path: path.into() })?;
    large_enough::<rsd_driver>(path, "function table", driver.struct_size)?;
    let functions = [
        ("check", driver.check.is_some()),
        ("open", driver.open.is_some()),
        ("close", driver.close.is_some()),
        ("reset", driver.reset.is_some()),
        ("ping", driver.ping.is_some()),
        ("identify", driver.identify.is_some()),
        ("execute", driver.execute.is_some()),
        ("begin", driver.begin.is_some()),
        ("commit", driver.commit.is_some()),
        ("rollback", driver.rollback.is_some()),
        ("cancel", driver.cancel.is_some()),
        ("extension", driver.extension.is_some()),
    ];
    if let Some((function, _)) = functions.into_iter().find(|(_, there)| !there) {
        return Err(LoadError::Missing { path: path.into(), function });
    }
    let extensions = extensions(path, driver)?;
    Ok(Library(Box::leak(Box::new(Loaded { path: path.into(), name, version, title, driver, extensions }))))
}

fn extensions(path: &Path, driver: &'static rsd_driver) -> Result<Extensions, LoadError> {
    let found = Extensions {
        split: extension(path, driver, "rsd.split/1", |table: &rsd_split| {
            (table.struct_size, table.start.is_some() && table.next.is_some() && table.finish.is_some())
        })?,
        lock: extension(path, driver, "rsd.lock/1", |table: &rsd_lock| {
            // `end_holder` may be missing: then an earlier session can only be waited for.
            (table.struct_size, table.try_lock.is_some() && table.unlock.is_some())
        })?,
        ledger: extension(path, driver, "rsd.ledger/1", |table: &rsd_ledger| {
            let whole = table.prepare.is_some()
                && table.write.is_some()
                && table.read.is_some()
                && table.find_version.is_some();
            (table.struct_size, whole)
        })?,
        load: extension(path, driver, "rsd.load/1", |table: &rsd_load| {
            (table.struct_size, table.begin.is_some() && table.rows.is_some() && table.end.is_some())
        })?,
        judge: extension(path, driver, "rsd.judge/1", |table: &rsd_judge| {
            let whole = table.observe.is_some()
                && table.execute.is_some()
                && table.judge.is_some()
                && table.vet.is_some()
                && table.advise.is_some();
            (table.struct_size, whole)
        })?,
        batch: extension(path, driver, "rsd.batch/1", |table: &rsd_batch| {
            (table.struct_size, table.execute.is_some())
        })?,
    };
    if found.split.is_none() {
        return Err(LoadError::Missing { path: path.into(), function: "rsd.split/1" });
    }
    Ok(found)
}

/// The table of an extension, if the driver has it whole.
fn extension<T>(
    path: &Path,
    driver: &'static rsd_driver,
    id: &'static str,
    look: impl Fn(&T) -> (u32, bool),
) -> Result<Option<&'static T>, LoadError> {
    let Some(ask) = driver.extension else { return Ok(None) };
    // SAFETY: may be called from any thread; the table is a constant of the library.
    let Some(table) = (unsafe { ask(lend(id.as_bytes())).cast::<T>().as_ref() }) else { return Ok(None) };
    let (struct_size, whole) = look(table);
    large_enough::<T>(path, id, struct_size)?;
    if whole { Ok(Some(table)) } else { Err(LoadError::Missing { path: path.into(), function: id }) }
}

fn large_enough<T>(path: &Path, table: &'static str, found: u32) -> Result<(), LoadError> {
    let needed = size::<T>();
    if found >= needed {
        Ok(())
    } else {
        Err(LoadError::TooSmall { path: path.into(), table, found, needed })
    }
}

/// Borrows settings as the ABI's arguments for one call.
fn with_args<R>(
    settings: &Settings,
    database: &str,
    label: &str,
    call: impl FnOnce(&rsd_open_args) -> R,
) -> R {
    let options: Vec<rsd_option> = settings
        .iter()
        .map(|(key, value, secret)| rsd_option {
            key: lend(key.as_bytes()),
            value: lend(value.as_bytes()),
            secret: u32::from(secret),
        })
        .collect();
    call(&rsd_open_args {
        struct_size: size::<rsd_open_args>(),
        option_count: u32::try_from(options.len()).unwrap_or(u32::MAX),
        options: options.as_ptr(),
        database: lend(database.as_bytes()),
        label: lend(label.as_bytes()),
    })
}

unsafe extern "C" fn log(ctx: *mut c_void, level: u32, message: rsd_str) {
    // Rule 5: nothing unwinds into the driver; a line that cannot be written is not worth more.
    let _ = std::panic::catch_unwind(|| {
        // SAFETY: `ctx` is the leaked name of `start`, `message` lives during the call.
        let (driver, message) = unsafe { (&*ctx.cast::<String>(), string(message)) };
        match level {
            1 => tracing::error!(driver, "{message}"),
            2 => tracing::warn!(driver, "{message}"),
            3 => tracing::info!(driver, "{message}"),
            4 => tracing::debug!(driver, "{message}"),
            _ => tracing::trace!(driver, "{message}"),
        }
    });
}
