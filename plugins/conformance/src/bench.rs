//! What every case works with: sessions through the real loader, tables of its own, and limits for waiting.

use crate::surroundings::Watched;
use crate::target::Target;
use anyhow::{Context, Result, bail};
use runsheet::driver::{CancelHandle, Connection, Library};
use runsheet_sdk::{Error, Identity, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How often a cancel is said again.
pub(crate) const CANCEL_AGAIN: Duration = Duration::from_millis(10);

/// What sessions of the suite call themselves.
pub(crate) const LABEL: &str = "runsheet conformance";

/// The driver under trial.
pub(crate) struct Bench {
    pub target: Target,
    pub library: Library,
    pub watched: Watched,
    pub random: Random,
}

impl Bench {
    /// A session on the database.
    pub fn open(&self) -> Result<Connection> {
        self.open_on(&self.target.database)
    }

    /// A session on another database.
    pub fn open_on(&self, database: &str) -> Result<Connection> {
        self.library
            .open(&self.target.settings, database, LABEL, &mut |_| {})
            .with_context(|| format!("{database} could not be opened"))
    }

    /// The name of a table that nobody has made.
    pub fn fresh_name(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// A task that no other case has.
    pub fn fresh_task(&self) -> String {
        format!("{:064x}", self.random.below(u64::MAX))
    }

    /// A new table.
    pub fn table(&self, connection: &mut Connection) -> Result<String> {
        let table = self.fresh_name();
        say(connection, &on(self.target.statements.create, &table, 0))?;
        Ok(table)
    }

    /// Puts a row into a table.
    pub fn insert(&self, connection: &mut Connection, table: &str, id: u64) -> Result<Outcome> {
        say(connection, &on(self.target.statements.insert, table, id))
    }

    /// How many rows of a table everybody sees.
    pub fn rows(&self, table: &str) -> Result<u64> {
        let rows = self.target.outside.rows(&self.target.database, table)?;
        rows.with_context(|| format!("the table {table} is not there"))
    }

    /// Starts the slow statement on a session, on a thread of its own; comes back when it has begun.
    pub fn run_slow(&self, mut connection: Connection) -> Result<Running> {
        let identity = connection.identify()?;
        let handle = connection.cancel_handle();
        let slow = self.target.statements.slow;
        let thread = std::thread::spawn(move || {
            let ended = connection.execute(slow.as_bytes(), &mut |_| {});
            (connection, ended)
        });
        let running = Running { identity, handle, thread };
        if self.has_server() {
            self.wait_until("the slow statement runs", || {
                if running.thread.is_finished() {
                    bail!("the slow statement ended at once");
                }
                self.target.outside.is_running(&running.identity)
            })?;
        }
        Ok(running)
    }

    /// Waits for a condition.
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        while !holds()? {
            if begun.elapsed() > self.target.patience {
                bail!("in {:?} it did not come to this: {what}", self.target.patience);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    pub fn has_server(&self) -> bool {
        !self.library.facts().has(runsheet_sdk::Facts::EMBEDDED)
    }
}

/// A statement that runs on a thread of its own.
pub(crate) struct Running {
    pub identity: Identity,
    handle: Arc<CancelHandle>,
    thread: JoinHandle<(Connection, Result<Outcome, Error>)>,
}

impl Running {
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Cancels it as the daemon does, again and again until it ends.
    pub fn cancel(self) -> Result<(Connection, Result<Outcome, Error>)> {
        while !self.thread.is_finished() {
            self.handle.cancel();
            std::thread::sleep(CANCEL_AGAIN);
        }
        self.end()
    }

    /// Waits for its end.
    pub fn end(self) -> Result<(Connection, Result<Outcome, Error>)> {
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread of a statement panicked"))
    }
}

/// Runs a statement.
pub(crate) fn say(connection: &mut Connection, text: &str) -> Result<Outcome> {
    connection.execute(text.as_bytes(), &mut |_| {}).with_context(|| format!("`{text}` failed"))
}

/// The error of a statement that must fail.
pub(crate) fn fails(connection: &mut Connection, text: &str) -> Result<Error> {
    match connection.execute(text.as_bytes(), &mut |_| {}) {
        Ok(outcome) => bail!("`{text}` ended well: {outcome:?}"),
        Err(error) => Ok(error),
    }
}

/// A statement's text for a table and a number.
pub(crate) fn on(text: &str, table: &str, id: u64) -> String {
    text.replace("{table}", table).replace("{id}", &id.to_string())
}

/// Numbers that a seed repeats.
pub(crate) struct Random(AtomicU64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        // SplitMix64.
        let step = 0x9E37_79B9_7F4A_7C15;
        let mut mixed = self.0.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}
