//! Every kind of statement that commits by itself is judged rightly on real servers, with and without their marks: not sent, done, half
//! done, stopped, left running, and cut off with its server. What is right is seen by another client. RUNSHEET_CASES makes more
//! rounds, RUNSHEET_SEED repeats them.

mod judging;

use anyhow::{Context, Result, ensure};
use judging::{Bench, CASES, Case, Config, Doubt, Settled, Trial, rounds, seed};
use runsheet_driver_mysql::judge::kinds::{KINDS, Kind, documentation};
use runsheet_sdk::{Connection, Observation, Observed, Ruling, Settled as By, TryLock};
use runsheet_test_servers::Family;
use std::collections::BTreeMap;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[test]
fn every_kind_that_is_looked_at_has_a_case_and_a_row() {
    for row in KINDS.iter().filter(|row| row.observed != "nothing") {
        assert!(CASES.iter().any(|case| case.kind == row.kind), "no case for {}", row.statement);
    }
    for case in CASES {
        let rows = KINDS.iter().filter(|row| row.kind == case.kind).count();
        assert_eq!(rows, 1, "{:?}", case.kind);
    }
}

#[test]
fn the_documentation_is_made_from_the_table() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("JUDGING.md");
    let wanted = documentation();
    if std::env::var_os("RUNSHEET_BLESS").is_some() {
        std::fs::write(&path, &wanted)?;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, wanted, "RUNSHEET_BLESS=1 writes {}", path.display());
    Ok(())
}

/// What was counted.
#[derive(Debug, Default)]
struct Tally {
    rulings: BTreeMap<&'static str, u32>,
    doubts: BTreeMap<&'static str, u32>,
}

/// A case with what is there before it and after it.
struct Known {
    case: &'static Case,
    before: String,
    after: String,
    took: Duration,
}

/// How a statement is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Not,
    Whole,
    Half,
    Stopped,
    Left,
    Server,
}

/// Checks a settled trial: the first verdict by what was there, and what is there in the end.
fn check(
    bench: &Bench,
    known: &Known,
    trial: &Trial<'_>,
    settled: &Settled,
    cut: Cut,
    tally: &mut Tally,
) -> Result<()> {
    let what = || format!("{} cut {cut:?} on {:?}: {:?}", known.case.statement, bench.config, settled.first);
    let (is_before, is_after) = (settled.was == known.before, settled.was == known.after);
    if let Some(verdict) = &settled.first {
        *tally.rulings.entry(verdict.ruling.word()).or_default() += 1;
        let right = match verdict.ruling {
            Ruling::Applied => is_after,
            // What is half done may be run again where that completes it.
            Ruling::NotApplied => is_before || (!is_after && is_completed_by_itself(known.case.kind)),
            Ruling::Repair => !is_before && !is_after,
            Ruling::Unknown => {
                *tally.doubts.entry(known.case.statement).or_default() += 1;
                may_be_in_doubt(bench, known.case, cut, settled.marked)
            }
        };
        ensure!(right, "{}, and there was:\n{}", what(), settled.was);
    }
    let now = trial.seen(bench)?;
    ensure!(now == known.after, "{}, and in the end there is:\n{now}\nwanted:\n{}", what(), known.after);
    Ok(())
}

fn is_completed_by_itself(kind: Kind) -> bool {
    matches!(kind, Kind::Database | Kind::TruncatePartition | Kind::ReplaceTable)
}

/// Whether a person may be asked; `marked` says whether the statement went with a mark, which it does not where another database has
/// the domain just then.
/// Whether a person may be asked; `marked` says whether the statement went with a mark, which it does not where another database has
/// the domain just then.
fn may_be_in_doubt(bench: &Bench, case: &Case, cut: Cut, marked: bool) -> bool {
    match case.doubt {
        Doubt::Never => false,
        Doubt::AfterStart => cut == Cut::Server && !marked && bench.config.family == Family::MariaDb,
        Doubt::AfterAnyStart => cut == Cut::Server,
        Doubt::WithoutMark => !marked,
        Doubt::WithoutProof => {
            let logged = bench.config.family == Family::MySql && case.kind != Kind::OtherObject;
            !(marked && logged)
        }
    }
}

/// A statement on its way.
struct Sent {
    seen: Observation,
    session: String,
    running: JoinHandle<()>,
}

fn send(bench: &Bench, trial: &Trial<'_>) -> Result<Sent> {
    let mut session = bench.fenced(trial)?;
    let seen = trial.observe(&mut session)?;
    let number = session.identify()?.session;
    let (statement, mark, text) = (trial.statement(), trial.mark.clone(), seen.text.clone());
    let running = std::thread::spawn(move || {
        let judge = session.judge().expect("it judges");
        // Cut off, or done: the judgement must tell.
        let _ = judge.execute(&statement, &mark, &text, &mut |_| {});
    });
    Ok(Sent { seen, session: number, running })
}

fn joined(running: JoinHandle<()>) -> Result<()> {
    running.join().map_err(|_| anyhow::anyhow!("the session's thread panicked"))
}

/// Learns what a case does, and tries it unsent, whole and half.
fn learn(bench: &Bench, case: &'static Case, tally: &mut Tally) -> Result<Known> {
    let trial = Trial::new(bench, case)?;
    let before = trial.seen(bench)?;
    let mut session = bench.fenced(&trial)?;
    session.prepare_ledger()?;
    let seen = trial.observe(&mut session)?;
    let begun = Instant::now();
    trial.run(&mut session, &seen).with_context(|| case.statement)?;
    let took = begun.elapsed();
    let known = Known { case, before, after: trial.seen(bench)?, took };
    let marked = session.judge().context("it judges")?.observe(&trial.statement(), &trial.mark)?;
    drop(session);
    // The mark of MySQL alone tells it without an observation, since it follows from the task.
    let by_mark = bench.config.marks && bench.config.family == Family::MySql && seen.settled == By::Mark;
    ensure!(matches!(marked, Observed::Applied(_)) == by_mark, "{}: {marked:?}", case.statement);
    ensure!(
        (seen.settled == By::Mark) == expects_mark(bench, case),
        "{}: {:?}",
        case.statement,
        seen.settled
    );
    if known.before != known.after && seen.settled != By::Repeat {
        // Not run again, since it is settled by a verdict; a person would say that it is there.
        let settled = trial.settle(bench, &seen, &known.after)?;
        check(bench, &known, &trial, &settled, Cut::Whole, tally)?;
    }
    let trial = Trial::new(bench, case)?;
    let seen = trial.observe(&mut bench.fenced(&trial)?)?;
    let settled = trial.settle(bench, &seen, &known.after)?;
    check(bench, &known, &trial, &settled, Cut::Not, tally)?;
    if !case.half.is_empty() {
        let trial = Trial::new(bench, case)?;
        let seen = trial.observe(&mut bench.fenced(&trial)?)?;
        bench.run(&format!("USE {}; {}", trial.database, trial.named(case.half)))?;
        if can_be_half(bench, case) {
            let settled = trial.settle(bench, &seen, &known.after)?;
            check(bench, &known, &trial, &settled, Cut::Half, tally)?;
        }
    }
    Ok(known)
}

/// Where the server marks what it does as a whole, a half is somebody else's doing, and a person must look.
fn can_be_half(bench: &Bench, case: &Case) -> bool {
    let whole = bench.config.family == Family::MySql || case.kind == Kind::RenameTable;
    !(bench.config.marks && whole)
}

fn expects_mark(bench: &Bench, case: &Case) -> bool {
    bench.config.marks && !matches!(case.kind, Kind::SetGlobal | Kind::Plugin)
}

/// Stops a statement after a random time, by ending the session that holds the lock.
fn stopped(bench: &mut Bench, known: &Known, tally: &mut Tally) -> Result<()> {
    let trial = Trial::new(bench, known.case)?;
    let sent = send(bench, &trial)?;
    let longest = u64::try_from(known.took.as_micros()).unwrap_or(u64::MAX) * 5 / 4;
    std::thread::sleep(Duration::from_micros(bench.random(longest)));
    let mut other = bench.open(trial.user(), &trial.database)?;
    if let TryLock::Busy(Some(holder)) = other.try_lock()? {
        ensure!(holder.session == sent.session, "the lock is held by {holder:?}, not by {}", sent.session);
        other.end_holder(&holder)?;
    }
    joined(sent.running)?;
    drop(other);
    let settled = trial.settle(bench, &sent.seen, &known.after)?;
    check(bench, known, &trial, &settled, Cut::Stopped, tally)
}

/// Leaves a statement running, as a daemon does that dies: the next one waits for the lock.
fn left(bench: &Bench, known: &Known, tally: &mut Tally) -> Result<()> {
    let trial = Trial::new(bench, known.case)?;
    let sent = send(bench, &trial)?;
    let settled = trial.settle(bench, &sent.seen, &known.after)?;
    joined(sent.running)?;
    check(bench, known, &trial, &settled, Cut::Left, tally)
}

/// Kills the server while one statement of every kind is on its way, each in a database of its own.
fn with_the_server(bench: &mut Bench, all: &[Known], tally: &mut Tally) -> Result<()> {
    let mut trials = Vec::new();
    // What is set for all sessions ends with the server.
    for known in all.iter().filter(|known| known.case.kind != Kind::SetGlobal) {
        trials.push((known, Trial::new(bench, known.case)?));
    }
    // Objects that are to be older than a second are older than a second now.
    std::thread::sleep(Duration::from_millis(1100));
    let mut sent = Vec::new();
    for (_, trial) in &trials {
        sent.push(send(bench, trial)?);
    }
    let longest: Duration = all.iter().map(|known| known.took).sum();
    let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX) / 2;
    std::thread::sleep(Duration::from_micros(bench.random(longest)));
    bench.server.kill9();
    let mut seen = Vec::new();
    for one in sent {
        joined(one.running)?;
        seen.push(one.seen);
    }
    bench.restart()?;
    for ((known, trial), seen) in trials.iter().zip(&seen) {
        let settled = trial.settle(bench, seen, &known.after).with_context(|| known.case.statement)?;
        check(bench, known, trial, &settled, Cut::Server, tally)?;
    }
    Ok(())
}

fn judged(family: Family, marks: bool) -> Result<()> {
    let seed = seed();
    let config = Config { family, marks };
    let mut bench = Bench::start(config, seed)?;
    let mut tally = Tally::default();
    let mut all = Vec::new();
    let random = |result: Result<()>| result.with_context(|| format!("seed {seed}"));
    // Those whose objects are to be old come last.
    let (aged, others): (Vec<_>, Vec<_>) = bench.cases().partition(|case| case.aged);
    for case in others.into_iter().chain(aged) {
        all.push(learn(&bench, case, &mut tally).with_context(|| case.statement)?);
    }
    for _ in 0..rounds() {
        for known in &all {
            if bench.random(2) == 0 {
                random(stopped(&mut bench, known, &mut tally))?;
            } else {
                random(left(&bench, known, &mut tally))?;
            }
        }
        random(with_the_server(&mut bench, &all, &mut tally))?;
    }
    println!("{config:?}, seed {seed}: {:?}, in doubt: {:?}", tally.rulings, tally.doubts);
    Ok(())
}

#[test]
fn statements_are_judged_on_mariadb_without_a_log() -> Result<()> {
    judged(Family::MariaDb, false)
}

#[test]
fn statements_are_judged_on_mariadb_by_its_marks() -> Result<()> {
    judged(Family::MariaDb, true)
}

#[test]
fn statements_are_judged_on_mysql_without_gtids() -> Result<()> {
    judged(Family::MySql, false)
}

#[test]
fn statements_are_judged_on_mysql_by_its_marks() -> Result<()> {
    judged(Family::MySql, true)
}
