//! The fence: one runner per database. Whoever holds it knows that every earlier session of Runsheet on this database is
//! gone, and that what it ran is settled.

use super::intent::session_text;
use super::job::Job;
use super::journal::Journal;
use super::stop::Wanted;
use crate::driver::{Connection, Lock};
use runsheet_sdk::Error;
use std::time::Duration;

/// How long the first wait is; each next is longer, up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// The longest wait between two looks.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How waiting for the fence ended.
pub(super) enum Fence {
    /// It is held.
    Held,
    /// The run is to stop.
    Stopped(Wanted),
}

/// Waits until the lock on the database is held.
pub(super) fn take(connection: &mut Connection, job: &Job, journal: &mut Journal) -> Result<Fence, Error> {
    let mut wait = FIRST_WAIT;
    let mut told = false;
    loop {
        let holder = match connection.try_lock()? {
            Lock::Held => return Ok(Fence::Held),
            Lock::Busy(holder) => holder,
        };
        match job.stop.wanted() {
            Wanted::Run => {}
            wanted => return Ok(Fence::Stopped(wanted)),
        }
        if !told {
            told = true;
            let who = holder.as_ref().map_or_else(|| "another session".to_owned(), session_text);
            let text = format!("waits for the lock of one runner per database, which is held by {who}");
            journal.note(text.clone());
            job.progress.waits(text);
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
