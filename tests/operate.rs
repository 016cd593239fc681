//! An operator's words: retry, skip and cancel, of a plan and of a task, each with its reason in the audit log; whom a short
//! name means; and what is refused.

mod site;

use anyhow::Result;
use serde_json::Value;
use site::{Engine, Said, Site, plan_of, task, until};

const NORTH: &str = "instances/main/databases/north";
const SOUTH: &str = "instances/main/databases/south";

/// A sheet that fails until the table is there.
const NEEDS_TABLE: &str = "INSERT INTO t VALUES (1);";
/// A statement that does not end by itself.
const ENDLESS: &str =
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c;";

fn sqlite() -> Result<Site> {
    Site::on(&Engine::Sqlite, "")
}

/// Makes the table that [`NEEDS_TABLE`] needs, by the engine's own client.
fn make_table(site: &Site, database: &str) -> Result<()> {
    Engine::Sqlite.query(&site.path("databases"), database, "CREATE TABLE t (id INTEGER)")?;
    Ok(())
}

fn rows(site: &Site, database: &str) -> Result<i64> {
    Engine::Sqlite.number(&site.path("databases"), database, "SELECT count(*) FROM t")
}

fn status(site: &Site, plan: &str, spec: &str) -> Result<Value> {
    Ok(task(&site.plan(plan)?, spec)["status"].clone())
}

fn assert_said(said: &Said, code: i32, words: &[&str]) {
    let text = format!("{}{}", said.out, said.err);
    assert_eq!(said.code, code, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn a_failed_plan_runs_again_after_its_end_and_after_a_restart() -> Result<()> {
    let mut site = sqlite()?;
    site.drop_file("shop/needs.sql", NEEDS_TABLE)?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "needs"), ("two", SOUTH, "needs")]]))?;
    site.start()?;
    let first = site.wait_for("x", &["FAILED", "BLOCKED"])?;
    assert_eq!(first["status"], "FAILED", "nothing is left to run: {first:#}");

    // What makes no sense changes nothing, not even the time of the end.
    assert_said(&site.say(&["cancel", "x/one"])?, 2, &["makes no sense", "FAILED"]);
    assert_eq!(site.plan("x")?["endTime"], first["endTime"]);

    make_table(&site, "north")?;
    assert_said(&site.say(&["retry", "x/one"])?, 0, &["projects/shop/plans/x/one runs again"]);
    until("one is done", || Ok(status(&site, "x", "one")? == "DONE"))?;
    let plan = site.wait_for("x", &["FAILED"])?;
    assert_eq!(task(&plan, "one")["runs"][1]["attempt"], 2, "{plan:#}");
    assert_eq!(task(&plan, "two")["runs"].as_array().map(Vec::len), Some(1), "only what was named: {plan:#}");

    site.kill();
    make_table(&site, "south")?;
    site.start()?;
    until("the daemon answers", || {
        Ok(site.say(&["retry", "x", "--reason", "the table is there"])?.code == 0)
    })?;
    site.wait_for("x", &["DONE"])?;
    assert_eq!((rows(&site, "north")?, rows(&site, "south")?), (1, 1));
    Ok(())
}

#[test]
fn a_skipped_task_frees_its_dependants_and_the_next_stage() -> Result<()> {
    let mut site = sqlite()?;
    site.drop_file("shop/needs.sql", NEEDS_TABLE)?;
    site.drop_file("shop/make.sql", "CREATE TABLE made (id INTEGER);")?;
    let text = plan_of(&[&[("one", NORTH, "needs"), ("two", SOUTH, "make")], &[("three", NORTH, "make")]]);
    let mut plan: Value = serde_json::from_str(&text)?;
    plan["steps"][0]["specs"][1]["dependsOnSpecs"] = serde_json::json!(["one"]);
    site.drop_file("shop/x.plan.json", plan.to_string())?;
    site.start()?;
    let blocked = site.wait_for("x", &["BLOCKED"])?;
    assert_eq!(task(&blocked, "two")["waiting"]["on"][0], "one", "{blocked:#}");
    assert_said(&site.say(&["skip", "x", "--reason", "made by hand"])?, 0, &["x/one is skipped"]);
    let done = site.wait_for("x", &["DONE"])?;
    assert_eq!(task(&done, "one")["status"], "SKIPPED", "{done:#}");
    assert_eq!(task(&done, "three")["status"], "DONE", "{done:#}");
    Ok(())
}

#[test]
fn a_canceled_statement_ends_at_once_and_leaves_nothing() -> Result<()> {
    let mut site = sqlite()?;
    site.drop_file("shop/endless.sql", format!("CREATE TABLE t (id INTEGER);\n{ENDLESS}"))?;
    site.drop_file("shop/after.sql", "CREATE TABLE after (id INTEGER);")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("run", NORTH, "endless"), ("wait", NORTH, "after")]]))?;
    site.start()?;
    until("the statement runs", || {
        Ok(site.plan("x").is_ok_and(|plan| task(&plan, "run")["progress"]["statement"] == 2))
    })?;
    let said = site.say(&["cancel", "x", "--reason", "wrong window"])?;
    assert_said(&said, 0, &["x/run is being stopped", "x/wait is canceled"]);
    let plan = site.wait_for("x", &["CANCELED"])?;
    for spec in ["run", "wait"] {
        assert_eq!(task(&plan, spec)["status"], "CANCELED", "{plan:#}");
    }
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('t', 'after')";
    assert_eq!(Engine::Sqlite.number(&site.path("databases"), "north", tables)?, 0);
    // A canceled task may be run again, and another one skipped.
    assert_said(&site.say(&["skip", "x/run"])?, 0, &[]);
    assert_said(&site.say(&["retry", "x/wait"])?, 0, &[]);
    site.wait_for("x", &["DONE"])?;
    assert_eq!(Engine::Sqlite.number(&site.path("databases"), "north", tables)?, 1);
    Ok(())
}

#[test]
fn a_canceled_task_waits_for_nothing_and_holds_the_next_stage() -> Result<()> {
    let mut site = sqlite()?;
    let held = site.hold("north")?;
    site.drop_file("shop/make.sql", "CREATE TABLE made (id INTEGER);")?;
    site.drop_file(
        "shop/x.plan.json",
        plan_of(&[&[("one", NORTH, "make"), ("two", NORTH, "make")], &[("three", SOUTH, "make")]]),
    )?;
    site.start()?;
    until("one runs", || Ok(site.plan("x").is_ok_and(|plan| task(&plan, "one")["status"] == "RUNNING")))?;
    assert_said(&site.say(&["cancel", "x/two"])?, 0, &["x/two is canceled"]);
    assert_eq!(status(&site, "x", "two")?, "CANCELED");
    drop(held);
    let plan = site.wait_for("x", &["BLOCKED"])?;
    assert_eq!(task(&plan, "one")["status"], "DONE", "its sibling goes on: {plan:#}");
    assert_eq!(task(&plan, "three")["waiting"]["cause"], "STAGE", "{plan:#}");
    Ok(())
}

#[test]
fn a_plan_that_waits_for_sheets_is_given_up_and_never_runs_without_them() -> Result<()> {
    let mut site = sqlite()?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make"), ("two", SOUTH, "other")]]))?;
    site.drop_file("shop/make.sql", "CREATE TABLE t (id INTEGER);")?;
    site.start()?;
    site.wait_for("x", &["WAITING_FOR_SHEETS"])?;
    for order in ["retry", "skip"] {
        assert_said(&site.say(&[order, "x"])?, 2, &["still waits for sheets", "runsheet cancel"]);
    }
    assert_said(&site.say(&["cancel", "x/one"])?, 2, &["still waits for sheets"]);
    let plan = site.plan("x")?;
    assert_eq!(plan["status"], "WAITING_FOR_SHEETS", "what was refused changed nothing: {plan:#}");
    assert_eq!(task(&plan, "one")["status"], "NOT_STARTED", "{plan:#}");

    assert_said(&site.say(&["cancel", "x", "--reason", "the sheet is lost"])?, 0, &["x is canceled"]);
    site.drop_file("shop/other.sql", "CREATE TABLE t (id INTEGER);")?;
    // A second plan that is taken in later shows that the inbox has looked at the sheet.
    site.drop_file("shop/y/plan.json", plan_of(&[&[("one", SOUTH, "other")]]))?;
    site.drop_file("shop/y/other.sql", "CREATE TABLE t (id INTEGER);")?;
    site.wait_for("y", &["DONE"])?;
    let plan = site.plan("x")?;
    assert_eq!(plan["status"], "CANCELED", "{plan:#}");
    assert_eq!(task(&plan, "two")["runs"], serde_json::json!([]), "{plan:#}");
    assert_said(&site.say(&["retry", "x"])?, 2, &["another name"]);
    assert_said(&site.say(&["log", "x"])?, 0, &["cancel", "the sheet is lost"]);
    Ok(())
}

#[test]
fn who_said_what_and_why_stays_in_the_audit_log() -> Result<()> {
    let mut site = sqlite()?;
    site.drop_file("shop/needs.sql", NEEDS_TABLE)?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "needs"), ("two", SOUTH, "needs")]]))?;
    site.start()?;
    site.wait_for("x", &["FAILED"])?;
    assert_said(&site.say(&["skip", "x/two", "--reason", "south is retired"])?, 0, &[]);
    assert_said(&site.say(&["retry", "x", "--reason", "once more"])?, 0, &[]);
    // A refused word is nobody's deed.
    assert_said(&site.say(&["retry", "x/two", "--reason", "never said"])?, 2, &[]);
    site.wait_for("x", &["FAILED"])?;
    site.kill();

    let user = String::from_utf8(std::process::Command::new("id").arg("-un").output()?.stdout)?;
    let text = site.say(&["log", "x"])?.out;
    for words in ["skip two", "south is retired", "retry ", "once more", user.trim()] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    assert!(!text.contains("never said"), "{text}");
    let lines = site.say(&["log", "x", "--json"])?.out;
    let entries: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let said: Vec<&Value> = entries.iter().filter(|entry| entry["entry"] == "operator").collect();
    assert_eq!(said.len(), 2, "{lines}");
    assert_eq!(
        (&said[0]["action"], &said[0]["specId"], &said[0]["reason"], &said[0]["plan"]),
        (&"skip".into(), &"two".into(), &"south is retired".into(), &"projects/shop/plans/x".into())
    );
    assert_eq!((&said[1]["action"], &said[1]["specId"]), (&"retry".into(), &Value::Null));
    Ok(())
}

#[test]
fn a_short_name_means_one_plan_or_task_or_says_which_it_may_mean() -> Result<()> {
    let mut site = sqlite()?;
    for plan in ["add-index", "add-column", "index"] {
        site.drop_file(
            &format!("shop/{plan}/make.sql"),
            format!("-- {plan}\nCREATE TABLE IF NOT EXISTS t (id INTEGER);"),
        )?;
        let specs = [("aa-one", NORTH, plan), ("aa-two", SOUTH, plan), ("b", SOUTH, plan)];
        site.drop_file(&format!("shop/{plan}/{plan}.sql"), "CREATE TABLE IF NOT EXISTS t (id INTEGER);")?;
        site.drop_file(&format!("shop/{plan}/plan.json"), plan_of(&[&specs]))?;
    }
    site.start_with(&["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0);
    for (name, plan) in [
        ("projects/shop/plans/add-index", "add-index"),
        ("add-index", "add-index"),
        ("add-c", "add-column"),
        // A whole last part wins over those that only begin so.
        ("index", "index"),
        ("add-index/b", "add-index"),
    ] {
        assert_eq!(site.plan(name)?["plan"], format!("projects/shop/plans/{plan}"), "{name}");
    }
    assert_said(
        &site.say(&["status", "add"])?,
        2,
        &["more than one plan", "plans/add-index", "plans/add-column"],
    );
    assert_said(&site.say(&["log", "add-index/aa"])?, 2, &["more than one task", "aa-one", "aa-two"]);
    assert_said(&site.say(&["log", "add-index/aa-t"])?, 0, &["projects/shop/plans/add-index/aa-two"]);
    assert_said(&site.say(&["status", "nope"])?, 2, &["no plan or task \"nope\"", "runsheet status"]);
    assert_said(&site.say(&["log", "add-index/zz"])?, 2, &["no task \"zz\"", "runsheet status"]);
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason_and_changes_nothing() -> Result<()> {
    let mut site = sqlite()?;
    let held = site.hold("south")?;
    site.drop_file("shop/make.sql", "CREATE TABLE t (id INTEGER);")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("done", NORTH, "make"), ("runs", SOUTH, "make")]]))?;
    site.start()?;
    until("one is done and the other runs", || {
        let plan = site.plan("x").unwrap_or_default();
        Ok(task(&plan, "done")["status"] == "DONE" && task(&plan, "runs")["status"] == "RUNNING")
    })?;
    let before = site.plan("x")?["stages"][0]["tasks"][0].clone();
    for (words, why) in [
        (&["retry", "x/done"][..], "makes no sense for a task that is DONE"),
        (&["skip", "x/done"], "makes no sense for a task that is DONE"),
        (&["cancel", "x/done"], "makes no sense for a task that is DONE"),
        (&["resolve", "x/done", "--applied"], "makes no sense for a task that is DONE"),
        (&["retry", "x/runs"], "RUNNING; cancel it first"),
        (&["skip", "x/runs"], "RUNNING; cancel it first"),
        (&["retry", "x"], "no task of the plan is FAILED or CANCELED"),
        (&["skip", "x"], "no task of the plan is FAILED or CANCELED"),
        (&["resolve", "x", "--applied"], "name the task"),
    ] {
        assert_said(&site.say(words)?, 2, &[why]);
    }
    assert_eq!(site.plan("x")?["stages"][0]["tasks"][0], before);
    drop(held);
    site.wait_for("x", &["DONE"])?;
    Ok(())
}

#[test]
fn an_operators_word_needs_a_daemon() -> Result<()> {
    let mut site = sqlite()?;
    site.drop_file("shop/needs.sql", NEEDS_TABLE)?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "needs")]]))?;
    site.start_with(&["--until-idle"])?;
    site.wait_for_end()?;
    for words in [&["retry", "x"][..], &["skip", "x"], &["cancel", "x"], &["resolve", "x/one", "--applied"]] {
        assert_said(&site.say(words)?, 3, &["no daemon answers", "runsheet daemon"]);
    }
    assert_eq!(site.plan("x")?["status"], "FAILED");
    Ok(())
}
