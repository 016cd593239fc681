//! SQLite: files in a temporary folder, looked at by the engine's own shell.

use super::{library, settings};
use anyhow::{Result, bail};
use runsheet_conformance::{Counted, Failing, Misplaced, Outside, Sheet, Statements, Target};
use runsheet_sdk::{Class, Identity};
use std::any::Any;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A target in a folder.
pub fn target(folder: &Path) -> Target {
    let directory = folder.display().to_string();
    Target {
        library: library("sqlite"),
        settings: settings(&[("directory", &directory), ("create", "true")]),
        required: vec!["directory"],
        refused: None,
        database: "one".to_owned(),
        second_database: "two".to_owned(),
        statements: statements(),
        sheets: sheets(),
        apart: Duration::from_millis(1100),
        patience: Duration::from_secs(20),
        outside: Box::new(Shell { folder: folder.to_path_buf() }),
    }
}

fn statements() -> Statements {
    let counted = |text, rows| Counted { text, rows, tag: Some("") };
    let failing = |text, class| Failing { text, class };
    Statements {
        create: "CREATE TABLE {table} (id INTEGER PRIMARY KEY, text VARCHAR(100))",
        insert: "INSERT INTO {table} VALUES ({id}, 'x')",
        counted: vec![
            counted("INSERT INTO {table} VALUES (101, 'a'), (102, 'b'), (103, 'c')", Some(3)),
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
            failing("INSERT OR ROLLBACK INTO {table} VALUES (1, 'again')", Class::Constraint),
            failing("INSERT OR FAIL INTO {table} VALUES (1, 'again')", Class::Constraint),
            failing("SELECT absent FROM {table}", Class::MissingObject),
            failing("SELECT * FROM {table}_nowhere", Class::MissingObject),
            failing("CREATE TABLE {table} (id INTEGER)", Class::AlreadyExists),
            failing("INSERT INTO {table} VALUE (2, 'x')", Class::Syntax),
        ],
        begin: "BEGIN",
        two: vec![
            "INSERT INTO {table} VALUES (201, 'x'); INSERT INTO {table} VALUES (202, 'x')",
            "INSERT INTO {table} VALUES (201, 'x'); -- one\nINSERT INTO {table} VALUES (202, 'x');",
            "INSERT INTO {table} VALUES (201, 'x'); nonsense",
        ],
        decorated: vec![
            "INSERT INTO {table} VALUES ({id}, 'x');",
            " \n INSERT INTO {table} VALUES ({id}, 'x') ; \n",
            "-- before; this\nINSERT INTO {table} VALUES ({id}, 'x')",
            "/* before; this */ INSERT INTO {table} /* and; this */ VALUES ({id}, 'x') -- after; this",
            "INSERT INTO {table} VALUES ({id}, 'x; y'); /* after; this */ -- and; this\n",
        ],
        misplaced: vec![
            Misplaced { text: "SELECT 'äöü€𝄞', absent", at: "absent" },
            Misplaced { text: "SELECT 'äöü€𝄞',\n  '€' FORM sqlite_schema x", at: "sqlite_schema" },
        ],
        notices: None,
        slow: "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000000000) SELECT count(*) FROM c",
        read_only: Some("PRAGMA query_only = on"),
        temporary: Some("CREATE TEMPORARY TABLE {table} (id INTEGER PRIMARY KEY, text VARCHAR(100))"),
        judged: vec![],
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
            ";\n/* between; these */\n",
            "INSERT INTO t VALUES (1, 'it''s; one')",
            ";;\n ;",
            "INSERT INTO t VALUES (2, \"zwei ü; €\") -- behind; it\n, (3, [x; y])",
            " \n;",
            "VACUUM",
            ";\n",
            "SELECT 1",
            "",
        ]),
        Sheet::of(&[
            "",
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN\n  UPDATE t SET id = 1; -- one\n  DELETE FROM t; END",
            ";\n",
            "SELECT 'ü'",
            "; -- the end",
        ]),
        Sheet::of(&[" \n;; -- nothing"]),
    ]
}

struct Shell {
    folder: PathBuf,
}

impl Shell {
    fn ask(&self, database: &str, sql: &str) -> Result<String> {
        let file = self.folder.join(format!("{database}.db"));
        let output = Command::new("sqlite3").args(["-batch", "-noheader"]).arg(file).arg(sql).output()?;
        if !output.status.success() {
            bail!("sqlite3: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Outside for Shell {
    fn rows(&self, database: &str, table: &str) -> Result<Option<u64>> {
        let there = format!("SELECT count(*) FROM sqlite_schema WHERE name = '{table}'");
        if self.ask(database, &there)? == "0" {
            return Ok(None);
        }
        Ok(Some(self.ask(database, &format!("SELECT count(*) FROM {table}"))?.parse()?))
    }

    fn can_kill(&self) -> bool {
        false
    }

    fn kill(&self, _session: &Identity) -> Result<()> {
        bail!("there is no server")
    }

    fn is_running(&self, _session: &Identity) -> Result<bool> {
        bail!("there is no server")
    }

    fn hold_commits(&self, _database: &str, _table: &str) -> Result<Box<dyn Any>> {
        bail!("there is no server")
    }

    fn shows_labels(&self) -> bool {
        false
    }

    fn label(&self, _session: &Identity, _expected: &str) -> Result<bool> {
        bail!("there is no server")
    }
}
