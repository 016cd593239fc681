//! Whoever waits has a cause, and `status` says the true one: on the screen, in JSON and in the result.

mod site;

use anyhow::Result;
use serde_json::{Value, json};
use site::{Engine, Site, plan_of, task, until};

const NORTH: &str = "instances/main/databases/north";
const SOUTH: &str = "instances/main/databases/south";

fn site(sections: &str) -> Result<Site> {
    let site = Site::on(&Engine::Sqlite, sections)?;
    site.drop_file("shop/make.sql", "CREATE TABLE IF NOT EXISTS made (id INTEGER);")?;
    site.drop_file("shop/fail.sql", "INSERT INTO nowhere VALUES (1);")?;
    Ok(site)
}

/// Waits until a task waits for this cause; its row on the screen must have these words.
fn waits(site: &Site, plan: &str, spec: &str, cause: &str, words: &str) -> Result<Value> {
    let mut seen = Value::Null;
    until(&format!("{plan}/{spec} waits for {cause}"), || {
        seen = site.plan(plan).map(|plan| task(&plan, spec)["waiting"].clone()).unwrap_or_default();
        Ok(seen["cause"] == cause)
    })?;
    let said = site.say(&["status", plan])?;
    let row = said.out.lines().find(|line| line.split_whitespace().nth(1) == Some(spec)).unwrap_or_default();
    assert!(row.contains(words), "{words:?} is not in the row of {spec}: {}", said.out);
    Ok(seen)
}

/// The same cause in `result.json`, once that is written.
fn in_result(site: &Site, plan: &str, spec: &str, waiting: &Value) -> Result<()> {
    let path = site.path(&format!("results/shop/{plan}/result.json"));
    until("the result says the cause too", || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let plan: Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(task(&plan, spec)["waiting"] == *waiting)
    })
}

#[test]
fn for_its_time() -> Result<()> {
    let mut site = site("")?;
    let mut plan: Value = serde_json::from_str(&plan_of(&[&[("one", NORTH, "make")]]))?;
    plan["steps"][0]["specs"][0]["earliestAllowedTime"] = json!("2100-01-02T12:04:05Z");
    site.drop_file("shop/x.plan.json", plan.to_string())?;
    site.start()?;
    let waiting = waits(&site, "x", "one", "TIME", "waits until 2100-01-0")?;
    assert_eq!(waiting, json!({ "cause": "TIME", "on": [], "until": "2100-01-02T12:04:05Z" }));
    in_result(&site, "x", "one", &waiting)
}

#[test]
fn for_a_dependency_and_for_the_stage_before() -> Result<()> {
    let mut site = site("")?;
    let steps = plan_of(&[&[("one", NORTH, "fail"), ("two", SOUTH, "make")], &[("three", SOUTH, "make")]]);
    let mut plan: Value = serde_json::from_str(&steps)?;
    plan["steps"][0]["specs"][1]["dependsOnSpecs"] = json!(["one"]);
    site.drop_file("shop/x.plan.json", plan.to_string())?;
    site.start()?;
    let waiting = waits(&site, "x", "two", "DEPENDENCY", "waits for one")?;
    assert_eq!(waiting, json!({ "cause": "DEPENDENCY", "on": ["one"], "until": null }));
    in_result(&site, "x", "two", &waiting)?;
    let waiting = waits(&site, "x", "three", "STAGE", "waits for stage 1")?;
    assert_eq!(waiting, json!({ "cause": "STAGE", "on": ["stage 1"], "until": null }));
    assert_eq!(site.plan("x")?["status"], "BLOCKED");
    // The cause is the same where no daemon runs: none could help.
    site.kill();
    waits(&site, "x", "two", "DEPENDENCY", "waits for one")?;
    waits(&site, "x", "three", "STAGE", "waits for stage 1")?;
    Ok(())
}

#[test]
fn for_its_database_also_where_another_plan_has_it() -> Result<()> {
    let mut site = site("")?;
    let held = site.hold("north")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make"), ("two", NORTH, "make")]]))?;
    site.start()?;
    let waiting = waits(&site, "x", "two", "LANE", "waits behind one on its database")?;
    assert_eq!(waiting["on"], json!(["one"]));
    site.drop_file("shop/y.plan.json", plan_of(&[&[("one", NORTH, "make")]]))?;
    let waiting = waits(&site, "y", "one", "LANE", "waits behind projects/shop/plans/x/one on its database")?;
    assert_eq!(waiting["on"], json!(["projects/shop/plans/x/one"]));
    // What holds the first one is no cause of the daemon's own: its row says it.
    let text = site.say(&["status", "x"])?.out;
    assert!(text.contains("waits for the lock of one runner per database"), "{text}");
    drop(held);
    site.wait_for("y", &["DONE"])?;
    Ok(())
}

#[test]
fn for_a_connection() -> Result<()> {
    let mut site = site("")?;
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    site.write("config.toml", format!("{config}max_connections = 1\n"))?;
    let held = site.hold("north")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make"), ("two", SOUTH, "make")]]))?;
    site.start()?;
    let waiting = waits(&site, "x", "two", "CONNECTION_LIMIT", "waits for a connection of main")?;
    assert_eq!(waiting["on"], json!(["main"]));
    drop(held);
    site.wait_for("x", &["DONE"])?;
    Ok(())
}

#[test]
fn for_room_in_the_daemon() -> Result<()> {
    let mut site = site("[scheduler]\nmax_running_tasks = 1\n")?;
    let held = site.hold("north")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make"), ("two", SOUTH, "make")]]))?;
    site.start()?;
    waits(&site, "x", "two", "RUNNING_LIMIT", "max_running_tasks")?;
    drop(held);
    site.wait_for("x", &["DONE"])?;
    Ok(())
}

#[test]
fn for_its_sheet_or_those_of_its_plan() -> Result<()> {
    let mut site = site("")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make"), ("two", SOUTH, "late")]]))?;
    site.start()?;
    let missing = "projects/test/sheets/late";
    let waiting = waits(&site, "x", "two", "MISSING_SHEET", &format!("waits for {missing}"))?;
    assert_eq!(waiting, json!({ "cause": "MISSING_SHEET", "on": [missing], "until": null }));
    // Its own sheet is there, but a plan starts with all of them.
    waits(&site, "x", "one", "MISSING_SHEET", &format!("waits for {missing}"))?;
    let plan = site.plan("x")?;
    assert_eq!((&plan["status"], &plan["missingSheets"]), (&json!("WAITING_FOR_SHEETS"), &json!([missing])));
    site.drop_file("shop/late.sql", "CREATE TABLE late (id INTEGER);")?;
    let done = site.wait_for("x", &["DONE"])?;
    assert_eq!(done["missingSheets"], Value::Null, "{done:#}");
    assert_eq!(task(&done, "one")["waiting"], Value::Null);
    Ok(())
}

#[test]
fn for_a_daemon() -> Result<()> {
    let mut site = site("")?;
    let held = site.hold("north")?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "make"), ("two", NORTH, "make")]]))?;
    site.start()?;
    waits(&site, "x", "two", "LANE", "waits behind one")?;
    site.kill();
    waits(&site, "x", "one", "NO_DAEMON", "no daemon runs")?;
    waits(&site, "x", "two", "LANE", "waits behind one on its database")?;
    assert!(site.say(&["status", "x"])?.err.contains("no daemon answers"));
    drop(held);
    site.start()?;
    site.wait_for("x", &["DONE"])?;
    Ok(())
}

#[test]
fn a_time_is_kept_across_a_restart() -> Result<()> {
    let mut site = site("")?;
    let earliest = jiff::Timestamp::now() + std::time::Duration::from_secs(6);
    let mut plan: Value =
        serde_json::from_str(&plan_of(&[&[("one", NORTH, "make"), ("two", SOUTH, "make")]]))?;
    plan["steps"][0]["specs"][0]["earliestAllowedTime"] = json!(earliest);
    site.drop_file("shop/x.plan.json", plan.to_string())?;
    site.start()?;
    waits(&site, "x", "one", "TIME", "waits until")?;
    site.kill();
    site.start_with(&["--until-idle"])?;
    // It is not idle while a time is waited for.
    assert_eq!(site.wait_for_end()?, 0);
    let done = site.plan("x")?;
    assert_eq!(done["status"], "DONE", "{done:#}");
    let start: jiff::Timestamp =
        task(&done, "one")["runs"][0]["startTime"].as_str().unwrap_or_default().parse()?;
    assert!(start >= earliest, "started at {start}, but not before {earliest} was allowed");
    let other: jiff::Timestamp =
        task(&done, "two")["runs"][0]["startTime"].as_str().unwrap_or_default().parse()?;
    assert!(other < earliest, "its sibling waits for nobody");
    Ok(())
}
