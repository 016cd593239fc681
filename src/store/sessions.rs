//! The session that last took the lock on each database: after a crash it is the one that may still be running a statement.

use super::Millis;
use super::error::Error;
use rusqlite::{Connection, OptionalExtension, params};

/// Remembers a session as the last one on its database.
pub fn set_session(
    connection: &Connection,
    instance: &str,
    database: &str,
    session: &str,
    now: Millis,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO sessions (instance, database, session, time) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET session = excluded.session, time = excluded.time",
        )?
        .execute(params![instance, database, session, now])?;
    Ok(())
}

/// The last session on a database, if there was one.
pub fn session_of(connection: &Connection, instance: &str, database: &str) -> Result<Option<String>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT session FROM sessions WHERE instance = ?1 AND database = ?2")?;
    Ok(statement.query_row([instance, database], |row| row.get(0)).optional()?)
}
