//! Whether something between Runsheet and the server gives a session's server process to others between transactions. Then
//! neither the lock of one runner per database nor what a sheet sets belongs to the session, and nothing is run.

use crate::connect;
use crate::connection::Session;
use crate::settings::Options;
use runsheet_sdk::{Class, Error};
use std::time::Duration;

/// How long the second session may take. Where a pooler keeps it waiting, it shares nothing.
const TIME_MAX: Duration = Duration::from_secs(2);

const WHICH: &str = "SELECT pg_catalog.pg_backend_pid()";

/// The server process that answers now.
fn process(session: &mut Session) -> Result<i32, Error> {
    let rows = session.query(WHICH)?;
    let cell = rows.first().and_then(|row| row.first()).cloned().flatten();
    Ok(cell.and_then(|cell| cell.parse().ok()).unwrap_or_default())
}

/// Refuses a session whose server process is not its own. A server says at the login which process it is; where another one
/// answers, a pooler is between. A second session in a transaction then gets the same process, or moves the first off it,
/// only where they are shared.
pub(crate) fn refuse_shared(session: &mut Session, options: &Options, database: &str) -> Result<(), Error> {
    let before = process(session)?;
    if before == session.process_of_login() {
        return Ok(());
    }
    let patient = Options { connect_timeout: TIME_MAX.min(options.connect_timeout), ..options.clone() };
    let Ok((wire, login)) = connect::connect(&patient, database, "runsheet", &mut |_| {}) else {
        return Ok(());
    };
    // Its deadline still runs, so that it waits for no process for ever.
    let mut second = Session::new(patient, database, wire, login);
    let other = second.query("BEGIN").and_then(|_| process(&mut second));
    let after = process(session)?;
    if other.is_ok_and(|other| other == before) || after != before {
        return Err(Error::new(
            Class::Unsupported,
            format!(
                "between Runsheet and the server at {} is a pooler that shares the server's sessions between transactions; the lock on the database would be anybody's",
                options.place()
            ),
        )
        .hint("Name the server itself by `host` and `port`, or set the pooler to session mode for this account (pool_mode = session)"));
    }
    Ok(())
}
