//! `status`: a table of plans, or one plan with its stages and tasks.

use super::exit::{self, Exit};
use super::paint::{self, Colour, paint};
use super::picture;
use super::source::Source;
use super::table::{Cell, Table};
use crate::config::Config;
use crate::report::PlanSummary;
use std::fmt::Write;

/// How many ended plans are listed without `--all`.
const ENDED_SHOWN: usize = 20;

pub(super) fn run(config: &Config, plan: Option<&str>, json: bool, all: bool) -> anyhow::Result<Exit> {
    let mut source = Source::open(config)?;
    let Some(name) = plan else {
        let plans = source.plans()?;
        if json {
            paint::print_json(&plans)?;
        } else {
            paint::print(&list(&plans, all))?;
        }
        return Ok(if plans.iter().any(|plan| plan.in_doubt > 0) { Exit::Operator } else { Exit::Fine });
    };
    let plan = source.plan(name)?;
    if json {
        paint::print_json(&plan)?;
    } else {
        paint::print(&picture::whole(&plan))?;
    }
    let tasks = plan.stages.iter().flat_map(|stage| &stage.tasks).map(|task| task.status);
    Ok(match exit::of_plan(plan.status, tasks) {
        Exit::Operator => Exit::Operator,
        _ => Exit::Fine,
    })
}

/// All plans in a table.
pub(super) fn list(plans: &[PlanSummary], all: bool) -> String {
    if plans.is_empty() {
        return "No plan was taken in yet. Drop one into the inbox, or use `runsheet submit`.\n".to_owned();
    }
    let ended = |plan: &PlanSummary| plan.end_time.is_some();
    let hidden =
        if all { 0 } else { plans.iter().filter(|plan| ended(plan)).count().saturating_sub(ENDED_SHOWN) };
    let mut left = hidden;
    let mut table = Table::new(0);
    table.heads(["PLAN", "STATUS", ">DONE", "NOW", "ACCEPTED", ">TIME", "TITLE"]);
    for plan in plans {
        if ended(plan) && left > 0 {
            left -= 1;
            continue;
        }
        let mut notes = Vec::new();
        for (count, word) in [(plan.running, "running"), (plan.failed, "failed"), (plan.in_doubt, "in doubt")]
        {
            if count > 0 {
                notes.push(format!("{} {word}", paint::number(count)));
            }
        }
        let time = plan.start_time.map_or_else(String::new, |start| paint::between(start, plan.end_time));
        table.row([
            (&plan.plan).into(),
            Cell::coloured(plan.status.word(), paint::of_plan(plan.status)),
            Cell::right(format!("{}/{}", paint::number(plan.done), paint::number(plan.tasks))),
            notes.join(", ").into(),
            paint::at(plan.accepted_time).into(),
            Cell::right(time),
            (&plan.title).into(),
        ]);
    }
    let mut text = table.to_string();
    if hidden > 0 {
        let words = format!("and {} that ended before (--all)", paint::number(hidden as u64));
        let _ = writeln!(text, "{}", paint(Colour::Faint, &words));
    }
    text
}
