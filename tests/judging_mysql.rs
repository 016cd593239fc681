//! The daemon is killed in the middle of an ALTER TABLE that copies a big table, on MariaDB and MySQL. After its restart the statement
//! that still runs is found and waited for, or ended where the instance says so; then it is judged, and the sheet goes on. The
//! server's general log says what was run.

mod site;

use anyhow::{Context, Result, ensure};
use runsheet_test_servers::{MySql, shared};
use site::{Engine, Site, plan_of, task};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PLAN: &str = "projects/test/plans/x";
const ALTER: &str = "ALTER TABLE t ADD COLUMN c int, ALGORITHM=COPY";
const WAIT_MAX: Duration = Duration::from_secs(120);
/// 256,000 rows.
const ROWS: &str = "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, b varchar(40)) ENGINE=InnoDB; \
    INSERT INTO t (b) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT repeat('x', 30) FROM n";
const DOUBLINGS: usize = 8;

/// A site with a big table and an open transaction of somebody else on it, which the end of the ALTER TABLE waits for.
struct Scene {
    site: Site,
    server: &'static MySql,
    database: String,
    reader: Child,
}

fn servers() -> [&'static MySql; 2] {
    [shared::mariadb(), shared::mysql()]
}

impl Scene {
    /// Starts a daemon, and waits until the table is being copied.
    fn new(server: &'static MySql, orphans: &str) -> Result<Self> {
        let engine = Engine::MySql(server);
        let site = Site::new("")?;
        let config = std::fs::read_to_string(site.path("config.toml"))?;
        let instance = engine.instance("main", &site.path("databases"));
        site.write("config.toml", format!("{config}{instance}orphans = \"{orphans}\"\n"))?;
        let database = server.fresh_database()?;
        server.execute(&database, ROWS)?;
        for _ in 0..DOUBLINGS {
            server.execute(&database, "INSERT INTO t (b) SELECT b FROM t")?;
        }
        let reader = hold(server, &database)?;
        let mut scene = Self { site, server, database, reader };
        let sheet = format!("{ALTER};\nCREATE TABLE after_it (a int);\nINSERT INTO after_it VALUES (1);");
        scene.site.drop_file("test/alter.sql", sheet)?;
        let target = format!("instances/main/databases/{}", scene.database);
        scene.site.drop_file("test/x.plan.json", plan_of(&[&[("alter", &target, "alter")]]))?;
        scene.site.start()?;
        scene.wait_until("the table is being copied", |scene| {
            Ok(scene.sessions("ALTER TABLE t")?.len() == 1)
        })?;
        Ok(scene)
    }

    /// The sessions in this database that run what begins so.
    fn sessions(&self, begin: &str) -> Result<Vec<String>> {
        let query = format!(
            "SELECT id FROM information_schema.processlist WHERE db = '{}' AND command = 'Query' AND info LIKE '{begin}%'",
            self.database
        );
        Ok(self.server.query("", &query)?.concat())
    }

    fn wait_until(&mut self, what: &str, holds: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        while !holds(self)? {
            ensure!(begun.elapsed() < WAIT_MAX, "not seen: {what}\n{}", self.site.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends the reader's session on the server, which does not see by itself that a sleeping one has lost its client.
    fn let_go(&mut self) {
        for session in self.sessions("SELECT SLEEP").unwrap_or_default() {
            let _ = self.server.execute("", &format!("KILL {session}"));
        }
        let _ = self.reader.kill();
        let _ = self.reader.wait();
    }

    /// What the server was sent in this database, of these two statements, in its order.
    fn sent(&self) -> Vec<&'static str> {
        let log = self.server.general_log();
        // Sessions of this test are told apart by their number, which stands in front of every statement of theirs.
        let own: Vec<&str> = log
            .lines()
            .filter(|line| line.contains(&format!("on {}", self.database)))
            .filter_map(number)
            .collect();
        log.lines()
            .filter(|line| number(line).is_some_and(|number| own.contains(&number)))
            .filter_map(|line| {
                ["Query\tALTER TABLE t", "Query\tCREATE TABLE after_it"]
                    .into_iter()
                    .find(|one| line.contains(one))
            })
            .collect()
    }

    fn log_of_task(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.site.run(&["log", PLAN])?.stdout).into_owned())
    }

    /// That the whole sheet took effect, and each statement once.
    fn is_done_once(&self) -> Result<()> {
        let column = "SELECT count(*) FROM information_schema.columns WHERE table_schema = database() AND table_name = 't' AND column_name = 'c'";
        let rows = format!("{column}; SELECT count(*) FROM t; SELECT count(*) FROM after_it");
        let wanted = (1000 << DOUBLINGS).to_string();
        ensure!(self.server.query(&self.database, &rows)?.concat() == ["1", wanted.as_str(), "1"]);
        Ok(())
    }

    fn done(&self) -> Result<serde_json::Value> {
        let plan = self.site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
        ensure!(plan["status"] == "DONE", "{plan:#}\n{}", self.log_of_task()?);
        self.is_done_once()?;
        Ok(plan)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// The session's number in a line of the general log: before the word for what it did.
fn number(line: &str) -> Option<&str> {
    let (before, _) = line.split_once(" Query\t").or_else(|| line.split_once(" Connect\t"))?;
    before.rsplit([' ', '\t']).next()
}

/// A transaction that has seen the table and stays open.
fn hold(server: &MySql, database: &str) -> Result<Child> {
    let child = Command::new("mariadb")
        .args(["--no-defaults", "-u", "root"])
        .arg(format!("--socket={}", server.socket().display()))
        .args(["-e", "BEGIN; SELECT id FROM t LIMIT 1; SELECT SLEEP(600)", database])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let seen = format!(
        "SELECT 1 FROM information_schema.processlist WHERE db = '{database}' AND info LIKE 'SELECT SLEEP%'"
    );
    runsheet_test_servers::wait_until("the reader has read", || {
        server.query("", &seen).is_ok_and(|rows| !rows.is_empty())
    })?;
    Ok(child)
}

#[test]
fn a_statement_that_outlives_its_daemon_is_waited_for_and_judged() -> Result<()> {
    for server in servers() {
        let mut scene = Scene::new(server, "wait")?;
        scene.site.kill();
        scene.site.start()?;
        scene.wait_until("status says who is waited for and what the server does for it", |scene| {
            let plan = scene.site.plan(PLAN)?;
            let shown = task(&plan, "alter")["progress"]["excerpt"].as_str().unwrap_or_default().to_owned();
            Ok(shown.contains("waits for the lock") && shown.contains("Query for") && shown.contains(ALTER))
        })?;
        assert_eq!(scene.sessions("ALTER TABLE t")?.len(), 1, "nothing runs beside it");
        assert_eq!(scene.sent(), ["Query\tALTER TABLE t"]);
        scene.let_go();
        let plan = scene.done()?;
        assert_eq!(scene.sent(), ["Query\tALTER TABLE t", "Query\tCREATE TABLE after_it"]);
        let log = scene.log_of_task()?;
        assert!(log.contains("judged applied"), "{log}");
        assert_eq!(task(&plan, "alter")["runs"][0]["resumes"], 1, "{plan:#}");
    }
    Ok(())
}

#[test]
fn a_statement_that_outlives_its_daemon_is_ended_where_the_instance_says_so() -> Result<()> {
    for server in servers() {
        let mut scene = Scene::new(server, "cancel")?;
        let first = scene.sessions("ALTER TABLE t")?;
        scene.site.kill();
        scene.site.start()?;
        scene.wait_until("the earlier session is ended", |scene| {
            Ok(scene.log_of_task()?.contains("the earlier session is ended"))
        })?;
        scene.wait_until("it is run again", |scene| {
            let now = scene.sessions("ALTER TABLE t")?;
            Ok(now.len() == 1 && now != first)
        })?;
        scene.let_go();
        scene.done()?;
        let (alter, create) = ("Query\tALTER TABLE t", "Query\tCREATE TABLE after_it");
        assert_eq!(scene.sent(), [alter, alter, create]);
        let log = scene.log_of_task()?;
        assert!(log.contains("judged not applied"), "{log}");
    }
    Ok(())
}

#[test]
fn a_lost_connection_in_the_middle_is_settled_without_anybody() -> Result<()> {
    for server in servers() {
        let mut scene = Scene::new(server, "wait")?;
        let first = scene.sessions("ALTER TABLE t")?;
        let session = first.first().context("it is running")?.clone();
        scene.server.execute("", &format!("KILL {session}"))?;
        scene.wait_until("it is run again", |scene| {
            let now = scene.sessions("ALTER TABLE t")?;
            Ok(now.len() == 1 && now != first)
        })?;
        scene.let_go();
        let plan = scene.done()?;
        let run = task(&plan, "alter")["runs"][0].clone();
        assert_eq!(run["status"], "DONE", "{run:#}");
        assert!(scene.log_of_task()?.contains("judged not applied"));
    }
    Ok(())
}
