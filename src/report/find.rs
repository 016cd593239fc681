//! Finding the plan or task that a person means by a short name.

use crate::store::{self, Error, PlanRow, TaskRow};
use rusqlite::Connection;

/// How many candidates are named where a name is not unique.
const CANDIDATES_MAX: usize = 10;

/// What was meant.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A whole plan.
    Plan(Box<PlanRow>),
    /// One task of a plan.
    Task(Box<PlanRow>, Box<TaskRow>),
}

impl Subject {
    /// Its plan.
    pub fn plan(&self) -> &PlanRow {
        match self {
            Self::Plan(plan) | Self::Task(plan, _) => plan,
        }
    }

    /// Its task, if it is one.
    pub fn task(&self) -> Option<&TaskRow> {
        match self {
            Self::Plan(_) => None,
            Self::Task(_, task) => Some(task),
        }
    }
}

/// Finds what `name` means: a plan's whole name, its last part, or a unique beginning of either; or such a plan
/// followed by `/` and a unique beginning of a spec's id. The inner error is a sentence for the asker.
pub fn find(connection: &Connection, name: &str) -> Result<Result<Subject, String>, Error> {
    let plans = store::plans(connection)?;
    match plan_of(&plans, name) {
        Found::One(plan) => return Ok(Ok(Subject::Plan(Box::new(plan.clone())))),
        Found::Many(candidates) => return Ok(Err(ambiguous("plan", name, &candidates))),
        Found::None => {}
    }
    let nothing = || format!("there is no plan or task {name:?}; `runsheet status` lists the plans");
    let Some((plan_name, spec)) = name.rsplit_once('/') else { return Ok(Err(nothing())) };
    let plan = match plan_of(&plans, plan_name) {
        Found::One(plan) => plan,
        Found::Many(candidates) => return Ok(Err(ambiguous("plan", plan_name, &candidates))),
        Found::None => return Ok(Err(nothing())),
    };
    let tasks = store::tasks_of_plan(connection, plan.id)?;
    let matching: Vec<&TaskRow> = match tasks.iter().find(|task| task.spec_id == spec) {
        Some(exact) => vec![exact],
        None => tasks.iter().filter(|task| task.spec_id.starts_with(spec)).collect(),
    };
    Ok(match matching.as_slice() {
        [task] => Ok(Subject::Task(Box::new(plan.clone()), Box::new((*task).clone()))),
        [] => Err(format!(
            "the plan {} has no task {spec:?}; `runsheet status {}` lists its tasks",
            plan.name, plan.name
        )),
        many => {
            Err(ambiguous("task", spec, &many.iter().map(|task| task.spec_id.as_str()).collect::<Vec<_>>()))
        }
    })
}

enum Found<'a> {
    None,
    One(&'a PlanRow),
    Many(Vec<&'a str>),
}

/// Whole names win over last parts, and those over beginnings.
fn plan_of<'a>(plans: &'a [PlanRow], name: &str) -> Found<'a> {
    fn last(plan: &PlanRow) -> &str {
        plan.name.rsplit('/').next().unwrap_or(&plan.name)
    }
    let tests: [&dyn Fn(&PlanRow) -> bool; 3] =
        [&|plan| plan.name == name, &|plan| last(plan) == name, &|plan| {
            !name.is_empty() && (plan.name.starts_with(name) || last(plan).starts_with(name))
        }];
    for test in tests {
        let matching: Vec<&PlanRow> = plans.iter().filter(|plan| test(plan)).collect();
        match matching.as_slice() {
            [] => {}
            [plan] => return Found::One(plan),
            many => return Found::Many(many.iter().map(|plan| plan.name.as_str()).collect()),
        }
    }
    Found::None
}

fn ambiguous(what: &str, name: &str, candidates: &[&str]) -> String {
    let shown = candidates.iter().take(CANDIDATES_MAX).map(|name| format!("\n  {name}")).collect::<String>();
    let more = candidates.len().saturating_sub(CANDIDATES_MAX);
    let rest = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    format!("{name:?} may mean more than one {what}:{shown}{rest}")
}
