//! Waiting for another program's lock on the file, in a way that a cancel can end: SQLite's own waiting does not look whether it was
//! interrupted.

use runsheet_sdk::{Canceler, Error};
use rusqlite::InterruptHandle;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the first wait between two looks is, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// What stops a session's statement, whether it runs or waits.
#[derive(Default)]
pub(crate) struct Interrupt {
    /// The engine's own; it changes with each reset.
    handle: Mutex<Option<InterruptHandle>>,
    /// Set by a cancel, cleared when a statement begins.
    wanted: AtomicBool,
}

impl Interrupt {
    /// Works on this connection from now on.
    pub fn attach(&self, connection: &rusqlite::Connection) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.get_interrupt_handle());
    }

    /// A call begins: what was canceled before it is over.
    pub fn begin(&self) {
        self.wanted.store(false, Ordering::Release);
    }

    /// Whether a cancel came since the statement began.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }
}

/// The session's canceler.
pub(crate) struct Cancel(pub Arc<Interrupt>);

impl Canceler for Cancel {
    fn cancel(&self) -> Result<(), Error> {
        self.0.wanted.store(true, Ordering::Release);
        if let Some(handle) = self.0.handle.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            handle.interrupt();
        }
        Ok(())
    }
}

/// The busy handler: true where SQLite shall look at the lock again.
pub(crate) fn handler(
    timeout: Duration,
    interrupt: Arc<Interrupt>,
) -> impl FnMut(i32) -> bool + Send + 'static {
    let mut begun = Instant::now();
    move |looks| {
        if looks == 0 {
            begun = Instant::now();
        }
        let waited = begun.elapsed();
        if interrupt.is_wanted() || waited >= timeout {
            return false;
        }
        let doubled = FIRST_WAIT * (1 << u32::try_from(looks).unwrap_or(0).min(6));
        std::thread::sleep(doubled.min(LONGEST_WAIT).min(timeout - waited));
        true
    }
}
