//! One runner per database: an advisory lock that the session itself holds, so that it ends with the session.

use crate::connection::Session;
use runsheet_sdk::{Error, Identity, TryLock};

/// The lock's two numbers: "RUNS" and "HEET". The same for every Runsheet, whatever its settings.
const KEY: (i32, i32) = (0x5255_4E53, 0x4845_4554);

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
    let holder = session.query(&format!(
        "SELECT l.pid, a.backend_start, a.usename, a.application_name FROM pg_catalog.pg_locks l
         LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
         WHERE l.locktype = 'advisory' AND l.granted AND l.classid = {} AND l.objid = {} AND l.objsubid = 2
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
        KEY.0, KEY.1
    ))?;
    let holder = holder.first().map(|row| {
        let cell = |index: usize| row.get(index).cloned().flatten().unwrap_or_default();
        Box::new(Identity {
            product: "PostgreSQL".to_owned(),
            session: cell(0),
            session_start: cell(1),
            user: cell(2),
            doing: cell(3),
            ..Identity::default()
        })
    });
    Ok(TryLock::Busy(holder))
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
