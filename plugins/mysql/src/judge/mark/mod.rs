//! The server's own mark: a number that its binary log keeps together with the effect of a statement, where its settings and the
//! account's rights allow to choose it. A mark that is there proves the effect. One that is not there proves, where the log can be
//! trusted, that there is none.

mod mariadb;
mod mysql;

pub(crate) use mariadb::unlock as unlock_domain;

use super::moment::Moment;
use super::seen::Observed;
use crate::connection::Session;
use runsheet_sdk::{Error, Mark};
use serde::{Deserialize, Serialize};

/// A mark that is to go with a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Planned {
    /// On MySQL.
    Gtid(String),
    /// On MariaDB.
    Number(Number),
}

/// A number in a domain of MariaDB's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Number {
    pub domain: u32,
    pub number: u64,
    /// The last one in the domain before it; 0 where there was none.
    pub last: u64,
}

/// Whether statements can be marked here, found out once for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Marking {
    /// By `gtid_next`.
    Gtid,
    /// By `gtid_seq_no`, in this domain.
    Domain(u32),
    /// They cannot; why, and what would change that.
    None { why: String, change: String },
}

impl Marking {
    fn none(why: impl Into<String>, change: impl Into<String>) -> Self {
        Self::None { why: why.into(), change: change.into() }
    }
}

/// What the server's log tells of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// It is there: the statement took effect.
    Marked(String),
    /// It is not there, and would be.
    NotMarked(String),
    /// Nothing.
    Silent,
}

/// What comes of planning a mark.
pub(super) enum Plan {
    /// The statement goes with this mark, or without one.
    Go(Option<Planned>),
    /// The mark is there already.
    Done(String),
}

/// Finds out whether statements can be marked; the answer is kept with the session.
pub(super) fn marking(session: &mut Session) -> Result<Marking, Error> {
    if let Some(known) = &session.judging.marking {
        return Ok(known.clone());
    }
    let found = if session.is_mariadb() { mariadb::marking(session)? } else { mysql::marking(session)? };
    session.judging.marking = Some(found.clone());
    Ok(found)
}

/// Plans the mark of a statement.
pub(super) fn plan(session: &mut Session, moment: &Moment, mark: &Mark) -> Result<Plan, Error> {
    if !moment.is_plain {
        return Ok(Plan::Go(None));
    }
    match marking(session)? {
        Marking::Gtid => mysql::plan(session, mark),
        Marking::Domain(domain) => mariadb::plan(session, moment, domain, mark),
        Marking::None { .. } => Ok(Plan::Go(None)),
    }
}

/// Asks the log for a mark that follows from the task alone, where statements are marked so.
pub(super) fn lasting(session: &mut Session, moment: &Moment, mark: &Mark) -> Result<Evidence, Error> {
    match marking(session)? {
        Marking::Gtid if moment.is_plain => mysql::lasting(session, mark, moment.log_is_durable),
        Marking::Gtid | Marking::Domain(_) | Marking::None { .. } => Ok(Evidence::Silent),
    }
}

/// Makes the session mark the next statement.
pub(super) fn begin(session: &mut Session, planned: &Planned) -> Result<(), Error> {
    match planned {
        Planned::Gtid(gtid) => session.run(&format!("SET SESSION gtid_next = '{gtid}'")),
        Planned::Number(number) => mariadb::begin(session, number),
    }
}

/// Makes the session mark nothing any more.
pub(super) fn end(session: &mut Session, planned: &Planned, succeeded: bool) -> Result<(), Error> {
    match planned {
        Planned::Gtid(_) => mysql::end(session, succeeded),
        Planned::Number(_) => mariadb::end(session),
    }
}

/// Asks the log for the mark that was planned.
pub(super) fn evidence(session: &mut Session, before: &Observed, moment: &Moment) -> Result<Evidence, Error> {
    // What is logged may be lost with the power where the log is not synchronised, and the effect may not.
    let is_sure = moment.log_is_durable || before.process == session.process();
    match &before.mark {
        None => Ok(Evidence::Silent),
        Some(_) if session.is_mariadb() != before.dialect.mariadb => Ok(Evidence::Silent),
        Some(Planned::Gtid(gtid)) => mysql::evidence(session, gtid, is_sure),
        Some(Planned::Number(number)) => mariadb::evidence(session, number, moment, is_sure),
    }
}
