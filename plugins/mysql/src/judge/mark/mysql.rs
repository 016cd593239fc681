//! MySQL: `gtid_next`. The server keeps a GTID together with what it marks, and passes over a statement whose GTID it has. The UUID
//! follows from the task, so that another Runsheet, or one whose state is older, finds the mark of this one; and from when the
//! database's ledger was made, so that a database that was dropped and made again has none of the old marks.

use super::{Evidence, Marking, Plan, Planned};
use crate::connection::Session;
use crate::judge::seen::sha256;
use crate::text::literal;
use runsheet_sdk::{Class, Error, Mark};

/// Needed for setting `gtid_next`; any one of several would do.
const PRIVILEGE: &str = "SESSION_VARIABLES_ADMIN";
/// The session still owns its GTID, because nothing was committed.
const OWNS_GTID: i64 = 1790;

pub(super) fn marking(session: &mut Session) -> Result<Marking, Error> {
    if !session.options().judging.gtid {
        return Ok(Marking::none("`gtid` is \"off\" on the instance", "set `gtid = \"auto\"`"));
    }
    let query = "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
                 ('gtid_mode', 'log_bin', 'group_replication_group_name', 'wsrep_on')";
    let rows = session.query(query)?;
    let value = |name: &str| {
        let row = rows.iter().find(|row| row.first() == Some(&Some(name.to_owned())));
        row.and_then(|row| row.get(1).cloned().flatten()).unwrap_or_default()
    };
    if value("log_bin") != "ON" {
        return Ok(Marking::none("the server writes no binary log", "start it with `log_bin`"));
    }
    let mode = value("gtid_mode");
    if mode != "ON" {
        return Ok(Marking::none(
            format!("gtid_mode is {}", if mode.is_empty() { "not there" } else { &mode }),
            "set gtid_mode = ON and enforce_gtid_consistency = ON on the server",
        ));
    }
    if !value("group_replication_group_name").is_empty() || value("wsrep_on") == "ON" {
        return Ok(Marking::none("the servers of a group give the numbers of their log themselves", ""));
    }
    match session.run("SET SESSION gtid_next = 'AUTOMATIC'") {
        Ok(()) => Ok(Marking::Gtid),
        Err(error) if error.class == Class::Permission => Ok(Marking::none(
            "the account may not set gtid_next",
            format!("GRANT {PRIVILEGE} ON *.* TO {}", session.account()),
        )),
        Err(error) => Err(error),
    }
}

pub(super) fn plan(session: &mut Session, mark: &Mark) -> Result<Plan, Error> {
    let born = match ledger_birth(session)? {
        Some(born) => born,
        // Without a ledger nothing tells a database from the one that it was made anew from: the mark is good for this try alone.
        None => session.ask("SELECT UUID()")?.unwrap_or_default(),
    };
    let gtid = format!("{}:{}", uuid(&mark.task, &born), mark.segment.max(1));
    if is_executed(session, &gtid)? {
        return Ok(Plan::Done(format!("the server has executed {gtid}, the mark of this very statement")));
    }
    Ok(Plan::Go(Some(Planned::Gtid(gtid))))
}

/// What the log tells of the mark that the statement of a segment goes with, as long as the ledger is the same.
pub(super) fn lasting(session: &mut Session, mark: &Mark, is_sure: bool) -> Result<Evidence, Error> {
    let Some(born) = ledger_birth(session)? else { return Ok(Evidence::Silent) };
    let gtid = format!("{}:{}", uuid(&mark.task, &born), mark.segment.max(1));
    evidence(session, &gtid, is_sure)
}

fn ledger_birth(session: &mut Session) -> Result<Option<String>, Error> {
    if let Some(born) = &session.judging.ledger_birth {
        return Ok(Some(born.clone()));
    }
    let query = format!(
        "SELECT UNIX_TIMESTAMP(CREATE_TIME) FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = {} AND TABLE_NAME = 'runsheet_ledger'",
        literal(session.database())
    );
    session.judging.ledger_birth = session.ask(&query)?;
    Ok(session.judging.ledger_birth.clone())
}

/// A UUID of the form that is free to be filled.
fn uuid(task: &str, born: &str) -> String {
    let digits = sha256(format!("runsheet gtid 1\0{task}\0{born}").as_bytes());
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

fn is_executed(session: &mut Session, gtid: &str) -> Result<bool, Error> {
    let found = session.ask(&format!("SELECT GTID_SUBSET('{gtid}', @@GLOBAL.gtid_executed)"))?;
    Ok(found.as_deref() == Some("1"))
}

pub(super) fn end(session: &mut Session, succeeded: bool) -> Result<(), Error> {
    const AUTOMATIC: &str = "SET SESSION gtid_next = 'AUTOMATIC'";
    match session.run(AUTOMATIC) {
        Err(error) if error.code == OWNS_GTID => {
            // A statement that changed nothing is marked all the same; one that failed is not.
            session.run(if succeeded { "COMMIT" } else { "ROLLBACK" })?;
            session.run(AUTOMATIC)
        }
        other => other,
    }
}

pub(super) fn evidence(session: &mut Session, gtid: &str, is_sure: bool) -> Result<Evidence, Error> {
    // Where GTIDs have been turned off meanwhile, those that were executed are still known.
    Ok(match is_executed(session, gtid)? {
        true => Evidence::Marked(format!("the server has executed {gtid}, which went with it")),
        false if is_sure => {
            Evidence::NotMarked(format!("the server has not executed {gtid}, which went with it"))
        }
        false => Evidence::Silent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_tell_tasks_and_databases_apart_and_stay_the_same() {
        let one = uuid(&"a".repeat(64), "1795647101");
        assert_eq!(one.len(), 36);
        assert_eq!(one, uuid(&"a".repeat(64), "1795647101"));
        assert_ne!(one, uuid(&"b".repeat(64), "1795647101"));
        assert_ne!(one, uuid(&"a".repeat(64), "1795647102"));
        // The same for ever: another build must find the marks of this one.
        assert_eq!(one, "4bb8f27c-7d0c-8488-8972-25da429b6042");
    }
}
