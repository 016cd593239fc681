//! One runner per database: an advisory lock that the session itself holds, so that it ends with the session.

use crate::connection::Session;
use runsheet_sdk::{Class, Error, Identity, TryLock};

/// The lock's two numbers: "RUNS" and "HEET". The same for every Runsheet, whatever its settings.
const KEY: (i32, i32) = (0x5255_4E53, 0x4845_4554);

/// A time that reads the same whatever the session has set.
pub(crate) fn utc(time: &str) -> String {
    format!("pg_catalog.to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US UTC')")
}

/// How much of a holder's statement is shown.
const QUERY_CHARS_MAX: u32 = 200;

pub(crate) fn try_lock(session: &mut Session) -> Result<TryLock, Error> {
    let rows = session.query(&format!("SELECT pg_catalog.pg_try_advisory_lock({}, {})", KEY.0, KEY.1))?;
    let got = rows.first().and_then(|row| row.first()).is_some_and(|cell| cell.as_deref() == Some("t"));
    if got {
        // Taken once, however often it was asked for: one unlock lets go of it.
        if session.holds_lock {
            unlock_once(session)?;
        }
        session.holds_lock = true;
        return Ok(TryLock::Held);
    }
    Ok(TryLock::Busy(holder(session)?.map(Box::new)))
}

/// Who has the lock, with what it is doing.
fn holder(session: &mut Session) -> Result<Option<Identity>, Error> {
    let rows = session.query(&format!(
        "SELECT l.pid, {}, a.usename,
                pg_catalog.concat_ws(', ', nullif(a.application_name, ''), a.state,
                    'for ' || pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.state_change),
                    a.wait_event_type || ' ' || a.wait_event,
                    (SELECT p.phase || ', block ' || p.blocks_done || ' of ' || p.blocks_total
                     FROM pg_catalog.pg_stat_progress_create_index p WHERE p.pid = l.pid),
                    pg_catalog.left(pg_catalog.regexp_replace(a.query, '[[:space:]]+', ' ', 'g'), {QUERY_CHARS_MAX}))
         FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
         WHERE l.locktype = 'advisory' AND l.granted AND l.classid = {} AND l.objid = {} AND l.objsubid = 2
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
        utc("a.backend_start"),
        KEY.0,
        KEY.1
    ))?;
    let system = session.system()?;
    Ok(rows.first().map(|row| {
        let cell = |index: usize| row.get(index).cloned().flatten().unwrap_or_default();
        Identity {
            product: "PostgreSQL".to_owned(),
            session: cell(0),
            session_start: cell(1),
            system,
            user: cell(2),
            doing: cell(3),
            ..Identity::default()
        }
    }))
}

/// Ends the session that has the lock, if it is this very one: numbers are given out again.
pub(crate) fn end_holder(session: &mut Session, wanted: &Identity) -> Result<(), Error> {
    let found = holder(session)?;
    let same = found.as_ref().is_some_and(|found| {
        found.session == wanted.session
            && found.session_start == wanted.session_start
            && found.system == wanted.system
    });
    let Some(process) = wanted.session.parse::<i32>().ok().filter(|_| same) else {
        return Err(Error::new(Class::Other, "the lock is held by another session than the one to be ended"));
    };
    let ended = session.query(&format!("SELECT pg_catalog.pg_terminate_backend({process})"))?;
    match ended.first().and_then(|row| row.first()) {
        Some(Some(word)) if word == "t" => Ok(()),
        Some(_) | None => {
            Err(Error::new(Class::Other, format!("the server process {process} could not be ended")))
        }
    }
}

fn unlock_once(session: &mut Session) -> Result<(), Error> {
    session.query(&format!("SELECT pg_catalog.pg_advisory_unlock({}, {})", KEY.0, KEY.1)).map(drop)
}

pub(crate) fn unlock(session: &mut Session) -> Result<(), Error> {
    if session.holds_lock {
        session.holds_lock = false;
        unlock_once(session)?;
    }
    Ok(())
}
