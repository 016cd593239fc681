//! Where no fact decides: a procedure that commits in its middle was running when the daemon was killed, and nothing tells how far
//! it came. The task is IN_DOUBT, holds its database, says what is known, and goes on by an operator's word.

mod site;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use site::{Engine, Said, Site, plan_of, program, task, until};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A row of the target that the test has locked: whoever wants it waits for the test.
struct Gate<'a> {
    engine: &'a Engine,
    database: String,
    client: Child,
}

impl<'a> Gate<'a> {
    fn close(engine: &'a Engine, database: &str) -> Result<Self> {
        let sql = "BEGIN; SELECT id FROM gate FOR UPDATE; ";
        let mut client = match engine {
            Engine::Postgres(server) => {
                let mut psql = Command::new("psql");
                psql.args([
                    "-X",
                    "-q",
                    "-U",
                    "postgres",
                    "-d",
                    database,
                    "-c",
                    &format!("{sql}SELECT pg_sleep(3600)"),
                ]);
                psql.arg("-h").arg(server.socket()).arg("-p").arg(server.port().to_string());
                psql
            }
            Engine::MySql(server) => {
                let mut mariadb = Command::new("mariadb");
                mariadb
                    .args(["--no-defaults", "-u", "root"])
                    .arg(format!("--socket={}", server.socket().display()));
                mariadb.args(["-e", &format!("{sql}SELECT SLEEP(3600)"), database]);
                mariadb
            }
            Engine::Sqlite => unreachable!("SQLite has no procedures"),
        };
        client.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let gate = Self { engine, database: database.to_owned(), client: client.spawn()? };
        until("the row is locked", || Ok(!gate.holder()?.is_empty()))?;
        Ok(gate)
    }

    /// The test's own session, which sleeps.
    fn holder(&self) -> Result<Vec<String>> {
        self.sessions("LIKE '%SLEEP(%'")
    }

    /// The sessions that wait for the row.
    fn waiting(&self) -> Result<Vec<String>> {
        self.sessions("LIKE '%FROM GATE%FOR UPDATE%' AND statement NOT LIKE '%SLEEP(%'")
    }

    fn sessions(&self, condition: &str) -> Result<Vec<String>> {
        let database = &self.database;
        let sql = match self.engine {
            Engine::Postgres(_) => format!(
                "SELECT pid FROM (SELECT pid, upper(query) AS statement FROM pg_stat_activity WHERE datname = '{database}'
                 AND state = 'active' AND pid <> pg_backend_pid()) AS active WHERE statement {condition}"
            ),
            Engine::MySql(_) | Engine::Sqlite => format!(
                "SELECT id FROM (SELECT id, upper(info) AS statement FROM information_schema.processlist
                 WHERE db = '{database}' AND id <> connection_id()) AS active WHERE statement {condition}"
            ),
        };
        Ok(self.engine.query(Path::new(""), database, &sql)?.concat())
    }

    fn end(&self, sessions: &[String]) -> Result<()> {
        for session in sessions {
            let sql = match self.engine {
                Engine::Postgres(_) => format!("SELECT pg_terminate_backend({session})"),
                Engine::MySql(_) | Engine::Sqlite => format!("KILL {session}"),
            };
            self.engine.query(Path::new(""), &self.database, &sql)?;
        }
        Ok(())
    }

    fn open(mut self) -> Result<()> {
        self.end(&self.holder()?)?;
        self.client.wait()?;
        Ok(())
    }
}

/// The statement that commits in its middle, as the engine has it. It waits for the gate.
fn procedure(engine: &Engine, database: &str) -> Result<&'static str> {
    match engine {
        Engine::Postgres(server) => {
            server.execute(database, "CREATE TABLE gate (id INTEGER); INSERT INTO gate VALUES (1)")?;
            Ok("DO $$ BEGIN PERFORM id FROM gate FOR UPDATE; INSERT INTO t VALUES (2); COMMIT; END $$;")
        }
        Engine::MySql(server) => {
            let sql = "CREATE TABLE gate (id INTEGER); INSERT INTO gate VALUES (1);\nDELIMITER //\n\
                       CREATE PROCEDURE slow() BEGIN SELECT id INTO @id FROM gate FOR UPDATE; INSERT INTO t VALUES (2); COMMIT; END//";
            server.execute(database, sql)?;
            Ok("CALL slow();")
        }
        Engine::Sqlite => unreachable!("SQLite has no procedures"),
    }
}

/// Kills the daemon in the middle of the procedure, and starts another one that finds the procedure still running.
fn killed_in_the_middle<'a>(site: &mut Site, engine: &'a Engine, database: &str) -> Result<Gate<'a>> {
    let statement = procedure(engine, database)?;
    let target = format!("instances/main/databases/{database}");
    let sheet =
        format!("-- txn-mode = off\nCREATE TABLE t (id INTEGER);\n{statement}\nINSERT INTO t VALUES (3);\n");
    site.drop_file("shop/steps.sql", &sheet)?;
    site.drop_file("shop/other.sql", "INSERT INTO t VALUES (4);")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", &target, "steps")]]))?;
    let gate = Gate::close(engine, database)?;
    site.start()?;
    until("the procedure waits at the gate", || {
        let running = site.plan("x").is_ok_and(|plan| task(&plan, "one")["progress"]["statement"] == 2);
        Ok(running && !gate.waiting()?.is_empty())
    })?;
    site.kill();
    site.start()?;
    // It is not run beside itself: the old session is waited for, and one sees for whom.
    until("the new daemon waits for the old session", || {
        let plan = site.plan("x").unwrap_or_default();
        let progress = task(&plan, "one")["progress"].clone();
        Ok(progress["excerpt"]
            .as_str()
            .is_some_and(|text| text.contains("waits for the lock of one runner per database")))
    })?;
    site.drop_file("shop/y.plan.json", plan_of(&[&[("other", &target, "other")]]))?;
    until("another plan waits for the database", || {
        Ok(site.plan("y").is_ok_and(|plan| task(&plan, "other")["waiting"]["cause"] == "LANE"))
    })?;
    Ok(gate)
}

fn rows(engine: &Engine, database: &str) -> Result<Vec<String>> {
    Ok(engine.query(Path::new(""), database, "SELECT id FROM t ORDER BY id")?.concat())
}

fn servers() -> [(&'static str, Engine); 3] {
    use runsheet_test_servers::shared;
    [
        ("postgres", Engine::Postgres(shared::postgres())),
        ("mariadb", Engine::MySql(shared::mariadb())),
        ("mysql", Engine::MySql(shared::mysql())),
    ]
}

/// What a person and a script see of the doubt.
fn assert_in_doubt(name: &str, site: &Site) -> Result<()> {
    let plan = site.wait_for("x", &["BLOCKED", "DONE", "FAILED"])?;
    let one = task(&plan, "one");
    assert_eq!(
        (&plan["status"], &one["status"]),
        (&json!("BLOCKED"), &json!("IN_DOUBT")),
        "{name}: {plan:#}"
    );
    let run = &one["runs"][0];
    assert_eq!(
        (&run["status"], &run["error"]["class"]),
        (&json!("IN_DOUBT"), &json!("in doubt")),
        "{name}: {run:#}"
    );
    assert_eq!(json!([run["error"]["statement"], run["error"]["line"]]), json!([2, 3]), "{name}: {run:#}");
    // All commands say by their end that somebody is needed.
    let said = site.say(&["status", "x"])?;
    assert_eq!(
        (said.code, site.say(&["status"])?.code, site.say(&["status", "x", "--watch"])?.code),
        (4, 4, 4),
        "{name}"
    );
    for words in [
        "1 in doubt",
        "statement 2 was about to be sent at ",
        "session ",
        "Look at the database: did statement 2 (line 3) take effect?",
        "runsheet resolve projects/shop/plans/x/one --applied",
        "runsheet resolve projects/shop/plans/x/one --not-applied",
    ] {
        assert!(said.out.contains(words), "{name}: {words:?} is not in {}", said.out);
    }
    // It holds its database, and nothing but the right word lets go of it.
    let other = task(&site.plan("y")?, "other");
    assert_eq!(
        other["waiting"],
        json!({ "cause": "LANE", "on": ["projects/shop/plans/x/one"], "until": null }),
        "{name}"
    );
    assert_eq!(site.plan("y")?["status"], "BLOCKED", "{name}: nothing of it goes on without an operator");
    for order in ["retry", "skip", "cancel"] {
        let said = site.say(&[order, "x/one"])?;
        assert_eq!(said.code, 2, "{name}: {said:?}");
        assert!(
            said.err.contains("IN_DOUBT; say what became of its statement by `runsheet resolve`"),
            "{name}: {said:?}"
        );
    }
    Ok(())
}

#[test]
fn what_took_effect_is_gone_on_after() -> Result<()> {
    for (name, engine) in servers() {
        let mut site = Site::on(&engine, "")?;
        let database = engine.fresh_database()?;
        let gate = killed_in_the_middle(&mut site, &engine, &database)?;
        gate.open()?;
        assert_in_doubt(name, &site)?;
        assert_eq!(rows(&engine, &database)?, ["2"], "{name}: the old session went on to its end");
        // The doubt outlives the daemon, and a reader without one sees it too.
        site.kill();
        assert_eq!(site.say(&["status", "x"])?.code, 4, "{name}");
        site.start()?;
        let resolve = ["resolve", "x/one", "--applied", "--reason", "the row is there"];
        until("the daemon takes the word", || Ok(site.say(&resolve)?.code == 0))?;
        let done = site.wait_for("x", &["DONE", "FAILED", "BLOCKED"])?;
        assert_eq!(done["status"], "DONE", "{name}: {done:#}");
        site.wait_for("y", &["DONE"])?;
        assert_eq!(rows(&engine, &database)?, ["2", "3", "4"], "{name}: each once");
        let log = site.say(&["log", "x"])?.out;
        assert!(log.contains("resolve --applied one") && log.contains("the row is there"), "{name}: {log}");
    }
    Ok(())
}

#[test]
fn what_had_no_effect_is_run() -> Result<()> {
    for (name, engine) in servers() {
        let mut site = Site::on(&engine, "")?;
        let database = engine.fresh_database()?;
        let gate = killed_in_the_middle(&mut site, &engine, &database)?;
        // The old session ends without having done anything, as if the server had been started anew.
        gate.end(&gate.waiting()?)?;
        assert_in_doubt(name, &site)?;
        assert_eq!(rows(&engine, &database)?, Vec::<String>::new(), "{name}");
        gate.open()?;
        assert_eq!(site.say(&["resolve", "x/one", "--not-applied"])?.code, 0, "{name}");
        let done = site.wait_for("x", &["DONE", "FAILED", "BLOCKED"])?;
        assert_eq!(done["status"], "DONE", "{name}: {done:#}");
        site.wait_for("y", &["DONE"])?;
        assert_eq!(rows(&engine, &database)?, ["2", "3", "4"], "{name}: each once");
    }
    Ok(())
}

#[test]
fn whoever_waits_for_a_plan_is_told_that_a_person_is_needed() -> Result<()> {
    let engine = Engine::Postgres(runsheet_test_servers::shared::postgres());
    let mut site = Site::on(&engine, "")?;
    let database = engine.fresh_database()?;
    let gate = killed_in_the_middle(&mut site, &engine, &database)?;
    let watched = Command::new(program())
        .arg("--config")
        .arg(site.path("config.toml"))
        .args(["status", "x", "--watch", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    gate.open()?;
    let said = Said::of(watched.wait_with_output()?);
    assert_eq!(said.code, 4, "{said:?}");
    let last: Value = serde_json::from_str(said.out.lines().last().context("a line")?)?;
    assert_eq!(task(&last, "one")["status"], "IN_DOUBT");
    Ok(())
}
