//! Following a plan to where nothing goes on by itself: drawn again in place on a terminal, else a line for each change. It survives
//! the daemon's restart.

use super::exit::{self, Exit};
use super::paint;
use super::source::{Source, is_unreachable};
use super::status::{self, Names};
use super::table::Table;
use crate::config::Config;
use crate::report::PlanReport;
use crate::store::{PlanStatus, TaskStatus};
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);

/// Follows a plan.
pub(super) fn follow(config: &Config, name: &str) -> anyhow::Result<Exit> {
    let mut screen = Screen::new();
    let mut source = None;
    loop {
        let looked = look(config, &mut source, name);
        match looked {
            Ok(plan) => {
                screen.show(&plan)?;
                if plan.status != PlanStatus::Running && plan.status != PlanStatus::WaitingForSheets {
                    screen.end(&plan)?;
                    let tasks = plan.stages.iter().flat_map(|stage| &stage.tasks).map(|task| task.status);
                    return Ok(exit::of_plan(plan.status, tasks));
                }
            }
            // It may be starting again.
            Err(error) if is_unreachable(&error) && screen.has_shown() => source = None,
            Err(error) => return Err(error),
        }
        std::thread::sleep(LOOK);
    }
}

fn look(config: &Config, source: &mut Option<Source>, name: &str) -> anyhow::Result<PlanReport> {
    let source = match source {
        Some(source) => source,
        None => source.insert(Source::open(config)?),
    };
    source.plan(name)
}

/// What was shown.
pub(super) struct Screen {
    terminal: bool,
    /// Lines that were drawn and are to be drawn over.
    drawn: usize,
    shown: bool,
    statuses: HashMap<String, TaskStatus>,
}

impl Screen {
    pub fn new() -> Self {
        Self { terminal: paint::is_terminal(), drawn: 0, shown: false, statuses: HashMap::new() }
    }

    pub fn has_shown(&self) -> bool {
        self.shown
    }

    pub fn show(&mut self, plan: &PlanReport) -> anyhow::Result<()> {
        self.shown = true;
        if self.terminal { self.draw(plan) } else { self.changes(plan) }
    }

    /// Draws over what was drawn before.
    fn draw(&mut self, plan: &PlanReport) -> anyhow::Result<()> {
        let text = status::one(plan);
        let height =
            rustix::termios::tcgetwinsize(std::io::stdout()).map_or(24, |size| usize::from(size.ws_row));
        let lines: Vec<&str> = text.lines().take(height.saturating_sub(1)).collect();
        let mut out = String::new();
        if self.drawn > 0 {
            let _ = write!(out, "\x1b[{}A", self.drawn);
        }
        for line in &lines {
            let _ = writeln!(out, "\x1b[2K{line}");
        }
        out.push_str("\x1b[J");
        self.drawn = lines.len();
        paint::print(&out)
    }

    fn changes(&mut self, plan: &PlanReport) -> anyhow::Result<()> {
        let names = Names::of(plan);
        let mut table = Table::new(0);
        for task in plan.stages.iter().flat_map(|stage| &stage.tasks) {
            let before = self.statuses.insert(task.spec_id.clone(), task.status);
            let worth = !matches!(task.status, TaskStatus::NotStarted | TaskStatus::Pending);
            if before != Some(task.status) && worth {
                table.row(status::task_row(task, &names));
            }
        }
        paint::print(&table.to_string())
    }

    /// The last picture, whole.
    pub fn end(&mut self, plan: &PlanReport) -> anyhow::Result<()> {
        if self.terminal { Ok(()) } else { paint::print(&format!("\n{}", status::one(plan))) }
    }
}
