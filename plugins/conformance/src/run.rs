//! A run of the whole suite on one target.

use crate::bench::{Bench, Random};
use crate::case::{Case, NotThere};
use crate::cases;
use crate::report::{Outcome, Report, Verdict};
use crate::surroundings::Watched;
use crate::target::Target;
use anyhow::{Context, Result};
use runsheet::driver::Library;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long a case may take; one that takes longer hangs.
const CASE_TIME_MAX: Duration = Duration::from_secs(120);

/// One run at a time: it watches the whole process.
static RUN: Mutex<()> = Mutex::new(());

/// Tries a driver on a target, every case.
///
/// # Errors
/// Where the suite itself cannot work. What is wrong with the driver is in the report.
pub fn run(target: Target) -> Result<Report> {
    let _alone = RUN.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = seed()?;
    let watched = Watched::begin()?;
    let library = match load(&target.library) {
        Ok(library) => library,
        Err(error) => {
            let verdict = Verdict::Failed(error);
            let rule = "The library can be loaded.";
            let outcomes = vec![Outcome { name: "load", rule, verdict, time: Duration::ZERO }];
            return Ok(Report { driver: target.library.display().to_string(), seed, outcomes });
        }
    };
    let bench = Arc::new(Bench { target, library, watched, random: Random::new(seed) });
    let outcomes = cases::all().into_iter().map(|case| outcome(&bench, case)).collect();
    // Said here, since a case that hangs keeps the bench.
    bench.watched.end();
    let driver = format!(
        "{} {} ({}): {}",
        library.name(),
        library.version(),
        library.title(),
        library.facts().words().join(", ")
    );
    Ok(Report { driver, seed, outcomes })
}

fn seed() -> Result<u64> {
    match std::env::var("RUNSHEET_SEED") {
        Ok(text) => text.parse().context("RUNSHEET_SEED is no whole number"),
        Err(_) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
            Ok(u64::from(now.subsec_nanos()) ^ now.as_secs())
        }
    }
}

/// A driver's library, which is loaded and started once in a process.
///
/// # Errors
/// Where the loader refuses it: why.
pub fn load(path: &Path) -> Result<Library, String> {
    static LOADED: LazyLock<Mutex<HashMap<PathBuf, Library>>> = LazyLock::new(Mutex::default);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = loaded.get(path) {
        return Ok(*library);
    }
    let library = Library::load(path).map_err(|error| error.to_string())?;
    loaded.insert(path.to_path_buf(), library);
    Ok(library)
}

fn outcome(bench: &Arc<Bench>, case: Case) -> Outcome {
    let Case { name, rule, .. } = case;
    let begun = Instant::now();
    let missing = case.needs.iter().find_map(|need| need.missing(bench));
    let verdict = match missing {
        Some(why) => Verdict::Skipped(why),
        None => verdict(bench, case),
    };
    Outcome { name, rule, verdict, time: begun.elapsed() }
}

/// Checks a case on a thread of its own, so that a call that never ends does not hold up the others.
fn verdict(bench: &Arc<Bench>, case: Case) -> Verdict {
    let (sender, receiver) = channel();
    let shared = Arc::clone(bench);
    let thread = std::thread::spawn(move || {
        let checked = catch_unwind(AssertUnwindSafe(|| (case.check)(&shared)));
        drop(shared);
        let verdict = match checked {
            Ok(Ok(())) => Verdict::Passed,
            Ok(Err(seen)) if seen.is::<NotThere>() => Verdict::Skipped(seen.to_string()),
            Ok(Err(seen)) => Verdict::Failed(format!("{seen:#}")),
            Err(_) => Verdict::Failed("the check of it panicked".to_owned()),
        };
        // Nobody listens any more where it took too long.
        let _ = sender.send(verdict);
    });
    match receiver.recv_timeout(CASE_TIME_MAX) {
        Ok(verdict) => {
            // It has sent its last word; waiting for its end keeps the count of threads right.
            let _ = thread.join();
            verdict
        }
        Err(RecvTimeoutError::Timeout) => Verdict::Failed(format!("a call did not end in {CASE_TIME_MAX:?}")),
        Err(RecvTimeoutError::Disconnected) => Verdict::Failed("its thread broke down".to_owned()),
    }
}
