//! Following a plan to where nothing goes on by itself, or all plans until somebody has seen enough: drawn again in place on a
//! terminal, else a line for each change. It survives the daemon's restart.

use super::exit::{self, Exit};
use super::paint::{self, Colour, paint};
use super::picture::{self, Names};
use super::source::{self, Source, is_unreachable};
use super::status;
use super::table::Table;
use crate::config::Config;
use crate::report::PlanReport;
use crate::store::{PlanStatus, TaskStatus};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);

/// Follows a plan to where nothing goes on by itself. With `json`, each change is a line with the whole plan.
pub(super) fn plan(config: &Config, name: &str, json: bool) -> anyhow::Result<Exit> {
    to_its_end(Watcher::new(config), name, json)
}

/// Follows the one plan of a daemon that ends with it: then the state folder says the rest, and nobody needs to be told.
pub(super) fn last_plan(config: &Config, name: &str) -> anyhow::Result<Exit> {
    to_its_end(Watcher { daemon_may_end: true, ..Watcher::new(config) }, name, false)
}

fn to_its_end(mut watcher: Watcher<'_>, name: &str, json: bool) -> anyhow::Result<Exit> {
    let mut statuses = HashMap::new();
    loop {
        if let Some(plan) = watcher.look(|source| source.plan(name))? {
            if json {
                watcher.line(&plan)?;
            } else if paint::is_terminal() {
                watcher.draw(|lines| picture::within(&plan, lines))?;
            } else {
                watcher.say_no_daemon();
                paint::print(&changes(&plan, &mut statuses))?;
            }
            if plan.status != PlanStatus::Running && plan.status != PlanStatus::WaitingForSheets {
                if !json {
                    watcher.end(&picture::whole(&plan))?;
                }
                let tasks = plan.stages.iter().flat_map(|stage| &stage.tasks).map(|task| task.status);
                return Ok(exit::of_plan(plan.status, tasks));
            }
        }
        std::thread::sleep(LOOK);
    }
}

/// Follows all plans, until it is ended from outside.
pub(super) fn plans(config: &Config, json: bool, all: bool) -> anyhow::Result<Exit> {
    let mut watcher = Watcher::new(config);
    let mut before = String::new();
    loop {
        if let Some(plans) = watcher.look(Source::plans)? {
            let text = status::list(&plans, all);
            if json {
                watcher.line(&plans)?;
            } else if paint::is_terminal() {
                watcher.draw(|lines| last_lines(&text, lines))?;
            } else if text != before {
                watcher.say_no_daemon();
                paint::print(&format!("{text}\n"))?;
                before = text;
            }
        }
        std::thread::sleep(LOOK);
    }
}

/// The heads of a table, and as many of its last rows as there is room for: the newest plans.
fn last_lines(text: &str, room: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some((heads, rows)) = lines.split_first() else { return String::new() };
    let from = rows.len().saturating_sub(room.saturating_sub(1));
    let mut out = format!("{heads}\n");
    for row in rows.iter().skip(from) {
        let _ = writeln!(out, "{row}");
    }
    out
}

/// What looks again and again, and what it has shown.
struct Watcher<'a> {
    config: &'a Config,
    source: Option<Source<'a>>,
    /// Lines that were drawn and are to be drawn over.
    drawn: usize,
    shown: bool,
    daemon_may_end: bool,
    said_no_daemon: bool,
    line: String,
}

impl<'a> Watcher<'a> {
    fn new(config: &'a Config) -> Self {
        Self {
            config,
            source: None,
            drawn: 0,
            shown: false,
            daemon_may_end: false,
            said_no_daemon: false,
            line: String::new(),
        }
    }

    /// Looks once. Nothing while the daemon is starting again.
    fn look<T>(
        &mut self,
        ask: impl FnOnce(&mut Source<'a>) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        // The state folder says less than a daemon that may be there again.
        if !self.source.as_ref().is_some_and(Source::is_daemon) {
            self.source = None;
        }
        let found = match &mut self.source {
            Some(source) => Ok(source),
            None => Source::find(self.config).map(|source| self.source.insert(source)),
        };
        match found.and_then(ask) {
            Ok(seen) => {
                self.shown = true;
                Ok(Some(seen))
            }
            Err(error) if is_unreachable(&error) && self.shown => {
                self.source = None;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether it must be said that no daemon answers.
    fn has_no_daemon(&self) -> bool {
        !self.daemon_may_end && !self.source.as_ref().is_some_and(Source::is_daemon)
    }

    /// Says once, each time that it is so, that no daemon answers.
    fn say_no_daemon(&mut self) {
        let none = self.has_no_daemon();
        if none && !self.said_no_daemon {
            paint::say(&source::no_daemon(self.config));
        }
        self.said_no_daemon = none;
    }

    /// Draws over what was drawn before; `picture` is told how many lines there are.
    fn draw(&mut self, picture: impl FnOnce(usize) -> String) -> anyhow::Result<()> {
        let height = paint::terminal_height() - 1;
        let mut text = picture(height);
        if self.has_no_daemon() {
            text = format!(
                "{}\n{}",
                paint(Colour::Waiting, &source::no_daemon(self.config)),
                first_lines(&text, height - 1)
            );
        }
        let mut out = String::new();
        if self.drawn > 0 {
            let _ = write!(out, "\x1b[{}A", self.drawn);
        }
        for line in text.lines() {
            // A line that wraps would be two, and the next picture would begin in the wrong place.
            let _ = writeln!(out, "\x1b[2K{}", paint::fit(line));
        }
        out.push_str("\x1b[J");
        self.drawn = text.lines().count();
        paint::print(&out)
    }

    /// The last picture, whole, in the place of what was drawn.
    fn end(&mut self, text: &str) -> anyhow::Result<()> {
        match self.drawn {
            0 => paint::print(&format!("\n{text}")),
            drawn => paint::print(&format!("\x1b[{drawn}A\x1b[J{text}")),
        }
    }

    /// Prints a value as one line of JSON, where it has changed.
    fn line(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let line = serde_json::to_string(value)? + "\n";
        if line != self.line {
            paint::print(&line)?;
            self.line = line;
        }
        Ok(())
    }
}

/// The first lines of a picture.
fn first_lines(text: &str, lines: usize) -> String {
    text.lines().take(lines).map(|line| format!("{line}\n")).collect()
}

/// A row for each task that stands somewhere else than at the last look.
fn changes(plan: &PlanReport, statuses: &mut HashMap<String, TaskStatus>) -> String {
    let names = Names::of(plan);
    let mut table = Table::new(0);
    for task in plan.stages.iter().flat_map(|stage| &stage.tasks) {
        let before = statuses.insert(task.spec_id.clone(), task.status);
        let worth = !matches!(task.status, TaskStatus::NotStarted | TaskStatus::Pending);
        if before != Some(task.status) && worth {
            table.row(picture::task_row(task, &names));
        }
    }
    table.to_string()
}
