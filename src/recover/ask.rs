//! Asking the targets what is in: once for each database, under the lock of one runner, so that an earlier session that still runs a
//! statement has ended before anything is believed. Nothing is written there, and no ledger is made.

use super::files::{Files, FoundPlan};
use super::judge::{Evidence, Next, of_observed};
use super::outline::{Segment, Wanted, outline};
use crate::config::{Config, Instance, Ledger};
use crate::driver::{Connection, Drivers, Library, Lock};
use crate::executor::task_key;
use crate::plan::Spec;
use runsheet_sdk::{Facts, Mark};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long an earlier session is waited for.
const LOCK_TIME_MAX: Duration = Duration::from_secs(30);
/// What a driver has that keeps a ledger.
const LEDGER: &str = "rsd.ledger/1";
/// How long between two looks.
const LOCK_LOOK: Duration = Duration::from_millis(200);

/// What is asked of a target: this task.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub plan: &'a FoundPlan,
    pub spec: &'a Spec,
}

/// What is known of each task, by its plan and spec.
pub(super) type Answers = BTreeMap<(String, String), Evidence>;

/// Asks every target about all its tasks.
pub(super) fn all(
    config: &Config,
    drivers: &Drivers,
    files: &mut Files,
    questions: &[Question<'_>],
) -> Answers {
    let mut by_target: BTreeMap<(&str, &str), Vec<Question<'_>>> = BTreeMap::new();
    for question in questions {
        let target = &question.spec.target;
        by_target.entry((&target.instance, &target.database)).or_default().push(*question);
    }
    let mut answers = Answers::new();
    for ((instance, database), questions) in by_target {
        let said = of_target(config, drivers, files, (instance, database), &questions);
        let keys = questions.iter().map(|one| (one.plan.parsed.name.to_string(), one.spec.id.clone()));
        answers.extend(keys.zip(said));
    }
    answers
}

/// The targets that could not be asked, each with why, once.
pub(super) fn unasked(answers: &Answers) -> Vec<String> {
    let reasons = answers.values().filter_map(|evidence| match evidence {
        Evidence::Unasked(why, _) => Some(why.clone()),
        Evidence::Ledger { .. } | Evidence::NoLedger(_) => None,
    });
    let reasons: std::collections::BTreeSet<String> = reasons.collect();
    reasons.into_iter().collect()
}

fn of_target(
    config: &Config,
    drivers: &Drivers,
    files: &mut Files,
    (name, database): (&str, &str),
    questions: &[Question<'_>],
) -> Vec<Evidence> {
    let target = format!("instances/{name}/databases/{database}");
    let none =
        |why: &str| questions.iter().map(|_| Evidence::Unasked(format!("{target}: {why}"), None)).collect();
    let Some(instance) = config.instances.get(name) else { return none("the instance is not in the config") };
    let Some(driver) = drivers.get(&instance.driver) else { return none("its driver was not found") };
    let segments = |files: &Files, question: &Question<'_>, wanted| {
        let sheet = files
            .path(&question.spec.sheet.to_string())
            .ok_or_else(|| "its sheet is not known".to_owned())?;
        outline(&sheet, driver, &instance.settings, wanted).map_err(|error| error.to_string())
    };
    if instance.ledger == Ledger::None || !driver.extensions().contains(&LEDGER) {
        let of = |question| Evidence::NoLedger(segments(files, question, Wanted::All).unwrap_or_default());
        return questions.iter().map(of).collect();
    }
    match fenced(driver, instance, database) {
        Ok(mut connection) => {
            let answers = questions
                .iter()
                .map(|question| of_task(&mut connection, files, *question, driver, instance))
                .collect::<Result<Vec<_>, _>>();
            // Closing it lets go of the lock, where this cannot.
            let _ = connection.unlock();
            answers.unwrap_or_else(|why| none(&why))
        }
        Err(why) => {
            let why = format!("{target}: {why}");
            let of =
                |question| Evidence::Unasked(why.clone(), segments(files, question, Wanted::Unmarked).ok());
            questions.iter().map(of).collect()
        }
    }
}

/// A connection that holds the lock of one runner.
fn fenced(driver: Library, instance: &Instance, database: &str) -> Result<Connection, String> {
    let opened = driver.open(&instance.settings, database, "runsheet recover", &mut |_| {});
    let mut connection = opened.map_err(|error| error.to_string())?;
    let begun = Instant::now();
    loop {
        match connection.try_lock().map_err(|error| error.to_string())? {
            Lock::Held => return Ok(connection),
            Lock::Busy(holder) if begun.elapsed() > LOCK_TIME_MAX => {
                let who = holder.map_or_else(
                    || "another session".to_owned(),
                    |holder| format!("session {} of {}, {}", holder.session, holder.user, holder.doing),
                );
                return Err(format!("an earlier session still has it: {who}"));
            }
            Lock::Busy(_) => std::thread::sleep(LOCK_LOOK),
        }
    }
}

fn of_task(
    connection: &mut Connection,
    files: &mut Files,
    question: Question<'_>,
    driver: Library,
    instance: &Instance,
) -> Result<Evidence, String> {
    let Question { plan, spec } = question;
    let name = plan.parsed.name.to_string();
    let key = task_key(&name, &plan.sha256, &spec.id);
    let marks = connection.read_marks(&key).map_err(|error| error.to_string())?;
    if marks.iter().any(|mark| mark.complete) {
        return Ok(Evidence::Ledger { marks, next: Next::Nothing });
    }
    let sheet = spec.sheet.to_string();
    if let Some(mark) = marks.first() {
        files.stands_for(&sheet, &mark.sheet_sha256);
    }
    let last = marks.iter().map(|mark| mark.segment).max().unwrap_or(0);
    let Some(path) = files.path(&sheet) else {
        return Ok(Evidence::Ledger { marks, next: Next::Unknown("its sheet is not known".to_owned()) });
    };
    let next = match outline(&path, driver, &instance.settings, Wanted::After(last)) {
        Err(error) => Next::Unknown(error.to_string()),
        Ok(found) => match found.into_iter().next() {
            None => Next::Nothing,
            Some(segment) => {
                let mark = Mark { task: key, plan: name, spec: spec.id.clone(), sheet, ..mark_of(&segment) };
                behind(connection, segment, &mark, driver.facts())
            }
        },
    };
    if connection.is_lost() {
        return Err("the connection was lost".to_owned());
    }
    Ok(Evidence::Ledger { marks, next })
}

fn mark_of(segment: &Segment) -> Mark {
    Mark {
        segment: segment.number,
        first_statement: segment.statement,
        last_statement: segment.statement,
        ..Mark::default()
    }
}

/// What is seen of the first segment that the ledger does not have.
fn behind(connection: &mut Connection, segment: Segment, mark: &Mark, facts: Facts) -> Next {
    if segment.is_alone {
        let observed = connection.observe(&segment.text, mark);
        // A mark of the server's that follows from the task alone tells even where nothing is known of before.
        let judged = connection.judge(&segment.text, mark, "");
        return match of_observed(&observed, &judged, segment.repeatable) {
            Ok(why) => Next::Clear(why),
            Err(why) => Next::Open(Box::new(segment), why),
        };
    }
    if facts.has(Facts::UNSAFE_TABLES) {
        for text in &segment.changes {
            // An error is one that the daemon met too, before it sent the statement.
            if let Ok(Some(seen)) = connection.vet(text) {
                let why = format!("{}, and a rollback does not undo that", seen.summary);
                return Next::Open(Box::new(segment), why);
            }
        }
    }
    Next::Clear("a transaction comes next, and it is not in")
}
