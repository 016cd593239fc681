//! The show of the large table: a statement that takes the server seconds is under way when the daemon is killed. The next daemon finds
//! it, waits for it, judges it and goes on. The server's own log says what was run, and when.

use super::site::{Engine, Site, plan_of, task};
use anyhow::{Result, ensure};
use runsheet_test_servers::{shared, wait_until};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

const PLAN: &str = "projects/large/plans/large";
/// Rows of the large table.
const ROWS: u64 = 2_000_000;

/// A statement on a large table.
struct Show {
    name: &'static str,
    engine: Engine,
    /// How its table is made.
    made: String,
    statement: &'static str,
    /// What gives 1 where it took effect once.
    effect: &'static str,
}

fn shows() -> Vec<Show> {
    let rows = format!("INSERT INTO large SELECT n, n FROM generate_series(1, {ROWS}) n");
    let mut shows = vec![Show {
        name: "PostgreSQL",
        engine: Engine::Postgres(shared::postgres()),
        made: format!("CREATE TABLE large (a bigint, b bigint); {rows}"),
        statement: "CREATE INDEX CONCURRENTLY large_b ON large (b)",
        effect: "SELECT count(*) FROM pg_index WHERE indrelid = 'large'::regclass AND indisvalid",
    }];
    // Doubled eleven times from a thousand.
    let doubled = "; INSERT INTO large (b) SELECT b FROM large".repeat(11);
    let made = format!(
        "CREATE TABLE large (a BIGINT AUTO_INCREMENT PRIMARY KEY, b BIGINT) ENGINE=InnoDB; \
         INSERT INTO large (b) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n{doubled}"
    );
    for (name, server) in [("MariaDB", shared::mariadb()), ("MySQL", shared::mysql())] {
        let add = Show {
            name,
            engine: Engine::MySql(server),
            made: made.clone(),
            statement: "ALTER TABLE large ADD COLUMN c INT, ALGORITHM=COPY",
            effect: "SELECT count(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_NAME = 'c'",
        };
        let rebuild = Show {
            engine: Engine::MySql(server),
            made: made.clone(),
            statement: "ALTER TABLE large ENGINE=InnoDB, ROW_FORMAT=COMPRESSED, ALGORITHM=COPY",
            effect: "SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'large' AND ROW_FORMAT = 'Compressed'",
            ..add
        };
        shows.extend([add, rebuild]);
    }
    shows
}

/// Runs all shows, and prints what the servers say. True where all is as it must be.
pub fn run() -> Result<bool> {
    for show in shows() {
        println!("{}: {}, {ROWS} rows and some", show.name, show.statement);
        print!("{}", show.run()?);
    }
    Ok(true)
}

impl Show {
    fn run(&self) -> Result<String> {
        let database = self.engine.fresh_database()?;
        for sql in self.made.split("; ") {
            self.execute(&database, sql)?;
        }
        let mut site = Site::new("")?;
        let config = std::fs::read_to_string(site.path("config.toml"))?;
        let instance = self.engine.instance("main", &site.path("databases"));
        site.write("config.toml", format!("{config}{instance}"))?;
        site.drop_file(
            "large/sheet.sql",
            format!("{};\nCREATE TABLE behind (a INTEGER);\nINSERT INTO behind VALUES (1);", self.statement),
        )?;
        let target = format!("instances/main/databases/{database}");
        let plan = plan_of(&[&[("large", &target, "sheet")]]).replace("projects/test/", "projects/large/");
        site.drop_file("large/large.plan.json", plan)?;
        site.start()?;
        wait_until("the server runs it", || self.running(&database).is_ok_and(|count| count == 1))?;
        // In the middle of its work.
        std::thread::sleep(Duration::from_millis(300));
        site.kill();
        ensure!(self.running(&database)? == 1, "it has ended before the daemon was killed");
        site.start()?;
        let mut told = String::new();
        let mut waited = String::new();
        loop {
            let running = self.running(&database)?;
            ensure!(running <= 1, "it runs twice at once");
            let plan = site.plan(PLAN).unwrap_or_default();
            let shown = task(&plan, "large")["progress"]["excerpt"].as_str().unwrap_or_default().to_owned();
            if shown.contains("waits for the lock") {
                waited = shown;
            }
            match plan["status"].as_str().unwrap_or_default() {
                "DONE" => break,
                "" | "RUNNING" => std::thread::sleep(Duration::from_millis(50)),
                status => anyhow::bail!("{status}: {plan:#}"),
            }
        }
        ensure!(!waited.is_empty(), "nobody was seen to wait for it");
        ensure!(self.cell(&database, self.effect)? == "1", "it did not take effect once");
        ensure!(
            self.cell(&database, "SELECT count(*) FROM behind")? == "1",
            "what stands behind it was not run once"
        );
        writeln!(told, "  status, after the restart: {waited}")?;
        let log = site.say(&["log", PLAN])?;
        for line in log.out.lines().filter(|line| line.contains("judged") || line.contains("waits")) {
            writeln!(told, "  log:    {}", line.trim())?;
        }
        let sent = self.server_log(&database);
        let times = sent.iter().filter(|line| line.contains(self.statement)).count();
        for line in &sent {
            writeln!(told, "  server: {line}")?;
        }
        ensure!(times == 1, "the server was sent it {times} times:\n{told}");
        Ok(told)
    }

    fn execute(&self, database: &str, sql: &str) -> Result<()> {
        match &self.engine {
            Engine::Sqlite => Ok(()),
            Engine::Postgres(server) => server.execute(database, sql).map(drop),
            Engine::MySql(server) => server.execute(database, sql).map(drop),
        }
    }

    fn cell(&self, database: &str, sql: &str) -> Result<String> {
        let rows = self.engine.query(Path::new(""), database, sql)?;
        Ok(rows.first().and_then(|row| row.first()).cloned().unwrap_or_default())
    }

    /// How many sessions run it now.
    fn running(&self, database: &str) -> Result<usize> {
        let start = self.statement.get(..24).unwrap_or(self.statement);
        let (query, of) = match &self.engine {
            Engine::Postgres(_) => (
                format!(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND state = 'active' AND query LIKE '{start}%'"
                ),
                "postgres",
            ),
            _ => (
                format!(
                    "SELECT count(*) FROM information_schema.PROCESSLIST WHERE DB = '{database}' AND INFO LIKE '{start}%'"
                ),
                "mysql",
            ),
        };
        Ok(self.cell(of, &query)?.parse()?)
    }

    /// The lines of the server's own log that are about the sheet's statements.
    fn server_log(&self, database: &str) -> Vec<String> {
        let log = match &self.engine {
            Engine::Sqlite => String::new(),
            Engine::Postgres(server) => server.log(),
            Engine::MySql(server) => {
                // It names a database only where a session begins in it.
                let log = server.general_log();
                let begun = log.find(&format!("on {database} ")).unwrap_or(0);
                log[begun..].to_owned()
            }
        };
        let of_sheet = |line: &&str| {
            line.contains(self.statement) || line.contains("TABLE behind") || line.contains("INTO behind")
        };
        log.lines()
            .filter(of_sheet)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }
}
