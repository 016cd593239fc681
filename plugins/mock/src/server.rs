//! What stands for the server: the databases and sessions of this process.

use crate::contents::Contents;
use crate::fault::Fault;
use crate::settings::Options;
use runsheet_sdk::{Applied, Class, Error};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The one server.
pub(crate) static SERVER: LazyLock<Server> = LazyLock::new(Server::default);

/// Databases and sessions.
#[derive(Default)]
pub(crate) struct Server {
    databases: Mutex<HashMap<String, Arc<Database>>>,
    sessions: Mutex<Sessions>,
    /// Held by every statement of a driver that runs one at a time.
    pub gate: Mutex<()>,
}

#[derive(Default)]
struct Sessions {
    last: u64,
    open: HashMap<u64, Arc<Presence>>,
}

/// Takes a lock. What panicked while it held one was told to: nothing is half done under a lock here.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// A database, which is made when it is first named.
    pub fn database(&self, name: &str) -> Arc<Database> {
        let mut databases = hold(&self.databases);
        if let Some(database) = databases.get(name) {
            return Arc::clone(database);
        }
        let database = Arc::new(Database { contents: Mutex::default() });
        databases.insert(name.to_owned(), Arc::clone(&database));
        database
    }

    /// Begins a session.
    pub fn begin(&self, database: &Arc<Database>, label: &str, keeps_lock: bool) -> Arc<Presence> {
        let mut sessions = hold(&self.sessions);
        sessions.last += 1;
        let presence = Arc::new(Presence {
            number: sessions.last,
            begun: jiff::Timestamp::now(),
            database: Arc::clone(database),
            keeps_lock,
            state: Mutex::new(State { label: label.to_owned(), ..State::default() }),
            woken: Condvar::new(),
        });
        sessions.open.insert(presence.number, Arc::clone(&presence));
        presence
    }

    /// A session that is open.
    pub fn session(&self, number: u64) -> Result<Arc<Presence>, Error> {
        let found = hold(&self.sessions).open.get(&number).cloned();
        found.ok_or_else(|| Error::new(Class::MissingObject, format!("there is no session {number}")))
    }

    /// Ends a session, whatever it does: its lock is free, and nothing of it takes effect any more.
    pub fn end(&self, presence: &Presence) {
        self.close(presence, presence.keeps_lock);
    }

    /// The same, with a say about its lock.
    pub fn close(&self, presence: &Presence, keep_lock: bool) {
        hold(&self.sessions).open.remove(&presence.number);
        hold(&presence.state).killed = true;
        presence.woken.notify_all();
        let mut contents = hold(&presence.database.contents);
        contents.seen_early.clear();
        if contents.lock == Some(presence.number) && !keep_lock {
            contents.lock = None;
        }
    }
}

/// A database.
pub(crate) struct Database {
    pub contents: Mutex<Contents>,
}

/// A session as the server has it.
pub(crate) struct Presence {
    pub number: u64,
    pub begun: jiff::Timestamp,
    /// Where its lock is.
    database: Arc<Database>,
    /// Whether being killed leaves it the lock, where that rule is broken.
    keeps_lock: bool,
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    label: String,
    running: bool,
    canceled: bool,
    killed: bool,
}

/// Why a session waits no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The time has passed.
    Passed,
    Canceled,
    Killed,
}

impl Presence {
    /// A call begins: a cancel that came before it is over; true where one came. Fails where the session is gone.
    pub fn begin(&self, options: &Options) -> Result<bool, Error> {
        let mut state = hold(&self.state);
        if state.killed {
            let applied = if options.has(Fault::IdleUnknown) { Applied::Unknown } else { Applied::No };
            return Err(Error::lost("the session was ended before", applied));
        }
        state.running = true;
        Ok(std::mem::take(&mut state.canceled))
    }

    /// The call has ended.
    pub fn rest(&self) {
        let mut state = hold(&self.state);
        state.running = false;
        state.canceled = false;
    }

    /// Waits, unless it is canceled or killed.
    pub fn wait(&self, time: Duration) -> Woken {
        let begun = Instant::now();
        let mut state = hold(&self.state);
        loop {
            if state.killed {
                return Woken::Killed;
            }
            if state.canceled {
                return Woken::Canceled;
            }
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Woken::Passed;
            }
            let waited = self.woken.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn cancel(&self) {
        hold(&self.state).canceled = true;
        self.woken.notify_all();
    }

    pub fn is_killed(&self) -> bool {
        hold(&self.state).killed
    }

    pub fn is_running(&self) -> bool {
        hold(&self.state).running
    }

    pub fn label(&self) -> String {
        hold(&self.state).label.clone()
    }

    pub fn relabel(&self, label: &str) {
        label.clone_into(&mut hold(&self.state).label);
    }
}
