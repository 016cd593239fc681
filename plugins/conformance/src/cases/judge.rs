//! Judging: what is said of a statement that commits by itself, and whose answer may never have come.

use super::ledger::mark;
use crate::bench::{Bench, on};
use crate::case::{Case, Need};
use anyhow::{Context, Result, bail, ensure};
use runsheet::driver::{Connection, Lock};
use runsheet_sdk::{Observation, Observed, Ruling, Settled};

const NEEDS: &[Need] = &[Need::Extension("rsd.judge/1")];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "judge-before",
            rule: "A statement that was observed and not run is judged to have had no effect, and gets none by it.",
            needs: NEEDS,
            check: before,
        },
        Case {
            name: "judge-after",
            rule: "A statement that was observed and run is judged to have taken effect, by another session too.",
            needs: NEEDS,
            check: after,
        },
        Case {
            name: "advise",
            rule: "What the server's settings mean for exactly once is said in sentences.",
            needs: NEEDS,
            check: advise,
        },
    ]
}

/// A session that has the lock, as the judge's callers have it.
fn holder(bench: &Bench) -> Result<Connection> {
    let mut session = bench.open()?;
    bench.wait_until("the lock is free", || Ok(session.try_lock()? == Lock::Held))?;
    session.prepare_ledger()?;
    Ok(session)
}

fn observed(session: &mut Connection, text: &str, task: &str) -> Result<Observation> {
    match session.observe(text.as_bytes(), &mark(task, 1)).with_context(|| format!("`{text}`"))? {
        Observed::Before(observation) => {
            let settled = observation.settled;
            let decides = matches!(settled, Settled::Observation | Settled::Mark);
            ensure!(decides, "`{text}` would be settled by {settled}");
            Ok(observation)
        }
        Observed::Applied(verdict) => bail!("`{text}` was never run, and is taken for applied: {verdict:?}"),
    }
}

fn judged(session: &mut Connection, text: &str, task: &str, seen: &Observation, due: Ruling) -> Result<()> {
    let verdict = session.judge(text.as_bytes(), &mark(task, 1), &seen.text)?;
    ensure!(verdict.ruling == due, "`{text}` is judged {}: {verdict:?}", verdict.ruling);
    ensure!(!verdict.reason.is_empty(), "`{text}`: no reason is given");
    Ok(())
}

fn texts(bench: &Bench) -> Result<&[&'static str]> {
    ensure!(!bench.target.statements.judged.is_empty(), "the target has no statements that are judged");
    Ok(&bench.target.statements.judged)
}

fn before(bench: &Bench) -> Result<()> {
    for text in texts(bench)? {
        let mut session = holder(bench)?;
        let table = bench.table(&mut session)?;
        bench.insert(&mut session, &table, 1)?;
        let (text, task) = (on(text, &table, 1), bench.fresh_task());
        let seen = observed(&mut session, &text, &task)?;
        judged(&mut session, &text, &task, &seen, Ruling::NotApplied)?;
        judged(&mut session, &text, &task, &seen, Ruling::NotApplied).context("for the second time")?;
        // It succeeds only where judging it has not run it.
        session
            .execute_marked(text.as_bytes(), &mark(&task, 1), &seen.text, &mut |_| {})
            .with_context(|| format!("`{text}` failed"))?;
        session.unlock()?;
    }
    Ok(())
}

fn after(bench: &Bench) -> Result<()> {
    for text in texts(bench)? {
        let mut session = holder(bench)?;
        let table = bench.table(&mut session)?;
        bench.insert(&mut session, &table, 1)?;
        let (text, task) = (on(text, &table, 1), bench.fresh_task());
        let seen = observed(&mut session, &text, &task)?;
        session
            .execute_marked(text.as_bytes(), &mark(&task, 1), &seen.text, &mut |_| {})
            .with_context(|| format!("`{text}` failed"))?;
        judged(&mut session, &text, &task, &seen, Ruling::Applied)?;
        session.unlock()?;
        drop(session);
        let mut other = holder(bench)?;
        judged(&mut other, &text, &task, &seen, Ruling::Applied).context("by another session")?;
        other.unlock()?;
    }
    Ok(())
}

fn advise(bench: &Bench) -> Result<()> {
    let mut session = holder(bench)?;
    let mut sentences = Vec::new();
    session.advise(&mut |notice| sentences.push(notice.message))?;
    ensure!(sentences.iter().all(|sentence| !sentence.trim().is_empty()), "{sentences:?}");
    Ok(session.unlock()?)
}
