//! The ledger: a mark is in exactly where what it marks is in, and only once.

use crate::bench::{Bench, say};
use crate::case::{Case, Need};
use anyhow::{Context, Result, bail, ensure};
use runsheet::driver::Connection;
use runsheet_sdk::{Applied, Class, Failure, Mark};
use std::sync::Barrier;

const NEEDS: &[Need] = &[Need::Extension("rsd.ledger/1")];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "ledger-missing",
            rule: "Where there is no ledger, there are no marks and no versions, and that is no error.",
            needs: NEEDS,
            check: missing,
        },
        Case {
            name: "ledger-prepare",
            rule: "The ledger is made once, however often and by however many it is prepared.",
            needs: NEEDS,
            check: prepare,
        },
        Case {
            name: "ledger-mark-rides",
            rule: "A mark is committed and rolled back with its transaction; without one it is in at once.",
            needs: NEEDS,
            check: mark_rides,
        },
        Case {
            name: "ledger-mark-rides-own",
            rule: "A mark rides with a transaction that a statement has opened, too.",
            needs: NEEDS,
            check: mark_rides_own,
        },
        Case {
            name: "ledger-mark-once",
            rule: "A mark that is in is refused, and takes its transaction with it.",
            needs: NEEDS,
            check: mark_once,
        },
        Case {
            name: "ledger-read",
            rule: "The marks of a task are read in the order of segments, as they were written.",
            needs: NEEDS,
            check: read,
        },
        Case {
            name: "ledger-version",
            rule: "A schema version is found where its sheet is complete, and nowhere else.",
            needs: NEEDS,
            check: version,
        },
        Case {
            name: "ledger-foreign",
            rule: "A table of the ledger's name that is another's is refused, and not touched.",
            needs: NEEDS,
            check: foreign,
        },
    ]
}

/// A mark of a task.
pub(super) fn mark(task: &str, segment: u32) -> Mark {
    Mark {
        task: task.to_owned(),
        segment,
        first_statement: u64::from(segment) * 10 - 9,
        last_statement: u64::from(segment) * 10,
        plan: "projects/it's \"quoted\"/plans/back\\slash".to_owned(),
        spec: "083c1c01-a0a6-485d-ae60-d6de2760ca4f".to_owned(),
        sheet: "projects/übel/sheets/数据".to_owned(),
        sheet_sha256: "0123456789abcdef".repeat(4),
        host: "here".to_owned(),
        ..Mark::default()
    }
}

/// A session whose ledger is prepared.
fn prepared(bench: &Bench) -> Result<Connection> {
    let mut session = bench.open()?;
    session.prepare_ledger()?;
    Ok(session)
}

/// Which segments are in, whatever their order.
fn segments(session: &mut Connection, task: &str) -> Result<Vec<u32>> {
    let mut segments: Vec<u32> = session.read_marks(task)?.iter().map(|mark| mark.segment).collect();
    segments.sort_unstable();
    Ok(segments)
}

fn missing(bench: &Bench) -> Result<()> {
    let mut session = bench.open_on(&bench.target.second_database)?;
    let task = bench.fresh_task();
    ensure!(session.read_marks(&task)?.is_empty(), "there are marks");
    ensure!(session.find_version("1")?.is_none(), "there is a version");
    session.begin()?;
    ensure!(session.read_marks(&task)?.is_empty(), "there are marks in a transaction");
    session.rollback()?;
    Ok(())
}

fn prepare(bench: &Bench) -> Result<()> {
    let begin = Barrier::new(2);
    let prepare = || -> Result<()> {
        let mut session = bench.open()?;
        begin.wait();
        session.prepare_ledger()?;
        session.prepare_ledger().context("for the second time")
    };
    let both = std::thread::scope(|scope| {
        let threads = [scope.spawn(prepare), scope.spawn(prepare)];
        threads.map(std::thread::ScopedJoinHandle::join)
    });
    for one in both {
        one.map_err(|_| anyhow::anyhow!("a thread panicked"))?.context("beside another session")?;
    }
    let mut session = prepared(bench)?;
    let task = bench.fresh_task();
    session.write_mark(&mark(&task, 1))?;
    session.prepare_ledger().context("where marks are in")?;
    ensure!(segments(&mut session, &task)? == [1], "preparing it took its marks away");
    prepared(bench).context("by another session")?;
    Ok(())
}

fn mark_rides(bench: &Bench) -> Result<()> {
    let (mut session, mut other) = (prepared(bench)?, prepared(bench)?);
    let table = bench.table(&mut session)?;
    let task = bench.fresh_task();
    session.begin()?;
    bench.insert(&mut session, &table, 1)?;
    session.write_mark(&mark(&task, 1))?;
    ensure!(segments(&mut other, &task)?.is_empty(), "the mark is seen before its commit");
    session.rollback()?;
    ensure!(segments(&mut other, &task)?.is_empty(), "the mark is in after its rollback");
    ensure!(bench.rows(&table)? == 0, "the row is in after its rollback");
    session.begin()?;
    bench.insert(&mut session, &table, 1)?;
    session.write_mark(&mark(&task, 1))?;
    session.commit(&mut |_| {})?;
    ensure!(segments(&mut other, &task)? == [1], "the mark is not in after its commit");
    ensure!(bench.rows(&table)? == 1, "the row is not in after its commit");
    session.write_mark(&mark(&task, 2))?;
    ensure!(segments(&mut other, &task)? == [1, 2], "without a transaction the mark is not in at once");
    session.begin().context("after a mark without a transaction")?;
    session.rollback()?;
    ensure!(segments(&mut other, &task)? == [1, 2], "the mark was in a transaction that stayed open");
    Ok(())
}

fn mark_rides_own(bench: &Bench) -> Result<()> {
    let (mut session, mut other) = (prepared(bench)?, prepared(bench)?);
    let table = bench.table(&mut session)?;
    let task = bench.fresh_task();
    say(&mut session, bench.target.statements.begin)?;
    bench.insert(&mut session, &table, 1)?;
    session.write_mark(&mark(&task, 1))?;
    ensure!(segments(&mut other, &task)?.is_empty(), "the mark is seen before its commit");
    session.rollback()?;
    ensure!(segments(&mut other, &task)?.is_empty(), "the mark is in after its rollback");
    ensure!(bench.rows(&table)? == 0, "the row is in after its rollback");
    say(&mut session, bench.target.statements.begin)?;
    bench.insert(&mut session, &table, 1)?;
    session.write_mark(&mark(&task, 1))?;
    session.commit(&mut |_| {})?;
    ensure!(segments(&mut other, &task)? == [1], "the mark is not in after its commit");
    ensure!(bench.rows(&table)? == 1, "the row is not in after its commit");
    Ok(())
}

fn mark_once(bench: &Bench) -> Result<()> {
    let (mut session, mut other) = (prepared(bench)?, prepared(bench)?);
    let table = bench.table(&mut session)?;
    let task = bench.fresh_task();
    session.write_mark(&mark(&task, 1))?;
    for in_transaction in [true, false] {
        let session = if in_transaction { &mut session } else { &mut other };
        if in_transaction {
            session.begin()?;
            bench.insert(session, &table, 1)?;
        }
        let error = match session.write_mark(&mark(&task, 1)) {
            Ok(()) => bail!("the mark was taken twice"),
            Err(error) => error,
        };
        ensure!(error.class == Class::AlreadyExists, "its class is {}: {error:?}", error.class);
        ensure!(error.failure == Failure::Failed, "it came to {:?}", error.failure);
        ensure!(error.applied == Applied::No, "applied is {}", error.applied);
        if in_transaction {
            session.rollback()?;
        }
        session.write_mark(&mark(&task, 2 + u32::from(in_transaction))).context("of another segment")?;
    }
    ensure!(bench.rows(&table)? == 0, "the row is in, and its mark was refused");
    ensure!(segments(&mut session, &task)? == [1, 2, 3], "{:?}", segments(&mut session, &task)?);
    Ok(())
}

fn read(bench: &Bench) -> Result<()> {
    let mut session = prepared(bench)?;
    let task = bench.fresh_task();
    let mut written: Vec<Mark> = [10, 2, 33, 1].iter().map(|segment| mark(&task, *segment)).collect();
    if let Some(last) = written.get_mut(2) {
        last.complete = true;
        last.schema_version = format!("read {}", bench.random.below(u64::MAX));
    }
    for mark in &written {
        session.write_mark(mark)?;
    }
    session.write_mark(&mark(&bench.fresh_task(), 1))?;
    written.sort_by_key(|mark| mark.segment);
    let mut read = prepared(bench)?.read_marks(&task)?;
    for mark in &mut read {
        let time = std::mem::take(&mut mark.applied_time);
        time.parse::<jiff::Timestamp>().with_context(|| format!("{time:?} is no time of RFC 3339"))?;
    }
    ensure!(read == written, "{read:?} was read instead of {written:?}");
    Ok(())
}

fn version(bench: &Bench) -> Result<()> {
    let mut session = prepared(bench)?;
    let task = bench.fresh_task();
    let version = format!("1.{}", bench.random.below(u64::MAX));
    let with = |segment: u32, complete: bool| Mark {
        schema_version: version.clone(),
        complete,
        ..mark(&task, segment)
    };
    session.write_mark(&with(1, false))?;
    ensure!(session.find_version(&version)?.is_none(), "it is found before its sheet is complete");
    session.write_mark(&with(2, true))?;
    let found = session.find_version(&version)?.context("it is not found")?;
    ensure!((&found.task, found.segment) == (&task, 2), "another mark is found: {found:?}");
    for other in [format!("{version}0"), version.replace("1.", "1"), String::new()] {
        ensure!(session.find_version(&other)?.is_none(), "{other:?} is found");
    }
    Ok(())
}

fn foreign(bench: &Bench) -> Result<()> {
    let database = &bench.target.second_database;
    let statements = &bench.target.statements;
    let mut session = bench.open_on(database)?;
    for text in &statements.foreign_ledger {
        say(&mut session, text)?;
    }
    let error = match session.prepare_ledger() {
        Ok(()) => bail!("it was taken for the ledger"),
        Err(error) => error,
    };
    ensure!(error.class == Class::AlreadyExists, "its class is {}: {error:?}", error.class);
    ensure!(error.failure == Failure::Failed, "it came to {:?}", error.failure);
    ensure!(error.object.contains("runsheet_ledger"), "the error is about {:?}", error.object);
    let rows = bench.target.outside.rows(database, statements.ledger_table)?;
    ensure!(rows == Some(1), "the table was touched: {rows:?}");
    Ok(())
}
