//! A tool's process, from its start to its end or its kill.

use super::job::Job;
use super::tool::Tool;
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a tool may run. One that waits longer for a lock that nobody will release has to be ended by a person.
const RUN_MAX: Duration = Duration::from_secs(30);
/// How often the process and the database are looked at.
const LOOK: Duration = Duration::from_micros(200);

/// What passed between the first and the last word to the database. Python takes longer than that to clear itself away, and a kill in
/// that time is none.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub took: Duration,
    /// In bytes; nothing where nobody counts them.
    pub said: Option<u64>,
}

/// How a start ended.
pub enum End {
    Itself { done: bool, window: Window },
    Killed(Window),
    TooLong,
}

/// Starts the tool in a process group of its own. The group is killed `after` its first word to the database, where that is set.
pub fn start(tool: &dyn Tool, job: &Job, after: Option<Duration>) -> Result<End> {
    let log = std::fs::File::options().create(true).append(true).open(job.site.path("log"))?;
    let mut heard = job.heard();
    let mut child = tool
        .command(job)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("{} cannot be started; tests/crash/peers/install brings it", tool.name()))?;
    let begun = Instant::now();
    let mut first = None;
    let mut took = Duration::ZERO;
    loop {
        let hears = job.heard();
        if hears > heard {
            heard = hears;
            took = first.get_or_insert_with(Instant::now).elapsed();
        }
        if let (Some(first), Some(after)) = (first, after)
            && first.elapsed() >= after
        {
            let status = kill(&mut child)?;
            // It may have ended in the last moment.
            let killed = status.signal() == Some(Signal::KILL.as_raw());
            let window = Window { took, said: job.said() };
            return if killed { Ok(End::Killed(window)) } else { ended(tool, job, status, window) };
        }
        if let Some(status) = child.try_wait()? {
            return ended(tool, job, status, Window { took, said: job.said() });
        }
        if begun.elapsed() > RUN_MAX {
            kill(&mut child)?;
            return Ok(End::TooLong);
        }
        std::thread::sleep(LOOK);
    }
}

fn ended(tool: &dyn Tool, job: &Job, status: ExitStatus, window: Window) -> Result<End> {
    Ok(End::Itself { done: tool.is_done(job, status)?, window })
}

fn kill(child: &mut Child) -> Result<ExitStatus> {
    let group = Pid::from_child(child);
    // Where nobody is left of it, it has ended by itself.
    let _ = kill_process_group(group, Signal::KILL);
    Ok(child.wait()?)
}
