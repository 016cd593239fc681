//! The daemon is killed in the middle of a CREATE INDEX CONCURRENTLY. After its restart the statement that still runs is found and
//! waited for, or ended where the instance says so; then it is judged, and the sheet goes on. The server's log says what was run.

mod site;

use anyhow::{Context, Result, ensure};
use runsheet_test_servers::Postgres;
use site::{Engine, Site, plan_of, task};
use std::time::{Duration, Instant};

const PLAN: &str = "projects/test/plans/x";
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A site with a table of many rows and an open transaction of somebody else, which the building of an index waits for.
struct Scene {
    site: Site,
    server: &'static Postgres,
    database: String,
    reader: std::process::Child,
}

impl Scene {
    fn new(orphans: &str) -> Result<Self> {
        let server = runsheet_test_servers::shared::postgres();
        let engine = Engine::Postgres(server);
        let site = Site::new("")?;
        let config = std::fs::read_to_string(site.path("config.toml"))?;
        let instance = engine.instance("main", &site.path("databases"));
        site.write("config.toml", format!("{config}{instance}orphans = \"{orphans}\"\n"))?;
        let database = server.fresh_database()?;
        server
            .execute(&database, "CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 50000)")?;
        let reader = hold(server, &database)?;
        let mut scene = Self { site, server, database, reader };
        scene.site.drop_file(
            "test/index.sql",
            "CREATE INDEX CONCURRENTLY i ON t (a);\nCREATE TABLE after_it (a int);",
        )?;
        let target = format!("instances/main/databases/{}", scene.database);
        scene.site.drop_file("test/x.plan.json", plan_of(&[&[("index", &target, "index")]]))?;
        scene.site.start()?;
        scene.wait_until("the index is being built", |scene| Ok(scene.builds()? == 1))?;
        Ok(scene)
    }

    /// How many sessions build the index now.
    fn builds(&self) -> Result<usize> {
        let query = format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'CREATE INDEX%' AND state = 'active'",
            self.database
        );
        Ok(self.server.query("postgres", &query)?.len())
    }

    fn wait_until(&mut self, what: &str, holds: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        while !holds(self)? {
            ensure!(begun.elapsed() < WAIT_MAX, "not seen: {what}\n{}", self.site.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends the reader: on the server, which does not see by itself that a sleeping session has lost its client.
    fn let_go(&mut self) {
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'BEGIN ISO%'",
            self.database
        );
        let _ = self.server.query("postgres", &end);
        let _ = self.reader.kill();
        let _ = self.reader.wait();
    }

    /// How often such an index was begun on this server, by its own word.
    fn begun(&self) -> usize {
        let log = self.server.log();
        log.lines()
            .filter(|line| line.contains("execute") && line.contains("CREATE INDEX CONCURRENTLY i"))
            .count()
    }

    fn log_of_task(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.site.run(&["log", PLAN])?.stdout).into_owned())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// A transaction that has seen the table and stays open.
fn hold(server: &Postgres, database: &str) -> Result<std::process::Child> {
    let child = std::process::Command::new("psql")
        .args(["-X", "-q", "-U", "postgres", "-d", database, "-h"])
        .arg(server.socket())
        .args(["-p", &server.port().to_string()])
        .args(["-c", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t; SELECT pg_sleep(300)"])
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let begun = Instant::now();
    let seen = format!(
        "SELECT 1 FROM pg_stat_activity WHERE datname = '{database}' AND query LIKE 'BEGIN ISO%' AND wait_event = 'PgSleep'"
    );
    while server.query("postgres", &seen)?.is_empty() {
        ensure!(begun.elapsed() < WAIT_MAX, "the reader never reads");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(child)
}

#[test]
fn a_statement_that_outlives_its_daemon_is_waited_for_and_judged() -> Result<()> {
    let mut scene = Scene::new("wait")?;
    let before = scene.begun();
    scene.site.kill();
    scene.site.start()?;
    let shown = |scene: &Scene| -> Result<String> {
        let plan = scene.site.plan(PLAN)?;
        Ok(task(&plan, "index")["progress"]["excerpt"].as_str().unwrap_or_default().to_owned())
    };
    scene.wait_until("status says who is waited for and what it does", |scene| {
        let shown = shown(scene)?;
        Ok(shown.contains("waits for the lock") && shown.contains("CREATE INDEX"))
    })?;
    assert_eq!(scene.builds()?, 1, "nothing runs beside it");
    scene.let_go();
    let plan = scene.site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}\n{}", scene.log_of_task()?);
    assert_eq!(scene.begun(), before, "it was not begun again");
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass";
    assert_eq!(scene.server.query(&scene.database, valid)?, [["t"]]);
    scene.server.query(&scene.database, "SELECT count(*) FROM after_it")?;
    let log = scene.log_of_task()?;
    assert!(log.contains("judged applied"), "{log}");
    assert_eq!(task(&plan, "index")["runs"][0]["resumes"], 1, "{plan:#}");
    Ok(())
}

#[test]
fn a_statement_that_outlives_its_daemon_is_ended_where_the_instance_says_so() -> Result<()> {
    let mut scene = Scene::new("cancel")?;
    scene.site.kill();
    scene.site.start()?;
    // Ended, it leaves an invalid index, which is dropped; both wait for the reader, as the first did.
    scene.wait_until("the earlier session is ended", |scene| {
        Ok(scene.log_of_task()?.contains("the earlier session is ended"))
    })?;
    scene.let_go();
    let plan = scene.site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    let log = scene.log_of_task()?;
    assert_eq!(plan["status"], "DONE", "{plan:#}\n{log}");
    assert!(log.contains("judged repair") && log.contains("put right by: DROP INDEX CONCURRENTLY"), "{log}");
    let indexes = "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass";
    assert_eq!(scene.server.query(&scene.database, indexes)?, [["1", "t"]]);
    Ok(())
}

#[test]
fn a_lost_connection_in_the_middle_is_settled_without_anybody() -> Result<()> {
    let mut scene = Scene::new("wait")?;
    let terminate = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'CREATE INDEX%'",
        scene.database
    );
    scene.server.query("postgres", &terminate)?;
    scene.wait_until("the half index is put right", |scene| {
        Ok(scene.log_of_task()?.contains("put right by"))
    })?;
    scene.let_go();
    let plan = scene.site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}\n{}", scene.log_of_task()?);
    let first = task(&plan, "index")["runs"][0].clone();
    assert_eq!(first["status"], "DONE", "{first:#}");
    scene
        .server
        .query(&scene.database, "SELECT count(*) FROM after_it")
        .map(drop)
        .context("the sheet went on")
}
