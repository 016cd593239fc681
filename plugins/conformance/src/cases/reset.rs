//! Reset: a session that was used is as new.

use super::lock::is_free;
use crate::bench::{Bench, LABEL, fails, on, say};
use crate::case::{Case, Need};
use anyhow::{Context, Result, ensure};
use runsheet::driver::Lock;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "reset-ends-transaction",
            rule: "A reset rolls an open transaction back.",
            needs: &[],
            check: ends_transaction,
        },
        Case {
            name: "reset-takes-settings-back",
            rule: "A reset takes back what the session has set.",
            needs: &[Need::SessionSettings],
            check: takes_settings_back,
        },
        Case {
            name: "reset-drops-temporary",
            rule: "A reset drops the session's temporary tables.",
            needs: &[Need::TemporaryTables],
            check: drops_temporary,
        },
        Case {
            name: "reset-lets-go-of-lock",
            rule: "A reset lets go of the lock on the database.",
            needs: &[Need::Extension("rsd.lock/1")],
            check: lets_go_of_lock,
        },
        Case {
            name: "label",
            rule: "A session calls itself as it was told, from its opening on and from each reset on.",
            needs: &[Need::Labels],
            check: label,
        },
    ]
}

fn ends_transaction(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    for fails_first in [false, true] {
        let table = bench.table(&mut session)?;
        session.begin()?;
        bench.insert(&mut session, &table, 1)?;
        if fails_first {
            fails(&mut session, "no such statement")?;
        }
        session.reset(LABEL)?;
        ensure!(bench.rows(&table)? == 0, "the reset has committed");
        bench.insert(&mut session, &table, 2)?;
        let rows = bench.rows(&table)?;
        ensure!(rows == 1, "after the reset and one more row, {rows} rows are seen");
    }
    Ok(())
}

fn takes_settings_back(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    let read_only = bench.target.statements.read_only.context("the target has no settings")?;
    say(&mut session, read_only)?;
    fails(&mut session, &on(bench.target.statements.insert, &table, 1))
        .context("the target's setting does not hinder a write")?;
    session.reset(LABEL)?;
    bench.insert(&mut session, &table, 1)?;
    Ok(())
}

fn drops_temporary(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let table = bench.fresh_name();
    let temporary = bench.target.statements.temporary.context("the target has no temporary tables")?;
    say(&mut session, &on(temporary, &table, 0))?;
    bench.insert(&mut session, &table, 1)?;
    session.reset(LABEL)?;
    fails(&mut session, &on(bench.target.statements.insert, &table, 2))?;
    Ok(())
}

fn lets_go_of_lock(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    ensure!(session.try_lock()? == Lock::Held, "the lock is not granted");
    session.reset(LABEL)?;
    is_free(bench)?;
    ensure!(session.try_lock()? == Lock::Held, "after its reset the session is not granted the lock");
    Ok(session.unlock()?)
}

fn label(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    for label in [LABEL, "runsheet a/b c", "it's \"quoted\" übel"] {
        if label != LABEL {
            session.reset(label)?;
        }
        let identity = session.identify()?;
        ensure!(bench.target.outside.label(&identity, label)?, "the server does not call it {label:?}");
    }
    Ok(())
}
