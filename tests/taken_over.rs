//! Two daemons with a state folder each and the same plan: one is stopped in the middle and loses its sessions, the other takes the work
//! over and finishes it, and the first comes back. And a state that is put back from an older backup. Every statement took effect
//! exactly once all the same.

mod site;

use anyhow::{Context, Result};
use runsheet_test_servers::shared;
use site::{Engine, Site, plan_of, task, until};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Rows, each in a transaction of its own.
const ROWS: u32 = 800;

/// The same plan on every site: its bytes say which tasks are the same.
fn drop_plan(site: &Site, database: &str) -> Result<()> {
    let mut fill = String::from("-- txn-mode = off\n");
    for row in 0..ROWS {
        // No key, so that a row that came twice is seen.
        writeln!(fill, "INSERT INTO t VALUES ({row});")?;
    }
    let target = format!("instances/main/databases/{database}");
    site.drop_file("test/make.sql", "CREATE TABLE t (id INTEGER);\n")?;
    site.drop_file("test/fill.sql", fill)?;
    site.drop_file(
        "test/last.sql",
        "ALTER TABLE t ADD COLUMN late INTEGER;\nINSERT INTO t (id) VALUES (-1);\n",
    )?;
    let plan =
        plan_of(&[&[("make", &target, "make")], &[("fill", &target, "fill")], &[("last", &target, "last")]]);
    site.drop_file("test/x.plan.json", plan)
}

/// Waits for so many rows, and says whether they are not all: a machine that was busy elsewhere may look too late.
fn in_the_middle(site: &Site, engine: &Engine, database: &str, rows: i64) -> Result<bool> {
    let mut count = 0;
    until("some rows are in", || {
        // A file that is locked at this moment says it at the next look.
        let found = engine.number(&site.path("databases"), database, "SELECT count(*) FROM t");
        count = found.unwrap_or(count);
        Ok(count >= rows)
    })?;
    Ok(count < i64::from(ROWS))
}

/// A site whose plan is in the middle on a database of its own, after as many tries as that takes.
fn caught_in_the_middle(engine: &Engine, rows: i64) -> Result<(Site, String)> {
    for _ in 0..20 {
        let database = engine.fresh_database()?;
        let mut site = Site::on(engine, "")?;
        drop_plan(&site, &database)?;
        site.start()?;
        if in_the_middle(&site, engine, &database, rows)? {
            return Ok((site, database));
        }
    }
    anyhow::bail!("no plan was caught in its middle")
}

fn assert_exactly_once(site: &Site, engine: &Engine, database: &str, what: &str) -> Result<()> {
    let number = |sql: &str| engine.number(&site.path("databases"), database, sql);
    let found = (number("SELECT count(*) FROM t")?, number("SELECT count(DISTINCT id) FROM t")?);
    assert_eq!(found, (i64::from(ROWS) + 1, i64::from(ROWS) + 1), "{what}");
    Ok(())
}

/// Ends every session of Runsheet on a database, as a server does whose client has been silent for too long.
fn end_sessions(engine: &Engine, database: &str) -> Result<()> {
    match engine {
        Engine::Postgres(server) => {
            let sql = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' AND application_name LIKE 'runsheet%'"
            );
            assert!(!server.query("postgres", &sql)?.is_empty(), "there was a session");
        }
        Engine::MySql(server) => {
            let sql = format!("SELECT id FROM information_schema.processlist WHERE db = '{database}'");
            let sessions = server.query("mysql", &sql)?;
            assert!(!sessions.is_empty(), "there was a session");
            for session in sessions {
                server.execute("mysql", &format!("KILL {}", session.first().context("an id")?))?;
            }
        }
        Engine::Sqlite => anyhow::bail!("it has no sessions"),
    }
    Ok(())
}

fn taken_over(engine: &Engine, rows: i64) -> Result<()> {
    let (first, database) = caught_in_the_middle(engine, rows)?;
    first.signal("STOP")?;
    end_sessions(engine, &database)?;

    let mut second = Site::on(engine, "")?;
    drop_plan(&second, &database)?;
    second.start()?;
    second.wait_for("x", &["DONE"])?;
    assert_exactly_once(&second, engine, &database, "the second has done it")?;

    first.signal("CONT")?;
    let plan = first.wait_for("x", &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}");
    assert_exactly_once(&first, engine, &database, "the first came back")?;
    // What it says of itself is that the other had done the rest.
    let log = first.say(&["log", "x/last"])?.out;
    assert!(log.contains("the ledger has it since"), "{log}");
    Ok(())
}

#[test]
fn on_postgres_a_daemon_that_comes_back_after_another_has_finished_does_no_harm() -> Result<()> {
    [1, 200].iter().try_for_each(|rows| taken_over(&Engine::Postgres(shared::postgres()), *rows))
}

#[test]
fn on_mariadb_a_daemon_that_comes_back_after_another_has_finished_does_no_harm() -> Result<()> {
    [1, 200].iter().try_for_each(|rows| taken_over(&Engine::MySql(shared::mariadb()), *rows))
}

#[test]
fn on_mysql_a_daemon_that_comes_back_after_another_has_finished_does_no_harm() -> Result<()> {
    [1, 200].iter().try_for_each(|rows| taken_over(&Engine::MySql(shared::mysql()), *rows))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    anyhow::ensure!(status.success(), "cp");
    Ok(())
}

/// A state of the time when the plan was in its middle, put back when all is done.
#[test]
fn a_state_that_is_put_back_from_an_older_backup_runs_nothing_again() -> Result<()> {
    for (name, engine) in Engine::all() {
        let (mut site, database) = loop {
            let (mut site, database) = caught_in_the_middle(&engine, 20)?;
            site.kill();
            if task(&site.plan("x")?, "fill")["status"] != "DONE" {
                break (site, database);
            }
        };
        copy(&site.path("state"), &site.path("backup"))?;
        site.start()?;
        site.wait_for("x", &["DONE"])?;
        site.kill();
        std::fs::remove_dir_all(site.path("state"))?;
        copy(&site.path("backup"), &site.path("state"))?;
        site.start_with(&["--until-idle"])?;
        assert_eq!(site.wait_for_end()?, 0, "{name}: {}", site.log());
        let plan = site.plan("x")?;
        assert_eq!(plan["status"], "DONE", "{name}: {plan:#}");
        assert_exactly_once(&site, &engine, &database, name)?;
    }
    Ok(())
}
