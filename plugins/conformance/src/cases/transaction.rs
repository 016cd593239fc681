//! Transactions: what is committed is seen, nothing else is, and a commit tells the truth.

use crate::bench::{Bench, fails, on, say};
use crate::case::Case;
use anyhow::{Context, Result, bail, ensure};
use runsheet::driver::Connection;
use runsheet_sdk::{Applied, Facts, Failure, Transaction};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "commit",
            rule: "What a transaction changes is seen by others after its commit, and not before.",
            needs: &[],
            check: commit,
        },
        Case {
            name: "transaction-state",
            rule: "A statement says whether a transaction is open after it, or that this cannot be told.",
            needs: &[],
            check: state,
        },
        Case {
            name: "commit-after-failure",
            rule: "A commit after a failed statement is OK only where what came before is in.",
            needs: &[],
            check: commit_after_failure,
        },
        Case {
            name: "rollback",
            rule: "A rollback undoes what was changed; without a transaction it does nothing.",
            needs: &[],
            check: rollback,
        },
        Case {
            name: "rollback-of-ddl",
            rule: "A rollback undoes DDL where the driver states that fact, and only there.",
            needs: &[],
            check: rollback_of_ddl,
        },
        Case {
            name: "close-rolls-back",
            rule: "A session that is closed in a transaction leaves nothing of it.",
            needs: &[],
            check: close_rolls_back,
        },
    ]
}

fn commit(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    session.begin()?;
    bench.insert(&mut session, &table, 1)?;
    bench.insert(&mut session, &table, 2)?;
    let rows = bench.rows(&table)?;
    ensure!(rows == 0, "{rows} rows are seen before the commit");
    session.commit(&mut |_| {})?;
    let rows = bench.rows(&table)?;
    ensure!(rows == 2, "{rows} rows are seen after the commit");
    bench.insert(&mut session, &table, 3)?;
    let rows = bench.rows(&table)?;
    ensure!(rows == 3, "{rows} rows are seen after a statement without a transaction");
    Ok(())
}

fn state(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    let says = |session: &mut Connection, id: u64, due: Transaction| -> Result<()> {
        let said = bench.insert(session, &table, id)?.transaction;
        ensure!(said == due || said == Transaction::Unknown, "it says {said:?} instead of {due:?}");
        Ok(())
    };
    says(&mut session, 1, Transaction::None)?;
    session.begin()?;
    says(&mut session, 2, Transaction::Open)?;
    session.commit(&mut |_| {})?;
    says(&mut session, 3, Transaction::None)?;
    say(&mut session, bench.target.statements.begin)?;
    says(&mut session, 4, Transaction::Open)?;
    session.rollback()?;
    says(&mut session, 5, Transaction::None)
}

fn commit_after_failure(bench: &Bench) -> Result<()> {
    for failing in &bench.target.statements.failing {
        let mut session = bench.open()?;
        let table = bench.table(&mut session)?;
        bench.insert(&mut session, &table, 1)?;
        session.begin()?;
        bench.insert(&mut session, &table, 2)?;
        let text = on(failing.text, &table, 1);
        fails(&mut session, &text)?;
        let committed = session.commit(&mut |_| {});
        let is_in = match bench.rows(&table)? {
            1 => false,
            2 => true,
            rows => bail!("after `{text}` and its commit there are {rows} rows"),
        };
        match &committed {
            Ok(()) => ensure!(is_in, "the commit after `{text}` was OK, and nothing is in"),
            Err(error) => {
                ensure!(
                    error.failure == Failure::Failed,
                    "the commit came to {:?}: {error:?}",
                    error.failure
                );
                let applied = if is_in { Applied::Yes } else { Applied::No };
                ensure!(error.applied == applied, "the commit says applied {}: {error:?}", error.applied);
            }
        }
        session.rollback()?;
        bench.insert(&mut session, &table, 3).context("after the failed commit")?;
        ensure!(bench.rows(&table)? == 2 + u64::from(is_in), "the session still has a transaction");
    }
    Ok(())
}

fn rollback(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    session.rollback().context("without a transaction")?;
    session.begin()?;
    bench.insert(&mut session, &table, 1)?;
    session.rollback()?;
    let rows = bench.rows(&table)?;
    ensure!(rows == 0, "{rows} rows are there after the rollback");
    bench.insert(&mut session, &table, 2)?;
    ensure!(bench.rows(&table)? == 1, "after the rollback a transaction is still open");
    Ok(())
}

fn rollback_of_ddl(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.fresh_name();
    session.begin()?;
    say(&mut session, &on(bench.target.statements.create, &table, 0))?;
    session.rollback()?;
    let is_there = bench.target.outside.rows(&bench.target.database, &table)?.is_some();
    match bench.library.facts().has(Facts::TRANSACTIONAL_DDL) {
        true => ensure!(!is_there, "the fact is stated, and the table is there after the rollback"),
        false => ensure!(is_there, "the fact is not stated, and the table is gone after the rollback"),
    }
    Ok(())
}

fn close_rolls_back(bench: &Bench) -> Result<()> {
    let mut other = bench.open()?;
    let table = bench.table(&mut other)?;
    let mut session = bench.open()?;
    session.begin()?;
    bench.insert(&mut session, &table, 1)?;
    drop(session);
    let rows = bench.rows(&table)?;
    ensure!(rows == 0, "{rows} rows are there");
    // It succeeds only where the closed session has let go of its row.
    bench.insert(&mut other, &table, 1).context("of the same row by another session")?;
    Ok(())
}
