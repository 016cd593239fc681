//! What the server's settings and the account's rights mean for exactly once, in sentences.

use super::mark::{self, Marking};
use crate::connection::Session;
use runsheet_sdk::{Error, Notice, Notices};

/// The settings that are looked at.
const VARIABLES: &[&str] = &[
    "default_storage_engine",
    "innodb_doublewrite",
    "innodb_flush_log_at_trx_commit",
    "log_bin",
    "sync_binlog",
];

pub(super) fn advise(session: &mut Session, notices: Notices<'_>) -> Result<(), Error> {
    let note = |severity: &str, message: String| Notice {
        severity: severity.to_owned(),
        message,
        ..Notice::default()
    };
    notices(match mark::marking(session)? {
        Marking::Gtid => note("NOTE", "DDL on this instance: exactly once by GTID".to_owned()),
        Marking::Domain(domain) => note(
            "NOTE",
            format!("DDL on this instance: exactly once by GTID, in domain {domain} or another of its range"),
        ),
        Marking::None { why, change } => {
            let change = if change.is_empty() { change } else { format!("; {change} to change that") };
            note("NOTE", format!("DDL on this instance: judged by observation, because {why}{change}"))
        }
    });
    warnings(session)?.into_iter().for_each(|message| notices(note("WARNING", message)));
    Ok(())
}

fn warnings(session: &mut Session) -> Result<Vec<String>, Error> {
    let names: Vec<String> = VARIABLES.iter().map(|name| format!("'{name}'")).collect();
    let rows =
        session.query(&format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(", ")))?;
    let value = |name: &str| {
        let row = rows.iter().find(|row| row.first() == Some(&Some(name.to_owned())));
        row.and_then(|row| row.get(1).cloned().flatten()).unwrap_or_default()
    };
    let mut warnings = Vec::new();
    let flush = value("innodb_flush_log_at_trx_commit");
    if flush != "1" {
        warnings.push(format!(
            "innodb_flush_log_at_trx_commit is {flush}: a commit that was acknowledged may be lost with the power{}",
            if flush == "0" { ", or with the server's process" } else { "" }
        ));
    }
    let sync = value("sync_binlog");
    if value("log_bin") == "ON" && sync != "1" {
        warnings.push(format!(
            "sync_binlog is {sync}: after a loss of power the binary log may lack what the tables have, so that a missing mark of the server proves nothing"
        ));
    }
    let doublewrite = value("innodb_doublewrite");
    if doublewrite.eq_ignore_ascii_case("off") || doublewrite == "0" {
        warnings.push("innodb_doublewrite is off: a loss of power may leave torn pages".to_owned());
    }
    let engine = value("default_storage_engine");
    let query = "SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES'";
    let transactional = session.query(query)?;
    let is_transactional = transactional.iter().any(|row| {
        row.first().and_then(Option::as_deref).is_some_and(|one| one.eq_ignore_ascii_case(&engine))
    });
    if !is_transactional {
        warnings.push(format!(
            "default_storage_engine is {engine}, which knows no transactions: changes of rows in new tables are not undone"
        ));
    }
    Ok(warnings)
}
