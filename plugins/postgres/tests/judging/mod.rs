//! A server of the test's own, statements with how psql sees what became of them, and the settling as the executor does it.

use anyhow::{Context, Result, ensure};
use runsheet_driver_postgres::{Postgres as Engine, Session};
use runsheet_sdk::{Connection, Driver, Mark, Observation, Observed, Ruling, Settings, TryLock};
use runsheet_test_servers::{Postgres, PostgresOptions};
use std::time::{Duration, Instant};

/// How often a half effect may be put right.
const REPAIRS_MAX: usize = 8;

/// A statement and how psql sees what became of it.
pub struct Case {
    /// As in the table of kinds, by its beginning.
    pub kind: &'static str,
    /// Run in the database before.
    pub setup: &'static str,
    /// The statement; DB stands for the database's name.
    pub statement: &'static str,
    /// `done` or `not`, or something else for half of it.
    pub truth: &'static str,
    /// In which database psql asks; empty for the case's own.
    pub ask_in: &'static str,
}

/// A table on which building an index takes a while.
pub const ROWS: &str =
    "CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 120000) i";

const SUBSCRIBE: &str = "CREATE SUBSCRIPTION DB_s CONNECTION 'dbname=postgres' PUBLICATION p WITH (connect = false, slot_name = NONE)";

/// Every kind that is looked at.
pub const CASES: &[Case] = &[
    Case {
        kind: "CREATE INDEX CONCURRENTLY",
        setup: ROWS,
        statement: "CREATE INDEX CONCURRENTLY \"I 1\" ON t (b)",
        truth: "SELECT coalesce((SELECT CASE WHEN indisvalid THEN 'done' ELSE 'half' END FROM pg_index WHERE indexrelid = to_regclass('\"I 1\"')), 'not')",
        ask_in: "",
    },
    Case {
        // The server finds the name.
        kind: "CREATE INDEX CONCURRENTLY",
        setup: ROWS,
        statement: "CREATE INDEX CONCURRENTLY ON t (b, a)",
        truth: "SELECT CASE WHEN count(*) = 0 THEN 'not' WHEN count(*) = 1 AND bool_and(indisvalid) THEN 'done' ELSE 'half' END FROM pg_index WHERE indrelid = 't'::regclass",
        ask_in: "",
    },
    Case {
        kind: "DROP INDEX CONCURRENTLY",
        setup: "CREATE TABLE t (a int); CREATE INDEX i ON t (a)",
        statement: "DROP INDEX CONCURRENTLY i",
        truth: "SELECT coalesce((SELECT CASE WHEN indisvalid THEN 'not' ELSE 'half' END FROM pg_index WHERE indexrelid = to_regclass('i')), 'done')",
        ask_in: "",
    },
    Case {
        kind: "REINDEX … CONCURRENTLY",
        setup: "CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 60000) i; CREATE INDEX i ON t (b)",
        statement: "REINDEX INDEX CONCURRENTLY i",
        truth: "SELECT CASE WHEN count(*) = 1 AND bool_and(indisvalid) THEN 'done' ELSE 'half' END FROM pg_index WHERE indrelid = 't'::regclass",
        ask_in: "",
    },
    Case {
        kind: "CREATE DATABASE",
        setup: "",
        statement: "CREATE DATABASE DB_made",
        truth: "SELECT CASE WHEN EXISTS (SELECT FROM pg_database WHERE datname = lower('DB_made')) THEN 'done' ELSE 'not' END",
        ask_in: "postgres",
    },
    Case {
        kind: "DROP DATABASE",
        setup: "CREATE DATABASE DB_gone",
        statement: "DROP DATABASE DB_gone",
        truth: "SELECT CASE WHEN EXISTS (SELECT FROM pg_database WHERE datname = lower('DB_gone')) THEN 'not' ELSE 'done' END",
        ask_in: "postgres",
    },
    Case {
        kind: "CREATE DATABASE",
        setup: "",
        statement: SUBSCRIBE,
        truth: "SELECT CASE WHEN EXISTS (SELECT FROM pg_subscription WHERE subname = lower('DB_s')) THEN 'done' ELSE 'not' END",
        ask_in: "",
    },
    Case {
        kind: "ALTER SUBSCRIPTION",
        setup: SUBSCRIBE,
        statement: "ALTER SUBSCRIPTION DB_s SET PUBLICATION q WITH (refresh = false)",
        truth: "SELECT CASE WHEN subpublications = '{q}' THEN 'done' ELSE 'not' END FROM pg_subscription WHERE subname = lower('DB_s')",
        ask_in: "",
    },
    Case {
        kind: "DROP DATABASE",
        setup: SUBSCRIBE,
        statement: "DROP SUBSCRIPTION DB_s",
        truth: "SELECT CASE WHEN EXISTS (SELECT FROM pg_subscription WHERE subname = lower('DB_s')) THEN 'not' ELSE 'done' END",
        ask_in: "",
    },
    Case {
        kind: "ALTER TABLE … DETACH PARTITION",
        setup: "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE c PARTITION OF p FOR VALUES IN (1)",
        statement: "ALTER TABLE p DETACH PARTITION c CONCURRENTLY",
        truth: "SELECT coalesce((SELECT CASE WHEN inhdetachpending THEN 'half' ELSE 'not' END FROM pg_inherits WHERE inhrelid = 'c'::regclass), 'done')",
        ask_in: "",
    },
    Case {
        kind: "COMMIT PREPARED",
        setup: "CREATE TABLE t (a int); BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'DB_x'",
        statement: "COMMIT PREPARED 'DB_x'",
        truth: "SELECT CASE WHEN EXISTS (SELECT FROM t) THEN 'done' ELSE 'not' END",
        ask_in: "",
    },
];

/// A server for a test, and what names it.
pub struct Bench {
    pub server: Postgres,
    settings: Settings,
    state: u64,
}

impl Bench {
    pub fn start(seed: u64) -> Result<Self> {
        let server = Postgres::start(&PostgresOptions {
            settings: vec!["wal_level = logical".to_owned(), "max_prepared_transactions = 50".to_owned()],
            ..PostgresOptions::default()
        })?;
        let mut settings = Settings::new();
        settings.set("host", "127.0.0.1", false);
        settings.set("port", server.port().to_string(), false);
        settings.set("user", "postgres", false);
        Ok(Self { server, settings, state: seed })
    }

    pub fn open(&self, database: &str) -> Result<Session> {
        Ok(Engine::open(&self.settings, database, "judge", &mut |_| {})?)
    }

    /// A session that holds the fence, as the daemon's does before it looks at anything.
    pub fn fenced(&self, database: &str) -> Result<Session> {
        let begun = Instant::now();
        let mut session = self.open(database)?;
        while session.try_lock()? != TryLock::Held {
            ensure!(begun.elapsed() < Duration::from_secs(60), "the fence is never free");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(session)
    }

    /// The next number of a simple generator: the seed alone repeats them.
    pub fn random(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// One case in a database of its own.
pub struct Trial<'a> {
    pub case: &'a Case,
    pub database: String,
}

impl<'a> Trial<'a> {
    pub fn new(bench: &Bench, case: &'a Case) -> Result<Self> {
        let trial = Self { case, database: bench.server.fresh_database()? };
        let setup = trial.named(case.setup);
        // One by one: CREATE DATABASE and PREPARE TRANSACTION stand in no transaction of psql's making.
        if !setup.is_empty() {
            let file = tempfile::NamedTempFile::new()?;
            std::fs::write(file.path(), format!("{};\n", setup.replace("; ", ";\n")))?;
            bench.server.script(&trial.database, file.path())?;
        }
        Ok(trial)
    }

    fn named(&self, text: &str) -> String {
        text.replace("DB", &self.database)
    }

    pub fn statement(&self) -> Vec<u8> {
        self.named(self.case.statement).into_bytes()
    }

    /// What psql sees.
    pub fn truth(&self, bench: &Bench) -> Result<String> {
        let database = if self.case.ask_in.is_empty() { &self.database } else { self.case.ask_in };
        let rows = bench.server.query(database, &self.named(self.case.truth))?;
        Ok(rows.first().and_then(|row| row.first()).context("a row")?.clone())
    }

    pub fn observe(&self, session: &mut Session) -> Result<Observation> {
        match session.judge().context("it judges")?.observe(&self.statement(), &Mark::default())? {
            Observed::Before(seen) => Ok(seen),
            Observed::Applied(verdict) => anyhow::bail!("before it was sent: {verdict:?}"),
        }
    }

    /// What the executor does after a crash: judge, put right, run what had no effect. Gives the first ruling.
    pub fn settle(&self, bench: &Bench, seen: &Observation) -> Result<Ruling> {
        let mut session = bench.fenced(&self.database)?;
        let truth = self.truth(bench)?;
        let mut first = None;
        for _ in 0..REPAIRS_MAX {
            let judge = session.judge().context("it judges")?;
            let verdict = judge.judge(&self.statement(), &Mark::default(), &seen.text)?;
            first.get_or_insert(verdict.ruling);
            match verdict.ruling {
                Ruling::Applied => break,
                Ruling::NotApplied => {
                    session.execute(&self.statement(), &mut |_| {})?;
                    break;
                }
                Ruling::Repair => drop(session.execute(verdict.repair.as_bytes(), &mut |_| {})?),
                Ruling::Unknown => anyhow::bail!("{verdict:?}"),
            }
        }
        let ruling = first.context("a ruling")?;
        ensure!(ruling != Ruling::Applied || truth == "done", "judged applied, but psql saw {truth}");
        ensure!(self.truth(bench)? == "done", "in the end it is not done");
        Ok(ruling)
    }
}

pub fn seed() -> u64 {
    let given = std::env::var("RUNSHEET_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

pub fn rounds() -> u64 {
    std::env::var("RUNSHEET_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}
