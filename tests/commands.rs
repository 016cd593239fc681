//! The commands from outside: what they print for people and for scripts, and how they end.

mod site;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use site::{Engine, Said, Site, plan_of, program};
use std::process::{Command, Stdio};

const NORTH: &str = "instances/main/databases/north";

fn site() -> Result<Site> {
    Site::on(&Engine::Sqlite, "")
}

/// Runs the program without a config.
fn alone(arguments: &[&str]) -> Result<Said> {
    let mut command = Command::new(program());
    command.args(arguments).env_remove("RUNSHEET_CONFIG").stdin(Stdio::null());
    Ok(Said::of(command.output()?))
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_right() -> Result<()> {
    for (arguments, words) in [
        (&["nonsense"][..], "unrecognized subcommand"),
        (&["status", "--nope"], "unexpected argument"),
        (&["check"], "<PLANS>"),
        (&["resolve", "x/one"], "--applied|--not-applied"),
        (&["resolve", "x/one", "--applied", "--not-applied"], "cannot be used with"),
        (&["split", "x.sql"], "--driver"),
        (&[], "Usage"),
    ] {
        let said = alone(arguments)?;
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}: {said:?}");
        assert!(said.err.contains(words), "{arguments:?}: {words:?} is not in {}", said.err);
    }
    let help = alone(&["--help"])?;
    assert_eq!((help.code, help.err.as_str()), (0, ""), "{help:?}");
    for command in [
        "daemon", "demo", "check", "submit", "status", "log", "retry", "skip", "cancel", "resolve",
        "drivers", "config", "split",
    ] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{command} is not in {}", help.out);
    }
    assert_eq!(alone(&["--version"])?.out, format!("runsheet {}\n", env!("CARGO_PKG_VERSION")));
    Ok(())
}

#[test]
fn the_demo_runs_to_its_end_and_shows_its_plan() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = Command::new(program())
        .arg("demo")
        .env("TMPDIR", folder.path())
        .env_remove("RUNSHEET_CONFIG")
        .stdin(Stdio::null())
        .output()?;
    let said = Said::of(output);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let text = &said.out;
    for words in [
        "three SQLite databases",
        "projects/demo/plans/branches  DONE",
        "6 of 6 tasks done",
        "Stage 1 · schema  done",
        "Stage 2 · data  done",
        "55,000 statements",
        "result.json",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    // The task that depends on both branches comes after them.
    let place = |words: &str| text.find(words).with_context(|| format!("{words} is not in {text}"));
    assert!(place("▶  head-data")? > place("✓  north-data")?, "{text}");
    let demo = std::fs::read_dir(folder.path())?.next().context("the demo's folder")??.path();
    let rows =
        Engine::Sqlite.number(&demo.join("databases"), "head-office", "SELECT count(*) FROM orders")?;
    assert_eq!(rows, 50_000);
    let result: Value =
        serde_json::from_slice(&std::fs::read(demo.join("results/demo/branches/result.json"))?)?;
    assert_eq!(result["status"], "DONE");
    Ok(())
}

#[test]
fn drivers_shows_each_with_its_version_and_why_one_is_refused() -> Result<()> {
    let site = site()?;
    let text = site.say(&["drivers"])?;
    for words in ["sqlite", "PostgreSQL", "MySQL and MariaDB", "transactional-ddl", env!("CARGO_PKG_VERSION")]
    {
        assert!(text.out.contains(words), "{words:?} is not in {}", text.out);
    }

    // A folder with one good driver, and one file that is no driver.
    let folder = site.path("drivers");
    std::fs::create_dir(&folder)?;
    let good = program().with_file_name("librunsheet_driver_sqlite.so");
    std::fs::copy(&good, folder.join("librunsheet_driver_sqlite.so"))?;
    site.write("drivers/librunsheet_driver_broken.so", "no library\n")?;
    let mut command = Command::new(program());
    command.arg("--config").arg(site.path("config.toml")).env("RUNSHEET_DAEMON_PLUGINS", &folder);
    let said = Said::of(command.args(["drivers", "--json"]).output()?);
    assert_eq!(said.code, 1, "one of them is not used: {said:?}");
    let rows: Value = serde_json::from_str(&said.out)?;
    let row = |name: &str| {
        let mut rows = rows.as_array().into_iter().flatten();
        let found = rows.find(|row| row["file"].as_str().is_some_and(|file| file.contains(name)));
        found.cloned().unwrap_or_default()
    };
    let sqlite = row("sqlite");
    assert_eq!(
        (&sqlite["driver"]["name"], &sqlite["driver"]["title"]),
        (&json!("sqlite"), &json!("SQLite")),
        "{rows:#}"
    );
    assert!(
        sqlite["driver"]["facts"].as_array().is_some_and(|facts| facts.contains(&json!("embedded"))),
        "{rows:#}"
    );
    assert!(row("broken")["refused"].as_str().is_some_and(|why| !why.is_empty()), "{rows:#}");
    Ok(())
}

#[test]
fn split_says_of_each_statement_where_it_is_and_how_it_runs() -> Result<()> {
    let site = site()?;
    let sheet = "-- ä comment\nCREATE TABLE t (id INTEGER);\n\nINSERT INTO t\n  VALUES (1);\nVACUUM;\n";
    site.write("x.sql", sheet)?;
    let path = site.path("x.sql").display().to_string();
    let said = site.say(&["split", &path, "--driver", "sqlite", "--json"])?;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let rows: Vec<Value> = serde_json::from_str(&said.out)?;
    let texts = ["CREATE TABLE t (id INTEGER)", "INSERT INTO t\n  VALUES (1)", "VACUUM"];
    assert_eq!(rows.len(), texts.len(), "{}", said.out);
    for ((row, text), number) in rows.iter().zip(texts).zip(1..) {
        let offset = sheet.find(text).context("the statement is in the sheet")?;
        assert_eq!(row["statement"], number);
        assert_eq!((&row["offset"], &row["length"]), (&json!(offset), &json!(text.len())), "{row}");
        assert_eq!(row["line"], sheet[..offset].matches('\n').count() + 1, "{row}");
    }
    let of = |key: &str| rows.iter().map(|row| row[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("kind")[..2], [json!("ddl"), json!("dml")]);
    assert_eq!(of("segment"), [json!(1), json!(1), json!(2)]);
    assert_eq!(of("transaction"), [json!(true), json!(true), json!(false)]);

    let text = site.say(&["split", &path, "--driver", "sqlite"])?.out;
    for words in ["STATEMENT", "in segment 1", "by itself, segment 2", "INSERT INTO t VALUES (1)"] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    let lines: Vec<usize> = text.lines().filter_map(|line| line.find("segment")).collect();
    assert_eq!(lines.len(), 3, "{text}");
    Ok(())
}

#[test]
fn what_needs_no_instance_needs_no_config() -> Result<()> {
    if std::path::Path::new("/etc/runsheet/config.toml").exists() {
        println!("not shown: Runsheet is installed on this machine, and has a config");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let sheet = folder.path().join("x.sql");
    std::fs::write(&sheet, "SELECT 1;\n")?;
    let said = alone(&["split", &sheet.display().to_string(), "--driver", "sqlite"])?;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    assert_eq!(alone(&["drivers"])?.code, 0);
    // A file that somebody names must be there.
    assert_eq!(alone(&["--config", "/nonexistent.toml", "drivers"])?.code, 78);
    assert_eq!(alone(&["status"])?.code, 78);
    Ok(())
}

#[test]
fn split_says_what_is_wrong_with_a_sheet_and_stays_json() -> Result<()> {
    let site = site()?;
    site.write("x.sql", "SELECT 1;\nSELECT 'never closed;\n")?;
    let path = site.path("x.sql").display().to_string();
    let said = site.say(&["split", &path, "--driver", "sqlite", "--json"])?;
    assert_eq!(said.code, 1, "{said:?}");
    let rows: Vec<Value> = serde_json::from_str(&said.out).with_context(|| said.out.clone())?;
    assert_eq!(rows.len(), 1, "what came before is shown: {said:?}");
    assert!(said.err.contains("x.sql:2:8: ") && said.err.contains("2 | SELECT 'never closed;"), "{said:?}");
    let said = site.say(&["split", &path, "--driver", "nope"])?;
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.err.contains("there is no driver `nope`; there are:") && said.err.contains("sqlite"),
        "{said:?}"
    );
    let said = site.say(&["split", "nope.sql", "--driver", "sqlite"])?;
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("nope.sql cannot be read"), "{said:?}");
    Ok(())
}

#[test]
fn a_reader_that_goes_away_is_no_error() -> Result<()> {
    let mut site = site()?;
    let mut sheet = String::from("CREATE TABLE t (id INTEGER);\n");
    (0..5_000).for_each(|row| sheet.push_str(&format!("INSERT INTO t VALUES ({row});\n")));
    site.drop_file("shop/x.sql", &sheet)?;
    site.write("x.sql", &sheet)?;
    site.drop_file("shop/x.plan.json", plan_of(&[&[("one", NORTH, "x")]]))?;
    site.start_with(&["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0);
    let (program, config) = (program(), site.path("config.toml"));
    let sheet = site.path("x.sql").display().to_string();
    for words in [
        "log x".to_owned(),
        "log x --json".to_owned(),
        "status".to_owned(),
        "status x --json".to_owned(),
        "drivers".to_owned(),
        format!("split {sheet} --driver sqlite"),
    ] {
        // What it prints beside its output goes to the same pipe, which nobody reads on.
        let script = format!(
            "set -o pipefail; {} --config {} {words} 2>&1 | head -1 >/dev/null; echo ${{PIPESTATUS[0]}}; \
             {} --config {} {words} 2>&1 >/dev/full | grep -c panicked",
            program.display(),
            config.display(),
            program.display(),
            config.display(),
        );
        let said = Said::of(Command::new("bash").arg("-c").arg(script).output()?);
        assert_eq!((said.out.as_str(), said.err.as_str()), ("0\n0\n", ""), "{words}: {said:?}");
    }
    Ok(())
}
