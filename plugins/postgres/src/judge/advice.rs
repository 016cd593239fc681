//! What the server's settings mean for exactly once.

use crate::connection::Session;
use runsheet_sdk::{Error, Notice, Notices};

pub(super) fn advise(session: &mut Session, notices: Notices<'_>) -> Result<(), Error> {
    let mut say = |severity: &str, message: &str| {
        notices(Notice { severity: severity.to_owned(), message: message.to_owned(), ..Notice::default() });
    };
    say(
        "INFO",
        "exactly once: by the ledger in the transaction; statements that cannot be in one are judged by the catalog",
    );
    let rows = session.query(
        "SELECT pg_catalog.current_setting('fsync'), pg_catalog.current_setting('full_page_writes'),
                pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only'),
                pg_catalog.current_setting('synchronous_standby_names')",
    )?;
    let cell =
        |index: usize| rows.first().and_then(|row| row.get(index)).cloned().flatten().unwrap_or_default();
    if cell(0) == "off" {
        say(
            "WARNING",
            "fsync is off: a crash of the server's machine may lose what it has said to be committed, marks and all",
        );
    }
    if cell(1) == "off" {
        say("WARNING", "full_page_writes is off: a crash of the server's machine may damage its data");
    }
    if cell(2) == "t" {
        say("WARNING", "this server is a standby: it takes no change");
    }
    if cell(3) == "on" {
        say(
            "WARNING",
            "default_transaction_read_only is on: sheets that change something fail unless they set it off",
        );
    }
    if cell(4).is_empty() {
        say(
            "INFO",
            "no synchronous standby: after a failover the new primary may lack the last commits, together with their marks",
        );
    }
    Ok(())
}
