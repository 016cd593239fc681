//! A damaged state: refused with words and left as it is, shown by a dry run, rebuilt by `recover`, and gone on with after an
//! operator's word, so that every statement took effect exactly once. The damage is done to the files of a daemon that was killed in the
//! middle of a sheet.

mod site;

use anyhow::{Context, Result};
use serde_json::Value;
use site::{Engine, Site, plan_of, task, tasks, until};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rows, each in a transaction of its own.
const ROWS: u32 = 2_000;

/// What is done to the files of a state.
#[derive(Clone, Copy, Debug)]
enum Damage {
    PagesFlipped,
    CutShort,
    Empty,
    Gone,
    NoDatabase,
    LogGone,
    LogFlipped,
    LogCutShort,
}

impl Damage {
    const ALL: &'static [Self] = &[
        Self::PagesFlipped,
        Self::CutShort,
        Self::Empty,
        Self::Gone,
        Self::NoDatabase,
        Self::LogGone,
        Self::LogFlipped,
        Self::LogCutShort,
    ];

    fn is_done_to(self, state: &Path) -> Result<()> {
        let (file, log) = (state.join("runsheet.db"), state.join("runsheet.db-wal"));
        let size = |file: &Path| Ok::<u64, anyhow::Error>(fs::metadata(file)?.len());
        let open = |file: &Path| fs::File::options().read(true).write(true).open(file);
        match self {
            // The log of writes is taken up first, so that the damage is of what counts.
            Self::PagesFlipped => {
                take_up_log(&file)?;
                for page in 1..size(&file)? / 4096 {
                    open(&file)?.write_all_at(&[0xA5; 64], page * 4096)?;
                }
            }
            Self::CutShort => {
                take_up_log(&file)?;
                open(&file)?.set_len(size(&file)? / 2 + 100)?;
            }
            Self::Empty => {
                take_up_log(&file)?;
                open(&file)?.set_len(0)?;
            }
            Self::Gone => {
                take_up_log(&file)?;
                fs::remove_file(&file)?;
            }
            Self::NoDatabase => {
                take_up_log(&file)?;
                fs::write(&file, [7; 8192])?;
            }
            Self::LogGone => fs::remove_file(&log)?,
            Self::LogFlipped => {
                let at = size(&log)? / 2;
                let mut byte = [0];
                open(&log)?.read_exact_at(&mut byte, at)?;
                open(&log)?.write_all_at(&[!byte[0]], at)?;
            }
            Self::LogCutShort => open(&log)?.set_len(size(&log)? / 2)?,
        }
        Ok(())
    }
}

fn take_up_log(file: &Path) -> Result<()> {
    let status = Command::new("sqlite3").arg(file).arg("PRAGMA wal_checkpoint(TRUNCATE)").output()?;
    anyhow::ensure!(status.status.success(), "sqlite3");
    Ok(())
}

/// The state's files with their bytes, but for the lock.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(files(&path)?);
        } else if path.file_name().is_some_and(|name| name != "lock") {
            all.insert(path.clone(), fs::read(&path)?);
        }
    }
    Ok(all)
}

fn rows(sheet_head: &str) -> Result<String> {
    let mut text = sheet_head.to_owned();
    for row in 0..ROWS {
        // No key, so that a row that came twice is seen.
        writeln!(text, "INSERT INTO t VALUES ({row});")?;
    }
    Ok(text)
}

/// A site in which a daemon was killed while it filled a table, row by row, and the database; one more task was not begun. Who counts
/// rows waits for the writer of a SQLite file, and may see it only when all are in: then it is done over.
fn killed_in_the_middle(engine: &Engine) -> Result<(Site, String)> {
    for _ in 0..20 {
        let database = engine.fresh_database()?;
        let site = killed_while_it_fills(engine, &database)?;
        let now = engine.number(&site.path("databases"), &database, "SELECT count(*) FROM t")?;
        if now < i64::from(ROWS) {
            return Ok((site, database));
        }
    }
    anyhow::bail!("the daemon is always faster than the kill")
}

fn killed_while_it_fills(engine: &Engine, database: &str) -> Result<Site> {
    let mut site = Site::on(engine, "")?;
    let target = format!("instances/main/databases/{database}");
    site.drop_file("test/make.sql", "CREATE TABLE t (id INTEGER);\n")?;
    site.drop_file("test/fill.sql", rows("-- txn-mode = off\n")?)?;
    site.drop_file("test/last.sql", "INSERT INTO t VALUES (-1);\n")?;
    let plan =
        plan_of(&[&[("make", &target, "make")], &[("fill", &target, "fill")], &[("last", &target, "last")]]);
    site.drop_file("test/x.plan.json", plan)?;
    site.start()?;
    let count = || engine.number(&site.path("databases"), database, "SELECT count(*) FROM t").unwrap_or(0);
    until("some rows are in", || Ok(count() > 40))?;
    site.kill();
    Ok(site)
}

/// Each row, and the last one, are there once.
fn assert_exactly_once(engine: &Engine, site: &Site, database: &str, what: &str) -> Result<()> {
    let number = |sql: &str| engine.number(&site.path("databases"), database, sql);
    let all = i64::from(ROWS) + 1;
    let found = (number("SELECT count(*) FROM t")?, number("SELECT count(DISTINCT id) FROM t")?);
    assert_eq!(found, (all, all), "{what}");
    Ok(())
}

/// A start is refused, a dry run changes nothing, and a recovery keeps what was there.
fn refused_and_rebuilt(site: &mut Site, what: &str) -> Result<Value> {
    let before = files(&site.path("state"))?;
    fs::write(site.path("log"), "")?;
    site.start()?;
    assert_eq!(site.wait_for_end()?, 65, "{what}: {}", site.log());
    for words in ["runsheet.db is damaged", "Nothing was run and nothing was changed", "runsheet recover"] {
        assert!(site.log().contains(words), "{what}: {words:?} is not in {}", site.log());
    }
    let dry = site.say(&["recover", "--dry-run", "--json"])?;
    assert!(matches!(dry.code, 0 | 4), "{what}: {dry:?}");
    assert!(files(&site.path("state"))? == before, "{what}: refusing and looking changed the state");
    let made = site.say(&["recover", "--json"])?;
    assert_eq!(made.code, dry.code, "{what}: {made:?}");
    let (dry, made): (Value, Value) = (serde_json::from_str(&dry.out)?, serde_json::from_str(&made.out)?);
    assert_eq!((&dry["plans"], &dry["dryRun"]), (&made["plans"], &Value::Bool(true)), "{what}");
    let aside = PathBuf::from(made["aside"].as_str().context("a folder")?);
    assert!(
        aside.file_name().is_some_and(|name| name.to_string_lossy().starts_with("damaged-")),
        "{aside:?}"
    );
    let of_database = |path: &Path| path.display().to_string().contains("runsheet.db");
    for (path, bytes) in before.iter().filter(|(path, _)| of_database(path)) {
        let kept = fs::read(aside.join(path.file_name().context("a name")?))?;
        assert!(kept == *bytes, "{what}: {} was changed", path.display());
    }
    Ok(made)
}

/// Nothing runs by itself; then the plan is released.
fn release(engine: &Engine, site: &mut Site, database: &str, what: &str) -> Result<()> {
    let count = |site: &Site| engine.number(&site.path("databases"), database, "SELECT count(*) FROM t");
    let before = count(site)?;
    site.start_with(&["--until-idle"])?;
    assert_eq!(site.wait_for_end()?, 0, "{what}: {}", site.log());
    assert_eq!(count(site)?, before, "{what}: something was started");
    site.start()?;
    let plan = site.wait_for("x", &["BLOCKED"])?;
    assert_eq!(task(&plan, "last")["waiting"]["cause"], "HELD", "{what}: {plan:#}");
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    let said = site.say(&["release", "x", "--reason", "looked at"])?;
    assert_eq!((said.code, said.out.contains("goes on")), (0, true), "{what}: {said:?}");
    Ok(())
}

fn recovered(engine: &Engine, damage: Damage) -> Result<()> {
    let what = format!("{damage:?}");
    let (mut site, database) = killed_in_the_middle(engine)?;
    damage.is_done_to(&site.path("state"))?;
    let made = refused_and_rebuilt(&mut site, &what)?;
    let fate = |spec: &str| {
        let tasks = made["plans"][0]["tasks"].as_array().cloned().unwrap_or_default();
        let found = tasks.into_iter().find(|task| task["specId"] == spec);
        found.map(|task| task["status"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(fate("make").as_deref(), Some("DONE"), "{what}: {made:#}");
    assert_eq!(fate("fill").as_deref(), Some("NOT_STARTED"), "{what}: {made:#}");
    release(engine, &mut site, &database, &what)?;
    site.wait_for("x", &["DONE"])?;
    assert_exactly_once(engine, &site, &database, &what)?;
    // Known again, and not damaged any more.
    site.kill();
    assert!(site.say(&["recover"])?.out.contains("is sound"), "{what}");
    Ok(())
}

#[test]
fn every_kind_of_damage_is_refused_kept_and_recovered_from() -> Result<()> {
    for damage in Damage::ALL {
        recovered(&Engine::Sqlite, *damage).with_context(|| format!("{damage:?}"))?;
    }
    Ok(())
}

#[test]
fn a_damaged_state_is_recovered_from_on_every_server() -> Result<()> {
    for (name, engine) in Engine::all().into_iter().filter(|(name, _)| *name != "sqlite") {
        for damage in [Damage::NoDatabase, Damage::LogFlipped] {
            recovered(&engine, damage).with_context(|| format!("{name}, {damage:?}"))?;
        }
    }
    Ok(())
}

#[test]
fn what_is_only_for_reading_may_be_damaged_and_the_rest_is_carried_over() -> Result<()> {
    let (mut site, database) = killed_in_the_middle(&Engine::Sqlite)?;
    let file = site.path("state/runsheet.db");
    take_up_log(&file)?;
    let output = Command::new("sqlite3")
        .arg(&file)
        .arg("SELECT max(pageno) FROM dbstat WHERE name = 'log' AND pagetype = 'leaf'")
        .output()?;
    let page: u64 = String::from_utf8(output.stdout)?.trim().parse().context("a page of the log")?;
    fs::File::options().write(true).open(&file)?.write_all_at(&[0xA5; 64], (page - 1) * 4096)?;
    let made = refused_and_rebuilt(&mut site, "a page of the log")?;
    assert_eq!(made["oldIsSound"], true, "{made:#}");
    release(&Engine::Sqlite, &mut site, &database, "a page of the log")?;
    let plan = site.wait_for("x", &["DONE"])?;
    // Of what had run before, what is known is kept.
    assert_eq!(task(&plan, "fill")["runs"].as_array().map(Vec::len), Some(2), "{plan:#}");
    assert_eq!(task(&plan, "make")["runs"][0]["status"], "DONE", "{plan:#}");
    assert_exactly_once(&Engine::Sqlite, &site, &database, "a page of the log")
}

/// A state that is gone, with one task that a daemon had not begun or had sent: nobody can know which.
fn in_doubt(engine: &Engine, sheet: &str, sent: bool) -> Result<(Site, String, Value)> {
    let database = engine.fresh_database()?;
    let mut site = Site::on(engine, "")?;
    let target = format!("instances/main/databases/{database}");
    site.drop_file("test/make.sql", "CREATE TABLE t (id INTEGER);\nINSERT INTO t VALUES (1);\n")?;
    site.drop_file("test/alone.sql", sheet)?;
    site.drop_file(
        "test/x.plan.json",
        plan_of(&[&[("make", &target, "make")], &[("alone", &target, "alone")]]),
    )?;
    site.start()?;
    site.wait_for("x", &["DONE"])?;
    site.kill();
    // As a crash between a statement and its mark leaves it, or one before the statement.
    let ledger = match engine {
        Engine::Postgres(_) => "runsheet.runsheet_ledger",
        Engine::Sqlite | Engine::MySql(_) => "runsheet_ledger",
    };
    engine.query(
        &site.path("databases"),
        &database,
        &format!("DELETE FROM {ledger} WHERE spec = 'alone'"),
    )?;
    if !sent {
        let undo = match engine {
            Engine::Postgres(_) => "DROP INDEX by_id",
            Engine::Sqlite | Engine::MySql(_) => "DROP INDEX by_id ON t",
        };
        engine.query(&site.path("databases"), &database, undo)?;
    }
    Damage::NoDatabase.is_done_to(&site.path("state"))?;
    let made = refused_and_rebuilt(&mut site, "in doubt")?;
    Ok((site, database, made))
}

#[test]
fn a_statement_that_may_be_in_without_its_mark_is_asked_for() -> Result<()> {
    use runsheet_test_servers::shared;
    let engines = [
        (Engine::Postgres(shared::postgres()), "CREATE INDEX CONCURRENTLY by_id ON t (id);\n"),
        (Engine::MySql(shared::mariadb()), "CREATE INDEX by_id ON t (id);\n"),
    ];
    for (engine, sheet) in &engines {
        for sent in [true, false] {
            let (mut site, database, made) = in_doubt(engine, sheet, sent)?;
            assert_eq!(made["plans"][0]["tasks"][1]["status"], "IN_DOUBT", "{made:#}");
            site.start()?;
            let plan = site.wait_for("x", &["BLOCKED"])?;
            let detail = task(&plan, "alone")["runs"][0]["detail"].as_str().unwrap_or_default().to_owned();
            for words in ["did statement 1 (line 1) take effect?", "--applied", "--not-applied"] {
                assert!(detail.contains(words), "{words:?} is not in {detail:?}");
            }
            until("it is released", || Ok(site.say(&["release", "x"])?.code == 0))?;
            let answer = if sent { "--applied" } else { "--not-applied" };
            let said = site.say(&["resolve", "x/alone", answer])?;
            assert_eq!(said.code, 0, "{said:?}");
            let plan = site.wait_for("x", &["DONE", "FAILED"])?;
            assert_eq!(plan["status"], "DONE", "{plan:#}");
            // The server itself refuses a second index of this name, so that a wrong answer would have FAILED.
            let is_there = match engine {
                Engine::Postgres(_) => {
                    "SELECT count(*) FROM pg_index WHERE indexrelid = 'by_id'::regclass AND indisvalid"
                }
                Engine::Sqlite | Engine::MySql(_) => {
                    "SELECT count(*) FROM information_schema.statistics WHERE index_name = 'by_id' AND table_schema = DATABASE()"
                }
            };
            assert_eq!(engine.number(&site.path("databases"), &database, is_there)?, 1);
        }
    }
    Ok(())
}

#[test]
fn the_servers_own_mark_settles_it_where_it_follows_from_the_task() -> Result<()> {
    let engine = Engine::MySql(runsheet_test_servers::shared::mysql());
    let (mut site, database, made) = in_doubt(&engine, "CREATE INDEX by_id ON t (id);\n", true)?;
    assert_eq!(made["plans"][0]["tasks"][1]["status"], "NOT_STARTED", "{made:#}");
    site.start()?;
    site.wait_for("x", &["BLOCKED"])?;
    until("it is released", || Ok(site.say(&["release", "x"])?.code == 0))?;
    let plan = site.wait_for("x", &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "{plan:#}");
    let sql = "SELECT count(*) FROM information_schema.statistics WHERE index_name = 'by_id' AND table_schema = DATABASE()";
    assert_eq!(engine.number(&site.path("databases"), &database, sql)?, 1);
    Ok(())
}

#[test]
fn without_a_ledger_a_person_is_asked_part_by_part() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    let config = fs::read_to_string(site.path("config.toml"))?;
    site.write("config.toml", format!("{config}ledger = \"none\"\n"))?;
    let sheet = "-- txn-mode = off\nCREATE TABLE t (id INTEGER);\nINSERT INTO t VALUES (1);\nINSERT INTO later VALUES (1);\n";
    site.drop_file("test/steps.sql", sheet)?;
    site.drop_file("test/x.plan.json", plan_of(&[&[("one", "instances/main/databases/north", "steps")]]))?;
    site.start()?;
    site.wait_for("x", &["FAILED"])?;
    site.kill();
    Damage::PagesFlipped.is_done_to(&site.path("state"))?;
    let made = refused_and_rebuilt(&mut site, "no ledger")?;
    assert_eq!(made["plans"][0]["tasks"][0]["status"], "IN_DOUBT", "{made:#}");
    Engine::Sqlite.query(&site.path("databases"), "north", "CREATE TABLE later (id INTEGER)")?;
    site.start()?;
    until("it is released", || Ok(site.say(&["release", "x"])?.code == 0))?;
    // The first two are in; the third is not.
    for answer in ["--applied", "--applied", "--not-applied"] {
        until("it is asked", || Ok(tasks(&site.plan("x")?)[0].1 == "IN_DOUBT"))?;
        let said = site.say(&["resolve", "x/one", answer])?;
        assert_eq!(said.code, 0, "{answer}: {said:?}");
    }
    site.wait_for("x", &["DONE"])?;
    let number = |sql: &str| Engine::Sqlite.number(&site.path("databases"), "north", sql);
    assert_eq!((number("SELECT count(*) FROM t")?, number("SELECT count(*) FROM later")?), (1, 1));
    Ok(())
}

#[test]
fn a_target_that_does_not_answer_is_named_and_nothing_is_changed() -> Result<()> {
    let (mut site, database) = killed_in_the_middle(&Engine::Sqlite)?;
    Damage::NoDatabase.is_done_to(&site.path("state"))?;
    let before = files(&site.path("state"))?;
    fs::rename(site.path("databases"), site.path("away"))?;
    let said = site.say(&["recover"])?;
    assert_eq!(said.code, 1, "{said:?}");
    for words in ["could not be asked", &database, "--unasked", "nothing was changed"] {
        assert!(said.err.contains(words), "{words:?} is not in {}", said.err);
    }
    assert!(files(&site.path("state"))? == before, "the state was changed");
    let said = site.say(&["recover", "--unasked"])?;
    assert_eq!(said.code, 0, "{said:?}");
    // The daemon asks before it runs anything: what is in is passed over.
    fs::rename(site.path("away"), site.path("databases"))?;
    release(&Engine::Sqlite, &mut site, &database, "unasked")?;
    site.wait_for("x", &["DONE"])?;
    assert_exactly_once(&Engine::Sqlite, &site, &database, "unasked")
}

#[test]
fn of_a_target_that_was_not_asked_only_what_may_have_been_sent_is_asked_for() -> Result<()> {
    let engine = Engine::Postgres(runsheet_test_servers::shared::postgres());
    let database = engine.fresh_database()?;
    let mut site = Site::on(&engine, "")?;
    let target = format!("instances/main/databases/{database}");
    let make = "CREATE TABLE t (id INTEGER);\n";
    let alone = "CREATE INDEX CONCURRENTLY one ON t (id);\nCREATE INDEX CONCURRENTLY two ON t (id);\n";
    site.drop_file("test/both.sql", format!("{make}{alone}"))?;
    site.drop_file("test/x.plan.json", plan_of(&[&[("both", &target, "both")]]))?;
    site.start()?;
    site.wait_for("x", &["DONE"])?;
    site.kill();
    // As a crash leaves it between the first index and its mark.
    engine.query(
        &site.path("databases"),
        &database,
        "DELETE FROM runsheet.runsheet_ledger WHERE segment > 1",
    )?;
    engine.query(&site.path("databases"), &database, "DROP INDEX two")?;
    Damage::NoDatabase.is_done_to(&site.path("state"))?;
    let config = fs::read_to_string(site.path("config.toml"))?;
    site.write("config.toml", config.replace("port = ", "port = 1 # "))?;
    let said = site.say(&["recover", "--unasked"])?;
    assert_eq!(said.code, 0, "{said:?}");
    site.write("config.toml", config)?;
    site.start()?;
    until("it is released", || Ok(site.say(&["release", "x"])?.code == 0))?;
    until("it is asked", || Ok(tasks(&site.plan("x")?)[0].1 == "IN_DOUBT"))?;
    let said = site.say(&["resolve", "x/both", "--applied"])?;
    assert_eq!(said.code, 0, "{said:?}");
    let plan = site.wait_for("x", &["DONE", "FAILED", "BLOCKED"])?;
    assert_eq!(plan["status"], "DONE", "the second was never sent, and is not asked for: {plan:#}");
    let sql = "SELECT count(*) FROM pg_indexes WHERE tablename = 't'";
    assert_eq!(engine.number(&site.path("databases"), &database, sql)?, 2);
    Ok(())
}

#[test]
fn a_plan_that_cannot_be_rebuilt_is_named() -> Result<()> {
    let (mut site, _) = killed_in_the_middle(&Engine::Sqlite)?;
    let file = site.path("state/runsheet.db");
    take_up_log(&file)?;
    // Its text is not what its hash says, and its file is gone.
    let sql = "UPDATE plan_texts SET text = 'damaged'; PRAGMA wal_checkpoint(TRUNCATE)";
    assert!(Command::new("sqlite3").arg(&file).arg(sql).status()?.success());
    fs::remove_dir_all(site.path("accepted"))?;
    let output = Command::new("sqlite3")
        .arg(&file)
        .arg("SELECT max(pageno) FROM dbstat WHERE name = 'runs_of_task'")
        .output()?;
    let page: u64 = String::from_utf8(output.stdout)?.trim().parse().context("a page of an index")?;
    fs::File::options().write(true).open(&file)?.write_all_at(&[0xA5; 64], (page - 1) * 4096)?;
    let made = refused_and_rebuilt(&mut site, "no plan")?;
    assert_eq!(made["plans"].as_array().map(Vec::len), Some(0), "{made:#}");
    assert!(made["notes"].to_string().contains("projects/test/plans/x"), "{made:#}");
    Ok(())
}

#[test]
fn a_running_daemon_and_a_sound_state_are_left_alone() -> Result<()> {
    let mut site = Site::on(&Engine::Sqlite, "")?;
    site.start()?;
    until("the daemon answers", || Ok(site.say(&["status"])?.err.is_empty()))?;
    let said = site.say(&["recover"])?;
    assert_eq!((said.code, said.err.contains("in use by another")), (75, true), "{said:?}");
    site.kill();
    let said = site.say(&["recover"])?;
    assert_eq!((said.code, said.out.contains("is sound")), (0, true), "{said:?}");
    Ok(())
}

/// The calls by which a recovery changes the disk.
const CALLS: &[&str] = &["rename", "renameat2", "mkdir", "fsync", "unlink"];

#[test]
fn killed_before_any_call_and_run_again_it_comes_to_the_same_end() -> Result<()> {
    let database = Engine::Sqlite.fresh_database()?;
    let mut kills = 0;
    for call in CALLS {
        for number in 1.. {
            let mut site = Site::on(&Engine::Sqlite, "")?;
            let target = format!("instances/main/databases/{database}");
            site.drop_file("test/make.sql", "CREATE TABLE IF NOT EXISTS t (id INTEGER);\n")?;
            site.drop_file("test/bad.sql", "INSERT INTO nowhere VALUES (1);\n")?;
            site.drop_file(
                "test/x.plan.json",
                plan_of(&[&[("make", &target, "make")], &[("bad", &target, "bad")]]),
            )?;
            site.start()?;
            site.wait_for("x", &["FAILED"])?;
            site.kill();
            Damage::LogFlipped.is_done_to(&site.path("state"))?;
            let dry: Value = serde_json::from_str(&site.say(&["recover", "--dry-run", "--json"])?.out)?;
            let damaged = fs::read(site.path("state/runsheet.db"))?;
            let status = Command::new("strace")
                .args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")])
                .args(["-e", &format!("inject={call}:signal=KILL:when={number}")])
                .arg(site::program())
                .arg("--config")
                .arg(site.path("config.toml"))
                .arg("recover")
                .output()?;
            let what = format!("killed before {call} number {number}");
            if status.status.success() {
                break;
            }
            kills += 1;
            // Whatever is there now, a daemon takes nothing half for whole.
            fs::write(site.path("log"), "")?;
            site.start_with(&["--until-idle"])?;
            let exit = site.wait_for_end()?;
            assert!(matches!(exit, 0 | 65), "{what}: {exit}: {}", site.log());
            let again = site.say(&["recover", "--json"])?;
            assert_eq!(again.code, 0, "{what}: {again:?}");
            if exit == 65 {
                let again: Value = serde_json::from_str(&again.out)?;
                assert_eq!(again["plans"], dry["plans"], "{what}");
            }
            let aside = fs::read_dir(site.path("state"))?
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .filter(|path| {
                    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("damaged-"))
                })
                .collect::<Vec<_>>();
            assert_eq!(aside.len(), 1, "{what}: {aside:?}");
            assert!(
                fs::read(aside[0].join("runsheet.db"))? == damaged,
                "{what}: what was damaged was changed"
            );
            let plan = site.plan("x")?;
            let said = dry["plans"][0]["tasks"].as_array().context("tasks")?;
            let said: Vec<_> = said.iter().map(|task| task["status"].as_str().unwrap_or_default()).collect();
            assert_eq!(
                tasks(&plan).iter().map(|(_, status)| status.as_str()).collect::<Vec<_>>(),
                said,
                "{what}"
            );
        }
    }
    println!("killed {kills} times");
    assert!(kills > 10, "only {kills} kills");
    Ok(())
}
