//! Ending the daemon: what runs is let end and recorded, nothing new is started, and the next start goes on from there.

mod site;

use anyhow::{Context, Result};
use runsheet_test_servers::{Postgres, shared};
use serde_json::json;
use site::{Engine, Site, plan_of, task, tasks, until};
use std::process::{Child, Command, Stdio};

const NORTH: &str = "instances/main/databases/north";
const ENDLESS: &str =
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c;";

/// A session of the test's own that has a lock of the database; a statement that wants it waits for the test.
struct Holder {
    psql: Child,
}

impl Holder {
    fn take(server: &Postgres, database: &str) -> Result<Self> {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-U", "postgres", "-d", database, "-c", "SELECT pg_advisory_lock(7)"]);
        psql.arg("-h").arg(server.socket()).arg("-p").arg(server.port().to_string());
        psql.args(["-c", "SELECT pg_sleep(3600)"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let holder = Self { psql: psql.spawn()? };
        until("the lock is taken", || locks(server, database, true).map(|count| count == 1))?;
        Ok(holder)
    }

    /// Lets go of the lock; the server sees that the client has gone when it next speaks to it, so its session is ended.
    fn release(mut self, server: &Postgres, database: &str) -> Result<()> {
        server.execute(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database
             WHERE datname = current_database() AND locktype = 'advisory' AND granted AND objid = 7 AND classid = 0",
        )?;
        self.psql.wait()?;
        Ok(())
    }
}

/// How many sessions have the lock, or wait for it.
fn locks(server: &Postgres, database: &str, granted: bool) -> Result<i64> {
    let sql = format!(
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
         WHERE datname = current_database() AND locktype = 'advisory' AND objid = 7 AND classid = 0 AND granted = {granted}"
    );
    let rows = server.query(database, &sql)?;
    Ok(rows.concat().first().context("a count")?.parse()?)
}

/// A statement that writes a row once it has the lock.
fn waits_and_writes(row: u32) -> String {
    format!("INSERT INTO t SELECT {row} FROM (SELECT pg_advisory_xact_lock(7)) AS held;\n")
}

#[test]
fn a_running_statement_ends_and_the_rest_runs_after_the_next_start() -> Result<()> {
    let server = shared::postgres();
    let engine = Engine::Postgres(server);
    let mut site = Site::on(&engine, "")?;
    let (one, other) = (engine.fresh_database()?, engine.fresh_database()?);
    let target = |database: &str| format!("instances/main/databases/{database}");
    // Each statement commits by itself, so that the sheet can be left between two of them.
    let sheet = format!(
        "-- txn-mode = off\nCREATE TABLE t (id INTEGER);\nINSERT INTO t VALUES (1);\n{}INSERT INTO t VALUES (3);\n",
        waits_and_writes(2)
    );
    site.drop_file("shop/steps.sql", &sheet)?;
    site.drop_file("shop/make.sql", "CREATE TABLE IF NOT EXISTS t (id INTEGER);")?;
    let (here, there) = (target(&one), target(&other));
    site.drop_file(
        "shop/x.plan.json",
        plan_of(&[&[("steps", &here, "steps")], &[("next", &there, "make")]]),
    )?;
    let holder = Holder::take(server, &one)?;
    site.start()?;
    until("the third statement waits for the test", || locks(server, &one, false).map(|count| count == 1))?;

    site.signal("TERM")?;
    until("the daemon says that it ends", || Ok(site.log().contains("ending: nothing new is started")))?;
    // Nothing new is taken in, and whoever looks is still answered.
    site.drop_file("shop/y.plan.json", plan_of(&[&[("late", &there, "make")]]))?;
    let plan = site.plan("x")?;
    assert_eq!(task(&plan, "steps")["status"], "RUNNING", "{plan:#}");
    assert_eq!(task(&plan, "steps")["progress"]["statement"], 3, "{plan:#}");
    holder.release(server, &one)?;
    assert_eq!(site.wait_for_end()?, 0, "{}", site.log());
    assert!(!site.path("socket").exists(), "its socket has gone with it");
    let number = |sql: &str| engine.number(&site.path(""), &one, sql);
    assert_eq!(
        number("SELECT count(*) FROM t")?,
        2,
        "the statement that ran has ended, the next was not begun"
    );
    assert_eq!(number("SELECT sum(id) FROM t")?, 3);
    let status = tasks(&site.plan("x")?);
    assert_eq!(status, [("steps".into(), "RUNNING".into()), ("next".into(), "NOT_STARTED".into())]);
    assert!(site.path("inbox/shop/y.plan.json").exists(), "a plan that came too late waits where it is");

    site.start()?;
    let done = site.wait_for("x", &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(done["status"], "DONE", "{done:#}");
    let runs = task(&done, "steps")["runs"].clone();
    assert_eq!(
        json!([runs[0]["attempt"], runs[0]["resumes"], runs[0]["statementsDone"]]),
        json!([1, 1, 4]),
        "{runs:#}"
    );
    let seen = engine.query(&site.path(""), &one, "SELECT id FROM t ORDER BY id")?.concat();
    assert_eq!(seen, ["1", "2", "3"], "each exactly once");
    let text = site.say(&["log", "x/steps"])?.out;
    assert!(text.contains("taken up again") && text.contains("passed over segment"), "{text}");
    site.wait_for("y", &["DONE", "FAILED"])?;
    Ok(())
}

#[test]
fn a_transaction_that_is_open_goes_on_to_its_commit() -> Result<()> {
    let server = shared::postgres();
    let engine = Engine::Postgres(server);
    let mut site = Site::on(&engine, "")?;
    let database = engine.fresh_database()?;
    let target = format!("instances/main/databases/{database}");
    let sheet = format!("CREATE TABLE t (id INTEGER);\n{}INSERT INTO t VALUES (3);\n", waits_and_writes(2));
    site.drop_file("shop/whole.sql", &sheet)?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("whole", &target, "whole")]]))?;
    let holder = Holder::take(server, &database)?;
    site.start()?;
    until("the second statement waits for the test", || {
        locks(server, &database, false).map(|count| count == 1)
    })?;
    // A terminal's Ctrl-C means the same.
    site.signal("INT")?;
    until("the daemon says that it ends", || Ok(site.log().contains("ending: nothing new is started")))?;
    holder.release(server, &database)?;
    assert_eq!(site.wait_for_end()?, 0, "{}", site.log());
    assert_eq!(engine.number(&site.path(""), &database, "SELECT count(*) FROM t")?, 2);
    assert_eq!(site.plan("x")?["status"], "DONE", "it was recorded before the daemon ended");
    Ok(())
}

/// A site whose one task runs a statement that does not end, with another that waits for its turn behind it.
fn endless(sections: &str) -> Result<Site> {
    let mut site = Site::on(&Engine::Sqlite, sections)?;
    site.drop_file("shop/endless.sql", format!("CREATE TABLE t (id INTEGER);\n{ENDLESS}"))?;
    site.drop_file("shop/make.sql", "CREATE TABLE made (id INTEGER);")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("run", NORTH, "endless"), ("wait", NORTH, "make")]]))?;
    site.start()?;
    until("the statement runs", || {
        Ok(site.plan("x").is_ok_and(|plan| task(&plan, "run")["progress"]["statement"] == 2))
    })?;
    Ok(site)
}

/// The statement was canceled, nothing of its transaction is in, and what waited was not begun.
fn assert_canceled(site: &Site) -> Result<()> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('t', 'made')";
    assert_eq!(Engine::Sqlite.number(&site.path("databases"), "north", tables)?, 0);
    let plan = site.plan("x")?;
    assert_eq!(task(&plan, "run")["status"], "CANCELED", "{plan:#}");
    let detail = task(&plan, "run")["runs"][0]["detail"].clone();
    assert!(detail.as_str().is_some_and(|text| text.contains("was rolled back")), "{plan:#}");
    assert!(task(&plan, "wait")["runs"].as_array().is_some_and(Vec::is_empty), "{plan:#}");
    Ok(())
}

#[test]
fn the_second_signal_cancels_what_runs() -> Result<()> {
    let mut site = endless("")?;
    site.signal("TERM")?;
    until("what waits, waits for the end", || {
        Ok(task(&site.plan("x")?, "wait")["waiting"]["cause"] == "LANE"
            && site.log().contains("ending: nothing new"))
    })?;
    site.signal("TERM")?;
    assert_eq!(site.wait_for_end()?, 0, "{}", site.log());
    assert!(site.log().contains("running statements are canceled"), "{}", site.log());
    assert_canceled(&site)?;
    // The next start does what waited; the canceled one waits for an operator's word.
    site.start()?;
    site.wait_for("x", &["CANCELED"])?;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'made'";
    assert_eq!(Engine::Sqlite.number(&site.path("databases"), "north", tables)?, 1);
    assert_eq!(site.say(&["skip", "x/run"])?.code, 0);
    site.wait_for("x", &["DONE"])?;
    Ok(())
}

#[test]
fn a_statement_that_outlasts_the_drain_is_canceled() -> Result<()> {
    let mut site = endless("")?;
    site.kill();
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    site.write(
        "config.toml",
        config.replace("socket = \"socket\"", "socket = \"socket\"\ndrain_timeout = \"1s\""),
    )?;
    site.start()?;
    until("the statement runs again", || {
        Ok(site.plan("x").is_ok_and(|plan| task(&plan, "run")["progress"]["statement"] == 2))
    })?;
    site.signal("TERM")?;
    assert_eq!(site.wait_for_end()?, 0, "{}", site.log());
    assert!(site.log().contains("`drain_timeout` has passed"), "{}", site.log());
    assert_canceled(&site)
}

#[test]
fn without_anything_to_do_it_ends_at_once_and_leaves_nothing_behind() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    site.start()?;
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    site.signal("TERM")?;
    assert_eq!(site.wait_for_end()?, 0);
    let last = site.log().lines().last().context("a line")?.to_owned();
    assert!(last.contains("ended"), "{last}");
    assert!(!site.path("socket").exists());
    // Nothing is left in the state's log that the next start would have to make good.
    assert!(!site.path("state/runsheet.db-wal").exists());
    Ok(())
}
