//! One plan, drawn: its stages and tasks, how far each is, what it waits for, what failed and what to do about it.

use super::paint::{self, Colour, paint};
use super::table::{Cell, Table};
use crate::report::{
    ErrorReport, PlanReport, ProgressReport, RunReport, StageReport, StageStatus, TaskReport, WaitingCause,
    WaitingReport,
};
use crate::store::{PlanStatus, TaskStatus};
use std::fmt::Write;

/// How much of a spec's id is shown where a beginning is unique.
const ID_SHOWN_MIN: usize = 8;
/// Ids up to this length are names that people gave, and are shown whole.
const ID_WHOLE_MAX: usize = 24;
/// How many columns details stand to the right.
const INDENT: &str = "      ";

/// A plan with every task.
pub(super) fn whole(plan: &PlanReport) -> String {
    draw(plan, |_| true)
}

/// A plan in so many lines: where it is longer, tasks that need no look are only counted.
pub(super) fn within(plan: &PlanReport, lines: usize) -> String {
    let needs_look = |task: &TaskReport| {
        matches!(task.status, TaskStatus::Running | TaskStatus::Failed | TaskStatus::InDoubt)
    };
    for text in [whole(plan), draw(plan, needs_look)] {
        if text.lines().count() <= lines {
            return text;
        }
    }
    let text = draw(plan, needs_look);
    let kept: Vec<&str> = text.lines().take(lines.saturating_sub(1)).collect();
    let left = text.lines().count() - kept.len();
    format!("{}\n{}\n", kept.join("\n"), paint(Colour::Faint, &format!("… and {left} lines more")))
}

fn draw(plan: &PlanReport, is_shown: impl Fn(&TaskReport) -> bool) -> String {
    let mut text = head(plan);
    let names = Names::of(plan);
    for (stage, number) in plan.stages.iter().zip(1..) {
        let title = if stage.title.is_empty() { String::new() } else { format!(" · {}", stage.title) };
        let (word, colour) = stage_word(stage.status);
        let title = paint(Colour::Bold, &paint::plain(&format!("Stage {number}{title}")));
        let _ = writeln!(text, "\n{}", paint::fit(&format!("{title}  {}", paint(colour, word))));
        tasks(&mut text, stage, &names, &is_shown);
    }
    advise(&mut text, plan, &names);
    text
}

/// What the plan is, where it stands, and since when.
fn head(plan: &PlanReport) -> String {
    let status = paint(paint::of_plan(plan.status), plan.status.word());
    let mut text = format!("{}  {status}\n", paint(Colour::Bold, &paint::plain(&plan.plan)));
    if !plan.title.is_empty() {
        let _ = writeln!(text, "{}", paint::fit(&paint::plain(&plan.title)));
    }
    let mut times = format!("accepted {}", paint::at(plan.accepted_time));
    if let Some(start) = plan.start_time {
        let _ = write!(times, ", started {}", paint::at(start));
        match (plan.end_time, plan.status) {
            (Some(end), _) => {
                let _ = write!(times, ", took {}", paint::between(start, Some(end)));
            }
            (None, PlanStatus::Running) => {
                let _ = write!(times, ", for {}", paint::between(start, None));
            }
            (None, _) => {}
        }
    }
    let _ = writeln!(text, "{}", paint(Colour::Faint, &times));
    let _ = writeln!(text, "{}", counts(plan));
    text
}

/// How many tasks stand where.
fn counts(plan: &PlanReport) -> String {
    let all = || plan.stages.iter().flat_map(|stage| &stage.tasks);
    let of = |statuses: &[TaskStatus]| all().filter(|task| statuses.contains(&task.status)).count() as u64;
    let mut text = format!(
        "{} of {} done",
        paint::number(of(&[TaskStatus::Done, TaskStatus::Skipped])),
        paint::count(all().count() as u64, "task")
    );
    for (statuses, word, colour) in [
        (&[TaskStatus::Running][..], "running", Colour::Active),
        (&[TaskStatus::NotStarted, TaskStatus::Pending], "waiting", Colour::Waiting),
        (&[TaskStatus::Failed], "failed", Colour::Bad),
        (&[TaskStatus::InDoubt], "in doubt", Colour::Bad),
        (&[TaskStatus::Canceled], "canceled", Colour::Faint),
    ] {
        let count = of(statuses);
        if count > 0 {
            let _ = write!(text, ", {}", paint(colour, &format!("{} {word}", paint::number(count))));
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

fn tasks(text: &mut String, stage: &StageReport, names: &Names, is_shown: &impl Fn(&TaskReport) -> bool) {
    let shown: Vec<&TaskReport> = stage.tasks.iter().filter(|task| is_shown(task)).collect();
    let mut table = Table::new(2);
    shown.iter().for_each(|task| table.row(task_row(task, names)));
    for (line, task) in table.lines().iter().zip(&shown) {
        let _ = writeln!(text, "{}", paint::fit(line));
        details(text, task);
    }
    let mut left: Vec<(TaskStatus, u64)> = Vec::new();
    for task in stage.tasks.iter().filter(|task| !is_shown(task)) {
        match left.iter_mut().find(|(status, _)| *status == task.status) {
            Some((_, count)) => *count += 1,
            None => left.push((task.status, 1)),
        }
    }
    if !left.is_empty() {
        let left: Vec<String> =
            left.iter().map(|(status, count)| format!("{} {status}", paint::number(*count))).collect();
        let _ = writeln!(text, "  {}", paint(Colour::Faint, &format!("… {}", left.join(", "))));
    }
}

/// Spec ids, as short as they are unique.
pub(super) struct Names(usize);

impl Names {
    pub fn of(plan: &PlanReport) -> Self {
        let mut ids: Vec<&str> =
            plan.stages.iter().flat_map(|stage| &stage.tasks).map(|task| task.spec_id.as_str()).collect();
        if ids.iter().all(|id| id.chars().count() <= ID_WHOLE_MAX) {
            return Self(ID_WHOLE_MAX);
        }
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

/// A task in one row: what it is, and how far, how much, or what it waits for.
pub(super) fn task_row(task: &TaskReport, names: &Names) -> Vec<Cell> {
    let (mark, colour) = paint::of_task(task.status);
    let status = match (&task.progress, task.status) {
        (Some(progress), TaskStatus::Running) => {
            match (progress.bytes_done * 100).checked_div(progress.bytes_total) {
                Some(percent) => format!("{} {percent} %", task.status),
                None => task.status.to_string(),
            }
        }
        _ => task.status.to_string(),
    };
    let mut row = vec![
        Cell::coloured(mark, colour),
        names.short(&task.spec_id).into(),
        short_target(&task.target).into(),
        short_sheet(&task.sheet).into(),
        Cell::coloured(status, colour),
    ];
    match (&task.waiting, &task.progress, task.runs.last()) {
        (Some(waiting), _, _) => row.push(waits(waiting, names).into()),
        (None, Some(progress), Some(run)) if task.status == TaskStatus::Running => {
            row.extend(running(progress, run));
        }
        (None, _, Some(run)) => row.extend(ran(run)),
        (None, _, None) => {}
    }
    row
}

fn ran(run: &RunReport) -> [Cell; 4] {
    let done = paint::number(run.statements_done);
    let statements = match run.statements_total {
        Some(total) if total > run.statements_done => {
            format!("{done} of {}", paint::count(total, "statement"))
        }
        Some(_) | None => paint::count(run.statements_done, "statement"),
    };
    [
        Cell::right(statements),
        Cell::right(paint::count(run.affected_rows, "row")),
        Cell::right(paint::between(run.start_time, run.end_time)),
        notes(run).into(),
    ]
}

fn running(progress: &ProgressReport, run: &RunReport) -> [Cell; 4] {
    [
        Cell::right(paint::count(progress.statements_done, "statement")),
        Cell::right(paint::count(progress.affected_rows, "row")),
        Cell::right(paint::length(running_millis(run))),
        notes(run).into(),
    ]
}

fn running_millis(run: &RunReport) -> u64 {
    let millis = jiff::Timestamp::now().as_millisecond() - run.start_time.as_millisecond();
    u64::try_from(millis).unwrap_or(0)
}

fn notes(run: &RunReport) -> String {
    let mut notes = Vec::new();
    if run.attempt > 1 {
        notes.push(format!("try {}", run.attempt));
    }
    if run.resumes > 0 {
        notes.push(format!("taken up again {}", paint::count(u64::from(run.resumes), "time")));
    }
    notes.join(", ")
}

/// A cause of waiting, in words.
fn waits(waiting: &WaitingReport, names: &Names) -> String {
    // A task of another plan comes with that plan's name, and is not shortened by this one's.
    let short = |name: &String| if name.contains('/') { name.clone() } else { names.short(name) };
    let tasks = || waiting.on.iter().map(short).collect::<Vec<_>>().join(", ");
    let things = waiting.on.join(", ");
    match waiting.cause {
        WaitingCause::Time => match waiting.until {
            Some(until) => format!("waits until {}", paint::at(until)),
            None => "waits for its time".to_owned(),
        },
        WaitingCause::Dependency => format!("waits for {}", tasks()),
        WaitingCause::Version => format!("waits for the lower schema version of {}", tasks()),
        WaitingCause::Lane => format!("waits behind {} on its database", tasks()),
        WaitingCause::ConnectionLimit => format!("waits for a connection of {things} (max_connections)"),
        WaitingCause::RunningLimit => "waits for room (max_running_tasks)".to_owned(),
        WaitingCause::Stage => format!("waits for {things}"),
        WaitingCause::Draining => "waits: the daemon is ending".to_owned(),
        WaitingCause::MissingSheet => format!("waits for {things}"),
        WaitingCause::Held => "is held since the state was rebuilt, until `runsheet release`".to_owned(),
        WaitingCause::NoDaemon => "waits: no daemon runs".to_owned(),
    }
}

/// What stands below a task's row.
fn details(text: &mut String, task: &TaskReport) {
    let Some(run) = task.runs.last() else { return };
    if let (TaskStatus::Running, Some(progress)) = (task.status, &task.progress) {
        let _ = writeln!(text, "{}", paint::fit(&paint(Colour::Faint, &statement(progress, run))));
        return;
    }
    if let (TaskStatus::Failed | TaskStatus::InDoubt, Some(error)) = (task.status, &run.error) {
        text.push_str(&error_lines(error, &task.sheet));
    }
    if let Some(detail) = &run.detail
        && task.waiting.is_none()
        && task.status != TaskStatus::Skipped
    {
        let _ = writeln!(text, "{INDENT}{}", paint::plain(detail));
    }
}

/// The statement that runs, or what the run waits for before its first one.
fn statement(progress: &ProgressReport, run: &RunReport) -> String {
    let since = match progress.statement_millis {
        0..1000 => String::new(),
        millis => format!(" for {}", paint::length(millis)),
    };
    let excerpt = paint::plain(&progress.excerpt);
    match progress.statement {
        0 => format!("{INDENT}{excerpt}{since}"),
        number => {
            let (number, line) = (paint::number(number), paint::number(progress.line));
            format!("{INDENT}statement {number}, line {line}{}{since}: {excerpt}", rate(progress, run))
        }
    }
}

/// How many statements in a second; a rate of less than a second says nothing.
fn rate(progress: &ProgressReport, run: &RunReport) -> String {
    let millis = running_millis(run);
    match progress.statements_done.saturating_mul(1000).checked_div(millis) {
        Some(rate) if rate > 0 && millis > 1000 => format!(", {}/s", paint::number(rate)),
        Some(_) | None => String::new(),
    }
}

/// An error with its place, as a compiler shows one.
fn error_lines(error: &ErrorReport, sheet: &str) -> String {
    let mut text = String::new();
    let code = if error.code.is_empty() { String::new() } else { format!("[{}] ", error.code) };
    for line in format!("{code}{}", error.message).lines() {
        let _ = writeln!(text, "{INDENT}{}", paint(Colour::Bad, &paint::plain(line)));
    }
    let (Some(line), Some(column)) = (error.line, error.column) else { return text };
    let statement = error.statement.map_or_else(String::new, |number| format!(", statement {number}"));
    let _ = writeln!(text, "{INDENT}at {}:{line}:{column}{statement}", paint::plain(sheet));
    let Some(excerpt) = &error.excerpt else { return text };
    let number = line.to_string();
    let _ = writeln!(text, "{}", paint::fit(&format!("{INDENT}{number} | {}", paint::plain(excerpt))));
    let cut_off = excerpt.starts_with('…') || excerpt.ends_with('…');
    let before: String =
        excerpt.chars().take(usize::try_from(column).unwrap_or(1).saturating_sub(1)).collect();
    if column > 1 && !cut_off {
        let blanks = " ".repeat(paint::width(&paint::plain(&before)));
        let _ = writeln!(text, "{INDENT}{} | {blanks}{}", " ".repeat(number.len()), paint(Colour::Bad, "^"));
    }
    text
}

/// What an operator can do where nothing goes on by itself.
fn advise(text: &mut String, plan: &PlanReport, names: &Names) {
    let all = || plan.stages.iter().flat_map(|stage| &stage.tasks);
    let first = |status: TaskStatus| all().find(|task| task.status == status);
    let mut table = Table::new(2);
    let mut advice = |command: String, what: &str| table.row([command.into(), what.into()]);
    let name = |task: &TaskReport| format!("{}/{}", plan.plan, names.short(&task.spec_id));
    if !plan.missing_sheets.is_empty() {
        let _ = writeln!(
            text,
            "\nThese sheets have not come. Drop them into the inbox, beside the plan's place or at its root:"
        );
        for sheet in &plan.missing_sheets {
            let _ = writeln!(text, "  {}", paint::plain(sheet));
        }
        let cancel = format!("runsheet cancel {}", plan.plan);
        let _ = writeln!(text, "Or give the plan up: {}", paint(Colour::Bold, &paint::plain(&cancel)));
        return;
    }
    if let Some(task) = first(TaskStatus::InDoubt) {
        let name = name(task);
        advice(format!("runsheet resolve {name} --applied"), "the statement took effect: go on after it");
        advice(format!("runsheet resolve {name} --not-applied"), "it did not: run it");
    }
    if let Some(task) = first(TaskStatus::Failed).or_else(|| first(TaskStatus::Canceled)) {
        advice(format!("runsheet retry {}", plan.plan), "run again all that failed or was canceled");
        advice(format!("runsheet retry {}", name(task)), "one task alone");
        advice(format!("runsheet skip {}", name(task)), "it is not needed: what waits for it goes on");
        advice(format!("runsheet log {}", name(task)), "what happened, statement by statement");
    }
    let lines = table.lines();
    if !lines.is_empty() {
        let _ = writeln!(text, "\n{}", paint(Colour::Bold, "What to do"));
        let _ = writeln!(text, "{}", lines.join("\n"));
    }
}
