//! Schema versions: one that is in a database already is not run twice, other bytes under its name are refused, and lower ones
//! come first.

mod site;

use anyhow::Result;
use serde_json::{Value, json};
use site::{Engine, Site, task, until};

/// A plan of one step whose specs are (id, database, sheet, version).
fn versions(specs: &[(&str, &str, &str, &str)]) -> String {
    let specs: Vec<Value> = specs
        .iter()
        .map(|(id, database, sheet, version)| {
            json!({ "id": id, "changeDatabaseConfig": {
                "target": format!("instances/main/databases/{database}"),
                "sheet": format!("projects/shop/sheets/{sheet}"), "type": "MIGRATE", "schemaVersion": version } })
        })
        .collect();
    json!({ "steps": [{ "specs": specs }] }).to_string()
}

/// A sheet that would be seen if it ran twice.
const FILL: &str = "CREATE TABLE IF NOT EXISTS t (id INTEGER);\nINSERT INTO t VALUES (1);\n";

#[test]
fn a_version_that_is_in_a_database_is_not_run_again_on_any_engine() -> Result<()> {
    for (name, engine) in Engine::all() {
        let mut site = Site::on(&engine, "")?;
        let database = engine.fresh_database()?;
        let databases = site.path("databases");
        let rows = || engine.number(&databases, &database, "SELECT count(*) FROM t");
        site.drop_file("shop/fill.sql", FILL)?;
        // The same bytes under another name are the same sheet.
        site.drop_file("shop/copy.sql", FILL)?;
        site.drop_file("shop/other.sql", "INSERT INTO t VALUES (2);\n")?;
        site.drop_file("shop/first.plan.json", versions(&[("one", &database, "fill", "1.10")]))?;
        site.start()?;
        site.wait_for("first", &["DONE"])?;
        assert_eq!(rows()?, 1, "{name}");

        // `1.10.0` and `01.10` are the same number, written differently.
        for (plan, sheet, version) in
            [("again", "fill", "1.10"), ("copy", "copy", "1.10"), ("zeros", "fill", "01.10.0")]
        {
            site.drop_file(
                &format!("shop/{plan}.plan.json"),
                versions(&[("two", &database, sheet, version)]),
            )?;
            let done = site.wait_for(plan, &["DONE", "FAILED", "BLOCKED"])?;
            let run = &task(&done, "two")["runs"][0];
            assert_eq!((&done["status"], rows()?), (&json!("DONE"), 1), "{name}, {plan}: {done:#}");
            assert_eq!(run["statementsDone"], 0, "{name}, {plan}: {run:#}");
            let why = run["detail"].as_str().unwrap_or_default();
            for words in ["Not run", version, "plan projects/shop/plans/first, spec one"] {
                assert!(why.contains(words), "{name}, {plan}: {words:?} is not in {why:?}");
            }
            let text = site.say(&["status", plan])?.out;
            assert!(text.contains(why), "{name}: {text}");
        }

        site.drop_file("shop/fails.plan.json", versions(&[("three", &database, "other", "1.10")]))?;
        let failed = site.wait_for("fails", &["DONE", "FAILED", "BLOCKED"])?;
        let run = &task(&failed, "three")["runs"][0];
        assert_eq!((&failed["status"], rows()?), (&json!("FAILED"), 1), "{name}: {failed:#}");
        assert_eq!(run["error"]["class"], "schema version", "{name}: {run:#}");
        let message = run["error"]["message"].as_str().unwrap_or_default();
        for words in ["1.10", "projects/shop/sheets/fill", "projects/shop/sheets/other", "plans/first"] {
            assert!(message.contains(words), "{name}: {words:?} is not in {message:?}");
        }
        // A version that is not in yet runs, and so does the same one in another database.
        let other = engine.fresh_database()?;
        site.drop_file(
            "shop/more.plan.json",
            versions(&[("four", &database, "other", "1.11"), ("five", &other, "fill", "1.10")]),
        )?;
        site.wait_for("more", &["DONE"])?;
        assert_eq!((rows()?, engine.number(&databases, &other, "SELECT count(*) FROM t")?), (2, 1), "{name}");
    }
    Ok(())
}

#[test]
fn lower_versions_come_first_on_their_database() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    for version in ["1.2", "1.9", "1.10"] {
        let text = format!(
            "CREATE TABLE IF NOT EXISTS seen (version TEXT);\nINSERT INTO seen VALUES ('{version}');"
        );
        site.drop_file(&format!("shop/v{version}.sql"), &text)?;
    }
    let specs = [
        ("ten", "north", "v1.10", "1.10"),
        ("nine", "north", "v1.9", "1.9"),
        ("two", "north", "v1.2", "1.2"),
        ("else", "south", "v1.10", "1.10"),
    ];
    let held = site.hold("north")?;
    site.drop_file("shop/x.plan.json", versions(&specs))?;
    site.start()?;
    until("the other database waits for nobody", || {
        Ok(site.plan("x").is_ok_and(|plan| task(&plan, "else")["status"] == "DONE"))
    })?;
    let plan = site.plan("x")?;
    assert_eq!(task(&plan, "two")["status"], "RUNNING", "{plan:#}");
    // The lowest that is not finished is what is waited for.
    let waiting = json!({ "cause": "VERSION", "on": ["two"], "until": null });
    assert_eq!(task(&plan, "nine")["waiting"], waiting, "{plan:#}");
    assert_eq!(task(&plan, "ten")["waiting"], waiting, "{plan:#}");
    let text = site.say(&["status", "x"])?.out;
    assert!(text.contains("waits for the lower schema version of two"), "{text}");
    drop(held);
    site.wait_for("x", &["DONE"])?;
    let seen =
        Engine::Sqlite.query(&site.path("databases"), "north", "SELECT version FROM seen ORDER BY rowid")?;
    assert_eq!(seen.concat(), ["1.2", "1.9", "1.10"]);
    Ok(())
}

#[test]
fn a_failed_version_holds_the_higher_ones_until_it_is_skipped() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    site.drop_file("shop/bad.sql", "INSERT INTO nowhere VALUES (1);")?;
    site.drop_file("shop/fill.sql", FILL)?;
    site.drop_file(
        "shop/x.plan.json",
        versions(&[("ten", "north", "fill", "1.10"), ("nine", "north", "bad", "1.9")]),
    )?;
    site.start()?;
    let blocked = site.wait_for("x", &["BLOCKED", "DONE", "FAILED"])?;
    assert_eq!(blocked["status"], "BLOCKED", "{blocked:#}");
    assert_eq!(task(&blocked, "ten")["waiting"]["on"], json!(["nine"]), "{blocked:#}");
    assert_eq!(site.say(&["skip", "x/nine"])?.code, 0);
    site.wait_for("x", &["DONE"])?;
    Ok(())
}
