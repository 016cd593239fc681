//! PostgreSQL: a server of the test's own, looked at and reached into by psql.

use super::{library, settings};
use anyhow::{Context, Result};
use runsheet_conformance::{Counted, Failing, Load, Misplaced, Notices, Outside, Sheet, Statements, Target};
use runsheet_sdk::{Class, Identity};
use runsheet_test_servers::{Postgres, PostgresOptions};
use std::any::Any;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A target on a server that lets everybody in but the role `refused`.
pub fn target() -> Result<Target> {
    let server = Arc::new(Postgres::start(&PostgresOptions {
        hba: vec!["host all refused 127.0.0.1/32 scram-sha-256".to_owned()],
        ..PostgresOptions::default()
    })?);
    server.execute("postgres", "CREATE ROLE refused LOGIN PASSWORD 'another'")?;
    let port = server.port().to_string();
    let place = [("host", "127.0.0.1"), ("port", port.as_str()), ("tls", "disable")];
    let mut given = settings(&place);
    given.set("user", "postgres", false);
    let mut refused = settings(&place);
    refused.set("user", "refused", false);
    refused.set("password", "wrong horse 4711", true);
    Ok(Target {
        library: library("postgres"),
        settings: given,
        required: vec!["host", "user"],
        refused: Some(refused),
        database: server.fresh_database()?,
        second_database: server.fresh_database()?,
        statements: statements(),
        sheets: sheets(),
        apart: Duration::from_millis(1100),
        patience: Duration::from_secs(20),
        outside: Box::new(Psql { server }),
    })
}

fn statements() -> Statements {
    let counted = |text, rows, tag| Counted { text, rows, tag: Some(tag) };
    let failing = |text, class| Failing { text, class };
    let notices = "DO $$ BEGIN FOR i IN 1..2000 LOOP RAISE NOTICE 'number %', i; END LOOP; END $$";
    Statements {
        create: "CREATE TABLE {table} (id integer PRIMARY KEY, text varchar(100))",
        insert: "INSERT INTO {table} VALUES ({id}, 'x')",
        counted: vec![
            counted("INSERT INTO {table} VALUES (101, 'a'), (102, 'b'), (103, 'c')", Some(3), "INSERT 0 3"),
            counted("UPDATE {table} SET text = 'd' WHERE id > 101", Some(2), "UPDATE 2"),
            counted("CREATE TABLE {table}_two (id integer)", None, "CREATE TABLE"),
            counted("UPDATE {table} SET text = 'e' WHERE id > 200", Some(0), "UPDATE 0"),
            counted("SELECT * FROM {table}", None, "SELECT 3"),
            counted("DELETE FROM {table}", Some(3), "DELETE 3"),
            counted("DROP TABLE {table}_two", None, "DROP TABLE"),
        ],
        failing: vec![
            failing("INSERT INTO {table} VALUES (1, 'again')", Class::Constraint),
            failing("SELECT nothing FROM {table}", Class::MissingObject),
            failing("SELECT * FROM {table}_nowhere", Class::MissingObject),
            failing("CREATE TABLE {table} (id integer)", Class::AlreadyExists),
            failing("INSERT INTO {table} VALUE (2, 'x')", Class::Syntax),
            failing("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40P01'; END $$", Class::Deadlock),
        ],
        begin: "BEGIN",
        two: vec![
            "INSERT INTO {table} VALUES (201, 'x'); INSERT INTO {table} VALUES (202, 'x')",
            "INSERT INTO {table} VALUES (201, 'x'); -- one\nINSERT INTO {table} VALUES (202, 'x');",
            "INSERT INTO {table} VALUES (201, 'x'); COMMIT",
        ],
        decorated: vec![
            "INSERT INTO {table} VALUES ({id}, 'x');",
            " \n INSERT INTO {table} VALUES ({id}, 'x') ; \n",
            "-- before; this\nINSERT INTO {table} VALUES ({id}, 'x')",
            "/* before; /* this */ */ INSERT INTO {table} /* and; this */ VALUES ({id}, 'x') -- after; this",
            "INSERT INTO {table} VALUES ({id}, $$x; y$$); /* after; this */ -- and; this\n",
        ],
        misplaced: vec![
            Misplaced { text: "SELECT 'äöü€𝄞', nothing", at: "nothing" },
            Misplaced { text: "SELECT 'äöü€𝄞',\n  '€' FORM pg_class x", at: "pg_class" },
        ],
        notices: Some(Notices { before: vec![], statement: notices.to_owned(), count: 2000 }),
        slow: "SELECT pg_sleep(600)",
        read_only: Some("SET default_transaction_read_only = on"),
        temporary: Some("CREATE TEMPORARY TABLE {table} (id integer PRIMARY KEY, text varchar(100))"),
        judged: vec!["CREATE INDEX CONCURRENTLY {table}_index ON {table} (text)"],
        load: Some(Load {
            statement: "COPY {table} FROM STDIN",
            rows: "1\ta\n2\tbé€\n3\t\\N\n",
            count: 3,
            wrong_rows: "1\ta\nx\tb\n3\tc\n",
        }),
        foreign_ledger: vec![
            "CREATE SCHEMA runsheet",
            "CREATE TABLE runsheet.runsheet_ledger (id integer)",
            "INSERT INTO runsheet.runsheet_ledger VALUES (1)",
        ],
        ledger_table: "runsheet.runsheet_ledger",
    }
}

fn sheets() -> Vec<Sheet> {
    vec![
        Sheet::of(&[
            "-- head; of the sheet\n\n",
            "CREATE TABLE t (id integer, text text)",
            ";\n/* between; /* these */ ; */\n",
            "INSERT INTO t VALUES (1, E'it\\'s; one')",
            ";;\n ;",
            "INSERT INTO t VALUES (2, 'zwei ü; €') -- behind; it\n, (3, $x$; $$ ;$x$)",
            " \n;",
            "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM t; SELECT 1)",
            ";\n",
            "CREATE FUNCTION f() RETURNS integer BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END",
            ";",
            "VACUUM",
            ";\n",
            "SELECT 1",
            "",
        ]),
        Sheet::of(&[
            "",
            "COPY t FROM STDIN",
            ";\n",
            "1\ta; b\n2\t'c\n",
            "\\.\n",
            "SELECT 'ü'",
            "; -- the end",
        ]),
        Sheet::of(&[" \n;; -- nothing"]),
    ]
}

struct Psql {
    server: Arc<Postgres>,
}

impl Psql {
    fn ask(&self, database: &str, sql: &str) -> Result<String> {
        let rows = self.server.query(database, sql)?;
        Ok(rows.first().and_then(|row| row.first()).context("the server gave no row")?.clone())
    }
}

impl Outside for Psql {
    fn rows(&self, database: &str, table: &str) -> Result<Option<u64>> {
        let there = format!("SELECT to_regclass('{table}') IS NOT NULL");
        if self.ask(database, &there)? == "f" {
            return Ok(None);
        }
        Ok(Some(self.ask(database, &format!("SELECT count(*) FROM {table}"))?.parse()?))
    }

    fn kill(&self, session: &Identity) -> Result<()> {
        let ended =
            self.ask("postgres", &format!("SELECT pg_terminate_backend({}, 20000)", session.session))?;
        anyhow::ensure!(ended == "t", "the session {} does not end", session.session);
        Ok(())
    }

    fn is_running(&self, session: &Identity) -> Result<bool> {
        let asked = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {} AND state = 'active'",
            session.session
        );
        Ok(self.ask("postgres", &asked)? == "1")
    }

    /// A commit waits for a standby that there is not.
    fn hold_commits(&self, _database: &str, _table: &str) -> Result<Box<dyn Any>> {
        standby(&self.server, "nobody")?;
        let mut held = Held { server: Arc::clone(&self.server), probe: None };
        // The server takes its time to see a new setting; that a commit of ours waits shows that it has.
        while self.ask("postgres", WAITING)? == "0" {
            held.probe();
        }
        Ok(Box::new(held))
    }

    fn shows_labels(&self) -> bool {
        true
    }

    fn label(&self, session: &Identity, expected: &str) -> Result<bool> {
        let asked = format!("SELECT application_name FROM pg_stat_activity WHERE pid = {}", session.session);
        // The server keeps ASCII only.
        let kept: String =
            expected.bytes().map(|byte| if byte.is_ascii() { char::from(byte) } else { '?' }).collect();
        Ok(self.ask("postgres", &asked)? == kept)
    }
}

fn standby(server: &Postgres, name: &str) -> Result<()> {
    server.execute("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"))?;
    server.execute("postgres", "SELECT pg_reload_conf()")?;
    Ok(())
}

/// Whether a commit waits.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

struct Held {
    server: Arc<Postgres>,
    probe: Option<JoinHandle<()>>,
}

impl Held {
    /// Commits something, unless that is under way.
    fn probe(&mut self) {
        if self.probe.as_ref().is_some_and(|probe| !probe.is_finished()) {
            return;
        }
        let server = Arc::clone(&self.server);
        self.probe = Some(std::thread::spawn(move || {
            let sql = "SELECT pg_logical_emit_message(true, 'probe', '')";
            server.execute("postgres", sql).expect("a commit that waits is let go");
        }));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        standby(&self.server, "").expect("commits wait no longer");
        if let Some(probe) = self.probe.take() {
            probe.join().expect("the probe has ended");
        }
    }
}
