//! What `log` shows: every entry once, for people and for scripts, however many there are; and following that ends.

mod site;

use anyhow::Result;
use serde_json::{Value, json};
use site::{Engine, Said, Site, plan_of, program, task, until};
use std::process::{Command, Stdio};

const NORTH: &str = "instances/main/databases/north";
const SOUTH: &str = "instances/main/databases/south";

fn entries(said: &Said) -> Result<Vec<Value>> {
    Ok(said.out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

#[test]
fn each_statement_is_there_with_its_place_rows_and_time_and_so_is_the_one_that_failed() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    site.drop_file("shop/x.sql", "CREATE TABLE t (id INTEGER PRIMARY KEY);\n\nINSERT INTO t VALUES (1), (2);\nINSERT INTO t VALUES (1);\n")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "x")]]))?;
    site.start_with(&["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0);
    let all = entries(&site.say(&["log", "x", "--json"])?)?;
    let kinds: Vec<&str> = all.iter().filter_map(|entry| entry["entry"].as_str()).collect();
    assert_eq!(kinds, ["started", "statements", "statements", "rolledBack", "ended"]);
    for entry in &all {
        assert_eq!(
            json!([entry["plan"], entry["specId"], entry["target"], entry["attempt"]]),
            json!(["projects/shop/plans/x", "one", NORTH, 1])
        );
        assert!(
            entry["time"].as_str().is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok()),
            "{entry}"
        );
    }
    let second = &all[2];
    assert_eq!(
        json!([
            second["first"],
            second["last"],
            second["line"],
            second["kind"],
            second["affectedRows"],
            second["excerpt"]
        ]),
        json!([2, 2, 3, "dml", 2, "INSERT INTO t VALUES (1), (2)"])
    );
    assert!(second["micros"].is_u64(), "{second}");
    assert_eq!(all[4]["status"], "FAILED");
    let text = site.say(&["log", "x/one"])?.out;
    for words in [
        "projects/shop/plans/x/one on instances/main/databases/north, projects/test/sheets/x, try 1",
        "1  line 1  ddl",
        "2  line 3  dml",
        "2 rows  INSERT INTO t VALUES (1), (2)",
        "FAILED: statement 3, line 4: ",
        "UNIQUE constraint failed: t.id",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    Ok(())
}

#[test]
fn following_shows_each_entry_once_and_ends_with_the_plan() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    let held = site.hold("north")?;
    site.drop_file("shop/make.sql", "CREATE TABLE t (id INTEGER);\nINSERT INTO t VALUES (1);")?;
    site.drop_file("shop/fail.sql", "INSERT INTO t VALUES (nope);")?;
    site.drop_file(
        "shop/x.plan.json",
        plan_of(&[&[("one", NORTH, "make"), ("two", SOUTH, "make"), ("three", NORTH, "fail")]]),
    )?;
    site.start()?;
    until("one runs, two is done", || {
        let plan = site.plan("x").unwrap_or_default();
        Ok(task(&plan, "one")["status"] == "RUNNING" && task(&plan, "two")["status"] == "DONE")
    })?;
    let follow = |of: &str| {
        let mut command = Command::new(program());
        command.arg("--config").arg(site.path("config.toml")).args(["log", of, "--follow", "--json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    };
    let (plan, one_task) = (follow("x")?, follow("x/one")?);
    assert_eq!(site.say(&["cancel", "x/three", "--reason", "not today"])?.code, 0);
    drop(held);
    site.wait_for("x", &["CANCELED"])?;
    let followed = Said::of(plan.wait_with_output()?);
    assert_eq!((followed.code, followed.err.as_str()), (0, ""), "{followed:?}");
    let sorted = |mut entries: Vec<Value>| {
        entries.sort_by_key(Value::to_string);
        entries
    };
    let whole = site.say(&["log", "x", "--json"])?;
    assert_eq!(
        sorted(entries(&followed)?),
        sorted(entries(&whole)?),
        "nothing is lost and nothing comes twice"
    );
    assert!(followed.out.contains("not today"), "an operator's word comes too: {}", followed.out);

    let followed = Said::of(one_task.wait_with_output()?);
    assert_eq!(followed.code, 0, "{followed:?}");
    let whole = site.say(&["log", "x/one", "--json"])?;
    assert_eq!(sorted(entries(&followed)?), sorted(entries(&whole)?));
    assert!(!followed.out.contains("\"two\"") && !followed.out.contains("\"three\""), "{}", followed.out);
    // Nothing goes on in a plan that has ended.
    assert_eq!(site.say(&["log", "x", "--follow"])?.code, 0);
    Ok(())
}

#[test]
fn a_log_of_very_many_entries_comes_whole_and_in_order() -> Result<()> {
    let server = runsheet_test_servers::shared::postgres();
    let engine = Engine::Postgres(server);
    let mut site = Site::on(&engine, "")?;
    // As many notices as are kept of one run, and more runs than go into one answer of the daemon.
    let sheet = "DO $$ BEGIN FOR i IN 1..9000 LOOP RAISE NOTICE 'number %', i; END LOOP; END $$;";
    site.drop_file("shop/many.sql", sheet)?;
    let database = engine.fresh_database()?;
    let target = format!("instances/main/databases/{database}");
    let specs = ["a", "b", "c"].map(|spec| (spec, target.as_str(), "many"));
    site.drop_file("shop/x.plan.json", plan_of(&[&specs]))?;
    site.start()?;
    site.wait_for("x", &["DONE"])?;
    for daemon_runs in [true, false] {
        if !daemon_runs {
            site.kill();
        }
        let all = entries(&site.say(&["log", "x", "--json"])?)?;
        for spec in ["a", "b", "c"] {
            let messages: Vec<&str> = all
                .iter()
                .filter(|entry| entry["specId"] == spec && entry["entry"] == "notice")
                .filter_map(|entry| entry["message"].as_str())
                .collect();
            let wanted: Vec<String> = (1..=9000).map(|number| format!("number {number}")).collect();
            assert!(messages == wanted, "{spec}: {} notices came", messages.len());
        }
        assert_eq!(all.iter().filter(|entry| entry["entry"] == "ended").count(), 3);
    }
    let text = site.say(&["log", "x/b"])?.out;
    assert_eq!(text.matches("NOTICE 00000: number ").count(), 9000);
    Ok(())
}
