//! Sessions that end from outside: what was running is unknown, what comes after had no effect.

use crate::bench::{Bench, fails, on};
use crate::case::{Case, Need};
use crate::surroundings::descriptors_and_threads;
use anyhow::{Context, Result, bail, ensure};
use runsheet_sdk::{Applied, Class, Error, Failure};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "killed-in-statement",
            rule: "A session that is killed while a statement runs is LOST, and its effect unknown.",
            needs: &[Need::Server],
            check: killed_in_statement,
        },
        Case {
            name: "killed-in-commit",
            rule: "A session that is killed while it commits is LOST, and the commit's effect unknown.",
            needs: &[Need::Server],
            check: killed_in_commit,
        },
        Case {
            name: "killed-while-idle",
            rule: "A session that was killed while it was idle is LOST, and the next call had no effect.",
            needs: &[Need::Killing],
            check: killed_while_idle,
        },
        Case {
            name: "close-after-loss",
            rule: "A session that was lost is closed, and nothing of it is left.",
            needs: &[Need::Killing],
            check: close_after_loss,
        },
    ]
}

fn is_lost(error: &Error, applied: Applied) -> Result<()> {
    ensure!(error.failure == Failure::Lost, "it came to {:?}: {error:?}", error.failure);
    ensure!(error.class == Class::Connection, "its class is {}: {error:?}", error.class);
    ensure!(error.applied == applied, "applied is {}: {error:?}", error.applied);
    Ok(())
}

fn killed_in_statement(bench: &Bench) -> Result<()> {
    let running = bench.run_slow(bench.open()?)?;
    bench.target.outside.kill(&running.identity)?;
    let (session, ended) = running.end()?;
    match ended {
        Ok(outcome) => bail!("the session was killed, and its statement ended well: {outcome:?}"),
        Err(error) => is_lost(&error, Applied::Unknown)?,
    }
    drop(session);
    bench.open()?.ping().context("of another session")
}

fn killed_in_commit(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    let outside = &bench.target.outside;
    let identity = session.identify()?;
    session.begin()?;
    bench.insert(&mut session, &table, 1)?;
    let held = outside.hold_commits(&bench.target.database, &table)?;
    let committed = std::thread::scope(|scope| {
        let thread = scope.spawn(|| session.commit(&mut |_| {}));
        let killed = bench
            .wait_until("the commit runs", || {
                ensure!(!thread.is_finished(), "the commit did not wait");
                outside.is_running(&identity)
            })
            .and_then(|()| outside.kill(&identity));
        drop(held);
        let committed = thread.join().map_err(|_| anyhow::anyhow!("the thread of the commit panicked"));
        killed.and(committed)
    })?;
    match committed {
        Ok(()) => bail!("the session was killed, and its commit was OK"),
        Err(error) => is_lost(&error, Applied::Unknown),
    }
}

fn killed_while_idle(bench: &Bench) -> Result<()> {
    let insert = bench.target.statements.insert;
    for in_transaction in [false, true] {
        let mut session = bench.open()?;
        let table = bench.table(&mut session)?;
        if in_transaction {
            session.begin()?;
            bench.insert(&mut session, &table, 1)?;
        }
        bench.target.outside.kill(&session.identify()?)?;
        let error = fails(&mut session, &on(insert, &table, 2))?;
        is_lost(&error, Applied::No)?;
        let rows = bench.rows(&table)?;
        ensure!(rows == 0, "{rows} rows are there");
    }
    let mut session = bench.open()?;
    session.begin()?;
    bench.target.outside.kill(&session.identify()?)?;
    match session.commit(&mut |_| {}) {
        Ok(()) => bail!("the session was killed before its commit, which was OK"),
        Err(error) => is_lost(&error, Applied::No).context("of a commit"),
    }
}

fn close_after_loss(bench: &Bench) -> Result<()> {
    drop(bench.open()?);
    let (descriptors, _) = descriptors_and_threads()?;
    for _ in 0..3 {
        let mut session = bench.open()?;
        bench.target.outside.kill(&session.identify()?)?;
        session.ping().err().context("the session was killed, and answers")?;
        drop(session);
    }
    bench.wait_until("no descriptor is left", || Ok(descriptors_and_threads()?.0 <= descriptors))
}
