//! A sheet lets PostgreSQL acknowledge commits that are not on the server's disk yet. The daemon dies behind a statement that commits by
//! itself, and the server right after it, so that what was acknowledged is lost: it is run again, and not taken for done.

mod site;

use anyhow::{Context, Result};
use runsheet_test_servers::{Postgres, PostgresOptions};
use rustix::process::{Pid, Signal, kill_process};
use site::{Site, plan_of, program};

const PLAN: &str = "projects/test/plans/x";

#[test]
fn what_was_acknowledged_and_lost_is_run_again() -> Result<()> {
    let settings = vec!["autovacuum = off".to_owned()];
    let mut server = Postgres::start(&PostgresOptions { settings, ..PostgresOptions::default() })?;
    let database = server.fresh_database()?;
    server.execute(&database, "CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 1000)")?;
    let mut site = Site::new("")?;
    let drivers = program().parent().context("the program is in a folder")?.to_path_buf();
    let plugins = site.own_plugins()?;
    std::fs::copy(drivers.join("librunsheet_test_relay.so"), plugins.join("librunsheet_driver_relay.so"))?;
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    let port = server.port();
    site.write(
        "config.toml",
        format!("{config}[instances.main]\ndriver = \"relay\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"postgres\"\ntls = \"disable\"\n"),
    )?;
    site.drop_file(
        "test/index.sql",
        "SET synchronous_commit = off;\nCREATE INDEX CONCURRENTLY i ON t (a);\nCREATE TABLE after_it (a int);",
    )?;
    let target = format!("instances/main/databases/{database}");
    site.drop_file("test/x.plan.json", plan_of(&[&[("index", &target, "index")]]))?;
    stop_what_writes_the_log_by_itself(&server)?;
    let real = drivers.join("librunsheet_driver_postgres.so").display().to_string();
    site.set_environment(runsheet_test_relay::TO, &real);
    site.set_environment(runsheet_test_relay::KILL, "ledger.write before 2");
    site.start()?;
    assert_eq!(site.wait_for_end()?, -1, "the daemon dies before the mark: {}", site.log());
    server.kill9();
    server.restart()?;
    let valid = "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid";
    assert_eq!(server.query(&database, valid)?, [["0"]], "the server has lost what it had acknowledged");
    site.set_environment(runsheet_test_relay::KILL, "no.point before 1");
    site.start()?;
    let plan = site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}");
    assert_eq!(server.query(&database, valid)?, [["1"]]);
    Ok(())
}

/// From here on nothing but a commit that waits brings the log to the disk.
fn stop_what_writes_the_log_by_itself(server: &Postgres) -> Result<()> {
    let writers = server.query(
        "postgres",
        "SELECT pid FROM pg_stat_activity WHERE backend_type IN ('walwriter', 'background writer', 'checkpointer')",
    )?;
    assert_eq!(writers.len(), 3, "{writers:?}");
    for pid in writers.concat() {
        let pid = Pid::from_raw(pid.parse()?).context("a process of the server")?;
        kill_process(pid, Signal::STOP)?;
    }
    Ok(())
}
