//! `recover`: a damaged state is rebuilt, or shown as it would be.

use super::exit::Exit;
use super::paint::{self, Colour, paint};
use super::table::{Cell, Table};
use crate::config::Config;
use crate::recover::{self, Options, PlanRecovered, Recovered};
use crate::store::TaskStatus;
use std::fmt::Write;
use std::path::Path;

pub(super) fn run(path: &Path, options: Options, json: bool) -> anyhow::Result<Exit> {
    let config = Config::load(path)?;
    let who = format!("uid {}, by `runsheet recover`", rustix::process::getuid().as_raw());
    let Some(recovered) = recover::run(&config, options, &who)? else {
        let words = format!("The state in {} is sound; nothing was changed.", config.folders.state.display());
        if json {
            paint::print_json(&serde_json::Value::Null)?;
            paint::say(&words);
        } else {
            paint::print(&format!("{words}\n"))?;
        }
        return Ok(Exit::Fine);
    };
    if json {
        paint::print_json(&recovered)?;
    } else {
        paint::print(&drawn(&recovered))?;
    }
    let mut tasks = recovered.plans.iter().flat_map(|plan| &plan.tasks);
    Ok(if tasks.any(|task| task.status == TaskStatus::InDoubt) { Exit::Operator } else { Exit::Fine })
}

fn drawn(recovered: &Recovered) -> String {
    let mut text = format!("The state is damaged: {}.\n", paint::plain(&recovered.damage));
    if recovered.old_is_sound {
        text.push_str("What anything is decided by is whole in it, and is carried over as it is.\n");
    }
    for plan in &recovered.plans {
        text.push_str(&of_plan(plan));
    }
    for note in &recovered.notes {
        let _ = writeln!(text, "\n{}", paint(Colour::Waiting, &format!("note: {}", paint::plain(note))));
    }
    let held = recovered.plans.iter().filter(|plan| plan.held).count() as u64;
    let plans = paint::count(recovered.plans.len() as u64, "plan");
    let are = match (recovered.dry_run, held) {
        (true, _) => "would be",
        (false, 1) => "is",
        (false, _) => "are",
    };
    let held = match held {
        0 => String::new(),
        held => format!(" {} {are} held until `runsheet release PLAN`.", paint::count(held, "plan")),
    };
    let _ = match recovered.dry_run {
        true => writeln!(
            text,
            "\n{plans} would be rebuilt.{held} Nothing was changed; `runsheet recover` without --dry-run does it."
        ),
        false => writeln!(
            text,
            "\n{plans} rebuilt. The damaged files are kept in {}. Nothing was started.{held}",
            recovered.aside
        ),
    };
    text
}

fn of_plan(plan: &PlanRecovered) -> String {
    let mut text = format!(
        "\n{}  {}{}\n  from {}\n",
        paint(Colour::Bold, &paint::plain(&plan.plan)),
        paint(paint::of_plan(plan.status), plan.status.word()),
        if plan.held { ", held" } else { "" },
        paint::plain(&plan.source)
    );
    for sheet in &plan.missing_sheets {
        let _ = writeln!(text, "  its sheet {} is not known", paint::plain(sheet));
    }
    let mut table = Table::new(2);
    for task in &plan.tasks {
        let before = task.before.map_or_else(String::new, |before| format!("was {before}"));
        table.row([
            (&task.spec_id).into(),
            (&task.target).into(),
            Cell::coloured(task.status.word(), paint::of_task(task.status).1),
            before.into(),
            (&task.why).into(),
        ]);
    }
    text.push_str(&table.to_string());
    text
}
