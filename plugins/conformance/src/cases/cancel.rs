//! Cancel: it stops what runs, and nothing else.

use crate::bench::Bench;
use crate::case::{Case, Need};
use anyhow::{Context, Result, bail, ensure};
use runsheet_sdk::{Applied, Class, Facts, Failure};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// How many cancels must hit nothing.
const STRAY: u64 = 200;
/// The first number of rows that may or may not be put in.
const HIT: u64 = 1_000_000;

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
    Ok(())
}
