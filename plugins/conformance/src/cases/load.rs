//! Loads: rows that stand in a sheet after their statement.

use crate::bench::{Bench, on};
use crate::case::{Case, Need};
use anyhow::{Context, Result, bail, ensure};
use runsheet::driver::Connection;
use runsheet_sdk::{Applied, Error, Failure, Outcome};

const NEEDS: &[Need] = &[Need::Extension("rsd.load/1")];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "load",
            rule: "A load's rows come in whole, counted, and with their transaction, however they are cut.",
            needs: NEEDS,
            check: load,
        },
        Case {
            name: "load-refused",
            rule: "Of a load with a wrong row nothing is in, and the session is usable.",
            needs: NEEDS,
            check: load_refused,
        },
    ]
}

/// Loads rows, cut at random places.
fn run(bench: &Bench, session: &mut Connection, statement: &str, rows: &str) -> Result<Outcome, Error> {
    session.begin_load(statement.as_bytes(), &mut |_| {})?;
    let mut rest = rows.as_bytes();
    while !rest.is_empty() {
        let length = usize::try_from(1 + bench.random.below(rest.len() as u64)).unwrap_or(1);
        let (some, behind) = rest.split_at(length.min(rest.len()));
        session.load_rows(some)?;
        rest = behind;
    }
    session.end_load(&mut |_| {})
}

fn load(bench: &Bench) -> Result<()> {
    let load = bench.target.statements.load.as_ref().context("the target has no load")?;
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    let statement = on(load.statement, &table, 0);
    session.begin()?;
    run(bench, &mut session, &statement, load.rows)?;
    session.rollback()?;
    let rows = bench.rows(&table)?;
    ensure!(rows == 0, "{rows} rows are there after the load's rollback");
    let outcome = run(bench, &mut session, &statement, load.rows)?;
    ensure!(outcome.rows_affected == Some(load.count), "it says {:?} rows", outcome.rows_affected);
    let rows = bench.rows(&table)?;
    ensure!(rows == load.count, "{rows} rows are there instead of {}", load.count);
    Ok(())
}

fn load_refused(bench: &Bench) -> Result<()> {
    let load = bench.target.statements.load.as_ref().context("the target has no load")?;
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    let error = match run(bench, &mut session, &on(load.statement, &table, 0), load.wrong_rows) {
        Ok(outcome) => bail!("wrong rows were taken: {outcome:?}"),
        Err(error) => error,
    };
    ensure!(error.failure == Failure::Failed, "it came to {:?}: {error:?}", error.failure);
    ensure!(error.applied == Applied::No, "applied is {}", error.applied);
    bench.insert(&mut session, &table, 1_000).context("after it")?;
    let rows = bench.rows(&table)?;
    ensure!(rows == 1, "{rows} rows are there, of which one was put in after it");
    Ok(())
}
