//! `status`: a table of plans, or one plan with its stages and tasks.

use super::exit::{self, Exit};
use super::paint::{self, Colour, paint};
use super::source::Source;
use super::table::{Cell, Table};
use crate::config::Config;
use crate::report::{
    ErrorReport, PlanReport, PlanSummary, ProgressReport, RunReport, StageStatus, TaskReport, WaitingCause,
    WaitingReport,
};
use crate::store::{PlanStatus, TaskStatus};
use std::fmt::Write;

/// How many ended plans are listed without `--all`.
const ENDED_SHOWN: usize = 20;
/// How much of a spec's id is shown where a beginning is unique.
const ID_SHOWN_MIN: usize = 8;

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
        paint::print(&one(&plan))?;
    }
    let tasks = plan.stages.iter().flat_map(|stage| &stage.tasks).map(|task| task.status);
    Ok(match exit::of_plan(plan.status, tasks) {
        Exit::Operator => Exit::Operator,
        _ => Exit::Fine,
    })
}

pub(super) fn watch(config: &Config, name: &str) -> anyhow::Result<Exit> {
    super::follow::follow(config, name)
}

fn list(plans: &[PlanSummary], all: bool) -> String {
    if plans.is_empty() {
        return "No plan was taken in yet. Drop one into the inbox, or use `runsheet submit`.\n".to_owned();
    }
    let ended = |plan: &PlanSummary| plan.end_time.is_some();
    let hidden =
        if all { 0 } else { plans.iter().filter(|plan| ended(plan)).count().saturating_sub(ENDED_SHOWN) };
    let mut left = hidden;
    let mut table = Table::new(0);
    table.row(
        ["PLAN", "STATUS", "TASKS", "", "ACCEPTED", "TIME", "TITLE"]
            .map(|head| Cell(head.to_owned(), Some(Colour::Faint))),
    );
    for plan in plans {
        if ended(plan) && left > 0 {
            left -= 1;
            continue;
        }
        let mut notes = Vec::new();
        for (count, word) in [(plan.running, "running"), (plan.failed, "failed"), (plan.in_doubt, "in doubt")]
        {
            if count > 0 {
                notes.push(format!("{count} {word}"));
            }
        }
        let time = plan.start_time.map_or_else(String::new, |start| paint::between(start, plan.end_time));
        table.row([
            plan.plan.clone().into(),
            Cell(plan.status.to_string(), Some(paint::of_plan(plan.status))),
            format!("{}/{}", plan.done, plan.tasks).into(),
            notes.join(", ").into(),
            paint::at(plan.accepted_time).into(),
            time.into(),
            plan.title.clone().into(),
        ]);
    }
    let mut text = table.lines().iter().map(|line| paint_cut(line)).collect::<String>();
    if hidden > 0 {
        let _ =
            writeln!(text, "{}", paint(Colour::Faint, &format!("and {hidden} that ended before (--all)")));
    }
    text
}

/// A line that fits the terminal. Colours make a line longer than it looks, so a coloured one is left alone.
fn paint_cut(line: &str) -> String {
    let fits = line.contains('\x1b') || line.chars().count() <= paint::width();
    if fits { format!("{line}\n") } else { format!("{}\n", paint::cut(line, paint::width())) }
}

/// One plan, whole.
pub(super) fn one(plan: &PlanReport) -> String {
    let mut text = String::new();
    let status = paint(paint::of_plan(plan.status), &plan.status.to_string());
    let _ = writeln!(text, "{}  {status}", paint(Colour::Bold, &plan.plan));
    if !plan.title.is_empty() {
        let _ = writeln!(text, "{}", plan.title);
    }
    let mut times = format!("accepted {}", paint::at(plan.accepted_time));
    if let Some(start) = plan.start_time {
        let word = if plan.end_time.is_some() { "took" } else { "for" };
        let _ =
            write!(times, ", started {}, {word} {}", paint::at(start), paint::between(start, plan.end_time));
    }
    let _ = writeln!(text, "{}", paint(Colour::Faint, &times));
    if !plan.missing_sheets.is_empty() {
        let _ = writeln!(
            text,
            "\nThese sheets have not come; drop them into the inbox, beside the plan or at its root:"
        );
        for sheet in &plan.missing_sheets {
            let _ = writeln!(text, "  {sheet}");
        }
    }
    let names = Names::of(plan);
    for (index, stage) in plan.stages.iter().enumerate() {
        let title = if stage.title.is_empty() { String::new() } else { format!(" · {}", stage.title) };
        let (word, colour) = stage_word(stage.status);
        let _ = writeln!(
            text,
            "\n{}  {}",
            paint(Colour::Bold, &format!("Stage {}{title}", index + 1)),
            paint(colour, word)
        );
        let mut table = Table::new(2);
        for task in &stage.tasks {
            table.row(task_row(task, &names));
        }
        for (line, task) in table.lines().iter().zip(&stage.tasks) {
            text.push_str(&paint_cut(line));
            details(&mut text, task, plan);
        }
    }
    text
}

fn stage_word(status: StageStatus) -> (&'static str, Colour) {
    match status {
        StageStatus::NotStarted => ("not started", Colour::Faint),
        StageStatus::Running => ("running", Colour::Active),
        StageStatus::Blocked => ("blocked", Colour::Bad),
        StageStatus::Done => ("done", Colour::Good),
        StageStatus::Failed => ("failed", Colour::Bad),
        StageStatus::Canceled => ("canceled", Colour::Faint),
    }
}

/// Spec ids, as short as they are unique.
pub(super) struct Names(usize);

impl Names {
    pub fn of(plan: &PlanReport) -> Self {
        let mut ids: Vec<&str> =
            plan.stages.iter().flat_map(|stage| &stage.tasks).map(|task| task.spec_id.as_str()).collect();
        ids.sort_unstable();
        let shared = |one: &str, two: &str| one.chars().zip(two.chars()).take_while(|(a, b)| a == b).count();
        let longest = ids
            .windows(2)
            .map(|pair| shared(pair.first().copied().unwrap_or(""), pair.last().copied().unwrap_or("")))
            .max()
            .unwrap_or(0);
        Self((longest + 1).max(ID_SHOWN_MIN))
    }

    pub fn short(&self, id: &str) -> String {
        id.chars().take(self.0).collect()
    }
}

/// `instances/pg/databases/shop` as `pg/shop`.
fn short_target(target: &str) -> String {
    let parts: Vec<&str> = target.splitn(4, '/').collect();
    match parts.as_slice() {
        [_, instance, _, database] => format!("{instance}/{database}"),
        _ => target.to_owned(),
    }
}

fn short_sheet(sheet: &str) -> &str {
    sheet.rsplit('/').next().unwrap_or(sheet)
}

pub(super) fn task_row(task: &TaskReport, names: &Names) -> Vec<Cell> {
    let (mark, colour) = paint::of_task(task.status);
    vec![
        Cell(mark.to_owned(), Some(colour)),
        Cell(names.short(&task.spec_id), None),
        short_target(&task.target).into(),
        short_sheet(&task.sheet).into(),
        Cell(task.status.to_string(), Some(colour)),
        what(task, names).into(),
    ]
}

/// The last column: how far, how much, or what it waits for.
fn what(task: &TaskReport, names: &Names) -> String {
    if let Some(waiting) = &task.waiting {
        return waits(waiting, names);
    }
    if let (TaskStatus::Running, Some(progress)) = (task.status, &task.progress) {
        return running(progress, task.runs.last());
    }
    let Some(run) = task.runs.last() else { return String::new() };
    let mut parts =
        vec![paint::count(run.statements_done, "statement"), paint::count(run.affected_rows, "row")];
    parts.push(paint::between(run.start_time, run.end_time));
    if run.attempt > 1 {
        parts.push(format!("try {}", run.attempt));
    }
    if run.resumes > 0 {
        parts.push(format!("resumed {}", paint::count(u64::from(run.resumes), "time")));
    }
    parts.join(", ")
}

fn running(progress: &ProgressReport, run: Option<&RunReport>) -> String {
    let percent = (progress.bytes_done * 100).checked_div(progress.bytes_total).unwrap_or(0);
    let mut text = format!("{percent} %, {}", paint::count(progress.statements_done, "statement"));
    if let Some(run) = run {
        let millis = jiff::Timestamp::now().as_millisecond() - run.start_time.as_millisecond();
        let millis = u64::try_from(millis).unwrap_or(0).max(1);
        let rate = progress.statements_done.saturating_mul(1000) / millis;
        if rate > 0 && millis > 1000 {
            let _ = write!(text, " ({}/s)", paint::number(rate));
        }
        let _ = write!(text, ", {}, {}", paint::count(progress.affected_rows, "row"), paint::length(millis));
    }
    text
}

/// A cause of waiting, in words.
fn waits(waiting: &WaitingReport, names: &Names) -> String {
    let on = || {
        let short = waiting
            .on
            .iter()
            .map(|name| if name.starts_with("projects/") { name.clone() } else { names.short(name) });
        short.collect::<Vec<_>>().join(", ")
    };
    match waiting.cause {
        WaitingCause::Time => match waiting.until {
            Some(until) => format!("waits until {}", paint::at(until)),
            None => "waits for its time".to_owned(),
        },
        WaitingCause::Dependency => format!("waits for {}", on()),
        WaitingCause::Version => format!("waits for the lower schema version of {}", on()),
        WaitingCause::Lane => format!("waits for its database, which {} has", on()),
        WaitingCause::ConnectionLimit => format!("waits for a connection of {}", waiting.on.join(", ")),
        WaitingCause::RunningLimit => "waits for room (max_running_tasks)".to_owned(),
        WaitingCause::Stage => format!("waits for {}", waiting.on.join(", ")),
        WaitingCause::Draining => "waits: the daemon is ending".to_owned(),
        WaitingCause::MissingSheet => format!("waits for its sheet {}", waiting.on.join(", ")),
        WaitingCause::NoDaemon => "waits: no daemon runs".to_owned(),
    }
}

fn details(text: &mut String, task: &TaskReport, plan: &PlanReport) {
    if let (TaskStatus::Running, Some(progress)) = (task.status, &task.progress) {
        let place = if progress.line > 0 { format!("line {}: ", progress.line) } else { String::new() };
        let line =
            format!("      {place}{}  ({})", progress.excerpt, paint::length(progress.statement_millis));
        let _ = writeln!(text, "{}", paint(Colour::Faint, &paint::cut(&line, paint::width())));
        return;
    }
    let Some(run) = task.runs.last() else { return };
    if let (TaskStatus::Failed | TaskStatus::InDoubt, Some(error)) = (task.status, &run.error) {
        text.push_str(&error_lines(error, &task.sheet));
    }
    if let (
        TaskStatus::Failed | TaskStatus::InDoubt | TaskStatus::Canceled | TaskStatus::Done,
        Some(detail),
    ) = (task.status, &run.detail)
    {
        let _ = writeln!(text, "      {detail}");
    }
    if task.status == TaskStatus::Failed && plan.status != PlanStatus::Running {
        let hint = format!("runsheet retry {0}/{1}   or   runsheet skip {0}/{1}", plan.plan, task.spec_id);
        let _ = writeln!(text, "      {}", paint(Colour::Faint, &hint));
    }
}

/// An error with its place, as a compiler shows one.
pub(super) fn error_lines(error: &ErrorReport, sheet: &str) -> String {
    let mut text = String::new();
    let code = if error.code.is_empty() { String::new() } else { format!("[{}] ", error.code) };
    let _ = writeln!(text, "      {}", paint(Colour::Bad, &format!("{code}{}", error.message)));
    if let (Some(line), Some(column)) = (error.line, error.column) {
        let statement = error.statement.map_or_else(String::new, |number| format!(", statement {number}"));
        let _ = writeln!(text, "      at {sheet}:{line}:{column}{statement}");
        if let Some(excerpt) = &error.excerpt {
            let number = line.to_string();
            let shown = excerpt.replace('\t', " ");
            let _ = writeln!(text, "      {number} | {shown}");
            let cut_off = excerpt.starts_with('…') || excerpt.ends_with('…');
            if column > 1 && !cut_off {
                let blanks = " ".repeat(usize::try_from(column).unwrap_or(1) - 1);
                let _ = writeln!(text, "      {} | {blanks}^", " ".repeat(number.len()));
            }
        }
    }
    text
}
