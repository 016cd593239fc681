//! The crash matrix: random plans on every engine, in which the daemon, the server, the network and the disk fail at random moments,
//! at single system calls and at single calls of the driver, again and again; and then every database is asked whether each statement
//! took effect exactly once.
//!
//!     cargo test --test crash -- [--long] [--faults N] [--seconds N] [--engine NAME]… [--kind NAME] [--jobs N] [--seed N] [--trial N] [--verbose]
//!     cargo test --test crash -- --large
//!     cargo test --test crash -- --mutants [--mutant NAME]…
//!     cargo test --test crash -- --peers [--runs N] [--engine NAME]… [--peer NAME]… [--seed N]
//!
//! Without arguments each kind of fault comes once on every engine. `--long` goes on to some thousand faults an engine. A trial that
//! goes wrong prints its seed and number; both together repeat it alone. `--kind "power cut"` has only the faults whose names begin so.
//! `--large` kills the daemon in the middle of statements on two million rows. `--mutants` shows that the matrix finds what is wrong: it
//! runs on programs into which a fault was put on purpose, and each must be found. `--peers` does the same as the matrix
//! to other migration tools: `peers`.
//!
//! In a power cut the machine of the daemon loses what it has in its memory; a database server is another machine, and goes on. What
//! the matrix cannot show: a disk that lies about what it has written.

#[path = "../site/mod.rs"]
mod site;

mod bench;
mod fault;
mod large;
mod matrix;
mod mutant;
mod peers;
mod power;
mod proxy;
mod random;
mod scenario;
mod strike;
mod tally;
mod trial;

use anyhow::{Result, bail};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// How many faults each engine suffers at least, where nobody says; and each kind once.
const FAULTS: u64 = 24;
/// The same in the long form.
const FAULTS_LONG: u64 = 2_000;
/// Trials at a time: they mostly wait.
const JOBS: u64 = 3;

/// What is to be done.
pub struct Options {
    /// How many faults an engine suffers at least.
    pub faults: u64,
    /// How long an engine may take.
    pub time: Option<Duration>,
    /// The engines; all where it is empty.
    engines: Vec<String>,
    /// How the names of the faults begin that come.
    pub kind: String,
    /// How many trials run beside each other.
    pub jobs: u64,
    /// What the trials are made from.
    pub seed: u64,
    /// One trial alone.
    pub trial: Option<u64>,
    /// Whether the first thing wrong ends the run.
    pub until_wrong: bool,
    /// Whether the large table is shown.
    large: bool,
    /// Whether mutants are hunted; all, or those of these names.
    mutants: Option<Vec<String>>,
    /// Whether each trial is told of.
    pub verbose: bool,
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--peers") {
        return peers::main(std::env::args().skip(1));
    }
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
    let mut options = Options {
        faults: FAULTS,
        time: None,
        engines: Vec::new(),
        kind: String::new(),
        jobs: JOBS,
        seed: u64::from(std::process::id()),
        trial: None,
        until_wrong: false,
        large: false,
        mutants: None,
        verbose: false,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || match arguments.next().map(|text| text.parse::<u64>()) {
            Some(Ok(number)) => Ok(number),
            Some(Err(_)) | None => bail!("{argument} needs a number"),
        };
        match argument.as_str() {
            "--long" => options.faults = FAULTS_LONG,
            "--faults" => options.faults = value()?,
            "--seconds" => options.time = Some(Duration::from_secs(value()?)),
            "--jobs" => options.jobs = value()?.max(1),
            "--seed" => options.seed = value()?,
            "--trial" => options.trial = Some(value()?),
            "--until-wrong" => options.until_wrong = true,
            "--large" => options.large = true,
            "--mutants" => options.mutants = Some(options.mutants.unwrap_or_default()),
            "--mutant" => options.mutants.get_or_insert_default().extend(arguments.next()),
            "--verbose" => options.verbose = true,
            "--kind" => options.kind = arguments.next().unwrap_or_default(),
            "--engine" => match arguments.next() {
                Some(engine) if bench::ENGINES.contains(&engine.as_str()) => options.engines.push(engine),
                other => bail!("--engine is one of {:?}, not {other:?}", bench::ENGINES),
            },
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

/// Runs the matrix; true where all is well.
fn run(options: &Options) -> Result<bool> {
    let with_strace = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !with_strace {
        bail!("strace is missing, and with it a part of the matrix; tests/install brings it");
    }
    if options.large {
        return large::run();
    }
    println!("crash matrix, seed {}", options.seed);
    if let Some(names) = &options.mutants {
        return mutant::hunt(names, options);
    }
    let mutants = mutant::still_apply()?;
    let mut all = tally::Tally::default();
    for name in bench::ENGINES {
        if !options.engines.is_empty() && !options.engines.iter().any(|engine| engine == name) {
            continue;
        }
        let tally = matrix::engine(name, options)?;
        println!("{name}: {tally}");
        all.add(tally);
    }
    println!("all: {}", all.line());
    Ok(mutants && all.is_good(options))
}
