//! The main job: a plan and its sheets are dropped into the inbox of a running daemon, and what they say is in the databases.

mod site;

use anyhow::Result;
use site::{Engine, Site, plan_of, task};

/// The plan of the format's own documentation, with its target and sheets named for the test.
fn documented_plan(database: &str) -> String {
    r#"{
  "steps": [
    {
      "specs": [
        {
          "id": "083c1c01-a0a6-485d-ae60-d6de2760ca4f",
          "earliestAllowedTime": null,
          "dependsOnSpecs": [],
          "changeDatabaseConfig": {
            "target": "instances/main/databases/DATABASE",
            "sheet": "projects/sample/sheets/741",
            "type": "MIGRATE",
            "schemaVersion": "",
            "ghostFlags": {},
            "preUpdateBackupDetail": { "database": "" }
          }
        },
        {
          "id": "0f2f1b1c-5b6c-4b0e-9d3c-8a8f6a1c2d3e",
          "earliestAllowedTime": null,
          // Wait for the previous task to finish
          "dependsOnSpecs": ["083c1c01-a0a6-485d-ae60-d6de2760ca4f"],
          "changeDatabaseConfig": {
            "target": "instances/main/databases/DATABASE",
            "sheet": "projects/sample/sheets/742",
            "type": "DATA",
            "schemaVersion": "",
            "ghostFlags": {},
            "preUpdateBackupDetail": { "database": "" }
          }
        }
      ]
    }
  ]
}"#
    .replace("DATABASE", database)
}

#[test]
fn the_documented_plan_runs_on_every_engine() -> Result<()> {
    for (name, engine) in Engine::all() {
        let mut site = Site::new("")?;
        let databases = site.path("databases");
        let config = std::fs::read_to_string(site.path("config.toml"))?;
        site.write("config.toml", format!("{config}{}", engine.instance("main", &databases)))?;
        let database = engine.fresh_database()?;
        site.start()?;
        site.drop_file(
            "sample/741.sql",
            "CREATE TABLE book (id INTEGER PRIMARY KEY, title VARCHAR(100));\n",
        )?;
        site.drop_file(
            "sample/742.sql",
            "INSERT INTO book VALUES (1, 'One');\nINSERT INTO book VALUES (2, 'Zwei');\n",
        )?;
        site.drop_file("sample/first.plan.json", documented_plan(&database))?;
        let plan = site.wait_for("projects/sample/plans/first", &["DONE", "FAILED", "BLOCKED"])?;
        assert_eq!(plan["status"], "DONE", "{name}: {plan:#}");
        assert_eq!(engine.number(&databases, &database, "SELECT count(*) FROM book")?, 2, "{name}");
        let second = task(&plan, "0f2f1b1c-5b6c-4b0e-9d3c-8a8f6a1c2d3e");
        assert_eq!(second["runs"][0]["affectedRows"], 2, "{name}: {second:#}");
        assert!(site.path("accepted/sample/first/741.sql").is_file(), "{name}: the original is kept");
    }
    Ok(())
}

#[test]
fn the_result_file_says_what_status_says() -> Result<()> {
    let mut site = Site::new("")?;
    let databases = site.path("databases");
    let config = std::fs::read_to_string(site.path("config.toml"))?;
    site.write("config.toml", format!("{config}{}", Engine::Sqlite.instance("main", &databases)))?;
    site.drop_file("sample/741.sql", "CREATE TABLE t (id INTEGER PRIMARY KEY);")?;
    site.drop_file("sample/742.sql", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1);")?;
    site.drop_file("sample/x.plan.json", documented_plan("one"))?;
    site.start_with(&["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0);
    let shown = site.plan("x")?;
    let text = std::fs::read_to_string(site.path("results/sample/x/result.json"))?;
    let written: serde_json::Value = serde_json::from_str(&text)?;
    assert_eq!(written, shown);
    let error = &task(&written, "0f2f1b1c-5b6c-4b0e-9d3c-8a8f6a1c2d3e")["runs"][0]["error"];
    assert_eq!(
        (&error["class"], &error["statement"], &error["line"]),
        (&"constraint".into(), &2.into(), &1.into()),
        "{error:#}"
    );
    Ok(())
}

/// `-- txn-mode = off` commits behind each statement, and a load's rows belong to it.
#[test]
fn a_load_without_transactions_is_committed_behind_its_rows() -> Result<()> {
    let server = runsheet_test_servers::shared::postgres();
    let mut site = Site::on(&Engine::Postgres(server), "")?;
    let database = server.fresh_database()?;
    let sheet = "-- txn-mode = off\nCREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n2\n\\.\nINSERT INTO t VALUES (3);\n";
    site.drop_file("test/load.sql", sheet)?;
    let target = format!("instances/main/databases/{database}");
    site.drop_file("test/x.plan.json", plan_of(&[&[("load", &target, "load")]]))?;
    site.start()?;
    let plan = site.wait_for("projects/test/plans/x", &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}");
    assert_eq!(task(&plan, "load")["runs"][0]["affectedRows"], 3, "{plan:#}");
    assert_eq!(server.query(&database, "SELECT sum(a) FROM t")?, [["6"]]);
    Ok(())
}
