//! An error deep in a large sheet says what happened, where, what it means for the data and what to do; and once its cause is
//! repaired, a retry ends DONE with every row there once. On every engine.

mod site;

use anyhow::{Context, Result};
use runsheet_test_servers::shared;
use serde_json::Value;
use site::{Engine, Site, plan_of, task};
use std::fmt::Write;

const PLAN: &str = "projects/test/plans/errors";
/// Statements before the one that fails, besides the one that makes their table.
const ROWS: u64 = 800;
/// Stands in a fault where the error must be said to be.
const HERE: char = '¶';
/// What somebody has left in each database.
const LEFT: &str = "CREATE TABLE taken (id INTEGER PRIMARY KEY, note VARCHAR(100));
    INSERT INTO taken VALUES (7, 'left by somebody'), (70, NULL)";
const TABLE: &str = "CREATE TABLE filler (id INTEGER PRIMARY KEY, note VARCHAR(100));";

struct Case {
    name: &'static str,
    /// Statements of which one fails, with the place of the error in them.
    fault: String,
    /// Which of them it is, from 0.
    statement: u64,
    class: &'static str,
    message: &'static str,
    repair: Repair,
}

enum Repair {
    /// Only another sheet helps.
    Skip,
    /// This, and then a retry.
    By(&'static str),
}

fn case(name: &'static str, fault: &str, statement: u64, class: &'static str, message: &'static str) -> Case {
    Case { name, fault: fault.to_owned(), statement, class, message, repair: Repair::Skip }
}

impl Case {
    fn repaired_by(self, sql: &'static str) -> Self {
        Self { repair: Repair::By(sql), ..self }
    }

    /// The sheet, and the line and column of the place: the last statement, where the fault has none.
    fn sheet(&self) -> Result<(String, u64, u64)> {
        let mut sheet = format!("-- Ünï: a line of {ROWS} rows; and more\n{TABLE}\n");
        for row in 0..ROWS {
            writeln!(sheet, "INSERT INTO filler VALUES ({row}, 'ünï; -- {row}');")?;
        }
        let last = if self.fault.contains(HERE) { "" } else { "¶" };
        write!(sheet, "{}\n{last}INSERT INTO filler VALUES (5000, 'the last');\n", self.fault)?;
        let (before, _) = sheet.split_once(HERE).context("a place")?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Ok((sheet.replace(HERE, ""), line as u64, column as u64))
    }
}

const TAKE: &str = "DELETE FROM taken WHERE id = 7";
const MAKE: &str = "CREATE TABLE later (id INTEGER)";

/// Faults that every engine finds in the same place.
fn common() -> Vec<Case> {
    vec![
        case("syntax", "INSERT INTO filler\n  ¶VALEUS (90001, 'x');", 0, "syntax", "VALEUS"),
        case("constraint", "\n\n  ¶INSERT INTO taken\n  VALUES (7, 'ours');", 0, "constraint", "")
            .repaired_by(TAKE),
        case(
            "own-transaction",
            "BEGIN;\nINSERT INTO taken VALUES (8, 'ours');\n¶INSERT INTO taken VALUES (7, 'ours');\nCOMMIT;",
            2,
            "constraint",
            "",
        )
        .repaired_by(TAKE),
        case(
            "one-line",
            "INSERT INTO filler VALUES (6000, 'ünï;'); /* ü */ ¶INSERT INTO taken VALUES (7, 'ours');",
            1,
            "constraint",
            "",
        )
        .repaired_by(TAKE),
        case(
            "comment",
            "INSERT INTO filler\n  VALUES ¶/* never closed (6000, 'x');",
            0,
            "syntax",
            "the sheet ends inside",
        ),
    ]
}

fn of_postgres() -> Vec<Case> {
    let rows: String = (10_000..10_700).map(|row| format!("{row}\tgöod\n")).collect();
    let copied = |table: &str, row: &str| format!("COPY {table} FROM stdin;\n{rows}¶{row}\n20000\tgood\n\\.");
    let deferred = "CREATE TABLE child (id INTEGER REFERENCES taken DEFERRABLE INITIALLY DEFERRED);\n";
    vec![
        case("missing", "INSERT INTO filler\n  SELECT 1, 'ü' FROM ¶later;", 0, "missing object", "\"later\"")
            .repaired_by(MAKE),
        case(
            "block",
            "DO $x$\nDECLARE n int;\nBEGIN\n  n := 1;\n  ¶INSERT INTO taken VALUES (7, 'ours');\nEND $x$;",
            0,
            "constraint",
            "inline_code_block line 5 at SQL statement",
        )
        .repaired_by(TAKE),
        case("block-syntax", "DO $x$\nBEGIN\n  PERFORM 1;\n  ¶SELCT 2;\nEND $x$;", 0, "syntax", "SELCT"),
        case(
            "function",
            "CREATE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql AS $f$\nBEGIN\n  INSERT INTO taken VALUES (a);\n  RETURN a;\nEND $f$;\nSELECT f(8);\n¶SELECT\n  f(7);",
            2,
            "constraint",
            "PL/pgSQL function f(integer) line 3 at SQL statement",
        )
        .repaired_by(TAKE),
        case("copy-value", &copied("filler", "10700x\tbäd"), 0, "constraint", "\"10700x\""),
        case("copy-columns", &copied("filler", "10700"), 0, "constraint", "missing data for column"),
        case("copy-key", &copied("taken", "7\tours"), 0, "constraint", "already exists").repaired_by(TAKE),
        case("commit", &format!("{deferred}INSERT INTO child VALUES (9);"), 2, "constraint", "was not committed")
            .repaired_by("INSERT INTO taken VALUES (9)"),
        case(
            "own-commit",
            &format!("{deferred}BEGIN;\nINSERT INTO child VALUES (9);\nSELECT 1;\n¶COMMIT;"),
            4,
            "constraint",
            "(lines 804 to 807) was not committed",
        )
        .repaired_by("INSERT INTO taken VALUES (9)"),
        case(
            "alone",
            "CREATE TABLE other AS SELECT * FROM filler;\n¶CREATE UNIQUE INDEX CONCURRENTLY one ON taken ((id % 1));",
            1,
            "constraint",
            "could not create unique index",
        )
        .repaired_by("DELETE FROM taken WHERE id = 70; DROP INDEX IF EXISTS one"),
    ]
}

fn of_mysql() -> Vec<Case> {
    let procedure = "DELIMITER //\nCREATE PROCEDURE p(IN a INT) BEGIN\n  INSERT INTO taken VALUES (a, 'ours');\n  INSERT INTO taken VALUES (7, 'ours');\nEND//\nDELIMITER ;\n";
    vec![
        case("missing", "¶INSERT INTO filler\n  SELECT 1, 'ü' FROM later;", 0, "missing object", "later")
            .repaired_by(MAKE),
        case("end", "INSERT INTO filler\n  VALUES (90001, 'x'¶\n\n;", 0, "syntax", "near ''"),
        case("procedure", &format!("{procedure}¶CALL p(8);"), 1, "constraint", "'7'").repaired_by(TAKE),
        case(
            "procedure-syntax",
            &procedure.replace("  INSERT INTO taken VALUES (7", "  INSRT ¶INTO taken VALUES (7"),
            0,
            "syntax",
            "INTO taken",
        ),
        case(
            "definition",
            "ALTER TABLE filler ADD INDEX (note);\n¶ALTER TABLE taken ADD COLUMN note INT;",
            1,
            "already exists",
            "'note'",
        )
        .repaired_by("ALTER TABLE taken DROP COLUMN note"),
    ]
}

fn of_sqlite() -> Vec<Case> {
    vec![
        case("missing", "¶INSERT INTO filler\n  SELECT 1, 'ü' FROM later;", 0, "missing object", "later")
            .repaired_by(MAKE),
        case(
            "trigger",
            "CREATE TRIGGER refuses BEFORE UPDATE ON taken WHEN old.id = 7 BEGIN\n  SELECT 1;\n  SELECT RAISE(ABORT, 'not this; one');\nEND;\n¶UPDATE taken\n  SET note = 'ours';",
            1,
            "constraint",
            "not this; one",
        )
        .repaired_by(TAKE),
        case(
            "commit",
            "PRAGMA foreign_keys = ON;\nCREATE TABLE child (id INTEGER REFERENCES taken DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO child VALUES (9);",
            3,
            "constraint",
            "was not committed",
        )
        .repaired_by("INSERT INTO taken VALUES (9, 'theirs')"),
    ]
}

/// What was said of a failed task, against what must be.
fn assert_said(name: &str, case: &Case, plan: &Value) -> Result<()> {
    let run = &task(plan, case.name)["runs"][0];
    let (error, detail) = (&run["error"], run["detail"].as_str().unwrap_or_default());
    let what = format!("{name}, {}: {run:#}", case.name);
    assert_eq!(error["class"], case.class, "{what}");
    assert!(error["message"].as_str().unwrap_or_default().contains(case.message), "{what}");
    let statement = 1 + ROWS + case.statement + 1;
    assert_eq!(error["statement"], statement, "{what}");
    let (sheet, line, column) = case.sheet()?;
    assert_eq!(error["line"], line, "{what}");
    let shown = sheet.lines().nth(usize::try_from(line)? - 1).unwrap_or_default();
    if case.message.contains("not committed") {
        assert!(error["excerpt"].is_null(), "no statement of it is to blame: {what}");
    } else {
        let excerpt = error["excerpt"].as_str().unwrap_or_default();
        // Of a line with several statements it begins with the one that failed.
        let cut = excerpt.trim_start_matches('…');
        let begins = if cut == excerpt { shown.starts_with(cut) } else { shown.contains(cut) };
        assert!(!cut.is_empty() && begins, "{shown:?} in {what}");
        assert_eq!(error["column"], column, "{what}");
    }
    let in_or_not = detail.contains("taken effect") || detail.contains("Nothing of the sheet was run");
    assert!(in_or_not, "what it means for the data: {what}");
    let to_do = match case.repair {
        Repair::Skip => "skip this task",
        Repair::By(_) => "and retry",
    };
    assert!(detail.contains(to_do), "what to do: {what}");
    Ok(())
}

fn each_is_said_and_repaired(name: &str, engine: &Engine, mut cases: Vec<Case>) -> Result<()> {
    cases.extend(common());
    let mut site = Site::new("")?;
    let databases = site.path("databases");
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    site.write("config.toml", format!("{config}{}", engine.instance("main", &databases)))?;
    let mut placed = Vec::new();
    for case in cases {
        let database = engine.fresh_database()?;
        engine.query(&databases, &database, LEFT)?;
        site.drop_file(&format!("test/{}.sql", case.name), case.sheet()?.0)?;
        placed.push((format!("instances/main/databases/{database}"), database, case));
    }
    let specs: Vec<(&str, &str, &str)> =
        placed.iter().map(|(target, _, case)| (case.name, target.as_str(), case.name)).collect();
    site.drop_file("test/errors.plan.json", plan_of(&[&specs]))?;
    site.start()?;
    let plan = site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    for (_, database, case) in &placed {
        assert_said(name, case, &plan)?;
        let (word, repair) = match case.repair {
            Repair::Skip => ("skip", None),
            Repair::By(sql) => ("retry", Some(sql)),
        };
        if let Some(sql) = repair {
            engine.query(&databases, database, sql)?;
        }
        let said = site.run(&[word, &format!("{PLAN}/{}", case.name)])?;
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    let plan = site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{name}: {plan:#}");
    for (_, database, case) in placed.iter().filter(|(_, _, case)| matches!(case.repair, Repair::By(_))) {
        let rows = engine.number(&databases, database, "SELECT count(*) FROM filler WHERE id < 5001")?;
        assert_eq!(u64::try_from(rows)?, ROWS + 1, "{name}, {}", case.name);
    }
    Ok(())
}

#[test]
fn on_sqlite_each_error_is_said_with_its_place_and_repaired() -> Result<()> {
    each_is_said_and_repaired("sqlite", &Engine::Sqlite, of_sqlite())
}

#[test]
fn on_postgres_each_error_is_said_with_its_place_and_repaired() -> Result<()> {
    each_is_said_and_repaired("postgres", &Engine::Postgres(shared::postgres()), of_postgres())
}

#[test]
fn on_mariadb_each_error_is_said_with_its_place_and_repaired() -> Result<()> {
    each_is_said_and_repaired("mariadb", &Engine::MySql(shared::mariadb()), of_mysql())
}

#[test]
fn on_mysql_each_error_is_said_with_its_place_and_repaired() -> Result<()> {
    each_is_said_and_repaired("mysql", &Engine::MySql(shared::mysql()), of_mysql())
}

/// The lines of the log of one task that ran this sheet.
fn log_of(engine: &Engine, sheet: &str) -> Result<String> {
    let mut site = Site::new("")?;
    let databases = site.path("databases");
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    site.write("config.toml", format!("{config}{}", engine.instance("main", &databases)))?;
    let target = format!("instances/main/databases/{}", engine.fresh_database()?);
    site.drop_file("test/says.sql", sheet)?;
    site.drop_file("test/errors.plan.json", plan_of(&[&[("says", &target, "says")]]))?;
    site.start()?;
    let plan = site.wait_for(PLAN, &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}");
    Ok(String::from_utf8(site.run(&["log", &format!("{PLAN}/says")])?.stdout)?)
}

fn assert_in(log: &str, expected: &[&str]) {
    for words in expected {
        assert!(log.contains(words), "{words:?} is not in {log}");
    }
}

#[test]
fn notices_of_postgres_are_in_the_log_with_their_statement() -> Result<()> {
    let sheet = "CREATE TABLE t (id int);
DO $$ BEGIN
  RAISE NOTICE 'one; %', 1;
  RAISE WARNING 'be careful; ü' USING DETAIL = 'It is hot.', HINT = 'Wait.';
END $$;
CREATE TABLE IF NOT EXISTS t (id int);
DROP TABLE IF EXISTS nowhere;";
    let log = log_of(&Engine::Postgres(shared::postgres()), sheet)?;
    assert_in(
        &log,
        &[
            "2  NOTICE 00000: one; 1",
            "2  WARNING 01000: be careful; ü (It is hot.). Wait.",
            "3  NOTICE 42P07: relation \"t\" already exists, skipping",
            "4  NOTICE 00000: table \"nowhere\" does not exist, skipping",
        ],
    );
    Ok(())
}

#[test]
fn warnings_of_mariadb_and_mysql_are_in_the_log_with_their_statement() -> Result<()> {
    let sheet = "SET sql_mode = '';
CREATE TABLE t (id TINYINT, größe TINYINT);
INSERT INTO t VALUES (1000, 1);
DROP TABLE IF EXISTS nowhere;
SET NAMES latin1;
INSERT INTO t VALUES (1, 1000);
SELECT 1;
SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'be careful; now';";
    for (name, server) in [("mariadb", shared::mariadb()), ("mysql", shared::mysql())] {
        let log = log_of(&Engine::MySql(server), sheet)?;
        println!("{name}: {log}");
        assert_in(
            &log,
            &[
                "3  Warning 1264: Out of range value for column 'id' at row 1",
                "4  Note 1051: Unknown table",
                // In the character set that the sheet has asked for.
                "6  Warning 1264: Out of range value for column 'gr",
                "8  Warning 1642: be careful; now",
            ],
        );
    }
    Ok(())
}
