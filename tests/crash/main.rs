//! The crash matrix: random plans on every engine, in which the daemon, the server, the network and the disk fail at random moments
//! and at single system calls, again and again; and then every database is asked whether each statement took effect exactly once.
//!
//!     cargo test --test crash -- [--faults N] [--seconds N] [--engine NAME]… [--seed N] [--trial N] [--verbose]
//!
//! A trial that goes wrong prints its seed and number; both together repeat it alone. What it cannot show: a power cut, which loses
//! what the system has in its memory.

#[path = "../site/mod.rs"]
mod site;

mod fault;
mod proxy;
mod random;
mod scenario;
mod trial;

use anyhow::{Result, bail};
use fault::Fault;
use random::Random;
use runsheet_test_servers::{Family, MySql, MySqlOptions, Postgres, PostgresOptions};
use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use trial::{Bench, Outcome, Trial};

/// How many faults each engine suffers at least, where nobody says; and each kind once.
const FAULTS: u64 = 24;
/// Faults of one trial.
const FAULTS_OF_TRIAL: u64 = 6;

struct Options {
    faults: u64,
    seconds: Option<u64>,
    engines: Vec<String>,
    seed: u64,
    trial: Option<u64>,
    verbose: bool,
}

/// What the matrix found on one engine.
#[derive(Default)]
struct Tally {
    trials: u64,
    statements: u64,
    hits: u64,
    kinds: BTreeMap<String, u64>,
    /// Kinds of faults that have not come.
    never: Vec<String>,
    in_doubt: Vec<String>,
    wrong: Vec<String>,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        // Another test was asked for by its name.
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crash: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let mut options = Options {
        faults: number("RUNSHEET_FAULTS").unwrap_or(FAULTS),
        seconds: None,
        engines: Vec::new(),
        seed: number("RUNSHEET_SEED").unwrap_or_else(|| u64::from(std::process::id())),
        trial: None,
        verbose: false,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || match arguments.next().map(|text| text.parse::<u64>()) {
            Some(Ok(number)) => Ok(number),
            Some(Err(_)) | None => bail!("{argument} needs a number"),
        };
        match argument.as_str() {
            "--faults" => options.faults = value()?,
            "--seconds" => options.seconds = Some(value()?),
            "--seed" => options.seed = value()?,
            "--trial" => options.trial = Some(value()?),
            "--verbose" => options.verbose = true,
            "--engine" => options.engines.extend(arguments.next()),
            // The test runner's own words.
            "--nocapture" | "--include-ignored" | "--exact" | "--quiet" | "-q" => {}
            other if other.starts_with("--test-threads") => {}
            "--list" => return Ok(None),
            other if other.starts_with('-') => bail!("{other} is not known"),
            filter if "crash".contains(filter) => {}
            _ => return Ok(None),
        }
    }
    Ok(Some(options))
}

fn run(options: &Options) -> Result<bool> {
    let with_strace = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !with_strace {
        bail!("strace is missing, and with it half of the matrix; tests/install brings it");
    }
    println!("crash matrix, seed {}", options.seed);
    let mut good = true;
    for name in ["sqlite", "postgres", "mariadb", "mysql"] {
        if !options.engines.is_empty() && !options.engines.iter().any(|engine| engine == name) {
            continue;
        }
        let tally = engine(&mut bench(name)?, options)?;
        good &= report(name, &tally, options);
    }
    Ok(good)
}

fn bench(name: &str) -> Result<Bench> {
    Ok(match name {
        "sqlite" => Bench::Sqlite,
        "postgres" => Bench::Postgres(Box::new(Postgres::start(&PostgresOptions::default())?)),
        "mariadb" => Bench::MySql(Box::new(MySql::start(Family::MariaDb, &MySqlOptions::default())?)),
        _ => Bench::MySql(Box::new(MySql::start(Family::MySql, &MySqlOptions::default())?)),
    })
}

fn engine(bench: &mut Bench, options: &Options) -> Result<Tally> {
    let dialect = bench.dialect();
    let kinds = Fault::kinds(dialect);
    let mut tally = Tally { never: kinds.clone(), ..Tally::default() };
    let begun = Instant::now();
    let numbers: Box<dyn Iterator<Item = u64>> = match options.trial {
        Some(trial) => Box::new(std::iter::once(trial)),
        None => Box::new(0..),
    };
    for number in numbers {
        let over = options.seconds.is_some_and(|seconds| begun.elapsed() > Duration::from_secs(seconds));
        let enough = tally.hits >= options.faults && tally.never.is_empty();
        if options.trial.is_none() && (enough || over) {
            break;
        }
        // Each trial from the seed and its number alone, whatever came before it.
        let mut random = Random::new(options.seed ^ number.wrapping_mul(0xD134_2543_DE82_EF95));
        let mut faults: Vec<Fault> =
            (0..=random.below(FAULTS_OF_TRIAL)).map(|_| Fault::random(dialect, &mut random)).collect();
        // The first trials go through all kinds, so that none is left out by chance.
        let kind = usize::try_from(number).ok().and_then(|number| kinds.get(number));
        if let (Some(first), Some(kind)) = (faults.first_mut(), kind) {
            *first = Fault::of_kind(kind, dialect, &mut random);
        }
        let started = Instant::now();
        let outcome = Trial::new(bench, &mut random)?.run(&faults, &mut random)?;
        if options.verbose {
            println!("  trial {number}: {:.1?}, {} of {faults:?}", started.elapsed(), outcome.hits);
        }
        count(&mut tally, number, &faults, outcome);
    }
    Ok(tally)
}

fn count(tally: &mut Tally, number: u64, faults: &[Fault], outcome: Outcome) {
    tally.trials += 1;
    tally.statements += outcome.statements;
    tally.hits += outcome.hits;
    for fault in faults.iter().take(usize::try_from(outcome.hits).unwrap_or(usize::MAX)) {
        tally.never.retain(|kind| *kind != fault.kind());
        *tally.kinds.entry(fault.kind()).or_default() += 1;
    }
    tally.in_doubt.extend(outcome.in_doubt.into_iter().map(|why| format!("trial {number}: {why}")));
    if !outcome.wrong.is_empty() {
        tally.wrong.push(format!("trial {number}, {faults:?}:\n  {}", outcome.wrong.join("\n  ")));
    }
}

/// Prints what was found. True where every kind of fault has come, nothing was lost, doubled or out of order, and nobody was asked:
/// the matrix makes no statement that cannot be judged.
fn report(name: &str, tally: &Tally, options: &Options) -> bool {
    println!(
        "{name}: {} faults in {} trials of {} statements: {} wrong, {} in doubt",
        tally.hits,
        tally.trials,
        tally.statements,
        tally.wrong.len(),
        tally.in_doubt.len()
    );
    for (kind, count) in &tally.kinds {
        println!("  {count:>6}  {kind}");
    }
    for kind in &tally.never {
        println!("   never  {kind}");
    }
    for doubt in &tally.in_doubt {
        println!("  in doubt, {doubt}");
    }
    for wrong in &tally.wrong {
        println!("  WRONG (--engine {name} --seed {} --trial N), {wrong}", options.seed);
    }
    let all_came = options.trial.is_some() || options.seconds.is_some() || tally.never.is_empty();
    tally.wrong.is_empty() && tally.in_doubt.is_empty() && all_came
}
