//! MariaDB and MySQL: servers of the test's own, looked at and reached into by the client `mariadb`.

use super::{library, settings};
use anyhow::{Context, Result, bail};
use runsheet_conformance::{Counted, Failing, Misplaced, Notices, Outside, Sheet, Statements, Target};
use runsheet_sdk::{Class, Identity};
use runsheet_test_servers::{Family, MySql, fresh_name};
use std::any::Any;
use std::fmt::Write;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the server is waited for.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A target on a server.
pub fn target(server: &'static MySql) -> Result<Target> {
    server.execute("", "CREATE USER IF NOT EXISTS refused IDENTIFIED BY 'another'")?;
    let (socket, port) = (server.socket().display().to_string(), server.port().to_string());
    // One of them by its socket, the other by its port and TLS.
    let place = match server.family() {
        Family::MariaDb => vec![("socket", socket.as_str())],
        Family::MySql => vec![("host", "127.0.0.1"), ("port", port.as_str()), ("tls", "require")],
    };
    let mut given = settings(&place);
    given.set("user", "root", false);
    let mut refused = settings(&place);
    refused.set("user", "refused", false);
    refused.set("password", "wrong horse 4711", true);
    Ok(Target {
        library: library("mysql"),
        settings: given,
        required: vec!["user"],
        refused: Some(refused),
        database: server.fresh_database()?,
        second_database: server.fresh_database()?,
        statements: statements(),
        sheets: sheets(),
        apart: Duration::from_millis(1100),
        patience: Duration::from_secs(20),
        outside: Box::new(Client { server }),
    })
}

/// A row whose text is cut off gives a warning with its number.
fn many_warnings(count: usize) -> String {
    let mut statement = "INSERT IGNORE INTO {table} VALUES ".to_owned();
    for id in 1..=count {
        let comma = if id == 1 { "" } else { "," };
        write!(statement, "{comma}({id}, repeat('x', 101))").expect("a text can be written to");
    }
    statement
}

fn statements() -> Statements {
    let counted = |text, rows| Counted { text, rows, tag: None };
    let failing = |text, class| Failing { text, class };
    Statements {
        create: "CREATE TABLE {table} (id INTEGER PRIMARY KEY, text VARCHAR(100)) ENGINE=InnoDB",
        insert: "INSERT INTO {table} VALUES ({id}, 'x')",
        counted: vec![
            Counted {
                text: "INSERT INTO {table} VALUES (101, 'a'), (102, 'b'), (103, 'c')",
                rows: Some(3),
                tag: Some("Records: 3  Duplicates: 0  Warnings: 0"),
            },
            counted("UPDATE {table} SET text = 'd' WHERE id > 101", Some(2)),
            counted("CREATE TABLE {table}_two (id INTEGER)", None),
            counted("UPDATE {table} SET text = 'e' WHERE id > 200", Some(0)),
            counted("SELECT * FROM {table}", None),
            counted("DELETE FROM {table}", Some(3)),
            counted("DROP TABLE {table}_two", None),
        ],
        failing: vec![
            failing("INSERT INTO {table} VALUES (1, 'again')", Class::Constraint),
            failing("INSERT INTO {table} VALUES (7, 'new'), (1, 'again')", Class::Constraint),
            failing("SELECT nothing FROM {table}", Class::MissingObject),
            failing("SELECT * FROM {table}_nowhere", Class::MissingObject),
            failing("INSERT INTO {table} VALUE (2, 'x') nonsense", Class::Syntax),
            failing("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213", Class::Deadlock),
        ],
        begin: "BEGIN",
        two: vec![
            "INSERT INTO {table} VALUES (201, 'x'); INSERT INTO {table} VALUES (202, 'x')",
            "INSERT INTO {table} VALUES (201, 'x'); -- one\nINSERT INTO {table} VALUES (202, 'x');",
            "INSERT INTO {table} VALUES (201, 'x'); nonsense",
            "INSERT INTO {table} VALUES (201, 'x') /*! ; INSERT INTO {table} VALUES (202, 'x') */",
        ],
        decorated: vec![
            "INSERT INTO {table} VALUES ({id}, 'x');",
            " \n INSERT INTO {table} VALUES ({id}, 'x') ; \n",
            "-- before; this\nINSERT INTO {table} VALUES ({id}, 'x')",
            "/* before; this */ INSERT INTO {table} /* and; this */ VALUES ({id}, 'x') # after; this",
            "INSERT INTO {table} VALUES ({id}, 'x; y'); /* after; this */ -- and; this\n",
            "/*!40000 INSERT INTO {table} VALUES ({id}, 'x; y') */;",
        ],
        misplaced: vec![
            Misplaced { text: "SELECT 'äöü€𝄞' oops oops2", at: "oops2" },
            Misplaced { text: "SELECT 'äöü€𝄞',\n  '€' FORM tables x", at: "tables" },
        ],
        notices: Some(Notices {
            before: vec!["SET SESSION max_error_count = 5000"],
            statement: many_warnings(1500),
            count: 1500,
        }),
        slow: "SELECT SLEEP(300) FROM (SELECT 1 UNION ALL SELECT 2) AS two",
        read_only: Some("SET SESSION TRANSACTION READ ONLY"),
        temporary: Some("CREATE TEMPORARY TABLE {table} (id INTEGER PRIMARY KEY, text VARCHAR(100))"),
        judged: vec![
            "CREATE INDEX {table}_index ON {table} (text)",
            "ALTER TABLE {table} ADD COLUMN more INTEGER",
        ],
        load: None,
        foreign_ledger: vec![
            "CREATE TABLE runsheet_ledger (id INTEGER)",
            "INSERT INTO runsheet_ledger VALUES (1)",
        ],
        ledger_table: "runsheet_ledger",
    }
}

fn sheets() -> Vec<Sheet> {
    vec![
        Sheet::of(&[
            "-- head; of the sheet\n\n",
            "CREATE TABLE t (id INTEGER, text TEXT)",
            ";\n/* between; these */ # and; these\n",
            "INSERT INTO t VALUES (1, 'it\\'s; one')",
            ";;\n ;",
            "INSERT INTO t VALUES (2, \"zwei ü; €\") -- behind; it\n, (3, 'x''; y')",
            " \n;",
            "/*!50000 SELECT `a;b` FROM t */",
            ";\n",
            "SELECT 1",
            "",
        ]),
        Sheet::with_bodies(&[
            "DELIMITER //\n",
            "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 'ü'; END",
            "//\n",
            "SELECT 2",
            " //\nDELIMITER ;\n",
            "SELECT 'ü'",
            "; -- the end",
        ]),
        Sheet::of(&[" \n;; -- nothing"]),
    ]
}

struct Client {
    server: &'static MySql,
}

fn ask(server: &MySql, database: &str, sql: &str) -> Result<String> {
    let rows = server.query(database, sql)?;
    Ok(rows.first().and_then(|row| row.first()).context("the server gave no row")?.clone())
}

fn wait_until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !holds()? {
        if begun.elapsed() > WAIT_MAX {
            bail!("it did not come to this: {what}");
        }
    }
    Ok(())
}

impl Outside for Client {
    fn rows(&self, database: &str, table: &str) -> Result<Option<u64>> {
        let there = format!(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = '{database}' AND table_name = '{table}'"
        );
        if ask(self.server, database, &there)? == "0" {
            return Ok(None);
        }
        Ok(Some(ask(self.server, database, &format!("SELECT count(*) FROM {table}"))?.parse()?))
    }

    fn kill(&self, session: &Identity) -> Result<()> {
        let number = &session.session;
        self.server.execute("", &format!("KILL {number}"))?;
        let asked = format!("SELECT count(*) FROM information_schema.processlist WHERE id = {number}");
        wait_until("the session is gone", || Ok(ask(self.server, "", &asked)? == "0"))
    }

    fn is_running(&self, session: &Identity) -> Result<bool> {
        let asked = format!(
            "SELECT count(*) FROM information_schema.processlist WHERE id = {} AND command = 'Query'",
            session.session
        );
        Ok(ask(self.server, "", &asked)? == "1")
    }

    /// Another session holds the lock that every commit needs.
    fn hold_commits(&self, _database: &str, _table: &str) -> Result<Box<dyn Any>> {
        let name = fresh_name("held");
        let server = self.server;
        let sql = format!("FLUSH TABLES WITH READ LOCK; SELECT SLEEP(600), '{name}'");
        // It ends by being killed.
        let thread = std::thread::spawn(move || drop(server.execute("", &sql)));
        let held = Held { server, name, thread: Some(thread) };
        wait_until("the lock is taken", || Ok(held.session()?.is_some()))?;
        Ok(Box::new(held))
    }

    fn shows_labels(&self) -> bool {
        false
    }

    fn label(&self, _session: &Identity, _expected: &str) -> Result<bool> {
        bail!("the server shows none")
    }
}

struct Held {
    server: &'static MySql,
    name: String,
    thread: Option<JoinHandle<()>>,
}

impl Held {
    fn session(&self) -> Result<Option<String>> {
        let asked = format!(
            "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(600), ''{}''%'",
            self.name
        );
        Ok(self.server.query("", &asked)?.first().and_then(|row| row.first()).cloned())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let session = self.session().expect("the server answers").expect("the lock's session is there");
        self.server.execute("", &format!("KILL {session}")).expect("the lock's session can be ended");
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the lock's client has ended");
        }
    }
}
