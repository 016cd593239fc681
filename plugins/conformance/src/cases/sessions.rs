//! Sessions beside and after each other, and the process that they live in.

use crate::bench::{Bench, on, say};
use crate::case::{Case, Need};
use crate::surroundings::descriptors_and_threads;
use anyhow::{Context, Result, ensure};
use runsheet_sdk::Facts;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// How many sessions are opened and closed.
const SESSIONS: usize = 300;
/// How often two sessions do something at the same moment.
const ROUNDS: u64 = 50;
/// How long, and how often at least, one session works beside another.
const BESIDE_TIME: Duration = Duration::from_millis(100);
const BESIDE_COUNT: u64 = 50;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "any-thread",
            rule: "A session may be opened, used and closed on different threads.",
            needs: &[],
            check: any_thread,
        },
        Case {
            name: "side-by-side",
            rule: "Two sessions work at the same time: a statement that takes long holds up only its own.",
            needs: &[Need::Fact(Facts::CANCEL)],
            check: side_by_side,
        },
        Case {
            name: "at-once",
            rule: "What two sessions do at the same moment is done whole.",
            needs: &[],
            check: at_once,
        },
        Case {
            name: "leaves-nothing",
            rule: "Sessions that were closed leave no descriptor and no thread behind.",
            needs: &[],
            check: leaves_nothing,
        },
        Case {
            name: "surroundings",
            rule: "Signals, directory, umask, locale, environment and outputs stay as they were; nothing is printed.",
            needs: &[],
            check: surroundings,
        },
    ]
}

fn any_thread(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    session.begin()?;
    let session = std::thread::scope(|scope| {
        let thread = scope.spawn(|| -> Result<_> {
            bench.insert(&mut session, &table, 1)?;
            Ok(session)
        });
        thread.join().map_err(|_| anyhow::anyhow!("the first thread panicked"))?
    })?;
    std::thread::spawn(move || {
        let mut session = session;
        session.commit(&mut |_| {})
    })
    .join()
    .map_err(|_| anyhow::anyhow!("the second thread panicked"))??;
    ensure!(bench.rows(&table)? == 1, "the row is not there");
    Ok(())
}

fn side_by_side(bench: &Bench) -> Result<()> {
    let mut other = bench.open()?;
    let table = bench.table(&mut other)?;
    let running = bench.run_slow(bench.open()?)?;
    let begun = Instant::now();
    let mut id = 0;
    // Without a server nothing tells when the statement has begun.
    let least = if bench.has_server() { Duration::ZERO } else { BESIDE_TIME };
    while id < BESIDE_COUNT || begun.elapsed() < least {
        id += 1;
        bench.insert(&mut other, &table, id)?;
        ensure!(!running.has_ended(), "the other session's statement had to end first");
    }
    drop(running.cancel()?);
    Ok(())
}

fn at_once(bench: &Bench) -> Result<()> {
    let table = bench.table(&mut bench.open()?)?;
    let begin = Barrier::new(2);
    let work = |first: u64| -> Result<()> {
        let mut session = bench.open();
        let mut inserted = Ok(());
        for id in first..first + ROUNDS {
            // Also after a failure, so that the other does not wait for ever.
            begin.wait();
            if let (Ok(session), Ok(())) = (&mut session, &inserted) {
                inserted = bench.insert(session, &table, id).map(drop);
            }
        }
        session.and(inserted)
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(|| work(1)), scope.spawn(|| work(1 + ROUNDS))];
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
    })?;
    let rows = bench.rows(&table)?;
    ensure!(rows == 2 * ROUNDS, "{rows} rows are there instead of {}", 2 * ROUNDS);
    Ok(())
}

fn leaves_nothing(bench: &Bench) -> Result<()> {
    // What a driver makes once is made now.
    for _ in 0..3 {
        drop(bench.open()?);
    }
    let mut other = bench.open()?;
    let table = bench.table(&mut other)?;
    let (descriptors, threads) = descriptors_and_threads()?;
    for id in 0..SESSIONS {
        let mut session = bench.open()?;
        match id % 3 {
            0 => {
                bench.insert(&mut session, &table, id as u64)?;
            }
            1 => {
                session.begin()?;
                say(&mut session, &on(bench.target.statements.insert, &table, id as u64))?;
            }
            _ => {}
        }
    }
    let seen = || {
        descriptors_and_threads()
            .map(|(now, working)| (now.saturating_sub(descriptors), working.saturating_sub(threads)))
    };
    let gone = bench.wait_until("nothing is left", || Ok(seen()? == (0, 0)));
    let (descriptors, threads) = seen()?;
    gone.with_context(|| format!("{SESSIONS} sessions left {descriptors} descriptors and {threads} threads"))
}

fn surroundings(bench: &Bench) -> Result<()> {
    let differences = bench.watched.differences()?;
    ensure!(differences.is_empty(), "{}", differences.join("; "));
    Ok(())
}
