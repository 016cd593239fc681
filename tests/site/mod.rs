//! A site as a user has one: a folder with a config, an inbox and a daemon that is the real program, which a test may kill.
#![allow(dead_code, reason = "every test file uses another part of it")]

use anyhow::{Context, Result, bail};
use runsheet_test_servers::{MySql, Postgres};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a plan may take in a test.
const WAIT_MAX: Duration = Duration::from_secs(180);

/// The program under test; `RUNSHEET_PROGRAM` names another one, into which a fault was put on purpose.
pub fn program() -> PathBuf {
    std::env::var_os("RUNSHEET_PROGRAM")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_runsheet")), PathBuf::from)
}

/// A folder with everything, and the daemon in it while one runs.
pub struct Site {
    folder: TempDir,
    daemon: Option<Child>,
    /// Variables of the daemon and of the commands.
    environment: Vec<(String, String)>,
}

impl Site {
    /// A site whose config has these instances besides the folders.
    pub fn new(instances: &str) -> Result<Self> {
        Self::with_config("", instances)
    }

    /// A site with further sections of the config in front of the instances.
    pub fn with_config(sections: &str, instances: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("runsheet-site-").tempdir()?;
        let site = Self { folder, daemon: None, environment: Vec::new() };
        fs::create_dir_all(site.path("inbox"))?;
        fs::create_dir_all(site.path("databases"))?;
        let inbox = if sections.contains("[inbox]") { "" } else { "[inbox]\nsettle = \"20ms\"\n" };
        site.write(
            "config.toml",
            format!("[folders]\nroot = \".\"\n[daemon]\nsocket = \"socket\"\n{inbox}{sections}\n{instances}"),
        )?;
        Ok(site)
    }

    /// A site whose one instance is `main`, of this engine, with further sections of the config.
    pub fn on(engine: &Engine, sections: &str) -> Result<Self> {
        let site = Self::with_config(sections, "")?;
        let config = fs::read_to_string(site.path("config.toml"))?;
        site.write("config.toml", format!("{config}{}", engine.instance("main", &site.path("databases"))))?;
        Ok(site)
    }

    /// Takes the drivers from a folder of the site's own, which is made, and nothing is in it yet.
    pub fn own_plugins(&self) -> Result<PathBuf> {
        let config = fs::read_to_string(self.path("config.toml"))?;
        self.write("config.toml", config.replacen("[daemon]\n", "[daemon]\nplugins = \"plugins\"\n", 1))?;
        fs::create_dir(self.path("plugins"))?;
        Ok(self.path("plugins"))
    }

    /// Sets a variable of the daemon and of the commands.
    pub fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A path below the site.
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Writes a file below the site.
    pub fn write(&self, below: &str, text: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path(below);
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        fs::write(path, text)?;
        Ok(())
    }

    /// Drops a file into the inbox as a careful user does: renamed into place.
    pub fn drop_file(&self, name: &str, text: impl AsRef<[u8]>) -> Result<()> {
        let hidden = format!("inbox/.{}.tmp", name.replace('/', "-"));
        self.write(&hidden, text)?;
        let to = self.path("inbox").join(name);
        fs::create_dir_all(to.parent().context("a file has a folder")?)?;
        fs::rename(self.path(&hidden), to)?;
        Ok(())
    }

    /// Starts the daemon.
    pub fn start(&mut self) -> Result<()> {
        self.start_with(&[])
    }

    /// Starts the daemon with arguments.
    pub fn start_with(&mut self, arguments: &[&str]) -> Result<()> {
        self.start_by(&[], arguments)
    }

    /// Starts the daemon by a command that becomes it, such as `setpriv`, with arguments.
    pub fn start_by(&mut self, before: &[&str], arguments: &[&str]) -> Result<()> {
        let log = fs::File::options().create(true).append(true).open(self.path("log"))?;
        let mut command = match before {
            [] => Command::new(program()),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program());
                command
            }
        };
        let child = command
            .args(["--config"])
            .arg(self.path("config.toml"))
            .arg("daemon")
            .args(arguments)
            .envs(self.variables())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.daemon = Some(child);
        Ok(())
    }

    /// Kills the daemon as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.daemon.as_ref().context("a daemon runs")?.id();
        Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status()?;
        Ok(())
    }

    /// The daemon's number.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Child::id)
    }

    /// Whether a daemon was started that has not ended by itself.
    pub fn runs(&mut self) -> bool {
        self.daemon.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Waits for the daemon's own end.
    pub fn wait_for_end(&mut self) -> Result<i32> {
        let mut child = self.daemon.take().context("a daemon runs")?;
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status.code().unwrap_or(-1));
            }
            if begun.elapsed() > WAIT_MAX {
                let _ = child.kill();
                bail!("the daemon does not end: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the daemon has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        Ok(Command::new(program())
            .arg("--config")
            .arg(self.path("config.toml"))
            .args(arguments)
            .envs(self.variables())
            .stdin(Stdio::null())
            .output()?)
    }

    /// Runs a command of the program to its end, and gives what it said.
    pub fn say(&self, arguments: &[&str]) -> Result<Said> {
        self.run(arguments).map(Said::of)
    }

    /// Runs a command of the program on a terminal of so many columns and rows, and gives what it wrote there.
    pub fn on_terminal(&self, columns: u16, rows: u16, arguments: &str) -> Result<Said> {
        let (program, config) = (program(), self.path("config.toml"));
        let script = format!(
            "stty cols {columns} rows {rows}; exec {} --config {} {arguments}",
            program.display(),
            config.display()
        );
        let output =
            Command::new("script").args(["-qec", &script, "/dev/null"]).stdin(Stdio::null()).output()?;
        Ok(Said::of(output))
    }

    /// Takes Runsheet's own lock on a SQLite database: a task on it is RUNNING, and does not end before this is dropped.
    pub fn hold(&self, database: &str) -> Result<fs::File> {
        let path = self.path("databases").join(format!("{database}.db-runsheet-lock"));
        let file = fs::File::options().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    }

    /// A plan's state, as a script reads it.
    pub fn plan(&self, name: &str) -> Result<Value> {
        let output = self.run(&["status", name, "--json"])?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{}{}", String::from_utf8_lossy(&output.stderr), self.log()))
    }

    /// Waits until a plan comes to one of these statuses.
    pub fn wait_for(&self, name: &str, statuses: &[&str]) -> Result<Value> {
        let begun = Instant::now();
        let mut last = Value::Null;
        while begun.elapsed() < WAIT_MAX {
            if let Ok(plan) = self.plan(name) {
                if statuses.iter().any(|status| plan["status"] == *status) {
                    return Ok(plan);
                }
                last = plan;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        bail!("the plan {name} does not come to {statuses:?}: {last:#}\n{}", self.log())
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Waits until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        if begun.elapsed() > WAIT_MAX {
            bail!("it does not come to this: {what}");
        }
        std::thread::sleep(Duration::from_millis(15));
    }
    Ok(())
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The statuses of a plan's tasks by their spec ids.
pub fn tasks(plan: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    plan["stages"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|stage| stage["tasks"].as_array().into_iter().flatten())
        .map(|task| (text(&task["specId"]), text(&task["status"])))
        .collect()
}

/// The task of a spec.
pub fn task(plan: &Value, spec: &str) -> Value {
    plan["stages"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|stage| stage["tasks"].as_array().into_iter().flatten())
        .find(|task| task["specId"] == spec)
        .cloned()
        .unwrap_or(Value::Null)
}

/// A plan of one step after the other; each spec is (id, target, sheet).
pub fn plan_of(steps: &[&[(&str, &str, &str)]]) -> String {
    let steps: Vec<Value> = steps
        .iter()
        .map(|specs| {
            let specs: Vec<Value> = specs
                .iter()
                .map(|(id, target, sheet)| {
                    serde_json::json!({ "id": id, "changeDatabaseConfig": {
                        "target": target, "sheet": format!("projects/test/sheets/{sheet}"), "type": "MIGRATE" } })
                })
                .collect();
            serde_json::json!({ "specs": specs })
        })
        .collect();
    serde_json::json!({ "steps": steps }).to_string()
}

/// An engine that a test runs on: how its instance is configured, and how a test asks it without Runsheet.
pub enum Engine {
    Sqlite,
    Postgres(&'static Postgres),
    MySql(&'static MySql),
}

impl Engine {
    /// All four, each started when it is first used.
    pub fn all() -> Vec<(&'static str, Engine)> {
        use runsheet_test_servers::shared;
        vec![
            ("sqlite", Self::Sqlite),
            ("postgres", Self::Postgres(shared::postgres())),
            ("mariadb", Self::MySql(shared::mariadb())),
            ("mysql", Self::MySql(shared::mysql())),
        ]
    }

    /// The instance's table in the config.
    pub fn instance(&self, name: &str, folder: &Path) -> String {
        match self {
            Self::Sqlite => {
                format!(
                    "[instances.{name}]\ndriver = \"sqlite\"\ndirectory = {:?}\ncreate = true\n",
                    folder.display().to_string()
                )
            }
            Self::Postgres(server) => format!(
                "[instances.{name}]\ndriver = \"postgres\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"postgres\"\n",
                server.port()
            ),
            Self::MySql(server) => format!(
                "[instances.{name}]\ndriver = \"mysql\"\nsocket = {:?}\nuser = \"root\"\n",
                server.socket().display().to_string()
            ),
        }
    }

    /// A database of the test's own.
    pub fn fresh_database(&self) -> Result<String> {
        match self {
            Self::Sqlite => Ok(runsheet_test_servers::fresh_name("db")),
            Self::Postgres(server) => server.fresh_database(),
            Self::MySql(server) => server.fresh_database(),
        }
    }

    /// The rows of a query, by the engine's own client.
    pub fn query(&self, folder: &Path, database: &str, sql: &str) -> Result<Vec<Vec<String>>> {
        match self {
            Self::Sqlite => {
                let file = folder.join(format!("{database}.db"));
                let output = Command::new("sqlite3")
                    .args(["-batch", "-noheader", "-cmd", ".timeout 5000", "-separator", "\t"])
                    .arg(file)
                    .arg(sql)
                    .output()?;
                if !output.status.success() {
                    bail!("sqlite3: {}", String::from_utf8_lossy(&output.stderr));
                }
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
            }
            Self::Postgres(server) => server.query(database, sql),
            Self::MySql(server) => server.query(database, sql),
        }
    }

    /// One number.
    pub fn number(&self, folder: &Path, database: &str, sql: &str) -> Result<i64> {
        let rows = self.query(folder, database, sql)?;
        let cell = rows.first().and_then(|row| row.first()).context("a row")?;
        Ok(cell.parse()?)
    }
}
