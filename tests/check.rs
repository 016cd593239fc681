//! `check`: everything that can be said of a plan before it runs, all at once, with its place, for people and for scripts.

mod site;

use anyhow::Result;
use runsheet_test_servers::shared;
use serde_json::{Value, json};
use site::{Engine, Said, Site, plan_of};

const NORTH: &str = "instances/main/databases/north";

fn site() -> Result<Site> {
    let site = Site::on(&Engine::Sqlite, "")?;
    site.write("work/make.sql", "CREATE TABLE t (id INTEGER);\nINSERT INTO t VALUES (1);\nVACUUM;\n")?;
    site.write("work/good.plan.json", plan_of(&[&[("one", NORTH, "make")], &[("two", NORTH, "make")]]))?;
    Ok(site)
}

fn check(site: &Site, plans: &[&str], more: &[&str]) -> Result<Said> {
    let plans: Vec<String> =
        plans.iter().map(|plan| site.path("work").join(plan).display().to_string()).collect();
    let plans: Vec<&str> = plans.iter().map(String::as_str).collect();
    site.say(&[&["check"], plans.as_slice(), more].concat())
}

#[test]
fn a_sound_plan_is_described() -> Result<()> {
    let site = site()?;
    let said = check(&site, &["good.plan.json"], &[])?;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    for words in [
        "projects/default/plans/good, 2 stages, 2 tasks",
        "projects/test/sheets/make on SQLite: 3 statements",
        "1 of which",
        "no fault found",
    ] {
        assert!(said.out.contains(words), "{words:?} is not in {}", said.out);
    }
    let json = check(&site, &["good.plan.json"], &["--json"])?;
    let all: Value = serde_json::from_str(&json.out)?;
    let one = &all[0];
    assert_eq!(
        json!([one["plan"], one["stages"], one["tasks"], one["findings"]]),
        json!(["projects/default/plans/good", 2, 2, []])
    );
    Ok(())
}

#[test]
fn every_fault_of_every_plan_comes_at_once_with_its_place() -> Result<()> {
    let site = site()?;
    site.write("work/bad.plan.json", "{ \"stepz\": [],\n  \"steps\": [ { \"specs\": [ { \"id\": \"one\", \"changeDatabaseConfig\": {\n    \"target\": \"instances/mein/databases/north\",\n    \"sheet\": \"projects/test/sheets/make\", \"type\": \"MIGRAT\" } } ] } ] }\n")?;
    site.write("work/open.sql", "SELECT 1;\n\nSELECT 'never closed;\n")?;
    site.write("work/sheet.plan.json", plan_of(&[&[("one", NORTH, "open"), ("two", NORTH, "lost")]]))?;
    let plans = ["bad.plan.json", "good.plan.json", "sheet.plan.json"];
    let said = check(&site, &plans, &[])?;
    assert_eq!(said.code, 1, "{said:?}");
    for words in [
        "bad.plan.json:1:3",
        "Did you mean `steps`?",
        "bad.plan.json:3:",
        "the instance `mein` is not in the config",
        "Did you mean `main`?",
        "bad.plan.json:4:",
        "Did you mean `MIGRATE`?",
        "no fault found",
        "open.sql:3:8",
        "the sheet projects/test/sheets/lost was not found",
    ] {
        assert!(said.out.contains(words), "{words:?} is not in {}", said.out);
    }
    let said = check(&site, &plans, &["--json"])?;
    assert_eq!((said.code, said.err.as_str()), (1, ""), "{said:?}");
    let all: Value = serde_json::from_str(&said.out)?;
    let places: Vec<Value> = all[0]["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|finding| json!([finding["error"], finding["line"]]))
        .collect();
    assert_eq!(places, [json!([true, 1]), json!([true, 3]), json!([true, 4])], "{all:#}");
    assert_eq!(all[0]["plan"], Value::Null);
    let sheet = &all[2]["findings"][0];
    assert!(sheet["file"].as_str().is_some_and(|file| file.ends_with("work/open.sql")), "{all:#}");
    assert_eq!(
        json!([sheet["line"], sheet["column"], sheet["excerpt"]]),
        json!([3, 8, "SELECT 'never closed;"]),
        "{all:#}"
    );
    Ok(())
}

#[test]
fn connecting_says_what_is_there_and_what_is_not_and_makes_nothing() -> Result<()> {
    let server = shared::postgres();
    let engine = Engine::Postgres(server);
    let site = site()?;
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    let away = "[instances.away]\ndriver = \"postgres\"\nhost = \"127.0.0.1\"\nport = 1\nuser = \"x\"\n";
    site.write("config.toml", format!("{config}{}{away}", engine.instance("pg", &site.path(""))))?;
    let database = engine.fresh_database()?;
    let target = format!("instances/pg/databases/{database}");
    let missing = "instances/pg/databases/nobody_made_this";
    site.write("work/pg.sql", "CREATE TABLE t (id INTEGER);\n")?;
    site.write("work/there.plan.json", plan_of(&[&[("one", &target, "pg")]]))?;
    let said = check(&site, &["there.plan.json"], &["--connect"])?;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains(&format!("{target}: PostgreSQL 1")), "{}", said.out);

    site.write(
        "work/gone.plan.json",
        plan_of(&[&[
            ("one", &target, "pg"),
            ("two", missing, "pg"),
            ("three", "instances/away/databases/x", "pg"),
        ]]),
    )?;
    let said = check(&site, &["gone.plan.json"], &["--connect"])?;
    assert_eq!(said.code, 1, "{said:?}");
    for words in [missing, "does not exist", "instances/away/databases/x", "127.0.0.1:1"] {
        assert!(said.out.contains(words), "{words:?} is not in {}", said.out);
    }
    // Without being asked to, it connects to nothing.
    assert_eq!(check(&site, &["gone.plan.json"], &[])?.code, 0);
    assert_eq!(
        engine.number(
            &site.path(""),
            &database,
            "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'runsheet%'"
        )?,
        0
    );

    let said = check(&site, &["good.plan.json"], &["--connect"])?;
    assert_eq!(said.code, 0, "{said:?}");
    let made: Vec<_> = std::fs::read_dir(site.path("databases"))?.collect::<Result<_, _>>()?;
    assert!(made.is_empty(), "a check made {made:?}");
    Ok(())
}

#[test]
fn what_is_no_plan_file_is_said() -> Result<()> {
    let site = site()?;
    let said = check(&site, &["nowhere.plan.json"], &[])?;
    assert!(said.code != 0 && said.err.contains("nowhere.plan.json cannot be read"), "{said:?}");
    Ok(())
}
