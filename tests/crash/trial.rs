//! One plan on an engine, and what goes wrong while it runs. In the end each database is asked, by the engine's own client, whether
//! every statement took effect exactly once and in order.

use super::fault::Fault;
use super::proxy::{Proxy, Way};
use super::random::Random;
use super::scenario::{Dialect, Scenario};
use super::site::{Engine, Site, program};
use anyhow::{Context, Result, bail};
use runsheet_test_servers::{MySql, Postgres};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PLAN: &str = "projects/crash/plans/trial";
/// How long a plan may take to its end after the last fault.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// How often a task is tried by an operator who knows that its server was away.
const TRIES_MAX: usize = 12;
/// How many databases a plan has.
const DATABASES: usize = 2;

/// An engine with a server of the matrix's own, which is killed.
pub enum Bench {
    Sqlite,
    Postgres(Box<Postgres>),
    MySql(Box<MySql>),
}

impl Bench {
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
            Self::MySql(..) => Dialect::MySql,
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Sqlite => 0,
            Self::Postgres(server) => server.port(),
            Self::MySql(server) => server.port(),
        }
    }

    fn kill_server(&mut self) {
        match self {
            Self::Sqlite => {}
            Self::Postgres(server) => server.kill9(),
            Self::MySql(server) => server.kill9(),
        }
    }

    fn restart_server(&mut self) -> Result<()> {
        match self {
            Self::Sqlite => Ok(()),
            Self::Postgres(server) => server.restart(),
            Self::MySql(server) => server.restart(),
        }
    }

    fn fresh_database(&self) -> Result<String> {
        match self {
            Self::Sqlite => Ok(runsheet_test_servers::fresh_name("db")),
            Self::Postgres(server) => server.fresh_database(),
            Self::MySql(server) => server.fresh_database(),
        }
    }

    fn drop_database(&self, database: &str) {
        // The server keeps thousands of trials' databases otherwise.
        let _ = match self {
            Self::Sqlite => Ok(String::new()),
            Self::Postgres(server) => {
                server.execute("postgres", &format!("DROP DATABASE {database} WITH (FORCE)"))
            }
            Self::MySql(server) => server.execute("", &format!("DROP DATABASE {database}")),
        };
    }

    fn query(&self, folder: &Path, database: &str, sql: &str) -> Result<Vec<Vec<String>>> {
        match self {
            Self::Sqlite => Engine::Sqlite.query(folder, database, sql),
            Self::Postgres(server) => server.query(database, sql),
            Self::MySql(server) => server.query(database, sql),
        }
    }

    /// The instance's table, reached over `port`.
    fn instance(&self, port: u16, folder: &Path) -> String {
        let server = |driver: &str, user: &str| {
            format!(
                "driver = \"{driver}\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\ntls = \"disable\"\n"
            )
        };
        let own = match self {
            Self::Sqlite => return Engine::Sqlite.instance("main", folder),
            Self::Postgres(_) => server("postgres", "postgres"),
            Self::MySql(..) => server("mysql", "root"),
        };
        // A swallowed connection keeps its session, and with it the fence, until somebody ends it.
        format!(
            "[instances.main]\n{own}orphans = \"cancel\"\nretry = {{ attempts = 10, backoff = \"50ms\" }}\n"
        )
    }
}

/// What came of a trial.
#[derive(Debug, Default)]
pub struct Outcome {
    pub statements: u64,
    /// Faults that hit a plan that was under way.
    pub hits: u64,
    /// Tasks that a person had to be asked about, with the reasons.
    pub in_doubt: Vec<String>,
    /// What is wrong; nothing where all is as it must be.
    pub wrong: Vec<String>,
}

/// A trial under way.
pub struct Trial<'b> {
    bench: &'b mut Bench,
    site: Site,
    scenario: Scenario,
    proxy: Option<Proxy>,
    outcome: Outcome,
}

impl<'b> Trial<'b> {
    pub fn new(bench: &'b mut Bench, random: &mut Random) -> Result<Self> {
        let databases: Vec<String> = (0..DATABASES).map(|_| bench.fresh_database()).collect::<Result<_>>()?;
        let scenario = Scenario::new(bench.dialect(), &databases, random);
        let site = Site::new("")?;
        let proxy = match bench.port() {
            0 => None,
            port => Some(Proxy::start(port)?),
        };
        let mut trial = Self {
            bench,
            site,
            proxy,
            outcome: Outcome { statements: scenario.statements, ..Outcome::default() },
            scenario,
        };
        trial.configure()?;
        for (name, text) in &trial.scenario.sheets {
            trial.site.drop_file(&format!("crash/{name}.sql"), text)?;
        }
        trial.site.drop_file("crash/trial.plan.json", &trial.scenario.plan)?;
        Ok(trial)
    }

    /// Writes the config anew: the proxy may be another one.
    fn configure(&mut self) -> Result<()> {
        let port = self.proxy.as_ref().map_or(0, Proxy::port);
        let instance = self.bench.instance(port, &self.site.path("databases"));
        self.site.write(
            "config.toml",
            format!("[folders]\nroot = \".\"\n[daemon]\nsocket = \"socket\"\n[inbox]\nsettle = \"5ms\"\n{instance}"),
        )
    }

    /// Runs the plan under these faults, one after the other, and then to its end without any.
    pub fn run(mut self, faults: &[Fault], random: &mut Random) -> Result<Outcome> {
        let mut kept: Option<tempfile::TempDir> = None;
        for fault in faults {
            if self.has_ended() && *fault != Fault::OlderState {
                break;
            }
            self.outcome.hits += 1;
            self.suffer(*fault, &mut kept, random)?;
        }
        self.finish()?;
        if let Some(older) = kept {
            self.site.kill();
            self.put_back(older.path())?;
            self.finish()?;
        }
        self.site.kill();
        self.judge()?;
        for target in &self.scenario.targets {
            self.bench.drop_database(&target.database);
        }
        Ok(self.outcome)
    }

    fn has_ended(&self) -> bool {
        self.site.plan(PLAN).is_ok_and(|plan| plan["status"] == "DONE" || plan["status"] == "FAILED")
    }

    fn suffer(
        &mut self,
        fault: Fault,
        kept: &mut Option<tempfile::TempDir>,
        random: &mut Random,
    ) -> Result<()> {
        match fault {
            Fault::KillDaemon { micros } => self.for_a_while(micros)?,
            Fault::KillAtCall { call, nth } => {
                self.under_strace(&format!("inject={}:signal=KILL:when={nth}", call.names()), false)?;
            }
            Fault::FailCall { call, error, nth } => {
                self.under_strace(&format!("inject={}:error={error}:when={nth}", call.names()), true)?;
            }
            Fault::KillServer { micros } => {
                self.site.start()?;
                std::thread::sleep(Duration::from_micros(micros));
                self.bench.kill_server();
                std::thread::sleep(Duration::from_micros(random.below(100_000)));
                self.bench.restart_server()?;
                std::thread::sleep(Duration::from_micros(random.below(300_000)));
            }
            Fault::KillBoth { micros } => {
                self.site.start()?;
                std::thread::sleep(Duration::from_micros(micros));
                self.bench.kill_server();
                self.site.kill();
                self.bench.restart_server()?;
            }
            Fault::Cut { micros } => {
                self.site.start()?;
                std::thread::sleep(Duration::from_micros(micros));
                self.proxy.iter().for_each(Proxy::cut);
                std::thread::sleep(Duration::from_micros(random.below(300_000)));
            }
            Fault::CutAfterRequest { bytes } => self.cut_after(Way::Requests, bytes)?,
            Fault::CutInAnswer { bytes } => self.cut_after(Way::Answers, bytes)?,
            Fault::BlackHole { micros } => {
                self.site.start()?;
                std::thread::sleep(Duration::from_micros(micros));
                let hole = self.proxy.take();
                hole.iter().for_each(Proxy::swallow);
                std::thread::sleep(Duration::from_micros(random.below(200_000)));
                self.site.kill();
                self.proxy = Some(Proxy::start(self.bench.port())?);
                self.configure()?;
                // The hole stays open: the server does not hear that its client is gone.
                std::mem::forget(hole);
            }
            Fault::Pause { micros } => {
                self.site.start()?;
                std::thread::sleep(Duration::from_micros(micros));
                self.site.signal("STOP")?;
                std::thread::sleep(Duration::from_micros(random.below(200_000)));
                self.site.signal("CONT")?;
            }
            Fault::OlderState => *kept = Some(self.keep()?),
            Fault::OlderStateInTheMiddle { micros } => {
                let older = self.keep()?;
                self.for_a_while(micros)?;
                self.put_back(older.path())?;
            }
        }
        self.site.kill();
        Ok(())
    }

    fn for_a_while(&mut self, micros: u64) -> Result<()> {
        self.site.start()?;
        std::thread::sleep(Duration::from_micros(micros));
        self.site.kill();
        Ok(())
    }

    fn cut_after(&mut self, way: Way, bytes: u64) -> Result<()> {
        self.proxy.iter().for_each(|proxy| proxy.cut_after(way, bytes));
        let cuts = self.proxy.as_ref().map_or(0, Proxy::cuts);
        self.site.start()?;
        let begun = Instant::now();
        while self.proxy.as_ref().map_or(0, Proxy::cuts) == cuts
            && begun.elapsed() < Duration::from_secs(2)
            && !self.has_ended()
        {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Runs the daemon under strace until it dies, or nothing is left to do.
    fn under_strace(&mut self, inject: &str, only_state: bool) -> Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.site.path("log"))?;
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", inject]);
        let calls = inject.split(['=', ':']).nth(1).unwrap_or_default();
        command.arg("-e").arg(format!("trace={calls}"));
        if only_state {
            for file in ["state/runsheet.db", "state/runsheet.db-wal"] {
                command.arg("-P").arg(self.site.path(file));
            }
        }
        command.arg(program()).arg("--config").arg(self.site.path("config.toml"));
        command.args(["daemon", "--until-idle"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().context("strace")?;
        let begun = Instant::now();
        while child.try_wait()?.is_none() {
            if begun.elapsed() > Duration::from_secs(60) {
                self.outcome.wrong.push(format!("under `{inject}` the daemon neither died nor ended"));
                // The daemon itself, which would outlive its tracer.
                let _ = Command::new("pkill").arg("-9").arg("-f").arg(self.site.path("config.toml")).status();
                let _ = child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// A copy of the state folder as it is now; the daemon does not run.
    fn keep(&self) -> Result<tempfile::TempDir> {
        let kept = tempfile::tempdir()?;
        if self.site.path("state").exists() {
            copy(&self.site.path("state"), &kept.path().join("state"))?;
        }
        Ok(kept)
    }

    /// Puts the state folder back, and what was dropped since too: an operator restores both from a backup.
    fn put_back(&mut self, kept: &Path) -> Result<()> {
        let state = self.site.path("state");
        if state.exists() {
            std::fs::remove_dir_all(&state)?;
        }
        if kept.join("state").exists() {
            copy(&kept.join("state"), &state)?;
        }
        // A state from before the plan was taken in gets it again; one from after finds it known, or its files gone.
        for (name, text) in &self.scenario.sheets {
            self.site.drop_file(&format!("crash/{name}.sql"), text)?;
        }
        self.site.drop_file("crash/trial.plan.json", &self.scenario.plan)
    }

    /// Lets the plan run to its end. Where a person is asked, the database is looked at, and the person answers.
    fn finish(&mut self) -> Result<()> {
        self.site.start()?;
        let begun = Instant::now();
        loop {
            let Ok(plan) = self.site.plan(PLAN) else {
                if begun.elapsed() > WAIT_MAX {
                    bail!("the plan is never known: {}", self.site.log());
                }
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            match plan["status"].as_str().unwrap_or_default() {
                "DONE" => return Ok(()),
                "FAILED" | "BLOCKED" | "CANCELED" => {
                    if !self.answer(&plan)? {
                        self.outcome.wrong.push(format!("the plan did not end DONE: {plan:#}"));
                        return Ok(());
                    }
                }
                _ if begun.elapsed() > WAIT_MAX => {
                    self.outcome.wrong.push(format!("the plan does not end: {plan:#}"));
                    return Ok(());
                }
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// What an operator does a few times: retries what failed because its server or its connection was gone, and nothing else. False where that
    /// is not all.
    fn answer(&mut self, plan: &serde_json::Value) -> Result<bool> {
        let mut answered = false;
        let stages = plan["stages"].as_array().context("stages")?;
        for task in stages.iter().flat_map(|stage| stage["tasks"].as_array().into_iter().flatten()) {
            let name = format!("{PLAN}/{}", task["specId"].as_str().unwrap_or_default());
            let tries = task["runs"].as_array().map_or(0, Vec::len);
            let error = task["runs"].as_array().and_then(|runs| runs.last()).map(|run| &run["error"]);
            let class = error.and_then(|error| error["class"].as_str()).unwrap_or_default();
            match task["status"].as_str().unwrap_or_default() {
                "IN_DOUBT" => {
                    let why = error.and_then(|error| error["message"].as_str()).unwrap_or_default();
                    self.outcome.in_doubt.push(why.to_owned());
                    return Ok(false);
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

    /// Asks every database.
    fn judge(&mut self) -> Result<()> {
        if !self.outcome.wrong.is_empty() || !self.outcome.in_doubt.is_empty() {
            return Ok(());
        }
        let folder = self.site.path("databases");
        for target in self.scenario.targets.clone() {
            let rows = self.bench.query(&folder, &target.database, "SELECT id FROM trace ORDER BY seq")?;
            let found: Vec<u64> = rows.iter().filter_map(|row| row.first()?.parse().ok()).collect();
            if found != target.trace {
                self.outcome
                    .wrong
                    .push(format!("{}: the trace is {found:?}, not {:?}", target.database, target.trace));
            }
            for check in &target.checks {
                let rows = self.bench.query(&folder, &target.database, &check.query)?;
                let cell = rows.first().and_then(|row| row.first()).cloned().unwrap_or_default();
                if cell != check.wanted {
                    self.outcome.wrong.push(format!(
                        "{}: {} gives {cell}, not {}",
                        target.database, check.query, check.wanted
                    ));
                }
            }
        }
        if !self.outcome.wrong.is_empty() {
            let log = self.site.run(&["log", PLAN])?;
            self.outcome.wrong.push(String::from_utf8_lossy(&log.stdout).into_owned());
            self.outcome.wrong.push(self.scenario.plan.clone());
            self.outcome
                .wrong
                .extend(self.scenario.sheets.iter().map(|(name, text)| format!("{name}.sql:\n{text}")));
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    anyhow::ensure!(status.success(), "{} could not be copied", from.display());
    Ok(())
}
