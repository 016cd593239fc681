//! The ledger: marks that are part of a database, committed with what they mark.

use crate::connection::Session;
use crate::contents::{Change, LEDGER};
use crate::fault::Fault;
use crate::server::hold;
use runsheet_sdk::{Class, Error, Mark};
use std::sync::Arc;

pub(crate) fn prepare(session: &mut Session) -> Result<(), Error> {
    let database = Arc::clone(&session.database);
    let mut contents = hold(&database.contents);
    if contents.has_table(LEDGER) && !session.fault(Fault::PrepareTakesForeign) {
        let message = format!("the table {LEDGER} is not Runsheet's, and was not touched");
        return Err(Error { object: LEDGER.to_owned(), ..Error::new(Class::AlreadyExists, message) });
    }
    session.asked.ledger += 1;
    if session.asked.ledger > 1 && session.fault(Fault::PrepareOnce) {
        return Err(Error::new(Class::AlreadyExists, "the ledger is there already"));
    }
    if !contents.has_ledger {
        session.change(&mut contents, Change::Ledger);
    }
    Ok(())
}

pub(crate) fn write(session: &mut Session, mark: &Mark) -> Result<(), Error> {
    let database = Arc::clone(&session.database);
    let mut contents = hold(&database.contents);
    let own = session.transaction.as_mut();
    if own.as_ref().is_some_and(|transaction| transaction.has_failed) {
        return Err(Error::new(Class::Other, "the transaction has failed; only its rollback is left"));
    }
    let repeated =
        own.as_ref().is_some_and(|transaction| transaction.has_mark(mark)) || contents.has_mark(mark);
    let is_own = own.as_ref().is_some_and(|transaction| transaction.is_own);
    if repeated && !session.fault(Fault::MarkTwice) {
        session.transaction.iter_mut().for_each(|transaction| transaction.has_failed = true);
        return Err(Error::new(Class::AlreadyExists, "the mark is in the ledger already"));
    }
    let mut mark = Mark { applied_time: jiff::Timestamp::now().to_string(), ..mark.clone() };
    if session.fault(Fault::MarkForgets) {
        mark.host.clear();
    }
    let at_once = if is_own { Fault::MarkLeavesOwn } else { Fault::MarkAtOnce };
    match session.fault(at_once) {
        true => contents.apply(Change::Mark(Box::new(mark))),
        false => session.change(&mut contents, Change::Mark(Box::new(mark))),
    }
    Ok(())
}

pub(crate) fn read(session: &Session, task: &str) -> Result<Vec<Mark>, Error> {
    let contents = hold(&session.database.contents);
    if !contents.has_ledger && session.fault(Fault::ReadNeedsLedger) {
        return Err(Error::new(Class::MissingObject, "there is no ledger"));
    }
    let mut marks = contents.marks(task);
    if session.fault(Fault::MarksUnordered) {
        marks.reverse();
    }
    Ok(marks)
}

pub(crate) fn find_version(session: &Session, schema_version: &str) -> Option<Mark> {
    let contents = hold(&session.database.contents);
    match session.fault(Fault::VersionIncomplete) {
        true => contents.any_with_version(schema_version),
        false => contents.version(schema_version),
    }
}
