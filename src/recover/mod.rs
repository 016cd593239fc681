//! Rebuilding a state whose database is damaged: from the accepted files, from what the ledgers of the targets have, and from what can
//! still be read of the old one. Data flows one way: `files` finds plans and sheets, `ask` asks the targets under their fence, `judge`
//! (pure) makes of both where each task stands, `write` puts it into a new database, and the store exchanges the files.
//!
//! It starts nothing. What it cannot know it says: a task whose next statement commits by itself, and may have been sent without a
//! mark, is IN_DOUBT.

mod ask;
mod files;
mod judge;
mod outline;
mod report;
mod write;

pub use report::{PlanRecovered, Recovered, TaskRecovered};

use crate::config::Config;
use crate::driver::Drivers;
use crate::inbox;
use crate::plan::Spec;
use crate::store::{self, NewPlan, StateFolder, salvage};
use ask::Question;
use files::{Files, FoundPlan};
use jiff::Timestamp;
use judge::{Evidence, Facts, Fate, SheetKnown};
use std::collections::BTreeMap;
use std::path::Path;

/// How a recovery is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Only show what would be written.
    pub dry_run: bool,
    /// Go on where targets cannot be asked.
    pub unasked: bool,
}

/// Why a recovery was not made; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] store::Error),
    /// The drivers cannot be read.
    #[error("the folder of drivers {path} cannot be read: {why}; name it in the config: [daemon] plugins")]
    Plugins {
        /// The folder.
        path: std::path::PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The accepted files cannot be read.
    #[error("{path} cannot be read: {why}; nothing was changed")]
    Accepted {
        /// The folder or file.
        path: std::path::PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// Some targets could not be asked.
    #[error(
        "these targets could not be asked what is in, and nothing was changed:\n{}\nSee that they answer and run it again; or say --unasked: then the daemon asks each of them before it runs anything there, and statements that commit by themselves may come in doubt that need not",
        .0.join("\n")
    )]
    Unasked(Vec<String>),
}

/// A task of a plan, and where it stands.
struct Judged {
    spec: String,
    target: String,
    before: Option<store::TaskStatus>,
    fate: Fate,
}

/// A plan to be written.
struct Rebuilt {
    new: NewPlan,
    source: String,
    missing: Vec<String>,
    tasks: Vec<Judged>,
}

/// Makes a recovery. Nothing where the state is sound.
///
/// # Errors
/// Where it was not made; then nothing was changed, except where the exchange of the files was cut off: the next one goes on with it.
pub fn run(config: &Config, options: Options, who: &str) -> Result<Option<Recovered>, Error> {
    let folder = StateFolder::take(&config.folders.state)?;
    let Some(damage) = folder.damage()? else { return Ok(None) };
    let now = Timestamp::now();
    let recovery = folder.recovery(&now.strftime("%Y-%m-%dT%H-%M-%SZ").to_string())?;
    let old = salvage(&recovery)?;
    let mut report = Recovered {
        damage,
        aside: recovery.aside().display().to_string(),
        dry_run: options.dry_run,
        old_is_sound: old.is_sound,
        plans: Vec::new(),
        notes: Vec::new(),
    };
    if old.is_sound {
        report.plans = report::of_sound(&old);
        if !options.dry_run {
            old.carry_over(&recovery)?;
            recovery.exchange()?;
        }
        return Ok(Some(report));
    }
    let drivers = Drivers::load(&config.daemon.plugins)
        .map_err(|why| Error::Plugins { path: config.daemon.plugins.clone(), why })?;
    let mut files = Files::read(&config.folders, &old)?;
    let plans = std::mem::take(&mut files.plans);
    let evidence = ask::all(config, &drivers, &mut files, &questions(&plans));
    let unasked = ask::unasked(&evidence);
    if !unasked.is_empty() && !options.unasked {
        return Err(Error::Unasked(unasked));
    }
    let before = report::before(&old);
    let rebuilt: Vec<Rebuilt> = plans.iter().map(|plan| rebuild(plan, &files, &before, &evidence)).collect();
    report.plans = rebuilt.iter().map(report::of_rebuilt).collect();
    report.notes.append(&mut files.notes);
    if !options.dry_run {
        let sheets = folder.sheets()?;
        write::all(&recovery, &sheets, &files, rebuilt, &report, who, now.as_millisecond())?;
        recovery.exchange()?;
    }
    Ok(Some(report))
}

/// What is to be asked, for each task of each plan, in the order in which plans and tasks stand.
fn questions(plans: &[FoundPlan]) -> Vec<Question<'_>> {
    let specs = plans.iter().flat_map(|plan| specs(plan).map(move |spec| (plan, spec)));
    specs.map(|(plan, spec)| Question { plan, spec }).collect()
}

fn specs(plan: &FoundPlan) -> impl Iterator<Item = &Spec> {
    plan.parsed.steps.iter().flat_map(|step| &step.specs)
}

fn rebuild(
    plan: &FoundPlan,
    files: &Files,
    before: &report::Before<'_>,
    evidence: &BTreeMap<(String, String), Evidence>,
) -> Rebuilt {
    let name = plan.parsed.name.to_string();
    let tasks = specs(plan).map(|spec| {
        let sheet = spec.sheet.to_string();
        let known = match files.sheets.get(&sheet) {
            Some(_) => SheetKnown::Yes,
            None => SheetKnown::No { may_have_come: files.has_nameless },
        };
        let before = before.get(&(name.as_str(), spec.id.as_str())).copied();
        let said = evidence.get(&(name.clone(), spec.id.clone()));
        let fate = said.map_or_else(
            || Fate::in_doubt(Vec::new(), "its target was not asked"),
            |evidence| judge::fate(&Facts { evidence, sheet: known, before }),
        );
        Judged { spec: spec.id.clone(), target: spec.target.to_string(), before, fate }
    });
    let tasks = tasks.collect();
    let missing = files.missing(&plan.parsed);
    let new = inbox::new_plan(
        &plan.parsed,
        plan.sha256.clone(),
        &plan.text,
        Path::new(&plan.folder),
        plan.accepted_time,
    );
    Rebuilt { new, source: plan.source.clone(), missing, tasks }
}
