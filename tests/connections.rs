//! Connections that cannot be made, and connections that are lost in the middle of a sheet: what is said of them, and that every row
//! is there once in the end.

mod site;

use anyhow::{Context, Result, ensure};
use runsheet_test_servers::{MySql, Postgres, PostgresOptions, shared};
use serde_json::Value;
use site::{Engine, Site, plan_of, task};
use std::fmt::Write;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PLAN: &str = "projects/test/plans/connections";
const WAIT_MAX: Duration = Duration::from_secs(60);
const ROWS: u64 = 300;
/// The account's password, and another.
const RIGHT: &str = "right; 'ü";
const WRONG: &str = "wrong; 'ü";
/// One try, so that a failure is seen.
const ONCE: &str = "retry = { attempts = 1 }\n";

/// A port on which nobody ever listens.
const DEAD_PORT: u16 = 1;

fn instance(name: &str, driver: &str, port: u16, user: &str, password: &str) -> String {
    format!(
        "[instances.{name}]\ndriver = \"{driver}\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\npassword = {password:?}\n{ONCE}"
    )
}

/// What is said of a task that could not connect: of which kind it is, and words that help.
fn assert_refused(plan: &Value, spec: &str, class: &str, words: &[&str]) {
    let run = &task(plan, spec)["runs"][0];
    assert_eq!(run["error"]["class"], class, "{spec}: {run:#}");
    let message = run["error"]["message"].as_str().unwrap_or_default();
    for words in words {
        assert!(message.contains(words), "{spec}: {words:?} is not in {message}");
    }
    let detail = run["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("Nothing was run") && detail.contains("retry"), "{spec}: {run:#}");
    assert!(!run.to_string().contains(RIGHT) && !run.to_string().contains(WRONG), "a password in {run:#}");
}

/// A wrong password, a database that is not there and a server that is down; the first two are repaired.
fn refused(
    driver: &str,
    port: u16,
    database: &str,
    unknown: &str,
    words: [&[&str]; 3],
    repair: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let instances = [
        instance("locked", driver, port, "locked", WRONG),
        instance("main", driver, port, "deploy", RIGHT),
        instance("down", driver, DEAD_PORT, "deploy", RIGHT),
    ];
    let mut site = Site::new(&instances.concat())?;
    let target = |instance: &str, database: &str| format!("instances/{instance}/databases/{database}");
    let (locked, main, down) =
        (target("locked", database), target("main", unknown), target("down", database));
    site.drop_file("test/make.sql", "CREATE TABLE made (id INTEGER);\nINSERT INTO made VALUES (1);")?;
    site.drop_file(
        "test/connections.plan.json",
        plan_of(&[&[("locked", &locked, "make"), ("unknown", &main, "make"), ("down", &down, "make")]]),
    )?;
    site.start()?;
    let plan = site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    let classes = ["authentication", "missing object", "connection lost"];
    for ((spec, class), words) in ["locked", "unknown", "down"].into_iter().zip(classes).zip(words) {
        assert_refused(&plan, spec, class, words);
    }
    repair()?;
    for (word, spec) in [("retry", "locked"), ("retry", "unknown"), ("skip", "down")] {
        let said = site.run(&[word, &format!("{PLAN}/{spec}")])?;
        ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    let plan = site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}");
    Ok(())
}

#[test]
fn on_postgres_a_connection_that_cannot_be_made_is_told_and_made_after_its_repair() -> Result<()> {
    let hba = vec!["host all deploy,locked 127.0.0.1/32 scram-sha-256".to_owned()];
    let server = Postgres::start(&PostgresOptions { hba, ..PostgresOptions::default() })?;
    let quoted = |password: &str| password.replace('\'', "''");
    for user in ["deploy", "locked"] {
        let sql = format!("CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{}'", quoted(RIGHT));
        server.execute("postgres", &sql)?;
    }
    let place = format!("127.0.0.1:{}", server.port());
    let database = server.fresh_database()?;
    let words: [&[&str]; 3] = [
        &["password authentication failed for user \"locked\"", &place, &database],
        &["database \"not_there_yet\" does not exist", &place],
        &["refused", "127.0.0.1:1"],
    ];
    refused("postgres", server.port(), &database, "not_there_yet", words, || {
        server.execute("postgres", &format!("ALTER ROLE locked PASSWORD '{}'", quoted(WRONG)))?;
        server.execute("postgres", "CREATE DATABASE not_there_yet").map(drop)
    })
}

fn refused_by_mysql(server: &MySql) -> Result<()> {
    let quoted = |password: &str| password.replace('\'', "''");
    for user in ["deploy", "locked"] {
        let sql = format!(
            "CREATE USER {user}@'%' IDENTIFIED BY '{}'; GRANT ALL ON *.* TO {user}@'%'",
            quoted(RIGHT)
        );
        server.execute("", &sql)?;
    }
    let place = format!("127.0.0.1:{}", server.port());
    let database = server.fresh_database()?;
    let words: [&[&str]; 3] = [
        &["Access denied for user 'locked'@", &place, "password"],
        &["Unknown database 'not_there_yet'", &place, "Create the database"],
        &["refused", "127.0.0.1:1"],
    ];
    refused("mysql", server.port(), &database, "not_there_yet", words, || {
        server.execute("", &format!("ALTER USER locked@'%' IDENTIFIED BY '{}'", quoted(WRONG)))?;
        server.execute("", "CREATE DATABASE not_there_yet").map(drop)
    })
}

#[test]
fn on_mariadb_a_connection_that_cannot_be_made_is_told_and_made_after_its_repair() -> Result<()> {
    refused_by_mysql(shared::mariadb())
}

#[test]
fn on_mysql_a_connection_that_cannot_be_made_is_told_and_made_after_its_repair() -> Result<()> {
    refused_by_mysql(shared::mysql())
}

/// A site with one SQLite instance that makes no file by itself and does not wait long for locks.
fn site_of_files(settings: &str) -> Result<(Site, PathBuf)> {
    let site = Site::new("")?;
    let folder = site.path("databases");
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    let directory = folder.display().to_string();
    site.write(
        "config.toml",
        format!("{config}[instances.main]\ndriver = \"sqlite\"\ndirectory = {directory:?}\nbusy_timeout = \"100ms\"\n{settings}"),
    )?;
    site.drop_file("test/make.sql", "CREATE TABLE made (id INTEGER);\nINSERT INTO made VALUES (1);")?;
    Ok((site, folder))
}

#[test]
fn on_sqlite_a_file_that_cannot_be_opened_is_told_and_opened_after_its_repair() -> Result<()> {
    let (mut site, folder) = site_of_files("")?;
    std::fs::write(folder.join("garbage.db"), "no database at all".repeat(100))?;
    let target = |database: &str| format!("instances/main/databases/{database}");
    let (missing, garbage) = (target("missing"), target("garbage"));
    let specs = [("missing", missing.as_str(), "make"), ("garbage", garbage.as_str(), "make")];
    site.drop_file("test/connections.plan.json", plan_of(&[&specs]))?;
    site.start()?;
    let plan = site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    assert_refused(&plan, "missing", "missing object", &["missing.db", "create = true"]);
    assert_refused(&plan, "garbage", "other", &["garbage.db", "no SQLite database"]);
    for database in ["missing", "garbage"] {
        std::fs::write(folder.join(format!("{database}.db")), "")?;
    }
    let said = site.run(&["retry", PLAN])?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let plan = site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}");
    Ok(())
}

#[test]
fn on_sqlite_a_file_that_another_program_has_locked_is_tried_again() -> Result<()> {
    let (mut site, folder) = site_of_files("retry = { attempts = 100, backoff = \"10ms\" }\n")?;
    let file = folder.join("locked.db");
    let mut holder =
        Command::new("sqlite3").arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut words = holder.stdin.take().context("a pipe")?;
    std::io::Write::write_all(&mut words, b"CREATE TABLE other (id); BEGIN IMMEDIATE; SELECT 'locked';\n")?;
    let mut heard = String::new();
    std::io::BufReader::new(holder.stdout.take().context("a pipe")?).read_line(&mut heard)?;
    assert_eq!(heard.trim(), "locked");
    site.drop_file(
        "test/connections.plan.json",
        plan_of(&[&[("locked", "instances/main/databases/locked", "make")]]),
    )?;
    site.start()?;
    let begun = Instant::now();
    let log = |site: &Site| Ok::<_, anyhow::Error>(String::from_utf8(site.run(&["log", PLAN])?.stdout)?);
    while !log(&site)?.contains("tried again") {
        ensure!(begun.elapsed() < WAIT_MAX, "{}", log(&site)?);
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(words);
    holder.wait()?;
    let plan = site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}");
    assert!(log(&site)?.contains("database is locked"), "{}", log(&site)?);
    assert_eq!(Engine::Sqlite.number(&folder, "locked", "SELECT count(*) FROM made")?, 1);
    Ok(())
}

/// A sheet that is one transaction from its second statement on, and stands still in its middle until the gate is open.
fn waiting_sheet(engine: &Engine) -> Result<String> {
    let mut sheet = String::from("CREATE TABLE filler (id INTEGER);\n");
    for row in 0..ROWS {
        writeln!(sheet, "INSERT INTO filler VALUES ({row});")?;
    }
    sheet.push_str(match engine {
        Engine::Postgres(_) => {
            "SELECT\n pg_sleep(CASE WHEN EXISTS (SELECT FROM gate) THEN 0 ELSE 600 END);\n"
        }
        Engine::MySql(_) | Engine::Sqlite => "SELECT\n SLEEP(IF((SELECT COUNT(*) FROM gate) = 0, 600, 0));\n",
    });
    sheet.push_str("INSERT INTO filler VALUES (5000);\n");
    Ok(sheet)
}

/// A run that stands still in the middle of the sheet.
struct Standing {
    site: Site,
    engine: Engine,
    database: String,
}

impl Standing {
    fn new(engine: Engine, settings: &str) -> Result<Self> {
        let site = Site::new("")?;
        let config = std::fs::read_to_string(site.path("config.toml"))?;
        let instance = engine.instance("main", &site.path("databases"));
        site.write("config.toml", format!("{config}{instance}{settings}"))?;
        let database = engine.fresh_database()?;
        let mut standing = Self { site, engine, database };
        standing.query("CREATE TABLE gate (opened INTEGER)")?;
        let target = format!("instances/main/databases/{}", standing.database);
        standing.site.drop_file("test/fill.sql", waiting_sheet(&standing.engine)?)?;
        standing.site.drop_file("test/connections.plan.json", plan_of(&[&[("fill", &target, "fill")]]))?;
        standing.site.start()?;
        let begun = Instant::now();
        while standing.sessions()?.is_empty() {
            ensure!(begun.elapsed() < WAIT_MAX, "it never stands: {}", standing.site.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(standing)
    }

    fn query(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        self.engine.query(&self.site.path("databases"), &self.database, sql)
    }

    /// The sessions that stand still, as the server says.
    fn sessions(&self) -> Result<Vec<String>> {
        let sql = match &self.engine {
            Engine::Postgres(_) => format!(
                "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'PgSleep'",
                self.database
            ),
            Engine::MySql(_) | Engine::Sqlite => format!(
                "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND INFO LIKE 'SELECT% SLEEP(%' AND ID <> CONNECTION_ID()",
                self.database
            ),
        };
        Ok(self.query(&sql)?.concat())
    }

    /// Opens the gate, and ends the session from the server.
    fn kill_session(&self) -> Result<()> {
        self.query("INSERT INTO gate VALUES (1)")?;
        let session = self.sessions()?.into_iter().next().context("a session")?;
        let kill = match &self.engine {
            Engine::Postgres(_) => format!("SELECT pg_terminate_backend({session})"),
            Engine::MySql(_) | Engine::Sqlite => format!("KILL CONNECTION {session}"),
        };
        self.query(&kill).map(drop)
    }

    fn ended(&self) -> Result<Value> {
        Ok(task(&self.site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?, "fill"))
    }

    fn log(&self) -> Result<String> {
        Ok(String::from_utf8(self.site.run(&["log", PLAN])?.stdout)?)
    }

    /// Every row is there once.
    fn assert_rows(&self) -> Result<()> {
        let rows = self.query("SELECT count(*), count(DISTINCT id) FROM filler")?.concat();
        assert_eq!(rows, [(ROWS + 1).to_string(), (ROWS + 1).to_string()]);
        Ok(())
    }
}

/// The session is ended once: the run goes on by itself.
fn lost_once(engine: Engine) -> Result<()> {
    let standing = Standing::new(engine, "")?;
    standing.kill_session()?;
    let task = standing.ended()?;
    assert_eq!(task["status"], "DONE", "{task:#}");
    assert_eq!(task["runs"].as_array().map(Vec::len), Some(1), "nobody was asked: {task:#}");
    let log = standing.log()?;
    assert!(log.contains("the connection ") && log.contains("tried again"), "{log}");
    standing.assert_rows()
}

/// The same where nothing is tried again by itself: it is told, and a retry ends DONE.
fn lost_and_told(engine: Engine, words: &str) -> Result<()> {
    let standing = Standing::new(engine, ONCE)?;
    standing.kill_session()?;
    let task = standing.ended()?;
    assert_eq!(task["status"], "FAILED", "{task:#}");
    let run = &task["runs"][0];
    let message = run["error"]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("the connection") && message.contains(words), "{run:#}");
    let place = (run["error"]["statement"].as_u64(), run["error"]["line"].as_u64());
    assert_eq!(place, (Some(ROWS + 2), Some(ROWS + 2)), "{run:#}");
    let detail = run["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("nothing of the transaction that was open is in the database"), "{run:#}");
    assert!(detail.contains("retry"), "{run:#}");
    let said = standing.site.run(&["retry", &format!("{PLAN}/fill")])?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let task = standing.ended()?;
    assert_eq!(task["status"], "DONE", "{task:#}");
    standing.assert_rows()
}

#[test]
fn on_postgres_a_session_that_is_ended_in_a_transaction_loses_and_doubles_nothing() -> Result<()> {
    lost_once(Engine::Postgres(shared::postgres()))?;
    lost_and_told(Engine::Postgres(shared::postgres()), "terminating connection due to administrator command")
}

#[test]
fn on_mariadb_a_session_that_is_ended_in_a_transaction_loses_and_doubles_nothing() -> Result<()> {
    lost_once(Engine::MySql(shared::mariadb()))?;
    lost_and_told(Engine::MySql(shared::mariadb()), "the server closed the connection")
}

#[test]
fn on_mysql_a_session_that_is_ended_in_a_transaction_loses_and_doubles_nothing() -> Result<()> {
    lost_once(Engine::MySql(shared::mysql()))?;
    lost_and_told(Engine::MySql(shared::mysql()), "the server closed the connection")
}

/// Sessions that wait for the next task are ended: the next one gets a new connection, and nobody hears of it.
fn lost_between(engine: &Engine) -> Result<()> {
    let mut site = Site::on(engine, "")?;
    let databases = site.path("databases");
    let database = engine.fresh_database()?;
    let target = format!("instances/main/databases/{database}");
    site.start()?;
    for (name, sheet) in
        [("first", "CREATE TABLE made (id INTEGER);"), ("second", "INSERT INTO made VALUES (1);")]
    {
        site.drop_file(&format!("test/{name}.sql"), sheet)?;
        site.drop_file(&format!("test/{name}.plan.json"), plan_of(&[&[("it", &target, name)]]))?;
        let plan = site.wait_for(&format!("projects/test/plans/{name}"), &["DONE", "FAILED", "BLOCKED"])?;
        assert_eq!(plan["status"], "DONE", "{plan:#}");
        let (sessions, kill) = match engine {
            Engine::Postgres(_) => (
                format!(
                    "SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND application_name LIKE 'runsheet %'"
                ),
                "SELECT pg_terminate_backend",
            ),
            Engine::MySql(_) | Engine::Sqlite => (
                format!(
                    "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{database}' AND ID <> CONNECTION_ID()"
                ),
                "KILL CONNECTION ",
            ),
        };
        let sessions = engine.query(&databases, &database, &sessions)?.concat();
        assert!(!sessions.is_empty(), "a connection is kept for the next task");
        for session in sessions {
            engine.query(&databases, &database, &format!("{kill}({session})"))?;
        }
    }
    assert_eq!(engine.number(&databases, &database, "SELECT count(*) FROM made")?, 1);
    let log = String::from_utf8(site.run(&["log", "projects/test/plans/second"])?.stdout)?;
    assert!(!log.contains("lost"), "{log}");
    Ok(())
}

#[test]
fn a_session_that_is_ended_between_two_tasks_is_not_missed() -> Result<()> {
    for (name, engine) in Engine::all().into_iter().filter(|(name, _)| *name != "sqlite") {
        lost_between(&engine).context(name)?;
    }
    Ok(())
}

/// Somebody else's open transaction on the table, which a change of it waits for.
fn hold(engine: &Engine, database: &str) -> Result<Child> {
    let mut client = match engine {
        Engine::Postgres(server) => {
            let mut client = Command::new("psql");
            client.args(["-X", "-q", "-U", "postgres", "-d", database, "-p", &server.port().to_string()]);
            client.arg("-h").arg(server.socket());
            client.args(["-c", "BEGIN; INSERT INTO t VALUES (77); SELECT pg_sleep(600); ROLLBACK"]);
            client
        }
        Engine::MySql(server) => {
            let mut client = Command::new("mariadb");
            client.args(["--no-defaults", "-u", "root", database]);
            client.arg(format!("--socket={}", server.socket().display()));
            client.args(["-e", "BEGIN; INSERT INTO t VALUES (77); SELECT sleep(600); ROLLBACK"]);
            client
        }
        Engine::Sqlite => anyhow::bail!("SQLite has no sessions to end"),
    };
    Ok(client.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// The sessions whose statement is like this.
fn sessions_like(engine: &Engine, database: &str, statement: &str) -> Result<Vec<String>> {
    let sql = match engine {
        Engine::Postgres(_) => format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND query LIKE '{statement}' AND state = 'active' AND pid <> pg_backend_pid()"
        ),
        Engine::MySql(_) | Engine::Sqlite => format!(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{database}' AND INFO LIKE '{statement}' AND ID <> CONNECTION_ID()"
        ),
    };
    Ok(engine.query(Path::new(""), database, &sql)?.concat())
}

fn wait_for_session(engine: &Engine, database: &str, statement: &str) -> Result<String> {
    let begun = Instant::now();
    loop {
        if let Some(session) = sessions_like(engine, database, statement)?.into_iter().next() {
            return Ok(session);
        }
        ensure!(begun.elapsed() < WAIT_MAX, "no session runs {statement:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The session is ended in a statement that commits by itself: what became of it is found out, and the sheet goes on.
fn lost_alone(engine: &Engine, statement: &str, is_there: &str) -> Result<()> {
    let database = engine.fresh_database()?;
    let kill = |session: &str| {
        let kill = match engine {
            Engine::Postgres(_) => "SELECT pg_terminate_backend",
            Engine::MySql(_) | Engine::Sqlite => "KILL CONNECTION ",
        };
        engine.query(Path::new(""), &database, &format!("{kill}({session})")).map(drop)
    };
    engine.query(Path::new(""), &database, "CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1), (2)")?;
    let mut holder = hold(engine, &database)?;
    let held = wait_for_session(engine, &database, "%sleep(600)%")?;
    let mut site = Site::on(engine, "")?;
    let target = format!("instances/main/databases/{database}");
    site.drop_file("test/it.sql", format!("{statement};\nINSERT INTO t (id) VALUES (3);"))?;
    site.drop_file("test/connections.plan.json", plan_of(&[&[("it", &target, "it")]]))?;
    site.start()?;
    let session = wait_for_session(engine, &database, &format!("{statement}%"))?;
    kill(&session)?;
    kill(&held)?;
    holder.wait()?;
    let plan = site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    let log = String::from_utf8(site.run(&["log", PLAN])?.stdout)?;
    assert_eq!(plan["status"], "DONE", "{plan:#}\n{log}");
    assert_eq!(engine.number(Path::new(""), &database, is_there)?, 1, "{log}");
    assert_eq!(engine.number(Path::new(""), &database, "SELECT count(*) FROM t")?, 3, "{log}");
    Ok(())
}

#[test]
fn a_session_that_is_ended_in_a_statement_that_commits_by_itself_leaves_no_doubt() -> Result<()> {
    let valid = "SELECT count(*) FROM pg_index WHERE indexrelid = 'i'::regclass AND indisvalid";
    lost_alone(&Engine::Postgres(shared::postgres()), "CREATE INDEX CONCURRENTLY i ON t (id)", valid)?;
    let column = "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_NAME = 'more'";
    lost_alone(&Engine::MySql(shared::mariadb()), "ALTER TABLE t ADD COLUMN more INT", column)?;
    lost_alone(&Engine::MySql(shared::mysql()), "ALTER TABLE t ADD COLUMN more INT", column)
}
