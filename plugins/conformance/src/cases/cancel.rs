//! Cancel: it stops what runs, and nothing else.

use super::ledger::mark;
use crate::bench::{Bench, CANCEL_AGAIN, on};
use crate::case::{Case, Need};
use anyhow::{Context, Result, bail, ensure};
use runsheet::driver::Connection;
use runsheet_sdk::{Applied, Class, Error, Facts, Failure};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// How many cancels must hit nothing.
const STRAY: u64 = 200;
/// The first number of rows that may or may not be put in.
const HIT: u64 = 1_000_000;
/// Statements of a batch that may be hit, and the number of its first row.
const IN_BATCH: u64 = 100;
const BATCHED: u64 = 2_000_000;

/// How long a transaction is held while another session may wait for it.
const HELD: Duration = Duration::from_millis(50);

const NEEDS: &[Need] = &[Need::Fact(Facts::CANCEL)];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "cancel-stops",
            rule: "A cancel stops the running statement, which comes to CANCELED, and the session is usable.",
            needs: NEEDS,
            check: stops,
        },
        Case {
            name: "cancel-hits-nothing-else",
            rule: "A cancel on an idle session, or at a statement's end, does not hit the next statement.",
            needs: NEEDS,
            check: hits_nothing_else,
        },
        Case {
            name: "cancel-spares-waiting",
            rule: "A cancel on an idle session does not hit its next call, also where that waits for another session.",
            needs: &[Need::Fact(Facts::CANCEL), Need::Extension("rsd.ledger/1")],
            check: spares_waiting,
        },
    ]
}

fn stops(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    let (mut session, ended) = bench.run_slow(session)?.cancel()?;
    let error = match ended {
        Ok(outcome) => bail!("the statement was canceled, and ended well: {outcome:?}"),
        Err(error) => error,
    };
    ensure!(error.failure == Failure::Canceled, "it came to {:?}: {error:?}", error.failure);
    ensure!(error.class == Class::Canceled, "its class is {}", error.class);
    ensure!(error.applied == Applied::No, "applied is {}", error.applied);
    bench.insert(&mut session, &table, 1).context("after the cancel")?;
    if bench.library.extensions().contains(&"rsd.batch/1") {
        stops_a_batch(bench, &mut session)?;
        bench.insert(&mut session, &table, 2).context("after the cancel of a batch")?;
    }
    Ok(())
}

/// A batch ends in the statement that is canceled, and the others do not run.
fn stops_a_batch(bench: &Bench, session: &mut Connection) -> Result<()> {
    let slow = bench.target.statements.slow.as_bytes();
    let handle = session.cancel_handle();
    session.begin()?;
    let came = std::thread::scope(|scope| {
        let thread = scope.spawn(|| session.execute_batch(&[slow, slow, slow], &mut |_, _| {}));
        while !thread.is_finished() {
            std::thread::sleep(CANCEL_AGAIN);
            handle.cancel();
        }
        thread.join().map_err(|_| anyhow::anyhow!("the thread of a batch panicked"))
    })?;
    ensure!(came.outcomes.is_empty(), "a canceled batch goes on: {came:?}");
    let Some(error) = came.error else { bail!("a batch was canceled, and ended well") };
    ensure!((error.failure, error.class) == (Failure::Canceled, Class::Canceled), "it is {error:?}");
    session.rollback()?;
    Ok(())
}

fn hits_nothing_else(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    let handle = session.cancel_handle();
    let begun = Instant::now();
    bench.insert(&mut session, &table, 0)?;
    // Around the end of a statement, which takes about as long each time.
    let longest = 2 * u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX / 2);
    for round in 1..=STRAY {
        let next = match round % 2 {
            0 => {
                handle.cancel();
                bench.insert(&mut session, &table, round)
            }
            _ => {
                let wait = Duration::from_micros(bench.random.below(longest));
                let begin = Barrier::new(2);
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        begin.wait();
                        let begun = Instant::now();
                        while begun.elapsed() < wait {
                            std::hint::spin_loop();
                        }
                        handle.cancel();
                    });
                    begin.wait();
                    // This one may be hit, or may have ended before.
                    let _ = bench.insert(&mut session, &table, HIT + round);
                });
                bench.insert(&mut session, &table, round)
            }
        };
        next.with_context(|| format!("the statement after cancel {round}"))?;
    }
    if bench.library.extensions().contains(&"rsd.batch/1") {
        hits_a_batch_anywhere(bench, &mut session, &table)?;
    }
    Ok(())
}

/// Cancels that come anywhere in a batch, between two of its statements too: it ends, as a whole or in one of them, and the next call
/// is not hit.
fn hits_a_batch_anywhere(bench: &Bench, session: &mut Connection, table: &str) -> Result<()> {
    let insert = |id: u64| on(bench.target.statements.insert, table, id);
    let begun = Instant::now();
    bench.insert(session, table, BATCHED)?;
    let longest = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX / IN_BATCH) * IN_BATCH;
    let handle = session.cancel_handle();
    for round in 1..=STRAY {
        let statements: Vec<String> =
            (0..IN_BATCH).map(|id| insert(BATCHED + round * IN_BATCH + id)).collect();
        let texts: Vec<&[u8]> = statements.iter().map(String::as_bytes).collect();
        let wait = Duration::from_micros(bench.random.below(longest));
        session.begin().with_context(|| format!("begin of batch {round}"))?;
        let came = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(wait);
                handle.cancel();
            });
            session.execute_batch(&texts, &mut |_, _| {})
        });
        match came.error {
            Some(error) => ensure!(error.failure == Failure::Canceled, "batch {round}: {error:?}"),
            None => ensure!(came.outcomes.len() == texts.len(), "batch {round} ends before its end"),
        }
        session.rollback().with_context(|| format!("rollback of batch {round}"))?;
    }
    Ok(())
}

fn spares_waiting(bench: &Bench) -> Result<()> {
    let (mut session, mut other) = (bench.open()?, bench.open()?);
    session.prepare_ledger()?;
    let table = bench.table(&mut other)?;
    let task = bench.fresh_task();
    type Call<'c> = &'c (dyn Fn(&mut Connection) -> Result<(), Error> + Sync);
    let calls: [(&str, Call<'_>); 2] = [
        ("a mark", &|session| session.write_mark(&mark(&task, 1))),
        ("a transaction", &|session| session.begin().and_then(|()| session.rollback())),
    ];
    for (id, (what, call)) in (1..).zip(calls) {
        other.begin()?;
        bench.insert(&mut other, &table, id)?;
        session.cancel_handle().cancel();
        let called = std::thread::scope(|scope| {
            let thread = scope.spawn(|| call(&mut session));
            // An engine without a server may let only one session write, and the other waits.
            std::thread::sleep(if bench.has_server() { Duration::ZERO } else { HELD });
            let committed = other.commit(&mut |_| {});
            let called = thread.join().map_err(|_| anyhow::anyhow!("the thread of a call panicked"))?;
            committed?;
            anyhow::Ok(called)
        })?;
        called.with_context(|| format!("{what}, after a cancel on the idle session"))?;
    }
    Ok(())
}
