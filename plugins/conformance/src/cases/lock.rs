//! The lock of one runner per database: one session has it, and it ends with the session.

use crate::bench::Bench;
use crate::case::{Case, Need, NotThere};
use anyhow::{Context, Result, bail, ensure};
use runsheet::driver::{Connection, Lock};
use runsheet_sdk::{Failure, Identity};

const LOCK: Need = Need::Extension("rsd.lock/1");

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "lock-excludes",
            rule: "A lock that one session holds is granted to no other, until it lets go.",
            needs: &[LOCK],
            check: excludes,
        },
        Case {
            name: "lock-names-its-holder",
            rule: "Who asks for a lock that is held is told by which session.",
            needs: &[LOCK],
            check: names_its_holder,
        },
        Case {
            name: "lock-of-one-database",
            rule: "Each database has a lock of its own.",
            needs: &[LOCK],
            check: of_one_database,
        },
        Case {
            name: "lock-ends-with-session",
            rule: "A session that is killed lets go of its lock.",
            needs: &[LOCK, Need::Killing],
            check: ends_with_session,
        },
        Case {
            name: "lock-holder-is-ended",
            rule: "The session that holds the lock is ended where it is the very one that is meant.",
            needs: &[LOCK],
            check: holder_is_ended,
        },
        Case {
            name: "lock-outlasts",
            rule: "A lock outlasts transactions and failed statements.",
            needs: &[LOCK],
            check: outlasts,
        },
        Case {
            name: "lock-ends-with-close",
            rule: "A session that is closed lets go of its lock.",
            needs: &[LOCK],
            check: ends_with_close,
        },
    ]
}

/// A session that has the lock.
fn holder(bench: &Bench) -> Result<Connection> {
    let mut session = bench.open()?;
    // A session of a case before this one may take a moment to end.
    bench.wait_until("the lock is free", || Ok(session.try_lock()? == Lock::Held))?;
    Ok(session)
}

fn busy(session: &mut Connection) -> Result<Option<Identity>> {
    match session.try_lock()? {
        Lock::Held => bail!("a second session was granted the lock"),
        Lock::Busy(who) => Ok(who),
    }
}

/// That the lock is free, as another session sees it.
pub(super) fn is_free(bench: &Bench) -> Result<()> {
    let mut other = bench.open()?;
    bench.wait_until("the lock is free", || Ok(other.try_lock()? == Lock::Held))?;
    Ok(other.unlock()?)
}

fn excludes(bench: &Bench) -> Result<()> {
    let mut first = holder(bench)?;
    let mut second = bench.open()?;
    busy(&mut second)?;
    second.unlock().context("of a lock that it does not hold")?;
    busy(&mut second)?;
    ensure!(first.try_lock()? == Lock::Held, "its holder was not granted it again");
    first.unlock()?;
    ensure!(second.try_lock()? == Lock::Held, "it was let go of, and is not granted");
    busy(&mut first)?;
    second.unlock()?;
    Ok(())
}

fn names_its_holder(bench: &Bench) -> Result<()> {
    let mut first = holder(bench)?;
    let mut second = bench.open()?;
    let who = busy(&mut second)?.context("the holder is not named")?;
    let own = first.identify()?;
    ensure!(who.session == own.session, "it is held by {:?}, not by {:?}", own.session, who.session);
    for (said, own) in [(&who.session_start, &own.session_start), (&who.system, &own.system)] {
        ensure!(said.is_empty() || said == own, "the holder says {own:?} of itself, and others say {said:?}");
    }
    Ok(first.unlock()?)
}

fn of_one_database(bench: &Bench) -> Result<()> {
    let mut first = holder(bench)?;
    let mut second = bench.open_on(&bench.target.second_database)?;
    ensure!(second.try_lock()? == Lock::Held, "the lock of one database excludes sessions on another");
    first.unlock()?;
    Ok(second.unlock()?)
}

fn ends_with_close(bench: &Bench) -> Result<()> {
    let first = holder(bench)?;
    drop(first);
    is_free(bench)
}

fn ends_with_session(bench: &Bench) -> Result<()> {
    let mut first = holder(bench)?;
    bench.target.outside.kill(&first.identify()?)?;
    is_free(bench)
}

fn holder_is_ended(bench: &Bench) -> Result<()> {
    let mut first = holder(bench)?;
    let who = first.identify()?;
    let mut second = bench.open()?;
    let mut third = bench.open()?;
    let elsewhere = Identity { system: format!("{} or so", who.system), ..who.clone() };
    for other in [third.identify()?, elsewhere] {
        match second.end_holder(&other) {
            Ok(()) => bail!("the lock is held by {who:?}, and the end of {other:?} was OK"),
            Err(error) if error.failure == Failure::Unsupported => {
                first.unlock()?;
                return Err(NotThere("the driver says that it cannot end another session").into());
            }
            Err(error) => ensure!(error.failure == Failure::Failed, "{error:?}"),
        }
        first.ping().context("after another was meant")?;
        third.ping().context("which does not hold the lock")?;
    }
    second.end_holder(&who)?;
    is_free(bench)?;
    let error = first.ping().err().context("the holder was ended, and answers")?;
    ensure!(error.failure == Failure::Lost, "{error:?}");
    Ok(())
}

fn outlasts(bench: &Bench) -> Result<()> {
    let mut first = holder(bench)?;
    let table = bench.table(&mut first)?;
    first.begin()?;
    bench.insert(&mut first, &table, 1)?;
    first.rollback()?;
    first.begin()?;
    bench.insert(&mut first, &table, 1)?;
    first.commit(&mut |_| {})?;
    ensure!(first.execute(b"no such statement", &mut |_| {}).is_err(), "nonsense was run");
    busy(&mut bench.open()?)?;
    Ok(first.unlock()?)
}
