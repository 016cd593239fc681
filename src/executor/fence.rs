//! The fence: one runner per database. Whoever holds it knows that every earlier session of Runsheet on this database is
//! gone, and that what it ran is settled.

use super::intent::session_text;
use super::job::{Job, Orphans};
use super::journal::{Journal, now};
use super::stop::Wanted;
use crate::driver::{Connection, Lock};
use crate::store::{self, Store};
use runsheet_sdk::{Error, Identity};
use serde::{Deserialize, Serialize};
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

/// Waits until the lock on the database is held. An earlier session of this very daemon that still has it is ended where the
/// instance says so; any other is waited for.
pub(super) fn take(
    connection: &mut Connection,
    job: &Job,
    store: &Store,
    journal: &mut Journal,
) -> Result<Fence, Error> {
    let mut wait = FIRST_WAIT;
    let mut told = String::new();
    let mut ended = false;
    loop {
        let holder = match connection.try_lock()? {
            Lock::Held => return Ok(Fence::Held),
            Lock::Busy(holder) => holder,
        };
        match job.stop.wanted() {
            Wanted::Run => {}
            wanted => return Ok(Fence::Stopped(wanted)),
        }
        say(holder.as_ref(), job, journal, &mut told);
        if let Some(holder) = holder
            && !ended
            && job.instance.orphans == Orphans::Cancel
            && is_ours(&holder, job, store)
        {
            ended = true;
            end(connection, &holder, journal);
            continue;
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Says who is waited for: in the log once for each holder, in the progress with what it is doing now.
fn say(holder: Option<&Identity>, job: &Job, journal: &mut Journal, told: &mut String) {
    let who = holder.map_or_else(|| "another session".to_owned(), session_text);
    if *told != who {
        journal.note(format!("waits for the lock of one runner per database, which is held by {who}"));
        journal.flush();
        *told = who;
    }
    let doing = holder.map(|holder| holder.doing.as_str()).unwrap_or_default();
    let doing = if doing.is_empty() { String::new() } else { format!(", which is doing: {doing}") };
    job.progress.waits(format!("waits for the lock of one runner per database, held by {told}{doing}"));
}

fn end(connection: &mut Connection, holder: &Identity, journal: &mut Journal) {
    let who = session_text(holder);
    match connection.end_holder(holder) {
        Ok(()) => {
            journal.note(format!("the earlier session is ended, as `orphans = \"cancel\"` says: {who}"))
        }
        // It is waited for, as without that setting.
        Err(error) => journal.note(format!("the earlier session {who} could not be ended: {error}")),
    }
}

/// A session as it is kept to be known again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    host: String,
    session: String,
    session_start: String,
    system: String,
}

impl Kept {
    fn of(identity: &Identity) -> Self {
        Self {
            // A state folder that was copied to another host must not end the sessions of the first.
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            session: identity.session.clone(),
            session_start: identity.session_start.clone(),
            system: identity.system.clone(),
        }
    }
}

impl Kept {
    /// Whether a holder is this session. Some engines tell nobody else when a session began, and give its number to no other session
    /// of the same server process.
    fn is(&self, holder: &Identity) -> bool {
        let other = Self::of(holder);
        let began_then = other.session_start.is_empty() || other.session_start == self.session_start;
        began_then && *self == Self { session_start: self.session_start.clone(), ..other }
    }
}

/// Remembers the session that holds the fence now. Not waited for: where it is lost with a crash, the session is waited for.
pub(super) fn remember(identity: &Identity, job: &Job, store: &Store) {
    let kept = serde_json::to_string(&Kept::of(identity)).expect("an identity has only text");
    let (instance, database) = (job.instance.name.clone(), job.database.clone());
    store.write(
        move |connection| store::set_session(connection, &instance, &database, &kept, now()),
        // A failure stops the store, which the daemon hears of from its own writes.
        |_| {},
    );
}

fn is_ours(holder: &Identity, job: &Job, store: &Store) -> bool {
    let found = store.reader().and_then(|mut reader| {
        reader.read(|connection| store::session_of(connection, &job.instance.name, &job.database))
    });
    let kept: Option<Kept> = found.ok().flatten().and_then(|text| serde_json::from_str(&text).ok());
    kept.is_some_and(|kept| kept.is(holder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_known_by_all_that_the_server_tells_of_it() {
        let own = Identity {
            session: "12".to_owned(),
            session_start: "2026-11-25 10:00:00".to_owned(),
            system: "db:3306 started 2026-11-01 08:00:00".to_owned(),
            doing: "sleeping".to_owned(),
            ..Identity::default()
        };
        let kept = Kept::of(&own);
        assert!(kept.is(&own));
        // Not told to others, as by MySQL.
        assert!(kept.is(&Identity {
            session_start: String::new(),
            doing: "working".to_owned(),
            ..own.clone()
        }));
        assert!(!kept.is(&Identity { session_start: "2026-11-25 10:00:01".to_owned(), ..own.clone() }));
        assert!(!kept.is(&Identity { session: "13".to_owned(), ..own.clone() }));
        let restarted = "db:3306 started 2026-11-25 09:59:00".to_owned();
        assert!(!kept.is(&Identity { system: restarted, session_start: String::new(), ..own }));
    }
}
