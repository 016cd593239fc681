//! A server's process: as a user that the server accepts, dead when the test is dead.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How much of a log is told.
const TAIL_LINES: usize = 60;
/// How long a server may take to answer.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Starts a server; once more on another port where somebody has taken the first one meanwhile.
pub(crate) fn on_a_free_port(mut start: impl FnMut(u16) -> Result<()>) -> Result<()> {
    match start(free_port()?) {
        Err(error) if error.to_string().contains("in use") => start(free_port()?),
        other => other,
    }
}

/// A program of a package, or the package to install.
pub(crate) fn program(candidates: &[PathBuf], package: &str) -> Result<PathBuf> {
    let found = candidates.iter().find(|path| path.is_file()).cloned();
    found.with_context(|| format!("{candidates:?} is not there; the package is {package}: run tests/install"))
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command as another user, where this one is root and the server refuses root. It dies with this process.
pub(crate) fn as_user(user: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root() && user != "root" {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command.arg("--").arg(program);
    command
}

/// Gives a folder to a user, where this one is root.
pub(crate) fn give(folder: &Path, user: &str) -> Result<()> {
    if is_root() && user != "root" {
        run(Command::new("chown").arg("-R").arg(format!("{user}:")).arg(folder))?;
    }
    Ok(())
}

/// Runs a command to its end; its output is part of the error.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("{command:?} could not be run"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{command:?} failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}

/// Starts a program from a thread that lives as long as this process. One that dies with its parent dies with the thread that
/// has started it, and a test's own thread ends before the others need the server.
fn spawn(command: &mut Command) -> Result<Child> {
    type Wish = (Command, Sender<std::io::Result<Child>>);
    static STARTER: OnceLock<Mutex<Sender<Wish>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, wishes) = channel::<Wish>();
        std::thread::spawn(move || {
            for (mut command, answer) in wishes {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, started) = channel();
    let command = std::mem::replace(command, Command::new("true"));
    let wish = starter.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer));
    wish.context("the thread that starts servers is there")?;
    Ok(started.recv()??)
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text =
        std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n")
}

/// Waits for a condition, with a limit.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > START_TIME_MAX {
            bail!("it did not come to be that {what}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Whether a process still has what it had; one that only waits for its parent has not.
fn is_alive(process: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    stat.is_ok_and(|stat| {
        !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
    })
}

/// The processes that a process has started, and theirs. PostgreSQL's put themselves into sessions of their own.
fn descendants(of: Pid) -> Vec<Pid> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name may have blanks; behind it come the state and the parent.
        let parent =
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<i32>().ok());
        parents.extend(parent.map(|parent| (process, parent)));
    }
    let mut found = vec![of.as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        next += 1;
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
    }
    found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

impl Process {
    /// Starts a server, its output in `log`, and waits until `answers`.
    pub fn start(
        name: &'static str,
        command: &mut Command,
        log: &Path,
        mut answers: impl FnMut() -> bool,
    ) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        // A group of its own, so that everything that it starts can be stopped and killed with it.
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0);
        let child = spawn(command).with_context(|| format!("{command:?} could not be started"))?;
        let mut process = Self { child };
        let begun = Instant::now();
        while !answers() {
            if let Some(status) = process.child.try_wait()? {
                bail!("{name} ended with {status}: {}", std::fs::read_to_string(log).unwrap_or_default());
            }
            if begun.elapsed() > START_TIME_MAX {
                bail!("{name} does not answer: {}", std::fs::read_to_string(log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(process)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    fn group(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }

    /// Sends a signal to the server and all that it has started, wherever that has put itself.
    pub fn signal(&self, signal: Signal) {
        self.signal_all(signal);
    }

    /// The same; gives what the server had started.
    fn signal_all(&self, signal: Signal) -> Vec<Pid> {
        let Some(group) = self.group() else { return Vec::new() };
        // Stopped first, so that nothing new is started meanwhile. What is gone already is as good.
        let _ = kill_process(group, Signal::STOP);
        let started = descendants(group);
        for process in &started {
            let _ = kill_process(*process, signal);
        }
        let _ = kill_process_group(group, signal);
        started
    }

    /// Kills it, as a power cut would, but for what the system has in its memory.
    pub fn kill9(&mut self) {
        let started = self.signal_all(Signal::KILL);
        let _ = self.child.wait();
        // Their sockets are closed when they are gone, a little after the signal.
        let begun = Instant::now();
        while started.iter().any(|process| is_alive(*process)) && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it in order.
    pub fn end(&mut self) {
        if let Some(pid) = self.group() {
            let _ = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill9();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}
