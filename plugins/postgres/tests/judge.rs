//! Every kind of statement that cannot stand in a transaction is judged rightly on a real server: not sent, done, cut off with its
//! session, and cut off with its server. What is right is seen by psql. RUNSHEET_CASES makes more rounds, RUNSHEET_SEED repeats them.

mod judging;

use anyhow::{Context, Result, ensure};
use judging::{Bench, CASES, ROWS, Trial, rounds, seed};
use runsheet_driver_postgres::judge::KINDS;
use runsheet_sdk::{Connection, Mark, Observation, Ruling, TryLock};
use std::collections::BTreeMap;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[test]
fn every_kind_that_is_seen_has_a_case() {
    for kind in KINDS.iter().filter(|kind| kind.seen != "nothing") {
        // Moving a database or making a tablespace needs a folder outside of the server's own.
        let elsewhere = kind.statement.contains("SET TABLESPACE");
        let covered = CASES.iter().any(|case| kind.statement.starts_with(case.kind));
        assert!(elsewhere || covered, "no case for {}", kind.statement);
    }
}

#[test]
fn what_was_never_sent_is_judged_as_that_and_what_was_done_as_done() -> Result<()> {
    let bench = Bench::start(seed())?;
    for case in CASES {
        let trial = Trial::new(&bench, case)?;
        let mut session = bench.fenced(&trial.database)?;
        let seen = trial.observe(&mut session)?;
        drop(session);
        let ruling = trial.settle(&bench, &seen)?;
        assert_eq!(ruling, Ruling::NotApplied, "{}", case.statement);

        let trial = Trial::new(&bench, case)?;
        let mut session = bench.fenced(&trial.database)?;
        let seen = trial.observe(&mut session)?;
        session
            .judge()
            .context("it judges")?
            .execute(&trial.statement(), &Mark::default(), &seen.text, &mut |_| {})
            .with_context(|| case.statement)?;
        drop(session);
        let ruling = trial.settle(&bench, &seen)?;
        // What may be done twice is simply done twice.
        let wanted = if case.kind.starts_with("REINDEX") { Ruling::NotApplied } else { Ruling::Applied };
        assert_eq!(ruling, wanted, "{}", case.statement);
    }
    Ok(())
}

/// A statement on its way, as the executor sends it.
struct Sent {
    process: String,
    seen: Observation,
    running: JoinHandle<()>,
}

fn send(bench: &Bench, trial: &Trial<'_>) -> Result<Sent> {
    let mut session = bench.fenced(&trial.database)?;
    let seen = trial.observe(&mut session)?;
    let process = session.identify()?.session;
    let (statement, text) = (trial.statement(), seen.text.clone());
    let running = std::thread::spawn(move || {
        let judge = session.judge().expect("it judges");
        // Cut off, or done: the judgement must tell.
        let _ = judge.execute(&statement, &Mark::default(), &text, &mut |_| {});
    });
    Ok(Sent { process, seen, running })
}

/// Cuts a statement off by `cut` after a random time, and settles it. Gives the first ruling.
fn cut_off(
    bench: &mut Bench,
    trial: &Trial<'_>,
    cut: impl FnOnce(&mut Bench, &str) -> Result<()>,
) -> Result<Ruling> {
    let sent = send(bench, trial)?;
    let longest = if trial.case.setup == ROWS { 400_000 } else { 20_000 };
    std::thread::sleep(Duration::from_micros(bench.random(longest)));
    cut(bench, &sent.process)?;
    sent.running.join().map_err(|_| anyhow::anyhow!("the session's thread panicked"))?;
    trial.settle(bench, &sent.seen)
}

#[test]
fn what_is_cut_off_with_its_session_is_judged_by_what_is_there() -> Result<()> {
    let seed = seed();
    let mut bench = Bench::start(seed)?;
    let mut rulings = BTreeMap::new();
    for round in 0..rounds() {
        for case in CASES {
            let trial = Trial::new(&bench, case)?;
            let ruling = cut_off(&mut bench, &trial, |bench, process| {
                let end = format!("SELECT pg_terminate_backend({process})");
                bench.server.execute("postgres", &end).map(drop)
            });
            let ruling = ruling.with_context(|| format!("{}, seed {seed}, round {round}", case.statement))?;
            *rulings.entry(ruling.word()).or_insert(0) += 1;
        }
    }
    println!("cut off with the session, seed {seed}: {rulings:?}");
    Ok(())
}

#[test]
fn what_is_cut_off_with_its_server_is_judged_by_what_is_there() -> Result<()> {
    let seed = seed();
    let mut bench = Bench::start(seed)?;
    let mut rulings = BTreeMap::new();
    for case in CASES {
        let trial = Trial::new(&bench, case)?;
        let ruling = cut_off(&mut bench, &trial, |bench, _| {
            bench.server.kill9();
            bench.server.restart()
        });
        let ruling = ruling.with_context(|| format!("{}, seed {seed}", case.statement))?;
        *rulings.entry(ruling.word()).or_insert(0) += 1;
    }
    println!("cut off with the server, seed {seed}: {rulings:?}");
    Ok(())
}

/// Detaching waits for whoever still reads the table; ended while it waits, it is half done.
#[test]
fn a_partition_that_is_half_detached_is_finalized() -> Result<()> {
    let bench = Bench::start(seed())?;
    let case = CASES.iter().find(|case| case.kind.contains("DETACH")).context("the case")?;
    let trial = Trial::new(&bench, case)?;
    let mut reader = bench.open(&trial.database)?;
    reader.begin()?;
    reader.execute(b"SELECT * FROM p", &mut |_| {})?;
    let sent = send(&bench, &trial)?;
    let begun = Instant::now();
    while trial.truth(&bench)? != "half" {
        ensure!(begun.elapsed() < Duration::from_secs(30), "it is never half detached");
    }
    bench.server.execute("postgres", &format!("SELECT pg_terminate_backend({})", sent.process))?;
    sent.running.join().map_err(|_| anyhow::anyhow!("the session's thread panicked"))?;
    reader.rollback()?;
    assert_eq!(trial.settle(&bench, &sent.seen)?, Ruling::Repair);
    Ok(())
}

#[test]
fn only_the_very_session_that_holds_the_lock_is_ended() -> Result<()> {
    let bench = Bench::start(seed())?;
    let database = bench.server.fresh_database()?;
    let mut first = bench.fenced(&database)?;
    let mut second = bench.open(&database)?;
    let TryLock::Busy(Some(holder)) = second.try_lock()? else { anyhow::bail!("the lock is held") };
    assert_eq!(holder.session, first.identify()?.session);
    assert_eq!(holder.session_start, first.identify()?.session_start);
    assert_eq!(holder.system, first.identify()?.system);
    let mut other = (*holder).clone();
    other.session_start = "2000-01-01 00:00:00.000000 UTC".to_owned();
    assert!(second.end_holder(&other).is_err(), "another session of the same number");
    first.ping()?;
    second.end_holder(&holder)?;
    let begun = Instant::now();
    while second.try_lock()? != TryLock::Held {
        ensure!(begun.elapsed() < Duration::from_secs(20), "the lock of an ended session is never free");
    }
    assert!(first.ping().is_err());
    Ok(())
}

/// With RUNSHEET_BLESS=1 the page is written.
#[test]
fn the_page_on_judging_is_what_the_driver_says() -> Result<()> {
    let mut page = String::from(
        "# Statements that cannot stand in a transaction, on PostgreSQL\n\nEverything else commits together with its mark in the ledger. These are looked up in the catalog before they are sent and,\nwhere their answer never came, again once the lock on the database shows that their session is gone.\n\n| statement | what is looked at | what is said |\n| --- | --- | --- |\n",
    );
    for kind in KINDS {
        page.push_str(&format!("| {} | {} | {} |\n", kind.statement, kind.seen, kind.rulings));
    }
    page.push_str(
        "\nAnother server than the one that the statement was sent to decides nothing: a person must look.\n",
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("JUDGING.md");
    if std::env::var_os("RUNSHEET_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&file, &page)?;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let bless = "RUNSHEET_BLESS=1 cargo test -p runsheet-driver-postgres --test judge";
    ensure!(found == page, "JUDGING.md is not what the driver says; write it by {bless}");
    Ok(())
}
