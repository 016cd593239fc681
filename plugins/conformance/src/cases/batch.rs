//! Batches: statements that are sent in one go, each with an outcome of its own.

use crate::bench::{Bench, fails, on};
use crate::case::{Case, Need};
use anyhow::{Context, Result, bail, ensure};
use runsheet::driver::{Batched, Connection};
use runsheet_sdk::Facts;

const BATCH: Need = Need::Extension("rsd.batch/1");
/// Rows that a batch puts in.
const ROWS: u64 = 300;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "batch",
            rule: "A batch's statements run in order and in the open transaction, each with its own outcome.",
            needs: &[BATCH],
            check: batch,
        },
        Case {
            name: "batch-failing",
            rule: "A batch ends at its first error, which says what it says alone; none behind it has run.",
            needs: &[BATCH],
            check: failing,
        },
        Case {
            name: "batch-notices",
            rule: "In a batch a statement's notices come whole, and before its own outcome.",
            needs: &[BATCH, Need::Fact(Facts::NOTICES)],
            check: notices,
        },
    ]
}

fn send(session: &mut Connection, statements: &[String]) -> Batched {
    let texts: Vec<&[u8]> = statements.iter().map(String::as_bytes).collect();
    session.execute_batch(&texts, &mut |_, _| {})
}

fn inserts(bench: &Bench, table: &str, ids: std::ops::Range<u64>) -> Vec<String> {
    ids.map(|id| on(bench.target.statements.insert, table, id)).collect()
}

fn batch(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    // One by one it says and leaves the same.
    let (mut said, mut left) = (Vec::new(), Vec::new());
    for in_one_go in [false, true] {
        for commits in [true, false] {
            let table = bench.table(&mut session)?;
            let counted = bench.target.statements.counted.iter();
            // What changes no rows may commit by itself.
            let counted = counted.filter(|counted| counted.rows.is_some());
            let mut statements: Vec<String> = counted.map(|counted| on(counted.text, &table, 1)).collect();
            statements.extend(inserts(bench, &table, 1_000..1_000 + ROWS));
            session.begin()?;
            let outcomes = if in_one_go {
                let came = send(&mut session, &statements);
                ensure!(came.error.is_none(), "the batch failed: {:?}", came.error);
                came.outcomes
            } else {
                let mut one = |text: &String| session.execute(text.as_bytes(), &mut |_| {});
                statements.iter().map(&mut one).collect::<Result<_, _>>()?
            };
            if commits {
                session.commit(&mut |_| {})?
            } else {
                session.rollback()?
            }
            let outcomes = outcomes.into_iter().map(|outcome| (outcome.rows_affected, outcome.tag));
            said.push(outcomes.collect::<Vec<_>>());
            left.push(bench.rows(&table)?);
        }
    }
    let [one_by_one, .., in_one_go] = said.as_slice() else { bail!("four rounds") };
    ensure!(one_by_one == in_one_go, "one by one it says {one_by_one:?}, and in one go {in_one_go:?}");
    ensure!(left[..2] == left[2..], "commits and rollbacks leave {left:?} rows");
    Ok(())
}

fn failing(bench: &Bench) -> Result<()> {
    let mut session = bench.open()?;
    let words = &bench.target.statements;
    let misplaced = words.misplaced.iter().map(|misplaced| misplaced.text);
    for text in words.failing.iter().map(|failing| failing.text).chain(misplaced) {
        let table = bench.table(&mut session)?;
        bench.insert(&mut session, &table, 1)?;
        let text = on(text, &table, 1);
        session.begin()?;
        let alone = fails(&mut session, &text)?;
        session.rollback()?;

        let before = inserts(bench, &table, 10..13);
        let statements = [before.clone(), vec![text.clone()], inserts(bench, &table, 20..23)].concat();
        session.begin()?;
        let came = send(&mut session, &statements);
        ensure!(came.outcomes.len() == before.len(), "`{text}` fails behind {} others", came.outcomes.len());
        let Some(error) = came.error else { bail!("`{text}` ended well") };
        ensure!(
            (error.class, error.failure, error.applied, error.position)
                == (alone.class, alone.failure, alone.applied, alone.position),
            "`{text}` fails as {error:?} in a batch, and alone as {alone:?}"
        );
        session.rollback()?;
        bench.insert(&mut session, &table, 2).with_context(|| format!("after `{text}`"))?;
        ensure!(bench.rows(&table)? == 2, "after `{text}` there are {} rows", bench.rows(&table)?);
    }
    Ok(())
}

fn notices(bench: &Bench) -> Result<()> {
    let notices = bench.target.statements.notices.as_ref().context("the target has no notices")?;
    let mut session = bench.open()?;
    let table = bench.table(&mut session)?;
    session.begin()?;
    for text in &notices.before {
        session.execute(on(text, &table, 1).as_bytes(), &mut |_| {})?;
    }
    let noisy = on(&notices.statement, &table, 1);
    let statements =
        [inserts(bench, &table, 10_000..10_002), vec![noisy], inserts(bench, &table, 10_010..10_012)]
            .concat();
    let texts: Vec<&[u8]> = statements.iter().map(String::as_bytes).collect();
    let mut of = Vec::new();
    let came = session.execute_batch(&texts, &mut |index, _| of.push(index));
    ensure!(came.error.is_none(), "the batch failed: {:?}", came.error);
    // Where the engine keeps them only for a statement that nothing follows, it says at least how many they were.
    ensure!(!of.is_empty() && of.iter().all(|index| *index == 2), "notices came to the statements {of:?}");
    session.rollback()?;
    Ok(())
}
