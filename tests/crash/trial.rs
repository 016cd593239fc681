//! One plan on an engine, and what goes wrong while it runs. In the end each database is asked, by the engine's own client, whether
//! every statement took effect exactly once and in order.

use super::bench::{self, Bench};
use super::fault::{Fault, Kind};
use super::power::Power;
use super::proxy::Proxy;
use super::random::Random;
use super::scenario::Scenario;
use super::site::Site;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub const PLAN: &str = "projects/crash/plans/trial";
/// How long a plan may take to its end after the last fault.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// How long a server may take to miss a client that is gone without a word; its default may be two hours.
pub const MISSED_AFTER: Duration = Duration::from_secs(20);
/// How often a task is tried by an operator who knows that its server was away.
const TRIES_MAX: usize = 12;
/// The exit code of a command that finds no daemon.
const DAEMON_NOT_REACHED: i32 = 3;
/// How many databases a plan has.
const DATABASES: usize = 2;

/// What came of a trial.
#[derive(Debug, Default)]
pub struct Outcome {
    pub statements: u64,
    /// Faults that hit the plan while it was under way.
    pub came: Vec<Kind>,
    /// How many of them hit a daemon that was going on after another one: a crash of the recovery.
    pub in_recovery: u64,
    /// Whether a session without a client was waited for until the server missed it: a daemon had died before it had recorded it.
    pub waited: bool,
    /// Statements that a person was asked about as the driver's table says, by what they are.
    pub asked: Vec<&'static str>,
    /// What a person was asked about although a fact tells.
    pub unjustified: Vec<String>,
    /// What is wrong; nothing where all is as it must be.
    pub wrong: Vec<String>,
    /// Why nothing can be said of the plan: the server broke down though nobody had killed it, or left what it cannot open itself.
    pub given_up: Option<String>,
}

/// A trial under way.
pub struct Trial<'b> {
    pub bench: &'b mut Bench,
    /// Where the site lies on a disk that can lose its power. It goes before the site's folder does.
    pub power: Option<Power>,
    pub site: Site,
    pub scenario: Scenario,
    pub proxy: Option<Proxy>,
    /// Behind which sessions are that have lost their client without a word.
    pub holes: Vec<Proxy>,
    pub outcome: Outcome,
    /// Whether the relay stands before the driver.
    pub relayed: bool,
    /// The state folder as it was, to be put back at the end.
    pub kept: Option<tempfile::TempDir>,
}

impl<'b> Trial<'b> {
    /// Makes a plan up, and drops it; `relayed` where a fault is aimed at the driver's calls, `on_disk` where the power is to fail.
    pub fn new(bench: &'b mut Bench, relayed: bool, on_disk: bool, random: &mut Random) -> Result<Self> {
        let databases: Vec<String> = (0..DATABASES).map(|_| bench.fresh_database()).collect::<Result<_>>()?;
        let scenario = Scenario::new(bench.dialect, &databases, random);
        let mut site = Site::new("")?;
        let power = if on_disk { Some(Power::under(&site)?) } else { None };
        if relayed {
            std::fs::create_dir(site.path("plugins"))?;
            std::fs::copy(bench::relay()?, site.path("plugins/librunsheet_driver_relay.so"))?;
            let real = bench::driver(bench.dialect)?;
            site.set_environment(runsheet_test_relay::TO, &real.display().to_string());
        }
        let proxy = match bench.port() {
            0 => None,
            port => Some(Proxy::start(port)?),
        };
        for target in &scenario.targets {
            bench.before(target)?;
        }
        let outcome = Outcome { statements: scenario.statements, ..Outcome::default() };
        let trial =
            Self { bench, power, site, proxy, holes: Vec::new(), outcome, scenario, relayed, kept: None };
        trial.configure()?;
        trial.drop_files()?;
        Ok(trial)
    }

    /// Writes the config anew: the proxy may be another one.
    pub fn configure(&self) -> Result<()> {
        let port = self.proxy.as_ref().map_or(0, Proxy::port);
        let instance = self.bench.instance(port, &self.site.path("databases"), self.relayed);
        let plugins = if self.relayed { "plugins = \"plugins\"\n" } else { "" };
        self.site.write(
            "config.toml",
            format!("[folders]\nroot = \".\"\n[daemon]\nsocket = \"socket\"\n{plugins}[inbox]\nsettle = \"5ms\"\n{instance}"),
        )?;
        Ok(std::fs::File::open(self.site.path("config.toml"))?.sync_all()?)
    }

    fn drop_files(&self) -> Result<()> {
        for (name, text) in &self.scenario.sheets {
            self.site.drop_file(&format!("crash/{name}.sql"), text)?;
        }
        self.site.drop_file("crash/trial.plan.json", &self.scenario.plan)?;
        // What a person has dropped and not synced is that person's to lose.
        self.power.iter().for_each(Power::sync);
        Ok(())
    }

    /// Runs the plan under these faults, one after the other, and then to its end without any.
    pub fn run(mut self, faults: &[Fault], random: &mut Random) -> Result<Outcome> {
        let mut crashed = false;
        for fault in faults {
            if fault.kind != Kind::OlderState && self.has_ended() {
                break;
            }
            let came = self.suffer(*fault, random)?;
            if came {
                self.outcome.came.push(fault.kind);
                self.outcome.in_recovery += u64::from(crashed);
            }
            crashed |= came && fault.kind != Kind::OlderState;
        }
        self.finish()?;
        if let Some(older) = self.kept.take() {
            self.site.kill();
            self.put_back(older.path())?;
            self.finish()?;
        }
        self.site.kill();
        if let Some(words) = self.bench.last_words() {
            self.bench.restart_server()?;
            self.outcome.given_up = Some(words);
        }
        if self.outcome.given_up.is_some() {
            self.outcome.wrong.clear();
            self.outcome.unjustified.clear();
            return Ok(self.outcome);
        }
        self.judge()?;
        for target in &self.scenario.targets {
            self.bench.clean(target);
        }
        Ok(self.outcome)
    }

    /// Whether nothing is left to do, or it never began to be known.
    pub fn has_ended(&self) -> bool {
        self.site.plan(PLAN).is_ok_and(|plan| plan["status"] == "DONE" || plan["status"] == "FAILED")
    }

    /// A copy of the state folder as it is now; the daemon does not run.
    pub fn keep(&self) -> Result<tempfile::TempDir> {
        let kept = tempfile::tempdir()?;
        if self.site.path("state").exists() {
            copy(&self.site.path("state"), &kept.path().join("state"))?;
        }
        Ok(kept)
    }

    /// Puts the state folder back, and what was dropped since too: an operator restores both from a backup.
    pub fn put_back(&mut self, kept: &Path) -> Result<()> {
        let state = self.site.path("state");
        if state.exists() {
            std::fs::remove_dir_all(&state)?;
        }
        if kept.join("state").exists() {
            copy(&kept.join("state"), &state)?;
        }
        // A state from before the plan was taken in gets it again; one from after finds it known, or its files gone.
        self.drop_files()
    }

    /// Lets the plan run to its end. Where a person is asked, the database is looked at, and the person answers.
    fn finish(&mut self) -> Result<()> {
        self.site.start()?;
        let begun = Instant::now();
        loop {
            let Ok(plan) = self.site.plan(PLAN) else {
                if begun.elapsed() > WAIT_MAX {
                    self.outcome.wrong.push(format!("the plan is never known: {}", self.site.log()));
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            if begun.elapsed() > MISSED_AFTER && plan["status"] != "DONE" {
                self.miss_clients();
            }
            if plan["status"] != "DONE" && self.bench.has_broken_down() {
                return Ok(());
            }
            match plan["status"].as_str().unwrap_or_default() {
                "DONE" => return Ok(()),
                _ if begun.elapsed() > WAIT_MAX => {
                    self.outcome.wrong.push(format!("the plan does not end: {plan:#}"));
                    return Ok(());
                }
                "FAILED" | "BLOCKED" | "CANCELED" => {
                    if !self.answer(&plan)? {
                        self.outcome.wrong.push(format!("the plan did not end DONE: {plan:#}"));
                        return Ok(());
                    }
                }
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Lets the server miss at last the clients that are gone without a word. False where there are none.
    pub fn miss_clients(&mut self) -> bool {
        let any = !self.holes.is_empty();
        self.holes.clear();
        self.outcome.waited |= any;
        any
    }

    /// What an operator does: retries a few times what failed because its server or its connection was gone or what was canceled, says
    /// of a statement in doubt what the database shows, and nothing else. False where that is not all.
    fn answer(&mut self, plan: &serde_json::Value) -> Result<bool> {
        let mut answered = false;
        let stages = plan["stages"].as_array().context("stages")?;
        for task in stages.iter().flat_map(|stage| stage["tasks"].as_array().into_iter().flatten()) {
            let spec = task["specId"].as_str().unwrap_or_default();
            let name = format!("{PLAN}/{spec}");
            let tries = task["runs"].as_array().map_or(0, Vec::len);
            let error = task["runs"].as_array().and_then(|runs| runs.last()).map(|run| &run["error"]);
            let class = error.and_then(|error| error["class"].as_str()).unwrap_or_default();
            match task["status"].as_str().unwrap_or_default() {
                "IN_DOUBT" => {
                    let statement = error.and_then(|error| error["statement"].as_u64()).unwrap_or_default();
                    if !self.resolve(spec, statement, task)? {
                        return Ok(false);
                    }
                    answered = true;
                }
                "CANCELED" => {
                    self.site.run(&["retry", &name])?;
                    answered = true;
                }
                "FAILED"
                    if tries < TRIES_MAX && matches!(class, "connection lost" | "resource" | "canceled") =>
                {
                    self.site.run(&["retry", &name])?;
                    answered = true;
                }
                _ => {}
            }
        }
        Ok(answered)
    }

    /// A person looks at the database and says whether a statement took effect. False where there should have been no question.
    fn resolve(&mut self, spec: &str, statement: u64, task: &serde_json::Value) -> Result<bool> {
        let sheet = self.scenario.specs.iter().find(|(id, _)| id == spec).map(|(_, sheet)| sheet);
        let doubt = self
            .scenario
            .doubts
            .iter()
            .find(|doubt| Some(&doubt.sheet) == sheet && doubt.statement == statement)
            .cloned();
        let target = task["target"].as_str().unwrap_or_default();
        let database = target.rsplit('/').next().unwrap_or_default().to_owned();
        let Some(doubt) = doubt else {
            if self.bench.left_broken(&self.site.path("databases"), &database)? {
                self.outcome.given_up = Some(format!("a table that the server cannot open: {task:#}"));
                return Ok(false);
            }
            self.outcome.unjustified.push(format!("statement {statement} of {sheet:?}: {task:#}"));
            return Ok(false);
        };
        let rows = self.bench.query(&self.site.path("databases"), &database, &doubt.query)?;
        let took_effect = rows.first().and_then(|row| row.first()).is_some_and(|cell| cell == "1");
        let answer = if took_effect { "--applied" } else { "--not-applied" };
        let name = format!("{PLAN}/{spec}");
        let said = self.site.say(&["resolve", &name, answer, "--reason", "the database was looked at"])?;
        match said.code {
            0 => self.outcome.asked.push(doubt.kind),
            // It was read from the state, and the daemon does not listen yet.
            DAEMON_NOT_REACHED => {}
            _ => {
                self.outcome.wrong.push(format!("resolve {answer}: {}", said.err));
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Asks every database.
    fn judge(&mut self) -> Result<()> {
        if !self.outcome.wrong.is_empty() || !self.outcome.unjustified.is_empty() {
            return self.tell();
        }
        let folder = self.site.path("databases");
        for target in self.scenario.targets.clone() {
            // A table that is lost has no rows.
            let trace = self.bench.query(&folder, &target.database, "SELECT id FROM trace ORDER BY seq");
            let rows = trace.unwrap_or_default();
            let found: Vec<u64> = rows.iter().filter_map(|row| row.first()?.parse().ok()).collect();
            if found != target.trace {
                let wanted = &target.trace;
                self.outcome
                    .wrong
                    .push(format!("{}: the trace is {found:?}, not {wanted:?}", target.database));
            }
            for check in &target.checks {
                let cell = match self.bench.query(&folder, &target.database, &check.query) {
                    Ok(rows) => rows.first().and_then(|row| row.first()).cloned().unwrap_or_default(),
                    Err(error) => format!("{error:#}"),
                };
                if cell != check.wanted {
                    self.outcome.wrong.push(format!(
                        "{}: {} gives {cell}, not {}",
                        target.database, check.query, check.wanted
                    ));
                }
            }
        }
        if self.outcome.wrong.is_empty() { Ok(()) } else { self.tell() }
    }

    /// Puts what is needed to understand it behind what is wrong.
    fn tell(&mut self) -> Result<()> {
        let log = self.site.run(&["log", PLAN])?;
        self.outcome.wrong.push(String::from_utf8_lossy(&log.stdout).into_owned());
        self.outcome.wrong.push(self.scenario.plan.clone());
        let sheets = self.scenario.sheets.iter().map(|(name, text)| format!("{name}.sql:\n{text}"));
        self.outcome.wrong.extend(sheets);
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    anyhow::ensure!(status.success(), "{} could not be copied", from.display());
    Ok(())
}
