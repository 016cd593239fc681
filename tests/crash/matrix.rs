//! The trials of one engine: each made from the seed and its number alone, some beside each other.

use super::Options;
use super::bench::Bench;
use super::fault::{Fault, Kind, Menu};
use super::random::Random;
use super::tally::Tally;
use super::trial::{Outcome, Trial};
use anyhow::{Result, anyhow, ensure};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Faults of one trial.
const FAULTS_OF_TRIAL: u64 = 8;
/// How many of a hundred trials without a power cut have their site on the disk all the same.
const ON_DISK: u64 = 20;
/// How many trials are aimed at one kind of fault until it comes.
const AIMED_MAX: u64 = 150;

/// Runs an engine's trials, and gives what was found.
pub fn engine(name: &str, options: &Options) -> Result<Tally> {
    let bench = || -> Result<Bench> {
        let mut bench = Bench::start(name)?;
        bench.menu.keep(&options.kind);
        Ok(bench)
    };
    let first = bench()?;
    let kinds: Vec<Kind> = first.menu.kinds().collect();
    ensure!(!kinds.is_empty(), "no fault of {name} has a name that begins with {:?}", options.kind);
    let tally = Mutex::new(Tally::new(name, &kinds));
    let next = AtomicU64::new(options.trial.unwrap_or(0));
    let begun = Instant::now();
    let work = |mut bench: Bench| -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            let aim = match goal(number, &kinds, &lock(&tally), options, begun) {
                Goal::Over => return Ok(()),
                Goal::Passed => continue,
                Goal::Aimed(kind) => Some(kind),
                Goal::Any => None,
            };
            let mut random = Random::new(options.seed ^ number.wrapping_mul(0xD134_2543_DE82_EF95));
            let faults = faults(aim, &bench.menu, &mut random);
            let started = Instant::now();
            let outcome = trial(&mut bench, &faults, &mut random)
                .map_err(|error| error.context(format!("trial {number} of {name}, {faults:?}")))?;
            if options.verbose {
                println!("  trial {number}: {:.1?}, came {:?}", started.elapsed(), outcome.came);
            }
            lock(&tally).count(number, &faults, outcome, options.seed);
        }
    };
    let jobs = if options.trial.is_some() { 1 } else { options.jobs };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..jobs).map(|_| scope.spawn(|| work(bench()?))).collect();
        let own = work(first);
        for other in others {
            other.join().map_err(|_| anyhow!("a trial panicked"))??;
        }
        own
    })?;
    Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a trial is for.
enum Goal {
    /// No more trials.
    Over,
    /// Its kind has come already.
    Passed,
    /// To make this kind of fault come.
    Aimed(Kind),
    /// For any faults.
    Any,
}

/// The first trials go through all kinds, so that none is left out by chance; those behind are random.
fn goal(number: u64, kinds: &[Kind], tally: &Tally, options: &Options, begun: Instant) -> Goal {
    let place = usize::try_from(number % kinds.len() as u64).expect("a short list");
    let aims = number < AIMED_MAX * kinds.len() as u64;
    if let Some(trial) = options.trial {
        return match number == trial {
            true if aims => Goal::Aimed(kinds[place]),
            true => Goal::Any,
            false => Goal::Over,
        };
    }
    let found = options.until_wrong && tally.has_wrong();
    if found || options.time.is_some_and(|time| begun.elapsed() > time) {
        Goal::Over
    } else if aims {
        if tally.never.contains(&kinds[place]) { Goal::Aimed(kinds[place]) } else { Goal::Passed }
    } else if tally.came() < options.faults {
        Goal::Any
    } else {
        Goal::Over
    }
}

fn faults(aim: Option<Kind>, menu: &Menu, random: &mut Random) -> Vec<Fault> {
    let mut faults = aim.map_or_else(Vec::new, |kind| Menu::aimed(kind, random));
    let more = random.below(FAULTS_OF_TRIAL) + u64::from(aim.is_none());
    faults.extend((0..more).map(|_| menu.random(random)));
    faults
}

fn trial(bench: &mut Bench, faults: &[Fault], random: &mut Random) -> Result<Outcome> {
    let relayed = faults.iter().any(|fault| matches!(fault.kind, Kind::KillAtPoint(..)));
    let on_disk = faults.iter().any(|fault| fault.kind.needs_disk()) || random.chance(ON_DISK);
    Trial::new(bench, relayed, on_disk, random)?.run(faults, random)
}
