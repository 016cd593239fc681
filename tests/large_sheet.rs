//! Sheets that are read ahead and sent in batches: all of it comes in, in its order, also where a statement is larger than what is read at
//! once; and an error far behind is told with its line, its statement and its text, and undoes all.

mod site;

use anyhow::Result;
use runsheet_test_servers::shared;
use site::{Engine, Site, plan_of, task};
use std::fmt::Write;

/// Rows that a statement each puts in: some megabytes, of which one is read ahead of the other.
const ROWS: u64 = 20_000;
/// A statement that is larger than what is read at once.
const LONG: usize = 3_000_000;

/// Rows of every length, one of them long, and what is behind the last.
fn sheet(engine: &Engine, behind: &str) -> Result<String> {
    let text = if matches!(engine, Engine::MySql(_)) { "LONGTEXT" } else { "TEXT" };
    let mut sheet = format!("CREATE TABLE big (id INTEGER, note {text});\n");
    for row in 0..ROWS {
        let length = if row == ROWS / 2 { LONG } else { usize::try_from(row * row % 150)? };
        writeln!(sheet, "INSERT INTO big VALUES ({row}, 'ä; -- {}');", "x".repeat(length))?;
    }
    sheet.push_str(behind);
    Ok(sheet)
}

fn dropped(engine: &Engine, database: &str, sheet: &str) -> Result<Site> {
    let mut site = Site::on(engine, "")?;
    let target = format!("instances/main/databases/{database}");
    site.drop_file("test/large.sql", sheet)?;
    site.drop_file("test/x.plan.json", plan_of(&[&[("large", &target, "large")]]))?;
    site.start()?;
    Ok(site)
}

#[test]
fn a_large_sheet_comes_in_whole_and_in_order() -> Result<()> {
    for (name, engine) in Engine::all() {
        let database = engine.fresh_database()?;
        let site = dropped(&engine, &database, &sheet(&engine, "UPDATE big SET id = id + 1;\n")?)?;
        let plan = site.wait_for("x", &["DONE", "FAILED"])?;
        assert_eq!(plan["status"], "DONE", "{name}: {plan:#}");
        let large = &task(&plan, "large")["runs"][0];
        assert_eq!(large["statementsDone"], ROWS + 2, "{name}: {large:#}");
        let number = |sql: &str| engine.number(&site.path("databases"), &database, sql);
        let rows = i64::try_from(ROWS)?;
        assert_eq!(number("SELECT count(DISTINCT id) FROM big")?, rows, "{name}");
        assert_eq!(number("SELECT sum(id) FROM big")?, rows * (rows + 1) / 2, "{name}");
        let long = i64::try_from(LONG)?;
        assert_eq!(
            number("SELECT max(length(note)) FROM big WHERE note LIKE 'ä%'")? / 1000,
            long / 1000,
            "{name}"
        );
    }
    Ok(())
}

#[test]
fn an_error_far_behind_is_told_with_its_place_and_undoes_all() -> Result<()> {
    for (name, engine) in Engine::all() {
        let database = engine.fresh_database()?;
        let behind = "INSERT INTO big VALUES (1,\n  nonsense);\nINSERT INTO big VALUES (2, 'behind it');\n";
        let site = dropped(&engine, &database, &sheet(&engine, behind)?)?;
        let plan = site.wait_for("x", &["DONE", "FAILED"])?;
        assert_eq!(plan["status"], "FAILED", "{name}: {plan:#}");
        let error = &task(&plan, "large")["runs"][0]["error"];
        assert_eq!(error["statement"], ROWS + 2, "{name}: {error:#}");
        // MySQL and MariaDB say the place of syntax errors only: then it is the statement's beginning.
        let line = error["line"].as_u64().unwrap_or_default();
        assert!(line == ROWS + 2 || line == ROWS + 3, "{name}: {error:#}");
        assert!(error.to_string().contains("nonsense"), "{name}: {error:#}");
        let tables = match engine {
            Engine::Postgres(_) => "SELECT count(*) FROM pg_class WHERE relname = 'big'",
            Engine::Sqlite => "SELECT count(*) FROM sqlite_schema WHERE name = 'big'",
            // CREATE TABLE has committed by itself; the rows have not.
            Engine::MySql(_) => "SELECT count(*) FROM big",
        };
        assert_eq!(engine.number(&site.path("databases"), &database, tables)?, 0, "{name}");
    }
    Ok(())
}

/// What the server says of a statement in the middle of a batch.
#[test]
fn what_a_server_says_in_a_large_sheet_is_told_with_its_statement() -> Result<()> {
    let rows = |from: u64| -> String {
        (from..from + 300).map(|id| format!("INSERT INTO t VALUES ({id});\n")).collect()
    };
    let postgres =
        format!("CREATE TABLE t (id INTEGER);\n{}DROP TABLE IF EXISTS nowhere;\n{}", rows(0), rows(300));
    let mysql = format!(
        "CREATE TABLE t (id INTEGER);\n{}INSERT INTO t VALUES (1), ('x');\n{}INSERT IGNORE INTO t VALUES ('y');\n",
        rows(0),
        rows(300)
    );
    let mysql = mysql.replace("INSERT INTO t VALUES (1), ('x')", "INSERT IGNORE INTO t VALUES (1), ('x')");
    let engines = [
        (
            Engine::Postgres(shared::postgres()),
            postgres,
            vec!["302  NOTICE 00000: table \"nowhere\" does not exist, skipping"],
        ),
        (Engine::MySql(shared::mariadb()), mysql.clone(), vec!["302  Warning", "603  Warning 1366: "]),
        (Engine::MySql(shared::mysql()), mysql, vec!["302  Warning", "603  Warning 1366: "]),
    ];
    for (engine, sheet, said) in engines {
        let site = dropped(&engine, &engine.fresh_database()?, &sheet)?;
        let plan = site.wait_for("x", &["DONE", "FAILED"])?;
        assert_eq!(plan["status"], "DONE", "{plan:#}");
        let log = site.say(&["log", "x/large"])?.out;
        for words in said {
            assert!(log.contains(words), "{words:?} is not in {log}");
        }
    }
    Ok(())
}

/// What could not be undone is recorded before it is sent; here it never is, because a statement that goes before it fails.
#[test]
fn nobody_is_asked_of_a_statement_that_stood_behind_the_one_that_failed() -> Result<()> {
    // MySQL with GTIDs refuses both kinds of tables in one transaction.
    let engine = Engine::MySql(shared::mariadb());
    let database = engine.fresh_database()?;
    let folder = std::path::Path::new("");
    engine.query(folder, &database, "CREATE TABLE safe (id INTEGER PRIMARY KEY) ENGINE=InnoDB")?;
    engine.query(folder, &database, "CREATE TABLE loose (id INTEGER) ENGINE=MyISAM")?;
    engine.query(folder, &database, "INSERT INTO safe VALUES (200)")?;
    let mut sheet: String = (0..300).map(|id| format!("INSERT INTO safe VALUES ({id});\n")).collect();
    // In the batch of the one that fails.
    sheet = sheet.replace("(200);\n", "(200);\nINSERT INTO loose VALUES (1);\n");
    let mut site = Site::on(&engine, "")?;
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    site.write("config.toml", config + "non_transactional_dml = \"allow\"\n")?;
    let target = format!("instances/main/databases/{database}");
    site.drop_file("test/large.sql", sheet)?;
    site.drop_file("test/x.plan.json", plan_of(&[&[("large", &target, "large")]]))?;
    site.start()?;
    let plan = site.wait_for("x", &["DONE", "FAILED", "BLOCKED"])?;
    let run = &task(&plan, "large")["runs"][0];
    assert_eq!(run["error"]["statement"], 201, "{run:#}");
    assert!(!run["detail"].to_string().contains("knows no transactions"), "{run:#}");
    engine.query(folder, &database, "DELETE FROM safe")?;
    site.say(&["retry", "x/large"])?;
    let plan = site.wait_for("x", &["DONE", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}");
    assert_eq!(engine.number(folder, &database, "SELECT count(*) FROM safe")?, 300);
    assert_eq!(engine.number(folder, &database, "SELECT count(*) FROM loose")?, 1);
    Ok(())
}
