//! Stopping a run from outside: after its segment (the daemon ends), or at once (an operator cancels).

use crate::driver::CancelHandle;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a cancel is said again until the statement ends: the first may have come between two.
const CANCEL_AGAIN: Duration = Duration::from_millis(250);

/// What is wanted of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To go on.
    Run,
    /// To stop where a segment ends.
    Drain,
    /// To stop now.
    Cancel,
}

/// The switch of one run.
#[derive(Default)]
pub struct Stop {
    wanted: AtomicU8,
    /// What runs, while something does. Held during a cancel, so that the end of a run waits for it.
    running: Mutex<Option<Arc<CancelHandle>>>,
}

impl Stop {
    /// What is wanted now.
    pub fn wanted(&self) -> Wanted {
        match self.wanted.load(Ordering::Acquire) {
            0 => Wanted::Run,
            1 => Wanted::Drain,
            _ => Wanted::Cancel,
        }
    }

    /// Asks to stop where the segment ends.
    pub fn drain(&self) {
        self.wanted.fetch_max(1, Ordering::AcqRel);
    }

    /// Asks to stop at once, and goes on asking until the run has ended.
    pub fn cancel(self: &Arc<Self>) {
        if self.wanted.swap(2, Ordering::AcqRel) == 2 {
            return;
        }
        let stop = Arc::clone(self);
        let asking = std::thread::Builder::new().name("cancel".to_owned()).spawn(move || {
            while stop.ask() {
                std::thread::sleep(CANCEL_AGAIN);
            }
        });
        if let Err(error) = asking {
            tracing::warn!(
                "no thread for a cancel could be started: {error}; the run stops after its statement"
            );
        }
    }

    /// True as long as the run has not ended.
    fn ask(self: &Arc<Self>) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = running.as_ref() {
            handle.cancel();
        }
        // The asking thread itself holds one; the run and the daemon hold the others.
        Arc::strong_count(self) > 1
    }

    /// The run uses this connection from now on.
    pub(super) fn attach(&self, handle: Arc<CancelHandle>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    /// The run uses no connection any more; waits for a cancel that is under way.
    pub(super) fn detach(&self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stop").field(&self.wanted()).finish()
    }
}
