//! Connections that are kept between tasks: one database's connection is reset and used again, not opened anew.
//! Idle ones count against the instance's limit, so the oldest gives way to one that is needed.

use super::job::Instance;
use crate::driver::Connection;
use runsheet_sdk::{Error, Notice};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an idle connection is kept.
const IDLE_TIME_MAX: Duration = Duration::from_secs(60);

/// The connections of all instances.
#[derive(Default)]
pub struct Pool {
    instances: Mutex<HashMap<String, Kept>>,
}

#[derive(Default)]
struct Kept {
    /// Connections in use.
    busy: u32,
    /// Connections that wait for a task, the longest waiting first.
    idle: Vec<Idle>,
}

struct Idle {
    database: String,
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to a database, as new for the task `label`.
    pub(super) fn take(
        &self,
        instance: &Instance,
        database: &str,
        label: &str,
        notices: &mut dyn FnMut(Notice),
    ) -> Result<Connection, Error> {
        if let Some(mut connection) = self.reuse(instance, database) {
            match connection.reset(label) {
                Ok(()) => return Ok(connection),
                Err(error) => {
                    tracing::debug!(instance = instance.name, database, "a kept connection is gone: {error}");
                }
            }
        }
        let opened = instance.driver.open(&instance.settings, database, label, notices);
        if opened.is_err() {
            self.leave(&instance.name);
        }
        opened
    }

    /// Takes a place, and an idle connection for it where there is one. Those that must give way are closed.
    fn reuse(&self, instance: &Instance, database: &str) -> Option<Connection> {
        let (reused, closed) = {
            let mut instances = self.lock();
            let kept = instances.entry(instance.name.clone()).or_default();
            let place = kept.idle.iter().rposition(|idle| idle.database == database);
            let reused = place.map(|place| kept.idle.remove(place).connection);
            kept.busy += 1;
            let limit = instance.max_connections as usize;
            let over = (kept.busy as usize + kept.idle.len()).saturating_sub(limit).min(kept.idle.len());
            let closed: Vec<Idle> = kept.idle.drain(..over).collect();
            (reused, closed)
        };
        // Closing may talk to the server: not under the lock.
        drop(closed);
        reused
    }

    /// Gives a connection back for the next task.
    pub(super) fn give(&self, instance: &Instance, database: &str, connection: Connection) {
        let idle = Idle { database: database.to_owned(), connection, since: Instant::now() };
        let mut instances = self.lock();
        let kept = instances.entry(instance.name.clone()).or_default();
        kept.busy = kept.busy.saturating_sub(1);
        kept.idle.push(idle);
    }

    /// A connection of this instance is gone.
    pub(super) fn leave(&self, instance: &str) {
        if let Some(kept) = self.lock().get_mut(instance) {
            kept.busy = kept.busy.saturating_sub(1);
        }
    }

    /// Closes what has been idle for long. Called now and then.
    pub fn sweep(&self) {
        let old: Vec<Idle> = self
            .lock()
            .values_mut()
            .flat_map(|kept| kept.idle.extract_if(.., |idle| idle.since.elapsed() > IDLE_TIME_MAX))
            .collect();
        drop(old);
    }

    /// Whether any connection waits, so that sweeping makes sense.
    pub fn has_idle(&self) -> bool {
        self.lock().values().any(|kept| !kept.idle.is_empty())
    }

    /// Closes every idle connection of an instance: its settings have changed.
    pub fn forget(&self, instance: &str) {
        let closed = self.lock().get_mut(instance).map(|kept| std::mem::take(&mut kept.idle));
        drop(closed);
    }
}
