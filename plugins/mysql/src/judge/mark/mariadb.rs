//! MariaDB: `gtid_domain_id` and `gtid_seq_no`. Its log tells of each domain only the last number, so that the numbers of Runsheet's
//! own domain grow with every statement and have its name in them. Databases may share a domain: a lock by name makes one statement
//! after the other use it, and who does not get it goes without a mark.
//!
//! A number is, from its highest bit: a counter, 36 bits of a hash of the statement's name, and room for what a statement may log besides.

use super::{Evidence, Marking, Number, Plan, Planned};
use crate::connection::Session;
use crate::judge::moment::Moment;
use crate::judge::seen::sha256;
use crate::text::literal;
use runsheet_sdk::{Class, Error, Mark};

const PRIVILEGE: &str = "BINLOG REPLAY";
/// Bits for what a statement logs besides.
const ROOM_BITS: u32 = 4;
const HASH_BITS: u32 = 36;
/// The counter goes no further; the numbers end at 2 to the 63rd.
const COUNT_MAX: u64 = (1 << (63 - ROOM_BITS - HASH_BITS)) - 1;

fn count(number: u64) -> u64 {
    number >> (ROOM_BITS + HASH_BITS)
}

fn is_of(number: u64, planned: u64) -> bool {
    number >> ROOM_BITS == planned >> ROOM_BITS
}

pub(super) fn marking(session: &mut Session) -> Result<Marking, Error> {
    let Some(domains) = session.options().judging.domains.clone() else {
        return Ok(Marking::none(
            "the instance has no `gtid_domain_id`",
            "set `gtid_domain_id` to a domain that is Runsheet's alone; replicas that apply domains in parallel apply it beside the others",
        ));
    };
    let query = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'wsrep_on')";
    let rows = session.query(query)?;
    let is_on = |name: &str| rows.contains(&vec![Some(name.to_owned()), Some("ON".to_owned())]);
    if !is_on("log_bin") {
        return Ok(Marking::none("the server writes no binary log", "start it with `log_bin`"));
    }
    if is_on("wsrep_on") {
        return Ok(Marking::none("the servers of a cluster give the numbers of their log themselves", ""));
    }
    match session.run("SET SESSION gtid_domain_id = @@SESSION.gtid_domain_id") {
        Ok(()) => {}
        Err(error) if error.class == Class::Permission => {
            return Ok(Marking::none(
                "the account may not set gtid_domain_id",
                format!("GRANT {PRIVILEGE} ON *.* TO {}", session.account()),
            ));
        }
        Err(error) => return Err(error),
    }
    let digits = sha256(session.database().as_bytes());
    let hash = u32::from_str_radix(digits.get(..8).unwrap_or_default(), 16).unwrap_or(0);
    let many = domains.end() - domains.start() + 1;
    Ok(Marking::Domain(domains.start() + hash % many))
}

pub(super) fn plan(session: &mut Session, moment: &Moment, domain: u32, mark: &Mark) -> Result<Plan, Error> {
    let lock = format!("runsheet-domain:{domain}");
    if session.ask(&format!("SELECT GET_LOCK({}, 0)", literal(&lock)))?.as_deref() != Some("1") {
        return Ok(Plan::Go(None));
    }
    session.judging.domain_lock = Some(lock);
    // What was asked before the lock was there may be old.
    let state = session.ask("SELECT @@GLOBAL.gtid_binlog_state")?.unwrap_or_default();
    let last = last(&state, domain);
    let next = count(last) + 1;
    if next > COUNT_MAX {
        unlock(session)?;
        return Ok(Plan::Go(None));
    }
    let name = format!("runsheet\0{}\0{}\0{}\0{}", mark.task, mark.segment, session.database(), moment.time);
    let digits = sha256(name.as_bytes());
    let hash = u64::from_str_radix(digits.get(..9).unwrap_or_default(), 16).unwrap_or(0);
    let number = (next << HASH_BITS | hash) << ROOM_BITS;
    session.judging.domain_before.clone_from(&moment.domain);
    Ok(Plan::Go(Some(Planned::Number(Number { domain, number, last }))))
}

/// The last number of a domain, whichever server gave it.
fn last(state: &str, domain: u32) -> u64 {
    let numbers = state.split(',').filter_map(|gtid| {
        let mut parts = gtid.trim().split('-');
        let of = parts.next()?.parse::<u32>().ok()?;
        let number = parts.nth(1)?.parse::<u64>().ok()?;
        (of == domain).then_some(number)
    });
    numbers.max().unwrap_or(0)
}

pub(super) fn begin(session: &mut Session, number: &Number) -> Result<(), Error> {
    session.run(&format!(
        "SET SESSION gtid_domain_id = {}, SESSION gtid_seq_no = {}",
        number.domain, number.number
    ))
}

pub(super) fn end(session: &mut Session) -> Result<(), Error> {
    let before = std::mem::take(&mut session.judging.domain_before);
    let domain = if before.is_empty() { "DEFAULT" } else { &before };
    session.run(&format!("SET SESSION gtid_domain_id = {domain}, SESSION gtid_seq_no = 0"))?;
    unlock(session)
}

/// Lets others use the domain.
pub(crate) fn unlock(session: &mut Session) -> Result<(), Error> {
    match session.judging.domain_lock.take() {
        Some(lock) => session.run(&format!("DO RELEASE_LOCK({})", literal(&lock))),
        None => Ok(()),
    }
}

pub(super) fn evidence(
    session: &mut Session,
    planned: &Number,
    moment: &Moment,
    is_sure: bool,
) -> Result<Evidence, Error> {
    let last = last(&moment.log_state, planned.domain);
    if is_of(last, planned.number) {
        return Ok(Evidence::Marked(format!(
            "the server's log has the number {} in domain {}, which went with it",
            planned.number, planned.domain
        )));
    }
    // The next counter was given to another statement: it had not seen this one. A later one may have, or not.
    let not_used = last == planned.last || count(last) == count(planned.number);
    if not_used && is_sure && !is_filtered(session)? {
        return Ok(Evidence::NotMarked(format!(
            "the server's log has no number {} in domain {}, which went with it",
            planned.number, planned.domain
        )));
    }
    Ok(Evidence::Silent)
}

/// Whether some databases may be left out of the log. Who may not ask has to think so.
fn is_filtered(session: &mut Session) -> Result<bool, Error> {
    match session.query("SHOW MASTER STATUS") {
        Ok(rows) => Ok(rows.iter().any(|row| row.iter().skip(2).any(|cell| cell.as_deref() != Some("")))),
        Err(error) if error.class == Class::Permission => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_of_a_domain_is_found_whoever_gave_it() {
        assert_eq!(last("0-1-14,77-1-5,77-2-9", 77), 9);
        assert_eq!(last("0-1-14", 77), 0);
        assert_eq!(last("", 0), 0);
    }

    #[test]
    fn numbers_grow_and_leave_room() {
        let one = (1 << HASH_BITS | ((1 << HASH_BITS) - 1)) << ROOM_BITS;
        let two = 2 << HASH_BITS << ROOM_BITS;
        assert!(one + 15 < two);
        assert!(is_of(one + 15, one) && !is_of(one + 16, one));
        assert_eq!((count(one), count(two)), (1, 2));
        const { assert!(COUNT_MAX << HASH_BITS << ROOM_BITS < 1 << 63) };
    }
}
